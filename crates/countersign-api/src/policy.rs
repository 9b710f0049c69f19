//! The policy in force.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Puts another policy in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ActivatePolicy {
    /// The policy.
    pub policy: serde_json::Value,
    /// An approval of `activate policy/main control` with the parameters `{"policy_sha256": …}`.
    pub approval: String,
}

/// The policy in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyInForce {
    /// SHA-256 of its canonical bytes.
    pub sha256: String,
    /// Since when.
    pub activated_at: String,
    /// Whether it is the first one, which nobody approved.
    pub bootstrap: bool,
    /// Requests under way of which nothing can come under it; told to who puts it in force.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stranded: Vec<Stranded>,
    /// The approval it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// The policy.
    pub policy: serde_json::Value,
}

/// A request of which nothing can come under the policy in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stranded {
    /// The request.
    pub approval: String,
    /// Why: `policy_changed`, `no_rule` or `unsatisfiable`.
    pub code: String,
}
