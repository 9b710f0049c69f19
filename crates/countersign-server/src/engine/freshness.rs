//! How old the proof is that the state shown to everybody is the log's.
//!
//! The writer proves it: each time it has committed, and each time it has looked at the store and found the log where it left it. Whoever
//! relies on the state (who belongs, which token is worth something) asks whether the proof is young enough. Here nothing is looked at and
//! nothing is decided about anybody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use countersign_core::sabotage::{self, Sabotage};
use countersign_core::session::How;
use countersign_core::{Event, Fact};

use crate::clock::Moment;

/// Within this time whoever was revoked or deactivated is refused; a node whose proof is older refuses everybody.
pub const REVOCATION_BOUND: Duration = Duration::from_secs(1);

/// How often the writer looks at a store in which it writes nothing: often enough that one failed look is no reason to refuse.
pub(super) const LOOK: Duration = Duration::from_millis(200);

/// When the state was last known to be the log's. Only ever gets younger.
#[derive(Debug)]
pub(super) struct Freshness {
    /// Microseconds after the zero of the monotonic clock.
    proven: AtomicU64,
}

impl Freshness {
    /// Proven as of then: the state was recovered.
    pub(super) fn new(as_of: Moment) -> Self {
        Self { proven: AtomicU64::new(micros(as_of)) }
    }

    /// Everything that was handed in before `as_of` is in the state that is shown, and the log holds nothing else.
    pub(super) fn prove(&self, as_of: Moment) {
        self.proven.fetch_max(micros(as_of), Ordering::AcqRel);
    }

    /// How old the proof is now.
    pub(super) fn age(&self, now: Moment) -> Duration {
        now.since(Moment::at(Duration::from_micros(self.proven.load(Ordering::Acquire))))
    }

    /// Whether the proof is young enough to rely on.
    pub(super) fn holds(&self, now: Moment) -> bool {
        sabotage::is_active(Sabotage::StaleNode) || self.age(now) <= REVOCATION_BOUND
    }
}

fn micros(moment: Moment) -> u64 {
    u64::try_from(moment.since_zero().as_micros()).unwrap_or(u64::MAX)
}

/// Tells how long it took until a command that takes something from somebody had effect.
pub(super) fn tell(events: &[Event], took: Duration) {
    for event in events {
        if let Some(subject) = taken_from(&event.fact) {
            metrics::histogram!("countersign_revocation_seconds", "subject" => subject)
                .record(took.as_secs_f64());
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
        let (long_ago, now) = (Moment::at(Duration::ZERO), Moment::at(3 * REVOCATION_BOUND));
        let freshness = Freshness::new(long_ago);
        assert!(!freshness.holds(now) && freshness.age(now) == 3 * REVOCATION_BOUND);
        freshness.prove(now);
        assert!(freshness.holds(now + REVOCATION_BOUND));
        freshness.prove(long_ago);
        assert!(freshness.holds(now) && freshness.age(now) == Duration::ZERO);
        assert!(!freshness.holds(now + REVOCATION_BOUND + Duration::from_micros(1)));
    }
}
