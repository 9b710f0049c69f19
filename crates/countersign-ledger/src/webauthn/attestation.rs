//! Attestation objects: authenticator data of a registration, and who vouches for it (WebAuthn 6.5.4 and 8).

use alloc::string::ToString;
use alloc::vec::Vec;

use super::cbor::{self, Cbor};
use super::{CoseAlgorithm, CoseKey, WebauthnError};

/// What an attestation object is called where it is refused.
const OBJECT: &str = "the attestation object";
const STATEMENT: &str = "the attestation statement";

/// Who vouches for a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttestationStatement {
    /// Nobody: `none` (8.7).
    None,
    /// The credential itself: `packed` without certificates (8.2).
    Itself {
        /// How it signed.
        algorithm: CoseAlgorithm,
        /// The signature over authenticator data and hash of the client data.
        signature: Vec<u8>,
    },
}

/// An attestation object, read and not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestationObject {
    /// The authenticator data, as it is signed.
    pub authenticator_data: Vec<u8>,
    /// Who vouches for it.
    pub statement: AttestationStatement,
}

impl AttestationObject {
    /// Reads an attestation object.
    ///
    /// # Errors
    /// It is not canonical CBOR, has other members than `fmt`, `attStmt` and `authData`, or its format is none that is verified here.
    pub fn parse(bytes: &[u8]) -> Result<Self, WebauthnError> {
        let object = cbor::parse(bytes).map_err(|error| WebauthnError::Cbor(OBJECT, error))?;
        let malformed = WebauthnError::Malformed(OBJECT);
        let members = object.as_map().ok_or(malformed.clone())?;
        let (Some(format), Some(statement), Some(data)) = (
            object.get("fmt").and_then(Cbor::as_text),
            object.get("attStmt").filter(|statement| statement.as_map().is_some()),
            object.get("authData").and_then(Cbor::as_bytes),
        ) else {
            return Err(malformed);
        };
        if members.len() != 3 {
            return Err(malformed);
        }
        let statement = match format {
            "none" => none(statement)?,
            "packed" => packed(statement)?,
            other => return Err(WebauthnError::UnsupportedAttestation(other.to_string())),
        };
        Ok(Self { authenticator_data: data.to_vec(), statement })
    }

    /// Whether the statement holds over `signed`, which is authenticator data and hash of the client data, for this credential.
    pub(super) fn check(&self, key: &CoseKey, signed: &[u8]) -> Result<(), WebauthnError> {
        match &self.statement {
            AttestationStatement::None => Ok(()),
            AttestationStatement::Itself { algorithm, .. } if *algorithm != key.algorithm() => {
                Err(WebauthnError::OtherAlgorithm)
            }
            AttestationStatement::Itself { signature, .. } if key.signed(signed, signature) => Ok(()),
            AttestationStatement::Itself { .. } => Err(WebauthnError::Attestation),
        }
    }
}

/// The statement of nobody is empty; one that says something would have to be verified.
fn none(statement: &Cbor<'_>) -> Result<AttestationStatement, WebauthnError> {
    match statement.as_map() {
        Some([]) => Ok(AttestationStatement::None),
        _ => Err(WebauthnError::Malformed(STATEMENT)),
    }
}

fn packed(statement: &Cbor<'_>) -> Result<AttestationStatement, WebauthnError> {
    if statement.get("x5c").is_some() {
        return Err(WebauthnError::Certificates);
    }
    let (Some(number), Some(signature), Some(2)) = (
        statement.get("alg").and_then(Cbor::as_integer),
        statement.get("sig").and_then(Cbor::as_bytes),
        statement.as_map().map(<[_]>::len),
    ) else {
        return Err(WebauthnError::Malformed(STATEMENT));
    };
    let algorithm = CoseAlgorithm::numbered(number)?;
    Ok(AttestationStatement::Itself { algorithm, signature: signature.to_vec() })
}
