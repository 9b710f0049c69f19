//! What the policy in force demands of an action, and from whom.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::Missing;
use crate::{Action, PersonRef};

/// What the policy in force demands of an action, who could supply it, and what one person could do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// The action.
    pub action: Action,
    /// All rules that apply; none, where the action is not governed and so cannot be done at all.
    pub rules: Vec<String>,
    /// `required` or `not-required`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
    /// Identifies what is demanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requirement_sha256: Option<String>,
    /// Who may ask.
    pub requesters: Vec<PersonRef>,
    /// How many of whom must agree, and who could.
    pub quorum: Vec<Missing>,
    /// Who may execute.
    pub executors: Vec<PersonRef>,
    /// How long ago whoever agrees may have proved who they are for exactly that; nobody must where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh_seconds: Option<u32>,
    /// How long things may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetimes: Option<Lifetimes>,
    /// What one person could do.
    pub standing: Standing,
}

/// How long things may take; of several rules the least of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lifetimes {
    /// How long a request waits for its quorum.
    pub pending_seconds: u32,
    /// How long a complete approval waits to be used.
    pub approved_seconds: u32,
    /// How long a reserved permit waits to be started.
    pub start_seconds: u32,
    /// How long the work may take once started.
    pub work_seconds: u32,
}

/// What one person could do: what is absent stands in nobody's way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Standing {
    /// Who.
    pub person: PersonRef,
    /// Why they could not ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Obstacle>,
    /// Why they could not agree to a request of somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approve: Option<Obstacle>,
    /// Why they could not execute it, approved or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execute: Option<Obstacle>,
}

/// Why somebody could not do something: the refusal they would meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Obstacle {
    /// The stable code.
    pub code: String,
    /// In words.
    pub detail: String,
}
