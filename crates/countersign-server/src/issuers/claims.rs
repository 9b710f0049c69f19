//! Whether what the token of a job says of itself is what is expected: by whom, for whom, and when (RFC 7519, section 4.1).

use countersign_core::digest::Digest;
use countersign_core::policy::{Claim, Claims};
use countersign_core::time::Time;
use countersign_core::token::SKEW_SECONDS;
use serde_json::{Map, Value};

use super::Unbelieved;

/// Longest `jti`, bytes.
const MAX_ID: usize = 512;

/// By whom the token of a job must be, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// `iss`, exactly.
    pub issuer: &'a str,
    /// `aud`, exactly and alone.
    pub audience: &'a str,
}

/// What a genuine token says.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Its issuer.
    pub issuer: String,
    /// Its id among all of its issuer.
    pub jti: String,
    /// Until when it is good, by its issuer's clock.
    pub expires_at: Time,
    /// All that it says.
    pub claims: Map<String, Value>,
    /// SHA-256 of the whole token.
    pub sha256: Digest,
}

impl Verified {
    /// What can be compared of it: lists and nothing at all are left out.
    #[must_use]
    pub fn comparable(&self) -> Claims {
        comparable(&self.claims)
    }
}

fn comparable(claims: &Map<String, Value>) -> Claims {
    let one = |(name, value): (&String, &Value)| {
        let claim = match value {
            Value::String(text) => Claim::Text(text.clone()),
            Value::Number(number) => Claim::Number(number.as_i64()?),
            Value::Bool(flag) => Claim::Flag(*flag),
            Value::Object(inner) => Claim::Each(comparable(inner)),
            Value::Array(_) | Value::Null => return None,
        };
        Some((name.clone(), claim))
    };
    claims.iter().filter_map(one).collect()
}

/// The id and the end of a token that is what is expected now.
pub(super) fn check(
    claims: &Map<String, Value>,
    (expected, now): (&Expected<'_>, Time),
) -> Result<(String, Time), Unbelieved> {
    if claims.get("iss").and_then(Value::as_str) != Some(expected.issuer) {
        return Err(Unbelieved::UnknownIssuer);
    }
    let audience = claims.get("aud").ok_or(Unbelieved::Claim("aud"))?;
    // Whoever else it is for could use it here too.
    let only = match audience {
        Value::Array(each) => each.first().filter(|_| each.len() == 1),
        one => Some(one),
    };
    if only.and_then(Value::as_str) != Some(expected.audience) {
        return Err(Unbelieved::Audience);
    }
    if claims.contains_key("cnf") {
        return Err(Unbelieved::Bound);
    }
    let expires_at = is_current(claims, now)?;
    let jti = claims.get("jti").and_then(Value::as_str).filter(|id| (1..=MAX_ID).contains(&id.len()));
    Ok((jti.ok_or(Unbelieved::Claim("jti"))?.to_owned(), expires_at))
}

/// Until when it is good, if it is good now.
pub(super) fn is_current(claims: &Map<String, Value>, now: Time) -> Result<Time, Unbelieved> {
    let expires_at = time(claims, "exp")?.ok_or(Unbelieved::Claim("exp"))?;
    if now >= expires_at.plus_seconds(SKEW_SECONDS) {
        return Err(Unbelieved::Expired);
    }
    for begins in ["iat", "nbf"] {
        if time(claims, begins)?.is_some_and(|begins| begins > now.plus_seconds(SKEW_SECONDS)) {
            return Err(Unbelieved::NotYet);
        }
    }
    Ok(expires_at)
}

/// Seconds since the epoch, whole and not before it.
pub(super) fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Option<Time>, Unbelieved> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_i64().filter(|seconds| *seconds >= 0).ok_or(Unbelieved::Claim(name))?;
    Ok(Some(Time::from_millis(seconds.saturating_mul(1_000))))
}
