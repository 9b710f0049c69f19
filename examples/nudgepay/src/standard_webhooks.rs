//! Standard Webhooks signatures (<https://www.standardwebhooks.com>), scheme `v1`: HMAC-SHA256 over
//! `id.timestamp.body`.
//!
//! Countersign signs its rotation hook with them. Pure: time and key are arguments. Other schemes in the
//! signature list are ignored. Ids that contain `.` are rejected, because the same signature then fits
//! another pair of id and body.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use subtle::{Choice, ConstantTimeEq};

use crate::{MacKey, clock};

/// The three headers, in the order of the signed text.
pub const HEADERS: [&str; 3] = ["webhook-id", "webhook-timestamp", "webhook-signature"];

/// The most signatures the list may hold; a sender in rotation carries two.
const MAX_SIGNATURES: usize = 4;

/// The longest accepted webhook id, in characters.
const MAX_ID: usize = 128;

/// A symmetric signing key, written `whsec_` and the base64 of 24 to 64 bytes.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct HookKey {
    text: String,
    mac: MacKey,
}

/// The text is not `whsec_` and the base64 of 24 to 64 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hook key is `whsec_` and the base64 of 24 to 64 bytes")]
pub struct InvalidKey;

impl HookKey {
    /// Parses the written form.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`]; the text is not repeated in it.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let encoded = text.strip_prefix("whsec_").ok_or(InvalidKey)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| InvalidKey)?;
        if !(24..=64).contains(&bytes.len()) {
            return Err(InvalidKey);
        }
        Ok(Self { text: text.to_owned(), mac: MacKey::new(&bytes) })
    }

    /// The written form, for the program that must hand the key on to another.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

impl TryFrom<String> for HookKey {
    type Error = InvalidKey;

    fn try_from(text: String) -> Result<Self, InvalidKey> {
        Self::parse(&text)
    }
}

impl fmt::Debug for HookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HookKey(redacted)")
    }
}

/// What was received in the three headers.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`, in seconds since 1970.
    pub timestamp: &'a str,
    /// `webhook-signature`, a list separated by single spaces.
    pub signature: &'a str,
}

/// Why a hook call is rejected before its body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A header is missing, repeated, or not in its one accepted spelling; the text says which.
    #[error("{0}")]
    MalformedHeaders(&'static str),
    /// The signed time is more than 300 seconds away from the receiver's clock.
    #[error("the signed time is more than 300 seconds away from this server's clock")]
    OutOfTolerance,
    /// The key did not make any of the signatures.
    #[error("the hook key did not make this signature")]
    Mismatch,
}

/// Signs a body and returns the value of `webhook-signature`. `seconds` counts from 1970.
#[must_use]
pub fn sign(key: &HookKey, id: &str, seconds: u64, body: &[u8]) -> String {
    let tag = key.mac.tag(&[id.as_bytes(), b".", seconds.to_string().as_bytes(), b".", body]);
    format!("v1,{}", STANDARD.encode(tag))
}

/// Verifies a hook call. `now` is seconds since 1970.
///
/// # Errors
///
/// In this order: [`Rejection::MalformedHeaders`], [`Rejection::OutOfTolerance`], [`Rejection::Mismatch`].
pub fn verify(key: &HookKey, received: Received<'_>, body: &[u8], now: u64) -> Result<(), Rejection> {
    if !is_id(received.id) {
        return Err(Rejection::MalformedHeaders(
            "`webhook-id` is not 1 to 128 visible characters without a dot",
        ));
    }
    let Some(seconds) = clock::parse_seconds(received.timestamp) else {
        return Err(Rejection::MalformedHeaders("`webhook-timestamp` is not seconds in plain digits"));
    };
    let signatures = parse_signatures(received.signature)?;
    if !clock::within_tolerance(seconds, now) {
        return Err(Rejection::OutOfTolerance);
    }
    let expected = key.mac.tag(&[received.id.as_bytes(), b".", received.timestamp.as_bytes(), b".", body]);
    let found = signatures.iter().fold(Choice::from(0), |found, signature| found | expected.ct_eq(signature));
    if bool::from(found) { Ok(()) } else { Err(Rejection::Mismatch) }
}

fn is_id(id: &str) -> bool {
    (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'.')
}

fn parse_signatures(text: &str) -> Result<Vec<[u8; 32]>, Rejection> {
    let malformed = Rejection::MalformedHeaders("`webhook-signature` is not a list of `v1,<base64>`");
    let mut signatures = Vec::new();
    for (count, item) in text.split(' ').enumerate() {
        let (scheme, encoded) = item.split_once(',').ok_or(malformed)?;
        if count >= MAX_SIGNATURES || scheme.is_empty() || encoded.is_empty() {
            return Err(malformed);
        }
        if scheme == "v1" {
            let bytes = STANDARD.decode(encoded).map_err(|_| malformed)?;
            signatures.push(bytes.try_into().map_err(|_| malformed)?);
        }
    }
    if signatures.is_empty() { Err(malformed) } else { Ok(signatures) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SECONDS: u64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn key() -> HookKey {
        HookKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()
    }

    fn check(id: &str, timestamp: &str, signature: &str) -> Result<(), Rejection> {
        verify(&key(), Received { id, timestamp, signature }, BODY, SECONDS)
    }

    #[test]
    fn agrees_with_the_published_vector() {
        assert_eq!(sign(&key(), ID, SECONDS, BODY), SIGNATURE);
        assert_eq!(check(ID, "1614265330", SIGNATURE), Ok(()));
        assert_eq!(check(ID, "1614265330", &format!("v1a,anything {SIGNATURE}")), Ok(()));
    }

    #[test]
    fn id_time_body_and_key_are_bound() {
        assert_eq!(check("msg_other", "1614265330", SIGNATURE), Err(Rejection::Mismatch));
        assert_eq!(check(ID, "1614265331", SIGNATURE), Err(Rejection::Mismatch));
        assert_eq!(check(ID, "1614265030", &sign(&key(), ID, SECONDS - 300, BODY)), Ok(()));
        assert_eq!(check(ID, "1614265029", SIGNATURE), Err(Rejection::OutOfTolerance));
        assert_eq!(check(ID, "1614265631", SIGNATURE), Err(Rejection::OutOfTolerance));
        let received = Received { id: ID, timestamp: "1614265330", signature: SIGNATURE };
        assert_eq!(verify(&key(), received, b"{}", SECONDS), Err(Rejection::Mismatch));
        let other = HookKey::parse(&format!("whsec_{}", STANDARD.encode([7; 32]))).unwrap();
        assert_eq!(verify(&other, received, BODY, SECONDS), Err(Rejection::Mismatch));
    }

    /// `id.timestamp.body` cannot tell the id `a` from the id `a.1`, so ids with a dot never reach the
    /// signature.
    #[test]
    fn every_odd_spelling_is_malformed() {
        let time = "1614265330";
        let long = "x".repeat(129);
        let five = [SIGNATURE; 5].join(" ");
        for (id, timestamp, signature) in [
            ("", time, SIGNATURE),
            ("msg_1.2", time, SIGNATURE),
            ("msg 1", time, SIGNATURE),
            ("msg_\u{fc}", time, SIGNATURE),
            (&long, time, SIGNATURE),
            (ID, "", SIGNATURE),
            (ID, "+1614265330", SIGNATURE),
            (ID, "01614265330", SIGNATURE),
            (ID, "1.6e9", SIGNATURE),
            (ID, "1_614_265_330", SIGNATURE),
            (ID, time, ""),
            (ID, time, "v1"),
            (ID, time, "v1,"),
            (ID, time, "v1a,onlyanother"),
            (ID, time, "v1,junk!"),
            (ID, time, "v1,c2hvcnQ="),
            (ID, time, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE"),
            (ID, time, " v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
            (ID, time, &five),
        ] {
            let outcome = check(id, timestamp, signature);
            assert!(
                matches!(outcome, Err(Rejection::MalformedHeaders(_))),
                "{id} {timestamp} {signature}: {outcome:?}"
            );
        }
    }

    #[test]
    fn keys_of_other_shapes_are_rejected() {
        for text in [
            "",
            "whsec_",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_c2hvcnQ=",
            "whsec_###",
            "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        ] {
            assert_eq!(HookKey::parse(text).err(), Some(InvalidKey), "{text}");
        }
        assert!(!format!("{:?}", key()).contains("MfKQ"));
    }
}
