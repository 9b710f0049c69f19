//! The log's key is rotated while the engine runs: who signs from then on, who can verify, and what is no rotation.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::action::Action;
use countersign_core::digest::Digest;
use countersign_core::id::ApprovalId;
use countersign_core::log::key::{self, Handover, RotateLogKey};
use countersign_core::permit::Reserve;
use countersign_core::{Actor, Command};
use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::keys::{CrossSigned, LogSigner};
use countersign_ledger::note::Ed25519Signer;
use countersign_server::engine::{CrossSignError, Engine, EngineError, Options, StartError, Submission};
use countersign_server::store::Store;
use countersign_server::store::memory::MemoryStore;
use countersign_server::store::sqlite::SqliteStore;

use super::fixture::{self, ANA, by, code, next_signer, signer, verification_by};

fn action() -> Action {
    key::rotation().expect("an action")
}

fn command(signed: &CrossSigned, approval: ApprovalId) -> RotateLogKey {
    let CrossSigned { handover, old_signature, new_signature } = signed;
    let handover = Handover {
        old_key: handover.old.to_string(),
        new_key: handover.new.to_string(),
        size: handover.size,
        root: Digest(handover.root.0),
        old_signature: STANDARD.encode(old_signature),
        new_signature: STANDARD.encode(new_signature),
    };
    RotateLogKey { handover, approval, parameters_sha256: Digest::of(b"parameters") }
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

/// The last checkpoint covers everything.
async fn all_signed(engine: &Engine) {
    while engine.checkpoint().is_none_or(|checkpoint| checkpoint.size < engine.size()) {
        tokio::task::yield_now().await;
    }
}

/// Rotates from the fixture's key to the next.
pub(crate) async fn rotated(engine: &Engine) {
    let approval = fixture::approved_for(engine, action()).await;
    all_signed(engine).await;
    let signed = engine.cross_sign().await.expect("both sign");
    by(engine, ANA, Command::RotateLogKey(command(&signed, approval))).await.expect("the key is rotated");
}

fn stranger() -> Ed25519Signer {
    Ed25519Signer::from_seed(fixture::ORIGIN, [9; 32]).expect("a signer")
}

fn with(signer: Ed25519Signer, next: Option<Ed25519Signer>, anchor: Option<PathBuf>) -> Options {
    let next_signer = next.map(|next| Arc::new(next) as Arc<dyn LogSigner>);
    Options { signer: Arc::new(signer), next_signer, anchor, ..fixture::options() }
}

/// Somebody who pinned the old key verifies, somebody who pinned the new one, and nobody else does.
fn assert_verifies_by_both(store: &mut dyn Store) {
    let head = store.head().expect("a head").size();
    for pinned in [signer(), next_signer()] {
        let verified = verification_by(store, &pinned).expect("no damage");
        assert_eq!((verified.size, verified.signed_size), (head, head));
        assert_eq!(verified.keys.tenures().len(), 2);
    }
    let other = verification_by(store, &stranger()).expect_err("nobody's log");
    assert_eq!(other.code(), "log_key_not_trusted");
}

fn signs(note: &str, key: &Ed25519Signer) -> bool {
    Checkpoint::open(note, &[key.verifier()]).is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_rotation_on_the_new_key_signs_and_whoever_pinned_either_can_verify() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, anchor) = (folder.path().join("ledger.db"), folder.path().join("checkpoint"));
    let open = || Box::new(SqliteStore::open(&path).expect("a store"));
    let start = |options| Engine::start(open(), options);
    let kept = || std::fs::read_to_string(&anchor).expect("a checkpoint");
    let both = || with(signer(), Some(next_signer()), Some(anchor.clone()));

    let engine = start(both()).expect("it starts");
    fixture::genesis(&engine).await;
    rotated(&engine).await;
    all_signed(&engine).await;
    assert!(signs(&kept(), &next_signer()) && !signs(&kept(), &signer()));
    ping(&engine).await;
    let (keys, state) = (engine.keys(), engine.state());
    assert_eq!(keys.current(), Some(&next_signer().verifier()));
    engine.stop().await;
    drop(engine);
    assert_verifies_by_both(open().as_mut());

    // Whichever way the configuration names the key in force; from a snapshot, and from the entries alone.
    for options in [both(), with(next_signer(), None, Some(anchor.clone()))] {
        let again = start(options).expect("it starts again");
        assert_eq!((again.keys(), &*again.state()), (Arc::clone(&keys), &*state));
        again.stop().await;
    }
    rusqlite::Connection::open(&path)
        .expect("a database")
        .execute("DELETE FROM snapshot", [])
        .expect("deleted");
    let again = start(with(next_signer(), None, Some(anchor.clone()))).expect("it starts again");
    assert_eq!(again.keys(), keys);
    ping(&again).await;
    again.stop().await;
    drop(again);
    assert!(signs(&kept(), &next_signer()));
    assert_verifies_by_both(open().as_mut());

    // The retired key alone starts nothing, and a stranger's neither; both keys are shown.
    for configured in [signer(), stranger()] {
        let refused = start(with(configured, None, Some(anchor.clone()))).expect_err("refused");
        assert!(matches!(&refused, StartError::OtherKey { .. }), "{refused}");
        assert!(refused.to_string().contains(&next_signer().vkey()), "{refused}");
    }
    let before = kept();
    retired_key_forges_the_kept_checkpoint(&path, &anchor);
    let refused = start(with(next_signer(), None, Some(anchor.clone()))).expect_err("refused");
    assert!(refused.to_string().contains("retired key"), "{refused}");
    std::fs::write(&anchor, before).expect("written");
    start(with(next_signer(), None, Some(anchor.clone()))).expect("it starts").stop().await;
}

fn retired_key_forges_the_kept_checkpoint(path: &Path, anchor: &Path) {
    let head = SqliteStore::open_read_only(path).expect("a reader").head().expect("a head");
    let (size, root) = (head.size(), head.tree.root());
    let forged = Checkpoint { origin: fixture::ORIGIN.into(), size, root, extensions: Vec::new() };
    std::fs::write(anchor, forged.sign(&[&signer()]).expect("a note")).expect("written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handover_whose_signatures_do_not_hold_is_never_appended() {
    let engine = fixture::started(Box::new(MemoryStore::new())).await;
    let approval = fixture::approved_for(&engine, action()).await;
    all_signed(&engine).await;
    let good = engine.cross_sign().await.expect("both sign");
    let size = engine.size();
    let text = good.handover.to_text();
    let by_stranger =
        || countersign_ledger::note::NoteSigner::sign(&stranger(), text.as_bytes()).expect("signed");
    let swapped = CrossSigned {
        old_signature: good.new_signature.clone(),
        new_signature: good.old_signature.clone(),
        ..good.clone()
    };
    let mut elsewhere = good.handover.clone();
    elsewhere.origin = "ledger.test/another".into();
    let elsewhere = elsewhere.cross_sign(&signer(), &next_signer()).expect("signed");
    let mut early = good.clone();
    early.handover.size = 0;
    for (forged, told) in [
        (CrossSigned { old_signature: by_stranger(), ..good.clone() }, "old key"),
        (CrossSigned { new_signature: by_stranger(), ..good.clone() }, "new key"),
        (swapped, "old key"),
        (elsewhere, "old key"),
        (early, "size 0"),
    ] {
        let answer = by(&engine, ANA, Command::RotateLogKey(command(&forged, approval))).await;
        assert!(matches!(&answer, Err(EngineError::Unverified(why)) if why.contains(told)), "{answer:?}");
    }
    let nobody = Submission::new(Actor::Node, Command::RotateLogKey(command(&good, approval)));
    assert_eq!(code(&engine.submit(nobody).await), "not_a_person");
    assert_eq!(engine.size(), size, "nothing was appended");
    by(&engine, ANA, Command::RotateLogKey(command(&good, approval))).await.expect("the good one happens");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_next_key_there_is_no_handover() {
    let engine = Engine::start(Box::new(MemoryStore::new()), with(signer(), None, None)).expect("it starts");
    fixture::genesis(&engine).await;
    all_signed(&engine).await;
    assert!(matches!(engine.cross_sign().await, Err(CrossSignError::NoNextKey)));
    assert_eq!(engine.next_key(), None);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_the_store_reports_as_failed_is_found_when_the_log_is_followed() {
    use crate::store::faulty::{Fault, Faults, FaultyStore};
    for fault in [Fault::BeforePersisting, Fault::AfterPersisting] {
        let (memory, faults) = (MemoryStore::new(), Faults::default());
        let engine = fixture::started(Box::new(FaultyStore::new(memory.clone(), &faults))).await;
        let approval = fixture::approved_for(&engine, action()).await;
        all_signed(&engine).await;
        let signed = engine.cross_sign().await.expect("both sign");
        faults.fail(0, fault);
        let answer = by(&engine, ANA, Command::RotateLogKey(command(&signed, approval))).await;
        // Also without an idempotency key: what nobody said was kept is found in the log.
        assert_eq!(code(&answer), "ok", "{fault:?}");
        assert_eq!(engine.keys().current(), Some(&next_signer().verifier()));
        engine.stop().await;
        assert_verifies_by_both(&mut memory.clone());
    }
}
