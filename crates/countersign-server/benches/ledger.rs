//! What a log of a million entries costs: counting its subjects, verifying it, starting on it, and keeping its state in memory.
//!
//! The log is built through the engine: permits that are reserved, started and finished, so that most of it is history, as in a real
//! log. Every measurement is made in a process of its own, because memory once used is rarely given back. The builder ends without
//! stopping the engine, as in a crash, so starting means a snapshot and the tail after it.
//!
//! Prints one JSON object per line. Run with `cargo bench -p countersign-server --bench ledger`;
//! `COUNTERSIGN_BENCH_ENTRIES` sets how many entries.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark stops at the first surprise and prints its result"
)]

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use countersign_ledger::hash::leaf_hash;
use countersign_ledger::note::VerifierKey;
use countersign_ledger::tree::CompactRange;
use countersign_ledger::verify::{Redactions, Trust, Verified};
use countersign_server::engine::census;
use countersign_server::store::sqlite::SqliteStore;
use countersign_server::store::{Reader, Snapshot, Store};
use countersign_server::verification::{self, VerificationError};
use tempfile::TempDir;

#[path = "fixture/ground.rs"]
mod ground;
#[path = "fixture/history.rs"]
mod history;
#[path = "fixture/ping.rs"]
mod ping;

const ENTRIES: &str = "COUNTERSIGN_BENCH_ENTRIES";

/// Entries the baseline reads at once.
const CHUNK: usize = 2_048;

/// One of the two ways to verify a log.
type Verification =
    fn(&mut dyn Reader, &Trust<'_>, &mut dyn FnMut(u64)) -> Result<Verified, VerificationError>;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    // `cargo test --benches` runs this binary too; it has nothing to check.
    if arguments.iter().any(|argument| argument == "--test") {
        return;
    }
    if let [_, part, folder] = arguments.as_slice() {
        return part_of(part, Path::new(folder));
    }
    let folder = TempDir::new_in(std::env::current_dir().expect("a folder")).expect("a folder");
    for part in ["build", "rehash", "census", "verify-bytes", "verify", "start", "forget-snapshot", "start"] {
        let program = std::env::current_exe().expect("this program");
        let status = Command::new(program).arg(part).arg(folder.path()).status().expect("a process");
        assert!(status.success(), "{part}: {status}");
    }
}

fn part_of(part: &str, folder: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    match part {
        "build" => runtime.block_on(build(folder)),
        "rehash" => rehash(folder),
        "census" => count(folder),
        "verify-bytes" => {
            verify(folder, "ledger verify without the meaning, one core", verification::verify_bytes);
        }
        "verify" => verify(folder, "ledger verify, one core", verification::verify),
        "start" => start(folder),
        _ => forget_snapshot(folder),
    }
}

async fn build(folder: &Path) {
    let entries = std::env::var(ENTRIES).ok().map_or(1_000_000, |text| text.parse().expect("a number"));
    let begun = Instant::now();
    let engine = ground::begin(folder).await;
    history::grow(&engine, entries).await;
    let (size, seconds) = (engine.size(), begun.elapsed().as_secs_f64());
    println!(r#"{{"what":"built through the engine","entries":{size},"seconds":{seconds:.1}}}"#);
    std::process::exit(0);
}

/// The baseline of verification: reads every row, hashes it and grows the tree, and looks at nothing else.
fn rehash(folder: &Path) {
    let mut reader = reader(folder);
    let (mut tree, begun) = (CompactRange::new(), Instant::now());
    loop {
        let entries = reader.entries(tree.size(), CHUNK).expect("entries");
        if entries.is_empty() {
            break;
        }
        entries.iter().for_each(|entry| tree.push(leaf_hash(&entry.leaf)));
    }
    assert_eq!(tree.root(), reader.head().expect("a head").tree.root());
    told("read and hash only, one core", tree.size(), begun);
}

/// One census of the whole log, as the node takes it and as whoever verifies counts again.
fn count(folder: &Path) {
    let mut reader = reader(folder);
    let size = reader.head().expect("a head").size();
    let (before, begun) = (resident_kib(), Instant::now());
    let census = census::count(reader.as_mut(), size).expect("a census");
    told("one census, one core", size, begun);
    let grown = resident_kib().saturating_sub(before) / 1_024;
    println!(r#"{{"what":"memory a census adds","subjects":{},"mib":{grown}}}"#, census.subjects);
}

/// Verifies the log, with or without what it means.
fn verify(folder: &Path, what: &str, verification: Verification) {
    let mut reader = reader(folder);
    let keys = [VerifierKey::parse(&ground::signer().vkey()).expect("a key")];
    let trust = Trust { origin: ground::ORIGIN, keys: &keys, redactions: Redactions::Explained };
    let (before, mut most) = (resident_kib(), 0);
    let begun = Instant::now();
    let verified = verification(reader.as_mut(), &trust, &mut |done| {
        if done % 65_536 == 0 {
            most = most.max(resident_kib());
        }
    })
    .expect("nothing is wrong with the log");
    told(what, verified.size, begun);
    let grown = most.saturating_sub(before) / 1_024;
    println!(r#"{{"what":"memory it adds","subjects":{},"mib":{grown}}}"#, verified.subjects);
}

fn start(folder: &Path) {
    let snapshot = reader(folder).snapshot().expect("the store answers");
    let (from, bytes) = snapshot.map_or((0, 0), |Snapshot { size, state, .. }| (size, state.len()));
    let begun = Instant::now();
    let engine = ground::start(folder);
    let (milliseconds, size) = (begun.elapsed().as_millis(), engine.size());
    let tail = size - from;
    println!(
        r#"{{"what":"start-up","entries":{size},"snapshot_bytes":{bytes},"tail":{tail},"milliseconds":{milliseconds}}}"#
    );
    println!(r#"{{"what":"memory after start-up","entries":{size},"mib":{}}}"#, resident_kib() / 1_024);
    std::process::exit(0);
}

/// The baseline of starting: without a snapshot every entry is replayed.
fn forget_snapshot(folder: &Path) {
    let mut store = SqliteStore::open(folder.join("ledger.db")).expect("a store");
    let snapshot = store.snapshot().expect("the store answers").expect("a snapshot");
    // A snapshot with another root is not believed.
    store.save_snapshot(&Snapshot { root: leaf_hash(b""), ..snapshot }).expect("saved");
}

fn reader(folder: &Path) -> Box<dyn Reader> {
    SqliteStore::open_read_only(folder.join("ledger.db")).expect("a reader")
}

fn told(what: &str, entries: u64, begun: Instant) {
    let seconds = begun.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let rate = entries as f64 / seconds;
    println!(
        r#"{{"what":"{what}","entries":{entries},"seconds":{seconds:.2},"entries_per_second":{rate:.0}}}"#
    );
}

/// Memory of the process that no file backs, KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("RssAnon");
    line.trim().trim_end_matches("kB").trim().parse().expect("a number")
}
