//! What finding and exporting entries costs in a log of a million: the index while it follows and when it is made again, questions
//! of several shapes beside a scan of the whole log, and exports to a file.
//!
//! The log is built through the engine: permits that are reserved for a reason, started and finished. Commands are measured with and
//! without an index that follows, in turns, because the disk has moods.
//!
//! Prints one JSON object per line. Run with `cargo bench -p countersign --bench search`; `COUNTERSIGN_BENCH_ENTRIES` sets how many
//! entries.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark stops at the first surprise and prints its result"
)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use countersign_api::ledger::EntryListing;
use countersign_core::action::Action;
use countersign_core::digest::Digest;
use countersign_core::id::PersonId;
use countersign_core::permit::{Finish, Outcome, Reserve};
use countersign_core::{Actor, Command as Ask, Subject};
use countersign_ledger::entry::EntryView;
use countersign_server::engine::{Engine, Submission};
use countersign_server::search::{Criteria, Direction, Part, Place, Search};
use countersign_server::store::Reader;
use countersign_server::store::sqlite::SqliteStore;
use hdrhistogram::Histogram;
use tempfile::TempDir;

#[path = "../../countersign-server/benches/fixture/ground.rs"]
mod ground;

/// Clients that build the log, each with one permit after another.
const CLIENTS: u64 = 512;

/// Entries of one permit: reserved, started, succeeded.
const PER_PERMIT: u64 = 3;

/// Commands of one turn with and without an index.
const TURN: u64 = 60_000;

/// How often a question is asked.
const QUESTIONS: u64 = 200;

const WHO: Actor = Actor::Person(PersonId(1));

const WORDS: [&str; 16] = [
    "quarter", "end", "payout", "limit", "raised", "for", "merchant", "after", "review", "by", "finance",
    "rotation", "of", "signing", "secret", "planned",
];

fn main() {
    // `cargo test --benches` runs this binary too; it has nothing to check.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let entries = std::env::var("COUNTERSIGN_BENCH_ENTRIES").ok();
    let entries = entries.map_or(1_000_000, |text| text.parse().expect("a number"));
    let folder = TempDir::new_in(std::env::current_dir().expect("a folder")).expect("a folder");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(measure(folder.path(), entries));
    export(folder.path());
}

async fn measure(folder: &Path, entries: u64) {
    let engine = ground::begin(folder).await;
    let place = Place::File(folder.join("search.db"));
    let turns = 3;
    let ahead = entries.saturating_sub(turns * 2 * TURN) / PER_PERMIT;
    let begun = Instant::now();
    grow(&engine, ahead).await;
    told("built without an index", engine.size(), begun);
    let search = Search::start(&engine, place.clone());
    let begun = Instant::now();
    covered(&search).await;
    told("indexed, one core", engine.size(), begun);
    search.stop().await;
    for turn in 0..turns {
        for followed in [turn % 2 == 0, turn % 2 == 1] {
            let search = followed.then(|| Search::start(&engine, place.clone()));
            if let Some(search) = &search {
                covered(search).await;
            }
            let (begun, before) = (Instant::now(), engine.size());
            grow(&engine, TURN / PER_PERMIT).await;
            let what = if followed { "commands with an index that follows" } else { "commands without one" };
            told(what, engine.size() - before, begun);
            if let Some(search) = search {
                let begun = Instant::now();
                covered(&search).await;
                let ms = begun.elapsed().as_secs_f64() * 1e3;
                println!(r#"{{"what":"the index was behind by","milliseconds":{ms:.1}}}"#);
                search.stop().await;
            }
        }
    }
    let search = Search::start(&engine, place);
    covered(&search).await;
    let sizes = ["ledger.db", "search.db"]
        .map(|file| std::fs::metadata(folder.join(file)).expect("a file").len() >> 20);
    println!(
        r#"{{"what":"files","entries":{},"ledger_mib":{},"index_mib":{}}}"#,
        engine.size(),
        sizes[0],
        sizes[1]
    );
    questions(&search, &engine).await;
    search.stop().await;
    engine.stop().await;
}

/// Waits until the index covers everything.
async fn covered(search: &Search) {
    let asked = EntryListing { verb: Some("none".into()), ..EntryListing::default() };
    let criteria = Criteria::parse(&asked).expect("a question");
    let part = Part { from: None, direction: Direction::Oldest, limit: 1 };
    while search.find(criteria.clone(), part).await.is_err() {}
}

async fn grow(engine: &Engine, permits: u64) {
    let each = permits / CLIENTS + 1;
    let clients: Vec<_> =
        (0..CLIENTS).map(|_| tokio::spawn(permit_after_permit(engine.clone(), each))).collect();
    for client in clients {
        client.await.expect("the client ends");
    }
}

async fn permit_after_permit(engine: Engine, count: u64) {
    for _ in 0..count {
        let reserved = engine.submit(reserve()).await.expect("reserved");
        let Some(Subject::Permit(permit)) = reserved.events.first().map(|event| event.fact.subject()) else {
            continue;
        };
        let finish = Finish { permit, outcome: Outcome::Succeeded };
        for command in [Ask::StartPermit(permit), Ask::FinishPermit(finish)] {
            engine.submit(Submission::new(WHO, command)).await.expect("it happens");
        }
    }
}

/// A permit for a reason of some twenty words, one of which is a ticket's number that nothing else has.
fn reserve() -> Submission {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let words = (0..20_u32).map(|place| {
        let at = usize::try_from(number.rotate_left(place * 3).wrapping_mul(0x9E37_79B9) >> 7).unwrap_or(0);
        WORDS[at % WORDS.len()]
    });
    let reason = words.collect::<Vec<_>>().join(" ");
    let action = Action {
        verb: "ping".parse().expect("a verb"),
        resource: "probe/any".parse().expect("a resource"),
        environment: "production".parse().expect("an environment"),
    };
    let details = format!(r#"{{"reason":"{reason} FIN{number}"}}"#);
    let reserve =
        Reserve { action, parameters_sha256: Digest::of(b"{}"), approval: None, exceptions: Vec::new() };
    Submission::new(WHO, Ask::ReservePermit(reserve)).with_details(details.into_bytes())
}

/// The shapes of questions.
const SHAPES: [&str; 8] = [
    "one subject",
    "one correlation",
    "one ticket in the text",
    "three words in the text, newest first",
    "actor, kind and environment, newest first",
    "verb and resource, from somewhere in the middle",
    "since a time",
    "two long lists with nothing in common",
];

/// A permit somewhere in the log: its subject, correlation and time.
type Known = (String, String, String);

/// One question of a shape; every turn asks for something else where the shape allows it.
fn question(shape: &str, (turn, size): (u64, u64), known: &Known) -> EntryListing {
    let text = |text: &str| Some(text.to_owned());
    let (subject, correlation, time) = known.clone();
    let asked = EntryListing::default();
    match shape {
        "one subject" => EntryListing { subject: Some(subject), ..asked },
        "one correlation" => EntryListing { correlation: Some(correlation), ..asked },
        "one ticket in the text" => {
            EntryListing { text: Some(format!("fin{}", turn * 997 % (size / 4))), ..asked }
        }
        "three words in the text, newest first" => {
            EntryListing { text: text("quarter merchant secret"), order: text("newest"), ..asked }
        }
        "actor, kind and environment, newest first" => EntryListing {
            actor: Some(WHO.to_string()),
            kind: text("permit.*"),
            environment: text("production"),
            order: text("newest"),
            ..asked
        },
        "verb and resource, from somewhere in the middle" => {
            let from = Some(turn * 4_999 % size);
            EntryListing { from, verb: text("ping"), resource: text("probe/any"), ..asked }
        }
        "since a time" => EntryListing { from_time: Some(time), ..asked },
        _ => EntryListing { kind: text("permit.started"), text: text("quarter"), ..asked },
    }
}

async fn questions(search: &Search, engine: &Engine) {
    let size = engine.size();
    let sample = sample(engine, size).await;
    for shape in SHAPES {
        let mut latencies = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3).expect("a histogram");
        for (turn, known) in (0..).zip(&sample) {
            let listing = question(shape, (turn, size), known);
            let criteria = Criteria::parse(&listing).expect("a question");
            let direction = Criteria::direction(&listing).expect("a direction");
            let part = Part { from: listing.from, direction, limit: 51 };
            let begun = Instant::now();
            search.find(criteria, part).await.expect("an answer");
            latencies.saturating_record(micros(begun.elapsed()));
        }
        let [p50, p99] = [0.5, 0.99].map(|quantile| latencies.value_at_quantile(quantile));
        println!(
            r#"{{"what":"found by the index: {shape}","entries":{size},"p50_us":{p50},"p99_us":{p99}}}"#
        );
    }
    for what in ["naive scan for one subject", "naive scan for one word"] {
        let (one, word) = (sample[0].0.clone(), what.ends_with("word"));
        let begun = Instant::now();
        let found = engine.read(move |reader| naive(reader, (&one, word))).await.expect("a scan");
        let ms = begun.elapsed().as_millis();
        println!(r#"{{"what":"{what}","entries":{size},"found":{found},"milliseconds":{ms}}}"#);
    }
}

/// Permits from all over the log.
async fn sample(engine: &Engine, size: u64) -> Vec<Known> {
    let look = move |reader: &mut dyn Reader| {
        let mut sample = Vec::new();
        for turn in 0..QUESTIONS {
            let entry = reader.entries(size / 10 + turn * (size / 2 / QUESTIONS), 1)?.remove(0);
            let view = EntryView::parse(&entry.leaf).expect("a leaf");
            sample.push((view.subject.to_owned(), view.correlation.to_owned(), view.time.to_owned()));
        }
        Ok(sample)
    };
    engine.read(look).await.expect("a sample")
}

/// What there is without an index: every leaf is read and looked at, or all details.
fn naive(
    reader: &mut dyn Reader,
    (subject, word): (&str, bool),
) -> Result<u64, countersign_server::store::StoreError> {
    let (mut from, mut found) = (0, 0);
    loop {
        let entries = reader.entries(from, 2_048)?;
        let Some(last) = entries.last() else { return Ok(found) };
        if word {
            let details = reader.details_in(from..last.index + 1)?;
            let says = |body: &[u8]| body.windows(7).any(|window| window.eq_ignore_ascii_case(b"quarter"));
            found += details.iter().map(|(_, details)| u64::from(says(&details.body))).sum::<u64>();
        } else {
            let fits = |leaf: &[u8]| EntryView::parse(leaf).is_ok_and(|view| view.subject == subject);
            found += entries.iter().map(|entry| u64::from(fits(&entry.leaf))).sum::<u64>();
        }
        from = last.index + 1;
    }
}

/// The whole log into a file, by the program itself.
fn export(folder: &Path) {
    let database = folder.join("ledger.db");
    let size = SqliteStore::open_read_only(&database).expect("a reader").head().expect("a head").size();
    for (format, filter) in
        [("cloudevents", None), ("csv", None), ("jsonl", None), ("jsonl", Some("quarter"))]
    {
        let out = folder.join("out");
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(["entry", "export", "--format", format, "--json", "--to"]).arg(&out);
        command.arg("--database").arg(&database).stdout(Stdio::null());
        if let Some(text) = filter {
            command.args(["--text", text]);
        }
        let begun = Instant::now();
        assert!(command.status().expect("a process").success(), "{format}");
        told(
            &format!("export to a file as {format}{}", filter.map_or("", |_| ", filtered by a word")),
            size,
            begun,
        );
        let mib = std::fs::metadata(&out).expect("a file").len() >> 20;
        println!(r#"{{"what":"size of that file","mib":{mib}}}"#);
        std::fs::remove_file(&out).expect("removed");
        std::fs::remove_file(folder.join("out.cursor")).expect("removed");
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn told(what: &str, entries: u64, begun: Instant) {
    let seconds = begun.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let rate = entries as f64 / seconds;
    println!(
        r#"{{"what":"{what}","entries":{entries},"seconds":{seconds:.2},"entries_per_second":{rate:.0}}}"#
    );
}
