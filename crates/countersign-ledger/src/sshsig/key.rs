//! Public keys of SSH: the line in a `.pub` file, the wire form inside it, and the fingerprint.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::SshError;
use super::wire::Reader;
use crate::hash::{Hash, sha256};
use crate::line::{base64, to_base64};
use crate::point::Point;

/// What stands before every fingerprint here.
const FINGERPRINT: &str = "SHA256:";

/// How a key signs, and where it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyAlgorithm {
    /// Ed25519 (RFC 8709), in a file or an agent.
    Ed25519,
    /// ECDSA on P-256 (RFC 5656), in a file or an agent.
    EcdsaP256,
    /// Ed25519 in a FIDO authenticator.
    SkEd25519,
    /// ECDSA on P-256 in a FIDO authenticator.
    SkEcdsaP256,
}

impl KeyAlgorithm {
    /// All that are read here.
    pub const ALL: [Self; 4] = [Self::Ed25519, Self::EcdsaP256, Self::SkEd25519, Self::SkEcdsaP256];

    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ssh-ed25519",
            Self::EcdsaP256 => "ecdsa-sha2-nistp256",
            Self::SkEd25519 => "sk-ssh-ed25519@openssh.com",
            Self::SkEcdsaP256 => "sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }

    /// Whether the key lives in a FIDO authenticator, which signs only when somebody is present.
    #[must_use]
    pub fn is_hardware(self) -> bool {
        matches!(self, Self::SkEd25519 | Self::SkEcdsaP256)
    }

    pub(super) fn named(name: &str) -> Result<Self, SshError> {
        let known = Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name);
        known.ok_or_else(|| SshError::UnsupportedAlgorithm(name.to_string()))
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A public key that can be verified with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    pub(super) algorithm: KeyAlgorithm,
    pub(super) point: Point,
    /// For whom an authenticator keeps the key; empty for other keys.
    pub(super) application: String,
    blob: Vec<u8>,
}

impl PublicKey {
    /// Reads a line as in a `.pub` file: algorithm, key in base64, and a comment that is let go of.
    ///
    /// # Errors
    /// The line has another form, names another algorithm than its key, or the key is refused by [`PublicKey::from_blob`].
    pub fn parse(line: &str) -> Result<Self, SshError> {
        let line = line.strip_suffix('\n').unwrap_or(line);
        if line.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(SshError::Malformed("a public key is one line"));
        }
        let mut words = line.splitn(3, ' ');
        let (Some(name), Some(encoded)) = (words.next(), words.next()) else {
            return Err(SshError::Malformed("a public key is an algorithm and base64, as in a `.pub` file"));
        };
        let algorithm = KeyAlgorithm::named(name)?;
        let key = Self::from_base64(encoded)?;
        if key.algorithm == algorithm { Ok(key) } else { Err(SshError::OtherAlgorithm) }
    }

    /// Reads the wire form in base64.
    ///
    /// # Errors
    /// It is not base64 with its padding, or the key is refused by [`PublicKey::from_blob`].
    pub fn from_base64(encoded: &str) -> Result<Self, SshError> {
        Self::from_blob(&base64(encoded).ok_or(SshError::Malformed("the base64 of the key"))?)
    }

    /// Reads the wire form.
    ///
    /// # Errors
    /// It has another form or algorithm, goes on after its end, or is a weak key or one for another application.
    pub fn from_blob(blob: &[u8]) -> Result<Self, SshError> {
        let mut reader = Reader::new(blob)?;
        let algorithm = KeyAlgorithm::named(reader.text("the algorithm of the key")?)?;
        let point = match algorithm {
            KeyAlgorithm::Ed25519 | KeyAlgorithm::SkEd25519 => {
                Point::ed25519(&reader.array("the Ed25519 key")?).ok_or(SshError::WeakKey)?
            }
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::SkEcdsaP256 => nist(&mut reader)?,
        };
        let application = if algorithm.is_hardware() { reader.text("the application")? } else { "" };
        reader.end()?;
        if algorithm.is_hardware() && !application.starts_with("ssh:") {
            return Err(SshError::Application(application.to_string()));
        }
        Ok(Self { algorithm, point, application: application.to_string(), blob: blob.to_vec() })
    }

    /// How it signs, and where it lives.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The wire form.
    #[must_use]
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// The wire form in base64.
    #[must_use]
    pub fn to_base64(&self) -> String {
        to_base64(&self.blob)
    }

    /// SHA-256 of the wire form: what the fingerprint says.
    #[must_use]
    pub fn sha256(&self) -> Hash {
        sha256(&self.blob)
    }

    /// The fingerprint, as OpenSSH shows it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.sha256())
    }
}

/// The fingerprint of a key whose wire form has this hash: `SHA256:` and base64 without padding.
#[must_use]
pub fn fingerprint(key_sha256: &Hash) -> String {
    alloc::format!("{FINGERPRINT}{}", STANDARD_NO_PAD.encode(key_sha256.0))
}

/// Reads what [`fingerprint`] writes.
///
/// # Errors
/// The text is no fingerprint of this form.
pub fn parse_fingerprint(text: &str) -> Result<Hash, SshError> {
    let hash = text.strip_prefix(FINGERPRINT).and_then(|hash| STANDARD_NO_PAD.decode(hash).ok());
    let hash = hash.and_then(|hash| hash.try_into().ok());
    hash.map(Hash).ok_or(SshError::Malformed("a fingerprint is `SHA256:` and 43 letters of base64"))
}

/// The line of a `.pub` file, without a comment.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.algorithm, self.to_base64())
    }
}

fn nist(reader: &mut Reader<'_>) -> Result<Point, SshError> {
    if reader.string("the curve")? != b"nistp256" {
        return Err(SshError::Malformed("the curve"));
    }
    // Uncompressed, as OpenSSH writes it: a compressed point would give the key a second fingerprint.
    let point: [u8; 65] = reader.array("the point on the curve")?;
    if point.first() != Some(&0x04) {
        return Err(SshError::Malformed("the point on the curve"));
    }
    Point::p256(&point).ok_or(SshError::WeakKey)
}
