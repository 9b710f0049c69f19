//! The public keys of an issuer (RFC 7517), as many and as large as is sensible.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_ledger::json;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::Value;

use super::jws::Algorithm;

/// Most keys of one issuer.
pub(super) const MOST_KEYS: usize = 64;

/// Smallest and largest RSA modulus, bytes: 2,048 to 4,096 bits. Larger ones take long to verify.
const RSA: std::ops::RangeInclusive<usize> = 256..=512;

#[derive(Clone, Debug)]
enum Material {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// A point, uncompressed.
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// A key that verifies.
#[derive(Clone, Debug)]
pub(super) struct Key {
    material: Material,
    /// The only algorithm it is for, where its issuer says so.
    only: Option<Algorithm>,
}

impl Key {
    /// Whether the key made the signature, by an algorithm that fits it.
    pub(super) fn signed(&self, algorithm: Algorithm, (message, signature): (&[u8], &[u8])) -> bool {
        if self.only.is_some_and(|only| only != algorithm) {
            return false;
        }
        match (&self.material, algorithm) {
            (Material::Rsa { modulus, exponent }, Algorithm::Rs256) => {
                let key = RsaPublicKeyComponents { n: modulus, e: exponent };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
            }
            (Material::P256(point), Algorithm::Es256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            (Material::Ed25519(bytes), Algorithm::EdDsa) => {
                UnparsedPublicKey::new(&ED25519, bytes).verify(message, signature).is_ok()
            }
            _ => false,
        }
    }
}

/// An issuer's keys by their names.
#[derive(Clone, Debug, Default)]
pub struct KeySet(BTreeMap<String, Key>);

impl KeySet {
    /// Reads a JWK Set. Keys for something else, or of a kind that is not used here, are left out; so is every key whose name another has.
    ///
    /// # Errors
    /// It is no such document, has too many keys, or none that can be used.
    pub fn parse(document: &[u8]) -> Result<Self, &'static str> {
        json::validate(document).map_err(|_| "the keys are not strict JSON")?;
        let document: Value = serde_json::from_slice(document).map_err(|_| "the keys are not JSON")?;
        let each = document["keys"].as_array().ok_or("the document has no array `keys`")?;
        if each.len() > MOST_KEYS {
            return Err("there are more keys than is sensible");
        }
        let mut keys = BTreeMap::new();
        for jwk in each {
            if let Some(name) = jwk["kid"].as_str() {
                let twice = keys.insert(name.to_owned(), key(jwk)).is_some();
                if twice {
                    keys.insert(name.to_owned(), None);
                }
            }
        }
        let keys: BTreeMap<_, _> = keys.into_iter().filter_map(|(name, key)| Some((name, key?))).collect();
        if keys.is_empty() { Err("there is no key that could be used") } else { Ok(Self(keys)) }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Key> {
        self.0.get(name)
    }
}

/// The key, if it is one that verifies signatures of a kind used here.
pub(super) fn key(jwk: &Value) -> Option<Key> {
    let is_for_signatures = jwk.get("use").is_none_or(|of| of == "sig");
    let verifies = jwk
        .get("key_ops")
        .is_none_or(|of| of.as_array().is_some_and(|of| of.iter().any(|it| it == "verify")));
    let only = match jwk.get("alg") {
        None => None,
        Some(name) => Some(Algorithm::named(name.as_str()?)?),
    };
    let bytes = |member: &str| URL_SAFE_NO_PAD.decode(jwk[member].as_str()?).ok();
    let material = match (jwk["kty"].as_str()?, jwk["crv"].as_str()) {
        ("RSA", None) => Material::Rsa { modulus: unpadded(bytes("n")?), exponent: unpadded(bytes("e")?) },
        ("EC", Some("P-256")) => {
            let (x, y) = (bytes("x")?, bytes("y")?);
            (x.len() == 32 && y.len() == 32).then(|| Material::P256([&[4_u8][..], &x, &y].concat()))?
        }
        ("OKP", Some("Ed25519")) => Material::Ed25519(bytes("x").filter(|x| x.len() == 32)?),
        _ => return None,
    };
    if let Material::Rsa { modulus, exponent } = &material
        && !(RSA.contains(&modulus.len()) && (1..=4).contains(&exponent.len()))
    {
        return None;
    }
    (is_for_signatures && verifies).then_some(Key { material, only })
}

/// Some write a zero before a number that begins with a high bit.
fn unpadded(mut bytes: Vec<u8>) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.split_off(zeros)
}
