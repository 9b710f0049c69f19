//! DSSE envelopes (Dead Simple Signing Envelope, protocol and envelope v1.0.2): any bytes with a type, signed by Ed25519 keys.
//!
//! What is signed is the pre-authentication encoding of type and payload, so nothing has to be canonical and nobody parses what
//! nobody signed. The reading is stricter than the specification asks for: strict JSON, no members beside its own, standard base64
//! only. An envelope here carries leave to act, and what a reader does not understand could be what matters. Keys are verifier keys of
//! notes, of a purpose of their own; a `keyid` is `name+id` of one and, as the specification says, nothing but a hint.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::json::{self, Object, Value};
use crate::line;
use crate::note::{NoteSigner, SignError, VerifierKey};

/// The largest payload in bytes.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// The most signatures of one envelope.
pub const MAX_SIGNATURES: usize = 16;

/// A signed payload. Nobody has verified it before [`Envelope::open`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// What the payload is: a media type.
    pub payload_type: String,
    /// What is signed.
    pub payload: Vec<u8>,
    /// By whom, at least one.
    pub signatures: Vec<Signature>,
}

/// One signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Which key it is said to be of; may be empty.
    pub keyid: String,
    /// The signature.
    pub sig: Vec<u8>,
}

/// Why an envelope cannot be made, read or opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DsseError {
    /// It does not have the form of an envelope.
    Malformed(&'static str),
    /// The payload is of another type.
    Type(String),
    /// The signature of this trusted key does not hold.
    Invalid(String),
    /// No trusted key has signed it.
    Unsigned,
    /// A signer gave no signature.
    Signer(SignError),
}

impl fmt::Display for DsseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "malformed envelope: {why}"),
            Self::Type(kind) => write!(f, "the envelope holds `{}`", kind.escape_debug()),
            Self::Invalid(keyid) => write!(f, "the signature of `{}` does not hold", keyid.escape_debug()),
            Self::Unsigned => f.write_str("no trusted key has signed the envelope"),
            Self::Signer(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for DsseError {}

/// What is signed: `DSSEv1 SP LEN(type) SP type SP LEN(payload) SP payload`, lengths in bytes as decimal numbers.
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut encoded = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    encoded.extend_from_slice(payload);
    encoded
}

/// The `keyid` of a key.
#[must_use]
pub fn keyid(key: &VerifierKey) -> String {
    keyid_of(key.name(), key.key_id())
}

fn keyid_of(name: &str, id: u32) -> String {
    format!("{name}+{id:08x}")
}

impl Envelope {
    /// Signs a payload with every signer, in their order.
    ///
    /// # Errors
    /// The payload is too large, there are no signers or too many, or one does not sign.
    pub fn sign(
        payload_type: &str,
        payload: Vec<u8>,
        signers: &[&dyn NoteSigner],
    ) -> Result<Self, DsseError> {
        let encoded = pae(payload_type, &payload);
        let one = |signer: &&dyn NoteSigner| {
            let sig = signer.sign(&encoded).map_err(DsseError::Signer)?;
            Ok(Signature { keyid: keyid_of(signer.name(), signer.key_id()), sig })
        };
        let signatures = signers.iter().map(one).collect::<Result<Vec<_>, DsseError>>()?;
        let envelope = Self { payload_type: payload_type.to_string(), payload, signatures };
        envelope.check()?;
        Ok(envelope)
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// [`DsseError::Malformed`], with what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, DsseError> {
        let malformed = DsseError::Malformed;
        let Ok(Value::Object(object)) = json::parse(bytes) else {
            return Err(malformed("it is not an object of strict JSON"));
        };
        if object.len() != 3 {
            return Err(malformed("its members are not `payload`, `payloadType` and `signatures`"));
        }
        let payload = text(&object, "payload").and_then(line::base64);
        let Some(Value::Array(signatures)) = object.get("signatures") else {
            return Err(malformed("`signatures` is not a list"));
        };
        let signatures: Option<Vec<Signature>> = signatures.iter().map(signature).collect();
        let envelope = Self {
            payload_type: text(&object, "payloadType").ok_or(malformed("`payloadType` is no text"))?.into(),
            payload: payload.ok_or(malformed("`payload` is not base64"))?,
            signatures: signatures.ok_or(malformed("a signature is not `keyid` and `sig` in base64"))?,
        };
        envelope.check()?;
        Ok(envelope)
    }

    fn check(&self) -> Result<(), DsseError> {
        if self.payload.len() > MAX_PAYLOAD {
            return Err(DsseError::Malformed("the payload is too large"));
        }
        if self.signatures.is_empty() || self.signatures.len() > MAX_SIGNATURES {
            return Err(DsseError::Malformed("it has no signature, or too many"));
        }
        Ok(())
    }

    /// The JSON form, canonical: what [`Envelope::parse`] reads.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let member = |key: &str, value| (key.to_string(), value);
        let text = |text: &str| Value::String(text.to_string());
        let object = |members| Value::Object(Object::new(members).unwrap_or_default());
        let signature = |signature: &Signature| {
            let sig = Value::String(line::to_base64(&signature.sig));
            object(Vec::from([member("keyid", text(&signature.keyid)), member("sig", sig)]))
        };
        let members = Vec::from([
            member("payload", Value::String(line::to_base64(&self.payload))),
            member("payloadType", text(&self.payload_type)),
            member("signatures", Value::Array(self.signatures.iter().map(signature).collect())),
        ]);
        object(members).to_canonical()
    }

    /// The payload, if it is of this type and one of the keys has signed it: the keys that did, each once. A signature that is said to
    /// be of a trusted key must hold; those of others are passed over.
    ///
    /// # Errors
    /// The type is another, a trusted key's signature does not hold, or no trusted key has signed.
    pub fn open<'k>(
        &self,
        payload_type: &str,
        keys: &'k [VerifierKey],
    ) -> Result<(&[u8], Vec<&'k VerifierKey>), DsseError> {
        if self.payload_type != payload_type {
            return Err(DsseError::Type(self.payload_type.clone()));
        }
        let encoded = pae(&self.payload_type, &self.payload);
        let mut signed_by: Vec<&VerifierKey> = Vec::new();
        for signature in &self.signatures {
            let named = |key: &&VerifierKey| signature.keyid.is_empty() || signature.keyid == keyid(key);
            let mut candidates = keys.iter().filter(named).peekable();
            if candidates.peek().is_none() {
                continue;
            }
            match candidates.find(|key| key.verifies(&encoded, &signature.sig)) {
                Some(key) if signed_by.contains(&key) => {}
                Some(key) => signed_by.push(key),
                None if signature.keyid.is_empty() => {}
                None => return Err(DsseError::Invalid(signature.keyid.clone())),
            }
        }
        if signed_by.is_empty() { Err(DsseError::Unsigned) } else { Ok((&self.payload, signed_by)) }
    }
}

fn text<'a>(object: &'a Object, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

fn signature(value: &Value) -> Option<Signature> {
    let object = value.as_object()?;
    let keyid = text(object, "keyid").unwrap_or_default();
    let named = usize::from(object.get("keyid").is_some());
    let sig = text(object, "sig").and_then(line::base64)?;
    // A `keyid` that is no text is counted and not understood, so the count does not fit.
    let fits = object.len() == 1 + named && (named == 0 || text(object, "keyid").is_some());
    fits.then(|| Signature { keyid: keyid.to_string(), sig })
}
