//! How fast the SQLite store makes events of 1 KiB durable at 1, 16 and 256 clients: through group commit, and with one transaction
//! per event, on the same disk in the same run; beside what one core can canonicalise, hash and put into the tree, and how often
//! the disk syncs.
//!
//! It measures the store without the engine. Prints one JSON object per line. Run with
//! `cargo bench -p countersign-server --bench store`.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark stops at the first surprise and prints its result"
)]

use std::fs::File;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use countersign_ledger::hash::{Hash, leaf_hash};
use countersign_ledger::json;
use countersign_ledger::tree::CompactRange;
use countersign_server::store::sqlite::SqliteStore;
use countersign_server::store::{Batch, Head, NewEntry, Store};
use serde::Serialize;
use tempfile::TempDir;
use tokio::sync::oneshot;

#[path = "fixture/load.rs"]
mod load;

use load::Client;

/// Length of an event's text that makes its canonical JSON about 1 KiB.
const PAD: usize = 900;

/// One subject per this many events.
const EVENTS_PER_SUBJECT: u64 = 7;

/// Most events in one commit: as many as the engine takes.
const GROUP: usize = 512;

/// How long the limits are measured.
const WINDOW: Duration = Duration::from_secs(2);

#[tokio::main(worker_threads = 2)]
async fn main() {
    // `cargo test --benches` runs this binary too; it has nothing to check.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let folder = TempDir::new_in(std::env::current_dir().expect("a folder")).expect("a folder");
    sync_rate(folder.path());
    cpu_rate();
    for clients in [1, 16, 256] {
        let naive = row(folder.path(), clients, 1).await;
        let grouped = row(folder.path(), clients, GROUP).await;
        let times = grouped / naive;
        println!(r#"{{"what":"times one transaction per event","clients":{clients},"times":{times:.1}}}"#);
    }
    sync_rate(folder.path());
}

/// The disk's own limit: 4 KiB overwritten in place and synced.
fn sync_rate(folder: &Path) {
    let file = File::create(folder.join("raw")).expect("a file");
    file.write_all_at(&[0; 1 << 20], 0).expect("room");
    file.sync_all().expect("synced");
    let mut place = (0..256_u64).cycle().map(|page| page * 4_096);
    let rate = per_second(|| {
        file.write_all_at(&[7; 4_096], place.next().unwrap_or(0)).expect("written");
        file.sync_data().expect("synced");
    });
    println!(r#"{{"what":"fdatasync of 4 KiB","per_second":{rate:.0}}}"#);
}

/// One core's limit: an event made canonical, hashed and put into the tree, and nothing else.
fn cpu_rate() {
    let (mut number, mut tree) = (0, CompactRange::new());
    let rate = per_second(|| {
        tree.push(event(0, number).leaf_hash);
        number += 1;
    });
    black_box(tree.root());
    println!(r#"{{"what":"canonicalise, hash, tree on one core","per_second":{rate:.0}}}"#);
}

fn per_second(mut once: impl FnMut()) -> f64 {
    let (mut times, start) = (0_u32, Instant::now());
    while start.elapsed() < WINDOW {
        once();
        times += 1;
    }
    f64::from(times) / start.elapsed().as_secs_f64()
}

/// Events per second with up to `group` of them in one commit.
async fn row(folder: &Path, clients: usize, group: usize) -> f64 {
    let store = SqliteStore::open(folder.join(format!("{clients}-{group}.db"))).expect("a store");
    let (queue, waiting) = mpsc::channel();
    let writer = thread::spawn(move || write(store, &waiting, group));
    let appender = |client| Appender { client, appended: 0, queue: queue.clone() };
    let appenders = (0..clients).map(appender).collect();
    let figures = load::measure(appenders).await;
    drop(queue);
    writer.join().expect("the writer ends");
    figures.print(
        if group == 1 { "append, one transaction per event" } else { "append, group commit" },
        clients,
    );
    figures.per_second
}

/// An event on its way to the writer, and whom to tell when it is durable.
type Waiting = (NewEntry, oneshot::Sender<()>);

struct Appender {
    client: usize,
    appended: u64,
    queue: Sender<Waiting>,
}

impl Client for Appender {
    async fn ask(&mut self) {
        let (reply, durable) = oneshot::channel();
        let entry = event(self.client, self.appended);
        self.appended += 1;
        self.queue.send((entry, reply)).expect("the writer runs");
        durable.await.expect("the event is durable");
    }
}

/// As the engine's writer does it: whatever waits is one commit, and nobody is answered before it.
fn write(mut store: SqliteStore, queue: &Receiver<Waiting>, group: usize) {
    let mut head = Head::empty();
    while let Ok(first) = queue.recv() {
        let waiting = std::iter::once(first).chain(queue.try_iter()).take(group);
        let (entries, replies): (Vec<NewEntry>, Vec<_>) = waiting.unzip();
        let expected_size = head.size();
        entries.iter().for_each(|entry| head.tree.push(entry.leaf_hash));
        let (nodes, records, blobs, idempotency) = Default::default();
        let redactions = Vec::new();
        let batch = Batch { expected_size, entries, redactions, nodes, head, records, blobs, idempotency };
        store.append(&batch).expect("appended");
        head = batch.head;
        for reply in replies {
            // A client whose time is over no longer listens.
            let _ = reply.send(());
        }
    }
}

#[derive(Serialize)]
struct Event<'a> {
    subject: &'a str,
    subject_seq: u32,
    kind: &'static str,
    pad: &'a str,
}

/// The client's part: an event's canonical JSON and its hash.
fn event(client: usize, number: u64) -> NewEntry {
    let subject = format!("apr_{client:016x}{:016x}", number / EVENTS_PER_SUBJECT);
    let subject_seq = u32::try_from(number % EVENTS_PER_SUBJECT).unwrap_or(0) + 1;
    let pad = "x".repeat(PAD);
    let event = Event { subject: &subject, subject_seq, kind: "bench.event", pad: &pad };
    let leaf = json::to_canonical(&event).expect("canonical JSON");
    let leaf_hash: Hash = leaf_hash(&leaf);
    NewEntry { leaf, leaf_hash, subject, subject_seq, details: None }
}
