//! Which version a signing worker uses, some time after a promotion. Pure.
//!
//! Workers pick up a new key one after the other, evenly spread over the lag. For that moment old and new are
//! both in use, which is why a rotation needs an overlap.

use std::time::{Duration, Instant};

use crate::Version;

/// One of several workers, counted from 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Worker {
    pub(super) number: u16,
    pub(super) of: u16,
}

/// The last promotion as far as a worker may not have followed it yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Switch {
    pub(super) before: Version,
    pub(super) at: Instant,
}

/// The version `worker` signs with at `now`, when `current` is what was promoted last.
pub(super) fn version_for(
    worker: Worker,
    current: Version,
    switch: Option<Switch>,
    clock: (Instant, Duration),
) -> Version {
    let (now, lag) = clock;
    let own_lag = lag * u32::from(worker.number + 1) / u32::from(worker.of.max(1));
    match switch {
        Some(Switch { before, at }) if now.saturating_duration_since(at) < own_lag => before,
        _ => current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_switch_one_after_the_other() {
        let at = Instant::now();
        let lag = Duration::from_millis(400);
        let switch = Some(Switch { before: 1, at });
        for (after_ms, expect) in [
            (0, [1, 1, 1, 1]),
            (100, [2, 1, 1, 1]),
            (250, [2, 2, 1, 1]),
            (399, [2, 2, 2, 1]),
            (400, [2, 2, 2, 2]),
        ] {
            let now = at + Duration::from_millis(after_ms);
            let versions =
                [0, 1, 2, 3].map(|number| version_for(Worker { number, of: 4 }, 2, switch, (now, lag)));
            assert_eq!(versions, expect, "{after_ms} ms after the promotion");
        }
    }

    #[test]
    fn without_a_switch_or_a_lag_the_current_version_signs() {
        let now = Instant::now();
        let worker = Worker { number: 3, of: 4 };
        assert_eq!(version_for(worker, 2, None, (now, Duration::from_secs(9))), 2);
        assert_eq!(version_for(worker, 2, Some(Switch { before: 1, at: now }), (now, Duration::ZERO)), 2);
    }
}
