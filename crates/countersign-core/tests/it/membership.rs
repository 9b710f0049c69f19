//! People who come and go on the stage: a policy that says how, and what happens to them at least once.

use std::num::NonZeroU32;

use countersign_core::Command;
use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, PersonId};
use countersign_core::person::{ClaimCredential, Deactivate, Invite, NoteRefusals, deactivation, invitation};
use countersign_core::policy::Policy;
use countersign_core::time::Time;

use crate::book::Book;
use crate::script::{activation, approved, requested_by};
use crate::stage::{self, ACTIVATE, ANA, AUD, BEN, CHLOE, DAN, PAYOUT};

/// Is invited, and stays.
pub(crate) const FAY: PersonId = PersonId(7);
/// Is invited twice.
const GIL: PersonId = PersonId(8);

/// Engineers invite people whom two approvers agree to; security deactivates them at once.
pub(crate) fn policy() -> Policy {
    let mut policy = stage::policy();
    let mut invite = policy.rules[0].clone();
    invite.name = "invite".parse().unwrap();
    invite.verb = "invite".parse().unwrap();
    invite.resource = "person/*".parse().unwrap();
    invite.patterns = true;
    let mut deactivate = serde_json::to_value(&invite).unwrap();
    deactivate["name"] = "deactivate".into();
    deactivate["verb"] = "deactivate".into();
    deactivate["executors"] = serde_json::json!(["security"]);
    deactivate["approval"] = "not-required".into();
    deactivate["quorum"] = serde_json::json!({});
    policy.rules.extend([invite, serde_json::from_value(deactivate).unwrap()]);
    policy
}

/// The policy, but somebody of security must agree before anybody is deactivated.
pub(crate) fn strict() -> Policy {
    let mut strict = policy();
    let rule = strict.rules.iter_mut().find(|rule| rule.name.as_str() == "deactivate").unwrap();
    let mut value = serde_json::to_value(&*rule).unwrap();
    value["approval"] = "required".into();
    value["quorum"] = serde_json::json!({ "security": 1 });
    *rule = serde_json::from_value(value).unwrap();
    strict
}

/// Puts the policy in force.
pub(crate) fn governed(book: &mut Book) {
    let approval = approved(book, ACTIVATE);
    book.must(ANA, &activation(policy(), approval));
}

pub(crate) fn invitation_of(person: PersonId) -> String {
    invitation(person).unwrap().to_string()
}

pub(crate) fn deactivation_of(person: PersonId) -> String {
    deactivation(person).unwrap().to_string()
}

/// An invitation with the claim of this number, open for an hour.
pub(crate) fn inviting((person, number): (PersonId, u8), approval: ApprovalId) -> Command {
    let claim_sha256 = claim(person, number);
    let under = Some((approval, stage::parameters()));
    Command::InvitePerson(Invite { person, claim_sha256, claim_seconds: 3_600.try_into().unwrap(), under })
}

pub(crate) fn claim(person: PersonId, number: u8) -> Digest {
    Digest::of(format!("claim {number} of {person}").as_bytes())
}

pub(crate) fn claiming(person: PersonId, number: u8) -> Command {
    let credential_sha256 = stage::credential_of(person);
    Command::ClaimCredential(ClaimCredential { claim_sha256: claim(person, number), credential_sha256 })
}

pub(crate) fn deactivating(person: PersonId, approval: Option<ApprovalId>) -> Command {
    let under = approval.map(|approval| (approval, stage::parameters()));
    Command::DeactivatePerson(Deactivate { person, under })
}

/// Somebody is invited with everybody's consent.
pub(crate) fn invited(book: &mut Book, (person, number): (PersonId, u8)) {
    let approval = approved(book, &invitation_of(person));
    book.must(ANA, &inviting((person, number), approval));
}

/// One comes, one comes at the second invitation and goes again, and so does one with a request under way on which somebody agreed.
pub(crate) fn people(book: &mut Book) {
    governed(book);
    invited(book, (FAY, 0));
    book.must(countersign_core::Actor::Node, &claiming(FAY, 0));
    invited(book, (GIL, 0));
    invited(book, (GIL, 1));
    book.must(CHLOE, &deactivating(GIL, None));
    let asked = requested_by(book, (DAN, PAYOUT));
    book.must(BEN, &Command::Approve(asked.into()));
    for person in [DAN, AUD] {
        book.must(CHLOE, &deactivating(person, None));
    }
}

/// The node says that the person was refused something once, sometime until then.
pub(crate) fn refused(person: PersonId, until: Time) -> Command {
    let (code, count, from) = ("self_approval", NonZeroU32::MIN, stage::BEGINNING);
    Command::NoteRefusals(NoteRefusals { person, action: None, code, count, from, until })
}
