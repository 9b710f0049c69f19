//! The only clock. It is watched: a wall clock that jumps against the monotonic one is a reason to refuse, not to guess.

use std::fmt;
use std::ops::Add;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use countersign_core::time::Time;

/// By how much the wall clock may differ from what the monotonic clock says, milliseconds (design, section 4, "Clocks").
pub const TOLERANCE_MS: i64 = 2_000;

/// The zero of [`Moment`].
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A point on the monotonic clock of this process: how long things take is measured by it, and when they happened never is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// So long after the zero of this clock.
    #[must_use]
    pub const fn at(since_zero: Duration) -> Self {
        Self(since_zero)
    }

    /// The present of the machine's monotonic clock.
    #[must_use]
    pub fn present() -> Self {
        Self(BEGINNING.elapsed())
    }

    /// How long after the zero of this clock.
    #[must_use]
    pub const fn since_zero(self) -> Duration {
        self.0
    }

    /// How long ago `earlier` was then; nothing if it was later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }
}

/// Tells the time, or why it cannot be trusted.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Now.
    ///
    /// # Errors
    /// The clock jumped.
    fn now(&self) -> Result<Time, ClockJumped>;

    /// Now, for whoever only wants to know whether the clock can be trusted: no event gets this time.
    ///
    /// # Errors
    /// The clock jumped.
    fn glance(&self) -> Result<Time, ClockJumped> {
        self.now()
    }

    /// The present of the monotonic clock: the machine's, unless time itself is made up.
    fn moment(&self) -> Moment {
        Moment::present()
    }

    /// Keeps the thread waiting for about this long; where time is made up, nobody has to wait.
    fn pause(&self, pause: Duration) {
        std::thread::park_timeout(pause);
    }
}

/// The wall clock and the monotonic clock disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the wall clock differs from the monotonic clock by {by_ms} ms; set the clock right and restart the node"
)]
pub struct ClockJumped {
    /// Wall clock minus expectation, milliseconds.
    pub by_ms: i64,
}

/// The machine's clock, checked against its own monotonic clock since the node started.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    started_ms: i64,
}

impl SystemClock {
    /// Trusts the wall clock as of now.
    #[must_use]
    pub fn new() -> Self {
        Self { started: Instant::now(), started_ms: wall_ms() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Result<Time, ClockJumped> {
        let expected = self.started_ms.saturating_add(millis(self.started.elapsed()));
        let wall = wall_ms();
        let by_ms = wall.saturating_sub(expected);
        if by_ms.abs() > TOLERANCE_MS { Err(ClockJumped { by_ms }) } else { Ok(Time::from_millis(wall)) }
    }
}

fn wall_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
