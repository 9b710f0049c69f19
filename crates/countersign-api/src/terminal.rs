//! Letting a terminal act for somebody who is signed in elsewhere: the terminal shows a code, and they type it where they are signed in.
//!
//! As in RFC 8628, with one difference: the terminal draws its secret itself and sends only the SHA-256, so no answer ever carries one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A terminal asks to be let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestTerminal {
    /// SHA-256 of the session's secret: `css_` and 256 bits in base64url.
    pub session_sha256: String,
    /// What the terminal calls itself, 1 to 64 characters: shown to whoever is asked to let it in, and believed by nobody.
    pub terminal: String,
}

/// A terminal that asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Terminal {
    /// What to type: `WDJB-MJHT`.
    pub code: String,
    /// What the terminal calls itself.
    pub terminal: String,
    /// The address it asked from, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// From when on the code is worth nothing.
    pub expires_at: String,
}

/// How it stands with a terminal that asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TerminalStanding {
    /// `waiting`, `admitted`, `turned-away`; `unknown` once its time is over.
    pub status: String,
}

/// Answers a terminal that asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerTerminal {
    /// Whether it comes in.
    pub answer: TerminalAnswer,
}

/// What a terminal is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TerminalAnswer {
    /// It acts for whoever says so, by a session of its own.
    Admit,
    /// It is not let in.
    TurnAway,
}
