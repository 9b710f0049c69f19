//! Lies about delegations, votes taken back and escalations.

use countersign_core::{Event, Fact};

use super::forgery::Lie::{Change, Double, Drop, Repeat, Set, Since};
use super::kinds::{ANA, AUD, BEN, CHLOE, COR, DAN, EVE, Forgery, HOUR, MINUTE, NOBODY};

const BEFORE: &str = "2026-11-23T10:00:00.000Z";
const SOON: &str = "2027-03-23T12:00:00.000Z";

/// Two events after the first delegation the delegate votes in the place of who is away.
#[rustfmt::skip]
pub(super) const FORGERIES: &[Forgery] = &[
    ("person.delegated", 0, &[(0, Set("/actor", "node"))], "delegated_by_another"),
    ("person.delegated", 0, &[(0, Set("/actor", DAN))], "delegated_by_another"),
    ("person.delegated", 0, &[(0, Set("/environment", "production"))], "wrong_environment"),
    ("person.delegated", 0, &[(0, Set("/data/to", NOBODY))], "unknown_person"),
    ("person.delegated", 0, &[(0, Set("/data/to", BEN))], "delegated_to_oneself"),
    ("person.delegated", 0, &[(0, Set("/data/to", DAN))], "not_a_delegate"),
    ("person.delegated", 0, &[(0, Set("/data/to", ANA))], "not_a_delegate"),
    ("person.delegated", 0, &[(0, Set("/data/from", BEFORE))], "wrong_period"),
    ("person.delegated", 0, &[(0, Set("/data/until", BEFORE))], "wrong_period"),
    ("person.delegated", 0, &[(0, Set("/data/until", SOON))], "wrong_period"),
    ("person.delegated", 0, &[(0, Double)], "begun_twice"),
    ("person.delegated", 0, &[(0, Drop)], "not_a_delegate"),
    ("person.delegated", 0, &[(0, Set("/subject", ANA)), (0, Set("/actor", ANA))], "not_a_delegate"),
    ("person.delegated", 0, &[(0, Double), (0, Set("/subject", ANA)), (0, Set("/actor", ANA))], "delegate_of_requester"),
    ("person.delegation_ended", 0, &[(0, Set("/actor", ANA))], "delegated_by_another"),
    ("person.delegation_ended", 0, &[(0, Set("/actor", "node"))], "too_early"),
    ("person.delegation_ended", 0, &[(0, Set("/data/to", DAN))], "other_delegate"),
    ("person.delegation_ended", 0, &[(0, Set("/environment", "production"))], "wrong_environment"),
    ("person.delegation_ended", 0, &[(0, Since(HOUR))], "too_late"),
    ("person.delegation_ended", 0, &[(0, Double)], "unknown"),
    ("person.delegation_ended", 1, &[(0, Since(-1))], "too_early"),
    ("person.delegation_ended", 1, &[(0, Set("/actor", CHLOE))], "too_late"),
    ("approval.vote_revoked", 0, &[(0, Set("/actor", CHLOE))], "not_voted"),
    ("approval.vote_revoked", 0, &[(0, Set("/actor", BEN))], "not_voted"),
    ("approval.vote_revoked", 0, &[(0, Set("/actor", "node"))], "not_a_person"),
    ("approval.vote_revoked", 0, &[(0, Set("/data/reopened", "true"))], "wrong_reopening"),
    ("approval.vote_revoked", 0, &[(0, Set("/correlation", COR))], "wrong_correlation"),
    ("approval.vote_revoked", 0, &[(0, Set("/environment", "staging"))], "wrong_environment"),
    ("approval.vote_revoked", 0, &[(0, Double)], "not_voted"),
    ("approval.vote_revoked", 0, &[(0, Drop)], "already_voted"),
    ("approval.vote_revoked", 1, &[(0, Set("/data/reopened", "false"))], "wrong_reopening"),
    ("approval.vote_revoked", 1, &[(0, Since(10 * MINUTE))], "too_late"),
    ("approval.escalated", 0, &[(0, Set("/actor", ANA))], "not_the_node"),
    ("approval.escalated", 0, &[(0, Set("/data/to", "[\"engineers\"]"))], "wrong_escalation"),
    ("approval.escalated", 0, &[(0, Since(-1))], "too_early"),
    ("approval.escalated", 0, &[(0, Since(HOUR))], "too_late"),
    ("approval.escalated", 0, &[(0, Double)], "wrong_escalation"),
    ("approval.escalated", 0, &[(0, Set("/environment", "staging"))], "wrong_environment"),
    ("approval.escalated", 0, &[(0, Set("/correlation", COR))], "wrong_correlation"),
    ("approval.escalated", 0, &[(-1, Set("/data/escalation", "null"))], "wrong_escalation"),
    ("person.delegated", 0, &[(2, Set("/data/on_behalf", "null"))], "not_an_approver"),
    ("person.delegated", 0, &[(2, Set("/data/on_behalf", ANA))], "self_approval"),
    ("person.delegated", 0, &[(2, Set("/data/on_behalf", CHLOE))], "not_a_delegate"),
    ("person.delegated", 0, &[(2, Set("/data/on_behalf", EVE))], "not_a_delegate"),
    ("person.delegated", 0, &[(2, Set("/actor", DAN))], "not_a_delegate"),
    ("person.delegated", 0, &[(2, Since(HOUR))], "not_a_delegate"),
    ("person.delegated", 0, &[(2, Double)], "already_voted"),
    ("person.delegated", 0, &[(3, Repeat(-1)), (3, Set("/actor", BEN)), (3, Set("/data/on_behalf", "null"))], "already_voted"),
    ("approval.denied", 0, &[(0, Change(in_place_of_ben))], "not_a_delegate"),
    ("approval.denied", 0, &[(0, Set("/actor", AUD))], "not_an_approver"),
];

fn in_place_of_ben(event: &mut Event) {
    if let Fact::ApprovalDenied(_, voted) = &mut event.fact {
        voted.on_behalf = Some(crate::stage::BEN);
    }
}
