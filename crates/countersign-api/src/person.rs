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

/// A public key by which a person signs what they agree to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VotingKey {
    /// The fingerprint, as OpenSSH shows it: `SHA256:…`
    pub fingerprint: String,
    /// The key, as in a `.pub` file: algorithm and base64.
    pub key: String,
    /// Whether it lives in hardware and asks for a touch.
    pub hardware: bool,
    /// Since when it is in force.
    pub enrolled_at: String,
    /// The approval it rests on.
    pub approval: String,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<String>,
}

/// A person's voting keys, revoked ones too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VotingKeys {
    /// In order of enrolment.
    pub keys: Vec<VotingKey>,
}

/// Gives a person a voting key, under an approval of `enroll voting-key/per_… control` with exactly this key as the parameter `key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrollKey {
    /// The key, as in a `.pub` file. A comment is let go of.
    pub key: String,
    /// The approval.
    pub approval: String,
}

/// Takes a voting key out of force: one's own, or under an approval of `revoke voting-key/per_… control` with the parameter `fingerprint`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeKey {
    /// The key's fingerprint: `SHA256:…`
    pub fingerprint: String,
    /// The approval; one's own keys need none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
