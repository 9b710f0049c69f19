//! Break-glass as a policy offers it: who may act without anybody's consent, for how long, and who reviews it by when.
//!
//! Of several matching rules every one must offer it: one that does not takes it away. What they offer becomes as strict as the
//! strictest: people must be in a group of each rule, quorums accumulate, times take the minimum.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{Policy, Quorum};
use crate::id::PersonId;
use crate::text::Name;

/// What one rule offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakGlass {
    /// Groups whose members may.
    pub by: BTreeSet<Name>,
    /// How many of whom must review it afterwards.
    pub review: Quorum,
    /// Until when they must, seconds from the opening.
    pub review_seconds: NonZeroU32,
    /// How long the permit may wait to be started, and how long the work may take then, seconds.
    pub lifetime_seconds: NonZeroU32,
}

/// What all matching rules offer together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breakable {
    /// Whoever breaks the glass must be in at least one group of each set.
    pub by: BTreeSet<BTreeSet<Name>>,
    /// How many of whom must review it afterwards.
    pub review: Quorum,
    /// Until when they must, seconds from the opening.
    pub review_seconds: NonZeroU32,
    /// How long the permit may wait to be started, and how long the work may take then, seconds.
    pub lifetime_seconds: NonZeroU32,
}

impl Breakable {
    pub(super) fn of(offer: &BreakGlass) -> Self {
        let BreakGlass { by, review, review_seconds, lifetime_seconds } = offer.clone();
        Self { by: BTreeSet::from([by]), review, review_seconds, lifetime_seconds }
    }

    /// What two rules offer together: nothing where one of them offers nothing.
    pub(super) fn both(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        let (mut both, other) = (one?, other?);
        both.by.extend(other.by);
        for (group, count) in other.review {
            both.review.entry(group).and_modify(|mine| *mine = (*mine).max(count)).or_insert(count);
        }
        Some(Self {
            review_seconds: both.review_seconds.min(other.review_seconds),
            lifetime_seconds: both.lifetime_seconds.min(other.lifetime_seconds),
            ..both
        })
    }

    /// Whether the person may break the glass.
    #[must_use]
    pub fn may_break(&self, policy: &Policy, person: PersonId) -> bool {
        self.by.iter().all(|groups| groups.iter().any(|group| policy.is_member(group, person)))
    }

    /// Its line of the text whose digest identifies a requirement: `break-glass GROUPS / QUORUM / REVIEW LIFETIME`.
    pub(super) fn line(&self) -> String {
        let joined = |set: &BTreeSet<Name>| set.iter().map(Name::as_str).collect::<Vec<_>>().join(",");
        let by: Vec<String> = self.by.iter().map(joined).collect();
        let review: Vec<String> =
            self.review.iter().map(|(group, count)| format!("{group}:{count}")).collect();
        let (by, review) = (by.join(" "), review.join(","));
        format!("break-glass {by} / {review} / {} {}\n", self.review_seconds, self.lifetime_seconds)
    }
}
