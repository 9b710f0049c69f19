//! What a bundle of ten thousand entries costs: collected, printed, and verified, once with every leaf of a small log and once out of a large
//! one, where a census stands for the leaves before it.
//!
//! The baseline of the same run hashes the leaves of the bundle and nothing else. Prints one JSON object per line. Run with
//! `cargo bench -p countersign-server --bench evidence`.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark stops at the first surprise and prints its result"
)]

use std::path::Path;
use std::time::Instant;

use countersign_evidence::bundle;
use countersign_evidence::scope::Scope;
use countersign_evidence::verify::{self, Trust, Verdict};
use countersign_ledger::hash::leaf_hash;
use countersign_server::engine::census;
use countersign_server::evidence::{self, Limits};
use countersign_server::store::sqlite::SqliteStore;
use tempfile::TempDir;

#[path = "fixture/ground.rs"]
mod ground;
#[path = "fixture/history.rs"]
mod history;
#[path = "fixture/ping.rs"]
mod ping;

/// Entries that a bundle is about.
const SELECTED: u64 = 10_000;

/// Entries of the large log before them.
const BEFORE: u64 = 200_000;

fn main() {
    // `cargo test --benches` runs this binary too; it has nothing to check.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let folder = || TempDir::new_in(std::env::current_dir().expect("a folder")).expect("a folder");
    let small = folder();
    runtime.block_on(async {
        let engine = ground::begin(small.path()).await;
        history::grow(&engine, SELECTED).await;
        engine.stop().await;
    });
    measure("every leaf of a log of ten thousand", small.path(), &Scope::default());
    let large = folder();
    let since = runtime.block_on(async {
        let engine = ground::begin(large.path()).await;
        history::grow(&engine, BEFORE).await;
        census::take(&engine, engine.size()).await.expect("a census");
        let since = engine.now();
        history::grow(&engine, SELECTED).await;
        engine.stop().await;
        since
    });
    let scope = Scope { from: Some(since), ..Scope::default() };
    measure("the last ten thousand of a log of two hundred thousand", large.path(), &scope);
}

fn measure(what: &str, folder: &Path, scope: &Scope) {
    let mut reader = SqliteStore::open_read_only(folder.join("ledger.db")).expect("a reader");
    let begun = Instant::now();
    let bundle = evidence::collect(reader.as_mut(), scope, Limits { whole: 20_000, since_census: 40_000 });
    let bundle = bundle.expect("a bundle");
    let collected = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let file = bundle::print(&bundle).expect("a page");
    let printed = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let hashed =
        bundle.entries.iter().filter(|entry| leaf_hash(entry.leaf.as_bytes()) == entry.leaf_hash).count();
    let baseline = begun.elapsed().as_secs_f64();
    let keys = [ground::signer().verifier()];
    let trust = Trust { origin: ground::ORIGIN, keys: &keys, witnesses: None };
    let begun = Instant::now();
    let verified = verify::verify(file.as_bytes(), &trust).expect("no lie");
    let seconds = begun.elapsed().as_secs_f64();
    let open: Vec<&str> = verified
        .checks
        .iter()
        .filter(|check| matches!(check.verdict, Verdict::NotShown(_)))
        .map(|check| check.what)
        .collect();
    let mib = file.len() / (1 << 20);
    let (entries, selected) = (verified.entries, verified.selected);
    println!(
        r#"{{"what":"{what}","entries":{entries},"selected":{selected},"mib":{mib},"collect_s":{collected:.3},"print_s":{printed:.3},"verify_s":{seconds:.3},"baseline_hash_{hashed}_leaves_s":{baseline:.3},"not_shown":"{}"}}"#,
        open.join(" ")
    );
}
