//! A past of the tests' world, judged under policies that differ in one thing each.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use super::Past;
use crate::policy::{Consent, Policy};
use crate::testing::{BEN, CHLOE, World, action, parameters, payout, policy};
use crate::{Actor, Command, permit, person};

/// Two requests, of which one is used; a permit that needs no approval; and a refusal.
fn past() -> Past {
    let mut world = World::new();
    world.later(1_000);
    world.reserved(payout());
    let pending = world.requested(payout());
    world.later(1_000);
    world.run(Actor::Person(BEN), &Command::Approve(pending.into())).unwrap();
    let ping = permit::Reserve {
        action: action("ping", "probe/any", "production"),
        parameters_sha256: parameters(),
        approval: None,
        exceptions: Vec::new(),
    };
    world.run(Actor::Person(crate::testing::ANA), &Command::ReservePermit(ping)).unwrap();
    let note = person::NoteRefusals {
        person: CHLOE,
        action: Some(payout()),
        code: "not_a_requester",
        count: NonZeroU32::MIN.saturating_add(1),
        from: world.now,
        until: world.now,
    };
    world.run(Actor::Node, &Command::NoteRefusals(note)).unwrap();
    let mut past = Past::since(world.events[0].at);
    world.events.iter().for_each(|event| past.see(event));
    past
}

fn differences(change: impl FnOnce(&mut Policy)) -> Vec<String> {
    let mut policy = policy();
    change(&mut policy);
    let found = past().differences(&policy);
    found.iter().map(|it| format!("{}: {} -> {}", it.what, it.then, it.now)).collect()
}

#[test]
fn under_the_same_policy_nothing_is_decided_differently() {
    assert_eq!(differences(|_| ()), Vec::<String>::new());
    let replayed = past().replayed();
    assert_eq!((replayed.requests, replayed.reservations, replayed.refusals), (2, 2, 1));
}

#[test]
fn a_higher_quorum_is_not_met_and_its_permit_not_given() {
    let found = differences(|policy| {
        policy.groups.get_mut("approvers").unwrap().insert(crate::testing::DAN);
        policy.rules[2].quorum.insert("approvers".parse().unwrap(), 3.try_into().unwrap());
    });
    assert_eq!(
        found,
        ["quorum: met at 2026-11-23T10:00:01.000Z -> not met", "reservation: allowed -> approval_pending"]
    );
}

#[test]
fn a_lower_quorum_would_have_been_met_by_one() {
    let found = differences(|policy| {
        policy.rules[2].quorum.insert("approvers".parse().unwrap(), NonZeroU32::MIN);
    });
    assert_eq!(found, ["quorum: not met -> met at 2026-11-23T10:00:02.000Z"]);
}

#[test]
fn who_may_no_longer_ask_is_told_and_so_is_the_permit() {
    let found = differences(|policy| {
        policy.rules[2].requesters = ["approvers".parse().unwrap()].into();
        policy.groups.get_mut("approvers").unwrap().remove(&crate::testing::ANA);
    });
    assert_eq!(
        found,
        [
            "request: allowed -> not_a_requester",
            "request: allowed -> not_a_requester",
            "reservation: allowed -> not_a_requester",
            "refusal: not_a_requester, 2 times -> unsatisfiable",
        ]
    );
}

#[test]
fn a_consent_that_was_not_needed_and_lifetimes_are_told() {
    let found = differences(|policy| {
        policy.rules[3].approval = Consent::Required;
        policy.rules[3].quorum = policy.rules[2].quorum.clone();
        policy.rules[2].work_seconds = 60.try_into().unwrap();
    });
    assert_eq!(found, ["work_seconds: 600 -> 60", "reservation: allowed -> approval_required"]);
    let found = differences(|policy| {
        policy.rules[2].name = "payouts".parse().unwrap();
        policy.rules[2].pending_seconds = NonZeroU32::MIN;
    });
    assert_eq!(
        found,
        [
            "rules: payout -> payouts",
            "pending_seconds: 3600 -> 1",
            "rules: payout -> payouts",
            "pending_seconds: 3600 -> 1",
        ]
    );
}

#[test]
fn an_action_without_a_rule_is_refused() {
    let found = differences(|policy| policy.rules.truncate(2));
    assert!(found.iter().all(|it| it.ends_with("-> no_rule")) && found.len() == 5, "{found:?}");
}
