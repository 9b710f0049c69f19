//! Why a key or a signature of SSH is refused.

use alloc::string::String;
use core::fmt;

/// What is wrong with a public key, or with a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SshError {
    /// It does not have the form it should; the part is named.
    Malformed(&'static str),
    /// Bytes follow after the end.
    TrailingBytes,
    /// It is longer than any of its kind.
    TooLarge,
    /// The algorithm is none that is verified here.
    UnsupportedAlgorithm(String),
    /// The key is of small order, not in its one encoding, or not on its curve, so its signatures would prove nothing.
    WeakKey,
    /// The application of a FIDO key does not begin with `ssh:`: the key is for something else.
    Application(String),
    /// The signature format has another version than 1.
    Version(u32),
    /// Something stands in the field that is reserved.
    Reserved,
    /// The message was hashed with something else than SHA-256 or SHA-512.
    UnsupportedHash(String),
    /// The signature is for another purpose.
    Namespace(String),
    /// The signature is by another algorithm than that of its key.
    OtherAlgorithm,
    /// The message was hashed with another algorithm than the one that was asked for.
    OtherHash,
    /// Nobody touched the authenticator.
    NobodyPresent,
    /// The signature does not hold.
    Invalid,
}

impl fmt::Display for SshError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(part) => write!(f, "malformed: {part}"),
            Self::TrailingBytes => f.write_str("bytes follow after the end"),
            Self::TooLarge => f.write_str("it is longer than any key or signature of its kind"),
            Self::UnsupportedAlgorithm(name) => write!(
                f,
                "`{}` is not supported, only ssh-ed25519, ecdsa-sha2-nistp256 and their `sk-` forms",
                name.escape_debug()
            ),
            Self::WeakKey => {
                f.write_str("the key is weak: of small order, not in its one encoding, or not on its curve")
            }
            Self::Application(name) => {
                write!(f, "the key is for `{}`, not for SSH", name.escape_debug())
            }
            Self::Version(version) => {
                write!(f, "version {version} of the signature format is not supported, only 1")
            }
            Self::Reserved => f.write_str("something stands in the field that is reserved"),
            Self::UnsupportedHash(name) => {
                write!(f, "`{}` is not supported, only sha256 and sha512", name.escape_debug())
            }
            Self::Namespace(name) => {
                write!(f, "the signature is for another purpose: its namespace is `{}`", name.escape_debug())
            }
            Self::OtherAlgorithm => f.write_str("the signature is by another algorithm than that of its key"),
            Self::OtherHash => {
                f.write_str("the message was hashed with another algorithm than was asked for")
            }
            Self::NobodyPresent => f.write_str("nobody touched the authenticator that signed"),
            Self::Invalid => f.write_str("the signature does not hold"),
        }
    }
}

impl core::error::Error for SshError {}
