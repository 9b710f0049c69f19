//! Client data: what the browser says of the page that asked (WebAuthn 5.8.1), as JSON.

use alloc::string::{String, ToString};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::WebauthnError;
use crate::hash::Hash;
use crate::json::{self, Object, Value};

/// The longest client data, bytes. What browsers write is a tenth of it.
pub const MAX_CLIENT_DATA: usize = 4096;

/// What the authenticator was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ceremony {
    /// Make a credential: a registration.
    Create,
    /// Sign with one: an assertion.
    Get,
}

impl Ceremony {
    /// The name in client data.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "webauthn.create",
            Self::Get => "webauthn.get",
        }
    }
}

/// Client data, read and not yet held against anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientData {
    /// The ceremony, by its name in client data.
    pub ceremony: String,
    /// The challenge in base64url without padding.
    pub challenge: String,
    /// The origin of the page that asked: `https://countersign.example`.
    pub origin: String,
    /// Whether that page was inside one of another origin.
    pub cross_origin: bool,
    /// The origin of the outermost page, where the browser says it.
    pub top_origin: Option<String>,
}

impl ClientData {
    /// Reads client data. Members beside these are let go of, as the specification asks.
    ///
    /// # Errors
    /// It is too long, not strict JSON in UTF-8 without a byte order mark, has a key twice, or a member is missing or of another type.
    pub fn parse(bytes: &[u8]) -> Result<Self, WebauthnError> {
        if bytes.len() > MAX_CLIENT_DATA {
            return Err(WebauthnError::TooLarge("the client data"));
        }
        let Value::Object(members) = json::parse(bytes).map_err(WebauthnError::ClientData)? else {
            return Err(WebauthnError::Malformed("the client data is an object"));
        };
        Ok(Self {
            ceremony: text(&members, "type", "`type` of the client data")?,
            challenge: text(&members, "challenge", "`challenge` of the client data")?,
            origin: text(&members, "origin", "`origin` of the client data")?,
            cross_origin: match members.get("crossOrigin") {
                None => false,
                Some(Value::Bool(truth)) => *truth,
                Some(_) => return Err(WebauthnError::Malformed("`crossOrigin` of the client data")),
            },
            top_origin: match members.get("topOrigin") {
                None => None,
                Some(Value::String(origin)) => Some(origin.clone()),
                Some(_) => return Err(WebauthnError::Malformed("`topOrigin` of the client data")),
            },
        })
    }

    /// The challenge, where it is a SHA-256: for whoever has lost what was signed, but not the hash of it.
    #[must_use]
    pub fn challenge_sha256(&self) -> Option<Hash> {
        URL_SAFE_NO_PAD.decode(&self.challenge).ok()?.try_into().ok().map(Hash)
    }

    /// Holds it against what was asked for, and by whom (7.1 and 7.2: type, challenge, origin, crossOrigin, topOrigin).
    pub(super) fn check(
        &self,
        ceremony: Ceremony,
        challenge: &[u8],
        origins: &[String],
    ) -> Result<(), WebauthnError> {
        if self.ceremony != ceremony.as_str() {
            return Err(WebauthnError::Type(self.ceremony.clone()));
        }
        // The texts are compared: a second spelling of the same bytes is nothing that a browser writes.
        if self.challenge != URL_SAFE_NO_PAD.encode(challenge) {
            return Err(WebauthnError::Challenge);
        }
        if !origins.contains(&self.origin) {
            return Err(WebauthnError::Origin(self.origin.clone()));
        }
        let framed = self.cross_origin || self.top_origin.is_some();
        if framed { Err(WebauthnError::CrossOrigin) } else { Ok(()) }
    }
}

fn text(members: &Object, key: &str, part: &'static str) -> Result<String, WebauthnError> {
    let found = members.get(key).and_then(Value::as_str);
    found.map(ToString::to_string).ok_or(WebauthnError::Malformed(part))
}
