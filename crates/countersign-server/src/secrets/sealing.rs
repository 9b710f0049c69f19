//! Authenticated encryption of one stored value: XChaCha20-Poly1305 with a random 24-byte nonce.
//!
//! The associated data names the secret, the environment, the version and the stage, each with its length before it, so a
//! ciphertext opens only in the row it was sealed for. A random nonce of 192 bits needs no counter
//! (draft-irtf-cfrg-xchacha, section 3.1). Keys come from outside; none is made or stored here.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use countersign_core::secret::SecretKey;
use zeroize::Zeroizing;

use super::{SecretError, SecretValue, Stage};

/// Tells these ciphertexts from any other use of the key, and this format from a later one.
const PURPOSE: &[u8] = b"countersign/local-secret/v1";

/// The key that seals the values of a local store: 32 bytes.
#[derive(Clone)]
pub struct SealingKey(Zeroizing<[u8; 32]>);

impl SealingKey {
    /// Reads a key from standard base64 text, as `openssl rand -base64 32` prints it.
    ///
    /// # Errors
    /// `Refused` if the text is not the base64 of exactly 32 bytes.
    pub fn parse(text: &SecretValue) -> Result<Self, SecretError> {
        let refused = || SecretError::Refused("a sealing key is 32 random bytes in base64".to_owned());
        let bytes = Zeroizing::new(STANDARD.decode(text.expose().trim()).map_err(|_| refused())?);
        let bytes = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| refused())?;
        Ok(Self(Zeroizing::new(bytes)))
    }

    /// Takes a key from raw bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.0))
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The row a value is sealed for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot<'a> {
    pub key: &'a SecretKey,
    pub version: u32,
    pub stage: Stage,
}

impl Slot<'_> {
    fn associated_data(&self) -> Vec<u8> {
        let version = self.version.to_be_bytes();
        let parts: [&[u8]; 5] = [
            PURPOSE,
            self.key.resource.as_str().as_bytes(),
            self.key.environment.as_str().as_bytes(),
            &version,
            self.stage.as_str().as_bytes(),
        ];
        // The length before each part keeps `ab` + `c` and `a` + `bc` apart.
        parts
            .iter()
            .flat_map(|part| (part.len() as u64).to_be_bytes().into_iter().chain(part.iter().copied()))
            .collect()
    }
}

/// A value as stored.
#[derive(Clone, Debug)]
pub(super) struct SealedValue {
    pub nonce: [u8; 24],
    pub sealed: Vec<u8>,
}

/// Seals a value for one row.
pub(super) fn seal(
    key: &SealingKey,
    slot: Slot<'_>,
    value: &SecretValue,
) -> Result<SealedValue, SecretError> {
    let mut nonce = [0_u8; 24];
    getrandom::fill(&mut nonce)
        .map_err(|error| SecretError::Unavailable(format!("no random bytes: {error}")))?;
    let aad = slot.associated_data();
    let payload = Payload { msg: value.expose().as_bytes(), aad: &aad };
    let sealed = key
        .cipher()
        .encrypt(&XNonce::from(nonce), payload)
        .map_err(|_| SecretError::Refused("the secret is too long to be sealed".to_owned()))?;
    Ok(SealedValue { nonce, sealed })
}

/// Opens a value in the row it was sealed for.
pub(super) fn open(
    key: &SealingKey,
    slot: Slot<'_>,
    stored: &SealedValue,
) -> Result<SecretValue, SecretError> {
    let refused = || SecretError::Sealed { key: slot.key.clone(), version: slot.version };
    let aad = slot.associated_data();
    let payload = Payload { msg: &stored.sealed, aad: &aad };
    let clear = key.cipher().decrypt(&XNonce::from(stored.nonce), payload).map(Zeroizing::new);
    let clear = clear.map_err(|_| refused())?;
    let text = std::str::from_utf8(&clear).map_err(|_| refused())?;
    Ok(SecretValue::new(text.to_owned()))
}
