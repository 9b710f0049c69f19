//! Entries, proofs and incidents.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which entries, and which part of them. All filters must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EntryListing {
    /// Begin at this index; `next` of the page before.
    pub from: Option<u64>,
    /// Entries on the page, 1 to 200; 50 unless told otherwise.
    pub limit: Option<usize>,
    /// `oldest` first unless told otherwise, or `newest` first.
    pub order: Option<String>,
    /// Who acted: `per_…` or `node`.
    pub actor: Option<String>,
    /// What the entry belongs to: `cor_…`.
    pub correlation: Option<String>,
    /// The environment it concerns.
    pub environment: Option<String>,
    /// The kind of event, as `approval.granted`, or a family, as `approval.*`.
    pub kind: Option<String>,
    /// What it is about: `apr_…`, `secret:type/name@environment`, `log`, ….
    pub subject: Option<String>,
    /// The resource of the action, or the secret, that the entry or its subject is about: `webhook-signing/stripe`.
    pub resource: Option<String>,
    /// The verb of the action that the entry or its subject is about: `rotate`.
    pub verb: Option<String>,
    /// At or after this RFC 3339 time.
    pub from_time: Option<String>,
    /// Before this RFC 3339 time.
    pub until_time: Option<String>,
    /// Words in the values of the details, in any order, whatever their case and accents; `word*` stands for any ending. What is joined
    /// by punctuation, as `stripe.com`, must stand together.
    pub text: Option<String>,
}

/// An entry of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    /// Its position, from 0.
    pub index: u64,
    /// The leaf as JSON. Hashes are over the exact bytes, which `leaf_text` holds.
    pub leaf: serde_json::Value,
    /// The exact bytes of the leaf.
    pub leaf_text: String,
    /// RFC 6962 leaf hash.
    pub leaf_hash: String,
    /// What is kept beside the leaf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
    /// The entry that says that the details were deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redacted_by: Option<u64>,
}

/// Deletes the details of some entries for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RedactDetails {
    /// Which entries: 1 to 1,000 indices, each once, in ascending order.
    pub entries: Vec<u64>,
    /// An approval of `redact ledger/details control` with the parameters `{"entries": …}`.
    pub approval: String,
    /// Why. Kept as details, so it must not repeat what is deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A redaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Redaction {
    /// The entry that says so, for ever.
    pub index: u64,
    /// The entries whose details were deleted.
    pub entries: Vec<u64>,
    /// The approval it rests on.
    pub approval: String,
    /// When.
    pub redacted_at: String,
}

/// That an entry is in the tree of a size (RFC 6962, 2.1.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InclusionProof {
    /// The entry's position.
    pub index: u64,
    /// The tree's size.
    pub size: u64,
    /// Sibling hashes, leaf upwards.
    pub hashes: Vec<String>,
}

/// That a tree is the beginning of a later one (RFC 6962, 2.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConsistencyProof {
    /// The earlier size.
    pub old: u64,
    /// The later size.
    pub new: u64,
    /// The hashes.
    pub hashes: Vec<String>,
}

/// An incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Incident {
    /// `inc_…`
    pub id: String,
    /// `permit-unknown`, `rotation-stuck`, `rotation-turned-back`, `witness-lost`, `sign-in-failures` or `sign-in-after-failures`.
    pub cause: String,
    /// The subject it is about.
    pub about: String,
    /// When it was opened.
    pub opened_at: String,
    /// What it belongs to.
    pub correlation: String,
}
