//! Lies about passwords, their codes, and identities at providers.

use countersign_core::person::Claimed;
use countersign_core::session::Method;
use countersign_core::{Actor, Command, Event, Fact};

use super::forgery::Lie::{Change, Double, Drop, Set, Since};
use super::kinds::{BEN, CHLOE, DIGEST, Forgery, MINUTE, code, joined};
use crate::book::Book;
use crate::passwords::{self, IRA, open};
use crate::sessions::{governed_by, must_via, signed_in};
use crate::stage::{ANA, BEN as BEN_ID};
use crate::{membership, sessions};

const SESSION: &str = "ses_00000000000000000000000000000063";

/// Ana sets a password, signs in by it, steps up by the next code, signs in by a recovery code, renews these, links an identity, signs in by that, takes it
/// away, and removes the password.
#[rustfmt::skip]
pub(super) const FORGERIES: &[Forgery] = &[
    ("person.password_set", 0, &[(0, Drop)], "method_not_taken"),
    ("person.password_set", 0, &[(0, Set("/actor", BEN))], "session_by_another"),
    ("person.password_set", 0, &[(0, Set("/data/session", SESSION))], "session_not_live"),
    ("person.password_set", 0, &[(0, Set("/data/session", "null"))], "session_not_live"),
    ("person.password_set", 0, &[(0, Set("/environment", "control"))], "wrong_environment"),
    ("person.password_set", 0, &[(0, Set("/data/recovery", "[]"))], "wrong_codes"),
    ("person.password_set", 0, &[(0, Since(10 * MINUTE))], "proof_not_recent"),
    ("person.password_set", 0, &[(1, Change(by_the_code_before))], "code_not_of_now"),
    ("person.password_set", 0, &[(1, Set("/data/person", BEN)), (1, Set("/actor", BEN))], "method_not_taken"),
    ("person.password_set", 0, &[(2, Change(by_the_same_code))], "code_used"),
    ("person.password_set", 0, &[(3, Set("/data/method/code_sha256", DIGEST))], "code_used"),
    ("person.password_set", 0, &[(3, Double), (3, Set("/data/session_sha256", DIGEST)), (3, Set("/subject", SESSION))], "code_used"),
    ("person.recovery_codes_renewed", 0, &[(0, Set("/actor", CHLOE))], "session_by_another"),
    ("person.recovery_codes_renewed", 0, &[(0, Set("/data/session", SESSION))], "session_not_live"),
    ("person.recovery_codes_renewed", 0, &[(0, Set("/data/recovery", "[]"))], "wrong_codes"),
    ("person.recovery_codes_renewed", 0, &[(0, Set("/environment", "control"))], "wrong_environment"),
    ("person.identity_linked", 0, &[(0, Drop)], "method_not_taken"),
    ("person.identity_linked", 0, &[(0, Double)], "challenge_used"),
    ("person.identity_linked", 0, &[(0, Double), (0, Set("/data/spent/sha256", DIGEST))], "identity_in_use"),
    ("person.identity_linked", 0, &[(0, Set("/data/provider", "other"))], "method_not_taken"),
    ("person.identity_linked", 0, &[(0, Set("/data/session", SESSION))], "session_not_live"),
    ("person.identity_linked", 0, &[(0, Set("/actor", BEN))], "session_by_another"),
    ("person.identity_linked", 0, &[(1, Change(without_a_challenge))], "challenge_missing"),
    ("person.identity_linked", 0, &[(1, Set("/data/method/provider", "other"))], "method_not_taken"),
    ("person.identity_unlinked", 0, &[(0, Double)], "session_not_live"),
    ("person.identity_unlinked", 0, &[(0, Set("/data/identity_sha256", DIGEST))], "identity_not_theirs"),
    ("person.identity_unlinked", 0, &[(0, Set("/actor", BEN))], "session_by_another"),
    ("person.password_removed", 0, &[(0, Double)], "no_password"),
    ("person.password_removed", 0, &[(0, Set("/actor", BEN))], "session_by_another"),
    ("person.password_removed", 0, &[(0, Set("/data/session", SESSION))], "session_not_live"),
    ("person.claimed", 8, &[(0, Change(by_a_session))], "session_not_live"),
    ("person.claimed", 8, &[(0, Change(with_nine_codes))], "wrong_codes"),
];

fn of_method(event: &mut Event, change: impl FnOnce(&mut Method)) {
    match &mut event.fact {
        Fact::SessionOpened(_, opened) => change(&mut opened.method),
        Fact::SessionSteppedUp(_, stepped_up) => change(&mut stepped_up.method),
        other => panic!("{other:?}"),
    }
}

fn by_the_code_before(event: &mut Event) {
    of_method(event, |method| {
        if let Method::Password { totp_step } = method {
            *totp_step -= 3;
        }
    });
}

fn by_the_same_code(event: &mut Event) {
    of_method(event, |method| {
        if let Method::Password { totp_step } = method {
            *totp_step -= 1;
        }
    });
}

fn without_a_challenge(event: &mut Event) {
    if let Fact::SessionOpened(_, opened) = &mut event.fact {
        opened.spent = None;
    }
}

fn by_a_session(event: &mut Event) {
    if let Fact::PersonClaimed(_, Claimed::Password(set)) = &mut event.fact {
        set.session = Some(SESSION.parse().unwrap());
    }
}

fn with_nine_codes(event: &mut Event) {
    if let Fact::PersonClaimed(_, Claimed::Password(set)) = &mut event.fact {
        assert!(set.recovery.pop_first().is_some());
    }
}

/// Under a policy that takes them no more, a password opens nothing, and an identity cannot be linked.
#[test]
fn what_the_policy_does_not_take_opens_nothing() {
    let mut book = Book::begun();
    governed_by(&mut book, passwords::policy());
    let session = signed_in(&mut book, ((ANA, 1), 1));
    must_via(&mut book, (ANA, session), &passwords::setting(1));
    let strict = |book: &mut Book| governed_by(book, sessions::policy());
    let by = |book: &mut Book| {
        let by = passwords::by_password(book, (ANA, 0), 2);
        open(book, by);
    };
    assert_eq!(code(&joined(&book, strict, by)), "method_not_taken");
    let link = |book: &mut Book| {
        let link = passwords::linking(book, ("ana", 3));
        must_via(book, (ANA, session), &link);
    };
    assert_eq!(code(&joined(&book, strict, link)), "method_not_taken");
    let set = |book: &mut Book| drop(must_via(book, (ANA, session), &passwords::setting(2)));
    assert_eq!(code(&joined(&book, strict, set)), "method_not_taken");
}

#[test]
fn an_identity_is_one_persons_and_nobody_has_too_many() {
    let mut book = Book::begun();
    governed_by(&mut book, passwords::policy());
    let of_ana = signed_in(&mut book, ((ANA, 1), 1));
    let of_ben = signed_in(&mut book, ((BEN_ID, 1), 2));
    for number in 0..7 {
        let link = passwords::linking(&book, (&format!("ana {number}"), 10 + number));
        must_via(&mut book, (ANA, of_ana), &link);
    }
    let link = |name: &'static str, number| {
        move |book: &mut Book| {
            let link = passwords::linking(book, (name, number));
            must_via(book, (ANA, of_ana), &link);
        }
    };
    assert_eq!(code(&joined(&book, link("one", 20), link("other", 21))), "too_many_identities");
    let of_ben = |book: &mut Book| {
        let link = passwords::linking(book, ("one", 22));
        must_via(book, (BEN_ID, of_ben), &link);
    };
    assert_eq!(code(&joined(&book, link("one", 20), of_ben)), "identity_in_use");
}

#[test]
fn who_claims_by_a_password_keeps_a_way_to_sign_in() {
    let mut book = Book::begun();
    governed_by(&mut book, passwords::policy());
    membership::invited(&mut book, (IRA, 0));
    let claim = Command::ClaimBy(passwords::claiming((IRA, 0), (1, 1)));
    let session = sessions::opened(&book.must(Actor::Node, &claim));
    let add = |book: &mut Book| drop(must_via(book, (IRA, session), &sessions::adding((IRA, 1))));
    let mut apart = book.clone();
    add(&mut apart);
    must_via(&mut apart, (IRA, session), &passwords::removing());
    let mut alone = book.events.clone();
    alone.push(apart.events.last().unwrap().clone());
    assert_eq!(code(&apart.events), "nothing");
    assert_eq!(code(&alone), "last_means");
}
