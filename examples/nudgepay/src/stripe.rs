//! Stripe's webhook signatures: `Stripe-Signature: t=<seconds>,v1=<hex>[,v1=<hex>…]`, HMAC-SHA256 over
//! `t.body`.
//!
//! Pure: time and keys are arguments. The header has one published grammar and every other spelling is
//! rejected, because the official libraries disagree about odd ones. `v0` and schemes of other names are
//! ignored, as Stripe documents.

use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::{MacKey, Version, VersionedKey, clock};

/// The header's name.
pub const HEADER: &str = "stripe-signature";

/// The most items a header may have; Stripe sends two or three.
const MAX_ITEMS: usize = 16;

/// The most `v1` signatures a header may carry; a sender in rotation carries two.
const MAX_SIGNATURES: usize = 4;

/// Why a webhook is rejected before anything it says is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The header is missing, repeated, or does not follow the grammar; the text says where it departs.
    #[error("{0}")]
    MalformedHeader(&'static str),
    /// The signed time is more than 300 seconds away from the receiver's clock.
    #[error("the signed time is more than 300 seconds away from this server's clock")]
    OutOfTolerance,
    /// No accepted key made any of the signatures.
    #[error("no accepted key made this signature")]
    Mismatch,
}

/// Signs a body as of `seconds` since 1970 and returns the header's value.
#[must_use]
pub fn sign(key: &MacKey, seconds: u64, body: &[u8]) -> String {
    let tag = key.tag(&[seconds.to_string().as_bytes(), b".", body]);
    let hex: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
}

/// Verifies a webhook and tells which version of the secret signed it.
///
/// Every key is tried against every signature and none of the comparisons ends early, so the time taken tells
/// nothing about which key nearly matched. `now` is seconds since 1970.
///
/// # Errors
///
/// In this order: [`Rejection::MalformedHeader`], [`Rejection::OutOfTolerance`], [`Rejection::Mismatch`].
pub fn verify(header: &str, body: &[u8], now: u64, keys: &[VersionedKey]) -> Result<Version, Rejection> {
    let header = Header::parse(header)?;
    if !clock::within_tolerance(header.seconds, now) {
        return Err(Rejection::OutOfTolerance);
    }
    let seconds = header.seconds.to_string();
    let mut found = Choice::from(0);
    let mut version = 0;
    for accepted in keys {
        let expected = accepted.key.tag(&[seconds.as_bytes(), b".", body]);
        for signature in &header.signatures {
            let hit = expected.ct_eq(signature);
            version = Version::conditional_select(&version, &accepted.version, hit);
            found |= hit;
        }
    }
    if bool::from(found) { Ok(version) } else { Err(Rejection::Mismatch) }
}

/// A header that follows the grammar: one time, one to four `v1` signatures.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    seconds: u64,
    signatures: Vec<[u8; 32]>,
}

impl Header {
    fn parse(text: &str) -> Result<Self, Rejection> {
        let malformed = |reason| Err(Rejection::MalformedHeader(reason));
        let mut seconds = None;
        let mut signatures = Vec::new();
        for (count, item) in text.split(',').enumerate() {
            if count >= MAX_ITEMS {
                return malformed("the header has more than 16 items");
            }
            let Some((name, value)) = item.split_once('=') else {
                return malformed("an item is not `name=value`");
            };
            match name {
                "t" if seconds.is_some() => return malformed("the header has more than one `t`"),
                "t" => match clock::parse_seconds(value) {
                    Some(parsed) => seconds = Some(parsed),
                    None => return malformed("`t` is not seconds in plain digits"),
                },
                "v1" if signatures.len() == MAX_SIGNATURES => {
                    return malformed("more than 4 `v1` signatures");
                }
                "v1" => match decode_tag(value) {
                    Some(tag) => signatures.push(tag),
                    None => return malformed("a `v1` signature is not 64 lower-case hexadecimal digits"),
                },
                _ if is_scheme(name) && is_token(value) => {}
                _ => return malformed("an item is neither `t`, `v1` nor a well-formed scheme"),
            }
        }
        match seconds {
            None => malformed("the header has no `t`"),
            Some(_) if signatures.is_empty() => malformed("the header has no `v1` signature"),
            Some(seconds) => Ok(Self { seconds, signatures }),
        }
    }
}

/// Scheme names start with `v`, as Stripe's do; anything else is more likely a mangled `t` or `v1`.
fn is_scheme(name: &str) -> bool {
    name.strip_prefix('v').is_some_and(|rest| {
        (1..=3).contains(&rest.len())
            && rest.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
    })
}

fn is_token(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_graphic())
}

fn decode_tag(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != 32 || !rest.is_empty() {
        return None;
    }
    let mut tag = [0_u8; 32];
    for (to, [high, low]) in tag.iter_mut().zip(pairs) {
        *to = (digit(*high)? << 4) | digit(*low)?;
    }
    Some(tag)
}

#[cfg(test)]
mod tests;
