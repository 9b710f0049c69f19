//! Service tokens. The token itself is drawn by whoever asks for it and never travels except to authenticate.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::PersonRef;

/// A service token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServiceToken {
    /// `tok_…`
    pub id: String,
    /// What it is called: `service-token/deployer`.
    pub resource: String,
    /// Whose it is.
    pub owner: PersonRef,
    /// Where it may do something.
    pub environment: String,
    /// What it may do there: `deploy:release/nudgepay`.
    pub scopes: Vec<String>,
    /// The networks it may come from; from anywhere if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
    /// `active`, `expired`, `revoked`; `ended` where what it was exchanged from has ended, or its owner was deactivated.
    pub status: String,
    /// When it was issued.
    pub issued_at: String,
    /// From when on it is worth nothing.
    pub expires_at: String,
    /// When it ended, where that is on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// The thumbprint of the key that it is bound to (RFC 7638, base64url), if to one: each request then proves its possession (RFC 9449).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_jkt: Option<String>,
    /// The token it was exchanged from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// The workload of the policy for whose token it was exchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// The approval it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// When it was last used, as far as the node knows; a sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
    /// How many requests came with it, as far as the node knows.
    #[serde(default)]
    pub uses: u64,
}

/// Issues a token to whoever asks, under `issue service-token/NAME ENVIRONMENT`. Where the rules demand an approval, its parameters are
/// `lifetime_seconds`, `networks` and `scopes`, exactly as here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueToken {
    /// What it is called: `service-token/deployer`.
    pub resource: String,
    /// Where it may do something.
    pub environment: String,
    /// What it may do there: `deploy:release/nudgepay`, at least one.
    pub scopes: Vec<String>,
    /// The networks it may come from: `10.0.0.0/8`; from anywhere if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
    /// How long it lives, seconds.
    pub lifetime_seconds: u32,
    /// SHA-256 of the token.
    pub token_sha256: String,
    /// The thumbprint of the key to bind it to (RFC 7638, base64url); whoever has the token may use it unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_jkt: Option<String>,
    /// The approval, where the rules demand one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Exchanges the token that asks for one that may do no more, comes from no more networks and lives no longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExchangeToken {
    /// What the new one may do, at least one, each within a scope of the one that asks.
    pub scopes: Vec<String>,
    /// The networks it may come from; those of the one that asks if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
    /// How long it lives, seconds.
    pub lifetime_seconds: u32,
    /// SHA-256 of the new token.
    pub token_sha256: String,
    /// The thumbprint of the key to bind it to; that of the one that asks, if that is bound to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_jkt: Option<String>,
}

/// Takes a token out of force, and all that were exchanged from it: one's own, or under `revoke service-token/NAME ENVIRONMENT`, whose
/// approval, where the rules demand one, has the parameter `token`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeToken {
    /// The approval, where others than the owner do it and the rules demand one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
