//! People and their credentials.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Replaces a one-time claim by a credential. The credential itself stays with its holder.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimCredential {
    /// The claim, as it was handed over.
    pub claim: String,
    /// SHA-256 of the credential.
    pub credential_sha256: String,
}

impl std::fmt::Debug for ClaimCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClaimCredential")
            .field("credential_sha256", &self.credential_sha256)
            .finish_non_exhaustive()
    }
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Person {
    /// `per_…`
    pub id: String,
    /// The name, unless it was redacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `invited` or `active`.
    pub status: String,
    /// Groups of the policy in force.
    pub groups: Vec<String>,
    /// When they were enrolled.
    pub enrolled_at: String,
}
