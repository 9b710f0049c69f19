//! `countersign entry export`: which entries, in which form, from where to where.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use countersign_ledger::note::VerifierKey;
use countersign_server::search::{Criteria, Scan};
use countersign_server::store;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::Filters;
use crate::commands::Session;
use crate::export::cursor::{Cursor, Keeper};
use crate::export::format::Format;
use crate::export::http::{Endpoint, Patience, Proof, endpoint};
use crate::export::sink::{Growing, Printed, Sink};
use crate::export::source::{Database, Source};
use crate::export::{self, Asked, Trust};
use crate::failure::{self, Failure, Kind};

/// How often a followed log is asked for a new checkpoint.
const EVERY: Duration = Duration::from_secs(1);

/// Waiting for an endpoint: about four minutes in all with ten attempts.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    filters: Filters,
    /// Begin at this index; only where no cursor says where to go on.
    #[arg(long)]
    from: Option<u64>,
    /// The form.
    #[arg(long, value_enum, default_value = "cloudevents")]
    format: Format,
    /// Where to: a file that grows, a link that takes CloudEvents batches, or `-` for standard output.
    #[arg(long, value_name = "-|FILE|URL", default_value = "-")]
    to: String,
    /// The file that remembers how far the export is, so that the next run goes on there; for a file it is beside it unless told
    /// otherwise.
    #[arg(long, value_name = "FILE")]
    cursor: Option<PathBuf>,
    /// Go on as the log grows, until interrupted.
    #[arg(long)]
    follow: bool,
    /// Read from this database, offline, instead of from a server; also that of a running server.
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// The log's public key as a vkey, or `@FILE`; checkpoints must be signed by it. Without it their signatures are not checked.
    #[arg(long, value_name = "VKEY")]
    key: Option<String>,
    /// The log's origin line, if it is not the key's name.
    #[arg(long, requires = "key")]
    origin: Option<String>,
    /// Where to find a bearer token for the endpoint: `env:NAME` or `file:/path`.
    #[arg(long, value_name = "REFERENCE")]
    bearer: Option<String>,
    /// Where to find a key (`whsec_…`) to sign requests with, as Standard Webhooks does: `env:NAME` or `file:/path`.
    #[arg(long, value_name = "REFERENCE")]
    signing_key: Option<String>,
    /// How often a batch is tried while the endpoint does not answer, 0 for ever.
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    attempts: u32,
}

/// Where entries go.
enum Target {
    Output,
    File(PathBuf),
    Endpoint(reqwest::Url),
}

impl Export {
    fn target(&self) -> anyhow::Result<Target> {
        let linked = self.to.starts_with("https:") || self.to.starts_with("http:");
        let misplaced = (self.bearer.is_some() || self.signing_key.is_some()) && !linked;
        if misplaced {
            let what = "`--bearer` and `--signing-key` are for an endpoint; `--to` names none";
            return Err(Failure::new(Kind::Malformed, what).into());
        }
        match self.to.as_str() {
            "-" => Ok(Target::Output),
            link if linked && self.format == Format::CloudEvents => Ok(Target::Endpoint(endpoint(link)?)),
            _ if linked => {
                Err(Failure::new(Kind::Malformed, "an endpoint takes `--format cloudevents` only").into())
            }
            file => Ok(Target::File(file.into())),
        }
    }

    fn keeper(&self, target: &Target) -> anyhow::Result<(Keeper, Option<Cursor>)> {
        let path = match (&self.cursor, target) {
            (Some(path), _) => path.clone(),
            (None, Target::File(file)) => {
                let mut name = file.as_os_str().to_owned();
                name.push(".cursor");
                name.into()
            }
            (None, _) => return Ok((Keeper::nowhere(), None)),
        };
        Keeper::open(&path)
    }

    /// The cursor that was kept, if it is one of this export.
    fn cursor(&self, kept: Option<Cursor>) -> anyhow::Result<Cursor> {
        let asked = Asked { format: self.format, filters: self.filters.listing() };
        let Some(cursor) = kept else { return Ok(Cursor::new(asked, self.from.unwrap_or(0))) };
        let other = match &cursor {
            cursor if cursor.format != asked.format => "another format",
            cursor if cursor.filters != asked.filters => "other filters",
            _ if self.from.is_some() => "an export that goes on by itself, without `--from`",
            _ => return Ok(cursor),
        };
        let hint = "use the same arguments as before, or another cursor";
        Err(Failure::new(Kind::Malformed, format!("the cursor is of {other}")).hint(hint).into())
    }

    fn source(&self, session: &Session) -> anyhow::Result<Source> {
        let Some(path) = &self.database else { return Ok(Source::Server(session.client()?)) };
        let criteria = Criteria::parse(&self.filters.listing());
        let criteria = criteria.map_err(|error| Failure::new(Kind::Malformed, error.to_string()))?;
        let reader = store::look(path)?;
        Ok(Source::Database(Box::new(Database { reader, scan: Scan::new(criteria)? })))
    }

    fn trust(&self) -> anyhow::Result<Option<Trust>> {
        let Some(key) = &self.key else { return Ok(None) };
        let text = match key.strip_prefix('@') {
            Some(path) => std::fs::read_to_string(path).with_context(|| format!("reading `{path}`"))?,
            None => key.clone(),
        };
        let malformed = |error| Failure::new(Kind::Malformed, format!("`--key`: {error}"));
        Ok(Some(Trust {
            key: VerifierKey::parse(text.trim()).map_err(malformed)?,
            origin: self.origin.clone(),
        }))
    }

    fn patience(&self) -> Patience {
        let attempts = Some(self.attempts).filter(|attempts| *attempts > 0);
        Patience { attempts, first: FIRST, longest: LONGEST }
    }
}

pub(super) async fn run(session: &Session, export: Export) -> anyhow::Result<()> {
    let target = export.target()?;
    let (keeper, kept) = export.keeper(&target)?;
    let arrived = kept.as_ref().and_then(|cursor| cursor.bytes);
    let cursor = export.cursor(kept)?;
    match &target {
        Target::Output => go(session, &export, (Printed, keeper, cursor)).await.map(drop),
        Target::File(path) => {
            let sink = Growing::open(path, arrived)?;
            report(session, &export, &go(session, &export, (sink, keeper, cursor)).await?)
        }
        Target::Endpoint(url) => {
            let proof = Proof::of(export.bearer.as_deref(), export.signing_key.as_deref())?;
            let sink = Endpoint::new(url.clone(), proof, export.patience())?;
            report(session, &export, &go(session, &export, (sink, keeper, cursor)).await?)
        }
    }
}

/// Exports up to the last checkpoint, or until interrupted.
async fn go<S: Sink>(
    session: &Session,
    asked: &Export,
    (sink, keeper, cursor): (S, Keeper, Cursor),
) -> anyhow::Result<Cursor> {
    let (source, trust) = (asked.source(session)?, asked.trust()?);
    let bar = progress(session, Path::new(&asked.to));
    let mut export = export::Export { source, sink, keeper, cursor, trust, bar, begun: false };
    if asked.follow {
        // Dropping a round in the middle of it is what a crash does, and as harmless.
        tokio::select! {
            followed = follow(&mut export) => followed?,
            interrupted = tokio::signal::ctrl_c() => interrupted?,
        }
    } else {
        export.round().await?;
    }
    export.bar.finish_and_clear();
    Ok(export.cursor)
}

/// One round after the other. Who cannot be reached now is asked again later; anything else ends it.
async fn follow<S: Sink>(export: &mut export::Export<S>) -> anyhow::Result<()> {
    loop {
        match export.round().await {
            Err(error) if failure::kind(&error) != Kind::Unavailable => return Err(error),
            _ => tokio::time::sleep(EVERY).await,
        }
    }
}

/// A bar on a terminal, nothing elsewhere; it goes to standard error.
fn progress(session: &Session, to: &Path) -> ProgressBar {
    if session.output.is_json() || to == Path::new("-") {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template("{wide_bar} {human_pos} of {human_len} entries, {per_sec}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn report(session: &Session, export: &Export, cursor: &Cursor) -> anyhow::Result<()> {
    let verified = export.key.is_some();
    let document = json!({
        "exported": cursor.exported, "next": cursor.next, "to": export.to, "checkpoint_verified": verified,
    });
    session.output.show(&document, |_| {
        let checked = match verified {
            true => "a checkpoint that your key verifies vouches for all of them",
            false => "the checkpoint's signature was not checked: no `--key` was given",
        };
        format!(
            "{} entries exported to `{}`, everything before entry {}\n{checked}",
            cursor.exported, export.to, cursor.next
        )
    })
}
