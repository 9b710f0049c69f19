//! Censuses through the engine: taken when due, true, and found out when they are not.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::digest::Digest;
use countersign_core::log::census::TakeCensus;
use countersign_core::{Actor, Command};
use countersign_ledger::census::Row;
use countersign_ledger::entry::EntryView;
use countersign_server::engine::{Committed, Engine, EngineError, Submission, census};
use countersign_server::store::memory::MemoryStore;
use countersign_server::store::{Reader, Store};
use countersign_server::verification::VerificationError;

use super::fixture::{self, ANA, approved, by, code, reserve, started, verification};

async fn written(engine: &Engine, census: TakeCensus) -> Result<Committed, EngineError> {
    engine.submit(Submission::new(Actor::Node, Command::TakeCensus(census))).await
}

/// The rows as the leaves themselves tell them.
fn rows_of(store: &mut dyn Reader, size: u64) -> BTreeMap<String, Row> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for entry in store.entries(0, usize::try_from(size).expect("a small log")).expect("entries") {
        let subject = EntryView::parse(&entry.leaf).expect("a leaf").subject.to_owned();
        let row = rows.entry(subject.clone()).or_insert(Row { count: 0, last: 0, subject });
        (row.count, row.last) = (row.count + 1, entry.index);
    }
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_census_counts_what_is_there_and_proves_it_of_any_subject() {
    let mut store = MemoryStore::new();
    let engine = started(Box::new(store.clone())).await;
    let approval = approved(&engine).await;
    let size = engine.size();
    let taken = census::take(&engine, size).await.expect("a census");
    let stored = engine.state().log().and_then(|log| log.census).expect("it is on record");
    assert_eq!((stored.size, engine.size()), (size, size + 1));

    // What happens afterwards is not counted.
    by(&engine, ANA, reserve(approval)).await.expect("a permit");
    engine.stop().await;
    let truth = rows_of(&mut store, size);
    let absent = ["aaa", "apr_0", "zzz"].map(str::to_owned);
    let wanted: BTreeSet<String> = truth.keys().cloned().chain(absent.clone()).collect();
    let (census, answers) = census::proofs(&mut store, size, wanted).expect("proofs");
    assert_eq!(census, taken);
    for (subject, row) in &truth {
        assert_eq!(census.check(subject, &answers[subject]), Ok(Some(row)));
    }
    for subject in &absent {
        assert_eq!(census.check(subject, &answers[subject]), Ok(None));
    }
    fixture::verify(&mut store);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_census_is_neither_repeated_nor_ahead_of_the_log() {
    let engine = started(Box::new(MemoryStore::new())).await;
    let size = engine.size();
    census::take(&engine, size).await.expect("a census");
    let again = census::take(&engine, size).await.map(|_| ());
    assert!(matches!(&again, Err(EngineError::Refused(refusal)) if refusal.code() == "census_not_newer"));
    let before = engine.size();
    let ahead = TakeCensus { size: before + 1, subjects: 1, root_sha256: Digest::of(b"") };
    assert_eq!(code(&written(&engine, ahead).await), "unavailable");
    assert_eq!(engine.size(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_census_that_leaves_somebody_out_is_named_at_its_entry() {
    let mut store = MemoryStore::new();
    let engine = started(Box::new(store.clone())).await;
    let size = engine.size();
    let honest = census::count(&mut store, size).expect("a census");
    let forged =
        TakeCensus { size, subjects: honest.subjects - 1, root_sha256: Digest(honest.root_sha256.0) };
    written(&engine, forged).await.expect("the core cannot count");
    engine.stop().await;
    let damage = verification(&mut store).expect_err("it is wrong");
    assert_eq!((damage.code().as_ref(), damage.index()), ("census", Some(size)), "{damage}");
    assert!(matches!(damage, VerificationError::Census { .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_census_is_taken_when_ten_thousand_entries_have_come() {
    let store = MemoryStore::new();
    let engine = started(Box::new(store.clone())).await;
    let task = tokio::spawn(census::run(engine.clone()));
    let mut commits = engine.commits();
    let note = || {
        let note = countersign_core::person::NoteRefusals {
            person: ANA,
            action: None,
            code: "no_rule",
            count: std::num::NonZeroU32::MIN,
            from: countersign_core::time::Time::from_millis(1),
            until: countersign_core::time::Time::from_millis(1),
        };
        let engine = engine.clone();
        async move { engine.submit(Submission::new(Actor::Node, Command::NoteRefusals(note))).await }
    };
    let counted = |engine: &Engine| engine.state().log().and_then(|log| log.census).map(|last| last.size);
    while engine.size() < 9_990 {
        let missing = 9_990 - engine.size();
        let notes: Vec<_> = (0..missing.min(512)).map(|_| tokio::spawn(note())).collect();
        for note in notes {
            note.await.expect("a task").expect("noted");
        }
    }
    assert_eq!(counted(&engine), None);
    for _ in 0..10 {
        note().await.expect("noted");
    }
    // The census itself is a commit, so waiting for commits is waiting for it.
    while counted(&engine).is_none() {
        commits.changed().await.expect("a commit");
    }
    assert_eq!(counted(&engine), Some(10_000));
    task.abort();
    engine.stop().await;
    fixture::verify(store.reader().expect("a reader").as_mut());
}
