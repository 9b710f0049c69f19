//! A key that a service token is bound to, and proofs of having it (DPoP, RFC 9449): one for each request, about exactly that request.
//!
//! Keys are read from PEM as `openssl genpkey` writes it, Ed25519 or P-256. What signs is what TLS is spoken with. The key itself is never sent.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign_ledger::hash::sha256;
use reqwest::Url;
use rustls::SignatureScheme;
use rustls::crypto::ring::sign::{any_ecdsa_type, any_eddsa_type};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::{Signer, SigningKey};
use serde_json::{Value, json};
use zeroize::{Zeroize as _, Zeroizing};

use crate::{ClientError, Credential};

/// What stands before the seed in the PKCS#8 of an Ed25519 key (RFC 8410, section 7).
const ED25519_PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Bytes of a coordinate, and of each half of a signature, on P-256.
const P256_BYTES: usize = 32;

/// A private key. Never printed.
pub struct ProofKey {
    signer: Box<dyn Signer>,
    algorithm: &'static str,
    /// The public key, with its members in the order of their names.
    jwk: Value,
}

impl fmt::Debug for ProofKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProofKey").field("jkt", &self.thumbprint()).finish_non_exhaustive()
    }
}

impl ProofKey {
    /// Draws a fresh Ed25519 key: PKCS#8 in PEM, for a file of its holder's. Wiped from memory when dropped.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn draw_pem() -> Result<Zeroizing<String>, ClientError> {
        let mut der = Zeroizing::new([0; 48]);
        let (before, seed) = der.split_at_mut(ED25519_PKCS8.len());
        before.copy_from_slice(&ED25519_PKCS8);
        getrandom::fill(seed).map_err(|error| unusable(format!("no randomness: {error}")))?;
        let mut body = STANDARD.encode(der.as_slice());
        let pem = Zeroizing::new(format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"));
        body.zeroize();
        Ok(pem)
    }

    /// Reads a key. Nothing of it is repeated in the error.
    ///
    /// # Errors
    /// It is not the PEM of one private key, Ed25519 or P-256.
    pub fn from_pem(pem: &str) -> Result<Self, ClientError> {
        let not_one = || {
            unusable("a key for proofs is a private key in PEM (PKCS#8), Ed25519 or P-256; this is not one")
        };
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| not_one())?;
        let edwards = match &der {
            PrivateKeyDer::Pkcs8(der) => any_eddsa_type(der).ok(),
            _ => None,
        };
        let read = match edwards {
            Some(key) => Self::edwards(key.as_ref()),
            None => any_ecdsa_type(&der).ok().and_then(|key| Self::p256(key.as_ref())),
        };
        read.ok_or_else(not_one)
    }

    /// RFC 8037.
    fn edwards(key: &dyn SigningKey) -> Option<Self> {
        let signer = key.choose_scheme(&[SignatureScheme::ED25519])?;
        let public = key.public_key()?;
        let x = URL_SAFE_NO_PAD.encode(public.as_ref().last_chunk::<32>()?);
        Some(Self { signer, algorithm: "EdDSA", jwk: json!({ "crv": "Ed25519", "kty": "OKP", "x": x }) })
    }

    /// RFC 7518, section 6.2.
    fn p256(key: &dyn SigningKey) -> Option<Self> {
        let signer = key.choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256])?;
        let public = key.public_key()?;
        // At the end stands the point, uncompressed.
        let (x, y) = public.as_ref().last_chunk::<{ 2 * P256_BYTES }>()?.split_at(P256_BYTES);
        let [x, y] = [x, y].map(|coordinate| URL_SAFE_NO_PAD.encode(coordinate));
        Some(Self { signer, algorithm: "ES256", jwk: json!({ "crv": "P-256", "kty": "EC", "x": x, "y": y }) })
    }

    /// What a token is bound to: the thumbprint of the public key (RFC 7638).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        // It has the members that make a key, in the order of their names, and no others.
        URL_SAFE_NO_PAD.encode(sha256(self.jwk.to_string().as_bytes()).0)
    }

    fn signed(&self, claims: &Value) -> Result<String, ClientError> {
        let header = json!({ "alg": self.algorithm, "jwk": self.jwk, "typ": "dpop+jwt" });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = self.signer.sign(signed.as_bytes()).ok();
        let signature = match self.algorithm {
            "ES256" => signature.and_then(|der| fixed(&der)).map(Vec::from),
            _ => signature,
        };
        let signature = signature.ok_or_else(|| unusable("the key for proofs does not sign"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// The two numbers of a signature as JWS has them, each in 32 bytes (RFC 7518, section 3.4), from how X.509 has them: a sequence of two integers.
fn fixed(der: &[u8]) -> Option<[u8; 2 * P256_BYTES]> {
    let mut rest = der
        .strip_prefix(&[0x30])?
        .split_first()
        .filter(|(length, rest)| usize::from(**length) == rest.len())?
        .1;
    let mut both = [0; 2 * P256_BYTES];
    for half in both.chunks_exact_mut(P256_BYTES) {
        let (length, number) = rest.strip_prefix(&[0x02])?.split_first()?;
        let (number, after) = number.split_at_checked(usize::from(*length))?;
        let number = number.iter().position(|byte| *byte != 0).map_or(&[][..], |from| &number[from..]);
        half.get_mut(P256_BYTES.checked_sub(number.len())?..)?.copy_from_slice(number);
        rest = after;
    }
    rest.is_empty().then_some(both)
}

/// Makes proofs for one server, and remembers what it last wanted them to name.
#[derive(Debug)]
pub(crate) struct Prover {
    key: ProofKey,
    /// What proofs say of the token that they come with.
    ath: Option<String>,
    nonce: Mutex<Option<String>>,
}

impl Prover {
    pub(crate) fn new(key: ProofKey, token: Option<&Credential>) -> Self {
        let ath = token.map(|token| URL_SAFE_NO_PAD.encode(sha256(token.expose().as_bytes()).0));
        Self { key, ath, nonce: Mutex::default() }
    }

    /// A proof for a request, good once.
    pub(crate) fn proof(&self, method: &str, url: &Url) -> Result<String, ClientError> {
        let mut target = url.clone();
        target.set_query(None);
        target.set_fragment(None);
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|error| unusable(format!("no randomness: {error}")))?;
        let id = URL_SAFE_NO_PAD.encode(id);
        let mut claims = json!({ "htm": method, "htu": target.as_str(), "iat": seconds, "jti": id });
        let nonce = self.nonce.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (name, value) in [("ath", self.ath.clone()), ("nonce", nonce)] {
            if let Some(value) = value {
                claims[name] = json!(value);
            }
        }
        self.key.signed(&claims)
    }

    /// The server says what proofs name from now on.
    pub(crate) fn told(&self, nonce: &str) {
        *self.nonce.lock().unwrap_or_else(PoisonError::into_inner) = Some(nonce.to_owned());
    }
}

fn unusable(what: impl Into<String>) -> ClientError {
    ClientError::Unusable(what.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_can_be_read_back_and_is_never_shown() {
        let pem = ProofKey::draw_pem().unwrap();
        let key = ProofKey::from_pem(&pem).unwrap();
        assert_eq!((key.algorithm, key.thumbprint().len()), ("EdDSA", 43));
        assert_eq!(ProofKey::from_pem(&pem).unwrap().thumbprint(), key.thumbprint());
        assert_ne!(
            ProofKey::from_pem(&ProofKey::draw_pem().unwrap()).unwrap().thumbprint(),
            key.thumbprint()
        );
        let shown = format!("{key:?}");
        assert!(shown.contains(&key.thumbprint()) && !shown.contains(pem.lines().nth(1).unwrap()), "{shown}");
    }

    /// The key and the thumbprint of RFC 8037, appendix A.
    #[test]
    fn a_thumbprint_is_that_of_the_standard() {
        let seed = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let der = STANDARD.encode([&ED25519_PKCS8[..], &seed].concat());
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n");
        let key = ProofKey::from_pem(&pem).unwrap();
        assert_eq!(key.jwk["x"], "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn what_is_no_such_key_is_refused_without_being_repeated() {
        let pem = ProofKey::draw_pem().unwrap();
        let public = pem.replace("PRIVATE", "PUBLIC");
        for text in
            ["", "hunter2", "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n", &public]
        {
            let told = ProofKey::from_pem(text).unwrap_err().to_string();
            assert!(told.contains("Ed25519 or P-256") && !told.contains("hunter2"), "{told}");
        }
    }

    #[test]
    fn a_proof_is_about_one_request_and_never_the_same_twice() {
        let key = ProofKey::from_pem(&ProofKey::draw_pem().unwrap()).unwrap();
        let token = Credential::draw_token().unwrap();
        let prover = Prover::new(key, Some(&token));
        let url = Url::parse("https://countersign.example:443/admin/permits?a=b#c").unwrap();
        let claims = || {
            let proof = prover.proof("POST", &url).unwrap();
            let claims = URL_SAFE_NO_PAD.decode(proof.split('.').nth(1).unwrap()).unwrap();
            serde_json::from_slice::<Value>(&claims).unwrap()
        };
        let (first, second) = (claims(), claims());
        assert_eq!(
            (&first["htm"], &first["htu"]),
            (&json!("POST"), &json!("https://countersign.example/admin/permits"))
        );
        assert_eq!(first["ath"], URL_SAFE_NO_PAD.encode(sha256(token.expose().as_bytes()).0));
        assert!(first["jti"] != second["jti"] && first.get("nonce").is_none());
        prover.told("n");
        assert_eq!(claims()["nonce"], "n");
    }

    #[test]
    fn signatures_are_of_one_length() {
        let der = |r: &[u8], s: &[u8]| {
            let number = |bytes: &[u8]| [&[0x02, u8::try_from(bytes.len()).unwrap()], bytes].concat();
            let both = [number(r), number(s)].concat();
            [&[0x30, u8::try_from(both.len()).unwrap()], &both[..]].concat()
        };
        let (long, short) = ([&[0][..], &[0xff; 32]].concat(), [7; 3]);
        let whole = fixed(&der(&long, &short)).unwrap();
        assert_eq!(
            (&whole[..32], &whole[32..61], &whole[61..]),
            (&[0xff; 32][..], &[0; 29][..], &[7; 3][..])
        );
        let (good, mut longer, empty) = (der(&long, &short), der(&long, &short), Vec::new());
        longer.push(0);
        for odd in [&empty, &longer, &good[..good.len() - 1].to_vec(), &der(&[1; 33], &short), &vec![0x30, 0]]
        {
            assert!(fixed(odd).is_none(), "{odd:?}");
        }
    }
}
