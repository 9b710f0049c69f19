//! A past of the tests' world, judged under policies that differ in one thing each.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use super::Past;
use crate::id::{ApprovalId, PersonId};
use crate::policy::{Comment, Consent, Policy};
use crate::signature::Signing;
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

/// A past in which people say more than yes, and what was decided differently under a changed policy.
fn said(
    before: impl FnOnce(&mut Policy),
    happens: impl FnOnce(&mut World, ApprovalId),
    change: impl FnOnce(&mut Policy),
) -> (Vec<String>, Vec<&'static str>) {
    let mut policy = policy();
    before(&mut policy);
    let mut world = World::with(policy.clone());
    let asked = world.requested(payout());
    world.later(1_000);
    happens(&mut world, asked);
    let mut past = Past::since(world.events[0].at);
    world.events.iter().for_each(|event| past.see(event));
    assert_eq!(past.differences(&policy), [], "under the same policy");
    change(&mut policy);
    let found = past.differences(&policy);
    let found = found.iter().map(|it| format!("{}: {} -> {}", it.what, it.then, it.now)).collect();
    (found, past.unjudged(&policy).iter().map(|it| it.what).collect())
}

fn says(world: &mut World, person: PersonId, command: &Command) {
    world.run(Actor::Person(person), command).unwrap();
    world.later(1_000);
}

#[test]
fn a_vote_that_was_taken_back_counts_until_then_only() {
    let taken_back = |world: &mut World, asked: ApprovalId| {
        says(world, BEN, &Command::Approve(asked.into()));
        says(world, BEN, &Command::RevokeVote(asked));
        says(world, CHLOE, &Command::Approve(asked.into()));
    };
    let one = |policy: &mut Policy| {
        policy.rules[2].quorum.insert("approvers".parse().unwrap(), NonZeroU32::MIN);
    };
    let (found, _) = said(|_| (), taken_back, |_| ());
    assert_eq!(found, Vec::<String>::new());
    let (found, _) = said(|_| (), taken_back, one);
    assert_eq!(found, ["quorum: not met -> met at 2026-11-23T10:00:03.000Z"]);
}

#[test]
fn disagreement_ends_a_request_where_fewer_are_enough() {
    let disagreeing = |world: &mut World, asked: ApprovalId| {
        says(world, BEN, &Command::Deny(asked));
    };
    let two = |policy: &mut Policy| policy.rules[2].denials = 2.try_into().unwrap();
    let (found, _) = said(two, disagreeing, |policy| policy.rules[2].denials = NonZeroU32::MIN);
    assert_eq!(found, ["quorum: not met -> denied at 2026-11-23T10:00:01.000Z"]);
    let (found, _) = said(|_| (), disagreeing, two);
    assert_eq!(found, ["quorum: denied at 2026-11-23T10:00:01.000Z -> not met"]);
}

#[test]
fn votes_without_a_reason_or_a_signature_are_not_taken_where_these_are_demanded() {
    let agreed = |world: &mut World, asked: ApprovalId| {
        says(world, BEN, &Command::Approve(asked.into()));
        says(world, CHLOE, &Command::Approve(asked.into()));
    };
    let (found, unjudged) = said(|_| (), agreed, |policy| policy.rules[2].comment = Comment::Required);
    assert_eq!(found, ["quorum: met at 2026-11-23T10:00:02.000Z -> not met"]);
    assert_eq!(unjudged, Vec::<&str>::new());
    let (found, _) = said(|_| (), agreed, |policy| policy.rules[2].signature = Signing::Required);
    assert_eq!(found, ["quorum: met at 2026-11-23T10:00:02.000Z -> not met"]);
}

/// Who asked for rules that are not in force yet nobody knows, so that is said.
#[test]
fn what_cannot_be_judged_is_said_of_each_request() {
    let agreed = |world: &mut World, asked: ApprovalId| {
        says(world, BEN, &Command::Approve(asked.into()));
    };
    let (found, unjudged) = said(|_| (), agreed, |policy| policy.rules[2].independent_of_author = true);
    assert_eq!(found, Vec::<String>::new());
    assert_eq!(unjudged.len(), 1, "{unjudged:?}");
    assert!(unjudged[0].contains("authors"), "{unjudged:?}");
}

#[test]
fn a_permit_whose_request_is_older_is_said_to_be_unjudged() {
    let mut world = World::new();
    let approval = world.approved(payout());
    world.later(1_000);
    let since = world.now;
    let reserve = permit::Reserve {
        action: payout(),
        parameters_sha256: parameters(),
        approval: Some(approval),
        exceptions: Vec::new(),
    };
    world.run(Actor::Person(crate::testing::ANA), &Command::ReservePermit(reserve)).unwrap();
    let mut past = Past::since(since);
    world.events.iter().for_each(|event| past.see(event));
    let unjudged = past.unjudged(&policy());
    assert!(matches!(&unjudged[..], [it] if it.subject.starts_with("prm_")), "{unjudged:?}");
}
