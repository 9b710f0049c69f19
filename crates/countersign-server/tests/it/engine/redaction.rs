//! Details are redacted: gone from everywhere, explained in the log, and every proof as it was; whatever fails on the way.

use std::collections::BTreeSet;
use std::path::Path;

use countersign_core::digest::Digest;
use countersign_core::id::ApprovalId;
use countersign_core::permit::Reserve;
use countersign_core::redaction::{self, Entries, RedactDetails};
use countersign_core::{Actor, Command, Fact, approval};
use countersign_ledger::hash::{Hash, sha256};
use countersign_ledger::note::VerifierKey;
use countersign_ledger::proof::inclusion_proof;
use countersign_ledger::tree::Nodes;
use countersign_ledger::verify::{Redactions, Trust};
use countersign_server::engine::{Committed, Engine, EngineError, IdempotencyKey, Submission};
use countersign_server::store::memory::MemoryStore;
use countersign_server::store::sqlite::SqliteStore;
use countersign_server::store::{Reader, RecordQuery, StoreError};
use proptest::prelude::*;
use rusqlite::Connection;

use super::fixture::{self, ANA, BEN, CHLOE, by, code, verification};
use crate::store::faulty::{Fault, Faults, FaultyStore};

/// What only the details of one entry say.
fn secret(number: u64) -> String {
    format!("customer-{}", &sha256(&number.to_be_bytes()).to_string()[..24])
}

/// A request of Ana's with a reason, under a key; the index of its entry.
async fn asked(engine: &Engine, number: u64) -> (u64, ApprovalId) {
    let committed = ask(engine, number).await.expect("taken");
    match committed.events.first().map(|event| &event.fact) {
        Some(Fact::ApprovalRequested(id, _)) => (committed.first, *id),
        other => panic!("expected a request, found {other:?}"),
    }
}

async fn ask(engine: &Engine, number: u64) -> Result<Committed, EngineError> {
    let parameters_sha256 = Digest::of(b"parameters");
    let request =
        Command::RequestApproval(approval::Request { action: fixture::payout(), parameters_sha256 });
    let details = format!(r#"{{"reason":"{}"}}"#, secret(number)).into_bytes();
    let key = IdempotencyKey { key: format!("ask-{number}"), body_sha256: sha256(&details) };
    engine
        .submit(Submission::new(Actor::Person(ANA), request).with_details(details).with_idempotency(key))
        .await
}

/// Requests that were taken back, and the indices at which they were made.
async fn withdrawn(engine: &Engine, count: u64) -> Vec<u64> {
    let mut indices = Vec::new();
    for number in 0..count {
        let (index, id) = asked(engine, number).await;
        by(engine, ANA, Command::Withdraw(id)).await.expect("taken back");
        indices.push(index);
    }
    indices
}

/// An approval of a redaction; of which entries only the salted digest says.
async fn approved(engine: &Engine) -> ApprovalId {
    let action = redaction::action().expect("an action");
    let parameters_sha256 = Digest::of(b"parameters");
    let request = Command::RequestApproval(approval::Request { action, parameters_sha256 });
    let committed = by(engine, ANA, request).await.expect("taken");
    let Some(Fact::ApprovalRequested(id, _)) = committed.events.first().map(|event| event.fact.clone())
    else {
        panic!("expected a request, found {:?}", committed.events);
    };
    for voter in [BEN, CHLOE] {
        by(engine, voter, Command::Approve(id.into())).await.expect("the vote counts");
    }
    id
}

fn redacting(approval: ApprovalId, indices: &[u64]) -> Command {
    Command::RedactDetails(RedactDetails {
        entries: Entries::try_from(indices.to_vec()).expect("a set"),
        approval,
        parameters_sha256: Digest::of(b"parameters"),
        found: std::collections::BTreeMap::new(),
    })
}

pub(crate) async fn redact(engine: &Engine, indices: &[u64]) -> Result<Committed, EngineError> {
    let approval = approved(engine).await;
    by(engine, ANA, redacting(approval, indices)).await
}

/// Every inclusion proof in the tree of a size.
fn proofs(reader: &mut dyn Reader, size: u64) -> Vec<Vec<Hash>> {
    struct Stored<'a>(std::cell::RefCell<&'a mut dyn Reader>);
    impl Nodes for Stored<'_> {
        type Error = StoreError;
        fn node(&self, level: u8, index: u64) -> Result<Hash, StoreError> {
            self.0.borrow_mut().node(level, index)
        }
    }
    let stored = Stored(std::cell::RefCell::new(reader));
    (0..size).map(|index| inclusion_proof(&stored, index, size).expect("a proof")).collect()
}

fn leaves(reader: &mut dyn Reader, size: u64) -> Vec<Vec<u8>> {
    let size = usize::try_from(size).expect("a small log");
    reader.entries(0, size).expect("entries").into_iter().map(|entry| entry.leaf).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn whatever_is_redacted_the_log_verifies_and_no_proof_changes(chosen in prop::collection::vec(0..3_u8, 24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let memory = MemoryStore::new();
            let engine = fixture::started(Box::new(memory.clone())).await;
            let indices = withdrawn(&engine, 24).await;
            let size = engine.size();
            let mut reader = memory.clone();
            let before = (proofs(&mut reader, size), leaves(&mut reader, size));
            let mut gone = 0;
            // Two redactions, one after the other; what falls into the third part stays.
            for part in 0..2 {
                let set: Vec<u64> =
                    indices.iter().zip(&chosen).filter(|(_, of)| **of == part).map(|(index, _)| *index).collect();
                if !set.is_empty() {
                    redact(&engine, &set).await.expect("redacted");
                    gone += set.len();
                }
            }
            let state = engine.state();
            engine.stop().await;
            let verified = verification(&mut memory.clone()).expect("no damage");
            assert_eq!(verified.redacted, gone);
            assert_eq!((proofs(&mut reader, size), leaves(&mut reader, size)), before);
            let again = Engine::start(Box::new(memory), fixture::options()).expect("it starts again");
            assert_eq!(*again.state(), *state);
            again.stop().await;
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redacted_text_is_nowhere_and_was_in_details_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let engine = fixture::started(Box::new(SqliteStore::open(&path).expect("a store"))).await;
    let indices = withdrawn(&engine, 6).await;
    assert!((0..6).all(|number| stands_in(folder.path(), &secret(number))));
    redact(&engine, &[indices[1], indices[4]]).await.expect("redacted");
    // The server still runs: nothing waits for it to stop.
    let left: Vec<u64> = (0..6).filter(|number| stands_in(folder.path(), &secret(*number))).collect();
    assert_eq!(left, [0, 2, 3, 5]);
    engine.stop().await;
    drop(engine);
    redact_the_rest(&path, &indices).await;
    assert!(!(0..6).any(|number| stands_in(folder.path(), &secret(number))), "a snapshot holds details");
}

/// With every text redacted, whatever is left of one is in a record, a leaf or the snapshot, which was saved in between.
async fn redact_the_rest(path: &Path, indices: &[u64]) {
    let store = SqliteStore::open(path).expect("a store");
    let engine = Engine::start(Box::new(store), fixture::options()).expect("it starts again");
    redact(&engine, &[indices[0], indices[2], indices[3], indices[5]]).await.expect("redacted");
    engine.stop().await;
}

/// Whether any file in the folder holds the text.
fn stands_in(folder: &Path, text: &str) -> bool {
    let mut files = std::fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path());
    files.any(|path| {
        let bytes = std::fs::read(path).expect("a file");
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_snapshots_and_leaves_never_held_details() {
    let mut memory = MemoryStore::new();
    let engine = fixture::started(Box::new(memory.clone())).await;
    withdrawn(&engine, 6).await;
    engine.stop().await;
    let size = memory.head().expect("a head").size();
    let mut kept = leaves(&mut memory, size);
    for kind in ["log", "policy", "person", "approval", "permit", "secret", "rotation", "incident"] {
        let query = RecordQuery { kind, status: None, before: None, limit: 1_000 };
        kept.extend(memory.records(&query).expect("records").into_iter().map(|record| record.body));
    }
    let snapshot = memory.snapshot().expect("readable").expect("saved at the end");
    kept.push(snapshot.state);
    let all = String::from_utf8_lossy(&kept.concat()).into_owned();
    assert!(all.contains(&ANA.to_string()), "there is something to look in");
    assert!((0..6).all(|number| !all.contains(&secret(number))));
    assert!(!all.contains("Chloe"), "names are details");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_append_neither_loses_nor_doubles_a_redaction() {
    for fault in [Fault::BeforePersisting, Fault::AfterPersisting] {
        let (mut memory, faults) = (MemoryStore::new(), Faults::default());
        let engine = fixture::started(Box::new(FaultyStore::new(memory.clone(), &faults))).await;
        let indices = withdrawn(&engine, 3).await;
        let approval = approved(&engine).await;
        let size = engine.size();
        faults.fail(0, fault);
        let send = || {
            let key = IdempotencyKey { key: "redact".into(), body_sha256: sha256(b"redact") };
            let command = redacting(approval, &indices[..2]);
            engine.submit(Submission::new(Actor::Person(ANA), command).with_idempotency(key))
        };
        let committed = send().await.expect("it happens");
        assert_eq!(committed.first, size, "{fault:?}");
        assert_eq!(engine.size(), size + 2, "{fault:?}: once");
        let again = send().await.expect("answered as before");
        assert!(again.replayed && again.events == committed.events, "{fault:?}");
        let there: Vec<u64> = memory.details_in(0..size).expect("details").iter().map(|it| it.0).collect();
        assert!(!there.contains(&indices[0]) && !there.contains(&indices[1]) && there.contains(&indices[2]));
        engine.stop().await;
        assert_eq!(verification(&mut memory).expect("no damage").redacted, 2, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redaction_that_is_refused_deletes_nothing_and_says_which_entry_and_why() {
    let mut memory = MemoryStore::new();
    let engine = fixture::started(Box::new(memory.clone())).await;
    let indices = withdrawn(&engine, 3).await;
    let (open, _) = asked(&engine, 9).await;
    redact(&engine, &indices[..1]).await.expect("redacted");
    let size = engine.size();
    let refused = async |wrong: u64| {
        let set = BTreeSet::from([indices[1], indices[2], wrong]);
        let result = redact(&engine, &Vec::from_iter(set)).await;
        (code(&result), result.expect_err("refused").to_string())
    };
    let expected = [
        (9_999, "entry_not_found", "there is no entry 9999".to_owned()),
        (0, "no_details", "entry 0 has no details".to_owned()),
        (indices[0], "already_redacted", format!("deleted by entry {}", size - 1)),
        (open, "details_in_use", format!("entry {open} say what `apr_")),
    ];
    for (wrong, code, said) in expected {
        let told = refused(wrong).await;
        assert!(told.0 == code && told.1.contains(&said), "{told:?} instead of {said}");
    }
    assert!(memory.details(indices[1]).expect("readable").is_some(), "all or nothing");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_redactions_of_one_entry_at_once_one_wins() {
    let engine = fixture::started(Box::new(MemoryStore::new())).await;
    let indices = withdrawn(&engine, 1).await;
    let (first, second) = (approved(&engine).await, approved(&engine).await);
    let results = tokio::join!(
        by(&engine, ANA, redacting(first, &indices)),
        by(&engine, ANA, redacting(second, &indices))
    );
    let codes = BTreeSet::from([code(&results.0), code(&results.1)]);
    assert_eq!(codes, BTreeSet::from(["ok", "already_redacted"]));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_confirms_no_guess_about_what_was_redacted_and_cannot_act_twice() {
    let memory = MemoryStore::new();
    let engine = fixture::started(Box::new(memory.clone())).await;
    let indices = withdrawn(&engine, 2).await;
    assert!(ask(&engine, 0).await.expect("answered").replayed);
    let plain = sha256(format!(r#"{{"reason":"{}"}}"#, secret(0)).as_bytes());
    let kept = memory.clone().idempotency(&ANA.to_string(), "ask-0").expect("readable").expect("kept");
    assert_ne!(kept.body_sha256, plain, "the digest of a guess must not do");
    redact(&engine, &indices[..1]).await.expect("redacted");
    let size = engine.size();
    assert_eq!(code(&ask(&engine, 0).await), "idempotency_mismatch");
    assert!(ask(&engine, 1).await.expect("answered").replayed, "the other one is as before");
    assert_eq!(engine.size(), size);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_deleted_or_brought_back_around_us_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let engine = fixture::started(Box::new(SqliteStore::open(&path).expect("a store"))).await;
    let indices = withdrawn(&engine, 3).await;
    let (salt, body) = {
        let details = engine.read({
            let index = indices[1];
            move |reader| reader.details(index)
        });
        let details = details.await.expect("readable").expect("details");
        (details.salt, details.body)
    };
    redact(&engine, &[indices[1]]).await.expect("redacted");
    engine.stop().await;
    drop(engine);
    let found = || {
        let mut reader = SqliteStore::open_read_only(&path).expect("a reader");
        let damage = verification(reader.as_mut())
            .map_err(|error| (error.code().into_owned(), error.index(), error.to_string()));
        damage.map(|verified| verified.redacted)
    };
    assert_eq!(found(), Ok(1));
    let connection = Connection::open(&path).expect("a connection");
    let row = |index: u64| i64::try_from(index).expect("a small log");
    let sql = "UPDATE details SET redacted_by = NULL, salt = ?2, body = ?3 WHERE idx = ?1";
    connection.execute(sql, rusqlite::params![row(indices[1]), salt, body]).expect("brought back");
    let Err((code, Some(index), said)) = found() else { panic!("{:?}", found()) };
    assert!(
        code == "details" && index == indices[1] && said.contains("says that the details were deleted"),
        "{said}"
    );

    // Put away again, and another one with it, as if the same redaction had named it.
    let sql = "UPDATE details SET redacted_by = 99, salt = NULL, body = NULL WHERE idx IN (?1, ?2)";
    connection.execute(sql, [row(indices[1]), row(indices[2])]).expect("deleted");
    let Err((code, Some(index), said)) = found() else { panic!("{:?}", found()) };
    assert!(code == "details" && index == indices[2] && said.contains("no later entry says"), "{said}");
}

/// Entries are read 2,048 at once, so after the first lot there is still something to come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_may_be_redacted_while_it_is_verified() {
    let memory = MemoryStore::new();
    let engine = fixture::started(Box::new(memory.clone())).await;
    let seen = withdrawn(&engine, 1).await[0];
    let ping = || {
        let ping = Reserve {
            action: fixture::ping(),
            parameters_sha256: Digest::of(b""),
            approval: None,
            exceptions: Vec::new(),
        };
        by(&engine, ANA, Command::ReservePermit(ping))
    };
    while engine.size() < 2_100 {
        ping().await.expect("a permit");
    }
    let (coming, id) = asked(&engine, 1).await;
    by(&engine, ANA, Command::Withdraw(id)).await.expect("taken back");
    signed(&engine).await;
    let (begun_at, runtime) = (engine.size(), tokio::runtime::Handle::current());
    let mut once = Some(engine.clone());
    let mut walk = move || {
        let keys = [VerifierKey::parse(&fixture::signer().vkey()).expect("a key")];
        let trust = Trust { origin: fixture::ORIGIN, keys: &keys, redactions: Redactions::Explained };
        countersign_server::verification::verify(&mut memory.clone(), &trust, &mut |_| {
            if let Some(engine) = once.take() {
                runtime.block_on(redact(&engine, &[seen, coming])).expect("redacted");
            }
        })
    };
    let verified = tokio::task::spawn_blocking(move || (walk(), walk())).await.expect("no panic");
    let (during, after) = (verified.0.expect("no damage"), verified.1.expect("no damage"));
    assert!(during.size > begun_at, "it went on to the entry that says why");
    assert_eq!((during.redacted, after.redacted), (1, 2));
    engine.stop().await;
}

/// Waits until a checkpoint vouches for something.
async fn signed(engine: &Engine) {
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(5));
    while engine.checkpoint().is_none() {
        ticks.tick().await;
    }
}
