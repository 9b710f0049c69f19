//! What checking a whole store costs, and that its memory does not grow with the log: the same check over a tenth of the log and over all.
//!
//! The logs are built through the engine: permits that are reserved, started and finished. Every measurement is made in a process of its
//! own, because the most memory a process ever had is what is printed. The baseline reads every leaf and hashes it, and looks at nothing
//! else.
//!
//! Prints one JSON object per line. Run with `cargo bench -p countersign-server --bench fsck`;
//! `COUNTERSIGN_BENCH_ENTRIES` sets how many entries the larger log has.

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
use countersign_ledger::verify::{Redactions, Trust};
use countersign_server::engine::census;
use countersign_server::fsck::{self, Request};
use countersign_server::store::sqlite::SqliteStore;
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

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    // `cargo test --benches` runs this binary too; it has nothing to check.
    if arguments.iter().any(|argument| argument == "--test") {
        return;
    }
    if let [_, part, folder, entries] = arguments.as_slice() {
        return part_of(part, Path::new(folder), entries.parse().expect("a number"));
    }
    let entries: u64 = std::env::var(ENTRIES).ok().map_or(1_000_000, |text| text.parse().expect("a number"));
    for size in [entries / 10, entries] {
        let folder = TempDir::new_in(std::env::current_dir().expect("a folder")).expect("a folder");
        for part in ["build", "rehash", "fsck"] {
            let program = std::env::current_exe().expect("this program");
            let mut process = Command::new(program);
            process.arg(part).arg(folder.path()).arg(size.to_string());
            assert!(process.status().expect("a process").success(), "{part}");
        }
    }
}

fn part_of(part: &str, folder: &Path, entries: u64) {
    match part {
        "build" => {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build();
            runtime.expect("a runtime").block_on(build(folder, entries));
        }
        "rehash" => rehash(folder),
        _ => check(folder),
    }
}

async fn build(folder: &Path, entries: u64) {
    let engine = ground::begin(folder).await;
    let censuses = tokio::spawn(census::run(engine.clone()));
    history::grow(&engine, entries).await;
    censuses.abort();
    engine.stop().await;
}

/// The baseline: reads every row, hashes it and grows the tree.
fn rehash(folder: &Path) {
    let mut reader = SqliteStore::open_read_only(folder.join("ledger.db")).expect("a reader");
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

fn check(folder: &Path) {
    let keys = [VerifierKey::parse(&ground::signer().vkey()).expect("a key")];
    let trust = Trust { origin: ground::ORIGIN, keys: &keys, redactions: Redactions::Explained };
    let outside = std::fs::read_to_string(folder.join("checkpoint")).expect("a checkpoint");
    let database = folder.join("ledger.db");
    let bytes = database.metadata().expect("a file").len();
    let request = Request { database: &database, trust, outside: Some(&outside) };
    let begun = Instant::now();
    let mut parts = Vec::new();
    let report = fsck::check(&request, &mut |progress| {
        if parts.last().is_none_or(|(part, _)| *part != progress.part) {
            parts.push((progress.part, begun.elapsed().as_secs_f64()));
        }
    })
    .expect("the store answers");
    assert!(report.is_clean(), "{:?}", report.findings);
    told("ledger fsck, one core", report.entries, begun);
    for (part, at) in parts {
        println!(r#"{{"what":"fsck reached","part":"{part}","seconds":{at:.2}}}"#);
    }
    let (mib, censuses) = (peak_kib() / 1_024, report.censuses);
    println!(
        r#"{{"what":"most memory fsck had","entries":{},"database_mib":{},"censuses":{censuses},"mib":{mib}}}"#,
        report.entries,
        bytes >> 20
    );
}

fn told(what: &str, entries: u64, begun: Instant) {
    let seconds = begun.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let rate = entries as f64 / seconds;
    println!(
        r#"{{"what":"{what}","entries":{entries},"seconds":{seconds:.2},"entries_per_second":{rate:.0}}}"#
    );
}

/// The most memory this process ever had, KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches("kB").trim().parse().expect("a number")
}
