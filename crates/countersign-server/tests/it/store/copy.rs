//! Ledgers that are moved: from any store to any other and back everything is the same, wherever it was interrupted; and what must not
//! be written to is left alone.

use std::collections::BTreeMap;

use countersign_core::secret::SecretKey;
use countersign_core::{Actor, Command, State, approval};
use countersign_ledger::hash::sha256;
use countersign_server::engine::{Engine, IdempotencyKey, Submission, census};
use countersign_server::secrets::{LocalSecrets, SealingKey, SecretStore, SecretValue};
use countersign_server::store::copy::{Copied, CopyError, SealedRow, Side, Target, Whole, copy};
use countersign_server::store::memory::MemoryStore;
use countersign_server::store::postgres::PostgresStore;
use countersign_server::store::sqlite::SqliteStore;
use countersign_server::store::{
    Details, Head, Idempotency, Reader, Record, Redaction, Store, StoreError, StoredCheckpoint, StoredEntry,
};
use proptest::prelude::*;

use super::faulty::{Fault, Faults, FaultyStore};
use super::fixture::{Author, check_log};
use super::postgres::{cluster, fresh_database, fresh_store};
use crate::engine::fixture::{self, ANA, by, options, verification};
use crate::engine::redaction::redact;

/// More than any of these logs has.
const ALL: usize = 100_000;

/// Everything a store holds, except the snapshot.
#[derive(Debug, PartialEq)]
struct Everything {
    head: Head,
    entries: Vec<StoredEntry>,
    details: Vec<(u64, Details)>,
    redactions: Vec<Redaction>,
    nodes: BTreeMap<u8, Vec<countersign_ledger::hash::Hash>>,
    blobs: Vec<(countersign_ledger::hash::Hash, Vec<u8>)>,
    records: Vec<Record>,
    answers: Vec<Idempotency>,
    checkpoints: Vec<StoredCheckpoint>,
    sealed: Vec<SealedRow>,
}

fn everything<W: Whole + ?Sized>(store: &mut W) -> Everything {
    let head = store.head().unwrap();
    let levels = [8_u8, 16].map(|level| (level, store.hashes(level, 0..head.size() >> level).unwrap()));
    Everything {
        entries: store.entries(0, ALL).unwrap(),
        details: store.details_in(0..head.size()).unwrap(),
        redactions: store.redactions_in(0..head.size()).unwrap(),
        nodes: levels.into_iter().collect(),
        blobs: store.blobs_after(None, ALL).unwrap(),
        records: store.records_after(("", ""), ALL).unwrap(),
        answers: store.answers_after(("", ""), ALL).unwrap(),
        checkpoints: store.checkpoints(0, ALL).unwrap(),
        sealed: store.sealed().unwrap(),
        head,
    }
}

fn copied(source: &mut dyn Whole, target: &mut dyn Target, at_once: usize) -> Result<Copied, CopyError> {
    copy((source, target), at_once, &mut |_| ())
}

/// A new file.
fn file(folder: &tempfile::TempDir, name: &str) -> SqliteStore {
    SqliteStore::open(folder.path().join(name)).unwrap()
}

/// Requests with reasons under keys, each taken back; then the details of the chosen ones go, in two parts.
async fn lived(engine: &Engine, chosen: &[u8]) {
    let mut indices = Vec::new();
    for number in 0..chosen.len() {
        let parameters_sha256 = countersign_core::digest::Digest::of(b"parameters");
        let request = approval::Request { action: fixture::payout(), parameters_sha256 };
        let details = format!(r#"{{"reason":"for customer {number}"}}"#).into_bytes();
        let key =
            IdempotencyKey { key: format!("ask-{}-{number}", engine.size()), body_sha256: sha256(&details) };
        let submission = Submission::new(Actor::Person(ANA), Command::RequestApproval(request));
        let committed = engine.submit(submission.with_details(details).with_idempotency(key)).await.unwrap();
        indices.push(committed.first);
        let Some(countersign_core::Fact::ApprovalRequested(id, _)) =
            committed.events.first().map(|event| event.fact.clone())
        else {
            panic!("a request");
        };
        by(engine, ANA, Command::Withdraw(id)).await.unwrap();
    }
    for part in 0..2 {
        let set = indices.iter().zip(chosen).filter(|(_, of)| **of == part).map(|(index, _)| *index);
        let set: Vec<u64> = set.collect();
        if !set.is_empty() {
            redact(engine, &set).await.unwrap();
        }
    }
    census::take(engine, engine.size()).await.unwrap();
}

/// A log in memory, signed and with a cosignature, and the state of whoever lived through it.
async fn history(chosen: &[u8]) -> (MemoryStore, State) {
    let mut store = MemoryStore::new();
    let engine = fixture::started(Box::new(store.clone())).await;
    lived(&engine, chosen).await;
    let state = engine.state().as_ref().clone();
    engine.stop().await;
    let mut last = store.latest_checkpoint().unwrap().expect("it was signed");
    // Whoever reads it knows no such key, and passes over it.
    last.note += &format!("\u{2014} witness.test/w {}\n", "A".repeat(100));
    store.save_checkpoint(&last).unwrap();
    (store, state)
}

/// What a node would find on this store.
fn state_on(store: Box<dyn Store>) -> State {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let engine = Engine::start(store, options()).expect("it starts");
        let state = engine.state().as_ref().clone();
        engine.stop().await;
        state
    })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn there_and_back_everything_is_the_same(chosen in prop::collection::vec(0..3_u8, 1..20), at_once in 1..60_usize) {
        let (mut memory, state) = block_on(history(&chosen));
        let before = everything(&mut memory);
        let folder = tempfile::tempdir().unwrap();
        let (mut first, mut shared, mut last) = (file(&folder, "first.db"), fresh_store(), file(&folder, "last.db"));
        let outcome = copied(&mut memory, &mut first, at_once).unwrap();
        prop_assert_eq!(outcome, Copied { entries: before.head.size(), before: 0, root: before.head.tree.root() });
        copied(&mut first, &mut shared, at_once).unwrap();
        copied(&mut shared, &mut last, at_once).unwrap();
        for store in [&mut first as &mut dyn Whole, &mut shared, &mut last] {
            prop_assert_eq!(&everything(store), &before);
        }
        prop_assert_eq!(verification(&mut last).unwrap().redacted, before.redactions.len());
        // Who copies once more finds nothing to do.
        let again = copied(&mut shared, &mut last, at_once).unwrap();
        prop_assert_eq!((again.before, again.entries), (before.head.size(), before.head.size()));
        prop_assert_eq!(&everything(&mut last), &before);
        prop_assert_eq!(&state_on(Box::new(last)), &state);
        prop_assert_eq!(&state_on(Box::new(shared)), &state);
    }
}

#[test]
fn a_log_of_many_tiles_has_the_same_nodes() {
    let (mut memory, mut shared) = (MemoryStore::new(), fresh_store());
    let mut author = Author::new();
    for _ in 0..30 {
        memory.append(&author.batch(&["apr_a"; 40])).unwrap();
    }
    copied(&mut memory, &mut shared, 500).unwrap();
    assert_eq!(everything(&mut shared), everything(&mut memory));
    assert_eq!(check_log(&mut shared).unwrap(), 1_200);
}

/// Cut off at every append, told so or not, and begun again.
fn interrupted_everywhere<T: Target>(mut make: impl FnMut() -> T) {
    let (mut memory, _) = block_on(history(&[0, 1, 2, 0, 2, 1]));
    let before = everything(&mut memory);
    let clean = Faults::default();
    copied(&mut memory, &mut FaultyStore::new(make(), &clean), 4).unwrap();
    assert!(clean.appends() > 12, "{}", clean.appends());
    for nth in 0..clean.appends() {
        let faults = Faults::default();
        let mut target = FaultyStore::new(make(), &faults);
        let fault = if nth % 2 == 0 { Fault::BeforePersisting } else { Fault::AfterPersisting };
        faults.fail(nth, fault);
        let cut = copied(&mut memory, &mut target, 4);
        assert!(matches!(cut, Err(CopyError::Store { side: Side::Target, .. })), "append {nth}: {cut:?}");
        if target.head().unwrap().size() == before.head.size() {
            assert_eq!(
                everything(&mut target),
                before,
                "append {nth}: all entries are there, so everything is"
            );
        }
        let other = 1 + usize::try_from(nth).unwrap() % 7;
        let outcome = copied(&mut memory, &mut target, other).unwrap();
        assert_eq!(outcome.entries, before.head.size(), "append {nth}");
        assert_eq!(everything(&mut target), before, "append {nth}");
    }
}

#[test]
fn whoever_was_interrupted_goes_on_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut made = 0;
    interrupted_everywhere(|| {
        made += 1;
        file(&folder, &format!("{made}.db"))
    });
}

#[test]
fn whoever_was_interrupted_goes_on_in_a_database() {
    interrupted_everywhere(fresh_store);
}

#[test]
fn sealed_secrets_go_along_and_the_same_key_opens_them() {
    let sealing = || SealingKey::from_bytes([1; 32]);
    let key = SecretKey {
        resource: "webhook-signing/a".parse().unwrap(),
        environment: "production".parse().unwrap(),
    };
    let folder = tempfile::tempdir().unwrap();
    let (mut memory, _) = block_on(history(&[2]));
    let mut first = file(&folder, "first.db");
    copied(&mut memory, &mut first, 50).unwrap();
    let kept = LocalSecrets::open(folder.path().join("first.db"), sealing()).unwrap();
    kept.adopt(&key, 1, &SecretValue::new("the old value".to_owned())).unwrap();
    let rotation = "rot_00000000000000000000000000000001";
    kept.create_pending(&key, 2, rotation, &SecretValue::new("the new value".to_owned())).unwrap();

    let (mut shared, mut last) = (fresh_store(), file(&folder, "last.db"));
    // What an earlier copy took along is replaced by what there is now.
    for promoted in [false, true] {
        if promoted {
            kept.promote(&key, 2).unwrap();
        }
        copied(&mut first, &mut shared, 50).unwrap();
        copied(&mut shared, &mut last, 50).unwrap();
        let there = LocalSecrets::beside(&shared, sealing());
        let back = LocalSecrets::open(folder.path().join("last.db"), sealing()).unwrap();
        for store in [&there, &back] {
            for (version, value) in [(1, "the old value"), (2, "the new value")] {
                assert!(store.read(&key, version).unwrap().is_some_and(|it| it.expose() == value));
            }
        }
        assert_eq!(last.sealed().unwrap(), first.sealed().unwrap());
        assert_eq!(shared.sealed().unwrap().len(), 2);
    }
}

#[test]
fn another_log_and_one_that_is_ahead_are_left_alone() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let mut memory = MemoryStore::new();
        let engine = fixture::started(Box::new(memory.clone())).await;
        lived(&engine, &[2, 2, 2]).await;
        let mut short = file(&folder, "short.db");
        copied(&mut memory, &mut short, 50).unwrap();
        let before = everything(&mut short);
        lived(&engine, &[0, 2]).await;
        engine.stop().await;

        let (mut other, _) = history(&[2; 12]).await;
        let refused = copied(&mut other, &mut short, 50).unwrap_err();
        assert!(
            matches!(refused, CopyError::OtherLog { size, .. } if size == before.head.size()),
            "{refused}"
        );
        assert!(refused.hint().is_some_and(|hint| hint.contains("nothing was written")));
        assert_eq!(everything(&mut short), before);

        let mut long = fresh_store();
        copied(&mut memory, &mut long, 50).unwrap();
        let whole = everything(&mut long);
        let refused = copied(&mut short, &mut long, 50).unwrap_err();
        let sizes = (whole.head.size(), before.head.size());
        assert!(matches!(refused, CopyError::Ahead { target, from } if (target, from) == sizes), "{refused}");
        assert_eq!(everything(&mut long), whole);
        let empty = copied(&mut MemoryStore::new(), &mut long, 50).unwrap_err();
        assert!(matches!(empty, CopyError::Nothing), "{empty}");

        // The other way round it is an old copy that catches up, and forgets what was redacted, and which keys, since.
        let answers = long.answers_after(("", ""), ALL).unwrap();
        let times = answers.iter().map(|answer| answer.time_ms);
        long.forget_idempotency(times.max().unwrap()).unwrap();
        let whole = everything(&mut long);
        assert!(!whole.answers.is_empty() && whole.answers.len() < answers.len());
        let outcome = copied(&mut long, &mut short, 50).unwrap();
        assert_eq!((outcome.before, outcome.entries), (before.head.size(), whole.head.size()));
        assert_eq!(everything(&mut short), whole);
        verification(&mut short).unwrap();
    });
}

#[test]
fn a_target_that_somebody_writes_is_noticed() {
    let (_, address) = fresh_database();
    let (mut target, mut somebody) =
        (PostgresStore::create(address.clone()).unwrap(), PostgresStore::open(address).unwrap());
    let (mut memory, _) = block_on(history(&[2, 2]));
    let mut once = Some(Author::new().batch(&["apr_x"]));
    let outcome = copy((&mut memory, &mut target), 20, &mut |progress| {
        if progress.part == "entries"
            && let Some(batch) = once.take()
        {
            somebody.append(&batch).unwrap();
        }
    });
    assert!(matches!(outcome, Err(CopyError::Written { expected: 0, found: 1 })), "{outcome:?}");
}

#[test]
fn a_source_that_grows_is_followed_until_it_stands_still_or_given_up() {
    let (_, address) = fresh_database();
    let (mut source, mut somebody) =
        (PostgresStore::create(address.clone()).unwrap(), PostgresStore::open(address).unwrap());
    let mut author = Author::new();
    somebody.append(&author.batch(&["apr_a", "apr_b"])).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut target = file(&folder, "target.db");
    let mut left = 5;
    let outcome = copy((&mut source, &mut target), 20, &mut |_| {
        if left > 0 {
            left -= 1;
            // What was copied with its details is redacted meanwhile.
            let batch = if left == 3 { author.redacting(&[0]) } else { author.batch(&["apr_a"]) };
            somebody.append(&batch).unwrap();
        }
    });
    assert_eq!(outcome.unwrap().entries, 7);
    assert_eq!(everything(&mut target), everything(&mut source));

    let outcome = copy((&mut source, &mut target), 20, &mut |_| {
        somebody.append(&author.batch(&["apr_a"])).unwrap();
    });
    assert!(matches!(outcome, Err(CopyError::Moving { .. })), "{outcome:?}");
    // Once its writers have stopped, it goes on.
    copied(&mut source, &mut target, 20).unwrap();
    assert_eq!(everything(&mut target), everything(&mut source));
}

#[test]
fn a_damaged_source_and_one_of_a_newer_version_are_named() {
    type Expected = fn(&CopyError) -> bool;
    let damages: [(&str, Expected); 4] = [
        ("UPDATE countersign.entries SET leaf = '\\x7b7d' WHERE idx = 4", |error| {
            matches!(error, CopyError::SourceEntry { index: 4 })
        }),
        ("DELETE FROM countersign.entries WHERE idx = 4", |error| {
            matches!(error, CopyError::SourceEntry { index: 4 })
        }),
        (
            "UPDATE countersign.head SET frontier = (SELECT string_agg(sha256(leaf_hash), '') FROM (SELECT leaf_hash FROM \
          countersign.entries LIMIT length((SELECT frontier FROM countersign.head)) / 32) AS it)",
            |error| matches!(error, CopyError::SourceRoot { .. }),
        ),
        (
            "UPDATE countersign.records SET kind = 'comet' WHERE kind = 'person'",
            |error| matches!(error, CopyError::Store { side: Side::Source, error: StoreError::Corrupt(why) } if why.contains("`comet`")),
        ),
    ];
    let (mut memory, _) = block_on(history(&[2, 2]));
    for (damage, expected) in damages {
        let (name, address) = fresh_database();
        let mut source = PostgresStore::create(address).unwrap();
        copied(&mut memory, &mut source, 50).unwrap();
        cluster().say(&name, damage).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let refused = copied(&mut source, &mut file(&folder, "target.db"), 50).unwrap_err();
        assert!(expected(&refused), "{damage}: {refused}");
    }
}

#[test]
fn a_copy_that_is_not_the_same_is_not_called_one() {
    let damages = [
        (
            "UPDATE countersign.details SET salt = sha256(salt) WHERE idx = (SELECT max(idx) FROM countersign.details WHERE salt IS NOT NULL)",
            "entries, details or redactions",
        ),
        ("UPDATE countersign.blobs SET body = '\\x7b7d'", "policies"),
        ("INSERT INTO countersign.records VALUES ('person', 'per_x', 1, 'active', '\\x7b7d')", "records"),
        ("UPDATE countersign.idempotency SET entry_count = 2", "idempotency keys"),
        ("INSERT INTO countersign.checkpoints VALUES (1, 'x')", "checkpoints"),
    ];
    let (mut memory, _) = block_on(history(&[2, 2]));
    for (damage, named) in damages {
        let (name, address) = fresh_database();
        let mut target = PostgresStore::create(address).unwrap();
        copied(&mut memory, &mut target, 50).unwrap();
        cluster().say(&name, damage).unwrap();
        let refused = copied(&mut memory, &mut target, 50).unwrap_err();
        assert!(matches!(refused, CopyError::Differs { what, .. } if what == named), "{damage}: {refused}");
    }
}
