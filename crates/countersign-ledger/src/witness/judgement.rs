//! What a witness decides about a request, given what it cosigned last. Pure: whoever calls it stores and signs.

use alloc::string::String;
use core::fmt;

use super::AddCheckpoint;
use crate::checkpoint::Checkpoint;
use crate::hash::{Hash, empty_root, sha256};
use crate::line;
use crate::note::VerifierKey;
use crate::proof::verify_consistency;

/// The media type of the size that a witness answers with a 409.
pub const SIZE_MEDIA_TYPE: &str = "text/x.tlog.size";

/// What a witness remembers of a log: the checkpoint it cosigned last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Its size.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

impl Seen {
    /// What is remembered of a log of which nothing was cosigned yet: the empty tree, which begins every log.
    #[must_use]
    pub fn nothing() -> Self {
        Self { size: 0, root: empty_root() }
    }
}

/// A log for which a witness works.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The origin line of its checkpoints.
    pub origin: &'a str,
    /// The keys that sign them.
    pub keys: &'a [VerifierKey],
    /// What the witness cosigned last.
    pub last: Seen,
}

/// A checkpoint that the witness may cosign, after it has replaced what it [saw](Seen) last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignable {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// What to cosign: the text of the note.
    pub text: String,
}

impl Cosignable {
    /// What the witness has to remember from now on.
    #[must_use]
    pub fn seen(&self) -> Seen {
        Seen { size: self.checkpoint.size, root: self.checkpoint.root }
    }
}

/// Why a witness does not cosign, in the order in which it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objection {
    /// The witness does not work for this log.
    UnknownOrigin,
    /// No known key of the log signed the checkpoint validly.
    Signature,
    /// The old size is above the size of the checkpoint.
    OldSize,
    /// The old size is not the one the witness cosigned last.
    Conflict {
        /// The size it cosigned last.
        size: u64,
    },
    /// The checkpoint has the size of the one cosigned last and another root: two histories, both signed by the log.
    Fork,
    /// The proof does not show that the checkpoint continues what was cosigned last.
    Proof,
}

impl Objection {
    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::UnknownOrigin => 404,
            Self::Signature => 403,
            Self::OldSize => 400,
            Self::Conflict { .. } | Self::Fork => 409,
            Self::Proof => 422,
        }
    }
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownOrigin => f.write_str("this witness does not know the log"),
            Self::Signature => f.write_str("no known key of the log has validly signed the checkpoint"),
            Self::OldSize => f.write_str("the old size is above the size of the checkpoint"),
            Self::Conflict { size } => write!(f, "the checkpoint cosigned last has size {size}"),
            Self::Fork => f.write_str("the checkpoint cosigned last has the same size and another root"),
            Self::Proof => {
                f.write_str("the proof does not lead from the checkpoint cosigned last to this one")
            }
        }
    }
}

impl core::error::Error for Objection {}

/// Decides about a request. `log` is what the witness knows about the log that the request's checkpoint names, if it does.
///
/// The same size and root as last time is cosigned again, so that a log can show that it is still being watched.
///
/// # Errors
/// The first objection in the order of [`Objection`].
pub fn judge(request: &AddCheckpoint, log: Option<&Known<'_>>) -> Result<Cosignable, Objection> {
    let claimed = request.unverified_checkpoint().map_err(|_| Objection::UnknownOrigin)?;
    let log = log.filter(|log| log.origin == claimed.origin).ok_or(Objection::UnknownOrigin)?;
    let checkpoint = Checkpoint::open(&request.checkpoint, log.keys).map_err(|_| Objection::Signature)?;
    if request.old_size > checkpoint.size {
        return Err(Objection::OldSize);
    }
    if request.old_size != log.last.size {
        return Err(Objection::Conflict { size: log.last.size });
    }
    if checkpoint.size == log.last.size && checkpoint.root != log.last.root {
        return Err(Objection::Fork);
    }
    if !continues(request, &log.last, &checkpoint) {
        return Err(Objection::Proof);
    }
    let text = checkpoint.to_text();
    Ok(Cosignable { checkpoint, text })
}

fn continues(request: &AddCheckpoint, last: &Seen, new: &Checkpoint) -> bool {
    if last.size == 0 {
        // Every log continues the empty one, so there is nothing to prove and nothing may be sent.
        return request.proof.is_empty();
    }
    verify_consistency(last.size, &last.root, new.size, &new.root, &request.proof).is_ok()
}

/// Where a witness shows the latest checkpoint it cosigned for a log, below its monitoring prefix.
#[must_use]
pub fn checkpoint_path(origin: &str) -> String {
    alloc::format!("{}/checkpoint", sha256(origin.as_bytes()))
}

/// The body of a 409: the size cosigned last.
#[must_use]
pub fn size_body(size: u64) -> String {
    alloc::format!("{size}\n")
}

/// Reads what [`size_body`] writes.
#[must_use]
pub fn parse_size_body(body: &str) -> Option<u64> {
    body.strip_suffix('\n').and_then(line::decimal)
}
