//! `countersign entry …` and `incident …`

use clap::{Args, Subcommand};
use countersign_api::Page;
use countersign_api::ledger::{Entry, Incident};
use countersign_client::EntryListing;
use serde_json::Value;

use super::{Session, more};
use crate::cli::Listed;
use crate::output::{Table, fields};

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Entries in order.
    List(Range),
    /// One entry with its details.
    Show { index: u64 },
}

/// Which entries.
#[derive(Clone, Debug, Args)]
pub(crate) struct Range {
    /// From this index on, or, with a subject, after this number among its entries.
    #[arg(long)]
    from: Option<u64>,
    /// How many to show, 1 to 200.
    #[arg(long)]
    limit: Option<usize>,
    /// Only entries about this subject.
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IncidentVerb {
    /// Incidents, newest first.
    List(Listed),
}

pub(crate) async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    let client = session.client()?;
    match verb {
        Verb::List(Range { from, limit, subject }) => {
            let page = client.entries(&EntryListing { from, limit, subject }).await?;
            session.output.show(&page, table)
        }
        Verb::Show { index } => session.output.show(&client.entry(index).await?, show),
    }
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
    pairs.push(("details", entry.details.as_ref().map(ToString::to_string).unwrap_or_default()));
    pairs.push(("leaf hash", entry.leaf_hash.clone()));
    fields(&pairs)
}
