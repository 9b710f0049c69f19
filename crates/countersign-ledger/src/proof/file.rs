//! Proof files (c2sp.org/tlog-proof, `c2sp.org/tlog-proof@v1`): an entry's inclusion and the signed checkpoint that it
//! leads to, verifiable by whoever has the entry and the log's key, without the log.
//!
//! The specification is not tagged yet. The entry itself is not in the file.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use super::{ProofError, verify_inclusion};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::hash::Hash;
use crate::line;
use crate::note::{VerifierKey, unverified_text};

/// The first line.
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// The most hashes a proof can have: a tree of a 64-bit size is at most 64 levels high.
const MAX_HASHES: usize = 64;

/// The largest extra data in bytes. It is no part of the proof, so it may not make one unwieldy.
pub const MAX_EXTRA: usize = 1 << 16;

/// A proof file. Its text form is the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofFile {
    /// What the application added; none if empty. Nothing authenticates it.
    pub extra: Vec<u8>,
    /// The index of the entry.
    pub index: u64,
    /// The inclusion proof, from the leaf's sibling to the root's child.
    pub proof: Vec<Hash>,
    /// The signed checkpoint, verbatim. Its form is right in every file that was parsed, its signatures may not be.
    pub checkpoint: String,
}

/// Why a proof file cannot be read, or proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProofFileError {
    /// The text does not have the form of a proof file.
    Malformed(&'static str),
    /// The checkpoint is malformed or not signed by a trusted key.
    Checkpoint(CheckpointError),
    /// The checkpoint is of another log.
    Origin,
    /// The entry is not where the file says.
    Proof(ProofError),
}

impl fmt::Display for ProofFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "malformed proof file: {why}"),
            Self::Checkpoint(error) => write!(f, "{error}"),
            Self::Origin => f.write_str("the proof's checkpoint is of another log"),
            Self::Proof(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for ProofFileError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Checkpoint(error) => Some(error),
            Self::Proof(error) => Some(error),
            Self::Malformed(_) | Self::Origin => None,
        }
    }
}

impl ProofFile {
    /// Checks that the entry with this leaf hash is in the log with this origin, as one of its keys has signed.
    /// Returns the checkpoint that says so.
    ///
    /// # Errors
    /// The checkpoint is not signed by one of the keys, is of another log, or the proof does not lead to its root.
    pub fn verify(
        &self,
        leaf_hash: Hash,
        origin: &str,
        keys: &[VerifierKey],
    ) -> Result<Checkpoint, ProofFileError> {
        let checkpoint = Checkpoint::open(&self.checkpoint, keys).map_err(ProofFileError::Checkpoint)?;
        if checkpoint.origin != origin {
            return Err(ProofFileError::Origin);
        }
        self.leads_to(leaf_hash, &checkpoint).map_err(ProofFileError::Proof)?;
        Ok(checkpoint)
    }

    /// Checks that the entry with this leaf hash is in the tree of a checkpoint that was opened otherwise, such as by a
    /// [witness policy](crate::witness::Policy::open).
    ///
    /// # Errors
    /// The proof does not lead to the checkpoint's root.
    pub fn leads_to(&self, leaf_hash: Hash, checkpoint: &Checkpoint) -> Result<(), ProofError> {
        verify_inclusion(leaf_hash, self.index, checkpoint.size, &self.proof, &checkpoint.root)
    }
}

impl fmt::Display for ProofFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if !self.extra.is_empty() {
            writeln!(f, "extra {}", line::to_base64(&self.extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.proof {
            writeln!(f, "{}", line::of_hash(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for ProofFile {
    type Err = ProofFileError;

    fn from_str(text: &str) -> Result<Self, ProofFileError> {
        let malformed = ProofFileError::Malformed;
        // The checkpoint has an empty line of its own, so the first one separates.
        let (head, checkpoint) = text.split_once("\n\n").ok_or(malformed("it has no empty line"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(malformed("it does not start with `c2sp.org/tlog-proof@v1`"));
        }
        let extra = lines.next_if(|line| line.starts_with("extra ")).map(parse_extra).transpose()?;
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index ").and_then(line::decimal))
            .ok_or(malformed("the index is missing or not a plain decimal number"))?;
        let proof: Vec<Hash> = lines
            .map(|line| line::hash(line).ok_or(malformed("a line of the proof is not a hash in base64")))
            .collect::<Result<_, _>>()?;
        if proof.len() > MAX_HASHES {
            return Err(malformed("no tree is so high"));
        }
        let note = unverified_text(checkpoint).map_err(CheckpointError::Note);
        note.and_then(Checkpoint::parse).map_err(ProofFileError::Checkpoint)?;
        Ok(Self { extra: extra.unwrap_or_default(), index, proof, checkpoint: checkpoint.to_string() })
    }
}

fn parse_extra(line: &str) -> Result<Vec<u8>, ProofFileError> {
    let extra = line.strip_prefix("extra ").and_then(line::base64).unwrap_or_default();
    if extra.is_empty() || extra.len() > MAX_EXTRA {
        return Err(ProofFileError::Malformed("the extra data is not base64, empty or too large"));
    }
    Ok(extra)
}
