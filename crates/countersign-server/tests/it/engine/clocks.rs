//! A clock that goes back or jumps: refused with a reason, nothing changed, and well again when the clock is.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use countersign_core::Command;
use countersign_core::digest::Digest;
use countersign_core::permit::Reserve;
use countersign_core::time::Time;
use countersign_server::clock::{Clock, ClockJumped, TOLERANCE_MS};
use countersign_server::engine::{Engine, EngineError, Options};
use countersign_server::store::memory::MemoryStore;

use super::fixture::{self, ANA, by};

const NOON: i64 = 1_795_428_000_000;

/// Shows what the test sets; a negative number is a jump.
#[derive(Debug)]
struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> Result<Time, ClockJumped> {
        match self.0.load(Ordering::SeqCst) {
            by_ms @ ..0 => Err(ClockJumped { by_ms }),
            millis => Ok(Time::from_millis(millis)),
        }
    }
}

async fn reserve(engine: &Engine) -> Result<Time, String> {
    let reserve = Reserve {
        action: fixture::ping(),
        parameters_sha256: Digest::of(b"{}"),
        approval: None,
        exceptions: Vec::new(),
    };
    match by(engine, ANA, Command::ReservePermit(reserve)).await {
        Ok(committed) => Ok(committed.events.first().expect("an event").at),
        Err(EngineError::Unavailable(why)) => Err(why),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_cannot_be_trusted_is_a_reason_to_refuse() {
    let clock = Arc::new(SetClock(AtomicI64::new(NOON)));
    let set = |millis| clock.0.store(millis, Ordering::SeqCst);
    let options = Options { clock: Arc::clone(&clock) as _, ..fixture::options() };
    let engine = Engine::start(Box::new(MemoryStore::new()), options).expect("the engine starts");
    fixture::genesis(&engine).await;

    // A little behind: time stands still, but never goes back.
    set(NOON - TOLERANCE_MS);
    assert_eq!(reserve(&engine).await, Ok(Time::from_millis(NOON)));
    let (state, size) = (engine.state(), engine.size());
    set(NOON - TOLERANCE_MS - 1);
    let why = "the clock is 2001 ms behind the last entry; set the clock right";
    assert_eq!(reserve(&engine).await, Err(why.to_owned()));
    set(-5_000);
    let jumped = reserve(&engine).await.expect_err("refused");
    assert!(jumped.contains("differs from the monotonic clock by -5000 ms"), "{jumped}");
    assert_eq!((engine.size(), engine.state()), (size, state));

    set(NOON + 1);
    assert_eq!(reserve(&engine).await, Ok(Time::from_millis(NOON + 1)));
    engine.stop().await;
}
