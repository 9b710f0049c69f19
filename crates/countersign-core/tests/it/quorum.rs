//! Who must agree, found out the slow way: by trying every assignment of people to places.
//!
//! Written from the policy's text and the design, not from the core's merging and matching, so that both must agree to be wrong.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::action::Action;
use countersign_core::id::PersonId;
use countersign_core::policy::{Policy, Rule};

/// Whether the rule's text means the action.
fn is_meant(rule: &Rule, action: &Action) -> bool {
    let one = |pattern: String, text: &str| {
        pattern == "*"
            || pattern == text
            || pattern.strip_suffix('*').is_some_and(|start| text.starts_with(start))
    };
    one(rule.verb.text(), action.verb.as_str())
        && one(rule.resource.text(), action.resource.as_str())
        && one(rule.environment.text(), action.environment.as_str())
}

/// The rules of the policy that govern the action.
pub(crate) fn governing<'a>(policy: &'a Policy, action: &Action) -> Vec<&'a Rule> {
    policy.rules.iter().filter(|rule| is_meant(rule, action)).collect()
}

/// Whether the voters fill every place of the rules' quorum, each person one place.
pub(crate) fn is_met(policy: &Policy, rules: &[&Rule], voters: &BTreeSet<PersonId>) -> bool {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for rule in rules {
        for (group, count) in &rule.quorum {
            let most = counts.entry(group.as_str()).or_default();
            *most = (*most).max(count.get());
        }
    }
    let places: Vec<&str> =
        counts.into_iter().flat_map(|(group, count)| (0..count).map(move |_| group)).collect();
    fill(policy, &places, voters)
}

fn fill(policy: &Policy, places: &[&str], voters: &BTreeSet<PersonId>) -> bool {
    let Some((group, rest)) = places.split_first() else { return true };
    let members = members(policy, group, policy.groups.len());
    voters.intersection(&members).any(|voter| {
        let others = voters.iter().copied().filter(|other| !is_one(policy, *voter, *other)).collect();
        fill(policy, rest, &others)
    })
}

/// Everybody in the group or in one nested in it, so many levels deep.
fn members(policy: &Policy, group: &str, depth: usize) -> BTreeSet<PersonId> {
    let mut found = policy.groups.get(group).cloned().unwrap_or_default();
    if depth > 0 {
        let inner = policy.nested.get(group).into_iter().flatten();
        found.extend(inner.flat_map(|inner| members(policy, inner.as_str(), depth - 1)));
    }
    found
}

/// Whether two accounts are one human's.
fn is_one(policy: &Policy, one: PersonId, other: PersonId) -> bool {
    one == other || policy.linked.iter().any(|accounts| accounts.contains(&one) && accounts.contains(&other))
}
