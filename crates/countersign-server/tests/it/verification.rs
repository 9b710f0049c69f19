//! A stored log as its auditor walks it: what was cut off or emptied does not pass.

use std::collections::BTreeMap;

use countersign_core::digest::Digest;
use countersign_core::permit::Reserve;
use countersign_core::{Actor, Command, Event, Fact, Subject};
use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::hash::{Hash, leaf_hash};
use countersign_ledger::note::VerifierKey;
use countersign_ledger::verify::{Redactions, Trust, Verified};
use countersign_server::engine::Engine;
use countersign_server::engine::codec::{self, Position};
use countersign_server::store::memory::MemoryStore;
use countersign_server::store::sqlite::SqliteStore;
use countersign_server::store::{Batch, Head, NewEntry, Reader, Store, StoredCheckpoint};
use countersign_server::verification::{self, VerificationError};
use rusqlite::{Connection, params};

use crate::engine::fixture::{self, ANA, BEN, by, verification as verify};

fn code(result: &Result<Verified, VerificationError>) -> String {
    result.as_ref().map_or_else(VerificationError::code, |_| "verified".into()).into_owned()
}

async fn ping(engine: &Engine) {
    let ping = Reserve {
        action: fixture::ping(),
        parameters_sha256: Digest::of(b""),
        approval: None,
        exceptions: Vec::new(),
    };
    by(engine, ANA, Command::ReservePermit(ping)).await.expect("a permit");
}

#[test]
fn an_empty_log_shows_nothing() {
    assert_eq!(code(&verify(&mut MemoryStore::new())), "empty");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_whose_end_was_cut_off_does_not_pass_although_its_head_was_adjusted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let engine = fixture::started(Box::new(SqliteStore::open(&path).expect("a store"))).await;
    engine.stop().await;
    drop(engine);
    let head = |connection: &Connection| {
        connection.query_row("SELECT size, time_ms, frontier FROM head", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?))
        })
    };
    let earlier = head(&Connection::open(&path).expect("a connection")).expect("a head");

    let store = SqliteStore::open(&path).expect("a store");
    let engine = Engine::start(Box::new(store), fixture::options()).expect("it starts again");
    ping(&engine).await;
    engine.stop().await;
    drop(engine);
    let mut reader = SqliteStore::open_read_only(&path).expect("a reader");
    assert_eq!(code(&verify(reader.as_mut())), "verified");

    let connection = Connection::open(&path).expect("a connection");
    let last = ("UPDATE entries SET subject_seq = ?1 WHERE idx = ?2", earlier.0);
    connection.execute(last.0, params![2, last.1]).expect("updated");
    assert_eq!(code(&verify(reader.as_mut())), "subject_column");
    connection.execute(last.0, params![1, last.1]).expect("updated");
    assert_eq!(code(&verify(reader.as_mut())), "verified");
    let (size, time_ms, frontier) = earlier;
    connection.execute("DELETE FROM entries WHERE idx >= ?1", [size]).expect("deleted");
    connection.execute("DELETE FROM details WHERE idx >= ?1", [size]).expect("deleted");
    let adjusted = connection
        .execute("UPDATE head SET size = ?1, time_ms = ?2, frontier = ?3", params![size, time_ms, frontier]);
    assert_eq!(adjusted, Ok(1));
    assert_eq!(code(&verify(reader.as_mut())), "truncated");

    connection.execute("DELETE FROM checkpoints", []).expect("deleted");
    assert_eq!(code(&verify(reader.as_mut())), "unsigned");
}

/// A store with a log of these events, numbered, hashed and signed as if they had happened.
fn written(events: &[Event], blobs: &[(Hash, Vec<u8>)]) -> MemoryStore {
    let (mut head, mut counts) = (Head::empty(), BTreeMap::<Subject, u32>::new());
    let mut entries = Vec::new();
    for event in events {
        let subject = event.fact.subject();
        let subject_seq = *counts.entry(subject.clone()).and_modify(|count| *count += 1).or_insert(1);
        let position = Position { index: head.size(), subject_seq };
        let leaf = codec::leaf(event, position, None).expect("a leaf");
        let leaf_hash = leaf_hash(&leaf);
        head.tree.push(leaf_hash);
        head.time_ms = event.at.as_millis();
        entries.push(NewEntry { leaf, leaf_hash, subject: subject.to_string(), subject_seq, details: None });
    }
    let checkpoint = Checkpoint {
        origin: fixture::ORIGIN.into(),
        size: head.size(),
        root: head.tree.root(),
        extensions: Vec::new(),
    };
    let note = checkpoint.sign(&[&fixture::signer()]).expect("a signed checkpoint");
    let batch = Batch {
        expected_size: 0,
        entries,
        nodes: Vec::new(),
        head,
        records: Vec::new(),
        blobs: blobs.to_vec(),
        idempotency: Vec::new(),
        redactions: Vec::new(),
    };
    let mut store = MemoryStore::new();
    store.append(&batch).expect("appended");
    store.save_checkpoint(&StoredCheckpoint { size: checkpoint.size, note }).expect("kept");
    store
}

/// What happened in a log, and the blobs it refers to.
fn read(store: &mut MemoryStore) -> (Vec<Event>, Vec<(Hash, Vec<u8>)>) {
    let stored = store.entries(0, usize::MAX).expect("entries");
    let decoded =
        stored.iter().map(|entry| codec::decode(entry.index, &entry.leaf, store).expect("it reads"));
    let events: Vec<Event> = decoded.map(|decoded| decoded.event).collect();
    let mut blobs = Vec::new();
    for event in &events {
        if let Fact::PolicyActivated(_, activated) = &event.fact {
            let hash = Hash(activated.policy_sha256.0);
            blobs.push((hash, store.blob(&hash).expect("an answer").expect("a policy")));
        }
    }
    (events, blobs)
}

/// Whoever has the database and the signing key can make any history pass as genuine, but not as allowed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_history_that_is_hashed_and_signed_does_not_pass() {
    let mut store = MemoryStore::new();
    let engine = fixture::started(Box::new(store.clone())).await;
    let approval = fixture::approved(&engine).await;
    by(&engine, ANA, fixture::reserve(approval)).await.expect("a permit");
    engine.stop().await;
    let (events, blobs) = read(&mut store);
    assert_eq!(code(&verify(&mut written(&events, &blobs))), "verified", "what happened may be written anew");

    let keys = [VerifierKey::parse(&fixture::signer().vkey()).expect("a key")];
    let trust = Trust { origin: fixture::ORIGIN, keys: &keys, redactions: Redactions::None };
    let caught = |events: &[Event]| {
        let mut forged = written(events, &blobs);
        verification::verify_bytes(&mut forged, &trust, &mut |_| ()).expect("its bytes are as good as any");
        let error = verify(&mut forged).expect_err("it was not allowed");
        (error.code().into_owned(), error.index().and_then(|index| usize::try_from(index).ok()))
    };
    let bens =
        |event: &Event| matches!(event.fact, Fact::ApprovalGranted(..)) && event.actor == Actor::Person(BEN);
    let vote = events.iter().position(bens).expect("Ben's vote");
    let mut own = events.clone();
    own[vote].actor = ANA.into();
    assert_eq!(caught(&own), ("meaning_self_approval".into(), Some(vote)));
    let mut alone = events.clone();
    alone.remove(vote);
    assert_eq!(caught(&alone), ("meaning_unprompted".into(), Some(vote + 1)));
    let end = events.len() - 1;
    assert_eq!(caught(&events[..end]), ("meaning_missing".into(), Some(end - 1)));
    let again = [events.as_slice(), &events[end - 1..]].concat();
    assert_eq!(caught(&again), ("meaning_already_consumed".into(), Some(end + 1)));
}
