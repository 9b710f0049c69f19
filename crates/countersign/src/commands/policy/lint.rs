//! `countersign policy lint`: everything suspicious about a policy file, with its line and what would be right. Needs no server.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use countersign_core::id::PersonId;
use countersign_core::policy::lint::{Finding, Severity};
use countersign_server::config::draft_policy;
use serde::Serialize;

use crate::commands::Session;
use crate::failure::{Failure, Kind};
use crate::output::visible;
use crate::people;

#[derive(Debug, clap::Args)]
pub(crate) struct Lint {
    /// The policy file.
    file: PathBuf,
    /// The people there are, as `people.toml`: names them, and finds strangers and people in no group.
    #[arg(long, value_name = "FILE")]
    people: Option<PathBuf>,
}

/// A finding as it is told.
#[derive(Debug, Serialize)]
struct Told {
    severity: Severity,
    code: &'static str,
    place: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    what: String,
    right: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    people: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    file: &'a Path,
    errors: usize,
    warnings: usize,
    notes: usize,
    findings: Vec<Told>,
}

pub(crate) fn run(session: &Session, lint: &Lint) -> anyhow::Result<()> {
    let Lint { file, people } = lint;
    let people = people.as_deref().map(people::load).transpose()?;
    let names: Option<BTreeMap<PersonId, String>> =
        people.map(|people| people.into_iter().map(|person| (person.id, person.name)).collect());
    let enrolled: Option<BTreeSet<PersonId>> = names.as_ref().map(|names| names.keys().copied().collect());
    let draft = draft_policy(file)?;
    let findings = draft.policy.findings(enrolled.as_ref());
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings, notes) = (count(Severity::Error), count(Severity::Warning), count(Severity::Note));
    let names = names.unwrap_or_default();
    let told = |finding: Finding| {
        let Finding { severity, code, place, what, right, people } = finding;
        let name = |person: PersonId| names.get(&person).cloned().unwrap_or_else(|| person.to_string());
        let people = people.into_iter().map(name).collect();
        Told { severity, code, line: draft.line(&place), place, what, right, people }
    };
    let findings = findings.into_iter().map(told).collect();
    session.output.show(&Report { file, errors, warnings, notes, findings }, show)?;
    let kind = match (errors, warnings) {
        (0, 0) => return Ok(()),
        (0, _) => Kind::Unverified,
        _ => Kind::Malformed,
    };
    Err(Failure::new(kind, format!("{errors} errors, {warnings} warnings")).told().into())
}

fn show(report: &Report<'_>) -> String {
    let Report { file, errors, warnings, notes, findings } = report;
    let file = file.display();
    let mut text = String::new();
    for Told { severity, code, place, line, what, right, people } in findings {
        let line = line.map(|line| format!(":{line}")).unwrap_or_default();
        let people = if people.is_empty() { String::new() } else { format!(" ({})", people.join(", ")) };
        let what = visible(&format!("{place}: {what}{people} [{code}]"));
        text.push_str(&format!("{severity}: {file}{line}: {what}\n  right: {}\n", visible(right)));
    }
    match findings.len() {
        0 => format!("`{file}` leaves nothing to say"),
        _ => text + &format!("{errors} errors, {warnings} warnings, {notes} notes"),
    }
}
