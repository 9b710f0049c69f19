//! The wire types of the HTTP contract. No logic: what a field means is decided elsewhere, what it is called is decided here.
//!
//! Ids, digests and times are text in their one form (`apr_…`, 64 hexadecimal digits, `2026-11-23T10:00:00.123Z`). Units are in the
//! names. Requests refuse unknown fields; answers may gain fields.
#![deny(missing_docs)]

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub mod access;
pub mod approval;
pub mod break_glass;
pub mod delegation;
pub mod explain;
pub mod freeze;
pub mod key;
pub mod ledger;
pub mod oauth;
pub mod permit;
pub mod person;
pub mod policy;
pub mod problem;
pub mod review;
pub mod rotation;
pub mod session;
pub mod terminal;
pub mod token;
pub mod witness;

/// What is to be done, to what, where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// What is to be done: `rotate`.
    pub verb: String,
    /// To what: `webhook-signing/stripe`.
    pub resource: String,
    /// Where: `production`.
    pub environment: String,
}

/// A person, by id and, where it was not redacted, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PersonRef {
    /// `per_…`
    pub id: String,
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins: pass it as `after`, for entries as `from`. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Why somebody does something, for those who read it later. Kept as details, so that it can be redacted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
