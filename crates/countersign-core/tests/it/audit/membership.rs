//! Lies about invitations and deactivations.

use countersign_core::{Event, Fact};

use super::forgery::Lie::{Change, Double, Drop, Later, Set, Since};
use super::kinds::{ANA, AUD, BEN, DAN, Forgery, HOUR, NOBODY};
use crate::membership::claim;
use crate::stage;

const BEFORE: &str = "2026-11-23T10:00:00.000Z";
const EVER: &str = "2099-01-01T00:00:00.000Z";
const APPROVAL: &str = "apr_00000000000000000000000000000063";

/// The first invitation is the seventh enrolment.
#[rustfmt::skip]
pub(super) const FORGERIES: &[Forgery] = &[
    ("person.enrolled", 6, &[(0, Drop)], "missing"),
    ("person.enrolled", 6, &[(0, Double)], "unprompted"),
    ("person.enrolled", 6, &[(-1, Drop)], "unprompted"),
    ("person.enrolled", 6, &[(0, Set("/actor", DAN))], "missing"),
    ("person.enrolled", 6, &[(0, Set("/subject", NOBODY))], "missing"),
    ("person.enrolled", 6, &[(0, Set("/data/bootstrap", "true"))], "not_bootstrap"),
    ("person.enrolled", 6, &[(0, Set("/data/approval", APPROVAL))], "missing"),
    ("person.enrolled", 6, &[(0, Change(for_good))], "wrong_period"),
    ("person.enrolled", 6, &[(0, Set("/data/claim_until", BEFORE))], "wrong_period"),
    ("person.enrolled", 6, &[(0, Set("/data/claim_until", EVER))], "wrong_period"),
    ("person.enrolled", 6, &[(0, Set("/environment", "production"))], "wrong_environment"),
    ("person.enrolled", 6, &[(1, Since(HOUR))], "too_late"),
    ("person.enrolled", 6, &[(-1, Set("/actor", BEN)), (0, Set("/actor", BEN))], "not_an_executor"),
    ("person.enrolled", 0, &[(0, Change(for_a_while))], "not_bootstrap"),
    ("person.enrolled", 0, &[(0, Change(under_an_approval))], "not_bootstrap"),
    ("person.enrolled", 1, &[(0, Change(with_the_first_claim))], "claim_in_use"),
    ("person.claim_renewed", 0, &[(0, Drop)], "missing"),
    ("person.claim_renewed", 0, &[(0, Double)], "unprompted"),
    ("person.claim_renewed", 0, &[(0, Set("/data/approval", "null"))], "missing"),
    ("person.claim_renewed", 0, &[(0, Set("/data/claim_until", EVER))], "wrong_period"),
    ("person.claim_renewed", 0, &[(0, Set("/subject", BEN))], "missing"),
    ("person.claim_renewed", 0, &[(0, Change(with_the_claim_before))], "claim_in_use"),
    ("person.deactivated", 0, &[(0, Set("/actor", ANA))], "not_an_executor"),
    ("person.deactivated", 0, &[(0, Set("/actor", "node"))], "not_a_person"),
    ("person.deactivated", 0, &[(0, Change(under_an_approval))], "unprompted"),
    ("person.deactivated", 0, &[(0, Set("/subject", NOBODY))], "unknown_person"),
    ("person.deactivated", 0, &[(0, Set("/environment", "production"))], "wrong_environment"),
    ("person.deactivated", 0, &[(0, Double)], "deactivated_twice"),
    ("person.deactivated", 1, &[(-1, Later(1))], "requester_gone"),
    ("person.deactivated", 2, &[(0, Set("/subject", ANA))], "still_needed"),
    ("person.deactivated", 1, &[(0, Set("/actor", AUD))], "not_an_executor"),
];

fn with_the_first_claim(event: &mut Event) {
    if let Fact::PersonEnrolled(_, enrolled) = &mut event.fact {
        enrolled.claim_sha256 = stage::claim_of(stage::ANA);
    }
}

fn for_good(event: &mut Event) {
    if let Fact::PersonEnrolled(_, enrolled) = &mut event.fact {
        enrolled.claim_until = None;
    }
}

fn for_a_while(event: &mut Event) {
    if let Fact::PersonEnrolled(_, enrolled) = &mut event.fact {
        enrolled.claim_until = Some(event.at.plus_seconds(60));
    }
}

fn under_an_approval(event: &mut Event) {
    let approval = Some(APPROVAL.parse().unwrap());
    match &mut event.fact {
        Fact::PersonEnrolled(_, enrolled) => enrolled.approval = approval,
        Fact::PersonDeactivated(_, deactivated) => deactivated.approval = approval,
        _ => {}
    }
}

/// The claim it renews.
fn with_the_claim_before(event: &mut Event) {
    if let Fact::PersonClaimRenewed(person, renewed) = &mut event.fact {
        renewed.claim_sha256 = claim(*person, 0);
    }
}
