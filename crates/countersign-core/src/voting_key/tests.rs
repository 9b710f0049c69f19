//! Keys are enrolled under their own quorum, belong to one person, and are revoked by that person or under a quorum; what they signed
//! counts only while they are in force.

use alloc::format;

use super::*;
use crate::Command;
use crate::approval;
use crate::approval::Ballot;
use crate::policy::Policy;
use crate::signature::{Proof, Sha512, Signature, Signing};
use crate::testing::{ANA, BEN, CHLOE, DAN, World, parameters, payout, policy};

/// The policy with rules for voting keys, and this demand on those who agree to payouts.
fn demanding(signing: Signing) -> Policy {
    let mut policy = policy();
    for verb in ["enroll", "revoke"] {
        let mut rule = policy.rules[0].clone();
        rule.name = format!("{verb}-keys").parse().unwrap();
        rule.verb = verb.parse().unwrap();
        rule.resource = "voting-key/*".parse().unwrap();
        rule.patterns = true;
        policy.rules.push(rule);
    }
    policy.rules[2].signature = signing;
    policy
}

fn key(text: &str, algorithm: Algorithm) -> PublicKey {
    PublicKey {
        algorithm,
        key: text.into(),
        key_sha256: Digest::of(text.as_bytes()),
        public_key_sha256: None,
    }
}

fn enrolling(person: PersonId, key: PublicKey, approval: ApprovalId) -> Command {
    Command::EnrollKey(EnrollKey { person, key, approval, parameters_sha256: parameters() })
}

/// Everything up to a key in force.
fn enrolled(world: &mut World, person: PersonId, key: PublicKey) {
    let approval = world.approved(enrolment(person).unwrap());
    let said = world.says(ANA, &enrolling(person, key, approval));
    assert_eq!(said, "approval.consumed person.key_enrolled");
}

fn revoking(person: PersonId, text: &str, under: Option<ApprovalId>) -> Command {
    let under = under.map(|approval| (approval, parameters()));
    Command::RevokeKey(RevokeKey { person, key_sha256: Digest::of(text.as_bytes()), under })
}

fn signed(approval: ApprovalId, text: &str) -> Command {
    over(approval, text, 1)
}

fn over(approval: ApprovalId, text: &str, statement: u8) -> Command {
    let signature = Signature {
        key_sha256: Digest::of(text.as_bytes()),
        proof: Proof::Sshsig("U1NIU0lH".into()),
        statement_sha512: Sha512([statement; 64]),
    };
    Command::Approve(Ballot { signature: Some(signature), ..approval.into() })
}

fn reserve(approval: ApprovalId) -> Command {
    let (action, parameters_sha256) = (payout(), parameters());
    Command::ReservePermit(permit::Reserve {
        action,
        parameters_sha256,
        approval: Some(approval),
        exceptions: Vec::new(),
    })
}

#[test]
fn a_key_belongs_to_one_person_and_never_comes_back() {
    let mut world = World::with(demanding(Signing::NotRequired));
    enrolled(&mut world, BEN, key("ben", Algorithm::Ed25519));
    let again = world.approved(enrolment(CHLOE).unwrap());
    assert_eq!(world.says(ANA, &enrolling(BEN, key("other", Algorithm::Ed25519), again)), "action_mismatch");
    assert_eq!(
        world.says(ANA, &enrolling(CHLOE, key("ben", Algorithm::Ed25519), again)),
        "voting_key_in_use"
    );
    assert_eq!(world.says(CHLOE, &revoking(BEN, "ben", None)), "not_the_owner");
    assert_eq!(world.says(Actor::Node, &revoking(BEN, "ben", None)), "not_the_owner");
    assert_eq!(world.says(BEN, &revoking(BEN, "other", None)), "voting_key_not_found");
    assert_eq!(world.says(BEN, &revoking(BEN, "ben", None)), "person.key_revoked");
    assert_eq!(world.says(BEN, &revoking(BEN, "ben", None)), "voting_key_revoked");
    assert_eq!(
        world.says(ANA, &enrolling(CHLOE, key("ben", Algorithm::Ed25519), again)),
        "voting_key_in_use"
    );
    let said = world.says(ANA, &enrolling(CHLOE, key("chloe", Algorithm::Ed25519), again));
    assert_eq!(said, "approval.consumed person.key_enrolled");
    let approval = world.approved(revocation(CHLOE).unwrap());
    let said = world.says(DAN, &revoking(CHLOE, "chloe", Some(approval)));
    assert_eq!(said, "approval.consumed person.key_revoked");
    let stranger = PersonId(77);
    let approval = world.approved(enrolment(stranger).unwrap());
    assert_eq!(
        world.says(ANA, &enrolling(stranger, key("x", Algorithm::Ed25519), approval)),
        "unknown_person"
    );
    world.assert_replays();
}

#[test]
fn a_vote_must_be_signed_as_strongly_as_the_rules_say() {
    let mut world = World::with(demanding(Signing::Hardware));
    let request = approval::Request { action: payout(), parameters_sha256: parameters() };
    assert_eq!(world.says(ANA, &Command::RequestApproval(request)), "unsatisfiable");
    enrolled(&mut world, BEN, key("ben", Algorithm::SkEd25519));
    enrolled(&mut world, CHLOE, key("chloe", Algorithm::SkEcdsaP256));
    enrolled(&mut world, CHLOE, key("soft", Algorithm::Ed25519));
    let id = world.requested(payout());
    assert_eq!(world.says(BEN, &Command::Approve(id.into())), "signature_required");
    assert_eq!(world.says(CHLOE, &signed(id, "soft")), "signature_required");
    assert_eq!(world.says(CHLOE, &signed(id, "ben")), "voting_key_not_in_force");
    assert_eq!(world.says(BEN, &signed(id, "ben")), "approval.granted");
    assert_eq!(world.says(CHLOE, &over(id, "chloe", 2)), "other_statement");
    assert_eq!(world.says(CHLOE, &signed(id, "chloe")), "approval.granted approval.completed");
    assert_eq!(world.says(ANA, &reserve(id)), "approval.consumed permit.reserved");
    world.assert_replays();
}

#[test]
fn what_a_revoked_key_signed_counts_no_more_and_its_owner_votes_again() {
    let mut world = World::with(demanding(Signing::Required));
    for (person, text) in [(BEN, "ben"), (BEN, "second"), (CHLOE, "chloe")] {
        enrolled(&mut world, person, key(text, Algorithm::EcdsaP256));
    }
    let id = world.requested(payout());
    world.says(BEN, &signed(id, "ben"));
    world.says(CHLOE, &signed(id, "chloe"));
    assert_eq!(world.says(BEN, &revoking(BEN, "ben", None)), "person.key_revoked");
    assert_eq!(world.says(ANA, &reserve(id)), "approval_pending");
    assert_eq!(world.says(BEN, &signed(id, "ben")), "voting_key_not_in_force");
    assert_eq!(world.says(BEN, &signed(id, "second")), "approval.granted approval.completed");
    assert_eq!(world.state.approval(id).unwrap().votes.len(), 2);
    assert_eq!(world.says(ANA, &reserve(id)), "approval.consumed permit.reserved");
    world.assert_replays();
}

/// Flaw "Duplicate signer": people count, not keys or signatures.
#[test]
fn duplicate_signer() {
    let mut world = World::with(demanding(Signing::Required));
    for (person, text) in [(BEN, "ben"), (BEN, "second"), (CHLOE, "chloe")] {
        enrolled(&mut world, person, key(text, Algorithm::Ed25519));
    }
    let id = world.requested(payout());
    assert_eq!(world.says(BEN, &signed(id, "ben")), "approval.granted");
    assert_eq!(world.says(BEN, &signed(id, "second")), "already_voted");
    assert_eq!(world.says(ANA, &reserve(id)), "approval_pending");
}

#[test]
fn where_no_signature_is_asked_for_a_signed_vote_still_needs_a_key_in_force() {
    let mut world = World::with(demanding(Signing::NotRequired));
    enrolled(&mut world, BEN, key("ben", Algorithm::Ed25519));
    let id = world.requested(payout());
    assert_eq!(world.says(CHLOE, &signed(id, "ben")), "voting_key_not_in_force");
    assert_eq!(world.says(CHLOE, &Command::Approve(id.into())), "approval.granted");
    assert_eq!(world.says(BEN, &signed(id, "ben")), "approval.granted approval.completed");
    world.says(BEN, &revoking(BEN, "ben", None));
    assert_eq!(world.says(ANA, &reserve(id)), "approval_pending");
}
