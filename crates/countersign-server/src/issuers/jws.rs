//! A JSON Web Signature in compact form (RFC 7515), taken apart strictly, and whether a key signed it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::digest::Digest;
use countersign_core::time::Time;
use countersign_ledger::json;
use serde_json::{Map, Value};

use super::Unbelieved;
use super::claims::{self, Expected, Verified};
use super::id_token::{self, ExpectedIdToken, SignedInAs};
use super::keys::KeySet;

/// Largest token, bytes. Those of CI systems have about two thousand.
pub const MAX_TOKEN: usize = 16 * 1024;

/// Longest name of a key, bytes.
const MAX_KEY_ID: usize = 256;

/// How tokens may be signed. `none` and everything with a shared secret is not among them: whoever could verify could sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            // RFC 8037 and, fully specified, RFC 9864.
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// Members of a header that bring or name keys of the token's own, or change what is signed.
const NOT_ACCEPTED: [&str; 8] = ["b64", "crit", "cty", "enc", "jku", "jwk", "x5u", "zip"];

/// A token taken apart. Nothing that it says is believed yet.
#[derive(Debug)]
pub struct Jws<'a> {
    algorithm: Algorithm,
    key_id: String,
    claims: Map<String, Value>,
    signed: &'a [u8],
    signature: Vec<u8>,
    sha256: Digest,
}

impl<'a> Jws<'a> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// It has another form, or its header demands what is not accepted.
    pub fn parse(token: &'a str) -> Result<Self, Unbelieved> {
        if token.len() > MAX_TOKEN {
            return Err(Unbelieved::Malformed("it is too long"));
        }
        let Parts { header, claims, signed, signature } = Parts::of(token)?;
        let (algorithm, key_id) = accepted(&header)?;
        Ok(Self { algorithm, key_id, claims, signed, signature, sha256: Digest::of(token.as_bytes()) })
    }

    /// The name of the key that it says signed it.
    pub(super) fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The issuer that it says it has.
    pub(super) fn claimed_issuer(&self) -> Result<&str, Unbelieved> {
        self.claims.get("iss").and_then(Value::as_str).ok_or(Unbelieved::Claim("iss"))
    }

    /// Whether it would be accepted if it were genuine.
    pub(super) fn is_acceptable(&self, expected: &Expected<'_>, now: Time) -> Result<(), Unbelieved> {
        claims::check(&self.claims, (expected, now)).map(|_| ())
    }

    /// What it says, if one of the keys signed it and it is what is expected now. Asks nobody.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn verify(
        self,
        keys: &KeySet,
        (expected, now): (&Expected<'_>, Time),
    ) -> Result<Verified, Unbelieved> {
        self.is_signed(keys)?;
        let (jti, expires_at) = claims::check(&self.claims, (expected, now))?;
        let issuer = expected.issuer.to_owned();
        Ok(Verified { issuer, jti, expires_at, claims: self.claims, sha256: self.sha256 })
    }

    /// Who it says has signed in, if one of the keys signed it and it answers what was asked. Asks nobody.
    ///
    /// # Errors
    /// Why it is not believed.
    pub fn verify_id_token(
        self,
        keys: &KeySet,
        expected: (&ExpectedIdToken<'_>, Time),
    ) -> Result<SignedInAs, Unbelieved> {
        self.is_signed(keys)?;
        id_token::check(&self.claims, self.algorithm, expected)
    }

    fn is_signed(&self, keys: &KeySet) -> Result<(), Unbelieved> {
        let key = keys.get(&self.key_id).ok_or(Unbelieved::UnknownKey)?;
        if key.signed(self.algorithm, (self.signed, &self.signature)) {
            Ok(())
        } else {
            Err(Unbelieved::Signature)
        }
    }
}

/// The parts of a token, decoded and read strictly.
pub(super) struct Parts<'a> {
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
    /// What is signed.
    pub(super) signed: &'a [u8],
    pub(super) signature: Vec<u8>,
}

impl<'a> Parts<'a> {
    pub(super) fn of(token: &'a str) -> Result<Self, Unbelieved> {
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Unbelieved::Malformed("it does not have three parts"));
        };
        let signed = token.as_bytes().get(..header.len() + 1 + payload.len()).unwrap_or_default();
        let header = object(header)?;
        let signature = bytes(signature)?;
        Ok(Self { header, claims: object(payload)?, signed, signature })
    }
}

/// How it is signed and by which key, unless the header demands more.
fn accepted(header: &Map<String, Value>) -> Result<(Algorithm, String), Unbelieved> {
    if let Some(name) = NOT_ACCEPTED.iter().find(|name| header.contains_key(**name)) {
        return Err(Unbelieved::Header(name));
    }
    let algorithm = header.get("alg").and_then(Value::as_str).and_then(Algorithm::named);
    let algorithm = algorithm.ok_or(Unbelieved::Algorithm)?;
    // Tokens of other kinds are signed with the same keys: an access token, a proof, a logout.
    match header.get("typ").map(Value::as_str) {
        None => {}
        Some(Some(kind))
            if kind.eq_ignore_ascii_case("JWT") || kind.eq_ignore_ascii_case("application/jwt") => {}
        Some(_) => return Err(Unbelieved::Header("typ")),
    }
    let key_id = header.get("kid").and_then(Value::as_str).ok_or(Unbelieved::Header("kid"))?;
    if key_id.is_empty() || key_id.len() > MAX_KEY_ID {
        return Err(Unbelieved::Header("kid"));
    }
    Ok((algorithm, key_id.to_owned()))
}

fn bytes(text: &str) -> Result<Vec<u8>, Unbelieved> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Unbelieved::Malformed("a part is not base64url"))
}

/// A part that is a strict JSON object: what one reader takes for one thing, another must not take for something else.
fn object(text: &str) -> Result<Map<String, Value>, Unbelieved> {
    let bytes = bytes(text)?;
    json::validate(&bytes).map_err(|_| Unbelieved::Malformed("a part is not strict JSON"))?;
    serde_json::from_slice(&bytes).map_err(|_| Unbelieved::Malformed("a part is not a JSON object"))
}
