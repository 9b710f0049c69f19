//! Reserving while a freeze holds, through the whole precedence of its refusals.

use countersign_core::Command;
use countersign_core::digest::Digest;
use countersign_core::id::ApprovalId;

use super::Walk;
use crate::script::{approved, excepted, requested, reservation};
use crate::stage::{self, ANA, CHLOE, EXCEPT_HOLIDAYS, PAYOUT};

/// Everything is wrong with an exception from a freeze at first.
pub(super) fn frozen(walk: &mut Walk) {
    let mut theirs = stage::frozen();
    theirs.rules.last_mut().unwrap().executors = ["security".parse().unwrap()].into();
    walk.book.know(&theirs);
    walk.activate(theirs);
    walk.book.commit();
    walk.book.now = "2026-12-24T12:00:00.000Z".parse().unwrap();
    let id = approved(&mut walk.book, PAYOUT);
    let with = |exceptions: &[ApprovalId]| reservation(PAYOUT, Some(id), exceptions);
    walk.refused(ANA, &with(&[ApprovalId(9)]), "permit/exception_not_found");
    walk.refused(ANA, &with(&[id]), "permit/exception_unused");
    let exception = requested(&mut walk.book, EXCEPT_HOLIDAYS);
    walk.refused(ANA, &with(&[exception]), "permit/exception_not_yours");
    walk.activate(stage::frozen());
    let mut others = with(&[exception]);
    if let Command::ReservePermit(reserve) = &mut others {
        reserve.exceptions[0].parameters_sha256 = Digest::of(b"others");
    }
    walk.refused(ANA, &others, "permit/exception_mismatch");
    walk.refused(ANA, &with(&[exception]), "permit/exception_ended");
    let exception = requested(&mut walk.book, EXCEPT_HOLIDAYS);
    walk.refused(ANA, &with(&[exception]), "permit/exception_pending");
    walk.refused(ANA, &with(&[]), "permit/frozen");
    walk.happens(CHLOE, &Command::Approve(exception.into()));
    let own = reservation(EXCEPT_HOLIDAYS, Some(exception), &[]);
    walk.refused(ANA, &own, "permit/frozen");
    walk.happens(ANA, &with(&[exception]));
    walk.book.commit();
    walk.book.now = "2027-01-07T12:00:00.000Z".parse().unwrap();
    let exception = excepted(&mut walk.book, EXCEPT_HOLIDAYS);
    walk.refused(ANA, &reservation(EXCEPT_HOLIDAYS, Some(exception), &[]), "permit/use_exception");
}
