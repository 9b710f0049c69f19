//! Requests and votes: who may, in which order refusals come, and what deadlines do.

use alloc::vec::Vec;

use crate::domain::Command;
use crate::id::ApprovalId;
use crate::permit::Reserve;
use crate::testing::{ANA, AUD, BEN, CHLOE, DAN, World, action, parameters, payout};
use crate::{Actor, approval};

fn request(action: crate::action::Action) -> Command {
    Command::RequestApproval(approval::Request { action, parameters_sha256: parameters() })
}

fn reserve(id: ApprovalId) -> Command {
    Command::ReservePermit(Reserve {
        action: payout(),
        parameters_sha256: parameters(),
        approval: Some(id),
        exceptions: Vec::new(),
    })
}

#[test]
fn a_request_is_refused_in_order_until_nothing_is_wrong() {
    let mut world = World::new();
    assert_eq!(world.says(Actor::Node, &request(payout())), "not_a_person");
    assert_eq!(world.says(AUD, &request(action("launch", "payout/limit", "production"))), "no_rule");
    assert_eq!(world.says(AUD, &request(payout())), "not_a_requester");
    assert_eq!(world.says(ANA, &request(action("ping", "probe/any", "production"))), "approval_not_needed");
    assert_eq!(world.says(ANA, &request(payout())), "approval.requested");
    world.assert_replays();
}

#[test]
fn a_vote_is_refused_in_order_until_nothing_is_wrong() {
    let mut world = World::new();
    assert_eq!(world.says(BEN, &Command::Approve(ApprovalId(9).into())), "approval_not_found");
    let id = world.requested(payout());
    assert_eq!(world.says(Actor::Node, &Command::Approve(id.into())), "not_a_person");
    assert_eq!(world.says(ANA, &Command::Approve(id.into())), "self_approval");
    assert_eq!(world.says(AUD, &Command::Approve(id.into())), "not_an_approver");
    assert_eq!(world.says(BEN, &Command::Approve(id.into())), "approval.granted");
    assert_eq!(world.says(BEN, &Command::Approve(id.into())), "already_voted");
    assert_eq!(world.says(CHLOE, &Command::Approve(id.into())), "approval.granted approval.completed");
    world.assert_replays();
}

#[test]
fn a_quorum_is_other_people_each_once() {
    let mut world = World::new();
    let id = world.requested(payout());
    world.says(BEN, &Command::Approve(id.into()));
    world.says(BEN, &Command::Approve(id.into()));
    world.says(ANA, &Command::Approve(id.into()));
    assert_eq!(world.says(ANA, &reserve(id)), "approval_pending");
}

#[test]
fn deny_is_final_and_withdrawing_is_the_requesters() {
    let mut world = World::new();
    let (denied, withdrawn) = (world.requested(payout()), world.requested(payout()));
    assert_eq!(world.says(BEN, &Command::Withdraw(withdrawn)), "not_the_requester");
    assert_eq!(world.says(ANA, &Command::Withdraw(withdrawn)), "approval.withdrawn");
    assert_eq!(world.says(BEN, &Command::Approve(withdrawn.into())), "approval_withdrawn");
    assert_eq!(world.says(ANA, &Command::Deny(denied)), "self_approval");
    assert_eq!(world.says(BEN, &Command::Deny(denied)), "approval.denied");
    assert_eq!(world.says(CHLOE, &Command::Approve(denied.into())), "approval_denied");
    assert_eq!(world.says(ANA, &reserve(denied)), "approval_denied");
}

#[test]
fn a_used_approval_can_be_neither_denied_nor_used_again() {
    let mut world = World::new();
    let id = world.approved(payout());
    assert_eq!(world.says(ANA, &reserve(id)), "approval.consumed permit.reserved");
    assert_eq!(world.says(BEN, &Command::Deny(id)), "approval_consumed");
    assert_eq!(world.says(ANA, &reserve(id)), "approval_consumed");
    world.assert_replays();
}

#[test]
fn a_deadline_counts_before_anybody_wrote_it_down() {
    let mut world = World::new();
    let id = world.approved(payout());
    world.later(600_000);
    assert_eq!(world.says(ANA, &reserve(id)), "approval_expired");
    assert_eq!(world.due().len(), 1);
    assert_eq!(world.says(Actor::Node, &Command::Elapse(id.into())), "approval.expired");
    assert!(world.due().is_empty());
    assert_eq!(world.says(Actor::Node, &Command::Elapse(id.into())), "");
}

#[test]
fn another_executor_may_use_it_but_nobody_else() {
    let mut world = World::new();
    let id = world.approved(payout());
    assert_eq!(world.says(BEN, &reserve(id)), "not_an_executor");
    assert_eq!(world.says(DAN, &reserve(id)), "approval.consumed permit.reserved");
}

#[test]
fn the_unclaimed_cannot_vote() {
    let mut policy = crate::testing::policy();
    policy.groups.insert("approvers".parse().unwrap(), [AUD, BEN, CHLOE].into());
    let mut world = World::unclaimed(policy);
    for person in [ANA, BEN, CHLOE] {
        world.claim(person);
    }
    let id = world.requested(payout());
    assert_eq!(world.says(AUD, &Command::Approve(id.into())), "not_an_approver");
    world.claim(AUD);
    assert_eq!(world.says(AUD, &Command::Approve(id.into())), "approval.granted");
}
