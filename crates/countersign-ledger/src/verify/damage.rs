//! What can be wrong with a stored log: where it starts, a stable code, and one sentence for people.

use core::fmt;

use crate::entry::EntryError;
use crate::keys::{CheckpointFault, KeyError};

/// The first damage found in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The first index that is bad. For [`DamageKind::Root`] the first that no earlier checkpoint covers; for the
    /// checkpoint kinds the size the checkpoint claims, or 0 if it claims none.
    pub index: u64,
    /// What is wrong there.
    pub what: DamageKind,
}

/// The kinds of damage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DamageKind {
    /// The leaf is not what was appended.
    LeafBytes(LeafFault),
    /// The details are not what the leaf commits to.
    Details(DetailsFault),
    /// The entry at this place is another one, or the place is empty.
    IndexGap {
        /// The index that had to come.
        expected: u64,
        /// The index that came.
        found: u64,
    },
    /// The subject's entries do not count up by one.
    SubjectGap {
        /// The `subject_seq` that had to come.
        expected: u64,
        /// The `subject_seq` that came.
        found: u32,
    },
    /// The entry is older than the one before it.
    Time,
    /// The log does not have the root that a signed checkpoint states.
    Root {
        /// The size of the checkpoint.
        size: u64,
    },
    /// The log ends before the size of a signed checkpoint.
    Truncated {
        /// The size of the checkpoint.
        size: u64,
    },
    /// A checkpoint is malformed, its signature does not hold, or its key may not sign it.
    CheckpointSignature(CheckpointFault),
    /// A checkpoint is of another log.
    CheckpointOrigin,
    /// A checkpoint was given after its size had been passed.
    CheckpointOrder,
    /// An entry names a key of the log and may not.
    Key(KeyError),
    /// None of the trusted keys is among those the log names for itself.
    NotTrusted,
}

/// How leaf bytes are damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeafFault {
    /// The hash stored beside the leaf is not the leaf's hash.
    StoredHash,
    /// The leaf is not an entry in canonical form.
    Malformed(EntryError),
}

/// How details are damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DetailsFault {
    /// The leaf commits to details that are not there, and no later entry says that they were deleted.
    Missing,
    /// A later entry says that the details were deleted, but they are there, or there never were any.
    Kept {
        /// The entry that says so.
        by: u64,
    },
    /// The entry says that details were deleted which were not written yet.
    Foretold {
        /// The entry it names.
        index: u64,
    },
    /// Details or salt differ from the commitment.
    Mismatch,
    /// There are details although the leaf commits to none.
    Unnamed,
}

impl DamageKind {
    /// A stable code for machines.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::LeafBytes(_) => "leaf_bytes",
            Self::Details(_) => "details",
            Self::IndexGap { .. } => "index_gap",
            Self::SubjectGap { .. } => "subject_gap",
            Self::Time => "time",
            Self::Root { .. } => "root",
            Self::Truncated { .. } => "truncated",
            Self::CheckpointSignature(CheckpointFault::Retired { .. }) => "checkpoint_retired_key",
            Self::CheckpointSignature(_) => "checkpoint_signature",
            Self::CheckpointOrigin => "checkpoint_origin",
            Self::CheckpointOrder => "checkpoint_order",
            Self::Key(_) => "log_key",
            Self::NotTrusted => "log_key_not_trusted",
        }
    }
}

impl fmt::Display for LeafFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StoredHash => f.write_str("the leaf does not have the hash stored beside it"),
            Self::Malformed(error) => write!(f, "{error}"),
        }
    }
}

impl fmt::Display for DetailsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str(
                "the details the leaf commits to are missing, and no later entry says that they were deleted",
            ),
            Self::Kept { by } => {
                write!(f, "entry {by} says that the details were deleted, but they are there or never were")
            }
            Self::Foretold { index } => {
                write!(
                    f,
                    "it says that the details of entry {index} were deleted, which does not come before it"
                )
            }
            Self::Mismatch => f.write_str("the details are not the ones the leaf commits to"),
            Self::Unnamed => f.write_str("there are details although the leaf commits to none"),
        }
    }
}

impl fmt::Display for DamageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeafBytes(fault) => write!(f, "{fault}"),
            Self::Details(fault) => write!(f, "{fault}"),
            Self::IndexGap { expected, found } => {
                write!(f, "index {expected} had to come here, but index {found} came")
            }
            Self::SubjectGap { expected, found } => {
                write!(f, "entry {expected} of the subject had to come here, but entry {found} came")
            }
            Self::Time => f.write_str("the time is before that of the entry before"),
            Self::Root { size } => write!(
                f,
                "the first {size} entries do not have the root of the signed checkpoint, so an entry from here on was changed"
            ),
            Self::Truncated { size } => {
                write!(f, "the log ends here, but a signed checkpoint vouches for {size} entries")
            }
            Self::CheckpointSignature(error) => {
                write!(f, "the checkpoint of this size is not valid: {error}")
            }
            Self::CheckpointOrigin => f.write_str("the checkpoint of this size is of another log"),
            Self::CheckpointOrder => f.write_str("the checkpoint of this size is not in its place"),
            Self::Key(error) => write!(f, "the entry does not change who signs the log: {error}"),
            Self::NotTrusted => {
                f.write_str("none of the keys that this log names is the one that was trusted")
            }
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {}: {}", self.index, self.what)
    }
}

impl core::error::Error for Damage {}
