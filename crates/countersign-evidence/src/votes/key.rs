//! The two kinds of voting keys, SSH keys and passkeys, as they are handed in and as they stand on record.
//!
//! On record an SSH key is its wire form in base64 and a passkey its canonical JSON, which no base64 begins like.

use std::fmt;

use countersign_core::digest::Digest;
use countersign_core::signature::Algorithm;
use countersign_core::voting_key::PublicKey;
use countersign_ledger::sshsig::{self, KeyAlgorithm, SshError};
use countersign_ledger::webauthn::{CoseAlgorithm, Passkey, PasskeyError};

/// A key that votes are verified with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VotingKey {
    /// Of SSH.
    Ssh(sshsig::PublicKey),
    /// A passkey.
    Passkey(Passkey),
}

/// Why a text is no voting key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyError {
    /// It is no SSH key that can be verified with.
    Ssh(SshError),
    /// It is no passkey that can be verified with.
    Passkey(PasskeyError),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ssh(error) => error.fmt(f),
            Self::Passkey(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for KeyError {}

impl VotingKey {
    /// Reads a key as people hand it in: the line of a `.pub` file, or the JSON of a passkey.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(line: &str) -> Result<Self, KeyError> {
        passkey(line).unwrap_or_else(|| sshsig::PublicKey::parse(line).map(Self::Ssh).map_err(KeyError::Ssh))
    }

    /// Reads a key as it stands on record.
    ///
    /// # Errors
    /// It is none of either kind.
    pub fn from_record(key: &str) -> Result<Self, KeyError> {
        passkey(key)
            .unwrap_or_else(|| sshsig::PublicKey::from_base64(key).map(Self::Ssh).map_err(KeyError::Ssh))
    }

    /// How it signs, and where it lives.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ssh(key) => match key.algorithm() {
                KeyAlgorithm::Ed25519 => Algorithm::Ed25519,
                KeyAlgorithm::EcdsaP256 => Algorithm::EcdsaP256,
                KeyAlgorithm::SkEd25519 => Algorithm::SkEd25519,
                KeyAlgorithm::SkEcdsaP256 => Algorithm::SkEcdsaP256,
            },
            Self::Passkey(passkey) => match (passkey.public_key.algorithm(), passkey.backup_eligible) {
                (CoseAlgorithm::EdDsa, true) => Algorithm::PasskeyEd25519,
                (CoseAlgorithm::Es256, true) => Algorithm::PasskeyEs256,
                (CoseAlgorithm::EdDsa, false) => Algorithm::BoundPasskeyEd25519,
                (CoseAlgorithm::Es256, false) => Algorithm::BoundPasskeyEs256,
            },
        }
    }

    /// As it is enrolled.
    ///
    /// # Errors
    /// It was made by hand and would not be read again.
    pub fn to_record(&self) -> Result<PublicKey, KeyError> {
        let (key, key_sha256, public_key_sha256) = match self {
            Self::Ssh(key) => (key.to_base64(), Digest(key.sha256().0), None),
            Self::Passkey(passkey) => {
                let text = passkey.to_text().map_err(KeyError::Passkey)?;
                let public = Digest::of(passkey.public_key.as_bytes());
                (text.clone(), Digest::of(text.as_bytes()), Some(public))
            }
        };
        Ok(PublicKey { algorithm: self.algorithm(), key, key_sha256, public_key_sha256 })
    }

    /// What signs, without what it is wrapped in: two keys of one such point are one key.
    #[must_use]
    pub fn identity(&self) -> &[u8] {
        match self {
            Self::Ssh(key) => key.blob(),
            Self::Passkey(passkey) => passkey.public_key.as_bytes(),
        }
    }
}

fn passkey(text: &str) -> Option<Result<VotingKey, KeyError>> {
    let read = || Passkey::parse(text.as_bytes()).map(VotingKey::Passkey).map_err(KeyError::Passkey);
    text.starts_with('{').then(read)
}

/// A key as people hand it in, from the two columns in which it stands on record.
#[must_use]
pub fn line(algorithm: Algorithm, key: &str) -> String {
    if key.starts_with('{') { key.to_owned() } else { format!("{algorithm} {key}") }
}
