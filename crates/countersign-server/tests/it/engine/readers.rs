//! Whatever strangers ask, people find their readers free.

use std::sync::mpsc;
use std::time::Duration;

use countersign_server::engine::EngineError;
use countersign_server::store::memory::MemoryStore;
use tokio::task::JoinSet;

use super::fixture;

/// More than may run and wait together.
const FLOOD: usize = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_public_reads_is_bounded_and_keeps_nobody_else_waiting() {
    let engine = fixture::started(Box::new(MemoryStore::new())).await;
    let mut flood = JoinSet::new();
    let mut gates = Vec::new();
    for _ in 0..FLOOD {
        let (gate, closed) = mpsc::channel::<()>();
        gates.push(gate);
        let engine = engine.clone();
        flood.spawn(async move {
            // Stands for a long proof: over when the gate goes.
            engine.read_public(move |_| Ok(closed.recv().is_ok())).await
        });
    }
    let refused = flood.join_next().await.expect("a read").expect("no panic");
    assert!(matches!(refused, Err(EngineError::Unavailable(_))), "{refused:?}");
    let read = engine.read(|reader| reader.head());
    let head = tokio::time::timeout(Duration::from_secs(20), read).await.expect("nobody waits for strangers");
    assert!(head.expect("a head").size() > 0);

    gates.clear();
    let outcomes = flood.join_all().await;
    let answered = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert!((1..FLOOD / 2).contains(&answered), "{answered} of {FLOOD}");
    engine.read_public(|reader| reader.head()).await.expect("the flood is over");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_hangs_up_does_not_free_a_reader_that_is_busy() {
    let engine = fixture::started(Box::new(MemoryStore::new())).await;
    let (gate, closed) = mpsc::channel::<()>();
    let closed = std::sync::Arc::new(std::sync::Mutex::new(closed));
    let (begun, mut began) = tokio::sync::mpsc::unbounded_channel();
    // As many as there can be, all under way; then all hang up.
    let mut reads = JoinSet::new();
    for _ in 0..16 {
        let (engine, closed, begun) = (engine.clone(), closed.clone(), begun.clone());
        reads.spawn(async move {
            let wait = move |_: &mut dyn countersign_server::store::Reader| {
                begun.send(()).expect("somebody listens");
                drop(closed.lock().map(|closed| closed.recv()));
                Ok(())
            };
            engine.read_public(wait).await
        });
    }
    for _ in 0..4 {
        began.recv().await.expect("it begins");
    }
    reads.shutdown().await;
    // None is free, and none is said to be: the next one waits its turn.
    let next = engine.read_public(|reader| reader.head());
    tokio::pin!(next);
    let at_once = tokio::time::timeout(Duration::from_millis(50), &mut next).await;
    assert!(at_once.is_err(), "{at_once:?}");
    drop(gate);
    next.await.expect("a reader became free");
}
