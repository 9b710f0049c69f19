//! Points on curves: public keys that can be verified with, whatever they are wrapped in.
//!
//! SSH keys and passkeys are the same two kinds of points in different envelopes. What makes a point unfit is said here once.

use ed25519_dalek::VerifyingKey;

/// A public key of one of the two kinds that are verified here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Point {
    Ed25519(VerifyingKey),
    P256(p256::ecdsa::VerifyingKey),
}

impl Point {
    /// A point for Ed25519 (RFC 8032); none if it would prove nothing.
    pub(crate) fn ed25519(bytes: &[u8; 32]) -> Option<Self> {
        let key = VerifyingKey::from_bytes(bytes).ok()?;
        // A key of small order accepts signatures that nobody made; one with a second encoding would have two fingerprints.
        let one_form = key.to_edwards().compress().as_bytes() == bytes;
        (one_form && !key.is_weak()).then_some(Self::Ed25519(key))
    }

    /// A point on P-256, uncompressed (SEC 1, 2.3.3); none if it is not on the curve.
    pub(crate) fn p256(point: &[u8; 65]) -> Option<Self> {
        p256::ecdsa::VerifyingKey::from_sec1_bytes(point).ok().map(Self::P256)
    }
}
