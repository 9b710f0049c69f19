//! How long the next one has to wait once there were some: a second, and each time twice as long.

use countersign_core::time::Time;

/// How many make nobody wait, how long one waits at most, and after how long without any they are forgotten, seconds.
pub(super) struct Limit {
    pub free: u32,
    pub longest: u32,
    pub quiet: u32,
}

/// What came for one place.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Strikes {
    count: u32,
    /// Until when the next one waits.
    until: Time,
}

impl Strikes {
    pub(super) fn strike(&mut self, now: Time, limit: &Limit) {
        let before = if self.is_forgotten(now, limit) { 0 } else { self.count };
        self.count = before.saturating_add(1);
        let beyond = self.count.saturating_sub(limit.free);
        let wait =
            beyond.checked_sub(1).map_or(0, |doublings| 1_u32.checked_shl(doublings).unwrap_or(u32::MAX));
        self.until = now.plus_seconds(wait.min(limit.longest));
    }

    /// As if this one had not come.
    pub(super) fn take_back(&mut self, now: Time) {
        self.count = self.count.saturating_sub(1);
        self.until = now;
    }

    /// Seconds left, rounded up. A clock that was put back makes nobody wait for longer than the limit.
    pub(super) fn left(&self, now: Time, limit: &Limit) -> u32 {
        let left_ms = self.until.as_millis().saturating_sub(now.as_millis());
        let seconds = u64::try_from(left_ms).unwrap_or(0).div_ceil(1_000);
        u32::try_from(seconds).unwrap_or(u32::MAX).min(limit.longest)
    }

    pub(super) fn is_forgotten(&self, now: Time, limit: &Limit) -> bool {
        now >= self.until.plus_seconds(limit.quiet)
    }
}
