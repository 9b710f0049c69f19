//! Cosignatures of witnesses (c2sp.org/tlog-cosignature, `cosignature/v1`, type 0x04): a note's text was seen at a time.
//!
//! The signature covers the time and the text but not the cosigner's name, so every cosigner needs a key of its own.
//! The same key material may not sign notes of other kinds. Type 0x06 (ML-DSA-44) is not implemented.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use ed25519_dalek::{Signer as _, SigningKey};

use super::key::SignatureType;
use super::{NoteError, NoteSigner, SignError, VerifierKey};

/// The largest time, 2^63-1 seconds, as the specification demands.
const MAX_TIME: u64 = i64::MAX.cast_unsigned();

/// A cosigner's key in memory; wiped when dropped.
pub struct Cosigner {
    key: SigningKey,
    verifier: VerifierKey,
}

impl Cosigner {
    /// A cosigner from the 32-byte seed of RFC 8032.
    ///
    /// # Errors
    /// The name is not a key name.
    pub fn from_seed(name: &str, seed: [u8; 32]) -> Result<Self, NoteError> {
        let key = SigningKey::from_bytes(&seed);
        let verifier = VerifierKey::typed(name, SignatureType::CosignatureV1, key.verifying_key())?;
        Ok(Self { key, verifier })
    }

    /// The key by which others verify.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        self.verifier.clone()
    }

    /// The cosigner at a POSIX time in seconds. It signs like every signer, and only as of that time.
    ///
    /// # Errors
    /// The time is above 2^63-1.
    pub fn at(&self, time: u64) -> Result<CosignerAt<'_>, NoteError> {
        if time > MAX_TIME {
            Err(NoteError::CosignatureTime)
        } else {
            Ok(CosignerAt { cosigner: self, time })
        }
    }
}

impl fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The seed must not reach a log.
        f.debug_struct("Cosigner").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

/// A cosigner that signs as of one time.
#[derive(Debug, Clone, Copy)]
pub struct CosignerAt<'a> {
    cosigner: &'a Cosigner,
    time: u64,
}

impl NoteSigner for CosignerAt<'_> {
    fn name(&self) -> &str {
        self.cosigner.verifier.name()
    }

    fn key_id(&self) -> u32 {
        self.cosigner.verifier.key_id()
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, SignError> {
        let signature = self.cosigner.key.sign(&message(self.time, text)).to_bytes();
        Ok([self.time.to_be_bytes().as_slice(), &signature].concat())
    }
}

/// What is signed: the purpose and the time on lines of their own, then the whole text.
fn message(time: u64, text: &[u8]) -> Vec<u8> {
    let head: String = alloc::format!("cosignature/v1\ntime {time}\n");
    [head.as_bytes(), text].concat()
}

/// The time of a cosignature by this key, if it holds.
pub(super) fn verified_time(key: &VerifierKey, text: &[u8], timed: &[u8]) -> Option<u64> {
    let (time, signature) = timed.split_first_chunk::<8>()?;
    let time = u64::from_be_bytes(*time);
    (time <= MAX_TIME && key.verifies(&message(time, text), signature)).then_some(time)
}
