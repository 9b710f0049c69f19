//! Inclusion and consistency proofs of RFC 6962 trees, as RFC 9162, 2.1.3 and 2.1.4 define them, and inclusion of many leaves at once.
//!
//! `make` builds proofs from stored nodes, `check` verifies them. The two share no code, so a mistake in one is not
//! hidden by the other. Hashes in a proof go from the leaf towards the root. `file` is an inclusion proof as a file that
//! can be verified on its own.

mod check;
mod file;
mod make;

use core::convert::Infallible;
use core::fmt;

pub use check::{verify_batch, verify_consistency, verify_inclusion};
pub use file::{MAX_EXTRA, ProofFile, ProofFileError};
pub use make::{batch_proof, consistency_proof, inclusion_proof};

/// Why a proof cannot be made or does not hold; `E` is the error of the node storage when making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProofError<E = Infallible> {
    /// The leaf index is not below the tree size.
    IndexOutOfRange {
        /// The index asked for.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// Every log is consistent with an empty one, so such a proof says nothing and is refused.
    EmptyOldTree,
    /// The old tree is larger than the new one.
    OldLargerThanNew {
        /// The size of the old tree.
        old: u64,
        /// The size of the new tree.
        new: u64,
    },
    /// A proof of no leaves says nothing and is refused.
    NoLeaves,
    /// The leaves of a batch are not in the order of their indices, each once.
    NotAscending,
    /// The proof has more or fewer hashes than the sizes ask for.
    WrongLength,
    /// The hashes do not lead to the root.
    RootMismatch,
    /// A node could not be read.
    Nodes(E),
}

impl<E: fmt::Display> fmt::Display for ProofError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IndexOutOfRange { index, size } => {
                write!(f, "leaf index {index} is not below the tree size {size}")
            }
            Self::EmptyOldTree => f.write_str("consistency with an empty tree proves nothing"),
            Self::OldLargerThanNew { old, new } => {
                write!(f, "the old size {old} is above the new size {new}")
            }
            Self::NoLeaves => f.write_str("a proof of no leaves proves nothing"),
            Self::NotAscending => f.write_str("the leaves are not in ascending order, each once"),
            Self::WrongLength => f.write_str("the proof has the wrong number of hashes"),
            Self::RootMismatch => f.write_str("the proof does not lead to the root"),
            Self::Nodes(error) => write!(f, "cannot read a node: {error}"),
        }
    }
}

impl<E: fmt::Display + fmt::Debug> core::error::Error for ProofError<E> {}
