//! Signatures of people: from an SSH key or signature to what the log keeps of it, and whether what it keeps holds.
//!
//! The core says who may sign what with which key; here is the cryptography, which server, whole-log verification and bundles share. It
//! needs the log alone: a signature is verified from the hash of what was signed, also when the text itself was redacted.

use std::fmt;

use countersign_core::digest::Digest;
use countersign_core::signature::{Algorithm, Sha512, Signature};
use countersign_core::voting_key::{KeyEnrolled, PublicKey};
use countersign_core::{Event, Fact};
use countersign_ledger::break_glass;
use countersign_ledger::sshsig::{self, KeyAlgorithm, MessageHash, SshError, SshSignature};
use countersign_ledger::statement::{self, NAMESPACE};

/// What is wrong with a signature or a voting key on record, or with one that somebody sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VoteError {
    /// The key is none that can be verified with.
    Key(SshError),
    /// The key is of another kind, or has another digest, than is said of it.
    OtherKey,
    /// The signature is none, or does not hold.
    Signature(SshError),
    /// The signature is by another key than is said of it.
    Signer,
    /// The signature is under another statement than that of its request.
    Statement,
}

impl fmt::Display for VoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(error) => write!(f, "the voting key cannot be used: {error}"),
            Self::OtherKey => {
                f.write_str("the voting key is not the one whose kind and digest stand beside it")
            }
            Self::Signature(error) => write!(f, "the vote's signature is not genuine: {error}"),
            Self::Signer => {
                f.write_str("the vote's signature is by another key than the one named beside it")
            }
            Self::Statement => {
                f.write_str("the vote's signature is under another statement than that of its request")
            }
        }
    }
}

impl std::error::Error for VoteError {}

fn algorithm(algorithm: KeyAlgorithm) -> Algorithm {
    match algorithm {
        KeyAlgorithm::Ed25519 => Algorithm::Ed25519,
        KeyAlgorithm::EcdsaP256 => Algorithm::EcdsaP256,
        KeyAlgorithm::SkEd25519 => Algorithm::SkEd25519,
        KeyAlgorithm::SkEcdsaP256 => Algorithm::SkEcdsaP256,
    }
}

/// A public key for enrolment, from the line of a `.pub` file.
///
/// # Errors
/// The line is no key that can be verified with.
pub fn public_key(line: &str) -> Result<PublicKey, SshError> {
    let key = sshsig::PublicKey::parse(line)?;
    Ok(PublicKey {
        algorithm: algorithm(key.algorithm()),
        key: key.to_base64(),
        key_sha256: Digest(key.sha256().0),
    })
}

/// What the log keeps of a signature, armored as `ssh-keygen` writes it, under a statement. It holds, whoever's key it is.
///
/// # Errors
/// The armor is no signature, or it does not hold for these bytes and this purpose, or they were not hashed with SHA-512.
pub fn signature(armor: &str, namespace: &str, statement: &[u8]) -> Result<Signature, SshError> {
    let signature = SshSignature::from_armor(armor)?;
    let sha512 = statement::sha512(statement);
    signature.verify_hash(namespace, &MessageHash::Sha512(sha512))?;
    Ok(Signature {
        key_sha256: Digest(signature.key().sha256().0),
        sshsig: signature.to_base64(),
        statement_sha512: Sha512(sha512),
    })
}

/// Whether a signature on record holds for this purpose, by the key named beside it. The statement is not needed.
///
/// # Errors
/// It does not.
pub fn check_signature(signature: &Signature, namespace: &str) -> Result<(), VoteError> {
    let read = SshSignature::from_base64(&signature.sshsig).map_err(VoteError::Signature)?;
    if read.key().sha256().0 != signature.key_sha256.0 {
        return Err(VoteError::Signer);
    }
    let hash = MessageHash::Sha512(signature.statement_sha512.0);
    read.verify_hash(namespace, &hash).map_err(VoteError::Signature)
}

/// Whether a signature on record is under these bytes.
///
/// # Errors
/// It is under others.
pub fn check_statement(signature: &Signature, statement: &[u8]) -> Result<(), VoteError> {
    let same = statement::sha512(statement) == signature.statement_sha512.0;
    if same { Ok(()) } else { Err(VoteError::Statement) }
}

/// Whether a voting key on record is what is said of it.
///
/// # Errors
/// It is not, or is none that can be verified with.
pub fn check_key(enrolled: &KeyEnrolled) -> Result<(), VoteError> {
    let key = sshsig::PublicKey::from_base64(&enrolled.key).map_err(VoteError::Key)?;
    let same = algorithm(key.algorithm()) == enrolled.algorithm && key.sha256().0 == enrolled.key_sha256.0;
    if same { Ok(()) } else { Err(VoteError::OtherKey) }
}

/// The signature of a vote, if the event is one that was signed.
#[must_use]
pub fn of_vote(event: &Event) -> Option<&Signature> {
    match &event.fact {
        Fact::ApprovalGranted(_, voted) => voted.signature.as_ref(),
        _ => None,
    }
}

/// Whether the cryptography in an event holds; most have none.
///
/// # Errors
/// What does not.
pub fn check(event: &Event) -> Result<(), VoteError> {
    match &event.fact {
        Fact::PersonKeyEnrolled(_, enrolled) => check_key(enrolled),
        Fact::BreakGlassOpened(_, opened) => check_signature(&opened.signature, break_glass::NAMESPACE),
        _ => of_vote(event).map_or(Ok(()), |signature| check_signature(signature, NAMESPACE)),
    }
}

/// The line of an `allowed_signers` file by which `ssh-keygen -Y verify` accepts votes signed with this key.
///
/// # Errors
/// The signature on record cannot be read.
pub fn allowed_signer(person: &str, signature: &Signature) -> Result<String, SshError> {
    let read = SshSignature::from_base64(&signature.sshsig)?;
    Ok(format!("{person} namespaces=\"{NAMESPACE}\" {}\n", read.key()))
}
