//! Whether an ID token is what was asked for (OpenID Connect Core 1.0, section 3.1.3.7): the word of a provider on who has just signed in there.
//!
//! Other than the token of a job it answers one question of ours, which it names by its `nonce`; so it needs no id of its own to be good once.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::time::Time;
use countersign_core::token::SKEW_SECONDS;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256, Sha512};
use subtle::ConstantTimeEq as _;

use super::jws::Algorithm;
use super::{Unbelieved, claims};

/// Longest `sub` and `sid`, characters; a `sub` has at most 255.
const LONGEST: usize = 255;

/// What was asked of whom.
#[derive(Clone, Copy, Debug)]
pub struct ExpectedIdToken<'a> {
    /// `iss`, exactly.
    pub issuer: &'a str,
    /// What we are called there: among `aud`, and `azp` where it is not alone.
    pub client_id: &'a str,
    /// What the question was marked with.
    pub nonce: &'a str,
    /// The access token that came with it.
    pub access_token: Option<&'a str>,
    /// Since when the person must have proved themselves there, if that was asked for.
    pub proved_since: Option<Time>,
}

/// Who signed in, in the provider's words.
#[derive(Clone, Debug)]
pub struct SignedInAs {
    /// What the provider calls them, for good.
    pub subject: String,
}

pub(super) fn check(
    claims: &Map<String, Value>,
    algorithm: Algorithm,
    (expected, now): (&ExpectedIdToken<'_>, Time),
) -> Result<SignedInAs, Unbelieved> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(expected.issuer) {
        return Err(Unbelieved::UnknownIssuer);
    }
    is_for(claims, expected.client_id)?;
    if claims.contains_key("cnf") {
        return Err(Unbelieved::Bound);
    }
    claims::is_current(claims, now)?;
    claims::time(claims, "iat")?.ok_or(Unbelieved::Claim("iat"))?;
    // A logout token has events and no nonce.
    let nonce = text("nonce").filter(|_| !claims.contains_key("events")).ok_or(Unbelieved::Claim("nonce"))?;
    if !bool::from(nonce.as_bytes().ct_eq(expected.nonce.as_bytes())) {
        return Err(Unbelieved::Nonce);
    }
    if let Some(since) = expected.proved_since {
        let proved = claims::time(claims, "auth_time")?.ok_or(Unbelieved::Claim("auth_time"))?;
        if proved.plus_seconds(SKEW_SECONDS) < since {
            return Err(Unbelieved::NotProved);
        }
    }
    if let Some(hash) = claims.get("at_hash") {
        let token = expected.access_token.ok_or(Unbelieved::Claim("at_hash"))?;
        if hash.as_str() != Some(&half_hash(algorithm, token)) {
            return Err(Unbelieved::Claim("at_hash"));
        }
    }
    let subject = named(claims, "sub")?.ok_or(Unbelieved::Claim("sub"))?;
    // What the provider calls this sign-in is needed for nothing, but has to be a name.
    named(claims, "sid")?;
    Ok(SignedInAs { subject })
}

/// Whether the token is for us: alone, or by the word of the provider also for us, who asked.
fn is_for(claims: &Map<String, Value>, client_id: &str) -> Result<(), Unbelieved> {
    let each = match claims.get("aud").ok_or(Unbelieved::Claim("aud"))? {
        Value::Array(each) => each.as_slice(),
        one => std::slice::from_ref(one),
    };
    if !each.iter().any(|one| one == client_id) {
        return Err(Unbelieved::Audience);
    }
    match claims.get("azp") {
        None if each.len() == 1 => Ok(()),
        Some(asked_by) if asked_by == client_id => Ok(()),
        _ => Err(Unbelieved::Audience),
    }
}

/// A name of the provider's, where it gives one: printable, and not longer than a name is.
fn named(claims: &Map<String, Value>, name: &'static str) -> Result<Option<String>, Unbelieved> {
    let is_fine = |text: &&str| {
        !text.is_empty() && text.chars().count() <= LONGEST && !text.chars().any(char::is_control)
    };
    match claims.get(name) {
        None => Ok(None),
        Some(value) => {
            let text = value.as_str().filter(is_fine).ok_or(Unbelieved::Claim(name))?;
            Ok(Some(text.to_owned()))
        }
    }
}

/// The left half of the hash that belongs to the algorithm of the signature.
fn half_hash(algorithm: Algorithm, token: &str) -> String {
    let half = |hash: &[u8]| URL_SAFE_NO_PAD.encode(hash.split_at(hash.len() / 2).0);
    match algorithm {
        Algorithm::Rs256 | Algorithm::Es256 => half(&Sha256::digest(token)),
        Algorithm::EdDsa => half(&Sha512::digest(token)),
    }
}
