//! What can be wrong with a witness policy: the line, and one sentence.

use alloc::string::String;
use core::fmt;

use crate::note::NoteError;

/// The first fault of a policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyError {
    /// The line, counted from 1; the one after the last if something is missing at the end.
    pub line: usize,
    /// What is wrong there.
    pub fault: PolicyFault,
}

/// The kinds of fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyFault {
    /// A control character other than tab and newline.
    ControlCharacter,
    /// The line starts with none of the four keywords.
    Keyword(String),
    /// The line has too few or too many items; the right form is given.
    Form(&'static str),
    /// A key is not one, or of an unsupported type.
    Key(NoteError),
    /// A log's key is a cosigner's, or a witness' key is not one.
    KeyType,
    /// The same public key is given twice, even under another name.
    DuplicateKey,
    /// The name is already taken.
    DuplicateName(String),
    /// The name is reserved.
    ReservedName,
    /// The name is not defined on a line before.
    Unknown(String),
    /// The name is already a member of a group. Each witness may count in one way only.
    RepeatedMember(String),
    /// The threshold is no number from 1 to the number of members.
    Threshold {
        /// The number of members.
        members: usize,
    },
    /// There is a quorum already.
    SecondQuorum,
    /// There is no quorum. Whoever wants no witnesses has to say `quorum none`.
    NoQuorum,
    /// There are more logs, witnesses or groups than an implementation needs to bear.
    TooLarge,
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ControlCharacter => f.write_str("control character other than tab and newline"),
            Self::Keyword(word) => {
                write!(f, "`{}` is not `log`, `witness`, `group` or `quorum`", word.escape_debug())
            }
            Self::Form(form) => write!(f, "the line is not of the form `{form}`"),
            Self::Key(error) => write!(f, "{error}"),
            Self::KeyType => {
                f.write_str("a log's key has type 0x01 (Ed25519), a witness' 0x04 (cosignature/v1)")
            }
            Self::DuplicateKey => f.write_str("the same public key is given twice"),
            Self::DuplicateName(name) => write!(f, "the name `{}` is already taken", name.escape_debug()),
            Self::ReservedName => f.write_str("the name `none` is reserved"),
            Self::Unknown(name) => write!(f, "`{}` is not defined on a line before", name.escape_debug()),
            Self::RepeatedMember(name) => {
                write!(f, "`{}` is already a member of a group", name.escape_debug())
            }
            Self::Threshold { members } => write!(f, "the threshold is not `any`, `all` or 1 to {members}"),
            Self::SecondQuorum => f.write_str("there is a quorum already"),
            Self::NoQuorum => f.write_str("there is no quorum; `quorum none` asks for no witness"),
            Self::TooLarge => {
                write!(f, "more than {} lines define something", super::policy::MAX_DEFINITIONS)
            }
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.fault)
    }
}

impl core::error::Error for PolicyError {}
