//! Requests for approval.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::Missing;
use crate::{Action, PersonRef};

/// Asks for approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestApproval {
    /// What is to be done.
    pub action: Action,
    /// With which arguments: a JSON object without floats.
    pub parameters: serde_json::Value,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One person's agreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Vote {
    /// Who.
    pub person: PersonRef,
    /// When.
    pub at: String,
}

/// A request for approval as of now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Approval {
    /// `apr_…`
    pub id: String,
    /// `pending`, `approved`, `consumed`, `denied`, `withdrawn` or `expired`.
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
    /// Who asked.
    pub requester: PersonRef,
    /// The rules that matched.
    pub rules: Vec<String>,
    /// When it was requested.
    pub requested_at: String,
    /// When it expires by itself; absent once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Agreements so far.
    pub votes: Vec<Vote>,
    /// Whose agreement is still missing.
    pub missing: Vec<Missing>,
    /// The permit that consumed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit: Option<String>,
    /// What it belongs to.
    pub correlation: String,
}
