//! The strictest rule wins, in any order, and the quorum it demands is what trying every assignment says.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use countersign_core::action::Action;
use countersign_core::id::PersonId;
use countersign_core::policy::{Policy, Requirement, Rule};
use countersign_core::text::Name;
use proptest::prelude::*;

use crate::quorum::{governing, is_met};
use crate::stage::{self, ENROLLED, PAYOUT};

const GROUPS: [&str; 4] = ["engineers", "approvers", "security", "auditors"];

/// A rule that may govern payouts, or not.
fn rule() -> impl Strategy<Value = Rule> {
    let groups = || prop::collection::btree_set(prop::sample::select(&GROUPS[..]), 1..3);
    let quorum = prop::collection::btree_map(prop::sample::select(&GROUPS[..]), 1..4_u32, 0..3);
    let pattern = prop::sample::select(vec!["payout/limit", "payout/*", "*", "payout/other"]);
    let environment = prop::sample::select(vec!["production", "*"]);
    let seconds = prop::array::uniform4(1..100_u32);
    let signature = prop::sample::select(vec!["not-required", "required", "hardware"]);
    let fresh = prop::option::of(1..100_u32);
    let wary = (1..4_u32, prop::sample::select(vec!["optional", "required"]), any::<bool>(), fresh);
    let offer = prop::option::weighted(0.8, offer());
    let rest = (seconds, (offer, signature), prop::option::of((1..100_u32, groups())), wary);
    (groups(), groups(), quorum, (pattern, environment), rest).prop_map(
        |(requesters, executors, quorum, (resource, environment), rest)| {
            let (seconds, (offer, signature), escalate, wary) = rest;
            let escalate =
                escalate.map(|(after, to)| serde_json::json!({ "after_seconds": after, "to": to }));
            let approval = if quorum.is_empty() { "not-required" } else { "required" };
            let rule = serde_json::json!({
                "name": "unnamed", "verb": "override", "resource": resource, "environment": environment,
                "patterns": true, "requesters": requesters, "executors": executors, "approval": approval,
                "quorum": quorum, "pending_seconds": seconds[0], "approved_seconds": seconds[1],
                "start_seconds": seconds[2], "work_seconds": seconds[3], "break_glass": offer,
                "escalate": escalate,
                "signature": if quorum.is_empty() { "not-required" } else { signature },
                "denials": wary.0, "comment": wary.1, "independent_of_author": wary.2,
                "fresh_seconds": if quorum.is_empty() { None } else { wary.3 },
            });
            serde_json::from_value(rule).unwrap()
        },
    )
}

/// What a rule may offer for breaking the glass.
fn offer() -> impl Strategy<Value = serde_json::Value> {
    let by = prop::collection::btree_set(prop::sample::select(&GROUPS[..]), 1..3);
    let review = prop::collection::btree_map(prop::sample::select(&GROUPS[..]), 1..3_u32, 1..3);
    (by, review, 1..100_u32, 1..100_u32).prop_map(|(by, review, review_seconds, lifetime_seconds)| {
        serde_json::json!({
            "by": by, "review": review, "review_seconds": review_seconds, "lifetime_seconds": lifetime_seconds,
        })
    })
}

/// Whoever may break the glass under the later demand could under the earlier one, for as long at most, and it is reviewed by as many
/// and as soon at least; and whoever is told that nobody votes is told no later.
fn never_weakens(before: (&Policy, &Requirement), after: (&Policy, &Requirement)) {
    let ((old, before), (new, after)) = (before, after);
    if let Some(told) = &before.escalate {
        let still = after.escalate.as_ref().expect("another rule does not silence one that tells");
        assert!(still.after_seconds <= told.after_seconds && still.to.is_superset(&told.to));
    }
    let Some(after) = &after.break_glass else { return };
    let before = before.break_glass.as_ref().expect("a rule cannot offer what another does not");
    for person in ENROLLED {
        assert!(before.may_break(old, person) || !after.may_break(new, person));
    }
    for (group, count) in &before.review {
        assert!(after.review.get(group) >= Some(count));
    }
    assert!(
        after.review_seconds <= before.review_seconds && after.lifetime_seconds <= before.lifetime_seconds
    );
}

/// A policy with these rules, and the groups everybody is in chosen anew.
fn policy() -> impl Strategy<Value = Policy> {
    let members = prop::collection::btree_set(prop::sample::select(&ENROLLED[..]), 1..5);
    let group = || prop::sample::select(&GROUPS[..]).prop_map(|group| group.parse::<Name>().unwrap());
    let nested = prop::collection::btree_map(group(), prop::collection::btree_set(group(), 1..3), 0..3);
    let linked = prop::option::of(prop::collection::btree_set(prop::sample::select(&ENROLLED[..]), 2..4));
    let people = (prop::array::uniform4(members), nested, linked);
    (prop::collection::vec(rule(), 1..6), people).prop_map(|(mut rules, (members, nested, linked))| {
        for (number, rule) in rules.iter_mut().enumerate() {
            rule.name = format!("rule-{number}").parse().unwrap();
        }
        let groups = GROUPS.iter().zip(members).map(|(group, members)| (group.parse().unwrap(), members));
        let linked = linked.into_iter().collect::<Vec<_>>().into();
        Policy {
            groups: groups.collect(),
            nested: nested.into(),
            linked,
            rules: rules.into(),
            ..stage::policy()
        }
    })
}

fn payout() -> Action {
    stage::action(PAYOUT)
}

fn lifetimes(requirement: &Requirement) -> [NonZeroU32; 4] {
    let Requirement { pending_seconds, approved_seconds, start_seconds, work_seconds, .. } = requirement;
    [*pending_seconds, *approved_seconds, *start_seconds, *work_seconds]
}

/// Every set of enrolled people.
fn sets_of_people() -> impl Iterator<Item = BTreeSet<PersonId>> {
    (0..1_u32 << ENROLLED.len()).map(|chosen| {
        let people = ENROLLED.iter().enumerate().filter(move |(bit, _)| chosen >> bit & 1 == 1);
        people.map(|(_, person)| *person).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_order_of_rules_never_matters(policy in policy(), seed in any::<prop::sample::Index>()) {
        let demanded = policy.requirement(&payout());
        let mut other = policy.clone();
        let turn = seed.index(other.rules.len());
        other.rules.rotate_left(turn);
        let last = other.rules.len() - 1;
        other.rules.swap(0, seed.index(last + 1));
        prop_assert_eq!(other.requirement(&payout()), demanded.clone());
        prop_assert_eq!(
            other.requirement(&payout()).map(|requirement| requirement.digest()),
            demanded.map(|requirement| requirement.digest())
        );
    }

    #[test]
    fn another_rule_never_weakens(policy in policy(), mut another in rule()) {
        another.name = "another".parse().unwrap();
        let mut more = policy.clone();
        more.rules.push(another);
        let (Some(before), Some(after)) = (policy.requirement(&payout()), more.requirement(&payout())) else {
            // What was governed by no rule was allowed to nobody.
            prop_assert!(policy.requirement(&payout()).is_none());
            return Ok(());
        };
        for person in ENROLLED {
            prop_assert!(before.may_request(&policy, person) || !after.may_request(&more, person));
            prop_assert!(before.may_execute(&policy, person) || !after.may_execute(&more, person));
        }
        prop_assert!(before.approval <= after.approval && before.signature <= after.signature);
        prop_assert!(before.denials >= after.denials && before.comment <= after.comment);
        prop_assert!(before.independent.is_subset(&after.independent));
        let is_as_fresh = |seconds: NonZeroU32| after.fresh_seconds.is_some_and(|it| it <= seconds);
        prop_assert!(before.fresh_seconds.is_none_or(is_as_fresh));
        for (group, count) in &before.quorum {
            prop_assert!(after.quorum.get(group) >= Some(count));
        }
        for (before, after) in lifetimes(&before).into_iter().zip(lifetimes(&after)) {
            prop_assert!(after <= before);
        }
        never_weakens((&policy, &before), (&more, &after));
        for voters in sets_of_people() {
            let (before, after) = (before.unfilled(&policy, &voters), after.unfilled(&more, &voters));
            prop_assert!(before.is_empty() || !after.is_empty());
        }
        let changed = governing(&policy, &payout()).len() != governing(&more, &payout()).len();
        prop_assert_eq!(changed, before.digest() != after.digest());
    }

    #[test]
    fn a_quorum_is_met_exactly_if_some_assignment_meets_it(policy in policy()) {
        let rules = governing(&policy, &payout());
        let demanded = policy.requirement(&payout());
        prop_assert_eq!(demanded.is_some(), !rules.is_empty());
        let Some(demanded) = demanded else { return Ok(()) };
        for voters in sets_of_people() {
            let missing = demanded.unfilled(&policy, &voters);
            prop_assert_eq!(missing.is_empty(), is_met(&policy, &rules, &voters), "{:?}", voters);
            prop_assert!(missing.iter().all(|place| place.needed > 0));
        }
    }
}
