//! The walks of taking a vote back and of delegating.

use countersign_core::id::ApprovalId;
use countersign_core::{Actor, Command};

use super::{NOBODY, Walk, walk};
use crate::script::life::delegating;
use crate::script::{approved, requested, reserved};
use crate::stage::{ANA, AUD, BEN, CHLOE, DAN, EVE, PAYOUT};

pub(super) fn revoke() -> Walk {
    let mut walk = walk();
    let id = requested(&mut walk.book, PAYOUT);
    walk.refused(Actor::Node, &Command::RevokeVote(ApprovalId(9)), "approval/approval_not_found");
    walk.refused(Actor::Node, &Command::RevokeVote(id), "approval/not_a_person");
    walk.refused(BEN, &Command::RevokeVote(id), "approval/not_voted");
    walk.happens(BEN, &Command::Approve(id.into()));
    walk.happens(BEN, &Command::RevokeVote(id));
    walk.refused(BEN, &Command::RevokeVote(id), "approval/not_voted");
    let consumed = approved(&mut walk.book, PAYOUT);
    reserved(&mut walk.book, (ANA, PAYOUT), Some(consumed));
    walk.refused(BEN, &Command::RevokeVote(consumed), "approval/approval_consumed");
    let denied = approved(&mut walk.book, PAYOUT);
    walk.happens(CHLOE, &Command::Deny(denied));
    walk.refused(BEN, &Command::RevokeVote(denied), "approval/approval_denied");
    let withdrawn = approved(&mut walk.book, PAYOUT);
    walk.happens(ANA, &Command::Withdraw(withdrawn));
    walk.refused(BEN, &Command::RevokeVote(withdrawn), "approval/approval_withdrawn");
    let late = approved(&mut walk.book, PAYOUT);
    walk.book.now = walk.book.now.plus_seconds(600);
    walk.refused(BEN, &Command::RevokeVote(late), "approval/approval_expired");
    walk
}

pub(super) fn delegate() -> Walk {
    let mut walk = walk();
    let to = |walk: &Walk, whom, until| delegating(&walk.book, (whom, 0, until));
    let day = 24 * 3_600;
    walk.refused(Actor::Node, &to(&walk, NOBODY, 0), "delegation/not_a_person");
    walk.refused(EVE, &to(&walk, NOBODY, 0), "delegation/unclaimed");
    walk.refused(BEN, &to(&walk, NOBODY, 0), "delegation/unknown_delegate");
    walk.refused(BEN, &to(&walk, EVE, 0), "delegation/unknown_delegate");
    walk.refused(BEN, &to(&walk, BEN, 0), "delegation/delegated_to_oneself");
    walk.refused(BEN, &to(&walk, AUD, 0), "delegation/wrong_period");
    walk.refused(BEN, &to(&walk, AUD, 90 * day + 1), "delegation/wrong_period");
    walk.happens(BEN, &to(&walk, AUD, 90 * day));
    walk.refused(BEN, &to(&walk, DAN, 60), "delegation/already_delegated");
    walk
}

pub(super) fn end_delegation() -> Walk {
    let mut walk = walk();
    walk.refused(Actor::Node, &Command::EndDelegation, "delegation/not_a_person");
    walk.refused(EVE, &Command::EndDelegation, "delegation/unclaimed");
    walk.refused(BEN, &Command::EndDelegation, "delegation/not_delegated");
    walk.happens(BEN, &delegating(&walk.book, (AUD, 0, 60)));
    walk.book.now = walk.book.now.plus_seconds(60);
    walk.refused(BEN, &Command::EndDelegation, "delegation/not_delegated");
    walk.happens(BEN, &delegating(&walk.book, (AUD, 0, 60)));
    walk.happens(BEN, &Command::EndDelegation);
    walk
}
