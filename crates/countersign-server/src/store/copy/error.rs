//! Why a ledger was not copied: which of the two stores it is about, and what would be right.

use std::fmt;

use countersign_ledger::hash::Hash;

use crate::store::StoreError;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that is copied.
    Source,
    /// The one that it is copied to.
    Target,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Target => "target",
        })
    }
}

impl Side {
    /// The error of this store.
    pub(super) fn says(self) -> impl Fn(StoreError) -> CopyError {
        move |error| CopyError::Store { side: self, error }
    }
}

/// Why a ledger was not copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// One of the stores failed.
    #[error("the {side}: {error}")]
    Store {
        /// Which.
        side: Side,
        /// How.
        error: StoreError,
    },
    /// There is nothing to copy.
    #[error("the source holds no log")]
    Nothing,
    /// The target has more of a log.
    #[error("the target holds {target} entries, the source {from}: it is ahead, or the log of somebody else")]
    Ahead {
        /// Its size.
        target: u64,
        /// The source's.
        from: u64,
    },
    /// The target has another log.
    #[error(
        "the target holds another log: its {size} entries have the root {target}, the first {size} of the source {from}"
    )]
    OtherLog {
        /// How many entries the target has.
        size: u64,
        /// Its root.
        target: Hash,
        /// The source's at that size.
        from: Hash,
    },
    /// Somebody else appends to the target.
    #[error("somebody else writes the target: it was at {expected} entries and is at {found}")]
    Written {
        /// What we left it at.
        expected: u64,
        /// What it is at.
        found: u64,
    },
    /// The source does not stand still.
    #[error("the source is being written: it grew in each of {rounds} rounds, to {size} entries by now")]
    Moving {
        /// How often it was looked.
        rounds: u32,
        /// Its size.
        size: u64,
    },
    /// An entry of the source is damaged or missing.
    #[error("the source is damaged: entry {index} is missing or does not have its hash")]
    SourceEntry {
        /// Which.
        index: u64,
    },
    /// Its entries and its head contradict each other.
    #[error("the source is damaged: its {size} entries do not give its root")]
    SourceRoot {
        /// How many.
        size: u64,
    },
    /// Both were read again, and something is not the same.
    #[error("the copy is not the same: {what} differ ({place})")]
    Differs {
        /// What.
        what: &'static str,
        /// Where.
        place: String,
    },
    /// The target's leaves do not give the source's root.
    #[error(
        "the copy is not the same: the target's {size} entries have the root {target}, the source's {from}"
    )]
    TargetRoot {
        /// How many.
        size: u64,
        /// Computed from the target's leaves.
        target: Hash,
        /// The source's.
        from: Hash,
    },
}

impl CopyError {
    /// What to do about it, where that is not obvious.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Ahead { .. } | Self::OtherLog { .. } => Some(
                "nothing was written; name an empty target, or the one an earlier copy of this log began",
            ),
            Self::Moving { .. } => {
                Some("stop the nodes that write the source, then run the same again: it goes on")
            }
            Self::Written { .. } => Some(
                "nobody may write the target before the copy is done: stop them, and begin with an empty one",
            ),
            Self::SourceEntry { .. } | Self::SourceRoot { .. } => Some(
                "verify it with `countersign ledger verify`; docs/guides/damaged-ledger.md says what to do",
            ),
            Self::Differs { .. } | Self::TargetRoot { .. } => {
                Some("do not serve the target; begin again with an empty one, and verify the source")
            }
            Self::Store { .. } | Self::Nothing => None,
        }
    }
}
