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
    /// `invited`, `active` or `deactivated`.
    pub status: String,
    /// Groups of the policy in force.
    pub groups: Vec<String>,
    /// When they were enrolled.
    pub enrolled_at: String,
    /// Until when the invitation can be claimed; absent where it is for good, and once it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_until: Option<String>,
    /// When they were deactivated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deactivated_at: Option<String>,
}

/// How long an invitation is open unless told otherwise: three days, in seconds.
pub const DEFAULT_CLAIM_SECONDS: u32 = 3 * 24 * 3_600;

const fn default_claim_seconds() -> u32 {
    DEFAULT_CLAIM_SECONDS
}

/// Invites somebody, or again whoever has not claimed. Where the rules demand an approval, it is one of `invite person/per_… control` with
/// exactly the parameters `claim_seconds` and `name`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitePerson {
    /// The id they get: `per_…`, drawn by whoever invites, so that an approval can name it.
    pub id: String,
    /// Their name, 1 to 200 characters. Kept as details, so that it can be redacted.
    pub name: String,
    /// SHA-256 of the one-time claim. The claim is `csc_` and 43 characters of base64url, drawn by whoever invites.
    pub claim_sha256: String,
    /// How long it can be claimed, seconds: 1 to 1209600 (14 days); 259200 (3 days) unless told otherwise.
    #[serde(default = "default_claim_seconds")]
    pub claim_seconds: u32,
    /// The approval, where the rules demand one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// Why, for those who read it later. Kept as details beside the name; no part of what was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Ends that somebody belongs, for good. Where the rules demand an approval, it is one of `deactivate person/per_… control` with the
/// parameters `{}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeactivatePerson {
    /// The approval, where the rules demand one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// Why, for those who read it later. Kept as details; no part of what was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A public key by which a person signs what they agree to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VotingKey {
    /// The fingerprint, as OpenSSH shows it: `SHA256:…`
    pub fingerprint: String,
    /// How it signs: `ssh-ed25519` and so on, or `webauthn-…` for passkeys.
    pub algorithm: String,
    /// The key, as in a `.pub` file: algorithm and base64. Of a passkey its JSON.
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

/// Gives a person a voting key, under an approval of `enroll voting-key/per_… control` with exactly this key as the parameter `key`: a
/// text, or for a passkey the object itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrollKey {
    /// The key, as in a `.pub` file, whose comment is let go of; or a passkey as canonical JSON, with the members `_type`
    /// (`countersign/passkey/v1`), `backup_eligible`, `credential_id`, `origins`, `public_key` (COSE) and `rp_id`.
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
