//! The node's clock, held against that of the place where the log is kept.
//!
//! Nodes that share a database must mean the same by a deadline. None of them can say whose clock is right, so all of them are held against
//! the one clock they share, once a second; a node whose own differs by too much decides nothing until it is right again.

use std::time::Duration;

use countersign_core::time::Time;

use crate::clock::{Clock, Moment, TOLERANCE_MS};
use crate::store::Store;

/// How often they are compared.
const EVERY: Duration = Duration::from_secs(1);

/// When they were compared last.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    compared: Option<Moment>,
}

impl Clocks {
    /// Compares them, if it is time and there is an answer: by how much the node's clock is ahead, if by too much; milliseconds, else 0.
    pub(super) fn compare(&mut self, store: &mut dyn Store, clock: &dyn Clock) -> Option<i64> {
        let before = clock.moment();
        if self.compared.is_some_and(|compared| before.since(compared) < EVERY) {
            return None;
        }
        // A store that does not answer shows nothing about clocks, and is noticed by who looks for the head.
        let theirs = store.time().ok()??;
        let ours = clock.now().ok()?;
        let took = i64::try_from(clock.moment().since(before).as_millis()).unwrap_or(i64::MAX);
        self.compared = Some(before);
        Some(beyond_doubt(ours.as_millis().saturating_sub(theirs.as_millis()), took))
    }
}

/// Whether a node may decide by a clock that shows `now`, was found to be ahead by so much, and comes after the last entry's time.
pub(super) fn trusted(now: Time, (ahead_ms, head_ms): (i64, i64)) -> Result<(), String> {
    agree(ahead_ms)?;
    let behind = head_ms.saturating_sub(now.as_millis());
    if behind > TOLERANCE_MS {
        return Err(format!("the clock is {behind} ms behind the last entry; set the clock right"));
    }
    Ok(())
}

/// By how much a clock is ahead if that is too much whenever the other one was read, within the time that asking took; else 0.
fn beyond_doubt(ahead_ms: i64, took_ms: i64) -> i64 {
    if ahead_ms.saturating_sub(took_ms) > TOLERANCE_MS || ahead_ms < -TOLERANCE_MS { ahead_ms } else { 0 }
}

/// Whether a node may decide whose clock is ahead by so much.
fn agree(ahead_ms: i64) -> Result<(), String> {
    match ahead_ms {
        0 => Ok(()),
        1.. => Err(format!("the clock is {ahead_ms} ms ahead of the database's; set the clocks right")),
        _ => Err(format!("the clock is {} ms behind the database's; set the clocks right", -ahead_ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asking_took_is_held_against_nobody() {
        for (ahead, took, told) in [
            (TOLERANCE_MS, 0, 0),
            (TOLERANCE_MS + 1, 0, TOLERANCE_MS + 1),
            (TOLERANCE_MS + 500, 500, 0),
            (TOLERANCE_MS + 501, 500, TOLERANCE_MS + 501),
            (-TOLERANCE_MS, 500, 0),
            (-TOLERANCE_MS - 1, 500, -TOLERANCE_MS - 1),
        ] {
            assert_eq!(beyond_doubt(ahead, took), told, "{ahead} {took}");
        }
    }

    #[test]
    fn who_is_wrong_is_told_which_way() {
        assert_eq!(agree(0), Ok(()));
        assert!(agree(2_001).unwrap_err().contains("2001 ms ahead"));
        assert!(agree(-2_001).unwrap_err().contains("2001 ms behind"));
    }
}
