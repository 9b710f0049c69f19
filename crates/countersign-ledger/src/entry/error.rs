//! Why an entry cannot be written or a leaf cannot be read.

use core::fmt;

use super::{MAX_INDEX, MAX_LEAF, MAX_NAME};
use crate::json::JsonError;

/// A violation of the leaf format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryError {
    /// The leaf does not have the members of version 1 in their places, or is not canonical strict JSON.
    Json(JsonError),
    /// The data is not canonical strict JSON.
    Data(JsonError),
    /// The data is not an object.
    DataNotObject,
    /// A name is empty, too long, or holds more than visible ASCII without quotes and backslashes.
    Name {
        /// The member.
        member: &'static str,
    },
    /// The time is not RFC 3339 in UTC with exactly milliseconds, or names no real instant.
    Time,
    /// The index is above [`MAX_INDEX`].
    Index,
    /// The subject sequence is zero or does not fit 32 bits.
    SubjectSeq,
    /// The details commitment is not a hash.
    DetailsHash,
    /// The leaf is larger than [`MAX_LEAF`] bytes.
    TooLarge {
        /// Its size in bytes.
        bytes: usize,
    },
    /// The leaf is not of version 1.
    Version,
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "the leaf is not an entry of version 1: {error}"),
            Self::Data(error) => write!(f, "the data is not canonical: {error}"),
            Self::DataNotObject => f.write_str("the data is not an object"),
            Self::Name { member } => write!(
                f,
                "`{member}` is not 1 to {MAX_NAME} visible ascii characters without quotes and backslashes"
            ),
            Self::Time => f.write_str("the time is not of the form `2026-11-23T10:00:00.123Z`"),
            Self::Index => write!(f, "the index is above {MAX_INDEX}"),
            Self::SubjectSeq => write!(f, "`subject_seq` is not between 1 and {}", u32::MAX),
            Self::DetailsHash => f.write_str("`details_sha256` is not 64 lower-case hexadecimal digits"),
            Self::TooLarge { bytes } => write!(f, "the leaf has {bytes} bytes, the limit is {MAX_LEAF}"),
            Self::Version => f.write_str("the leaf is not of version 1"),
        }
    }
}

impl core::error::Error for EntryError {}
