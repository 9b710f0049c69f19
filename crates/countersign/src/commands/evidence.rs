//! `countersign evidence …`: the file of a case for an auditor, and its verification without network or server.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use countersign_client::EvidenceScope;
use countersign_evidence::scope::Scope;
use countersign_evidence::verify::{self, Check, Trust, Verdict, Verified};
use countersign_evidence::{bundle, text};
use countersign_ledger::witness::Policy;
use countersign_server::evidence;
use countersign_server::store;
use serde_json::{Value, json};

use super::Session;
use super::ledger::Pinned;
use crate::failure::{Failure, Kind};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Write one self-contained file about a case: a page for people with the proof in it.
    Export(Export),
    /// Verify such a file, offline: bytes, proofs, completeness, and whether what happened was allowed.
    Verify {
        file: PathBuf,
        #[command(flatten)]
        pinned: Pinned,
        /// Demand cosignatures: a policy file of the C2SP tlog-policy form, which names witnesses and a quorum.
        #[arg(long, value_name = "FILE")]
        witnesses: Option<PathBuf>,
    },
}

/// Which entries, and where the file goes.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The case: everything of one cause with this approval, permit, rotation or incident.
    case: Option<String>,
    /// The file to write; one that exists is not overwritten.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Read this database instead of asking the server.
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// Only what is about this subject.
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// Only what belongs to this correlation.
    #[arg(long, value_name = "ID")]
    correlation: Option<String>,
    /// Only what this actor caused.
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
    /// Only what concerns this resource.
    #[arg(long)]
    resource: Option<String>,
    /// Only what concerns this environment.
    #[arg(long)]
    environment: Option<String>,
    /// Only entries of this kind.
    #[arg(long)]
    kind: Option<String>,
    /// Only entries from this time on: `2026-11-23T10:00:00.000Z`.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only entries before this time.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

pub(crate) async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Export(export) => write(session, &export).await,
        Verb::Verify { file, pinned, witnesses } => check(session, &file, (&pinned, witnesses.as_deref())),
    }
}

async fn write(session: &Session, export: &Export) -> anyhow::Result<()> {
    let file = match &export.database {
        Some(database) => collected(database, export)?.into_bytes(),
        None => session.client()?.evidence(&export.asked()).await?,
    };
    let out = &export.out;
    let opened = std::fs::File::create_new(out).with_context(|| format!("creating `{}`", out.display()));
    opened?.write_all(&file).with_context(|| format!("writing `{}`", out.display()))?;
    // What the server answered is shown to be a bundle; whether it is true is for `verify` to say.
    let entries = bundle::parse(&file).context("what was exported")?.entries.len();
    let written = json!({ "file": out.display().to_string(), "bytes": file.len(), "entries": entries });
    session.output.show(&written, |_| {
        format!("{entries} entries in `{}`; `countersign evidence verify` checks them", out.display())
    })
}

impl Export {
    fn asked(&self) -> EvidenceScope {
        EvidenceScope {
            case: self.case.clone(),
            correlation: self.correlation.clone(),
            subject: self.subject.clone(),
            actor: self.actor.clone(),
            resource: self.resource.clone(),
            environment: self.environment.clone(),
            kind: self.kind.clone(),
            from: self.from.clone(),
            until: self.until.clone(),
        }
    }

    /// The scope as typed, read strictly; a case is looked up where it is known.
    fn scope(&self) -> anyhow::Result<Scope> {
        Ok(Scope {
            correlation: parsed("--correlation", self.correlation.as_ref())?,
            subject: parsed("--subject", self.subject.as_ref())?,
            actor: parsed("--actor", self.actor.as_ref())?,
            resource: parsed("--resource", self.resource.as_ref())?,
            environment: parsed("--environment", self.environment.as_ref())?,
            kind: self.kind.clone(),
            from: parsed("--from", self.from.as_ref())?,
            until: parsed("--until", self.until.as_ref())?,
        })
    }
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    option: &str,
    text: Option<&String>,
) -> Result<Option<T>, Failure> {
    let malformed = |error| Failure::new(Kind::Malformed, format!("`{option}`: {error}"));
    text.map(|text| text.parse().map_err(malformed)).transpose()
}

/// The file, made here from a database: also when no server runs.
fn collected(database: &Path, export: &Export) -> anyhow::Result<String> {
    let mut reader = store::look(database)?;
    let mut scope = export.scope()?;
    if let Some(subject) = parsed("the case", export.case.as_ref())? {
        let found = evidence::correlation_of(reader.as_mut(), &subject)?;
        let missing = || Failure::new(Kind::NotFound, format!("there is nothing about `{subject}`"));
        scope.correlation = Some(found.ok_or_else(missing)?);
    }
    Ok(bundle::print(&evidence::collect(reader.as_mut(), &scope, evidence::Limits::default())?)?)
}

fn check(
    session: &Session,
    file: &Path,
    (pinned, witnesses): (&Pinned, Option<&Path>),
) -> anyhow::Result<()> {
    let key = pinned.key()?;
    let policy = witnesses.map(policy).transpose()?;
    let bytes = std::fs::read(file).with_context(|| format!("reading `{}`", file.display()))?;
    let keys = std::slice::from_ref(&key);
    let trust = Trust { origin: pinned.origin(&key), keys, witnesses: policy.as_ref() };
    match verify::verify(&bytes, &trust) {
        Ok(verified) => session.output.show(&document(&verified), |_| told(&verified)),
        Err(unverified) => {
            session.output.say(&listed(&unverified.checks))?;
            Err(unverified.into())
        }
    }
}

fn policy(file: &Path) -> anyhow::Result<Policy> {
    let path = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("reading `{path}`"))?;
    Ok(Policy::parse(&text).map_err(|error| Failure::new(Kind::Malformed, format!("`{path}`: {error}")))?)
}

fn document(verified: &Verified) -> Value {
    let check = |check: &Check| {
        let (holds, said) = match &check.verdict {
            Verdict::Holds(said) => (true, said),
            Verdict::NotShown(why) => (false, why),
        };
        json!({ "what": check.what, "holds": holds, "said": said })
    };
    json!({
        "verified": true, "origin": verified.checkpoint.origin, "size": verified.checkpoint.size,
        "root": verified.checkpoint.root.to_string(), "entries": verified.entries, "selected": verified.selected,
        "checks": verified.checks.iter().map(check).collect::<Vec<_>>(),
    })
}

fn told(verified: &Verified) -> String {
    let open = verified.checks.iter().filter(|check| matches!(check.verdict, Verdict::NotShown(_))).count();
    let verdict = match open {
        0 => "Everything in the file holds.".to_owned(),
        open => format!("No lie was found; {open} of the checks could not be made, see above."),
    };
    format!(
        "{}\n{verdict} {} entries of the case among {}.\nTimes are the server's claim.",
        listed(&verified.checks),
        verified.selected,
        verified.entries
    )
}

/// The checks, a line each.
fn listed(checks: &[Check]) -> String {
    let line = |check: &Check| match &check.verdict {
        Verdict::Holds(said) => format!("  holds      {:<13} {}\n", check.what, text::visible(said)),
        Verdict::NotShown(why) => format!("  NOT SHOWN  {:<13} {}\n", check.what, text::visible(why)),
    };
    checks.iter().map(line).collect()
}
