//! What the policy in force offers for breaking the glass: something only if every rule that governs the action does.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::policy::BreakGlass;
use crate::text::Name;

/// What the rules offer together.
pub(super) struct Offer<'a> {
    offers: Vec<&'a BreakGlass>,
}

impl<'a> Offer<'a> {
    /// Nothing if there is no rule, or one that offers nothing.
    pub(super) fn new(rules: &[Option<&'a BreakGlass>]) -> Option<Self> {
        let offers: Vec<&BreakGlass> = rules.iter().copied().collect::<Option<_>>()?;
        (!offers.is_empty()).then_some(Self { offers })
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
