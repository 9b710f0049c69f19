//! Permits: bound to action and parameters, used once, and never silent.

use alloc::vec::Vec;

use crate::Actor;
use crate::digest::Digest;
use crate::domain::Command;
use crate::permit::{Finish, Outcome, Reserve, Status};
use crate::testing::{ANA, BEN, DAN, World, action, parameters, payout, rotate};

#[test]
fn a_reservation_is_refused_in_order_until_nothing_is_wrong() {
    let mut world = World::new();
    let id = world.requested(payout());
    let mut reserve = Reserve {
        action: action("launch", "payout/limit", "production"),
        parameters_sha256: Digest::of(b"other"),
        approval: None,
        exceptions: Vec::new(),
    };
    let says = |world: &mut World, reserve: &Reserve, actor: Actor| {
        world.says(actor, &Command::ReservePermit(reserve.clone()))
    };
    assert_eq!(says(&mut world, &reserve, Actor::Node), "not_a_person");
    assert_eq!(says(&mut world, &reserve, BEN.into()), "no_rule");
    reserve.action = rotate();
    assert_eq!(says(&mut world, &reserve, BEN.into()), "not_an_executor");
    assert_eq!(says(&mut world, &reserve, ANA.into()), "approval_required");
    reserve.approval = Some(crate::id::ApprovalId(9));
    assert_eq!(says(&mut world, &reserve, ANA.into()), "approval_not_found");
    reserve.approval = Some(id);
    assert_eq!(says(&mut world, &reserve, ANA.into()), "action_mismatch");
    reserve.action = payout();
    assert_eq!(says(&mut world, &reserve, ANA.into()), "parameters_mismatch");
    reserve.parameters_sha256 = parameters();
    assert_eq!(says(&mut world, &reserve, ANA.into()), "approval_pending");
}

#[test]
fn from_reserved_to_an_outcome() {
    let mut world = World::new();
    let id = world.reserved(payout());
    let finish = Command::FinishPermit(Finish { permit: id, outcome: Outcome::Succeeded });
    assert_eq!(world.says(ANA, &finish), "permit_not_started");
    assert_eq!(world.says(DAN, &Command::StartPermit(id)), "not_the_executor");
    assert_eq!(world.says(ANA, &Command::StartPermit(id)), "permit.started");
    assert_eq!(world.says(ANA, &Command::StartPermit(id)), "permit_already_started");
    assert_eq!(world.says(ANA, &finish), "permit.succeeded");
    assert_eq!(world.says(ANA, &finish), "permit_closed");
    world.assert_replays();
}

#[test]
fn a_released_permit_gives_its_approval_back() {
    let mut world = World::new();
    let id = world.reserved(payout());
    let approval = world.state.permit(id).and_then(|permit| permit.approval);
    assert_eq!(world.says(ANA, &Command::ReleasePermit(id)), "permit.released approval.restored");
    assert_eq!(world.says(ANA, &Command::StartPermit(id)), "permit_released");
    let again =
        Reserve { action: payout(), parameters_sha256: parameters(), approval, exceptions: Vec::new() };
    assert_eq!(world.says(ANA, &Command::ReservePermit(again)), "approval.consumed permit.reserved");
    world.assert_replays();
}

#[test]
fn a_permit_that_is_not_started_lapses_and_keeps_its_approval() {
    let mut world = World::new();
    let id = world.reserved(payout());
    world.later(60_000);
    assert_eq!(world.says(ANA, &Command::StartPermit(id)), "permit_lapsed");
    assert_eq!(world.says(ANA, &Command::ReleasePermit(id)), "permit_lapsed");
    assert_eq!(world.says(Actor::Node, &Command::Elapse(id.into())), "permit.lapsed");
}

#[test]
fn silence_becomes_unknown_and_a_late_report_never_flips_it() {
    let mut world = World::new();
    let id = world.reserved(payout());
    world.says(ANA, &Command::StartPermit(id));
    world.later(600_000);
    assert_eq!(world.says(Actor::Node, &Command::Elapse(id.into())), "permit.unknown incident.opened");
    let finish = Command::FinishPermit(Finish { permit: id, outcome: Outcome::Succeeded });
    assert_eq!(world.says(ANA, &finish), "permit.reported_late");
    assert_eq!(
        world.state.permit(id).map(|permit| (permit.status, permit.late)),
        Some((Status::Unknown, Some(Outcome::Succeeded)))
    );
    world.assert_replays();
}

#[test]
fn a_late_report_writes_the_silence_down_first() {
    let mut world = World::new();
    let id = world.reserved(payout());
    world.says(ANA, &Command::StartPermit(id));
    world.later(600_000);
    let finish = Command::FinishPermit(Finish { permit: id, outcome: Outcome::Failed });
    assert_eq!(world.says(ANA, &finish), "permit.unknown incident.opened permit.reported_late");
}

#[test]
fn the_rotation_of_a_governed_secret_cannot_be_claimed_by_hand() {
    let mut world = World::new();
    let id = world.reserved(rotate());
    assert_eq!(world.says(ANA, &Command::StartPermit(id)), "use_rotation");
}

/// A world in which payouts must give signs of life every minute.
fn lively() -> World {
    let mut policy = crate::testing::policy();
    policy.rules[2].heartbeat_seconds = core::num::NonZeroU32::new(60);
    World::with(policy)
}

#[test]
fn signs_of_life_move_the_deadline_and_a_fast_drummer_does_not_fill_the_log() {
    let mut world = lively();
    let id = world.reserved(payout());
    let beat = Command::KeepPermitAlive(id);
    assert_eq!(world.says(ANA, &beat), "permit_not_started");
    assert_eq!(world.says(ANA, &Command::StartPermit(id)), "permit.started");
    world.later(19_999);
    assert_eq!(world.says(ANA, &beat), "", "what is on record is fresh enough");
    world.later(1);
    assert_eq!(world.says(DAN, &beat), "not_the_executor");
    assert_eq!(world.says(ANA, &beat), "permit.heartbeat");
    assert_eq!(world.says(ANA, &beat), "");
    world.later(59_999);
    assert_eq!(world.says(ANA, &beat), "permit.heartbeat");
    // However often it beats, the work has an end.
    for _ in 0..8 {
        world.later(59_999);
        assert_eq!(world.says(ANA, &beat), "permit.heartbeat");
    }
    world.later(59_999);
    assert_eq!(world.says(ANA, &beat), "permit_unknown");
    world.assert_replays();
}

#[test]
fn silence_between_two_signs_of_life_is_silence() {
    let mut world = lively();
    let id = world.reserved(payout());
    assert_eq!(world.says(ANA, &Command::StartPermit(id)), "permit.started");
    world.later(60_000);
    let finish = Command::FinishPermit(Finish { permit: id, outcome: Outcome::Succeeded });
    assert_eq!(world.says(ANA, &finish), "permit.unknown incident.opened permit.reported_late");
}

#[test]
fn what_became_of_an_unknown_permit_is_said_once_by_somebody_else_and_changes_no_state() {
    let mut world = World::new();
    let id = world.reserved(payout());
    let reconcile =
        Command::ReconcilePermit(crate::permit::Reconcile { permit: id, outcome: Outcome::Succeeded });
    world.says(ANA, &Command::StartPermit(id));
    assert_eq!(world.says(BEN, &reconcile), "permit_not_unknown");
    world.later(600_000);
    assert_eq!(world.says(BEN, &reconcile), "permit_not_unknown", "not before the log says so");
    world.says(Actor::Node, &Command::Elapse(id.into()));
    assert_eq!(world.says(ANA, &reconcile), "self_reconciliation");
    assert_eq!(world.says(crate::testing::AUD, &reconcile), "not_a_reconciler");
    assert_eq!(world.says(BEN, &reconcile), "permit.reconciled");
    assert_eq!(world.says(DAN, &reconcile), "permit_already_reconciled");
    let permit = world.state.permit(id).unwrap();
    let found = permit.reconciled.map(|found| (found.outcome, found.by));
    assert_eq!((permit.status, found), (Status::Unknown, Some((Outcome::Succeeded, BEN))));
    world.assert_replays();
}
