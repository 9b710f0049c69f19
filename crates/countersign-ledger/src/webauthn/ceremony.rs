//! The two procedures of a relying party: a registration (WebAuthn 7.1) and an assertion (7.2), each in the order of its steps.

use alloc::string::String;
use alloc::vec::Vec;

use super::attestation::AttestationObject;
use super::authenticator::AuthenticatorData;
use super::client_data::{Ceremony, ClientData};
use super::{AttestedCredential, CoseKey, WebauthnError};
use crate::hash::sha256;

/// Whether the authenticator must have verified who was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserVerification {
    /// By a PIN or a finger.
    Required,
    /// It is enough that somebody was there.
    NotRequired,
}

/// What was asked for, and by whom.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The id of the relying party: a domain, `countersign.example`.
    pub rp_id: &'a str,
    /// The origins of the pages that may ask, each exactly as a browser writes it.
    pub origins: &'a [String],
    /// The challenge.
    pub challenge: &'a [u8],
    /// Whether the authenticator must have verified who was there.
    pub verification: UserVerification,
}

/// What is known of a credential that is said to have signed.
#[derive(Debug, Clone, Copy)]
pub struct Credential<'a> {
    /// Its public key.
    pub key: &'a CoseKey,
    /// Whether it may be copied to other devices, as it said when it was registered. That never changes (6.1.3).
    pub backup_eligible: bool,
}

/// What a browser answers when it was asked to sign.
#[derive(Debug, Clone, Copy)]
pub struct Assertion<'a> {
    /// What the authenticator says.
    pub authenticator_data: &'a [u8],
    /// What the browser says.
    pub client_data_json: &'a [u8],
    /// The signature over both.
    pub signature: &'a [u8],
}

/// What a browser answers when it was asked for a credential.
#[derive(Debug, Clone, Copy)]
pub struct Registration<'a> {
    /// What the authenticator says, and who vouches for it.
    pub attestation_object: &'a [u8],
    /// What the browser says.
    pub client_data_json: &'a [u8],
}

/// Whether a credential signed what was asked for (7.2).
///
/// # Errors
/// The first step that fails.
pub fn verify_assertion(
    expected: &Expected<'_>,
    credential: &Credential<'_>,
    assertion: &Assertion<'_>,
) -> Result<AuthenticatorData, WebauthnError> {
    let Assertion { authenticator_data, client_data_json, signature } = *assertion;
    let client_data = ClientData::parse(client_data_json)?;
    client_data.check(Ceremony::Get, expected.challenge, expected.origins)?;
    let data = AuthenticatorData::parse(authenticator_data)?;
    check(&data, expected)?;
    if data.flags.is_backup_eligible() != credential.backup_eligible {
        return Err(WebauthnError::OtherBackupEligibility);
    }
    // Assertions hold none (6.1), and nobody would read it.
    if data.credential.is_some() {
        return Err(WebauthnError::UnexpectedCredential);
    }
    let signed = signed(authenticator_data, client_data_json);
    if credential.key.signed(&signed, signature) { Ok(data) } else { Err(WebauthnError::Signature) }
}

/// The credential that was made as it was asked for (7.1), and what the authenticator says of itself.
///
/// # Errors
/// The first step that fails.
pub fn verify_registration(
    expected: &Expected<'_>,
    registration: &Registration<'_>,
) -> Result<(AttestedCredential, AuthenticatorData), WebauthnError> {
    let Registration { attestation_object, client_data_json } = *registration;
    let client_data = ClientData::parse(client_data_json)?;
    client_data.check(Ceremony::Create, expected.challenge, expected.origins)?;
    let object = AttestationObject::parse(attestation_object)?;
    let data = AuthenticatorData::parse(&object.authenticator_data)?;
    check(&data, expected)?;
    let credential = data.credential.clone().ok_or(WebauthnError::NoCredential)?;
    object.check(&credential.key, &signed(&object.authenticator_data, client_data_json))?;
    Ok((credential, data))
}

/// What both procedures ask of the authenticator data: rpIdHash, UP, UV, BE and BS.
fn check(data: &AuthenticatorData, expected: &Expected<'_>) -> Result<(), WebauthnError> {
    let flags = data.flags;
    if data.rp_id_sha256 != sha256(expected.rp_id.as_bytes()) {
        return Err(WebauthnError::RelyingParty);
    }
    if !flags.is_present() {
        return Err(WebauthnError::NobodyPresent);
    }
    if expected.verification == UserVerification::Required && !flags.is_verified() {
        return Err(WebauthnError::NotVerified);
    }
    let contradiction = flags.is_backed_up() && !flags.is_backup_eligible();
    if contradiction { Err(WebauthnError::BackupState) } else { Ok(()) }
}

/// What is signed: authenticator data and the hash of the client data, one after the other.
fn signed(authenticator_data: &[u8], client_data_json: &[u8]) -> Vec<u8> {
    [authenticator_data, sha256(client_data_json).0.as_slice()].concat()
}

/// What a counter says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// Nothing: the authenticator does not count. Synced credentials never do.
    Uncounted,
    /// It grew.
    Grew,
    /// It did not: there may be a copy of the key, or two signatures crossed on their way.
    PossibleClone,
}

/// Holds the counter of an assertion against the last one that was seen of the credential (7.2, signCount).
#[must_use]
pub fn counter(last: u32, now: u32) -> Growth {
    match (last, now) {
        (0, 0) => Growth::Uncounted,
        _ if now > last => Growth::Grew,
        _ => Growth::PossibleClone,
    }
}
