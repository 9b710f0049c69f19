//! Why what a browser and an authenticator sent is refused.

use alloc::string::String;
use core::fmt;

use super::cbor::CborError;
use crate::json::JsonError;

/// What is wrong with an assertion, a registration, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebauthnError {
    /// A part is longer than any of its kind.
    TooLarge(&'static str),
    /// The client data is not strict JSON.
    ClientData(JsonError),
    /// A part does not have the form it should.
    Malformed(&'static str),
    /// A part is not CBOR in the form of CTAP2.
    Cbor(&'static str, CborError),
    /// Bytes follow after the end of the authenticator data.
    TrailingBytes,
    /// The client data is of another ceremony.
    Type(String),
    /// The client data is for another challenge.
    Challenge,
    /// The page that asked is of another origin.
    Origin(String),
    /// The page that asked was inside a page of another origin.
    CrossOrigin,
    /// The authenticator signed for another relying party.
    RelyingParty,
    /// Flags are set that mean nothing yet.
    ReservedFlags(u8),
    /// Nobody was present at the authenticator.
    NobodyPresent,
    /// The authenticator did not verify who was present.
    NotVerified,
    /// A credential is said to be backed up that cannot be.
    BackupState,
    /// Whether the credential can be backed up is not what it was when it was registered.
    OtherBackupEligibility,
    /// A registration holds no credential.
    NoCredential,
    /// An assertion holds a credential, as only registrations do.
    UnexpectedCredential,
    /// The credential's id is empty or longer than 1023 bytes.
    CredentialId,
    /// The key is of an algorithm that is not verified here.
    UnsupportedAlgorithm(i64),
    /// The key is of small order, not in its one encoding, or not on its curve, so its signatures would prove nothing.
    WeakKey,
    /// The attestation is of a format that is not verified here.
    UnsupportedAttestation(String),
    /// The attestation comes with certificates.
    Certificates,
    /// The attestation is by another algorithm than that of the credential.
    OtherAlgorithm,
    /// The signature of the attestation does not hold.
    Attestation,
    /// The signature does not hold.
    Signature,
}

impl fmt::Display for WebauthnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = match self {
            Self::TooLarge(part) => return write!(f, "{part} is too long"),
            Self::ClientData(error) => return write!(f, "the client data is not strict JSON: {error}"),
            Self::Malformed(part) => return write!(f, "malformed: {part}"),
            Self::Cbor(part, error) => return write!(f, "{part} is not canonical CBOR: {error}"),
            Self::Type(name) => return write!(f, "the client data is of `{}`", name.escape_debug()),
            Self::Origin(name) => return write!(f, "the page that asked is of `{}`", name.escape_debug()),
            Self::ReservedFlags(flags) => return write!(f, "flags are set that mean nothing: {flags:#04x}"),
            Self::UnsupportedAlgorithm(number) => {
                return write!(f, "the algorithm {number} is not supported, only -7 (ES256) and -8 (EdDSA)");
            }
            Self::UnsupportedAttestation(name) => {
                return write!(
                    f,
                    "attestation `{}` is not supported, only `none` and `packed` by the credential itself",
                    name.escape_debug()
                );
            }
            Self::TrailingBytes => "bytes follow after the end of the authenticator data",
            Self::Challenge => "the client data is for another challenge",
            Self::CrossOrigin => "the page that asked was inside a page of another origin",
            Self::RelyingParty => "the authenticator signed for another relying party",
            Self::NobodyPresent => "nobody was present at the authenticator",
            Self::NotVerified => "the authenticator did not verify who was present",
            Self::BackupState => "the credential is said to be backed up, but not to be one that can be",
            Self::OtherBackupEligibility => {
                "whether the credential can be backed up is not what it was when it was registered"
            }
            Self::NoCredential => "the registration holds no credential",
            Self::UnexpectedCredential => "the assertion holds a credential, as only registrations do",
            Self::CredentialId => "the credential's id is empty or longer than 1023 bytes",
            Self::WeakKey => "the key is weak: of small order, not in its one encoding, or not on its curve",
            Self::Certificates => "the attestation comes with certificates, which are not judged here",
            Self::OtherAlgorithm => "the attestation is by another algorithm than that of the credential",
            Self::Attestation => "the signature of the attestation does not hold",
            Self::Signature => "the signature does not hold",
        };
        f.write_str(sentence)
    }
}

impl core::error::Error for WebauthnError {}
