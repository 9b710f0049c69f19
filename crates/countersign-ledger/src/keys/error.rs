//! Why a handover is not believed, and why a checkpoint is not the log's: each with the keys it is about.

use alloc::string::String;
use core::fmt;

use crate::checkpoint::CheckpointError;

/// One of the two keys of a handover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The key that is replaced.
    Old,
    /// The key that replaces it.
    New,
}

/// Why an entry does not change who signs the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyError {
    /// The data of the entry do not have the form of their kind; the member that is missing or odd.
    Form(&'static str),
    /// Not the verifier key of an Ed25519 log key.
    Key(String),
    /// The log names its first key twice.
    SecondBeginning,
    /// A rotation before the log names its first key.
    NoBeginning,
    /// The handover is of another log.
    Origin {
        /// The origin it names.
        named: String,
        /// The origin of this log.
        log: String,
    },
    /// The key that hands over is not the one in force.
    NotInForce {
        /// The key it names as the old one, as a vkey.
        named: String,
        /// The key in force, as a vkey.
        in_force: String,
    },
    /// The new key is, or was once, a key of this log.
    Reused(String),
    /// There were more than [`super::MAX_KEYS`] keys.
    TooMany,
    /// The checkpoint that is handed over lies behind the entry, or before what was handed over the last time.
    Size {
        /// The size it names.
        named: u64,
        /// The least it may name.
        least: u64,
        /// The index of the entry: the most it may name.
        most: u64,
    },
    /// The entries do not have the root that is handed over.
    Root {
        /// The size of the checkpoint it names.
        size: u64,
    },
    /// A signature over the handover does not hold.
    Signature(Side),
}

/// Why a checkpoint is not one of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckpointFault {
    /// It is malformed, or the key in force at its size has not signed it.
    Invalid(CheckpointError),
    /// It is signed by a key that had been replaced at that size.
    Retired {
        /// The key, as a vkey.
        key: String,
        /// The largest size it may sign.
        until: u64,
    },
    /// No entry names a key yet.
    NoKey,
    /// The key in force has signed it, but no trusted key is that one or leads to it.
    NotTrusted {
        /// The key in force, as a vkey.
        key: String,
    },
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Old => "old",
            Self::New => "new",
        })
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(member) => write!(f, "`{member}` is missing or not what it should be"),
            Self::Key(key) => write!(f, "`{}` is not the verifier key of a log", key.escape_debug()),
            Self::SecondBeginning => f.write_str("the log names its first key a second time"),
            Self::NoBeginning => f.write_str("a key is replaced before the log named its first one"),
            Self::Origin { named, log } => {
                write!(
                    f,
                    "the handover is of the log `{}`, not `{}`",
                    named.escape_debug(),
                    log.escape_debug()
                )
            }
            Self::NotInForce { named, in_force } => {
                write!(f, "the handover is by the key `{named}`, but `{in_force}` is in force")
            }
            Self::Reused(key) => write!(f, "the new key `{key}` has signed this log before"),
            Self::TooMany => f.write_str("the log has had too many keys"),
            Self::Size { named, least, most } => {
                write!(
                    f,
                    "the handover names a checkpoint of size {named}, which is not between {least} and {most}"
                )
            }
            Self::Root { size } => {
                write!(f, "the first {size} entries do not have the root that the old key handed over")
            }
            Self::Signature(side) => {
                write!(f, "the signature of the {side} key under the handover does not hold")
            }
        }
    }
}

impl fmt::Display for CheckpointFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(error) => write!(f, "{error}"),
            Self::Retired { key, until } => {
                write!(f, "it is signed by the retired key `{key}`, which may sign up to size {until}")
            }
            Self::NoKey => f.write_str("no entry names a key of the log"),
            Self::NotTrusted { key } => {
                write!(f, "it is signed by `{key}`, to which no trusted key has handed over")
            }
        }
    }
}

impl core::error::Error for KeyError {}

impl core::error::Error for CheckpointFault {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Invalid(error) => Some(error),
            Self::Retired { .. } | Self::NoKey | Self::NotTrusted { .. } => None,
        }
    }
}

impl From<CheckpointError> for CheckpointFault {
    fn from(error: CheckpointError) -> Self {
        Self::Invalid(error)
    }
}
