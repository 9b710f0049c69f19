//! Authenticator data: what the authenticator says of itself, of the moment, and of a new credential (WebAuthn 6.1).

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::cbor::{self, Cbor, CborError};
use super::{CoseKey, WebauthnError};
use crate::hash::Hash;

/// The longest id of a credential, bytes (WebAuthn 4).
pub const MAX_CREDENTIAL_ID: usize = 1023;

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const BACKUP_ELIGIBLE: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
const HAS_CREDENTIAL: u8 = 0x40;
const HAS_EXTENSIONS: u8 = 0x80;

/// The two bits that have no meaning yet.
const RESERVED: u8 = 0x22;

/// Where the parts that may be missing are named.
const CREDENTIAL: &str = "the credential in the authenticator data";
const KEY: &str = "the credential's key";
const EXTENSIONS: &str = "the extensions in the authenticator data";

/// What the authenticator says yes or no to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// The byte on the wire.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }

    fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    /// UP: somebody was there.
    #[must_use]
    pub fn is_present(self) -> bool {
        self.has(USER_PRESENT)
    }

    /// UV: it knew who was there, by a PIN or a finger.
    #[must_use]
    pub fn is_verified(self) -> bool {
        self.has(USER_VERIFIED)
    }

    /// BE: the credential may be copied to other devices: it is one that syncs.
    #[must_use]
    pub fn is_backup_eligible(self) -> bool {
        self.has(BACKUP_ELIGIBLE)
    }

    /// BS: the credential was copied.
    #[must_use]
    pub fn is_backed_up(self) -> bool {
        self.has(BACKED_UP)
    }
}

/// A credential that was just made (WebAuthn 6.5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestedCredential {
    /// The model of the authenticator, unless it keeps that to itself: then zeros.
    pub aaguid: [u8; 16],
    /// The id by which the authenticator finds the key again.
    pub id: Vec<u8>,
    /// The public key.
    pub key: CoseKey,
}

/// Authenticator data, read and not yet held against anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticatorData {
    /// SHA-256 of the id of the relying party for which the credential is.
    pub rp_id_sha256: Hash,
    /// Yes or no.
    pub flags: Flags,
    /// How many signatures it counts; 0 if it does not count.
    pub counter: u32,
    /// The credential that was just made, in a registration.
    pub credential: Option<AttestedCredential>,
    /// The names of the extensions that were acted upon. None of them changes what a signature means.
    pub extensions: Vec<String>,
}

impl AuthenticatorData {
    /// Reads authenticator data to its last byte.
    ///
    /// # Errors
    /// It is too short, sets a flag without a meaning, holds another form of credential or extensions than its flags announce, or goes
    /// on after its end.
    pub fn parse(bytes: &[u8]) -> Result<Self, WebauthnError> {
        let (rp_id_sha256, rest) = array(bytes, "the authenticator data")?;
        let ([flags], rest) = array(rest, "the authenticator data")?;
        let (counter, mut rest) = array(rest, "the authenticator data")?;
        let flags = Flags(flags);
        if flags.has(RESERVED) {
            return Err(WebauthnError::ReservedFlags(flags.0 & RESERVED));
        }
        let mut credential = None;
        if flags.has(HAS_CREDENTIAL) {
            let (read, after) = attested(rest)?;
            (credential, rest) = (Some(read), after);
        }
        let mut extensions = Vec::new();
        if flags.has(HAS_EXTENSIONS) {
            (extensions, rest) = extended(rest)?;
        }
        if !rest.is_empty() {
            return Err(WebauthnError::TrailingBytes);
        }
        let counter = u32::from_be_bytes(counter);
        Ok(Self { rp_id_sha256: Hash(rp_id_sha256), flags, counter, credential, extensions })
    }
}

fn array<'a, const N: usize>(
    bytes: &'a [u8],
    part: &'static str,
) -> Result<([u8; N], &'a [u8]), WebauthnError> {
    let (taken, rest) = bytes.split_first_chunk().ok_or(WebauthnError::Malformed(part))?;
    Ok((*taken, rest))
}

fn attested(bytes: &[u8]) -> Result<(AttestedCredential, &[u8]), WebauthnError> {
    let (aaguid, rest) = array(bytes, CREDENTIAL)?;
    let (length, rest) = array(rest, CREDENTIAL)?;
    let length = usize::from(u16::from_be_bytes(length));
    if length == 0 || length > MAX_CREDENTIAL_ID {
        return Err(WebauthnError::CredentialId);
    }
    let (id, rest) = rest.split_at_checked(length).ok_or(WebauthnError::Malformed(CREDENTIAL))?;
    let (key, rest) = item(rest, KEY)?;
    Ok((AttestedCredential { aaguid, id: id.to_vec(), key: CoseKey::from_item(&key)? }, rest))
}

fn extended(bytes: &[u8]) -> Result<(Vec<String>, &[u8]), WebauthnError> {
    let (members, rest) = item(bytes, EXTENSIONS)?;
    let members = members.as_map().ok_or(WebauthnError::Malformed(EXTENSIONS))?;
    let names = members.iter().map(|(name, _)| name.as_text().map(ToString::to_string));
    let names: Option<Vec<String>> = names.collect();
    Ok((names.ok_or(WebauthnError::Malformed(EXTENSIONS))?, rest))
}

fn item<'a>(bytes: &'a [u8], part: &'static str) -> Result<(Cbor<'a>, &'a [u8]), WebauthnError> {
    cbor::prefix(bytes).map_err(|error: CborError| WebauthnError::Cbor(part, error))
}
