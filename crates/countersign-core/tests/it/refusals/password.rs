//! Who gets no password and no identity, and who does not sign in by them.

use std::collections::BTreeSet;

use countersign_core::once::Spent;
use countersign_core::password::{NewPassword, RenewRecoveryCodes, SetPassword};
use countersign_core::session::Method;
use countersign_core::{Actor, Command};

use super::{Walk, walk};
use crate::membership;
use crate::passwords::{
    IRA, by_code, by_password, by_sso, claiming, code, linking, open, policy, removing, renewing, setting,
    stepping_up, unlinking,
};
use crate::sessions::{self, challenge, governed_by, must_via, opened, signed_in, via};
use crate::stage::{ANA, BEN};

pub(super) fn passwords() -> Walk {
    let mut walk = walk();
    walk.refused(ANA, &setting(1), "session/session_required");
    let session = signed_in(&mut walk.book, ((ANA, 1), 1));
    let by = (ANA, via(session));
    walk.refused_via(by, &setting(1), "password/password_not_taken");
    let open_by = |walk: &Walk, ahead| Command::OpenSession(by_password(&walk.book, (ANA, ahead), 2));
    walk.refused(Actor::Node, &open_by(&walk, 9), "session/method_not_taken");
    governed_by(&mut walk.book, policy());
    let recovery = BTreeSet::from([code(1, 0)]);
    let few = NewPassword { recovery: recovery.clone(), verifier_sha256: code(1, 0) };
    walk.refused_via(
        by,
        &Command::SetPassword(SetPassword { password: few }),
        "password/recovery_codes_wrong",
    );
    walk.refused_via(by, &renewing(2), "password/password_not_set");
    walk.refused_via(by, &removing(), "password/password_not_set");
    walk.refused(Actor::Node, &open_by(&walk, 9), "session/no_password");
    walk.refused(ANA, &open_by(&walk, 0), "session/session_not_by_node");
    must_via(&mut walk.book, (ANA, session), &setting(1));
    for odd in [-3, 3] {
        walk.refused(Actor::Node, &open_by(&walk, odd), "session/code_not_of_now");
    }
    walk.happens(Actor::Node, &open_by(&walk, 1));
    for used in [0, 1] {
        walk.refused(Actor::Node, &open_by(&walk, used), "session/code_used");
        walk.refused_via(by, &stepping_up(&walk.book, used), "session/code_used");
    }
    let next = stepping_up(&walk.book, 2);
    must_via(&mut walk.book, (ANA, session), &next);
    let by_code = |set, number: u32| Command::OpenSession(by_code((ANA, code(set, 0)), number));
    walk.refused(Actor::Node, &by_code(9, 3), "session/code_used");
    walk.happens(Actor::Node, &by_code(1, 3));
    walk.refused(Actor::Node, &by_code(1, 4), "session/code_used");
    walk.refused_via(
        by,
        &Command::RenewRecoveryCodes(RenewRecoveryCodes { recovery }),
        "password/recovery_codes_wrong",
    );
    must_via(&mut walk.book, (ANA, session), &renewing(1));
    walk.happens(Actor::Node, &by_code(1, 4));
    must_via(&mut walk.book, (ANA, session), &removing());
    walk.refused(Actor::Node, &by_code(1, 5), "session/no_password");
    last_password(&mut walk);
    walk
}

/// Of somebody who has nothing else; and another password ends what the one before opened.
fn last_password(walk: &mut Walk) {
    membership::invited(&mut walk.book, (IRA, 0));
    let claim = Command::ClaimBy(claiming((IRA, 0), (3, 20)));
    let session = opened(&walk.book.must(Actor::Node, &claim));
    walk.refused_via((IRA, via(session)), &removing(), "password/password_is_last");
    let by = by_password(&walk.book, (IRA, 0), 21);
    let opened = open(&mut walk.book, by);
    let step_up = stepping_up(&walk.book, 1);
    walk.book.now = walk.book.now.plus_millis(1);
    must_via(&mut walk.book, (IRA, session), &setting(4));
    walk.refused_via((IRA, via(opened)), &step_up, "session/session_ended");
}

pub(super) fn identities() -> Walk {
    let mut walk = walk();
    let session = signed_in(&mut walk.book, ((ANA, 1), 1));
    let by = (ANA, via(session));
    walk.refused(ANA, &linking(&walk.book, ("ana", 1)), "session/session_required");
    walk.refused_via(by, &linking(&walk.book, ("ana", 1)), "identity/provider_not_taken");
    let sso = |walk: &Walk, number| Command::OpenSession(by_sso(&walk.book, (ANA, "ana"), number));
    walk.refused(Actor::Node, &sso(&walk, 2), "session/method_not_taken");
    governed_by(&mut walk.book, policy());
    walk.refused(Actor::Node, &sso(&walk, 1), "session/unknown_identity");
    walk.refused_via(by, &linking(&walk.book, ("ana", 1)), "session/challenge_used");
    let mut late = linking(&walk.book, ("ana", 2));
    if let Command::LinkIdentity(link) = &mut late {
        link.spent = Spent { until: walk.book.now, ..challenge(&walk.book, 2) };
    }
    walk.refused_via(by, &late, "session/challenge_missing");
    let link = linking(&walk.book, ("ana", 2));
    must_via(&mut walk.book, (ANA, session), &link);
    let of_ben = signed_in(&mut walk.book, ((BEN, 1), 3));
    walk.refused_via((BEN, via(of_ben)), &linking(&walk.book, ("ana", 4)), "identity/identity_in_use");
    walk.refused_via((BEN, via(of_ben)), &unlinking("ana"), "identity/identity_not_found");
    let mut unspent = by_sso(&walk.book, (ANA, "ana"), 5);
    unspent.spent = None;
    walk.refused(Actor::Node, &Command::OpenSession(unspent), "session/challenge_missing");
    let mut elsewhere = by_sso(&walk.book, (ANA, "ana"), 5);
    if let Method::Sso { provider, .. } = &mut elsewhere.method {
        *provider = "other".parse().unwrap();
    }
    walk.refused(Actor::Node, &Command::OpenSession(elsewhere), "session/method_not_taken");
    walk.happens(Actor::Node, &sso(&walk, 5));
    walk.refused(Actor::Node, &sso(&walk, 5), "session/challenge_used");
    for number in 0..7 {
        let link = linking(&walk.book, (&format!("ana {number}"), 10 + number));
        must_via(&mut walk.book, (ANA, session), &link);
    }
    walk.refused_via(by, &linking(&walk.book, ("one more", 20)), "identity/too_many_identities");
    must_via(&mut walk.book, (ANA, session), &unlinking("ana"));
    walk.refused_via(by, &unlinking("ana"), "identity/identity_not_found");
    walk.refused(Actor::Node, &sso(&walk, 21), "session/unknown_identity");
    last_identity(&mut walk);
    walk
}

/// Of somebody who has nothing else.
fn last_identity(walk: &mut Walk) {
    membership::invited(&mut walk.book, (IRA, 0));
    let claim = Command::ClaimBy(claiming((IRA, 0), (3, 30)));
    let session = opened(&walk.book.must(Actor::Node, &claim));
    let link = linking(&walk.book, ("ira", 31));
    must_via(&mut walk.book, (IRA, session), &link);
    must_via(&mut walk.book, (IRA, session), &removing());
    walk.refused_via((IRA, via(session)), &unlinking("ira"), "identity/identity_is_last");
    must_via(&mut walk.book, (IRA, session), &sessions::adding((IRA, 1)));
    must_via(&mut walk.book, (IRA, session), &unlinking("ira"));
}
