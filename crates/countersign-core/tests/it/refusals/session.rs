//! Who is not signed in, and whose sessions and passkeys stay as they are.

use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, PersonId, SessionId};
use countersign_core::once::Spent;
use countersign_core::passkey::MOST_PASSKEYS;
use countersign_core::person::ClaimBy;
use countersign_core::session::{Extend, Method, Open, StepUp, revocation};
use countersign_core::{Actor, Command, Via};

use super::{NOBODY, Walk, walk};
use crate::membership;
use crate::script::{approved, requested};
use crate::sessions::{
    HAL, adding, by_credential, by_passkey, challenge, claiming_by, ending, fresh, governed_by, handing_on,
    must_via, opened, passkey, policy, removing, secret, signed_in, stepping_up, via, wary,
};
use crate::signing;
use crate::stage::{self, ANA, BEN, CHLOE, EVE, PAYOUT};

impl Walk {
    /// The command is refused like this to who acts by a session, and the history is as before.
    #[track_caller]
    pub(super) fn refused_via(
        &mut self,
        (person, via): (PersonId, Option<Via>),
        command: &Command,
        expected: &str,
    ) {
        let before = self.book.whole.clone();
        let refusal = self.book.submit_via((person, via), command).expect_err(expected);
        let given = format!("{}/{}", refusal.capability(), refusal.code());
        assert_eq!(given, expected, "{refusal}; {}", refusal.hint());
        self.met.insert(given);
        assert_eq!(self.book.whole, before, "a refused command leaves a trace");
    }
}

pub(super) fn open_session() -> Walk {
    let mut walk = walk();
    let with = |open: Open| Command::OpenSession(open);
    let nobodys = |walk: &Walk| Open { spent: None, ..by_passkey(&walk.book, (NOBODY, 1), 1) };
    let open = with(nobodys(&walk));
    walk.refused(NOBODY, &open, "session/session_not_by_node");
    walk.refused(Actor::Node, &open, "session/not_active");
    walk.refused(Actor::Node, &with(by_credential(ANA, 1)), "session/session_not_yours");
    walk.refused(BEN, &with(by_credential(ANA, 1)), "session/session_not_yours");
    let unclaimed = Open { spent: None, ..by_passkey(&walk.book, (EVE, 1), 1) };
    walk.refused(Actor::Node, &with(unclaimed), "session/not_active");
    let claiming = Open { method: Method::Claim {}, ..by_credential(ANA, 1) };
    walk.refused(Actor::Node, &with(claiming), "session/session_only_by_claiming");
    let session = signed_in(&mut walk.book, ((ANA, 3), 1));
    walk.refused_via((ANA, via(session)), &with(by_credential(ANA, 1)), "session/session_not_yours");
    let unspent = Open { spent: None, ..by_passkey(&walk.book, (ANA, 2), 1) };
    walk.refused(Actor::Node, &with(unspent), "session/unknown_passkey");
    let right = by_passkey(&walk.book, (ANA, 3), 1);
    walk.refused(Actor::Node, &with(Open { spent: None, ..right.clone() }), "session/challenge_missing");
    for until in [walk.book.now, walk.book.now.plus_seconds(3_601)] {
        let spent = Some(Spent { until, ..challenge(&walk.book, 2) });
        walk.refused(Actor::Node, &with(Open { spent, ..right.clone() }), "session/challenge_missing");
    }
    walk.refused(Actor::Node, &with(right.clone()), "session/challenge_used");
    let spent = Some(challenge(&walk.book, 2));
    walk.refused(Actor::Node, &with(Open { spent, ..right.clone() }), "session/session_in_use");
    let taken = stage::credential_of(BEN);
    let held = Open { spent, session_sha256: taken, ..right.clone() };
    walk.refused(Actor::Node, &with(held), "session/session_in_use");
    let fresh = Open { spent, session_sha256: secret(2), ..right };
    let replacing = |session| with(Open { replaces: Some(session), ..fresh.clone() });
    walk.refused(Actor::Node, &replacing(SessionId(9)), "session/session_ended");
    let of_ben = opened(&walk.book.must(BEN, &with(by_credential(BEN, 9))));
    walk.refused(Actor::Node, &replacing(of_ben), "session/session_not_yours");
    let terminal = opened(&must_via(&mut walk.book, (ANA, session), &with(handing_on(ANA, (session, 3)))));
    let again = with(handing_on(ANA, (terminal, 4)));
    walk.refused_via((ANA, via(session)), &again, "session/session_not_yours");
    walk.refused_via((ANA, via(terminal)), &again, "session/session_not_to_hand_on");
    walk.happens(Actor::Node, &replacing(session));
    walk.refused(Actor::Node, &replacing(session), "session/challenge_used");
    governed_by(&mut walk.book, wary());
    let synced = with(by_passkey(&walk.book, (ANA, 3), 7));
    walk.refused(Actor::Node, &synced, "session/passkey_synced");
    walk
}

pub(super) fn extend() -> Walk {
    let mut walk = walk();
    let of = |session| Command::ExtendSession(Extend { session });
    walk.refused(ANA, &of(SessionId(9)), "session/session_not_by_node");
    walk.refused(Actor::Node, &of(SessionId(9)), "session/session_ended");
    let session = opened(&walk.book.must(ANA, &Command::OpenSession(by_credential(ANA, 1))));
    walk.refused(Actor::Node, &of(session), "session/session_extended_already");
    walk.book.now = walk.book.now.plus_seconds(450);
    walk.happens(Actor::Node, &of(session));
    walk.book.now = walk.book.now.plus_seconds(1_800);
    walk.refused(Actor::Node, &of(session), "session/session_ended");
    walk
}

pub(super) fn step_up() -> Walk {
    let mut walk = walk();
    let unknown = stepping_up(&walk.book, ((ANA, 2), 1));
    let by_claim = StepUp { method: Method::Claim {}, ..unknown.clone() };
    walk.refused(ANA, &Command::StepUp(by_claim.clone()), "session/session_required");
    walk.refused_via((ANA, via(SessionId(9))), &Command::StepUp(by_claim.clone()), "session/session_ended");
    let session = signed_in(&mut walk.book, ((ANA, 1), 1));
    walk.refused_via((BEN, via(session)), &Command::StepUp(by_claim.clone()), "session/session_not_yours");
    walk.refused_via((ANA, via(session)), &Command::StepUp(by_claim), "session/not_a_proof");
    walk.refused_via((ANA, via(session)), &Command::StepUp(unknown), "session/unknown_passkey");
    let right = stepping_up(&walk.book, ((ANA, 1), 1));
    let missing = StepUp { spent: None, ..right.clone() };
    walk.refused_via((ANA, via(session)), &Command::StepUp(missing), "session/challenge_missing");
    walk.refused_via((ANA, via(session)), &Command::StepUp(right), "session/challenge_used");
    let right = Command::StepUp(stepping_up(&walk.book, ((ANA, 1), 2)));
    must_via(&mut walk.book, (ANA, session), &right);
    walk.refused_via((ANA, via(session)), &right, "session/challenge_used");
    walk
}

pub(super) fn end_session() -> Walk {
    let mut walk = walk();
    let taken = |session| move |approval| ending(session, Some(approval));
    walk.refused(Actor::Node, &ending(SessionId(9), None), "session/session_not_found");
    let open = |walk: &mut Walk, number| {
        opened(&walk.book.must(ANA, &Command::OpenSession(by_credential(ANA, number))))
    };
    let session = open(&mut walk, 1);
    walk.refused(Actor::Node, &ending(session, None), "permit/not_a_person");
    walk.refused(BEN, &ending(session, None), "permit/no_rule");
    governed_by(&mut walk.book, policy());
    let revocation = revocation(ANA).unwrap().to_string();
    walk.refused(BEN, &ending(session, None), "permit/not_an_executor");
    walk.refused(CHLOE, &ending(session, None), "permit/approval_required");
    walk.refused(CHLOE, &taken(session)(ApprovalId(9)), "permit/approval_not_found");
    let other = requested(&mut walk.book, PAYOUT);
    walk.refused(CHLOE, &taken(session)(other), "permit/action_mismatch");
    let id = approved(&mut walk.book, &revocation);
    walk.happens(CHLOE, &taken(session)(id));
    walk.refused(ANA, &ending(session, None), "session/session_ended");
    let session = open(&mut walk, 2);
    walk.happens(ANA, &ending(session, None));
    let session = open(&mut walk, 3);
    walk.book.commit();
    walk.book.now = walk.book.now.plus_seconds(1_800);
    walk.refused(ANA, &ending(session, None), "session/session_ended");
    walk
}

pub(super) fn change_passkeys() -> Walk {
    let mut walk = walk();
    walk.refused(ANA, &adding((ANA, 3)), "session/session_required");
    walk.refused_via((ANA, via(SessionId(9))), &adding((ANA, 3)), "session/session_ended");
    membership_of_hal(&mut walk);
    let claim = Command::ClaimBy(claiming_by((HAL, 0), (1, 1)));
    let session = opened(&walk.book.must(Actor::Node, &claim));
    walk.refused_via((HAL, via(session)), &removing((HAL, 2)), "passkey/passkey_not_found");
    walk.refused_via((HAL, via(session)), &removing((HAL, 1)), "passkey/passkey_is_last");
    walk.refused(HAL, &Command::OpenSession(by_credential(HAL, 2)), "session/no_credential");
    let of_ana = signed_in(&mut walk.book, ((ANA, 1), 9));
    walk.refused_via((ANA, via(of_ana)), &removing((HAL, 1)), "passkey/passkey_not_found");
    walk.refused_via((HAL, via(session)), &adding((ANA, 1)), "passkey/passkey_in_use");
    must_via(&mut walk.book, (HAL, session), &adding((HAL, 2)));
    must_via(&mut walk.book, (HAL, session), &removing((HAL, 1)));
    walk.refused_via((HAL, via(session)), &removing((HAL, 1)), "passkey/passkey_not_found");
    for number in 3..=u8::try_from(MOST_PASSKEYS).unwrap() {
        must_via(&mut walk.book, (HAL, session), &adding((HAL, number)));
    }
    walk.refused_via((HAL, via(session)), &adding((HAL, 1)), "passkey/passkey_in_use");
    walk.refused_via((HAL, via(session)), &adding((HAL, 70)), "passkey/too_many_passkeys");
    walk.book.now = walk.book.now.plus_seconds(600);
    walk.refused_via((HAL, via(session)), &adding((HAL, 70)), "session/proof_not_recent");
    walk.refused_via((HAL, via(session)), &removing((HAL, 2)), "session/proof_not_recent");
    governed_by(&mut walk.book, wary());
    let step_up = Command::StepUp(stepping_up(&walk.book, ((HAL, 3), 70)));
    walk.refused_via((HAL, via(session)), &step_up, "session/passkey_synced");
    let step_up = Command::StepUp(stepping_up(&walk.book, ((HAL, 2), 70)));
    must_via(&mut walk.book, (HAL, session), &step_up);
    walk.refused_via((HAL, via(session)), &adding((HAL, 3)), "passkey/passkey_synced");
    walk
}

/// What must be fresh, under a rule that wants it.
pub(super) fn vote_fresh() -> Walk {
    let mut walk = walk();
    signing::with_keys(&mut walk.book, &[(BEN, 0), (BEN, 1), (CHLOE, 3)]);
    governed_by(&mut walk.book, fresh());
    let [asked, other] = [(); 2].map(|()| requested(&mut walk.book, PAYOUT));
    let vote = Command::Approve(asked.into());
    walk.refused(BEN, &vote, "approval/not_fresh");
    walk.refused(BEN, &signing::signed(asked, (BEN, 0)), "approval/not_fresh");
    walk.refused(BEN, &signing::signed(asked, (CHLOE, 3)), "approval/voting_key_not_in_force");
    let session = signed_in(&mut walk.book, ((BEN, 1), 1));
    walk.refused_via((BEN, via(session)), &vote, "approval/not_fresh");
    let right = stepping_up(&walk.book, ((BEN, 1), 2));
    let for_other = StepUp { request_sha256: Digest::of(b"another request"), ..right };
    must_via(&mut walk.book, (BEN, session), &Command::StepUp(for_other));
    walk.refused_via((BEN, via(session)), &vote, "approval/not_fresh");
    let right = Command::StepUp(stepping_up(&walk.book, ((BEN, 1), 3)));
    must_via(&mut walk.book, (BEN, session), &right);
    walk.refused(BEN, &vote, "approval/not_fresh");
    walk.book.now = walk.book.now.plus_seconds(300);
    walk.refused_via((BEN, via(session)), &vote, "approval/not_fresh");
    let right = Command::StepUp(stepping_up(&walk.book, ((BEN, 1), 4)));
    must_via(&mut walk.book, (BEN, session), &right);
    walk.book.now = walk.book.now.plus_millis(299_999);
    must_via(&mut walk.book, (BEN, session), &vote);
    walk.refused_via((BEN, via(session)), &Command::Approve(other.into()), "approval/not_fresh");
    walk.happens(BEN, &signing::signed(other, (BEN, 1)));
    walk.happens(BEN, &Command::RevokeVote(other));
    walk.refused(BEN, &signing::signed(other, (BEN, 1)), "approval/not_fresh");
    walk.happens(CHLOE, &signing::signed(asked, (CHLOE, 3)));
    walk
}

fn membership_of_hal(walk: &mut Walk) {
    governed_by(&mut walk.book, policy());
    membership::invited(&mut walk.book, (HAL, 0));
}

pub(super) fn claim_by() -> Walk {
    let mut walk = walk();
    let with = |claim: ClaimBy| Command::ClaimBy(claim);
    let right = || claiming_by((HAL, 0), (1, 1));
    walk.refused(Actor::Node, &with(right()), "person/unknown_claim");
    membership_of_hal(&mut walk);
    signed_in(&mut walk.book, ((ANA, 1), 9));
    let used = challenge(&walk.book, 9);
    let of_ana = countersign_core::person::Means::Passkey(passkey((ANA, 1)));
    let taken = ClaimBy { means: of_ana, spent: Some(used), session_sha256: secret(9), ..right() };
    walk.refused(Actor::Node, &with(taken), "passkey/passkey_in_use");
    let taken = ClaimBy { spent: Some(used), session_sha256: secret(9), ..right() };
    walk.refused(Actor::Node, &with(taken), "session/challenge_used");
    let taken = ClaimBy { session_sha256: secret(9), ..right() };
    walk.refused(Actor::Node, &with(taken), "session/session_in_use");
    walk.happens(Actor::Node, &with(right()));
    walk.refused(Actor::Node, &with(right()), "person/unknown_claim");
    assert!(walk.book.whole.session_holder(&secret(1)).is_some());
    assert_eq!(walk.book.whole.session_holder(&Digest::of(b"nobody's")), None);
    governed_by(&mut walk.book, wary());
    membership::invited(&mut walk.book, (NOBODY, 0));
    walk.refused(Actor::Node, &with(claiming_by((NOBODY, 0), (3, 2))), "passkey/passkey_synced");
    walk.book.commit();
    walk.book.now = walk.book.now.plus_seconds(3_600);
    walk.refused(Actor::Node, &with(claiming_by((NOBODY, 0), (1, 2))), "person/claim_expired");
    walk
}
