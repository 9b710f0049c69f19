//! `countersign store …`: where a ledger is kept. Moves one from SQLite to PostgreSQL and back; nothing is served meanwhile.

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use countersign_server::config::NodeConfig;
use countersign_server::node::Location;
use countersign_server::store::StoreError;
use countersign_server::store::copy::{self, Copied, CopyError, Progress};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::Session;
use crate::failure::{Failure, Kind};
use crate::output::{Output, fields};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Copy(Copy),
}

/// Copy a ledger, with everything beside it, from one store to another; run again after an interruption, it goes on.
///
/// A store is named by a node's configuration (`….toml`), by a file, or by `postgresql://role@host/database` with the password in
/// PGPASSWORD. Nobody may write either of them meanwhile.
#[derive(Debug, Args)]
pub(crate) struct Copy {
    /// The store to copy.
    #[arg(long, value_name = "CONFIG_OR_STORE")]
    from: String,
    /// The store to copy it to: empty, or what an earlier copy of the same ledger left.
    #[arg(long, value_name = "CONFIG_OR_STORE")]
    to: String,
}

pub(crate) fn run(session: &Session, verb: &Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Copy(arguments) => copy(session, arguments),
    }
}

fn copy(session: &Session, Copy { from, to }: &Copy) -> anyhow::Result<()> {
    let (source, target) = (location(from).context("`--from`")?, location(to).context("`--to`")?);
    if source.is(&target) {
        let what = format!("`--from` and `--to` are the same store, `{source}`");
        return Err(Failure::new(Kind::Malformed, what).hint("name the store to copy to").into());
    }
    let begun = Instant::now();
    let (mut here, mut there) =
        (source.open().context("opening the source")?, target.open_or_make().context("opening the target")?);
    let mut shown = Shown::new(session.output);
    let copied =
        copy::copy((here.as_mut(), there.as_mut()), copy::AT_ONCE, &mut |progress| shown.show(progress));
    shown.bar.finish_and_clear();
    report(session, (&source, &target), (copied.map_err(|error| failed(&error))?, begun.elapsed()))
}

fn location(named: &str) -> anyhow::Result<Location> {
    let path = Path::new(named);
    Ok(match path.extension() {
        Some(ending) if ending == "toml" => Location::of(&NodeConfig::load(path)?)?,
        _ => {
            let hint =
                "PGPASSWORD holds the password, PGSSLROOTCERT names the file with the certificates to trust";
            Location::parse(named)
                .map_err(|error| Failure::new(Kind::Malformed, error.to_string()).hint(hint))?
        }
    })
}

fn failed(error: &CopyError) -> Failure {
    let kind = match error {
        CopyError::Store { error: StoreError::Unavailable(_) | StoreError::Unknown(_), .. }
        | CopyError::Moving { .. }
        | CopyError::Written { .. } => Kind::Unavailable,
        CopyError::Nothing => Kind::NotFound,
        CopyError::Store { .. }
        | CopyError::Ahead { .. }
        | CopyError::OtherLog { .. }
        | CopyError::SourceEntry { .. }
        | CopyError::SourceRoot { .. }
        | CopyError::Differs { .. }
        | CopyError::TargetRoot { .. } => Kind::Unverified,
    };
    let failure = Failure::new(kind, error.to_string());
    match error.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// A bar on a terminal, a line for each part elsewhere, nothing for programs.
struct Shown {
    bar: ProgressBar,
    lines: Option<Output>,
    part: &'static str,
}

impl Shown {
    fn new(output: Output) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let lines = (!terminal && !output.is_json()).then_some(output);
        let bar = if terminal && !output.is_json() { ProgressBar::new(0) } else { ProgressBar::hidden() };
        let style =
            ProgressStyle::with_template("{msg} {wide_bar} {human_pos} of {human_len} entries, {per_sec}");
        let bar = match style {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        };
        Self { bar, lines, part: "" }
    }

    fn show(&mut self, Progress { part, done, of }: Progress) {
        self.bar.set_message(part);
        self.bar.set_length(of);
        self.bar.set_position(done);
        if std::mem::replace(&mut self.part, part) != part
            && let Some(output) = self.lines
            && output.say(&format!("{part}: {done} of {of} entries")).is_err()
        {
            // The copy is worth more than what is said of it.
            self.lines = None;
        }
    }
}

fn report(
    session: &Session,
    (source, target): (&Location, &Location),
    (copied, took): (Copied, Duration),
) -> anyhow::Result<()> {
    let Copied { entries, before, root } = copied;
    let document = json!({
        "from": source.to_string(), "to": target.to_string(), "entries": entries, "copied": entries - before,
        "root": root.to_string(), "took_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    });
    session.output.show(&document, |_| {
        let facts = fields(&[
            ("from", source.to_string()),
            ("to", target.to_string()),
            ("entries", format!("{entries}, {before} of them were there before")),
            ("root", root.to_string()),
            ("took", format!("{took:.1?}")),
        ]);
        format!(
            "Both stores hold the same: entries, details, redactions, policies, records, idempotency keys, checkpoints, sealed secrets.\n\
             The root is computed from the target's leaves.\n\n{facts}\n\
             Not checked: signatures and whether what happened was allowed; `countersign ledger verify` does that.\n\
             Serve only one of the two from now on, with the same keys and the checkpoint file of before."
        )
    })
}
