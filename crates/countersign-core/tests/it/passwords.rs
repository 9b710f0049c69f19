//! Passwords and identities on the stage: a policy that takes them, and what happens to them at least once.

use std::collections::BTreeSet;

use countersign_core::digest::Digest;
use countersign_core::id::{PersonId, SessionId};
use countersign_core::identity::{self, LinkIdentity, UnlinkIdentity};
use countersign_core::password::{NewPassword, RemovePassword, RenewRecoveryCodes, STEP_MILLIS, SetPassword};
use countersign_core::person::{ClaimBy, Means};
use countersign_core::policy::Policy;
use countersign_core::session::{Method, Open, StepUp};
use countersign_core::{Actor, Command};

use crate::book::Book;
use crate::membership;
use crate::sessions::{self, by_credential, challenge, governed_by, must_via, opened, request, signed_in};
use crate::stage::ANA;

/// Claims by a password.
pub(crate) const IRA: PersonId = PersonId(10);

/// The policy for sessions, but passwords and one provider sign in, too.
pub(crate) fn policy() -> Policy {
    let mut policy = sessions::policy();
    let sign_in = serde_json::json!({ "password": true, "sso": ["corp"] });
    policy.sign_in = serde_json::from_value(sign_in).unwrap();
    policy
}

/// The recovery code of this number in a set of them.
pub(crate) fn code(set: u32, number: usize) -> Digest {
    Digest::of(format!("code {number} of set {set}").as_bytes())
}

pub(crate) fn codes(set: u32) -> BTreeSet<Digest> {
    (0..10).map(|number| code(set, number)).collect()
}

pub(crate) fn password(set: u32) -> NewPassword {
    NewPassword { recovery: codes(set), verifier_sha256: Digest::of(format!("verifier {set}").as_bytes()) }
}

pub(crate) fn setting(set: u32) -> Command {
    Command::SetPassword(SetPassword { password: password(set) })
}

pub(crate) fn removing() -> Command {
    Command::RemovePassword(RemovePassword)
}

pub(crate) fn renewing(set: u32) -> Command {
    Command::RenewRecoveryCodes(RenewRecoveryCodes { recovery: codes(set) })
}

/// Whoever is called that at the provider.
pub(crate) fn identity(name: &str) -> Digest {
    identity::sha256("https://corp.test", name)
}

pub(crate) fn linking(book: &Book, (name, number): (&str, u32)) -> Command {
    let (provider, spent) = ("corp".parse().unwrap(), challenge(book, number));
    Command::LinkIdentity(LinkIdentity { identity_sha256: identity(name), provider, spent })
}

pub(crate) fn unlinking(name: &str) -> Command {
    Command::UnlinkIdentity(UnlinkIdentity { identity_sha256: identity(name) })
}

/// The code of the clock so many steps from now.
pub(crate) fn step(book: &Book, ahead: i64) -> u32 {
    u32::try_from(book.now.as_millis() / STEP_MILLIS + ahead).unwrap()
}

pub(crate) fn by_password(book: &Book, (person, ahead): (PersonId, i64), number: u32) -> Open {
    Open { method: Method::Password { totp_step: step(book, ahead) }, ..by_credential(person, number) }
}

pub(crate) fn by_code((person, code_sha256): (PersonId, Digest), number: u32) -> Open {
    Open { method: Method::RecoveryCode { code_sha256 }, ..by_credential(person, number) }
}

pub(crate) fn by_sso(book: &Book, (person, name): (PersonId, &str), number: u32) -> Open {
    let method = Method::Sso { identity_sha256: identity(name), provider: "corp".parse().unwrap() };
    Open { method, spent: Some(challenge(book, number)), ..by_credential(person, number) }
}

pub(crate) fn stepping_up(book: &Book, ahead: i64) -> Command {
    let method = Method::Password { totp_step: step(book, ahead) };
    Command::StepUp(StepUp { method, request_sha256: request(), spent: None })
}

pub(crate) fn claiming((person, claim): (PersonId, u8), (set, number): (u32, u32)) -> ClaimBy {
    let means = Means::Password(password(set));
    ClaimBy { means, ..sessions::claiming_by((person, claim), (1, number)) }
}

/// By the node, which verified it.
pub(crate) fn open(book: &mut Book, open: Open) -> SessionId {
    opened(&book.must(Actor::Node, &Command::OpenSession(open)))
}

/// Everything about them.
pub(crate) fn passwords(book: &mut Book) {
    governed_by(book, policy());
    let session = signed_in(book, ((ANA, 5), 50));
    must_via(book, (ANA, session), &setting(1));
    let by = by_password(book, (ANA, 0), 51);
    let first = open(book, by);
    let step_up = stepping_up(book, 1);
    must_via(book, (ANA, first), &step_up);
    let by = by_code((ANA, code(1, 0)), 52);
    let second = open(book, by);
    must_via(book, (ANA, second), &renewing(2));
    let link = linking(book, ("ana", 53));
    must_via(book, (ANA, second), &link);
    let by = by_sso(book, (ANA, "ana"), 54);
    let third = open(book, by);
    must_via(book, (ANA, third), &unlinking("ana"));
    must_via(book, (ANA, session), &removing());
    membership::invited(book, (IRA, 0));
    book.must(Actor::Node, &Command::ClaimBy(claiming((IRA, 0), (3, 55))));
}
