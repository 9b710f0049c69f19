//! Permits.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::freeze::Verdict;
use crate::{Action, PersonRef};

/// Reserves a permit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReservePermit {
    /// What is to be done.
    pub action: Action,
    /// With which arguments: exactly those that were approved.
    pub parameters: serde_json::Value,
    /// The approval to consume, where the rules demand one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// Exceptions from the freezes that hold the action: approvals of `except freeze/NAME ENVIRONMENT`, each with the parameters
    /// `{"approval": "apr_…"}` or, where no approval is needed, `{"action": {…}, "parameters": {…}}`. They are used up with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How the work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was done.
    Succeeded,
    /// It was not done, or was undone.
    Failed,
}

/// Says how the work ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FinishPermit {
    /// How.
    pub outcome: Outcome,
    /// What there is to say about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the executor measured: a JSON object without floats, kept as details beside the entry. `countersign run` writes a [`Run`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<serde_json::Value>,
}

/// What `countersign run` reports of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Run {
    /// The command's exit code; absent where a signal ended it or where it could not be started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// The signal that was passed on to it, after which its outcome counts as failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupted_by: Option<i32>,
    /// How long it ran, milliseconds.
    pub duration_ms: u64,
    /// What it wrote to its standard output.
    pub stdout: Written,
    /// What it wrote to its standard error.
    pub stderr: Written,
}

/// What a command wrote, without what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Written {
    /// How many bytes.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: String,
}

/// Says what became of the work of a permit that is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReconcilePermit {
    /// What was found.
    pub outcome: Outcome,
    /// How it was found out.
    pub reason: String,
}

/// What somebody other than the executor found out about a permit that is unknown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reconciliation {
    /// What was found.
    pub outcome: Outcome,
    /// Who looked.
    pub by: PersonRef,
    /// When they said so.
    pub at: String,
}

/// A DSSE envelope. Written without white space in this order it is the permit's document, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// An in-toto statement whose predicate is `urn:countersign:permit:v1`; base64.
    pub payload: String,
    /// `application/vnd.in-toto+json`
    #[serde(rename = "payloadType")]
    pub payload_type: String,
    /// By the node's permit key.
    pub signatures: Vec<EnvelopeSignature>,
}

/// One signature of an envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeSignature {
    /// Name and id of the key; a hint.
    pub keyid: String,
    /// Ed25519 over the pre-authentication encoding; base64.
    pub sig: String,
}

/// A permit as of now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Permit {
    /// `prm_…`
    pub id: String,
    /// `reserved`, `started`, `released`, `lapsed`, `succeeded`, `failed` or `unknown`.
    pub status: String,
    /// What may be done.
    pub action: Action,
    /// Salted SHA-256 of the canonical parameters.
    pub parameters_sha256: String,
    /// Who holds it.
    pub executor: PersonRef,
    /// The approval it consumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// The breaking of the glass that it came with, instead of an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<String>,
    /// When it was reserved.
    pub reserved_at: String,
    /// Until when it may be started.
    pub start_by: String,
    /// When it was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// Until when the outcome must be reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_by: Option<String>,
    /// How often the executor must say that the work goes on, seconds; absent where the rules do not ask for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_seconds: Option<u32>,
    /// Until when the executor must say that the work goes on, where the rules ask for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_by: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// What its executor said too late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<Outcome>,
    /// What somebody else found out, once it was unknown. It stays unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconciled: Option<Reconciliation>,
    /// The rotation it was started for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<String>,
    /// What the freezes about the action said, if there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freezes: Option<Verdict>,
    /// What it belongs to.
    pub correlation: String,
    /// Its document, in the answer to a reservation; `GET /admin/permits/{id}/document` gives the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Envelope>,
}
