//! C2SP checkpoints v1.0.0 (c2sp.org/tlog-checkpoint): the size and root of a log, as the text of a signed note.
//!
//! It says what a log claims to be, not that the claim is true; `verify` and `proof` do that.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::hash::Hash;
use crate::line;
use crate::note::{self, NoteError, NoteSigner, SignedBy, VerifierKey};

/// The longest origin line in bytes. The specification sets none, so a hostile line could otherwise fill a log.
pub const MAX_ORIGIN: usize = 255;

/// The head of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The unique name of the log, by recommendation a URL without its scheme.
    pub origin: String,
    /// The number of leaves.
    pub size: u64,
    /// The root hash of the tree of these leaves.
    pub root: Hash,
    /// Further lines, none of them empty. The specification discourages them.
    pub extensions: Vec<String>,
}

/// Why a checkpoint cannot be written or believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckpointError {
    /// The text is not a checkpoint.
    Malformed(&'static str),
    /// The note around it is malformed, or its signatures do not hold.
    Note(NoteError),
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "malformed checkpoint: {why}"),
            Self::Note(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for CheckpointError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Malformed(_) => None,
            Self::Note(error) => Some(error),
        }
    }
}

impl From<NoteError> for CheckpointError {
    fn from(error: NoteError) -> Self {
        Self::Note(error)
    }
}

impl Checkpoint {
    /// The text to sign: origin, size, root and extensions, each on a line.
    #[must_use]
    pub fn to_text(&self) -> String {
        let root = line::of_hash(&self.root);
        let mut text = alloc::format!("{}\n{}\n{root}\n", self.origin, self.size);
        for extension in &self.extensions {
            text.extend([extension.as_str(), "\n"]);
        }
        text
    }

    /// Reads the text of a note.
    ///
    /// # Errors
    /// A line is missing, empty or malformed. Signatures are not looked at; see [`Self::open`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let malformed = CheckpointError::Malformed;
        let body = text.strip_suffix('\n').ok_or(malformed("it does not end in a newline"))?;
        let mut lines = body.split('\n');
        let origin = lines.next().unwrap_or_default();
        if origin.is_empty() || origin.len() > MAX_ORIGIN {
            return Err(malformed("the origin is empty or too long"));
        }
        let size = lines
            .next()
            .and_then(line::decimal)
            .ok_or(malformed("the size is not a plain decimal number"))?;
        let root = lines.next().and_then(line::hash).ok_or(malformed("the root is not a hash in base64"))?;
        let extensions: Vec<String> = lines.map(String::from).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(malformed("an extension line is empty"));
        }
        Ok(Self { origin: origin.into(), size, root, extensions })
    }

    /// The signed note of this checkpoint.
    ///
    /// # Errors
    /// The origin or an extension does not fit on its line, or the note cannot be signed.
    pub fn sign(&self, signers: &[&dyn NoteSigner]) -> Result<String, CheckpointError> {
        let text = self.to_text();
        // What cannot be read back as the same checkpoint must not be signed.
        if Self::parse(&text)? != *self {
            return Err(CheckpointError::Malformed("a field spans several lines"));
        }
        Ok(note::sign(&text, signers)?)
    }

    /// Opens a signed note by the log's trusted keys and reads the checkpoint in it. The caller compares the origin.
    ///
    /// # Errors
    /// The note is not signed by a trusted key as its author, or is not a checkpoint.
    pub fn open(note: &str, keys: &[VerifierKey]) -> Result<Self, CheckpointError> {
        Ok(Cosigned::open(note, keys, &[])?.checkpoint)
    }
}

/// A checkpoint that its log has signed, and the witnesses that have cosigned it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The log's keys that signed it; at least one.
    pub signed_by: Vec<SignedBy>,
    /// The cosigners, each once. Whether they are enough is for a [policy](crate::witness::Policy) to say.
    pub cosigned_by: Vec<SignedBy>,
}

impl Cosigned {
    /// Opens a signed note: one of the log's keys must have signed it, and whoever is known must have signed validly.
    /// The caller compares the origin.
    ///
    /// # Errors
    /// A known key's signature does not hold, the log has not signed, or the text is not a checkpoint.
    pub fn open(note: &str, log: &[VerifierKey], witnesses: &[VerifierKey]) -> Result<Self, CheckpointError> {
        let opened = note::open(note, &[log, witnesses].concat())?;
        // A witness repeats what the log said; its word alone would let it invent a log.
        let is_of = |keys: &[VerifierKey], signed: &&SignedBy| keys.iter().any(|key| signed.is(key));
        let as_author = |signed: &&SignedBy| signed.cosigned_at.is_none() && is_of(log, signed);
        let as_witness = |signed: &&SignedBy| signed.cosigned_at.is_some() && is_of(witnesses, signed);
        let signed_by: Vec<SignedBy> = opened.signed_by.iter().filter(as_author).cloned().collect();
        if signed_by.is_empty() {
            return Err(NoteError::Unsigned.into());
        }
        let cosigned_by = opened.signed_by.iter().filter(as_witness).cloned().collect();
        Ok(Self { checkpoint: Checkpoint::parse(&opened.text)?, signed_by, cosigned_by })
    }
}
