//! `countersign ledger fsck`: a whole store checked, everything that is wrong with it told, and what is derived made again on request.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;
use countersign_ledger::verify::{Redactions, Trust};
use countersign_server::fsck::{self, Nature, Progress, RepairError, Report, Request};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::Session;
use super::ledger::Pinned;
use crate::failure::{Failure, Kind};
use crate::output::{Table, fields, visible};

/// Where each finding is explained.
const GUIDE: &str = "docs/guides/damaged-ledger.md says what each kind means and what to do";

#[derive(Debug, Args)]
pub(crate) struct Fsck {
    database: PathBuf,
    #[command(flatten)]
    pinned: Pinned,
    /// The checkpoint kept outside the database, as the node's configuration names it: shows whether this is an old copy.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Make again what is derived (records, tree nodes, the snapshot). Refused while a server runs and if evidence is damaged.
    #[arg(long)]
    repair: bool,
}

pub(crate) fn run(session: &Session, arguments: &Fsck) -> anyhow::Result<()> {
    let keys = [arguments.pinned.key()?];
    let [key] = &keys;
    let trust =
        Trust { origin: arguments.pinned.origin(key), keys: &keys, redactions: Redactions::Explained };
    // Read before the database is opened: a running server renews it, and then it may be of more entries than are looked at.
    let outside = match &arguments.checkpoint {
        Some(path) => {
            Some(std::fs::read_to_string(path).with_context(|| format!("reading `{}`", path.display()))?)
        }
        None => None,
    };
    let request = Request { database: &arguments.database, trust, outside: outside.as_deref() };
    let bar = bar(session);
    let progress = &mut |Progress { part, done, of }| {
        bar.set_message(part);
        bar.set_length(of);
        bar.set_position(done);
    };
    let begun = Instant::now();
    if arguments.repair {
        let announce = &mut |report: &Report| bar.suspend(|| told_before(session, report).is_ok());
        let repaired = fsck::repair(&request, announce, progress);
        bar.finish_and_clear();
        return show(session, &repaired.or_else(still_damaged)?, begun);
    }
    let report = fsck::check(&request, progress)?;
    bar.finish_and_clear();
    show(session, &report, begun)
}

/// A bar on a terminal, nothing elsewhere; it goes to standard error.
fn bar(session: &Session) -> ProgressBar {
    if session.output.is_json() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template("{msg} {wide_bar} {human_pos} of {human_len}, {per_sec}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// Nothing is repaired before it is known what.
fn told_before(session: &Session, report: &Report) -> anyhow::Result<()> {
    session.output.say(&format!("This is wrong and will be made again:\n\n{}", findings(report)))
}

/// A store that cannot be repaired is told like one that was only checked.
fn still_damaged(error: RepairError) -> anyhow::Result<Report> {
    match error {
        RepairError::Evidence(report) | RepairError::Remains(report) => Ok(*report),
        RepairError::Store(error) => Err(error.into()),
        RepairError::Declined => Err(error.into()),
    }
}

fn show(session: &Session, report: &Report, begun: Instant) -> anyhow::Result<()> {
    let mut document = serde_json::to_value(report)?;
    if let Some(document) = document.as_object_mut() {
        document.insert("intact".into(), report.is_clean().into());
        document
            .insert("took_ms".into(), json!(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX)));
    }
    session.output.show(&document, |_| {
        let facts = fields(&[
            ("entries", report.entries.to_string()),
            ("signed", report.signed_entries.to_string()),
            ("checkpoints", report.checkpoints.to_string()),
            ("censuses", report.censuses.to_string()),
            ("records", report.records.to_string()),
            ("took", format!("{:.1?}", begun.elapsed())),
        ]);
        match report.is_clean() {
            true => format!(
                "The store is intact: file, entries, details, blobs, tree, checkpoints, censuses, records, snapshot.\n\n{facts}\n\
                 Not checked: whether what happened was allowed, and whether times are true."
            ),
            false => format!("{}\n{facts}", findings(report)),
        }
    })?;
    if report.is_clean() { Ok(()) } else { Err(damaged(session, report).into()) }
}

fn findings(report: &Report) -> String {
    let mut table = Table::new(["kind", "where", "expected", "found"], "");
    for finding in &report.findings {
        table.row([finding.kind.code(), &finding.place, &finding.expected, &finding.found]);
    }
    let mut counts = Table::new(["kind", "count", "nature", "meaning"], "");
    for counted in &report.counts {
        let nature = match counted.nature {
            Nature::Evidence => "evidence",
            Nature::Derived => "derived",
        };
        counts.row([counted.kind.code(), &counted.count.to_string(), nature, counted.meaning]);
    }
    let notes: String = report.notes.iter().map(|note| format!("Note: {}\n", visible(note))).collect();
    format!("{}\n{}\n{notes}", table.render(), counts.render())
}

fn damaged(session: &Session, report: &Report) -> Failure {
    let (evidence, derived) = (report.count(Nature::Evidence), report.count(Nature::Derived));
    let what =
        format!("the store is damaged: {evidence} findings about evidence, {derived} about what is derived");
    let failure = Failure::new(Kind::Unverified, what);
    if session.output.is_json() {
        return failure.told();
    }
    failure.hint(match evidence {
        0 => format!("stop the server and run it again with `--repair`; {GUIDE}"),
        _ => format!("nothing repairs evidence, and nothing is derived from it while it is damaged; {GUIDE}"),
    })
}
