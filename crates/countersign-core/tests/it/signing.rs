//! Voting keys and signed votes on the stage: a policy that asks for them, keys by number, and what happens with them at least once.
//!
//! There is no cryptography in the core, so the keys and signatures here are words.

use countersign_core::Command;
use countersign_core::approval::Ballot;
use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, PersonId};
use countersign_core::permit::Outcome;
use countersign_core::policy::Policy;
use countersign_core::signature::{Algorithm, Assertion, Proof, Sha512, Signature, Signing};
use countersign_core::voting_key::{EnrollKey, PublicKey, RevokeKey, enrolment, revocation};

use crate::book::Book;
use crate::script::{activation, approved, finished, requested, reserved};
use crate::stage::{self, ACTIVATE, ANA, BEN, CHLOE, PAYOUT};

/// Payouts and failovers take votes signed in hardware; voting keys have rules of their own.
pub(crate) fn policy() -> Policy {
    let mut policy = stage::policy();
    for verb in ["enroll", "revoke"] {
        let mut rule = policy.rules[0].clone();
        rule.name = format!("{verb}-keys").parse().unwrap();
        rule.verb = verb.parse().unwrap();
        rule.resource = "voting-key/*".parse().unwrap();
        rule.patterns = true;
        policy.rules.push(rule);
    }
    for name in ["payout", "failover"] {
        let rule = policy.rules.iter_mut().find(|rule| rule.name.as_str() == name).unwrap();
        rule.signature = Signing::Hardware;
    }
    policy
}

/// Who has which keys: a number each, by turns one in a file, one in an authenticator, a passkey that stays where it is, and one that syncs.
pub(crate) fn key(person: PersonId, number: u8) -> PublicKey {
    let key = format!("key {number} of {person}");
    let algorithm = match number % 4 {
        0 => Algorithm::Ed25519,
        1 => Algorithm::SkEd25519,
        2 => Algorithm::BoundPasskeyEs256,
        _ => Algorithm::PasskeyEs256,
    };
    PublicKey { algorithm, key_sha256: Digest::of(key.as_bytes()), key, public_key_sha256: None }
}

pub(crate) fn enrolling((person, number): (PersonId, u8), approval: ApprovalId) -> Command {
    let key = key(person, number);
    Command::EnrollKey(EnrollKey { person, key, approval, parameters_sha256: stage::parameters() })
}

pub(crate) fn revoking((person, number): (PersonId, u8), approval: Option<ApprovalId>) -> Command {
    let key_sha256 = key(person, number).key_sha256;
    let under = approval.map(|approval| (approval, stage::parameters()));
    Command::RevokeKey(RevokeKey { person, key_sha256, under })
}

/// A signature by a key over a statement of this number.
pub(crate) fn signature(key_of: (PersonId, u8), statement: u128) -> Signature {
    let mut sha512 = [0; 64];
    sha512[48..].copy_from_slice(&statement.to_be_bytes());
    let key = key(key_of.0, key_of.1);
    let proof = match key_of.1 % 4 {
        0 | 1 => Proof::Sshsig("U1NIU0lH".into()),
        _ => Proof::Webauthn(Assertion {
            authenticator_data: "AAAA".into(),
            client_data_json: "e30".into(),
            passkey: key.key,
            signature: "AQEB".into(),
        }),
    };
    Signature { key_sha256: key.key_sha256, proof, statement_sha512: Sha512(sha512) }
}

/// A vote signed with a key.
pub(crate) fn signed(approval: ApprovalId, key: (PersonId, u8)) -> Command {
    let signature = signature(key, approval.0);
    Command::Approve(Ballot { signature: Some(signature), ..approval.into() })
}

/// What the keys of a person are enrolled under.
pub(crate) fn enrolment_of(person: PersonId) -> String {
    enrolment(person).unwrap().to_string()
}

/// What the keys of a person are revoked under, unless they do it themselves.
pub(crate) fn revocation_of(person: PersonId) -> String {
    revocation(person).unwrap().to_string()
}

/// The policy is in force, and everybody here has these keys.
pub(crate) fn with_keys(book: &mut Book, keys: &[(PersonId, u8)]) {
    let approval = approved(book, ACTIVATE);
    book.must(ANA, &activation(policy(), approval));
    for key in keys {
        let approval = approved(book, &enrolment_of(key.0));
        book.must(ANA, &enrolling(*key, approval));
    }
}

/// Two keys in hardware and one in a file; a payout that two people sign, and one that loses a vote with the key.
pub(crate) fn signed_votes(book: &mut Book) {
    with_keys(book, &[(CHLOE, 0), (CHLOE, 1), (BEN, 1)]);
    let approval = requested(book, PAYOUT);
    for voter in [BEN, CHLOE] {
        book.must(voter, &signed(approval, (voter, 1)));
    }
    let permit = reserved(book, (ANA, PAYOUT), Some(approval));
    book.must(ANA, &Command::StartPermit(permit));
    finished(book, (ANA, permit), Outcome::Succeeded);
    let approval = requested(book, PAYOUT);
    book.must(BEN, &signed(approval, (BEN, 1)));
    book.must(BEN, &revoking((BEN, 1), None));
    let under = approved(book, &revocation_of(CHLOE));
    book.must(ANA, &revoking((CHLOE, 0), Some(under)));
    book.must(ANA, &Command::Withdraw(approval));
}

/// A payout that two people sign with passkeys; Chloe's older key goes before, and one that syncs and would not do afterwards.
pub(crate) fn votes_by_passkey(book: &mut Book) {
    with_keys(book, &[(CHLOE, 2), (CHLOE, 3), (BEN, 2)]);
    book.must(CHLOE, &revoking((CHLOE, 1), None));
    let approval = requested(book, PAYOUT);
    for voter in [BEN, CHLOE] {
        book.must(voter, &signed(approval, (voter, 2)));
    }
    let permit = reserved(book, (ANA, PAYOUT), Some(approval));
    book.must(ANA, &Command::StartPermit(permit));
    finished(book, (ANA, permit), Outcome::Succeeded);
    book.must(CHLOE, &revoking((CHLOE, 3), None));
}
