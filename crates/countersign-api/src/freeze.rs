//! Freezes: when some actions are not begun.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The freezes of the policy in force, as of a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Freezes {
    /// The moment.
    pub at: String,
    /// The release of the time zone database that the windows were computed with.
    pub tzdb: String,
    /// In the order of the policy.
    pub freezes: Vec<Freeze>,
}

/// One freeze.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Freeze {
    /// What it is called; an exception is an approval of `except freeze/NAME ENVIRONMENT`.
    pub name: String,
    /// The verb it holds, or `*`.
    pub verb: String,
    /// The resource it holds, `type/*`, or `*`.
    pub resource: String,
    /// The environment it holds, or `*`.
    pub environment: String,
    /// `active`, `inactive`, or `unclear` (this node cannot say, so it holds).
    pub status: String,
    /// The window it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// The windows that follow, at most three.
    pub next: Vec<Window>,
    /// Where it comes again and again: how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurring: Option<Recurring>,
}

/// A span of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Window {
    /// From this moment on.
    pub from: String,
    /// Until just before this one.
    pub until: String,
}

/// How a freeze comes again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Recurring {
    /// When a window begins: a cron expression of five fields.
    pub cron: String,
    /// How long each is, seconds of real time.
    pub duration_seconds: u32,
    /// Where the clock stands that the expression speaks of.
    pub time_zone: String,
}

/// What the freezes about an action said when it was reserved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Verdict {
    /// Those that held it.
    pub active: Vec<String>,
    /// The exceptions from them: the approvals that were used up, by freeze.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub excepted: BTreeMap<String, String>,
    /// The release of the time zone database, where one of them comes again and again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tzdb: Option<String>,
}
