//! Lies about sign-ins that failed: few that are told of, many that are told of often, and what must not stay without an incident.

use super::forgery::Lie::{Drop, Repeat, Set, Since};
use super::kinds::{ANA, BEN, COR, Forgery, NOBODY};

const NOON: &str = "2026-11-23T12:00:00.000Z";
const NEXT_YEAR: &str = "2027-12-25T20:00:00.000Z";

/// Three about Ana's account, of which the first two are incidents; two about networks, of which the first is; one about others.
#[rustfmt::skip]
pub(super) const FORGERIES: &[Forgery] = &[
    ("log.sign_ins_failed", 0, &[(0, Set("/actor", ANA))], "not_the_node"),
    ("log.sign_ins_failed", 0, &[(0, Set("/environment", "production"))], "wrong_environment"),
    ("log.sign_ins_failed", 0, &[(0, Set("/data/about/person", NOBODY))], "unknown_person"),
    ("log.sign_ins_failed", 0, &[(0, Set("/data/about/person", BEN))], "missing"),
    ("log.sign_ins_failed", 0, &[(0, Set("/data/failures/passkey", "19"))], "too_few_failures"),
    ("log.sign_ins_failed", 0, &[(0, Set("/data/until", NOON))], "wrong_window"),
    ("log.sign_ins_failed", 0, &[(0, Set("/data/until", NEXT_YEAR))], "wrong_window"),
    ("log.sign_ins_failed", 0, &[(0, Set("/data/succeeded_at", NOON))], "wrong_window"),
    ("log.sign_ins_failed", 0, &[(0, Drop)], "unprompted"),
    ("log.sign_ins_failed", 0, &[(1, Drop)], "missing"),
    ("log.sign_ins_failed", 0, &[(1, Set("/data/cause", "sign-in-after-failures"))], "missing"),
    ("log.sign_ins_failed", 0, &[(1, Set("/data/about", BEN))], "missing"),
    ("log.sign_ins_failed", 0, &[(0, Drop), (0, Drop)], "too_few_failures"),
    ("log.sign_ins_failed", 0, &[(2, Repeat(-2))], "told_too_often"),
    ("log.sign_ins_failed", 1, &[(0, Set("/correlation", COR))], "wrong_correlation"),
    ("log.sign_ins_failed", 1, &[(0, Set("/data/succeeded_at", "null"))], "too_few_failures"),
    ("log.sign_ins_failed", 1, &[(1, Drop)], "missing"),
    ("log.sign_ins_failed", 1, &[(0, Drop)], "unprompted"),
    ("log.sign_ins_failed", 2, &[(0, Since(-1)), (0, Set("/data/until", NOON)), (0, Set("/data/from", NOON))], "told_too_often"),
    ("log.sign_ins_failed", 2, &[(0, Set("/correlation", COR))], "wrong_correlation"),
    ("log.sign_ins_failed", 3, &[(0, Set("/data/failures/claim", "49"))], "too_few_failures"),
    ("log.sign_ins_failed", 3, &[(1, Drop)], "missing"),
    ("log.sign_ins_failed", 3, &[(1, Set("/data/about", ANA))], "missing"),
    ("log.sign_ins_failed", 4, &[(0, Set("/data/failures/claim", "49"))], "too_few_failures"),
    ("log.sign_ins_failed", 4, &[(0, Set("/correlation", COR))], "wrong_correlation"),
    ("log.sign_ins_failed", 4, &[(1, Repeat(-1)), (1, Repeat(-1)), (1, Repeat(-1)), (1, Repeat(-1)), (1, Repeat(-1)), (1, Repeat(-1)), (1, Repeat(-1)), (1, Repeat(-1))], "told_too_often"),
    ("log.sign_ins_failed", 5, &[(0, Set("/data/about/left_out", "0"))], "too_few_failures"),
    ("log.sign_ins_failed", 5, &[(0, Set("/data/failures/passkey", "0"))], "too_few_failures"),
    ("log.sign_ins_failed", 5, &[(0, Repeat(0)), (0, Repeat(0))], "told_too_often"),
];
