//! RFC 9457 problem details, with a stable code and a hint.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::PersonRef;

/// Why a request did not happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:countersign:problem:` and the code; a name, not a link.
    #[serde(rename = "type")]
    pub kind: String,
    /// The HTTP status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong.
    pub detail: String,
    /// The stable code.
    pub code: String,
    /// What to do about it.
    pub hint: String,
    /// Whose agreement is missing, where that is the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Missing>,
    /// The rules of the policy in force that govern the action, where they are the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Who could do this instead, where it is for other people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub could: Vec<PersonRef>,
    /// A ready-made body for `POST /admin/approvals`, where an approval is what is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<serde_json::Value>,
    /// The id under which the node's log speaks of the request; also in the header `x-request-id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// A group that has not yet agreed enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Missing {
    /// The group.
    pub group: String,
    /// How many more of its members are needed.
    pub needed: u32,
    /// Who could still agree.
    pub could: Vec<PersonRef>,
}
