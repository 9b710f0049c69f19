//! A passkey for voting, as it is enrolled: the credential, and for whom and from which pages it signs.
//!
//! ```text
//! {"_type":"countersign/passkey/v1","backup_eligible":false,"credential_id":"…","origins":["https://countersign.example"],
//!  "public_key":"…","rp_id":"countersign.example"}
//! ```
//!
//! That is canonical JSON, with the COSE key and the id in base64url without padding. People approve this very text, its SHA-256 names the
//! key, and every signature carries it: so whoever verifies knows the relying party and the origins from what people agreed to, and needs no
//! configuration that could be another one's.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{
    Assertion, AuthenticatorData, CoseKey, Credential, Expected, MAX_CREDENTIAL_ID, UserVerification,
    WebauthnError, verify_assertion,
};
use crate::hash::{Hash, sha256};
use crate::json::{self, Object, Value};

/// The first member of every passkey. Another form gets another number.
const TYPE: &str = "countersign/passkey/v1";

/// The members, in canonical order.
const MEMBERS: [&str; 6] = ["_type", "backup_eligible", "credential_id", "origins", "public_key", "rp_id"];

/// The most origins of one passkey.
pub const MAX_ORIGINS: usize = 8;

/// The longest domain name.
const MAX_DOMAIN: usize = 253;

/// A passkey that can be verified with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passkey {
    /// Whether it may be copied to other devices, as its authenticator said.
    pub backup_eligible: bool,
    /// The id by which the authenticator finds it again.
    pub credential_id: Vec<u8>,
    /// The origins of the pages from which it signs, in order.
    pub origins: Vec<String>,
    /// The public key.
    pub public_key: CoseKey,
    /// The relying party it is for.
    pub rp_id: String,
}

/// Why a text is no passkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasskeyError {
    /// The text is not the canonical form of strict JSON.
    NotCanonical,
    /// A member is missing, there is one too many, or one has another form.
    Member(&'static str),
    /// The relying party is no domain in its usual form.
    RelyingParty,
    /// An origin is no page of the relying party, or they are not in order.
    Origin,
    /// The public key cannot be used.
    Key(WebauthnError),
}

impl fmt::Display for PasskeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCanonical => f.write_str("the passkey is not canonical strict JSON"),
            Self::Member(name) => write!(f, "`{name}` of the passkey is missing or has another form"),
            Self::RelyingParty => f.write_str("`rp_id` is not a domain in lower case"),
            Self::Origin => f.write_str(
                "an origin is not `https://` and the relying party or a part of it, or out of order",
            ),
            Self::Key(error) => write!(f, "the public key cannot be used: {error}"),
        }
    }
}

impl core::error::Error for PasskeyError {}

impl Passkey {
    /// Reads a passkey.
    ///
    /// # Errors
    /// Any [`PasskeyError`].
    pub fn parse(text: &[u8]) -> Result<Self, PasskeyError> {
        json::validate_canonical(text).map_err(|_| PasskeyError::NotCanonical)?;
        let Ok(Value::Object(members)) = json::parse(text) else { return Err(PasskeyError::NotCanonical) };
        if !members.iter().map(|(name, _)| name).eq(MEMBERS) {
            return Err(PasskeyError::Member("_type"));
        }
        if string(&members, "_type")? != TYPE {
            return Err(PasskeyError::Member("_type"));
        }
        let Some(Value::Bool(backup_eligible)) = members.get("backup_eligible") else {
            return Err(PasskeyError::Member("backup_eligible"));
        };
        let credential_id = bytes(&members, "credential_id")?;
        if credential_id.is_empty() || credential_id.len() > MAX_CREDENTIAL_ID {
            return Err(PasskeyError::Member("credential_id"));
        }
        let public_key = CoseKey::from_bytes(&bytes(&members, "public_key")?).map_err(PasskeyError::Key)?;
        let rp_id = string(&members, "rp_id")?.to_string();
        let origins = origins(&members)?;
        let read = Self { backup_eligible: *backup_eligible, credential_id, origins, public_key, rp_id };
        read.check()?;
        Ok(read)
    }

    /// The one text.
    ///
    /// # Errors
    /// A part was made by hand and [`Passkey::parse`] would refuse it.
    pub fn to_text(&self) -> Result<String, PasskeyError> {
        self.check()?;
        let text = |value: &str| Value::String(value.to_string());
        let members = [
            text(TYPE),
            Value::Bool(self.backup_eligible),
            text(&URL_SAFE_NO_PAD.encode(&self.credential_id)),
            Value::Array(self.origins.iter().map(|origin| text(origin)).collect()),
            text(&URL_SAFE_NO_PAD.encode(self.public_key.as_bytes())),
            text(&self.rp_id),
        ];
        let members = MEMBERS.map(ToString::to_string).into_iter().zip(members).collect();
        let object = Object::new(members).map_err(|_| PasskeyError::NotCanonical)?;
        String::from_utf8(Value::Object(object).to_canonical()).map_err(|_| PasskeyError::NotCanonical)
    }

    /// SHA-256 of the text: what names the passkey.
    ///
    /// # Errors
    /// As [`Passkey::to_text`].
    pub fn sha256(&self) -> Result<Hash, PasskeyError> {
        self.to_text().map(|text| sha256(text.as_bytes()))
    }

    /// Whether the passkey signed this challenge, from a page of its relying party, by somebody whom the authenticator verified.
    ///
    /// # Errors
    /// As [`verify_assertion`].
    pub fn verify(
        &self,
        challenge: &[u8],
        assertion: &Assertion<'_>,
    ) -> Result<AuthenticatorData, WebauthnError> {
        let expected = Expected {
            rp_id: &self.rp_id,
            origins: &self.origins,
            challenge,
            verification: UserVerification::Required,
        };
        let credential = Credential { key: &self.public_key, backup_eligible: self.backup_eligible };
        verify_assertion(&expected, &credential, assertion)
    }

    fn check(&self) -> Result<(), PasskeyError> {
        if !is_domain(&self.rp_id) {
            return Err(PasskeyError::RelyingParty);
        }
        let ascending =
            self.origins.iter().zip(self.origins.iter().skip(1)).all(|(left, right)| left < right);
        let counted = (1..=MAX_ORIGINS).contains(&self.origins.len());
        let theirs = self.origins.iter().all(|origin| is_origin_of(origin, &self.rp_id));
        if ascending && counted && theirs { Ok(()) } else { Err(PasskeyError::Origin) }
    }
}

/// Labels of lower-case letters, digits and hyphens with points between them. Browsers write others in this form, too (punycode).
fn is_domain(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(letter);
    name.len() <= MAX_DOMAIN && name.split('.').all(label)
}

/// An origin as browsers write it: the relying party's domain or one below it, and a port only where it is not the usual one. Without TLS
/// only on the machine itself.
fn is_origin_of(origin: &str, rp_id: &str) -> bool {
    let (secure, rest) = match (origin.strip_prefix("https://"), origin.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return false,
    };
    let (host, port) = rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port)));
    let usual = if secure { 443 } else { 80 };
    let is_port =
        |port: &str| port.parse::<u16>().is_ok_and(|number| number != usual && number.to_string() == port);
    let below = host.strip_suffix(rp_id).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let local = host == "localhost" || host.ends_with(".localhost");
    is_domain(host) && below && (secure || local) && port.is_none_or(is_port)
}

fn string<'a>(members: &'a Object, name: &'static str) -> Result<&'a str, PasskeyError> {
    members.get(name).and_then(Value::as_str).ok_or(PasskeyError::Member(name))
}

fn bytes(members: &Object, name: &'static str) -> Result<Vec<u8>, PasskeyError> {
    URL_SAFE_NO_PAD.decode(string(members, name)?).map_err(|_| PasskeyError::Member(name))
}

fn origins(members: &Object) -> Result<Vec<String>, PasskeyError> {
    let Some(Value::Array(origins)) = members.get("origins") else {
        return Err(PasskeyError::Member("origins"));
    };
    let origins = origins.iter().map(|origin| origin.as_str().map(ToString::to_string));
    origins.collect::<Option<_>>().ok_or(PasskeyError::Member("origins"))
}
