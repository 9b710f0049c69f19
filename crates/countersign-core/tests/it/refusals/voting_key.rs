//! Whose keys are not enrolled and not revoked, and which signed votes are not taken.

use countersign_core::id::ApprovalId;
use countersign_core::{Actor, Command, approval};

use super::{NOBODY, Walk, ended, walk};
use crate::script::{approved, requested};
use crate::signing;
use crate::stage::{self, ANA, BEN, CHLOE, PAYOUT};

pub(super) fn enroll_key() -> Walk {
    let mut walk = walk();
    let taken = |person, approval| signing::enrolling((person, 1), approval);
    walk.refused(Actor::Node, &taken(BEN, ApprovalId(9)), "permit/not_a_person");
    walk.refused(BEN, &taken(BEN, ApprovalId(9)), "permit/no_rule");
    signing::with_keys(&mut walk.book, &[(BEN, 1)]);
    walk.refused(BEN, &taken(BEN, ApprovalId(9)), "permit/not_an_executor");
    walk.refused(ANA, &taken(BEN, ApprovalId(9)), "permit/approval_not_found");
    let other = requested(&mut walk.book, &signing::enrolment_of(CHLOE));
    walk.refused(ANA, &taken(BEN, other), "permit/action_mismatch");
    let enrolment = signing::enrolment_of(BEN);
    ended(&mut walk, &enrolment, &|approval| taken(BEN, approval));
    let id = requested(&mut walk.book, &enrolment);
    walk.refused(ANA, &taken(BEN, id), "permit/approval_pending");
    let id = approved(&mut walk.book, &signing::enrolment_of(NOBODY));
    walk.refused(ANA, &taken(NOBODY, id), "voting_key/unknown_person");
    let id = approved(&mut walk.book, &enrolment);
    walk.refused(ANA, &taken(BEN, id), "voting_key/voting_key_in_use");
    walk.happens(ANA, &signing::enrolling((BEN, 2), id));
    walk.refused(ANA, &signing::enrolling((BEN, 4), id), "permit/approval_consumed");
    walk
}

pub(super) fn revoke_key() -> Walk {
    let mut walk = walk();
    let key = (BEN, 1);
    walk.refused(ANA, &signing::revoking(key, Some(ApprovalId(9))), "permit/no_rule");
    walk.refused(ANA, &signing::revoking(key, None), "voting_key/not_the_owner");
    walk.refused(Actor::Node, &signing::revoking(key, None), "voting_key/not_the_owner");
    walk.refused(NOBODY, &signing::revoking((NOBODY, 1), None), "voting_key/unknown_person");
    walk.refused(BEN, &signing::revoking(key, None), "voting_key/voting_key_not_found");
    signing::with_keys(&mut walk.book, &[key]);
    walk.refused(BEN, &signing::revoking(key, Some(ApprovalId(9))), "permit/not_an_executor");
    let revocation = signing::revocation_of(BEN);
    let pending = requested(&mut walk.book, &revocation);
    walk.refused(ANA, &signing::revoking(key, Some(pending)), "permit/approval_pending");
    let id = approved(&mut walk.book, &revocation);
    walk.refused(ANA, &signing::revoking((BEN, 2), Some(id)), "voting_key/voting_key_not_found");
    walk.happens(BEN, &signing::revoking(key, None));
    walk.refused(BEN, &signing::revoking(key, None), "voting_key/voting_key_revoked");
    walk.refused(ANA, &signing::revoking(key, Some(id)), "voting_key/voting_key_revoked");
    walk
}

/// Who must sign: not at all, with another's key, too weakly, under something else.
pub(super) fn sign() -> Walk {
    let mut walk = walk();
    signing::with_keys(&mut walk.book, &[(CHLOE, 1)]);
    let request = approval::Request { action: stage::action(PAYOUT), parameters_sha256: stage::parameters() };
    walk.refused(ANA, &Command::RequestApproval(request), "approval/unsatisfiable");
    for key in [(BEN, 1), (CHLOE, 0)] {
        let id = approved(&mut walk.book, &signing::enrolment_of(key.0));
        walk.happens(ANA, &signing::enrolling(key, id));
    }
    let id = requested(&mut walk.book, PAYOUT);
    let other = requested(&mut walk.book, PAYOUT);
    walk.happens(CHLOE, &signing::signed(id, (CHLOE, 1)));
    walk.refused(CHLOE, &Command::Approve(id.into()), "approval/already_voted");
    walk.refused(BEN, &Command::Approve(id.into()), "approval/signature_required");
    walk.refused(BEN, &signing::signed(other, (CHLOE, 0)), "approval/voting_key_not_in_force");
    walk.refused(CHLOE, &signing::signed(other, (CHLOE, 0)), "approval/signature_required");
    let mut replayed = signing::signed(other, (BEN, 1));
    if let Command::Approve(ballot) = &mut replayed {
        ballot.approval = id;
    }
    walk.refused(BEN, &replayed, "approval/other_statement");
    walk.happens(BEN, &signing::signed(id, (BEN, 1)));
    walk
}
