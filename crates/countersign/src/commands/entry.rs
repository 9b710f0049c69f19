//! `countersign entry …` and `incident …`; `entry export` stands in a file of its own.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use countersign_api::Page;
use countersign_api::ledger::{Entry, Incident, RedactDetails, Redaction};
use countersign_client::{Client, EntryListing};
use serde_json::Value;

use super::{Session, more};
use crate::cli::{Listed, Why};
use crate::failure::{Failure, Kind};
use crate::output::{Table, fields};

mod export;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Entries that pass every filter, in order.
    List(Box<List>),
    /// One entry with its details.
    Show { index: u64 },
    /// Export entries as CloudEvents, CSV or JSON to a file, an HTTP endpoint or standard output.
    Export(Box<export::Export>),
    /// Delete the details of entries for good, with an approval of exactly those. The entries and all proofs stay.
    Redact {
        /// The entries, by index.
        #[arg(required = true)]
        entries: Vec<u64>,
        /// The approval of `redact ledger/details control` with these entries.
        #[arg(long, value_name = "ID")]
        approval: Option<String>,
        #[command(flatten)]
        why: Why,
    },
}

/// Which entries, and how many of them.
#[derive(Clone, Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    filters: Filters,
    /// Begin at this index.
    #[arg(long)]
    from: Option<u64>,
    /// How many to show, 1 to 200; with `--all`, how many to ask for at once.
    #[arg(long)]
    limit: Option<usize>,
    /// The newest first.
    #[arg(long)]
    newest: bool,
    /// Go through all pages. With `--json`, one document per line.
    #[arg(long)]
    all: bool,
}

/// What entries must have in common. All filters must hold.
#[derive(Clone, Debug, Args)]
pub(crate) struct Filters {
    /// Who acted: a person's id, or `node`.
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
    /// What the entry belongs to.
    #[arg(long, value_name = "ID")]
    correlation: Option<String>,
    /// The environment it concerns.
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// The kind of event, as `approval.granted`, or a family, as `approval.*`.
    #[arg(long)]
    kind: Option<String>,
    /// What it is about.
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// The resource of the action, or the secret, that the entry or its subject is about.
    #[arg(long, value_name = "TYPE/NAME")]
    resource: Option<String>,
    /// The verb of that action.
    #[arg(long)]
    verb: Option<String>,
    /// At or after this time, as `2026-11-23T10:00:00Z`.
    #[arg(long, value_name = "TIME")]
    from_time: Option<String>,
    /// Before this time.
    #[arg(long, value_name = "TIME")]
    until_time: Option<String>,
    /// Words in the values of the details; `word*` stands for any ending.
    #[arg(long, value_name = "WORDS")]
    text: Option<String>,
}

impl Filters {
    pub(crate) fn listing(&self) -> EntryListing {
        let asked = self.clone();
        EntryListing {
            actor: asked.actor,
            correlation: asked.correlation,
            environment: asked.environment,
            kind: asked.kind,
            subject: asked.subject,
            resource: asked.resource,
            verb: asked.verb,
            from_time: asked.from_time,
            until_time: asked.until_time,
            text: asked.text,
            ..EntryListing::default()
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum IncidentVerb {
    /// Incidents, newest first.
    List(Listed),
}

pub(crate) async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::List(list) => show_list(session, &session.client()?, &list).await,
        Verb::Export(export) => export::run(session, *export).await,
        Verb::Show { index } => session.output.show(&session.client()?.entry(index).await?, show),
        Verb::Redact { entries, approval, why } => {
            // There is one way to write a set, so that what was approved and what is used have one digest.
            let entries: Vec<u64> = BTreeSet::from_iter(entries).into_iter().collect();
            let approval = approval.ok_or_else(|| unapproved(&entries))?;
            let request = RedactDetails { entries, approval, reason: why.reason };
            session.output.show(&session.client()?.redact_details(&request).await?, redacted)
        }
    }
}

async fn show_list(session: &Session, client: &Client, list: &List) -> anyhow::Result<()> {
    let order = list.newest.then(|| "newest".to_owned());
    let listing = EntryListing { from: list.from, limit: list.limit, order, ..list.filters.listing() };
    if !list.all {
        return session.output.show(&client.entries(&listing).await?, table);
    }
    let mut pages = client.all_entries(&listing);
    while let Some(items) = pages.next().await? {
        if session.output.is_json() {
            items.iter().try_for_each(|entry| session.output.show(entry, show))?;
        } else {
            session.output.show(&Page { items, next: None }, table)?;
        }
    }
    Ok(())
}

fn unapproved(entries: &[u64]) -> Failure {
    let list: Vec<String> = entries.iter().map(u64::to_string).collect();
    Failure::new(Kind::Refused, "details are deleted under the quorum of the policy in force").hint(format!(
        "ask with `countersign approval request redact ledger/details control --param entries=[{}]`, then name it with `--approval`",
        list.join(",")
    ))
}

fn redacted(redaction: &Redaction) -> String {
    let entries: Vec<String> = redaction.entries.iter().map(u64::to_string).collect();
    fields(&[
        ("deleted", format!("the details of {}", entries.join(", "))),
        ("entry", redaction.index.to_string()),
        ("approval", redaction.approval.clone()),
        ("at", redaction.redacted_at.clone()),
    ])
}

pub(crate) async fn incidents(session: &Session, verb: IncidentVerb) -> anyhow::Result<()> {
    let IncidentVerb::List(listed) = verb;
    session.output.show(&session.client()?.incidents(&listed.listing()).await?, |page: &Page<Incident>| {
        let mut table = Table::new(["id", "cause", "about", "opened at"], "there are no incidents");
        for incident in &page.items {
            table.row([&incident.id, &incident.cause, &incident.about, &incident.opened_at]);
        }
        table.render() + &more(page.next.as_ref())
    })
}

/// A member of the leaf, as text.
fn member<'a>(entry: &'a Entry, name: &str) -> &'a str {
    entry.leaf.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn table(page: &Page<Entry>) -> String {
    let mut table = Table::new(["index", "time", "kind", "subject", "actor"], "there are no entries here");
    for entry in &page.items {
        let [time, kind, subject, actor] =
            ["time", "kind", "subject", "actor"].map(|name| member(entry, name));
        table.row([&entry.index.to_string(), time, kind, subject, actor]);
    }
    let next = page.next.as_ref().map(|next| format!("\nmore: --from {next}"));
    table.render() + &next.unwrap_or_default()
}

fn show(entry: &Entry) -> String {
    let head = ["time", "kind", "subject", "actor", "environment", "correlation", "details_sha256"];
    let mut pairs = vec![("index", entry.index.to_string())];
    pairs.extend(head.map(|name| (name, member(entry, name).to_owned())));
    pairs.push(("data", entry.leaf.get("data").map(ToString::to_string).unwrap_or_default()));
    let redacted = entry.redacted_by.map(|by| format!("deleted by entry {by}"));
    pairs.push(("details", entry.details.as_ref().map(ToString::to_string).or(redacted).unwrap_or_default()));
    pairs.push(("leaf hash", entry.leaf_hash.clone()));
    fields(&pairs)
}
