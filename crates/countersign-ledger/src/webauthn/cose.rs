//! Public keys as authenticators write them (COSE, RFC 9052 and 9053; WebAuthn 5.8.5 and 6.5.1.1), and signatures by them.

use alloc::vec::Vec;
use core::fmt;

use p256::ecdsa::signature::Verifier as _;

use super::WebauthnError;
use super::cbor::{self, Cbor};
use crate::point::Point;

/// What a key is called where it is refused.
const KEY: &str = "the credential's key";

/// The labels of a key's members, and what stands under them.
const KTY: i64 = 1;
const ALG: i64 = 3;
const CRV: i64 = -1;
const X: i64 = -2;
const Y: i64 = -3;
const OKP: i64 = 1;
const EC2: i64 = 2;
const P256: i64 = 1;
const ED25519: i64 = 6;

/// How a credential signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CoseAlgorithm {
    /// ECDSA on P-256 with SHA-256: -7.
    Es256,
    /// Ed25519: -8, which WebAuthn restricts to that curve.
    EdDsa,
}

impl CoseAlgorithm {
    /// The number in COSE's registry.
    #[must_use]
    pub fn number(self) -> i64 {
        match self {
            Self::Es256 => -7,
            Self::EdDsa => -8,
        }
    }

    pub(super) fn numbered(number: i64) -> Result<Self, WebauthnError> {
        let known = [Self::Es256, Self::EdDsa].into_iter().find(|algorithm| algorithm.number() == number);
        known.ok_or(WebauthnError::UnsupportedAlgorithm(number))
    }
}

impl fmt::Display for CoseAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        })
    }
}

/// A public key that can be verified with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoseKey {
    point: Point,
    bytes: Vec<u8>,
}

impl CoseKey {
    /// Reads a key in its one encoding.
    ///
    /// # Errors
    /// It is not canonical CBOR, of another algorithm, has members beside those it needs, or is a weak key.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WebauthnError> {
        Self::from_item(&cbor::parse(bytes).map_err(|error| WebauthnError::Cbor(KEY, error))?)
    }

    pub(super) fn from_item(item: &Cbor<'_>) -> Result<Self, WebauthnError> {
        let members = item.as_map().ok_or(WebauthnError::Malformed(KEY))?;
        let member = |label: i64| {
            let found = members.iter().find(|member| member.0.as_integer() == Some(label));
            found.map(|member| &member.1).ok_or(WebauthnError::Malformed(KEY))
        };
        let number = |label| member(label)?.as_integer().ok_or(WebauthnError::Malformed(KEY));
        let coordinate = |label| {
            let bytes: Option<[u8; 32]> = member(label)?.as_bytes().and_then(|bytes| bytes.try_into().ok());
            bytes.ok_or(WebauthnError::Malformed(KEY))
        };
        let algorithm = CoseAlgorithm::numbered(number(ALG)?)?;
        let (kty, crv, count) = match algorithm {
            CoseAlgorithm::Es256 => (EC2, P256, 5),
            CoseAlgorithm::EdDsa => (OKP, ED25519, 4),
        };
        // Nothing optional is allowed (WebAuthn 6.5.1.1), so what is required is all there is.
        if number(KTY)? != kty || number(CRV)? != crv || members.len() != count {
            return Err(WebauthnError::Malformed(KEY));
        }
        let point = match algorithm {
            CoseAlgorithm::EdDsa => Point::ed25519(&coordinate(X)?),
            CoseAlgorithm::Es256 => {
                let mut uncompressed = [0x04; 65];
                let coordinates = [coordinate(X)?, coordinate(Y)?];
                let places = uncompressed.iter_mut().skip(1);
                places.zip(coordinates.as_flattened()).for_each(|(to, from)| *to = *from);
                Point::p256(&uncompressed)
            }
        };
        Ok(Self { point: point.ok_or(WebauthnError::WeakKey)?, bytes: item.to_bytes() })
    }

    /// How it signs.
    #[must_use]
    pub fn algorithm(&self) -> CoseAlgorithm {
        match self.point {
            Point::P256(_) => CoseAlgorithm::Es256,
            Point::Ed25519(_) => CoseAlgorithm::EdDsa,
        }
    }

    /// The one encoding.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the key signed this message. ES256 signatures are DER in its one form (WebAuthn 6.5.5), EdDSA ones 64 bytes, verified strictly.
    #[must_use]
    pub fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.point {
            Point::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
            Point::P256(key) => der(signature).is_some_and(|it| key.verify(message, &it).is_ok()),
        }
    }
}

/// An ECDSA signature in DER. Whatever is read must be what would be written: a second form would be a second signature.
fn der(bytes: &[u8]) -> Option<p256::ecdsa::Signature> {
    let signature = p256::ecdsa::Signature::from_der(bytes).ok()?;
    (signature.to_der().as_bytes() == bytes).then_some(signature)
}
