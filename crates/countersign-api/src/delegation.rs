//! Delegations: who may agree in whose place, and when.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::PersonRef;

/// Lets somebody else agree in one's place for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Delegate {
    /// Who may: `per_…`.
    pub to: String,
    /// From when on; at once if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Until when, at most 90 days from the beginning; the moment itself is too late.
    pub until: String,
}

/// A delegation that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Delegation {
    /// In whose place.
    pub person: PersonRef,
    /// Who may agree.
    pub to: PersonRef,
    /// From when on.
    pub from: String,
    /// Until when.
    pub until: String,
    /// Whether it holds now.
    pub active: bool,
}

/// All delegations that have not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Delegations {
    /// One per person at most.
    pub items: Vec<Delegation>,
}
