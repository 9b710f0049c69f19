//! Why rows do not make a census, and why a proof does not hold.

use core::fmt;

use crate::json::JsonError;
use crate::proof::ProofError;

/// Why a census or a proof about one is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CensusError {
    /// A row is not in its one form.
    Form(JsonError),
    /// A row's subject is not a name.
    Subject,
    /// A row's numbers cannot be: no entry at all, or more entries than there are up to its last.
    Count,
    /// A row does not stand after the one before it.
    Order,
    /// The proof is about other subjects: it is not their row, or they do not stand on either side of it.
    OtherSubject,
    /// Something may stand between the rows: they are not neighbours, or not the first or the last.
    NotAdjacent,
    /// The census has rows, but the proof shows none.
    NotEmpty,
    /// A row is not where the proof says.
    Proof(ProofError),
    /// The prover has lost a node of its tree: a fault of this program.
    Incomplete,
}

impl fmt::Display for CensusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(error) => write!(f, "a row of the census is not in its form: {error}"),
            Self::Subject => f.write_str("a row of the census is about something that is not a name"),
            Self::Count => f.write_str("a row of the census has numbers that cannot be"),
            Self::Order => f.write_str("the rows of the census are not in ascending order of subjects"),
            Self::OtherSubject => f.write_str("the proof is about other subjects"),
            Self::NotAdjacent => {
                f.write_str("the rows of the proof are not neighbours, so one may stand between them")
            }
            Self::NotEmpty => f.write_str("the proof says that the census is empty, but it has rows"),
            Self::Proof(error) => write!(f, "a row is not where the proof says: {error}"),
            Self::Incomplete => f.write_str("a node of the census tree is missing"),
        }
    }
}

impl core::error::Error for CensusError {}
