//! Lies about sessions and about the passkeys that open them.

use countersign_core::approval::Fresh;
use countersign_core::id::SessionId;
use countersign_core::person::Claimed;
use countersign_core::session::{How, Method};
use countersign_core::{Actor, Command, Event, Fact};

use super::forgery::Lie::{Change, Double, Drop, Later, Set, Since};
use super::kinds::{ANA, BEN, CHLOE, COR, DIGEST, Forgery, HOUR, MINUTE, code, joined};
use crate::book::Book;
use crate::sessions::{self, HAL, passkey};
use crate::{membership, signing, stage};

const SESSION: &str = "ses_00000000000000000000000000000063";
const APPROVAL: &str = "apr_00000000000000000000000000000063";
const NEXT_YEAR: &str = "2027-12-25T20:00:00.000Z";

/// Of Ana's sessions the first comes to its end by itself; by the second she adds a passkey, which opens the third; that is extended, steps up and is replaced
/// by the fourth, from which the fifth is handed on. The sixth is that of Hal's claim.
#[rustfmt::skip]
pub(super) const FORGERIES: &[Forgery] = &[
    ("session.opened", 0, &[(0, Set("/actor", BEN))], "session_by_another"),
    ("session.opened", 0, &[(0, Set("/actor", "node"))], "session_by_another"),
    ("session.opened", 0, &[(0, Set("/data/person", BEN))], "session_by_another"),
    ("session.opened", 0, &[(0, Set("/environment", "production"))], "wrong_environment"),
    ("session.opened", 0, &[(0, Change(with_a_claim))], "session_without_claim"),
    ("session.opened", 0, &[(0, Set("/data/expires_at", NEXT_YEAR))], "wrong_deadline"),
    ("session.opened", 0, &[(0, Set("/data/idle_until", NEXT_YEAR))], "wrong_deadline"),
    ("session.opened", 0, &[(0, Set("/data/idle_seconds", "1801"))], "wrong_deadline"),
    ("session.opened", 0, &[(0, Change(with_a_credential))], "session_in_use"),
    ("session.opened", 1, &[(0, Drop)], "session_not_live"),
    ("session.opened", 1, &[(0, Double)], "session_in_use"),
    ("session.opened", 1, &[(0, Double), (0, Set("/data/session_sha256", DIGEST))], "begun_twice"),
    ("session.opened", 1, &[(1, Since(31 * MINUTE))], "session_not_live"),
    ("session.opened", 2, &[(0, Change(with_another_passkey))], "method_not_taken"),
    ("session.opened", 2, &[(0, Change(of_a_challenge_that_is_over))], "challenge_missing"),
    ("session.opened", 2, &[(0, Change(of_a_challenge_for_ever))], "challenge_missing"),
    ("session.opened", 2, &[(0, Change(without_a_challenge))], "challenge_missing"),
    ("session.opened", 2, &[(-2, Drop)], "method_not_taken"),
    ("session.opened", 3, &[(-1, Drop)], "session_not_replaced"),
    ("session.opened", 3, &[(0, Change(of_the_challenge_before))], "challenge_used"),
    ("session.opened", 4, &[(0, Set("/data/method/session", SESSION))], "session_not_live"),
    ("session.opened", 5, &[(-1, Drop)], "unclaimed"),
    ("session.opened", 5, &[(0, Set("/correlation", COR))], "session_without_claim"),
    ("session.opened", 5, &[(0, Since(1))], "session_without_claim"),
    ("session.opened", 5, &[(0, Double), (0, Set("/data/session_sha256", DIGEST))], "session_without_claim"),
    ("session.opened", 5, &[(0, Change(with_hals_credential))], "method_not_taken"),
    ("session.extended", 0, &[(0, Set("/actor", ANA))], "not_the_node"),
    ("session.extended", 0, &[(0, Set("/subject", SESSION))], "session_not_live"),
    ("session.extended", 0, &[(0, Set("/environment", "production"))], "wrong_environment"),
    ("session.extended", 0, &[(0, Set("/data/idle_until", NEXT_YEAR))], "wrong_deadline"),
    ("session.extended", 0, &[(0, Double)], "extended_too_soon"),
    ("session.extended", 0, &[(0, Since(HOUR))], "session_not_live"),
    ("session.stepped_up", 0, &[(0, Set("/actor", BEN))], "session_by_another"),
    ("session.stepped_up", 0, &[(0, Set("/actor", "node"))], "session_by_another"),
    ("session.stepped_up", 0, &[(0, Set("/subject", SESSION))], "session_not_live"),
    ("session.stepped_up", 0, &[(0, Set("/environment", "production"))], "wrong_environment"),
    ("session.stepped_up", 0, &[(0, Change(by_credential))], "not_a_proof"),
    ("session.stepped_up", 0, &[(0, Set("/data/method/key_sha256", DIGEST))], "method_not_taken"),
    ("session.stepped_up", 0, &[(0, Change(without_a_challenge))], "challenge_missing"),
    ("session.stepped_up", 0, &[(0, Double)], "challenge_used"),
    ("session.stepped_up", 0, &[(0, Later(1))], "session_not_live"),
    ("session.stepped_up", 1, &[(0, Drop)], "not_fresh"),
    ("session.stepped_up", 1, &[(0, Set("/data/request_sha256", DIGEST))], "not_fresh"),
    ("session.stepped_up", 1, &[(1, Set("/data/fresh/request_sha256", DIGEST))], "not_fresh"),
    ("session.stepped_up", 1, &[(1, Set("/data/fresh/session", SESSION))], "session_not_live"),
    ("session.stepped_up", 1, &[(1, Set("/actor", CHLOE))], "session_not_live"),
    ("session.stepped_up", 1, &[(1, Since(5 * MINUTE))], "not_fresh"),
    ("session.stepped_up", 1, &[(1, Change(not_fresh))], "not_fresh"),
    ("session.stepped_up", 2, &[(8, Change(unsigned))], "not_fresh"),
    ("approval.granted", 0, &[(0, Change(fresh_for_nothing))], "not_fresh"),
    ("session.ended", 0, &[(0, Set("/actor", BEN))], "session_by_another"),
    ("session.ended", 0, &[(0, Set("/actor", "node"))], "session_by_another"),
    ("session.ended", 0, &[(0, Set("/data/person", BEN))], "session_by_another"),
    ("session.ended", 0, &[(0, Set("/data/how", "expired"))], "not_the_node"),
    ("session.ended", 0, &[(0, Set("/environment", "control"))], "wrong_environment"),
    ("session.ended", 0, &[(0, Set("/subject", SESSION))], "unknown"),
    ("session.ended", 0, &[(0, Double)], "unknown"),
    ("session.ended", 0, &[(0, Change(under_an_approval))], "unprompted"),
    ("session.ended", 0, &[(0, Since(31 * MINUTE))], "session_not_live"),
    ("session.ended", 3, &[(0, Drop)], "missing"),
    ("session.ended", 3, &[(-1, Drop)], "unprompted"),
    ("session.ended", 3, &[(0, Set("/data/approval", APPROVAL))], "missing"),
    ("session.ended", 3, &[(0, Set("/data/how", "signed-out"))], "missing"),
    ("session.ended", 3, &[(-1, Set("/actor", ANA)), (0, Set("/actor", ANA))], "not_an_executor"),
    ("session.ended", 4, &[(0, Set("/actor", ANA))], "not_the_node"),
    ("session.ended", 4, &[(0, Since(-1))], "too_early"),
    ("session.ended", 4, &[(0, Change(revoked))], "wrong_environment"),
    ("person.passkey_added", 0, &[(0, Set("/actor", BEN))], "session_by_another"),
    ("person.passkey_added", 0, &[(0, Set("/subject", BEN)), (0, Set("/actor", BEN))], "session_not_live"),
    ("person.passkey_added", 0, &[(0, Set("/data/session", SESSION))], "session_not_live"),
    ("person.passkey_added", 0, &[(0, Set("/data/session", "null"))], "session_not_live"),
    ("person.passkey_added", 0, &[(0, Set("/environment", "control"))], "wrong_environment"),
    ("person.passkey_added", 0, &[(0, Since(10 * MINUTE))], "proof_not_recent"),
    ("person.passkey_added", 0, &[(0, Double)], "passkey_in_use"),
    ("person.passkey_added", 0, &[(0, Double), (0, Set("/data/public_key_sha256", DIGEST))], "passkey_in_use"),
    ("person.passkey_added", 0, &[(0, Double), (0, Set("/data/key_sha256", DIGEST))], "passkey_in_use"),
    ("person.passkey_added", 0, &[(0, Change(that_votes))], "passkey_in_use"),
    ("person.passkey_removed", 0, &[(0, Set("/actor", CHLOE))], "session_by_another"),
    ("person.passkey_removed", 0, &[(0, Set("/data/key_sha256", DIGEST))], "passkey_not_in_force"),
    ("person.passkey_removed", 0, &[(0, Double)], "passkey_not_in_force"),
    ("person.passkey_removed", 0, &[(0, Set("/data/session", SESSION))], "session_not_live"),
    ("person.passkey_removed", 0, &[(0, Since(10 * MINUTE))], "proof_not_recent"),
    ("person.claimed", 7, &[(0, Change(by_anas_passkey))], "passkey_in_use"),
    ("person.claimed", 7, &[(0, Change(by_a_session))], "session_not_live"),
];

fn of_opened(event: &mut Event, change: impl FnOnce(&mut countersign_core::session::Opened)) {
    if let Fact::SessionOpened(_, opened) = &mut event.fact {
        change(opened);
    }
}

fn with_a_claim(event: &mut Event) {
    of_opened(event, |opened| opened.method = Method::Claim {});
}

/// A session that would be a person's credential.
fn with_a_credential(event: &mut Event) {
    of_opened(event, |opened| opened.session_sha256 = stage::credential_of(stage::BEN));
}

fn with_hals_credential(event: &mut Event) {
    of_opened(event, |opened| opened.method = Method::Credential {});
}

fn with_another_passkey(event: &mut Event) {
    let key_sha256 = passkey((stage::ANA, 2)).key_sha256;
    of_opened(event, |opened| opened.method = Method::Passkey { key_sha256 });
}

fn of_a_challenge_that_is_over(event: &mut Event) {
    let at = event.at;
    of_opened(event, |opened| opened.spent.as_mut().unwrap().until = at);
}

fn of_a_challenge_for_ever(event: &mut Event) {
    let until = event.at.plus_seconds(3_601);
    of_opened(event, |opened| opened.spent.as_mut().unwrap().until = until);
}

/// Which the session was stepped up with.
fn of_the_challenge_before(event: &mut Event) {
    let sha256 = countersign_core::digest::Digest::of(b"challenge 2");
    of_opened(event, |opened| opened.spent.as_mut().unwrap().sha256 = sha256);
}

fn without_a_challenge(event: &mut Event) {
    match &mut event.fact {
        Fact::SessionOpened(_, opened) => opened.spent = None,
        Fact::SessionSteppedUp(_, stepped_up) => stepped_up.spent = None,
        _ => {}
    }
}

fn by_credential(event: &mut Event) {
    if let Fact::SessionSteppedUp(_, stepped_up) = &mut event.fact {
        stepped_up.method = Method::Credential {};
    }
}

fn under_an_approval(event: &mut Event) {
    if let Fact::SessionEnded(_, ended) = &mut event.fact {
        ended.approval = Some(APPROVAL.parse().unwrap());
    }
}

fn revoked(event: &mut Event) {
    if let Fact::SessionEnded(_, ended) = &mut event.fact {
        ended.how = How::Revoked;
    }
}

fn that_votes(event: &mut Event) {
    if let Fact::PersonPasskeyAdded(_, added) = &mut event.fact {
        added.key_sha256 = signing::key(stage::CHLOE, 2).key_sha256;
    }
}

fn by_anas_passkey(event: &mut Event) {
    if let Fact::PersonClaimed(_, Claimed::Passkey(added)) = &mut event.fact {
        added.public_key_sha256 = passkey((stage::ANA, 2)).public_key_sha256;
    }
}

fn by_a_session(event: &mut Event) {
    if let Fact::PersonClaimed(_, Claimed::Passkey(added)) = &mut event.fact {
        added.session = Some(SESSION.parse().unwrap());
    }
}

fn not_fresh(event: &mut Event) {
    if let Fact::ApprovalGranted(_, voted) = &mut event.fact {
        voted.fresh = None;
    }
}

fn unsigned(event: &mut Event) {
    if let Fact::ApprovalGranted(_, voted) = &mut event.fact {
        assert!(voted.signature.take().is_some());
    }
}

fn fresh_for_nothing(event: &mut Event) {
    if let Fact::ApprovalGranted(_, voted) = &mut event.fact {
        let session = SESSION.parse().unwrap();
        voted.fresh = Some(Fresh { request_sha256: sessions::request(), session });
    }
}

/// Who takes their vote back signs no other with the same key; neither is one step-up good for two votes.
#[test]
fn what_makes_a_vote_fresh_is_used_up() {
    let mut book = crate::script::everything();
    sessions::governed_by(&mut book, sessions::fresh());
    let asked = crate::script::requested(&mut book, stage::PAYOUT);
    let signed = signing::signed(asked, (stage::BEN, 2));
    book.must(stage::BEN, &signed);
    let vote = book.events.last().unwrap().clone();
    book.must(stage::BEN, &Command::RevokeVote(asked));
    let mut again = book.events.clone();
    again.push(vote);
    assert_eq!(code(&again), "not_fresh");

    let session = sessions::signed_in(&mut book, ((stage::BEN, 4), 40));
    let step_up = Command::StepUp(sessions::stepping_up(&book, ((stage::BEN, 4), 41)));
    sessions::must_via(&mut book, (stage::BEN, session), &step_up);
    sessions::must_via(&mut book, (stage::BEN, session), &Command::Approve(asked.into()));
    let vote = book.events.last().unwrap().clone();
    book.must(stage::BEN, &Command::RevokeVote(asked));
    let mut again = book.events.clone();
    again.push(vote);
    assert_eq!(code(&book.events), "nothing");
    assert_eq!(code(&again), "not_fresh");
}

/// Hal, who claimed by a passkey, and the session that opened with that.
fn hal() -> (Book, SessionId) {
    let mut book = Book::begun();
    sessions::governed_by(&mut book, sessions::policy());
    membership::invited(&mut book, (HAL, 0));
    let claim = Command::ClaimBy(sessions::claiming_by((HAL, 0), (1, 1)));
    let session = sessions::opened(&book.must(Actor::Node, &claim));
    (book, session)
}

#[test]
fn nobody_is_left_without_a_way_to_sign_in() {
    let (mut book, session) = hal();
    sessions::must_via(&mut book, (HAL, session), &sessions::adding((HAL, 2)));
    sessions::must_via(&mut book, (HAL, session), &sessions::removing((HAL, 2)));
    let mut both = book.events.clone();
    let mut other = both.last().unwrap().clone();
    if let Fact::PersonPasskeyRemoved(_, removed) = &mut other.fact {
        removed.key_sha256 = passkey((HAL, 1)).key_sha256;
    }
    both.push(other);
    assert_eq!(code(&book.events), "nothing");
    assert_eq!(code(&both), "last_means");
}

#[test]
fn nobody_has_more_passkeys_than_are_possible() {
    let (mut book, session) = hal();
    for number in 2..=64 {
        sessions::must_via(&mut book, (HAL, session), &sessions::adding((HAL, number)));
    }
    let mut more = book.events.clone();
    let mut other = more.last().unwrap().clone();
    if let Fact::PersonPasskeyAdded(_, added) = &mut other.fact {
        let one_more = passkey((HAL, 65));
        (added.key_sha256, added.public_key_sha256) = (one_more.key_sha256, one_more.public_key_sha256);
    }
    more.push(other);
    assert_eq!(code(&book.events), "nothing");
    assert_eq!(code(&more), "too_many_passkeys");
}

/// What is handed on is not handed on from there.
#[test]
fn a_terminal_hands_nothing_on() {
    let (mut book, session) = hal();
    let hand_on = Command::OpenSession(sessions::handing_on(HAL, (session, 2)));
    let terminal = sessions::opened(&sessions::must_via(&mut book, (HAL, session), &hand_on));
    let hand_on = Command::OpenSession(sessions::handing_on(HAL, (session, 3)));
    sessions::must_via(&mut book, (HAL, session), &hand_on);
    let last = book.events.last_mut().unwrap();
    of_opened(last, |opened| opened.method = Method::HandedOn { session: terminal });
    assert_eq!(code(&book.events), "method_not_taken");
}

/// Under a policy that takes no passkeys that are copied.
#[test]
fn passkeys_that_sync_open_nothing_where_the_policy_takes_none() {
    let mut book = Book::begun();
    sessions::governed_by(&mut book, sessions::policy());
    sessions::signed_in(&mut book, ((stage::ANA, 3), 1));
    let open = |book: &mut Book| {
        let open = Command::OpenSession(sessions::by_passkey(book, (stage::ANA, 3), 2));
        sessions::opened(&book.must(Actor::Node, &open));
    };
    let wary = |book: &mut Book| sessions::governed_by(book, sessions::wary());
    assert_eq!(code(&joined(&book, wary, open)), "method_not_taken");
}
