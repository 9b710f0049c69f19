//! What really happened, judged again under a policy file: read from a server, a database or an evidence bundle; nothing is changed.

use std::path::Path;

use anyhow::Context as _;
use countersign_api::ledger::EntryListing;
use countersign_client::Listing;
use countersign_core::policy::replay::{Difference, Past, Replayed, Unjudged};
use countersign_core::time::Time;
use countersign_evidence::{bundle, decode};
use countersign_ledger::entry::EntryView;
use countersign_server::search::{Criteria, Scan};
use countersign_server::store;
use serde::Serialize;

use super::test::{From, Tried};
use crate::commands::Session;
use crate::export::source::{Database, Source};
use crate::failure::{Failure, Kind};
use crate::output::Table;

/// Kinds of events that a policy decides.
const KINDS: [&str; 4] = ["approval.*", "permit.*", "person.*", "break_glass.*"];

/// Opens a source for some filters.
type Opening<'a> = dyn FnMut(&EntryListing) -> anyhow::Result<Source> + 'a;

/// What would have been decided differently.
#[derive(Debug, Serialize)]
struct Report {
    since: Time,
    replayed: Replayed,
    changed: usize,
    differences: Vec<Told>,
    /// What could not be judged from what is on record.
    unjudged: Vec<Unjudged>,
}

/// A difference, with the name of the person.
#[derive(Debug, Serialize)]
struct Told {
    #[serde(flatten)]
    difference: Difference,
    name: String,
}

/// Judges again, and tells what differs; how much does.
pub(super) async fn run(
    session: &Session,
    (tried, since): (&mut Tried, &str),
    from: From<'_>,
) -> anyhow::Result<usize> {
    let since = moment(since)?;
    let mut past = Past::since(since);
    match from {
        From::Bundle(file) => read_bundle(file, &mut past)?,
        From::Database(file) => {
            let reader = || -> anyhow::Result<_> { Ok(store::look(file)?) };
            read_log(
                &mut past,
                (since, &mut |filters| {
                    let criteria = Criteria::parse(filters);
                    let criteria =
                        criteria.map_err(|error| Failure::new(Kind::Malformed, error.to_string()))?;
                    Ok(Source::Database(Box::new(Database { reader: reader()?, scan: Scan::new(criteria)? })))
                }),
            )
            .await?;
        }
        From::Server => {
            let client = session.client()?;
            name_people(&client, tried).await?;
            read_log(&mut past, (since, &mut |_| Ok(Source::Server(client.clone())))).await?;
        }
    }
    let differences = past.differences(&tried.policy).into_iter();
    let differences: Vec<Told> =
        differences.map(|difference| Told { name: tried.name(difference.person), difference }).collect();
    let unjudged = past.unjudged(&tried.policy);
    let report =
        Report { since, replayed: past.replayed(), changed: differences.len(), differences, unjudged };
    session.output.show(&report, table)?;
    Ok(report.changed)
}

/// A time, or so long ago.
fn moment(text: &str) -> anyhow::Result<Time> {
    let unit = |seconds: i64| move |count: i64| count.checked_mul(seconds);
    let ago = [("d", 86_400), ("h", 3_600), ("m", 60)].into_iter().find_map(|(suffix, seconds)| {
        text.strip_suffix(suffix)?.parse::<u32>().ok().map(i64::from).and_then(unit(seconds))
    });
    if let Some(seconds) = ago {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .context("the clock is before 1970")?;
        let now = Time::from_millis(i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
        return Ok(now.plus_millis(-1000 * seconds));
    }
    let odd = |error| Failure::new(Kind::Malformed, format!("{error}, nor so long ago, as in `90d`"));
    Ok(Time::parse_rfc3339(text).map_err(odd)?)
}

/// Reads what matters since then from a log: from a source for each kind of events.
async fn read_log(past: &mut Past, (since, source): (Time, &mut Opening<'_>)) -> anyhow::Result<()> {
    for kind in KINDS {
        let filters = EntryListing {
            kind: Some(kind.to_owned()),
            from_time: Some(since.to_string()),
            ..EntryListing::default()
        };
        let mut source = source(&filters)?;
        let size = end(&mut source)?;
        let mut next = 0;
        while next < size {
            let (entries, until) = source.page((next, size), &filters).await?;
            for entry in entries {
                see(past, &entry.leaf_text).with_context(|| format!("entry {}", entry.index))?;
            }
            next = until.max(next + 1);
        }
    }
    Ok(())
}

/// Where the log ends now. What happened counts, signed yet or not; a server says itself where its answer ends.
fn end(source: &mut Source) -> anyhow::Result<u64> {
    match source {
        Source::Server(_) => Ok(u64::MAX),
        Source::Database(database) => Ok(database.reader.head()?.size()),
    }
}

fn read_bundle(file: &Path, past: &mut Past) -> anyhow::Result<()> {
    let bytes = std::fs::read(file).with_context(|| format!("reading `{}`", file.display()))?;
    let unreadable = |error| Failure::new(Kind::Malformed, format!("{}: {error}", file.display()));
    for entry in bundle::parse(&bytes).map_err(unreadable)?.entries {
        see(past, &entry.leaf)?;
    }
    Ok(())
}

fn see(past: &mut Past, leaf: &str) -> anyhow::Result<()> {
    let odd = |error: String| Failure::new(Kind::Unverified, error);
    let view = EntryView::parse(leaf.as_bytes()).map_err(|error| odd(error.to_string()))?;
    past.see(&decode::event(&view).map_err(|error| odd(error.to_string()))?);
    Ok(())
}

/// The names of people as the server knows them, where no file named them.
async fn name_people(client: &countersign_client::Client, tried: &mut Tried) -> anyhow::Result<()> {
    let mut pages = client.all_people(&Listing::default());
    while let Some(page) = pages.next().await? {
        for person in page {
            let (Some(name), Ok(id)) = (person.name, person.id.parse()) else { continue };
            tried.names.entry(name).or_insert(id);
        }
    }
    Ok(())
}

fn table(report: &Report) -> String {
    let mut table = Table::new(
        ["at", "about", "who", "action", "what", "then", "now"],
        "nothing would have been decided differently",
    );
    for Told { difference, name } in &report.differences {
        let Difference { at, subject, action, what, then, now, .. } = difference;
        table.row([&at.to_string(), subject, name, action, what, then, now]);
    }
    let mut unjudged = String::new();
    for Unjudged { subject, what, .. } in &report.unjudged {
        unjudged.push_str(&format!("\nnot judged: {subject}: {what}"));
    }
    let Replayed { requests, reservations, openings, refusals } = report.replayed;
    format!(
        "{}\njudged again: {requests} requests, {reservations} permits, {openings} times the glass was broken, {refusals} kinds of refusals since {}{unjudged}",
        table.render().trim_end(),
        report.since
    )
}
