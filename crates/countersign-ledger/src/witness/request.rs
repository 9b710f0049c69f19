//! The body of `POST add-checkpoint`: the size the witness saw last, the proof from there, and the signed checkpoint.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::hash::Hash;
use crate::line;
use crate::note::unverified_text;

/// The most hashes of a consistency proof.
pub const MAX_PROOF: usize = 63;

/// A request for a cosignature. Its text form is the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size of the checkpoint that the log believes the witness to have cosigned last; 0 for none.
    pub old_size: u64,
    /// The consistency proof from there; empty if the old size is 0.
    pub proof: Vec<Hash>,
    /// The signed checkpoint, verbatim. Its form is right in every request that was parsed, its signatures may not be.
    pub checkpoint: String,
}

/// Why a body is no request; a witness answers it with 400.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestError {
    /// The lines before the checkpoint are wrong.
    Malformed(&'static str),
    /// What follows them is no checkpoint in a signed note.
    Checkpoint(CheckpointError),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "malformed request: {why}"),
            Self::Checkpoint(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for RequestError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Malformed(_) => None,
            Self::Checkpoint(error) => Some(error),
        }
    }
}

impl AddCheckpoint {
    /// The checkpoint as it claims to be. Its origin says whose keys to verify it with.
    ///
    /// # Errors
    /// It is malformed, which it cannot be in a request that was parsed.
    pub fn unverified_checkpoint(&self) -> Result<Checkpoint, CheckpointError> {
        Checkpoint::parse(unverified_text(&self.checkpoint)?)
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        for hash in &self.proof {
            writeln!(f, "{}", line::of_hash(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for AddCheckpoint {
    type Err = RequestError;

    fn from_str(body: &str) -> Result<Self, RequestError> {
        let malformed = RequestError::Malformed;
        let (head, checkpoint) = body.split_once("\n\n").ok_or(malformed("it has no empty line"))?;
        let mut lines = head.split('\n');
        let old_size = lines
            .next()
            .and_then(|line| line.strip_prefix("old ").and_then(line::decimal))
            .ok_or(malformed("it does not start with `old` and a plain decimal number"))?;
        let proof: Vec<Hash> = lines
            .map(|line| line::hash(line).ok_or(malformed("a line of the proof is not a hash in base64")))
            .collect::<Result<_, _>>()?;
        if proof.len() > MAX_PROOF {
            return Err(malformed("the proof has more than 63 hashes"));
        }
        let request = Self { old_size, proof, checkpoint: checkpoint.to_string() };
        request.unverified_checkpoint().map_err(RequestError::Checkpoint)?;
        Ok(request)
    }
}
