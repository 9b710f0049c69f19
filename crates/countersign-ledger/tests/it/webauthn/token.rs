//! An authenticator and a browser in software, written from the specification and from nothing of ours: CBOR is put together byte by
//! byte, so that everything can be put together wrongly.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::Signer as _;
use sha2::{Digest as _, Sha256};

pub(crate) const RP_ID: &str = "countersign.example";
pub(crate) const ORIGIN: &str = "https://countersign.example";

/// Somebody was there, and was verified.
pub(crate) const UP_UV: u8 = 0x05;
/// The data hold a credential.
pub(crate) const AT: u8 = 0x40;
/// The data hold extensions.
pub(crate) const ED: u8 = 0x80;

/// A key in the authenticator.
pub(crate) enum Token {
    Ed25519(ed25519_dalek::SigningKey),
    P256(p256::ecdsa::SigningKey),
}

/// Bytes in CBOR, of a length below 256.
pub(crate) fn bytes(content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    if length < 24 { [&[0x40 | length], content].concat() } else { [&[0x58, length], content].concat() }
}

/// Text in CBOR, of a length below 24.
pub(crate) fn text(content: &str) -> Vec<u8> {
    [&[0x60 | u8::try_from(content.len()).unwrap()], content.as_bytes()].concat()
}

/// An attestation object of a format, statement and authenticator data.
pub(crate) fn object(format: &str, statement: &[u8], data: &[u8]) -> Vec<u8> {
    [&[0xA3], &*text("fmt"), &text(format), &text("attStmt"), statement, &text("authData"), &bytes(data)]
        .concat()
}

/// What a browser writes.
pub(crate) fn client_data(ceremony: &str, challenge: &[u8], origin: &str) -> Vec<u8> {
    let challenge = URL_SAFE_NO_PAD.encode(challenge);
    let text = format!(
        "{{\"type\":\"webauthn.{ceremony}\",\"challenge\":\"{challenge}\",\"origin\":\"{origin}\",\"crossOrigin\":false}}"
    );
    text.into_bytes()
}

/// Authenticator data without a credential.
pub(crate) fn data(rp_id: &str, flags: u8, counter: u32) -> Vec<u8> {
    [Sha256::digest(rp_id).as_slice(), &[flags], &counter.to_be_bytes()].concat()
}

impl Token {
    pub(crate) fn both() -> [Self; 2] {
        let p256 = p256::ecdsa::SigningKey::from_slice(&[9; 32]).unwrap();
        [Self::Ed25519(ed25519_dalek::SigningKey::from_bytes(&[9; 32])), Self::P256(p256)]
    }

    /// The key as COSE writes it.
    pub(crate) fn cose(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => {
                [&[0xA4, 1, 1, 3, 0x27, 0x20, 6, 0x21], &*bytes(key.verifying_key().as_bytes())].concat()
            }
            Self::P256(key) => {
                let point = key.verifying_key().to_sec1_point(false);
                let (x, y) = point.as_bytes()[1..].split_at(32);
                [&[0xA5, 1, 2, 3, 0x26, 0x20, 1, 0x21], &*bytes(x), &[0x22], &bytes(y)].concat()
            }
        }
    }

    /// Authenticator data of a registration.
    pub(crate) fn made(&self, rp_id: &str, flags: u8, id: &[u8]) -> Vec<u8> {
        let length = u16::try_from(id.len()).unwrap().to_be_bytes();
        [&*data(rp_id, flags | AT, 0), &[7; 16], &length, id, &self.cose()].concat()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Self::P256(key) => {
                let signature: p256::ecdsa::Signature = p256::ecdsa::signature::Signer::sign(key, message);
                signature.to_der().as_bytes().to_vec()
            }
        }
    }
}
