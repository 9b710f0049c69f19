//! Keys of signed notes: a name, a 32-bit id that binds name, type and key, and Ed25519.
//!
//! Signing stands behind a trait, so that a key may live in an HSM or a cloud service. Cosigners' keys are verifier
//! keys of another type; what signs with them is in `cosigner`.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

use super::{NoteError, SignError};
use crate::hash::sha256_of;

/// How a key signs: the signature type of a verifier key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureType {
    /// Ed25519 over the note text (0x01): what the author of the text signs with.
    Ed25519,
    /// Ed25519 over a time and the note text (0x04, c2sp.org/tlog-cosignature `cosignature/v1`): what a witness says.
    CosignatureV1,
}

impl SignatureType {
    fn from_byte(byte: u8) -> Result<Self, NoteError> {
        match byte {
            0x01 => Ok(Self::Ed25519),
            0x04 => Ok(Self::CosignatureV1),
            unsupported => Err(NoteError::UnsupportedType(unsupported)),
        }
    }

    fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }
}

/// Whatever can sign notes.
pub trait NoteSigner {
    /// The key name, by recommendation a URL without its scheme.
    fn name(&self) -> &str;
    /// The first four bytes of `SHA-256(name || 0x0A || type || public key)`, big-endian.
    fn key_id(&self) -> u32;
    /// The signature over the text, without the key id.
    ///
    /// # Errors
    /// The key is out of reach, or its keeper refuses. A key in memory never fails.
    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// An Ed25519 key in memory; wiped when dropped.
pub struct Ed25519Signer {
    key: SigningKey,
    verifier: VerifierKey,
}

impl Ed25519Signer {
    /// A signer from the 32-byte seed of RFC 8032.
    ///
    /// # Errors
    /// The name is not a key name.
    pub fn from_seed(name: &str, seed: [u8; 32]) -> Result<Self, NoteError> {
        let key = SigningKey::from_bytes(&seed);
        let verifier = VerifierKey::new(name, key.verifying_key())?;
        Ok(Self { key, verifier })
    }

    /// The key by which others verify, in its text form.
    #[must_use]
    pub fn vkey(&self) -> String {
        self.verifier.to_string()
    }

    /// The key by which others verify.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        self.verifier.clone()
    }
}

impl NoteSigner for Ed25519Signer {
    fn name(&self) -> &str {
        self.verifier.name()
    }

    fn key_id(&self) -> u32 {
        self.verifier.key_id()
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(self.key.sign(text).to_bytes().to_vec())
    }
}

impl fmt::Debug for Ed25519Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The seed must not reach a log.
        f.debug_struct("Ed25519Signer").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

/// A trusted Ed25519 key and what it signs. Its text form is `name+hex(id)+base64(type || key)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key_id: u32,
    signature_type: SignatureType,
    key: VerifyingKey,
}

impl VerifierKey {
    fn new(name: &str, key: VerifyingKey) -> Result<Self, NoteError> {
        Self::typed(name, SignatureType::Ed25519, key)
    }

    pub(super) fn typed(
        name: &str,
        signature_type: SignatureType,
        key: VerifyingKey,
    ) -> Result<Self, NoteError> {
        if !is_key_name(name) {
            return Err(NoteError::KeyName(name.into()));
        }
        // A key of small order accepts signatures that nobody made; one with a second encoding would have two ids.
        if key.is_weak() || key.to_edwards().compress().as_bytes() != key.as_bytes() {
            return Err(NoteError::WeakKey);
        }
        Ok(Self { name: name.into(), key_id: key_id(name, signature_type, &key), signature_type, key })
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// The text has another form, an unsupported key type, an invalid or weak key, or an id that does not belong to name
    /// and key.
    pub fn parse(vkey: &str) -> Result<Self, NoteError> {
        // The encoded key may itself contain a plus, so only the first two separate.
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(id), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::VerifierKey);
        };
        let typed = STANDARD.decode(encoded).map_err(|_| NoteError::VerifierKey)?;
        let (type_byte, key) = typed.split_first().ok_or(NoteError::VerifierKey)?;
        let signature_type = SignatureType::from_byte(*type_byte)?;
        let bytes = key.try_into().map_err(|_| NoteError::VerifierKey)?;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| NoteError::VerifierKey)?;
        let parsed = Self::typed(name, signature_type, key)?;
        // Comparing texts also refuses ids in upper case or without leading zeros.
        if parsed.hex_id() == id { Ok(parsed) } else { Err(NoteError::VerifierKey) }
    }

    /// The key name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key id.
    #[must_use]
    pub fn key_id(&self) -> u32 {
        self.key_id
    }

    /// How it signs.
    #[must_use]
    pub fn signature_type(&self) -> SignatureType {
        self.signature_type
    }

    /// Whether the two are one key under two names or types. Two such cosigners are one: a cosignature does not say
    /// the cosigner's name, so anybody can copy it from one to the other.
    #[must_use]
    pub fn is_same_key(&self, other: &Self) -> bool {
        self.key == other.key
    }

    /// Verifies a signature strictly: no small-order keys, no malleable forms (ed25519-dalek, `verify_strict`).
    pub(crate) fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        let parsed = Signature::from_slice(signature);
        parsed.is_ok_and(|signature| self.key.verify_strict(text, &signature).is_ok())
    }

    fn hex_id(&self) -> String {
        alloc::format!("{:08x}", self.key_id)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = STANDARD.encode(typed_key(self.signature_type, &self.key));
        write!(f, "{}+{}+{key}", self.name, self.hex_id())
    }
}

fn typed_key(signature_type: SignatureType, key: &VerifyingKey) -> Vec<u8> {
    [&[signature_type.byte()], key.as_bytes().as_slice()].concat()
}

fn key_id(name: &str, signature_type: SignatureType, key: &VerifyingKey) -> u32 {
    let hash = sha256_of([name.as_bytes(), b"\n", &typed_key(signature_type, key)]);
    let [first, second, third, fourth, ..] = hash.0;
    u32::from_be_bytes([first, second, third, fourth])
}

pub(super) fn is_key_name(name: &str) -> bool {
    // The specification's control characters are those below the space, so `\u{7f}` is not one.
    let forbidden = |character: char| character.is_whitespace() || character < ' ' || character == '+';
    !name.is_empty() && !name.contains(forbidden)
}
