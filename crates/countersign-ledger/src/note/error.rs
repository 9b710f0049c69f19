//! Why a note cannot be signed or opened, or a key cannot be read.

use alloc::string::String;
use core::fmt;

use super::MAX_NOTE;

/// Why a signer did not sign. Two kinds, because callers do two things: wait, or ask somebody to put the key right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignError {
    /// The signer cannot be reached or is busy: the same request may succeed later.
    Unavailable(String),
    /// The signer is there and says no (disabled key, missing right): somebody has to change something first.
    Refused(String),
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(why) => write!(f, "the signer is unavailable: {why}"),
            Self::Refused(why) => write!(f, "the signer refuses: {why}"),
        }
    }
}

impl core::error::Error for SignError {}

/// A violation of the signed note format, or a signature that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoteError {
    /// A key name is empty or holds white space, control characters or a plus.
    KeyName(String),
    /// A verifier key is not `name+hex id+base64 key` of a valid Ed25519 key with the right id.
    VerifierKey,
    /// The signature type of a key is none that is verified here, such as 0x06 (ML-DSA-44).
    UnsupportedType(u8),
    /// The key is of small order or not in its canonical encoding, so its signatures would prove nothing.
    WeakKey,
    /// Two of the trusted cosigners share one key, so one could pass for both.
    SharedKey(String),
    /// The time of a cosignature is above 2^63-1 seconds.
    CosignatureTime,
    /// The text to sign is empty, does not end in a newline, or holds control characters.
    Text,
    /// The note is larger than [`MAX_NOTE`] bytes.
    TooLarge,
    /// The note does not have the form of a signed note.
    Malformed(&'static str),
    /// Two of the trusted keys share a name and an id, so a signature could be of either.
    AmbiguousKey(String),
    /// The signature of this known key does not hold.
    InvalidSignature(String),
    /// No trusted key has signed the note.
    Unsigned,
    /// Fewer witnesses have cosigned the note than the policy asks for.
    Unwitnessed,
    /// A signer gave no signature.
    Signer(SignError),
}

impl fmt::Display for NoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyName(name) => {
                write!(
                    f,
                    "`{}` is not a key name: no white space, no control characters, no plus, not empty",
                    name.escape_debug()
                )
            }
            Self::VerifierKey => f.write_str("not a verifier key of the form `name+id+key`"),
            Self::UnsupportedType(byte) => {
                write!(
                    f,
                    "signature type 0x{byte:02x} is not supported, only 0x01 (Ed25519) and 0x04 (cosignature/v1)"
                )
            }
            Self::WeakKey => f.write_str("the key is weak: of small order, or not in its canonical encoding"),
            Self::SharedKey(name) => {
                write!(
                    f,
                    "the cosigner `{}` shares its key with another trusted cosigner",
                    name.escape_debug()
                )
            }
            Self::CosignatureTime => f.write_str("the time of a cosignature is above 2^63-1 seconds"),
            Self::Text => {
                f.write_str("the text of a note ends in a newline and has no other control characters")
            }
            Self::TooLarge => write!(f, "the note is larger than {MAX_NOTE} bytes"),
            Self::Malformed(why) => write!(f, "malformed note: {why}"),
            Self::AmbiguousKey(name) => write!(f, "two trusted keys are both `{}`", name.escape_debug()),
            Self::InvalidSignature(name) => {
                write!(f, "the signature of `{}` does not hold", name.escape_debug())
            }
            Self::Unsigned => f.write_str("no trusted key has signed the note"),
            Self::Unwitnessed => f.write_str("too few witnesses have cosigned the note"),
            Self::Signer(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for NoteError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Signer(error) => Some(error),
            _ => None,
        }
    }
}

impl From<SignError> for NoteError {
    fn from(error: SignError) -> Self {
        Self::Signer(error)
    }
}
