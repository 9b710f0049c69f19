//! Entries, proofs and incidents.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
    /// `permit-unknown`, `rotation-stuck` or `rotation-turned-back`.
    pub cause: String,
    /// The subject it is about.
    pub about: String,
    /// When it was opened.
    pub opened_at: String,
    /// What it belongs to.
    pub correlation: String,
}
