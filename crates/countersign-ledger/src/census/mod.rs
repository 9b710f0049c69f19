//! A census: how many entries each subject has, as a Merkle tree whose root is logged, so that an export about a few subjects can be
//! shown to be complete without shipping the log.
//!
//! The leaves are rows `{"count":3,"last":17,"subject":"apr_…"}` of all subjects with an entry below some size of the log, in strictly
//! ascending byte order of the subject; the tree is that of RFC 6962. `row` writes and reads leaves, `make` builds the tree and proofs in
//! one pass, `check` verifies proofs; the last two share no code but the row. That a row is in the tree is shown by its rank and an
//! inclusion proof; that a subject is not, by the two rows between which it would stand, which must be neighbours.
//!
//! A proof shows what the signed census *says*. That the census is true, and its rows sorted, is shown by whoever has all entries and
//! counts again; entries after its size are not counted by it.

mod check;
mod error;
mod make;
mod paths;
mod row;

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::hash::Hash;

pub use error::CensusError;
pub use make::{Builder, Prover};
pub use row::Row;

/// What is signed of a census: the number of its rows and the root over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census {
    /// How many subjects have an entry.
    pub subjects: u64,
    /// The RFC 6962 root over the rows.
    pub root_sha256: Hash,
}

/// A row, where it stands, and the proof of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placed {
    /// The position among the rows, from 0.
    pub rank: u64,
    /// The row.
    pub row: Row,
    /// The inclusion proof, from the leaf towards the root.
    pub proof: Vec<Hash>,
}

/// What a census says of one subject, with proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// The subject has entries: this is its row.
    Present(Placed),
    /// The subject has none: it would stand between these neighbours.
    Absent {
        /// The row before it; none if it would be the first.
        before: Option<Placed>,
        /// The row after it; none if it would be the last.
        after: Option<Placed>,
    },
}
