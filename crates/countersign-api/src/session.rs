//! Sessions. The secret is drawn by whoever signs in and never travels except to authenticate; of a browser's, the server draws it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::PersonRef;

/// Somebody who is signed in, or was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// `ses_…`
    pub id: String,
    /// Whose it is.
    pub person: PersonRef,
    /// What they showed: `passkey`, `claim`, `credential`, `handed-on`, …
    pub method: String,
    /// `open`, `signed-out`, `revoked`, `replaced`, `expired`; `ended` where its person was deactivated, or the passkey removed that opened it.
    pub status: String,
    /// Whether it is the one by which this was asked.
    pub current: bool,
    /// When they signed in.
    pub opened_at: String,
    /// Until when it lives if it is not used.
    pub idle_until: String,
    /// From when on it is worth nothing, however much it is used.
    pub expires_at: String,
    /// When it ended, where that is on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
}

/// Opens a session with the credential that asks, for a terminal: it ends by itself, as the policy says, and shows up among one's sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenSession {
    /// SHA-256 of its secret: `css_` and 256 bits in base64url.
    pub session_sha256: String,
}

/// Ends a session: one's own, or under `revoke session/per_… control`, whose approval, where the rules demand one, has the parameter `session`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EndSession {
    /// The approval, where others than whose it is do it and the rules demand one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
