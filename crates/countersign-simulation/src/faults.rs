//! What happens to nodes: they crash, restart in good order, are cut off from the store, and their clocks jump. The weather at the store
//! changes with the season.

use std::time::Duration;

use crate::dice::Dice;
use crate::disk::Weather;

/// One thing that happens to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It dies, and comes back after this.
    Crash(Duration),
    /// It is stopped and started.
    Restart,
    /// It does not reach the store for this long.
    Cut(Duration),
    /// Its clock jumps by so many milliseconds.
    Jump(i64),
}

impl Fault {
    /// What happens in a step, if anything does.
    pub(crate) fn drawn(dice: &mut Dice) -> Option<Self> {
        match dice.below(1_000) {
            0..=3 => Some(Self::Crash(Duration::from_millis(50 + dice.below(20_000)))),
            4..=5 => Some(Self::Restart),
            6..=8 => Some(Self::Cut(Duration::from_millis(100 + dice.below(10_000)))),
            9 => {
                let by = i64::try_from(dice.below(8_000)).unwrap_or(0) - 4_000;
                Some(Self::Jump(by))
            }
            _ => None,
        }
    }
}

/// The weather of a season: fair, changeable, or stormy.
pub(crate) fn season(dice: &mut Dice) -> Weather {
    match dice.below(4) {
        0 => Weather::FAIR,
        1 | 2 => Weather { lost: 10, unheard: 10, late: 10, slow: 20, unreadable: 2 },
        _ => Weather { lost: 80, unheard: 80, late: 80, slow: 100, unreadable: 20 },
    }
}

/// How often calls to the world outside go wrong in a season, in a thousand.
pub(crate) fn trouble(dice: &mut Dice) -> u64 {
    dice.one(&[0, 100, 400]).copied().unwrap_or(0)
}
