//! Every append fails once, before or after it was persisted; the people's journey ends the same, and a restart agrees.

use countersign_core::Command;
use countersign_core::id::{ApprovalId, PersonId};
use countersign_core::{Actor, Fact, approval};
use countersign_ledger::hash::sha256;
use countersign_server::engine::{Engine, EngineError, IdempotencyKey, Submission};
use countersign_server::store::memory::MemoryStore;

use super::fixture::{self, ANA, BEN, CHLOE};
use crate::store::faulty::{Fault, Faults, FaultyStore};

/// Appends of the journey below.
const STEPS: u64 = 4;

/// Asks, agrees twice and reserves, each under its own idempotency key, and tells what the log then holds.
async fn journey(engine: &Engine) -> Vec<&'static str> {
    let parameters_sha256 = countersign_core::digest::Digest::of(b"parameters");
    let request =
        Command::RequestApproval(approval::Request { action: fixture::payout(), parameters_sha256 });
    let requested = keyed(engine, ANA, ("request", request)).await.expect("taken");
    let Some(Fact::ApprovalRequested(id, _)) = requested.events.first().map(|event| event.fact.clone())
    else {
        panic!("expected a request, found {:?}", requested.events);
    };
    for step in approvals(id) {
        keyed(engine, step.0, ("vote", Command::Approve(id.into()))).await.expect("taken");
    }
    keyed(engine, ANA, ("reserve", fixture::reserve(id))).await.expect("taken");
    let entries = engine.read(|reader| reader.entries(0, 1_000)).await.expect("readable");
    let kind = |leaf: &[u8]| {
        let text = String::from_utf8_lossy(leaf).into_owned();
        Fact::KINDS.iter().find(|kind| text.contains(&format!("\"{kind}\""))).copied().unwrap_or("?")
    };
    entries.iter().map(|entry| kind(&entry.leaf)).collect()
}

fn approvals(id: ApprovalId) -> [(PersonId, ApprovalId); 2] {
    [(BEN, id), (CHLOE, id)]
}

async fn keyed(
    engine: &Engine,
    person: PersonId,
    (key, command): (&str, Command),
) -> Result<countersign_server::engine::Committed, EngineError> {
    let key = IdempotencyKey { key: key.to_owned(), body_sha256: sha256(key.as_bytes()) };
    engine.submit(Submission::new(Actor::Person(person), command).with_idempotency(key)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_append_neither_loses_nor_doubles_anything() {
    let undisturbed = {
        let engine = fixture::started(Box::new(MemoryStore::new())).await;
        let kinds = journey(&engine).await;
        engine.stop().await;
        kinds
    };
    for nth in 0..STEPS {
        for fault in [Fault::BeforePersisting, Fault::AfterPersisting, Fault::Lost] {
            let (memory, faults) = (MemoryStore::new(), Faults::default());
            let engine = fixture::started(Box::new(FaultyStore::new(memory.clone(), &faults))).await;
            faults.fail(nth, fault);
            assert_eq!(journey(&engine).await, undisturbed, "append {nth} fails: {fault:?}");
            let state = engine.state();
            engine.stop().await;
            let again = Engine::start(Box::new(memory), fixture::options()).expect("it starts again");
            assert_eq!(*again.state(), *state, "append {nth} fails: {fault:?}");
            again.stop().await;
        }
    }
}

/// Without an idempotency key nothing but the log tells that a command was carried out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_of_which_the_store_says_nothing_is_carried_out_once_and_said_to_be() {
    for fault in [Fault::AfterPersisting, Fault::Lost] {
        for more in [&[][..], &[Fault::BeforePersisting], &[Fault::Lost, Fault::Lost]] {
            let (memory, faults) = (MemoryStore::new(), Faults::default());
            let engine = fixture::started(Box::new(FaultyStore::new(memory.clone(), &faults))).await;
            let before = engine.size();
            for (nth, fault) in (0..).zip([fault].iter().chain(more)) {
                faults.fail(nth, *fault);
            }
            let id = fixture::requested(&engine).await;
            assert_eq!(engine.size(), before + 1, "{fault:?} and then {more:?}");
            assert!(engine.state().approval(id).is_some(), "{fault:?} and then {more:?}");
            engine.stop().await;
            fixture::verify(&mut memory.clone());
        }
    }
}

/// What nobody can find out is not called a failure: the first append is kept, and then the store is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_found_out_in_time_is_said_to_be_unknown() {
    let (memory, faults) = (MemoryStore::new(), Faults::default());
    let engine = fixture::started(Box::new(FaultyStore::new(memory, &faults))).await;
    let before = engine.size();
    faults.fail(0, Fault::AfterPersistingAndCutOff);
    let parameters_sha256 = countersign_core::digest::Digest::of(b"parameters");
    let request =
        Command::RequestApproval(approval::Request { action: fixture::payout(), parameters_sha256 });
    // Whoever only looks along is not concerned: what was refused in the same breath did not happen.
    let refused = fixture::by(&engine, BEN, Command::Approve(ApprovalId(1).into()));
    let asked = keyed(&engine, ANA, ("request", request.clone()));
    let (asked, refused) = tokio::join!(asked, refused);
    assert_eq!(fixture::code(&asked), "outcome_unknown");
    assert_ne!(fixture::code(&refused), "outcome_unknown");
    assert_ne!(fixture::code(&refused), "ok");
    faults.cut_off(false);
    let again = keyed(&engine, ANA, ("request", request)).await.expect("it is answered");
    assert!(again.replayed && again.first == before);
    while engine.size() == before {
        tokio::task::yield_now().await;
    }
    assert_eq!(engine.size(), before + 1);
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_keeps_failing_refuses_and_changes_nothing() {
    let (memory, faults) = (MemoryStore::new(), Faults::default());
    let engine = fixture::started(Box::new(FaultyStore::new(memory, &faults))).await;
    let (state, size) = (engine.state(), engine.size());
    for nth in 0..8 {
        faults.fail(nth, Fault::BeforePersisting);
    }
    let parameters_sha256 = countersign_core::digest::Digest::of(b"parameters");
    let request =
        Command::RequestApproval(approval::Request { action: fixture::payout(), parameters_sha256 });
    let answer = keyed(&engine, ANA, ("request", request.clone())).await;
    assert_eq!(fixture::code(&answer), "unavailable");
    assert_eq!((engine.size(), &*engine.state()), (size, &*state));
    // The other planned faults are used up by one more request; then the store works again.
    assert_eq!(fixture::code(&keyed(&engine, ANA, ("request", request.clone())).await), "unavailable");
    assert_eq!(fixture::code(&keyed(&engine, ANA, ("request", request)).await), "ok");
    engine.stop().await;
}
