//! The real clock, moved by as much as a test says.

use std::sync::atomic::{AtomicI64, Ordering};

use countersign_core::time::Time;
use countersign_server::clock::{Clock, ClockJumped, SystemClock};

#[derive(Debug, Default)]
pub(crate) struct MovedClock {
    real: SystemClock,
    pub(crate) ahead_ms: AtomicI64,
}

impl MovedClock {
    /// Ahead by so many milliseconds.
    pub(crate) fn ahead(by_ms: i64) -> Self {
        Self { ahead_ms: AtomicI64::new(by_ms), ..Self::default() }
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Result<Time, ClockJumped> {
        Ok(self.real.now()?.plus_millis(self.ahead_ms.load(Ordering::SeqCst)))
    }
}
