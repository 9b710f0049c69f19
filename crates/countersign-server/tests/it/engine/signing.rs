//! Signers that are slow, fail, or never answer: commands are decided all the same, and no checkpoint is lost or out of order.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use countersign_core::Command;
use countersign_core::digest::Digest;
use countersign_core::permit::Reserve;
use countersign_ledger::keys::LogSigner;
use countersign_ledger::note::{NoteSigner, SignError, VerifierKey};
use countersign_server::engine::{Engine, Options};
use countersign_server::store::memory::MemoryStore;
use countersign_server::store::{Reader as _, StoredCheckpoint};

use super::fixture::{self, ANA, by};

/// What a signer says instead of signing, and whether it takes its time.
#[derive(Clone, Default)]
struct Mood(Arc<(Mutex<Now>, Condvar)>);

#[derive(Default)]
struct Now {
    error: Option<SignError>,
    slow: bool,
}

impl Mood {
    fn is(&self, error: Option<SignError>) {
        self.change(|now| now.error = error);
    }

    /// While it is slow, nothing is answered.
    fn slow(&self, slow: bool) {
        self.change(|now| now.slow = slow);
    }

    fn change(&self, change: impl FnOnce(&mut Now)) {
        change(&mut self.0.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.1.notify_all();
    }

    /// What it says, once it is not slow.
    fn answer(&self) -> Option<SignError> {
        let now = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.0.1.wait_while(now, |now| now.slow).unwrap_or_else(PoisonError::into_inner);
        now.error.clone()
    }
}

/// The fixture's key behind a service with moods.
struct Moody(Mood);

impl NoteSigner for Moody {
    fn name(&self) -> &str {
        fixture::ORIGIN
    }

    fn key_id(&self) -> u32 {
        fixture::signer().key_id()
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, SignError> {
        self.0.answer().map_or_else(|| fixture::signer().sign(text), Err)
    }
}

impl LogSigner for Moody {
    fn verifier(&self) -> VerifierKey {
        fixture::signer().verifier()
    }
}

async fn started(store: &MemoryStore, mood: &Mood) -> Engine {
    let options = Options { signer: Arc::new(Moody(mood.clone())), ..fixture::options() };
    let engine = Engine::start(Box::new(store.clone()), options).expect("the engine starts");
    if engine.size() == 0 {
        fixture::genesis(&engine).await;
    }
    engine
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

/// Waits for a condition, as long as it takes; a test that waits too long is ended from outside.
async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

fn signed(engine: &Engine) -> u64 {
    engine.checkpoint().map_or(0, |checkpoint| checkpoint.size)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_signer_keeps_nobody_waiting_and_the_newest_head_is_signed_at_last() {
    let (store, mood) = (MemoryStore::new(), Mood::default());
    let engine = started(&store, &mood).await;
    until(|| signed(&engine) == engine.size()).await;
    let before = engine.size();
    mood.slow(true);
    for _ in 0..50 {
        ping(&engine).await;
    }
    assert_eq!(engine.size(), before + 50);
    assert!(signed(&engine) == before && engine.ready().is_ok());
    mood.slow(false);
    until(|| signed(&engine) == engine.size()).await;
    engine.stop().await;
    assert_in_order(&store);
    fixture::verify(&mut store.clone());
}

/// Sizes ascend, and there are not as many checkpoints as entries.
fn assert_in_order(store: &MemoryStore) {
    let kept: Vec<StoredCheckpoint> = store.clone().checkpoints(0, 1_000).expect("checkpoints");
    let claimed = kept.iter().map(|kept| kept.note.lines().nth(1).and_then(|size| size.parse().ok()));
    assert!(claimed.eq(kept.iter().map(|kept| Some(kept.size))), "{kept:?}");
    assert!(kept.windows(2).all(|pair| pair[0].size < pair[1].size), "{kept:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_signer_is_asked_again_and_the_trouble_is_told() {
    for (error, word) in [
        (SignError::Unavailable("timeout".into()), "signer-unavailable"),
        (SignError::Refused("the key is disabled".into()), "signer-refuses"),
    ] {
        let (store, mood) = (MemoryStore::new(), Mood::default());
        let engine = started(&store, &mood).await;
        until(|| signed(&engine) == engine.size()).await;
        assert!(engine.signing_trouble().is_none());
        mood.is(Some(error));
        ping(&engine).await;
        until(|| engine.signing_trouble().is_some_and(|trouble| trouble.failures >= 2)).await;
        let trouble = engine.signing_trouble().expect("trouble");
        assert_eq!(trouble.word, word);
        assert_eq!(signed(&engine), engine.size() - 1, "what was not signed is not shown");
        ping(&engine).await;
        mood.is(None);
        until(|| signed(&engine) == engine.size()).await;
        assert!(engine.signing_trouble().is_none());
        engine.stop().await;
        assert_in_order(&store);
        fixture::verify(&mut store.clone());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_waits_for_the_signature_under_way_and_for_the_last_head() {
    let (store, mood) = (MemoryStore::new(), Mood::default());
    let engine = started(&store, &mood).await;
    mood.slow(true);
    ping(&engine).await;
    let stopping = tokio::spawn({
        let engine = engine.clone();
        async move { engine.stop().await }
    });
    tokio::task::yield_now().await;
    mood.slow(false);
    stopping.await.expect("it stops");
    assert_eq!(signed(&engine), engine.size());
    fixture::verify(&mut store.clone());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_signer_left_is_signed_after_the_next_start() {
    let (store, mood) = (MemoryStore::new(), Mood::default());
    let engine = started(&store, &mood).await;
    until(|| signed(&engine) == engine.size()).await;
    mood.is(Some(SignError::Unavailable("gone".into())));
    ping(&engine).await;
    engine.stop().await;
    assert_eq!(signed(&engine), engine.size() - 1);
    mood.is(None);
    let again = started(&store, &mood).await;
    assert_eq!(signed(&again), again.size() - 1);
    until(|| signed(&again) == again.size()).await;
    again.stop().await;
    fixture::verify(&mut store.clone());
}
