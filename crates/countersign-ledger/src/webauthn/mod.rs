//! Passkeys: registrations and assertions of Web Authentication, Level 3 (W3C), as a relying party verifies them.
//!
//! [`verify_registration`] is section 7.1, [`verify_assertion`] section 7.2: every step that a pure function can check. What needs
//! a memory stays with the caller: that the challenge is one's own and used once, that no two people have the same credential, and
//! what follows from a [`counter`] that did not grow. Steps are cited by section and by what they verify; their numbers move from
//! one edition to the next.
//!
//! The reading is as strict as the specification allows, and stricter where nothing is lost by it: client data is strict JSON without
//! duplicate keys, CBOR has the one form of CTAP2, and what follows after an end, sets a flag without a meaning or holds a member
//! that has no place there is refused. Members of the client data that are unknown are not: the specification tells
//! browsers to add some. Pages inside pages of another origin are never expected, so `crossOrigin` and `topOrigin` are refused.
//!
//! Keys are ES256 and EdDSA with Ed25519. Attestations are `none` and `packed` by the credential's own key; others are refused by their name,
//! since judging certificates would need a list of roots that somebody keeps. An attestation by the credential itself says that the
//! key was there, not where it lives: whether it is bound to a device is the authenticator's word.
//!
//! ECDSA signatures are malleable: from one anybody can make a second for the same key and message, and authenticators make both kinds.
//! A signature is therefore never an identity; what counts is the key and what it signed.
//!
//! Layout: `cbor` reads and writes data items, `cose` keys, `client_data` and `authenticator` the two halves that are signed, `attestation`
//! what wraps the second in a registration, `ceremony` is the two procedures, `passkey` a credential with whom it is for, `error` says
//! what is wrong.

mod attestation;
mod authenticator;
pub mod cbor;
mod ceremony;
mod client_data;
mod cose;
mod error;
mod passkey;

pub use attestation::{AttestationObject, AttestationStatement};
pub use authenticator::{AttestedCredential, AuthenticatorData, Flags, MAX_CREDENTIAL_ID};
pub use ceremony::{
    Assertion, Credential, Expected, Growth, Registration, UserVerification, counter, verify_assertion,
    verify_registration,
};
pub use client_data::{Ceremony, ClientData, MAX_CLIENT_DATA};
pub use cose::{CoseAlgorithm, CoseKey};
pub use error::WebauthnError;
pub use passkey::{MAX_ORIGINS, Passkey, PasskeyError};
