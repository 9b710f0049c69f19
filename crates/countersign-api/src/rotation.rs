//! Rotations of secrets: the recorded form is the secret rotation runbook.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::PersonRef;

/// Starts a rotation under a reserved permit, with the permit's parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartRotation {
    /// The permit.
    pub permit: String,
}

/// A stage that was reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StageReached {
    /// `started`, `pending-created`, `distributed`, `tested`, `promoted`, `overlap`, `old-revoked`, `old-proved-refused`, `closed`, or a stage of
    /// the way back.
    pub stage: String,
    /// When.
    pub at: String,
    /// How long it lasted; absent for the one it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
}

/// Something the rotation did, or still has to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Task {
    /// What: `distribute`.
    pub step: String,
    /// With which endpoint; absent for the secret store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// `waiting`, `in-flight` or `done`.
    pub state: String,
    /// Attempts begun.
    pub attempts: u32,
    /// When it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<String>,
    /// How long the successful attempt took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<u64>,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// Hooks that were to make consumers accept the new key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hooks {
    /// Consumers that were called.
    pub tried: u32,
    /// Consumers that acknowledged.
    pub acknowledged: u32,
    /// Consumers whose last attempt failed.
    pub failed: u32,
}

/// Where to look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Links {
    /// The runbook.
    pub runbook: String,
    /// The dashboard, with the rotation's own window.
    pub dashboard: String,
}

/// What of the policy a rotation runs by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyApplied {
    /// SHA-256 of the policy that was in force when it started.
    pub sha256: String,
    /// How long each stage rests before the next begins.
    pub dwell_ms: u32,
    /// How often a task is tried.
    pub attempts: u32,
}

/// A rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rotation {
    /// `rot_…`
    pub id: String,
    /// The secret: `webhook-signing/stripe`.
    pub secret: String,
    /// Where it is used.
    pub environment: String,
    /// The version it replaces.
    pub from_version: u32,
    /// The version it makes.
    pub to_version: u32,
    /// Where it is.
    pub stage: String,
    /// All stages reached, in order.
    pub stages: Vec<StageReached>,
    /// How long old and new are both accepted.
    pub overlap_seconds: u32,
    /// What of the policy it runs by.
    pub policy: PolicyApplied,
    /// Hooks of the distribution.
    pub hooks: Hooks,
    /// Everything it did or still has to do.
    pub tasks: Vec<Task>,
    /// Why it turned back, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turned_back: Option<String>,
    /// Where to look.
    pub links: Links,
    /// Who started it.
    pub started_by: PersonRef,
    /// The permit it runs under.
    pub permit: String,
    /// The approval the permit consumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// What it belongs to.
    pub correlation: String,
}

/// A governed secret: versions, never values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Secret {
    /// The secret.
    pub secret: String,
    /// Where it is used.
    pub environment: String,
    /// The version that signers use.
    pub current: u32,
    /// Since when.
    pub promoted_at: String,
    /// The rotation that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<String>,
}
