//! How old the proof is that the state shown to everybody is the log's.
//!
//! The writer proves it: each time it has committed, and each time it has looked at the store and found the log where it left it. Whoever
//! relies on the state (who belongs, which token is worth something) asks whether the proof is young enough. Here nothing is looked at and
//! nothing is decided about anybody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use countersign_core::sabotage::{self, Sabotage};
use countersign_core::session::How;
use countersign_core::{Event, Fact};

/// Within this time whoever was revoked or deactivated is refused; a node whose proof is older refuses everybody.
pub const REVOCATION_BOUND: Duration = Duration::from_secs(1);

/// How often the writer looks at a store in which it writes nothing: often enough that one failed look is no reason to refuse.
pub(super) const LOOK: Duration = Duration::from_millis(200);

/// When the state was last known to be the log's. Only ever gets younger.
#[derive(Debug)]
pub(super) struct Freshness {
    started: Instant,
    /// Microseconds after `started`.
    proven: AtomicU64,
}

impl Freshness {
    /// Proven just now: the state was recovered.
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), proven: AtomicU64::new(0) }
    }

    /// Everything that was handed in before `as_of` is in the state that is shown, and the log holds nothing else.
    pub(super) fn prove(&self, as_of: Instant) {
        let micros = as_of.saturating_duration_since(self.started).as_micros();
        self.proven.fetch_max(u64::try_from(micros).unwrap_or(u64::MAX), Ordering::AcqRel);
    }

    /// How old the proof is.
    pub(super) fn age(&self) -> Duration {
        let proven = Duration::from_micros(self.proven.load(Ordering::Acquire));
        self.started.elapsed().saturating_sub(proven)
    }

    /// Whether the proof is young enough to rely on.
    pub(super) fn holds(&self) -> bool {
        sabotage::is_active(Sabotage::StaleNode) || self.age() <= REVOCATION_BOUND
    }
}

/// Tells how long it took, from its arrival, until a command that takes something from somebody had effect: now.
pub(super) fn tell(events: &[Event], arrived: Instant) {
    for event in events {
        if let Some(subject) = taken_from(&event.fact) {
            metrics::histogram!("countersign_revocation_seconds", "subject" => subject)
                .record(arrived.elapsed().as_secs_f64());
        }
    }
}

/// What can do nothing any more from this event on.
fn taken_from(fact: &Fact) -> Option<&'static str> {
    match fact {
        Fact::SessionEnded(_, ended) if ended.how == How::Revoked => Some("session"),
        Fact::TokenRevoked(..) => Some("token"),
        Fact::PersonDeactivated(..) => Some("person"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_holds_for_the_bound_and_never_gets_older_by_another() {
        let long_ago = Instant::now().checked_sub(3 * REVOCATION_BOUND).unwrap();
        let freshness = Freshness { started: long_ago, proven: AtomicU64::new(0) };
        assert!(!freshness.holds() && freshness.age() >= 3 * REVOCATION_BOUND);
        freshness.prove(Instant::now());
        assert!(freshness.holds());
        freshness.prove(long_ago);
        assert!(freshness.holds() && freshness.age() < REVOCATION_BOUND);
    }
}
