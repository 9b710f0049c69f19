//! Signatures of people: from a key or signature to what the log keeps of it, and whether what it keeps holds.
//!
//! The core says who may sign what with which key; here is the cryptography, which server, whole-log verification and bundles share. It
//! needs the log alone: a signature is verified from the hash of what was signed, also when the text itself was redacted. An SSH key signs
//! the SHA-512 that stands beside its signature; a passkey signs a SHA-256 that its browser wrote into the client data, so what stands
//! beside that is as good as whoever compared the two while the text was there.

mod key;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::digest::Digest;
use countersign_core::passkey::PasskeyAdded;
use countersign_core::person::Claimed;
use countersign_core::signature::{self, Proof, Sha512, Signature};
use countersign_core::voting_key::{KeyEnrolled, PublicKey};
use countersign_core::{Event, Fact};
use countersign_ledger::break_glass;
use countersign_ledger::hash::{Hash, sha256};
use countersign_ledger::sshsig::{MessageHash, SshError, SshSignature};
use countersign_ledger::statement::{self, NAMESPACE};
use countersign_ledger::webauthn::{Assertion, ClientData, Passkey, WebauthnError};

pub use key::{KeyError, VotingKey, line};

/// What is wrong with a signature or a voting key on record, or with one that somebody sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VoteError {
    /// The key is none that can be verified with.
    Key(KeyError),
    /// The key is of another kind, or has another digest, than is said of it.
    OtherKey,
    /// The signature is none, or does not hold.
    Signature(SshError),
    /// What a passkey signed is not genuine.
    Assertion(WebauthnError),
    /// A passkey signed what only SSH keys sign.
    Purpose,
    /// The signature is by another key than is said of it.
    Signer,
    /// The signature is under another statement than that of its request.
    Statement,
}

impl fmt::Display for VoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(error) => write!(f, "the key cannot be used: {error}"),
            Self::OtherKey => f.write_str("the key is not the one whose kind and digests stand beside it"),
            Self::Signature(error) => write!(f, "the vote's signature is not genuine: {error}"),
            Self::Assertion(error) => write!(f, "the vote's signature by a passkey is not genuine: {error}"),
            Self::Purpose => f.write_str("a passkey signed something else than a vote"),
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

/// A key for enrolment, from the line of a `.pub` file or the JSON of a passkey.
///
/// # Errors
/// It is no key that can be verified with.
pub fn public_key(line: &str) -> Result<PublicKey, KeyError> {
    VotingKey::parse(line)?.to_record()
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
        proof: Proof::Sshsig(signature.to_base64()),
        statement_sha512: Sha512(sha512),
    })
}

/// What the log keeps of what a passkey signed under a statement. It holds, whoever's passkey it is.
///
/// # Errors
/// It does not hold for these bytes.
pub fn assertion(
    passkey: &Passkey,
    assertion: &Assertion<'_>,
    statement: &[u8],
) -> Result<Signature, VoteError> {
    let text = passkey.to_text().map_err(|error| VoteError::Key(KeyError::Passkey(error)))?;
    passkey.verify(&sha256(statement).0, assertion).map_err(VoteError::Assertion)?;
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    Ok(Signature {
        key_sha256: Digest::of(text.as_bytes()),
        proof: Proof::Webauthn(signature::Assertion {
            authenticator_data: encode(assertion.authenticator_data),
            client_data_json: encode(assertion.client_data_json),
            passkey: text,
            signature: encode(assertion.signature),
        }),
        statement_sha512: Sha512(statement::sha512(statement)),
    })
}

/// Whether a signature on record holds for this purpose, by the key named beside it; which key that is. The statement is not needed.
///
/// # Errors
/// It does not.
pub fn check_signature(signature: &Signature, namespace: &str) -> Result<VotingKey, VoteError> {
    match &signature.proof {
        Proof::Sshsig(blob) => {
            let read = SshSignature::from_base64(blob).map_err(VoteError::Signature)?;
            if read.key().sha256().0 != signature.key_sha256.0 {
                return Err(VoteError::Signer);
            }
            let hash = MessageHash::Sha512(signature.statement_sha512.0);
            read.verify_hash(namespace, &hash).map_err(VoteError::Signature)?;
            Ok(VotingKey::Ssh(read.key().clone()))
        }
        // What a passkey signs has no purpose in it but that of the text: of others it is asked for nothing.
        Proof::Webauthn(_) if namespace != NAMESPACE => Err(VoteError::Purpose),
        Proof::Webauthn(assertion) => check_assertion(signature, assertion),
    }
}

fn check_assertion(signature: &Signature, signed: &signature::Assertion) -> Result<VotingKey, VoteError> {
    if Digest::of(signed.passkey.as_bytes()) != signature.key_sha256 {
        return Err(VoteError::Signer);
    }
    let passkey = Passkey::parse(signed.passkey.as_bytes());
    let passkey = passkey.map_err(|error| VoteError::Key(KeyError::Passkey(error)))?;
    let [authenticator_data, client_data_json, by_passkey] = [
        decoded(&signed.authenticator_data)?,
        decoded(&signed.client_data_json)?,
        decoded(&signed.signature)?,
    ];
    let challenge = challenge(signed)?;
    let assertion = Assertion {
        authenticator_data: &authenticator_data,
        client_data_json: &client_data_json,
        signature: &by_passkey,
    };
    passkey.verify(&challenge.0, &assertion).map_err(VoteError::Assertion)?;
    Ok(VotingKey::Passkey(passkey))
}

/// The SHA-256 that a passkey signed.
fn challenge(signed: &signature::Assertion) -> Result<Hash, VoteError> {
    let client_data = ClientData::parse(&decoded(&signed.client_data_json)?).map_err(VoteError::Assertion)?;
    client_data.challenge_sha256().ok_or(VoteError::Assertion(WebauthnError::Challenge))
}

fn decoded(text: &str) -> Result<Vec<u8>, VoteError> {
    let malformed = |_| VoteError::Assertion(WebauthnError::Malformed("the base64url of a part"));
    URL_SAFE_NO_PAD.decode(text).map_err(malformed)
}

/// Whether a signature on record is under these bytes.
///
/// # Errors
/// It is under others.
pub fn check_statement(signature: &Signature, statement: &[u8]) -> Result<(), VoteError> {
    let challenged = match &signature.proof {
        Proof::Sshsig(_) => true,
        Proof::Webauthn(signed) => challenge(signed)? == sha256(statement),
    };
    let same = challenged && statement::sha512(statement) == signature.statement_sha512.0;
    if same { Ok(()) } else { Err(VoteError::Statement) }
}

/// Whether a voting key on record is what is said of it.
///
/// # Errors
/// It is not, or is none that can be verified with.
pub fn check_key(enrolled: &KeyEnrolled) -> Result<(), VoteError> {
    let key =
        VotingKey::from_record(&enrolled.key).and_then(|key| key.to_record()).map_err(VoteError::Key)?;
    let same = key.algorithm == enrolled.algorithm && key.key_sha256 == enrolled.key_sha256;
    // Before passkeys signed people in, nothing was said of the public key alone.
    let public = enrolled.public_key_sha256.is_none() || enrolled.public_key_sha256 == key.public_key_sha256;
    if same && public { Ok(()) } else { Err(VoteError::OtherKey) }
}

/// Whether a passkey for signing in on record is what is said of it.
///
/// # Errors
/// It is not, or is none that can be verified with.
pub fn check_passkey(added: &PasskeyAdded) -> Result<(), VoteError> {
    let passkey = Passkey::parse(added.key.as_bytes());
    let passkey = passkey.map_err(|error| VoteError::Key(KeyError::Passkey(error)))?;
    let same = Digest::of(added.key.as_bytes()) == added.key_sha256
        && Digest::of(passkey.public_key.as_bytes()) == added.public_key_sha256
        && passkey.backup_eligible == added.synced;
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
        Fact::PersonPasskeyAdded(_, added) | Fact::PersonClaimed(_, Claimed::Passkey(added)) => {
            check_passkey(added)
        }
        Fact::BreakGlassOpened(_, opened) => {
            check_signature(&opened.signature, break_glass::NAMESPACE).map(drop)
        }
        _ => of_vote(event).map_or(Ok(()), |signature| check_signature(signature, NAMESPACE).map(drop)),
    }
}

/// The line of an `allowed_signers` file by which `ssh-keygen -Y verify` accepts votes signed with this key.
#[must_use]
pub fn allowed_signer(person: &str, signature: &SshSignature) -> String {
    format!("{person} namespaces=\"{NAMESPACE}\" {}\n", signature.key())
}
