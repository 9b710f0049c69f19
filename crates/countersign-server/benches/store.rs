//! How fast the SQLite store appends durably, by batch size, beside what the same disk does with bare `fdatasync`.
//!
//! Prints one JSON object per line. Batches are built, hashed and put into the tree before the clock starts: this measures the
//! store, not the engine. Run with `cargo bench -p countersign-server --bench store`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark stops at the first surprise and prints its result"
)]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use countersign_ledger::hash::leaf_hash;
use countersign_server::store::sqlite::SqliteStore;
use countersign_server::store::{Batch, Head, NewEntry, Store, StoredNode};
use tempfile::TempDir;

/// Size of one leaf in bytes, about that of a real entry.
const LEAF_BYTES: usize = 1024;

/// One subject per this many entries.
const ENTRIES_PER_SUBJECT: u64 = 7;

/// How long each row measures.
const WINDOW: Duration = Duration::from_secs(2);

/// Batches built ahead, outside the clock.
const AHEAD: usize = 64;

fn main() {
    // `cargo test --benches` runs this binary too; it has nothing to check.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let folder = TempDir::new_in(std::env::current_dir().unwrap()).unwrap();
    sync_rate(&folder);
    let naive = append_rate(&folder, 1, 1.0);
    for batch_size in [16, 128, 256, 512] {
        append_rate(&folder, batch_size, naive);
    }
}

/// The disk's own limit: 4 KiB overwritten in place and synced.
fn sync_rate(folder: &TempDir) {
    let file = File::create(folder.path().join("raw")).unwrap();
    file.write_all_at(&[0; 1 << 20], 0).unwrap();
    file.sync_all().unwrap();
    let mut syncs = 0_u32;
    let start = Instant::now();
    while start.elapsed() < WINDOW {
        file.write_all_at(&[7; 4096], u64::from(syncs % 256) * 4096).unwrap();
        file.sync_data().unwrap();
        syncs += 1;
    }
    let rate = f64::from(syncs) / start.elapsed().as_secs_f64();
    println!(r#"{{"what":"fdatasync of 4 KiB","per_second":{rate:.0}}}"#);
}

/// Entries per second with this many in one commit.
fn append_rate(folder: &TempDir, batch_size: usize, naive: f64) -> f64 {
    let mut store = SqliteStore::open(folder.path().join(format!("{batch_size}.db"))).unwrap();
    let mut head = Head::empty();
    let mut clocked = Duration::ZERO;
    let mut commits: Vec<Duration> = Vec::new();
    while clocked < WINDOW {
        let ahead: Vec<Batch> = (0..AHEAD).map(|_| next_batch(&mut head, batch_size)).collect();
        for batch in &ahead {
            let start = Instant::now();
            store.append(batch).unwrap();
            commits.push(start.elapsed());
        }
        clocked = commits.iter().sum();
    }
    commits.sort_unstable();
    let entries = u32::try_from(commits.len() * batch_size).unwrap();
    let rate = f64::from(entries) / clocked.as_secs_f64();
    let micros = |per_mille: usize| commits.get(commits.len() * per_mille / 1000).unwrap().as_micros();
    let (p50, p99, over) = (micros(500), micros(990), if batch_size == 1 { 1.0 } else { rate / naive });
    println!(
        r#"{{"what":"append","batch":{batch_size},"entries_per_second":{rate:.0},"commit_p50_us":{p50},"commit_p99_us":{p99},"over_naive":{over:.1}}}"#
    );
    rate
}

fn next_batch(head: &mut Head, batch_size: usize) -> Batch {
    let expected_size = head.size();
    let mut nodes = Vec::new();
    let entries = (0..batch_size).map(|_| next_entry(head, &mut nodes)).collect();
    Batch {
        expected_size,
        entries,
        nodes,
        head: head.clone(),
        records: Vec::new(),
        blobs: Vec::new(),
        idempotency: Vec::new(),
    }
}

fn next_entry(head: &mut Head, nodes: &mut Vec<StoredNode>) -> NewEntry {
    let index = head.size();
    let subject = format!("apr_0198{:032x}", index / ENTRIES_PER_SUBJECT);
    let subject_seq = u32::try_from(index % ENTRIES_PER_SUBJECT).unwrap() + 1;
    let mut leaf = format!(r#"{{"index":{index},"pad":""#).into_bytes();
    leaf.resize(LEAF_BYTES - 2, b'x');
    leaf.extend_from_slice(br#""}"#);
    let leaf_hash = leaf_hash(&leaf);
    head.tree.push_with(leaf_hash, |level, index, hash| {
        if level > 0 && level % 8 == 0 {
            nodes.push(StoredNode { level, index, hash });
        }
    });
    NewEntry { leaf, leaf_hash, subject, subject_seq, details: None }
}
