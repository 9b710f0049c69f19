//! Breaking the glass, and the debts it leaves.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::Missing;
use crate::{Action, PersonRef};

/// Acts without anybody's consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenBreakGlass {
    /// What is to be done.
    pub action: Action,
    /// With which arguments: a JSON object without floats.
    pub parameters: serde_json::Value,
    /// 32 random bytes, hexadecimal: fresh for each statement.
    pub parameters_salt: String,
    /// Why; part of what is signed.
    pub reason: String,
    /// The time in what is signed, in the form `2026-11-23T10:00:00.123Z`.
    pub time: String,
    /// The signature of the statement by a voting key of one's own, as `ssh-keygen -Y sign -n break-glass@countersign` makes it.
    pub signature: String,
}

/// Whether it was right to break the glass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It was.
    Justified,
    /// It was not.
    Unjustified,
}

impl Verdict {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Justified => "justified",
            Self::Unjustified => "unjustified",
        }
    }
}

/// Says whether it was right.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewBreakGlass {
    /// Whether it was right.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
}

/// One person's word on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Opinion {
    /// Who.
    pub person: PersonRef,
    /// When.
    pub at: String,
    /// Whether it was right.
    pub verdict: Verdict,
}

/// One breaking of the glass as of now, and the debt it leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BreakGlass {
    /// `bgl_…`
    pub id: String,
    /// `open`, `overdue` or `settled`.
    pub status: String,
    /// What is to be done.
    pub action: Action,
    /// With which arguments; absent in lists and after redaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<serde_json::Value>,
    /// Salted SHA-256 of the canonical parameters.
    pub parameters_sha256: String,
    /// Why; absent in lists and after redaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who did it.
    pub person: PersonRef,
    /// SHA-256 of the public key that signed.
    pub key_sha256: String,
    /// The permit it gave.
    pub permit: String,
    /// When.
    pub opened_at: String,
    /// Until when it must be reviewed.
    pub review_until: String,
    /// What people said so far.
    pub opinions: Vec<Opinion>,
    /// Whose review is still missing.
    pub missing: Vec<Missing>,
    /// When enough people had reviewed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled_at: Option<String>,
    /// What they said together; one `unjustified` is enough for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// `in-time` or `late`, once it is settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeliness: Option<String>,
    /// What it belongs to.
    pub correlation: String,
}
