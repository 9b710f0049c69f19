//! Sessions on the stage: a policy that says how they end, and what happens to them at least once.

use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, PersonId, SessionId};
use countersign_core::once::Spent;
use countersign_core::passkey::{AddPasskey, NewPasskey, RemovePasskey};
use countersign_core::person::{ClaimBy, Means};
use countersign_core::policy::Policy;
use countersign_core::session::{End, Extend, Method, Open, StepUp, revocation};
use countersign_core::{Actor, Command, Event, Subject, Via};

use crate::book::Book;
use crate::membership;
use crate::script::{activation, approved, elapsed, requested, reserved};
use crate::signing;
use crate::stage::{self, ACTIVATE, ANA, BEN, CHLOE, PAYOUT};

/// Claims by a passkey.
pub(crate) const HAL: PersonId = PersonId(9);

/// Security ends other people's sessions once two approvers agree; people are invited, and go.
pub(crate) fn policy() -> Policy {
    let mut policy = membership::policy();
    let mut revoke = serde_json::to_value(&policy.rules[0]).unwrap();
    revoke["name"] = "revoke-sessions".into();
    revoke["verb"] = "revoke".into();
    revoke["resource"] = "session/*".into();
    revoke["patterns"] = true.into();
    revoke["executors"] = serde_json::json!(["security"]);
    policy.rules.push(serde_json::from_value(revoke).unwrap());
    policy
}

/// The policy, but sessions are shorter, and passkeys stay where they are.
pub(crate) fn wary() -> Policy {
    let mut policy = policy();
    let sign_in =
        serde_json::json!({ "idle_seconds": 60, "lifetime_seconds": 300, "synced_passkeys": false });
    policy.sign_in = serde_json::from_value(sign_in).unwrap();
    policy
}

/// The policy, but whoever agrees to a payout has proved who they are within five minutes.
pub(crate) fn fresh() -> Policy {
    let mut policy = policy();
    let payout = policy.rules.iter_mut().find(|rule| rule.name.as_str() == "payout").unwrap();
    payout.fresh_seconds = Some(300.try_into().unwrap());
    policy
}

/// Puts a policy in force.
pub(crate) fn governed_by(book: &mut Book, policy: Policy) {
    let approval = approved(book, ACTIVATE);
    book.must(ANA, &activation(policy, approval));
}

/// The passkey of this number, each third of which syncs.
pub(crate) fn passkey((person, number): (PersonId, u8)) -> NewPasskey {
    let key = format!("passkey {number} of {person}");
    let public_key_sha256 = Digest::of(format!("public {key}").as_bytes());
    NewPasskey { key_sha256: Digest::of(key.as_bytes()), public_key_sha256, key, synced: number % 3 == 0 }
}

pub(crate) fn secret(number: u32) -> Digest {
    Digest::of(format!("session {number}").as_bytes())
}

/// A challenge that is open for five minutes, by its number.
pub(crate) fn challenge(book: &Book, number: u32) -> Spent {
    Spent { sha256: Digest::of(format!("challenge {number}").as_bytes()), until: book.now.plus_seconds(300) }
}

/// What is asked for, by a session.
pub(crate) fn request() -> Digest {
    Digest::of(b"countersign-request-v1\nPOST /admin/approvals/apr_1/approve\n{}")
}

/// By this session, for [`request`].
pub(crate) fn via(session: SessionId) -> Option<Via> {
    Some(Via { session, request_sha256: request() })
}

pub(crate) fn by_passkey(book: &Book, key: (PersonId, u8), number: u32) -> Open {
    let key_sha256 = passkey(key).key_sha256;
    Open {
        person: key.0,
        method: Method::Passkey { key_sha256 },
        session_sha256: secret(number),
        replaces: None,
        spent: Some(challenge(book, number)),
    }
}

pub(crate) fn by_credential(person: PersonId, number: u32) -> Open {
    Open {
        person,
        method: Method::Credential {},
        session_sha256: secret(number),
        replaces: None,
        spent: None,
    }
}

pub(crate) fn handing_on(person: PersonId, (session, number): (SessionId, u32)) -> Open {
    Open { method: Method::HandedOn { session }, ..by_credential(person, number) }
}

pub(crate) fn adding(key: (PersonId, u8)) -> Command {
    Command::AddPasskey(AddPasskey { passkey: passkey(key) })
}

pub(crate) fn removing(key: (PersonId, u8)) -> Command {
    Command::RemovePasskey(RemovePasskey { key_sha256: passkey(key).key_sha256 })
}

pub(crate) fn stepping_up(book: &Book, (key, number): ((PersonId, u8), u32)) -> StepUp {
    let method = Method::Passkey { key_sha256: passkey(key).key_sha256 };
    StepUp { method, request_sha256: request(), spent: Some(challenge(book, number)) }
}

pub(crate) fn ending(session: SessionId, approval: Option<ApprovalId>) -> Command {
    Command::EndSession(End { session, under: approval.map(|approval| (approval, stage::parameters())) })
}

pub(crate) fn claiming_by((person, claim): (PersonId, u8), (key, number): (u8, u32)) -> ClaimBy {
    ClaimBy {
        claim_sha256: membership::claim(person, claim),
        means: Means::Passkey(passkey((person, key))),
        session_sha256: secret(number),
        spent: None,
    }
}

pub(crate) fn opened(events: &[Event]) -> SessionId {
    match Command::principal(events).unwrap().fact.subject() {
        Subject::Session(id) => id,
        other => panic!("{other:?}"),
    }
}

/// Does what is not refused by a session.
pub(crate) fn must_via(
    book: &mut Book,
    (person, session): (PersonId, SessionId),
    command: &Command,
) -> Vec<Event> {
    book.submit_via((person, via(session)), command)
        .unwrap_or_else(|refusal| panic!("{command:?} is refused: {refusal}"))
}

/// A session of somebody who has this passkey, which is the first they add.
pub(crate) fn signed_in(book: &mut Book, (key, number): ((PersonId, u8), u32)) -> SessionId {
    let first = opened(&book.must(key.0, &Command::OpenSession(by_credential(key.0, number + 1_000))));
    must_via(book, (key.0, first), &adding(key));
    must_via(book, (key.0, first), &ending(first, None));
    let open = Command::OpenSession(by_passkey(book, key, number));
    opened(&book.must(Actor::Node, &open))
}

/// Everything about them.
pub(crate) fn sessions(book: &mut Book) {
    governed_by(book, policy());
    let idle = opened(&book.must(ANA, &Command::OpenSession(by_credential(ANA, 0))));
    let first = signed_in(book, ((ANA, 1), 1));
    book.now = book.now.plus_seconds(600);
    book.must(Actor::Node, &Command::ExtendSession(Extend { session: first }));
    let step_up = Command::StepUp(stepping_up(book, ((ANA, 1), 2)));
    must_via(book, (ANA, first), &step_up);
    let again = Open { replaces: Some(first), ..by_passkey(book, (ANA, 1), 3) };
    let second = opened(&book.must(Actor::Node, &Command::OpenSession(again)));
    let hand_on = Command::OpenSession(handing_on(ANA, (second, 4)));
    let terminal = opened(&must_via(book, (ANA, second), &hand_on));
    must_via(book, (ANA, second), &adding((ANA, 2)));
    must_via(book, (ANA, terminal), &removing((ANA, 1)));
    must_via(book, (ANA, terminal), &ending(terminal, None));
    membership::invited(book, (HAL, 0));
    let claimed = book.must(Actor::Node, &Command::ClaimBy(claiming_by((HAL, 0), (3, 5))));
    let of_hal = opened(&claimed);
    let approval = approved(book, &revocation(HAL).unwrap().to_string());
    book.must(CHLOE, &ending(of_hal, Some(approval)));
    elapsed(book, Subject::Session(idle));
}

/// Two people agree to a payout, having stepped up for just that; and one to another by a signature.
pub(crate) fn fresh_votes(book: &mut Book) {
    governed_by(book, fresh());
    let [of_ben, of_chloe] =
        [(BEN, 20), (CHLOE, 21)].map(|(person, number)| (person, signed_in(book, ((person, 1), number))));
    let asked = requested(book, PAYOUT);
    for ((person, session), number) in [(of_ben, 22), (of_chloe, 23)] {
        let step_up = Command::StepUp(stepping_up(book, ((person, 1), number)));
        must_via(book, (person, session), &step_up);
        must_via(book, (person, session), &Command::Approve(asked.into()));
    }
    let permit = reserved(book, (ANA, PAYOUT), Some(asked));
    book.must(ANA, &Command::ReleasePermit(permit));
    let asked = requested(book, PAYOUT);
    book.must(BEN, &signing::signed(asked, (BEN, 2)));
    book.must(ANA, &Command::Withdraw(asked));
}
