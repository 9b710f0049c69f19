//! What the policy in force offers for breaking the glass: something only if every rule that governs the action does.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{quorum, roster};
use crate::id::PersonId;
use crate::policy::{BreakGlass, Policy};
use crate::text::Name;

/// What the rules offer together, and the policy that says who is in which group.
pub(super) struct Offer<'a> {
    policy: &'a Policy,
    offers: Vec<&'a BreakGlass>,
}

impl<'a> Offer<'a> {
    /// Nothing if there is no rule, or one that offers nothing.
    pub(super) fn new(policy: &'a Policy, rules: &[Option<&'a BreakGlass>]) -> Option<Self> {
        let offers: Vec<&BreakGlass> = rules.iter().copied().collect::<Option<_>>()?;
        (!offers.is_empty()).then_some(Self { policy, offers })
    }

    /// Whether the person is in a group of each rule.
    pub(super) fn is_to(&self, person: PersonId) -> bool {
        let theirs = roster::groups_of(self.policy, person);
        self.offers.iter().all(|offer| offer.by.iter().any(|group| theirs.contains(group)))
    }

    /// How many of whom must review.
    pub(super) fn review(&self) -> BTreeMap<Name, u32> {
        let mut review = BTreeMap::new();
        for (group, count) in self.offers.iter().flat_map(|offer| &offer.review) {
            let most: &mut u32 = review.entry(group.clone()).or_default();
            *most = count.get().max(*most);
        }
        review
    }

    /// Whether these people could review it.
    pub(super) fn is_reviewable_by(&self, people: &BTreeSet<PersonId>) -> bool {
        is_met(self.policy, &self.review(), people)
    }

    pub(super) fn review_seconds(&self) -> u32 {
        self.offers.iter().map(|offer| offer.review_seconds.get()).min().unwrap_or(0)
    }

    pub(super) fn lifetime_seconds(&self) -> u32 {
        self.offers.iter().map(|offer| offer.lifetime_seconds.get()).min().unwrap_or(0)
    }

    /// The line of the demand's text.
    pub(super) fn written(&self) -> String {
        fn joined(names: &BTreeSet<Name>) -> String {
            names.iter().map(Name::as_str).collect::<Vec<_>>().join(",")
        }
        let sets: BTreeSet<&BTreeSet<Name>> = self.offers.iter().map(|offer| &offer.by).collect();
        let by: Vec<String> = sets.into_iter().map(joined).collect();
        let places: Vec<String> =
            self.review().iter().map(|(group, count)| format!("{group}:{count}")).collect();
        let (review, lifetime) = (self.review_seconds(), self.lifetime_seconds());
        format!("break-glass {} / {} / {review} {lifetime}\n", by.join(" "), places.join(","))
    }
}

/// Whether these people are enough for a review.
pub(super) fn is_met(policy: &Policy, review: &BTreeMap<Name, u32>, people: &BTreeSet<PersonId>) -> bool {
    quorum::is_met(policy, &review.iter().map(|(group, count)| (group, *count)).collect(), people)
}
