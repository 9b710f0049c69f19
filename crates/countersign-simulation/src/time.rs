//! Time that passes when it is told to, and what each node's clock makes of it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use countersign_core::time::Time;
use countersign_server::clock::{Clock, ClockJumped, Moment, TOLERANCE_MS};

/// When every simulation begins, milliseconds since the Unix epoch: a Friday noon in November 2026.
const BEGINNING_MS: i64 = 1_795_780_800_000;

/// True time, which nobody in the simulation can ask.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timeline(Arc<AtomicU64>);

impl Timeline {
    /// Microseconds since the beginning.
    pub(crate) fn micros(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.0.fetch_add(micros, Ordering::Relaxed);
    }

    /// True time as a clock would show it.
    pub(crate) fn now(&self) -> Time {
        Time::from_millis(BEGINNING_MS.saturating_add(millis(self.micros())))
    }
}

/// The clock of a node: wrong by a little from the start, and by more after a jump. Like the machine's it notices jumps by the monotonic
/// clock, and from its start on trusts what it showed then.
pub(crate) struct NodeClock {
    timeline: Timeline,
    /// Milliseconds ahead of true time.
    skew: AtomicI64,
    /// Milliseconds ahead when the node started.
    trusted: i64,
}

impl fmt::Debug for NodeClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeClock").field("skew_ms", &self.skew).finish_non_exhaustive()
    }
}

impl NodeClock {
    /// A clock that is so many milliseconds ahead.
    pub(crate) fn ahead(timeline: Timeline, skew_ms: i64) -> Self {
        Self { timeline, skew: AtomicI64::new(skew_ms), trusted: skew_ms }
    }

    /// Lets the clock jump; back, if by less than nothing.
    pub(crate) fn jump(&self, by_ms: i64) {
        self.skew.fetch_add(by_ms, Ordering::Relaxed);
    }
}

impl Clock for NodeClock {
    fn now(&self) -> Result<Time, ClockJumped> {
        let skew = self.skew.load(Ordering::Relaxed);
        let by_ms = skew.saturating_sub(self.trusted);
        let now = self.timeline.now().plus_millis(skew);
        if by_ms.abs() > TOLERANCE_MS { Err(ClockJumped { by_ms }) } else { Ok(now) }
    }

    fn pause(&self, length: Duration) {
        self.timeline.pass(length);
    }

    fn moment(&self) -> Moment {
        Moment::at(Duration::from_micros(self.timeline.micros()))
    }
}

fn millis(micros: u64) -> i64 {
    i64::try_from(micros / 1_000).unwrap_or(i64::MAX)
}
