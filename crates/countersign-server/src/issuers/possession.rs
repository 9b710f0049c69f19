//! Proofs that whoever sends a request has a key (DPoP, RFC 9449): a token of their own, signed by it, about this one request.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::digest::Digest;
use countersign_core::time::Time;
use countersign_core::token::SKEW_SECONDS;
use countersign_ledger::hash::sha256;
use serde_json::{Map, Value, json};

use super::jws::{self, Algorithm};
use super::{Unbelieved, keys};
use crate::reached::Reached;

/// How old a proof may be, and how far ahead its clock, seconds.
pub const FRESH_SECONDS: u32 = SKEW_SECONDS;

/// Largest proof, bytes.
const MAX_PROOF: usize = 4 * 1024;

/// Longest `jti`, bytes.
const MAX_ID: usize = 256;

/// Members of a header that have no place in a proof.
const NOT_ACCEPTED: [&str; 8] = ["b64", "crit", "cty", "enc", "jku", "x5c", "x5u", "zip"];

/// Members of a key that nobody shows.
const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "k"];

/// What a proof must be about.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The method of the request.
    pub method: &'a str,
    /// Where the node is reached.
    pub reached: &'a Reached,
    /// The path of the request, without query.
    pub path: &'a str,
    /// The token that comes with it, if it comes with one.
    pub token: Option<&'a str>,
}

/// A proof that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Possession {
    /// The thumbprint of the key (RFC 7638).
    pub jkt: Digest,
    /// The proof itself, which is good once.
    pub id: Digest,
    /// Until when it could be used again.
    pub until: Time,
    /// The nonce that it names; whether that holds is for whoever gives them out to say.
    pub nonce: Option<String>,
}

/// Whether the proof is about this request, now, by whichever key it shows.
///
/// # Errors
/// Why it proves nothing.
pub fn verify(proof: &str, (about, now): (&About<'_>, Time)) -> Result<Possession, Unbelieved> {
    if proof.len() > MAX_PROOF {
        return Err(Unbelieved::Malformed("it is too long"));
    }
    let parts = jws::Parts::of(proof)?;
    let header = &parts.header;
    if let Some(name) = NOT_ACCEPTED.iter().find(|name| header.contains_key(**name)) {
        return Err(Unbelieved::Header(name));
    }
    if header.get("typ").and_then(Value::as_str) != Some("dpop+jwt") {
        return Err(Unbelieved::Header("typ"));
    }
    let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::named);
    let algorithm = algorithm.ok_or(Unbelieved::Algorithm)?;
    let jwk = header.get("jwk").filter(|jwk| PRIVATE.iter().all(|member| jwk.get(member).is_none()));
    let key = jwk.and_then(|jwk| Some((jwk, keys::key(jwk)?)));
    let (jwk, key) = key.ok_or(Unbelieved::Header("jwk"))?;
    if !key.signed(algorithm, (parts.signed, &parts.signature)) {
        return Err(Unbelieved::Signature);
    }
    let until = is_about(&parts.claims, (about, now))?;
    let jkt = thumbprint(jwk).ok_or(Unbelieved::Header("jwk"))?;
    let nonce = match parts.claims.get("nonce") {
        None => None,
        Some(nonce) => Some(nonce.as_str().ok_or(Unbelieved::Claim("nonce"))?.to_owned()),
    };
    Ok(Possession { jkt, id: Digest::of(parts.signed), until, nonce })
}

/// Until when a proof of this request could be used.
fn is_about(claims: &Map<String, Value>, (about, now): (&About<'_>, Time)) -> Result<Time, Unbelieved> {
    let text = |name: &'static str| claims.get(name).and_then(Value::as_str).ok_or(Unbelieved::Claim(name));
    if text("htm")? != about.method {
        return Err(Unbelieved::Claim("htm"));
    }
    if !about.reached.is(text("htu")?, about.path) {
        return Err(Unbelieved::Claim("htu"));
    }
    if let Some(token) = about.token {
        let ath = URL_SAFE_NO_PAD.encode(sha256(token.as_bytes()).0);
        if text("ath")? != ath {
            return Err(Unbelieved::Claim("ath"));
        }
    }
    if !(1..=MAX_ID).contains(&text("jti")?.len()) {
        return Err(Unbelieved::Claim("jti"));
    }
    let seconds = claims.get("iat").and_then(Value::as_i64).filter(|seconds| *seconds >= 0);
    let made = Time::from_millis(seconds.ok_or(Unbelieved::Claim("iat"))?.saturating_mul(1_000));
    let until = made.plus_seconds(FRESH_SECONDS + 1);
    if made > now.plus_seconds(FRESH_SECONDS) {
        return Err(Unbelieved::NotYet);
    }
    if now >= until { Err(Unbelieved::Expired) } else { Ok(until) }
}

/// The SHA-256 of what makes the key, in one form (RFC 7638).
fn thumbprint(jwk: &Value) -> Option<Digest> {
    let members: &[&str] = match jwk["kty"].as_str()? {
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        "RSA" => &["e", "kty", "n"],
        _ => return None,
    };
    // Members come in the order of their names.
    let chosen: Map<String, Value> =
        members.iter().map(|name| ((*name).to_owned(), jwk[*name].clone())).collect();
    let canonical = countersign_ledger::json::to_canonical(&json!(chosen)).ok()?;
    Some(Digest::of(&canonical))
}
