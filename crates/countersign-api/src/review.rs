//! The access review: who may do what, who did, and what nobody needs any more.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::PersonRef;

/// Who can ask for, agree to and execute what under the policy in force, who did within some days, and what is stale.
///
/// The same log, read up to the same entry and the same moment, gives the same review.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccessReview {
    /// The log it was made of.
    pub log: ReviewedLog,
    /// The policy in force.
    pub policy: ReviewedPolicy,
    /// How many days were looked at.
    pub days: u32,
    /// The moment from which on it was looked what people did.
    pub from: String,
    /// The moment at which it was made.
    pub until: String,
    /// Only rights in this environment, if it is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Everybody who was ever enrolled, in that order.
    pub people: Vec<ReviewedPerson>,
    /// One for each right that each person has through each group, in the order of the policy.
    pub rights: Vec<ReviewedRight>,
    /// Tokens that are worth something now.
    pub tokens: Vec<ReviewedToken>,
    /// What nobody needs, uses or can use any more.
    pub stale: Vec<Stale>,
}

/// The head of the log when the review was made. A consistency proof from here to any later checkpoint shows that it is the same log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReviewedLog {
    /// The log's origin.
    pub origin: String,
    /// How many entries it had.
    pub size: u64,
    /// The root of the tree over them.
    pub root: String,
}

/// The policy in force when the review was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReviewedPolicy {
    /// What it is called.
    pub name: String,
    /// SHA-256 of its canonical bytes.
    pub sha256: String,
    /// Since when it is in force.
    pub since: String,
}

/// Somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReviewedPerson {
    /// Who.
    pub person: PersonRef,
    /// `invited`, `active`, `deactivated`.
    pub status: String,
    /// When they were enrolled.
    pub enrolled_at: String,
    /// The groups they are in, themselves or through groups inside them.
    pub groups: Vec<String>,
    /// How many entries they caused in the time that was looked at.
    pub entries: u64,
    /// The last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_entry_at: Option<String>,
}

/// A right that somebody has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReviewedRight {
    /// `read`, `request`, `approve`, `execute`, `break-glass` or `review`.
    pub right: String,
    /// The rule that gives it; `access` where it is reading.
    pub rule: String,
    /// Verb it is for, or `*`.
    pub verb: String,
    /// Resource it is for, or `type/*`, or `*`.
    pub resource: String,
    /// Environment it is for, or `*`.
    pub environment: String,
    /// The group that the rule names.
    pub group: String,
    /// Through which groups inside that one; through none if they are named in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub through: Vec<String>,
    /// Who has it.
    pub person: PersonRef,
    /// The person's status.
    pub status: String,
    /// How often they used it in the time that was looked at, also by tokens of theirs and delegates; absent where that is not on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u64>,
    /// The last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
}

/// A service token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReviewedToken {
    /// `tok_…`
    pub id: String,
    /// What it is called.
    pub resource: String,
    /// Whose it is.
    pub owner: PersonRef,
    /// Where it may do something.
    pub environment: String,
    /// What it may do there.
    pub scopes: Vec<String>,
    /// When it was issued.
    pub issued_at: String,
    /// The workload for whose own token it was exchanged, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// The token it was exchanged from, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// What the policy lets it do by these scopes.
    #[serde(default)]
    pub grants: Vec<ReviewedGrant>,
    /// From when on it is worth nothing.
    pub expires_at: String,
    /// How often it was used, as far as that is on record.
    pub uses: u64,
    /// The last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<String>,
}

/// Something that a token may do: one of its scopes and a right of its owner meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReviewedGrant {
    /// `request` or `execute`.
    pub right: String,
    /// The scope that means it.
    pub scope: String,
    /// The rule that lets the owner.
    pub rule: String,
    /// The verb that scope and rule both mean, or `*`.
    pub verb: String,
    /// The resource that both mean, or `type/*`, or `*`.
    pub resource: String,
    /// Where.
    pub environment: String,
    /// The group by which the owner has the right.
    pub group: String,
    /// Whether people must agree first: `required` or `not-required`.
    pub approval: String,
}

/// Something that should be taken away, or looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stale {
    /// `member-deactivated`, `member-unknown`, `never-claimed`, `person-inactive`, `right-unused`, `voting-key-unused`, `passkey-unused`,
    /// `token-unused`, `scope-unusable` or `delegate-gone`.
    pub kind: String,
    /// Whom it is about.
    pub person: PersonRef,
    /// What: a group, a key by its digest, a token, a delegate.
    pub what: String,
    /// Since when it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}
