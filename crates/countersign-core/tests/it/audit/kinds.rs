//! For each kind of event: lies about it, and what the auditor calls them.

use std::collections::BTreeSet;

use countersign_core::audit::Breach;
use countersign_core::redaction::Entries;
use countersign_core::signature::Signature;
use countersign_core::{Auditor, Command, Event, Fact, Violation};

use super::forgery::Lie::{self, Change, Double, Drop, Later, Repeat, Set, Since};
use super::forgery::forged;
use crate::book::Book;
use crate::script::{self, approved, prepared, requested};
use crate::signing;
use crate::stage::{self, ACTIVATE, PAYOUT, ROTATE};

pub(super) const BEN: &str = "per_00000000000000000000000000000002";
pub(super) const ANA: &str = "per_00000000000000000000000000000001";
pub(super) const CHLOE: &str = "per_00000000000000000000000000000003";
pub(super) const AUD: &str = "per_00000000000000000000000000000004";
pub(super) const DAN: &str = "per_00000000000000000000000000000005";
pub(super) const EVE: &str = "per_00000000000000000000000000000006";
pub(super) const NOBODY: &str = "per_00000000000000000000000000000063";
pub(super) const COR: &str = "cor_00000000000000000000000000000063";
const PERMIT: &str = "prm_00000000000000000000000000000063";
const APPROVAL: &str = "apr_00000000000000000000000000000063";
const ROTATION: &str = "rot_00000000000000000000000000000063";
pub(super) const DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";
pub(super) const NOON: &str = "2026-11-23T12:00:00.000Z";
pub(super) const MINUTE: i64 = 60_000;
pub(super) const HOUR: i64 = 60 * MINUTE;

/// A kind of event, which of that kind in the golden history, the lies, and the code of the violation.
pub(super) type Forgery = (&'static str, usize, &'static [(isize, Lie)], &'static str);

#[rustfmt::skip]
const FORGERIES: &[Forgery] = &[
    ("log.created", 0, &[(0, Drop)], "no_genesis"),
    ("log.created", 0, &[(0, Later(1))], "no_genesis"),
    ("log.created", 0, &[(0, Double)], "missing"),
    ("log.created", 0, &[(16, Repeat(-16))], "second_genesis"),
    ("log.created", 0, &[(0, Set("/environment", "production"))], "wrong_environment"),
    ("log.created", 0, &[(0, Set("/actor", ANA))], "unclaimed"),
    ("log.key_rotated", 0, &[(0, Drop)], "missing"),
    ("log.key_rotated", 0, &[(0, Double)], "unprompted"),
    ("log.key_rotated", 0, &[(-1, Drop)], "unprompted"),
    ("log.key_rotated", 0, &[(0, Set("/actor", BEN))], "missing"),
    ("log.key_rotated", 0, &[(0, Set("/data/approval", APPROVAL))], "missing"),
    ("log.key_rotated", 0, &[(0, Set("/environment", "production"))], "wrong_environment"),
    ("log.key_rotated", 0, &[(0, Set("/data/origin", "another.test"))], "other_log"),
    ("log.key_rotated", 0, &[(0, Set("/data/old_key", "ledger.test+00000009+key"))], "other_key"),
    ("log.key_rotated", 0, &[(0, Set("/data/new_key", "ledger.test+00000000+key"))], "key_comes_back"),
    ("log.census_taken", 0, &[(0, Set("/actor", ANA))], "not_the_node"),
    ("log.census_taken", 0, &[(0, Set("/environment", "control"))], "wrong_environment"),
    ("log.census_taken", 0, &[(0, Double)], "census_not_newer"),
    ("log.census_taken", 0, &[(0, Set("/data/size", "0"))], "census_not_newer"),
    ("log.census_taken", 0, &[(0, Set("/data/subjects", "100000"))], "wrong_count"),
    ("log.census_taken", 0, &[(0, Set("/data/subjects", "0"))], "wrong_count"),
    ("log.witness_lost", 0, &[(0, Set("/actor", ANA))], "not_the_node"),
    ("log.witness_lost", 0, &[(0, Set("/environment", "production"))], "wrong_environment"),
    ("log.witness_lost", 0, &[(0, Set("/data/since", "2099-01-01T00:00:00.000Z"))], "too_early"),
    ("log.witness_lost", 0, &[(0, Drop)], "unprompted"),
    ("log.witness_lost", 0, &[(1, Drop)], "missing"),
    ("log.witness_lost", 0, &[(2, Repeat(-2)), (3, Repeat(-2))], "begun_twice"),
    ("log.witness_lost", 0, &[(1, Set("/environment", "production"))], "wrong_environment"),
    ("log.witness_lost", 0, &[(1, Set("/data/about", PERMIT))], "missing"),
    ("log.witness_regained", 0, &[(0, Set("/actor", ANA))], "not_the_node"),
    ("log.witness_regained", 0, &[(0, Set("/environment", "production"))], "wrong_environment"),
    ("log.witness_regained", 0, &[(0, Set("/data/witness", "another"))], "unknown"),
    ("log.witness_regained", 0, &[(0, Double)], "unknown"),
    ("log.witness_regained", 0, &[(0, Set("/correlation", COR))], "wrong_correlation"),
    ("log.details_redacted", 0, &[(0, Drop)], "missing"),
    ("log.details_redacted", 0, &[(0, Double)], "unprompted"),
    ("log.details_redacted", 0, &[(-1, Drop)], "unprompted"),
    ("log.details_redacted", 0, &[(0, Set("/data/approval", APPROVAL))], "missing"),
    ("log.details_redacted", 0, &[(0, Set("/environment", "production"))], "wrong_environment"),
    ("log.details_redacted", 0, &[(0, Set("/actor", DAN))], "missing"),
    ("log.details_redacted", 1, &[(-6, Change(of_the_first_entry)), (0, Change(of_the_first_entry))], "redacted_twice"),
    ("policy.activated", 0, &[(0, Set("/data/bootstrap", "false"))], "not_bootstrap"),
    ("policy.activated", 0, &[(0, Set("/data/approval", APPROVAL))], "not_bootstrap"),
    ("policy.activated", 0, &[(0, Set("/environment", "control"))], "wrong_environment"),
    ("policy.activated", 0, &[(0, Set("/actor", ANA))], "missing"),
    ("policy.activated", 0, &[(0, Drop)], "missing"),
    ("policy.activated", 0, &[(0, Double)], "unprompted"),
    ("policy.activated", 0, &[(0, Change(by_a_stranger))], "policy_unknown_member"),
    ("policy.activated", 0, &[(0, Change(for_ever))], "policy_irreplaceable"),
    ("policy.activated", 0, &[(0, Change(by_anybody))], "policy_irreplaceable"),
    ("policy.activated", 1, &[(0, Set("/data/policy_sha256", DIGEST))], "policy_unresolved"),
    ("policy.activated", 1, &[(0, Set("/data/bootstrap", "true"))], "not_bootstrap"),
    ("policy.activated", 1, &[(0, Set("/data/approval", "null"))], "missing"),
    ("policy.activated", 1, &[(0, Set("/environment", "production"))], "wrong_environment"),
    ("policy.activated", 1, &[(0, Drop)], "missing"),
    ("policy.activated", 1, &[(0, Double)], "unprompted"),
    ("policy.activated", 1, &[(-1, Drop)], "unprompted"),
    ("policy.activated", 1, &[(0, Change(by_a_stranger))], "policy_unknown_member"),
    ("person.enrolled", 0, &[(0, Drop)], "policy_unknown_member"),
    ("person.enrolled", 0, &[(0, Double)], "enrolled_twice"),
    ("person.enrolled", 0, &[(0, Set("/data/bootstrap", "false"))], "not_bootstrap"),
    ("person.enrolled", 0, &[(0, Set("/environment", "production"))], "wrong_environment"),
    ("person.enrolled", 0, &[(0, Set("/actor", AUD))], "missing"),
    ("person.enrolled", 5, &[(8, Repeat(-8)), (8, Set("/subject", NOBODY))], "not_bootstrap"),
    ("person.claimed", 0, &[(0, Set("/actor", BEN))], "claimed_by_another"),
    ("person.claimed", 0, &[(0, Set("/actor", "node"))], "claimed_by_another"),
    ("person.claimed", 0, &[(0, Double)], "credential_in_use"),
    ("person.claimed", 0, &[(0, Double), (0, Set("/data/credential_sha256", DIGEST))], "claimed_twice"),
    ("person.claimed", 0, &[(0, Set("/subject", NOBODY)), (0, Set("/actor", NOBODY))], "unknown_person"),
    ("person.claimed", 0, &[(0, Set("/environment", "production"))], "wrong_environment"),
    ("person.claimed", 0, &[(0, Drop)], "unclaimed"),
    ("person.claimed", 2, &[(0, Drop)], "unsatisfiable"),
    ("person.refused", 0, &[(0, Set("/actor", ANA))], "not_the_node"),
    ("person.refused", 0, &[(0, Set("/subject", NOBODY))], "unknown_person"),
    ("person.refused", 0, &[(0, Set("/environment", "production"))], "wrong_environment"),
    ("person.refused", 0, &[(0, Set("/data/from", NOON))], "wrong_window"),
    ("person.refused", 0, &[(0, Set("/data/until", NOON))], "wrong_window"),
    ("person.refused", 0, &[(0, Set("/data/code", "Was refused."))], "not_a_code"),
    ("person.refused", 1, &[(0, Set("/environment", "staging"))], "wrong_environment"),
    ("person.key_enrolled", 0, &[(0, Drop)], "missing"),
    ("person.key_enrolled", 0, &[(0, Double)], "unprompted"),
    ("person.key_enrolled", 0, &[(-1, Drop)], "unprompted"),
    ("person.key_enrolled", 0, &[(0, Set("/subject", BEN))], "missing"),
    ("person.key_enrolled", 0, &[(0, Set("/data/approval", APPROVAL))], "missing"),
    ("person.key_enrolled", 0, &[(0, Set("/environment", "production"))], "wrong_environment"),
    ("person.key_enrolled", 1, &[(0, Change(of_the_first_key))], "voting_key_in_use"),
    ("person.key_enrolled", 2, &[(2, Set("/data/signature/key_sha256", DIGEST))], "voting_key_not_in_force"),
    ("person.key_enrolled", 2, &[(2, Change(unsigned))], "signature_required"),
    ("person.key_enrolled", 2, &[(3, Change(by_the_first_key))], "signature_required"),
    ("person.key_enrolled", 2, &[(3, Change(of_another_statement))], "other_statement"),
    ("person.key_enrolled", 2, &[(2, Set("/actor", CHLOE))], "voting_key_not_in_force"),
    ("person.key_enrolled", 7, &[(4, Change(by_the_passkey_that_syncs))], "signature_required"),
    ("person.key_enrolled", 7, &[(4, Change(of_another_statement))], "other_statement"),
    ("person.key_enrolled", 7, &[(0, Set("/data/algorithm", "webauthn-es256"))], "unsatisfiable"),
    ("person.key_revoked", 0, &[(0, Set("/actor", ANA))], "not_the_owner"),
    ("person.key_revoked", 0, &[(0, Set("/actor", "node"))], "not_a_person"),
    ("person.key_revoked", 0, &[(0, Set("/data/approval", APPROVAL))], "unprompted"),
    ("person.key_revoked", 0, &[(0, Set("/data/key_sha256", DIGEST))], "voting_key_not_in_force"),
    ("person.key_revoked", 0, &[(0, Double)], "voting_key_not_in_force"),
    ("person.key_revoked", 0, &[(0, Later(5))], "missing"),
    ("person.key_revoked", 0, &[(-1, Repeat(1))], "voting_key_not_in_force"),
    ("person.key_revoked", 1, &[(0, Drop)], "missing"),
    ("person.key_revoked", 1, &[(-1, Drop)], "unprompted"),
    ("person.key_revoked", 1, &[(0, Set("/data/approval", "null"))], "missing"),
    ("approval.requested", 0, &[(0, Set("/actor", "node"))], "not_a_person"),
    ("approval.requested", 0, &[(0, Set("/actor", AUD))], "not_a_requester"),
    ("approval.requested", 0, &[(0, Set("/environment", "staging"))], "wrong_environment"),
    ("approval.requested", 0, &[(0, Set("/data/action/verb", "launch"))], "no_rule"),
    ("approval.requested", 0, &[(0, Change(of_a_ping))], "consent_not_needed"),
    ("approval.requested", 0, &[(0, Set("/data/pending_until", NOON))], "wrong_deadline"),
    ("approval.requested", 0, &[(0, Set("/data/rules", "[\"rotate\"]"))], "other_rules"),
    ("approval.requested", 0, &[(0, Set("/data/requirement_sha256", DIGEST))], "other_requirement"),
    ("approval.requested", 0, &[(0, Set("/data/policy_sha256", DIGEST))], "other_policy"),
    ("approval.requested", 0, &[(0, Double)], "begun_twice"),
    ("approval.requested", 0, &[(0, Drop)], "unknown"),
    ("approval.requested", 3, &[(0, Later(1))], "unknown"),
    ("approval.granted", 0, &[(0, Set("/actor", ANA))], "self_approval"),
    ("approval.granted", 0, &[(0, Set("/actor", EVE))], "unclaimed"),
    ("approval.granted", 0, &[(0, Set("/actor", AUD))], "not_an_approver"),
    ("approval.granted", 0, &[(0, Set("/actor", "node"))], "not_a_person"),
    ("approval.granted", 0, &[(0, Set("/data/parameters_sha256", DIGEST))], "other_parameters"),
    ("approval.granted", 0, &[(0, Set("/correlation", COR))], "wrong_correlation"),
    ("approval.granted", 0, &[(0, Set("/environment", "staging"))], "wrong_environment"),
    ("approval.granted", 0, &[(0, Since(HOUR))], "too_late"),
    ("approval.granted", 0, &[(0, Double)], "already_voted"),
    ("approval.granted", 0, &[(0, Drop)], "unprompted"),
    ("approval.granted", 1, &[(0, Set("/actor", BEN))], "already_voted"),
    ("approval.granted", 1, &[(0, Drop)], "unprompted"),
    ("approval.granted", 1, &[(0, Later(1))], "unprompted"),
    ("approval.granted", 2, &[(3, Repeat(-2)), (3, Set("/actor", EVE))], "already_approved"),
    ("approval.completed", 0, &[(0, Set("/data/approved_until", NOON))], "wrong_deadline"),
    ("approval.completed", 0, &[(0, Set("/actor", BEN))], "missing"),
    ("approval.completed", 0, &[(0, Since(1))], "missing"),
    ("approval.completed", 0, &[(0, Drop)], "missing"),
    ("approval.completed", 0, &[(0, Double)], "unprompted"),
    ("approval.completed", 0, &[(-1, Drop)], "unprompted"),
    ("approval.denied", 0, &[(0, Set("/actor", ANA))], "self_approval"),
    ("approval.denied", 0, &[(0, Set("/actor", AUD))], "not_an_approver"),
    ("approval.denied", 0, &[(0, Set("/actor", EVE))], "unclaimed"),
    ("approval.denied", 0, &[(0, Set("/actor", "node"))], "not_a_person"),
    ("approval.denied", 0, &[(0, Set("/data/parameters_sha256", DIGEST))], "other_parameters"),
    ("approval.denied", 0, &[(0, Set("/environment", "staging"))], "wrong_environment"),
    ("approval.denied", 0, &[(0, Since(HOUR))], "too_late"),
    ("approval.denied", 0, &[(0, Double)], "unknown"),
    ("approval.denied", 1, &[(0, Change(objected))], "denied"),
    ("approval.objected", 0, &[(0, Set("/actor", DAN))], "self_approval"),
    ("approval.objected", 0, &[(0, Set("/actor", ANA))], "rule_author"),
    ("approval.objected", 0, &[(0, Set("/actor", AUD))], "not_an_approver"),
    ("approval.objected", 0, &[(0, Set("/actor", "node"))], "not_a_person"),
    ("approval.objected", 0, &[(0, Set("/environment", "staging"))], "wrong_environment"),
    ("approval.objected", 0, &[(0, Set("/data/parameters_sha256", DIGEST))], "other_parameters"),
    ("approval.objected", 0, &[(0, Double)], "already_voted"),
    ("approval.objected", 1, &[(0, Change(denied))], "not_denied_yet"),
    ("approval.objected", 2, &[(0, Drop)], "already_voted"),
    ("approval.granted", 56, &[(0, Set("/data/commented", "false"))], "no_comment"),
    ("approval.granted", 56, &[(0, Set("/actor", ANA))], "rule_author"),
    ("approval.granted", 57, &[(0, Set("/actor", EVE))], "already_voted"),
    ("policy.activated", 4, &[(0, Set("/data/author", BEN))], "wrong_author"),
    ("policy.activated", 4, &[(0, Set("/data/author", "null"))], "wrong_author"),
    ("policy.activated", 1, &[(0, Change(authored))], "wrong_author"),
    ("approval.withdrawn", 0, &[(0, Set("/actor", DAN))], "not_the_requester"),
    ("approval.withdrawn", 0, &[(0, Set("/actor", "node"))], "not_a_person"),
    ("approval.withdrawn", 0, &[(0, Set("/correlation", COR))], "wrong_correlation"),
    ("approval.withdrawn", 0, &[(0, Since(HOUR))], "too_late"),
    ("approval.withdrawn", 0, &[(0, Double)], "unknown"),
    ("approval.expired", 0, &[(0, Set("/actor", ANA))], "not_the_node"),
    ("approval.expired", 0, &[(0, Since(-1))], "too_early"),
    ("approval.expired", 0, &[(0, Set("/data/deadline", NOON))], "wrong_deadline"),
    ("approval.expired", 0, &[(0, Double)], "unknown"),
    ("approval.expired", 1, &[(0, Since(-1))], "too_early"),
    ("approval.consumed", 0, &[(0, Set("/actor", AUD))], "not_an_executor"),
    ("approval.consumed", 0, &[(0, Set("/actor", "node"))], "not_a_person"),
    ("approval.consumed", 0, &[(0, Set("/data/permit", PERMIT))], "missing"),
    ("approval.consumed", 0, &[(0, Set("/data/permit", "null"))], "other_action"),
    ("approval.consumed", 0, &[(0, Set("/environment", "staging"))], "wrong_environment"),
    ("approval.consumed", 0, &[(0, Since(10 * MINUTE))], "too_late"),
    ("approval.consumed", 0, &[(0, Drop)], "unprompted"),
    ("approval.consumed", 0, &[(0, Double)], "missing"),
    ("approval.consumed", 0, &[(-1, Drop), (-2, Drop)], "quorum_not_met"),
    ("approval.consumed", 0, &[(2, Repeat(-2))], "already_consumed"),
    ("approval.consumed", 1, &[(3, Repeat(-3))], "unknown"),
    ("approval.restored", 0, &[(0, Set("/data/permit", PERMIT))], "missing"),
    ("approval.restored", 0, &[(0, Set("/environment", "staging"))], "wrong_environment"),
    ("approval.restored", 0, &[(0, Set("/actor", DAN))], "missing"),
    ("approval.restored", 0, &[(0, Drop)], "missing"),
    ("approval.restored", 0, &[(0, Double)], "unprompted"),
    ("approval.restored", 0, &[(-1, Drop)], "unprompted"),
    ("permit.reserved", 0, &[(0, Set("/data/action/verb", "ping")), (0, Set("/data/action/resource", "probe/any"))], "other_action"),
    ("permit.reserved", 0, &[(0, Set("/data/parameters_sha256", DIGEST))], "other_parameters"),
    ("permit.reserved", 0, &[(0, Set("/data/requirement_sha256", DIGEST))], "other_requirement"),
    ("permit.reserved", 0, &[(0, Set("/data/start_by", NOON))], "wrong_deadline"),
    ("permit.reserved", 0, &[(0, Set("/data/work_seconds", "601"))], "wrong_deadline"),
    ("permit.reserved", 0, &[(0, Set("/data/approval", "null"))], "missing"),
    ("permit.reserved", 0, &[(0, Set("/data/approval", APPROVAL))], "missing"),
    ("permit.reserved", 0, &[(0, Set("/actor", DAN))], "missing"),
    ("permit.reserved", 2, &[(0, Set("/actor", AUD))], "not_an_executor"),
    ("permit.reserved", 2, &[(0, Set("/actor", "node"))], "not_a_person"),
    ("permit.reserved", 2, &[(0, Set("/data/approval", APPROVAL))], "unprompted"),
    ("permit.reserved", 2, &[(0, Change(of_a_payout))], "approval_required"),
    ("permit.reserved", 2, &[(0, Set("/environment", "staging"))], "wrong_environment"),
    ("permit.reserved", 2, &[(0, Double)], "begun_twice"),
    ("permit.reserved", 2, &[(0, Drop)], "unknown"),
    ("permit.started", 1, &[(0, Set("/actor", DAN))], "not_the_executor"),
    ("permit.started", 1, &[(0, Set("/correlation", COR))], "wrong_correlation"),
    ("permit.started", 1, &[(0, Since(MINUTE))], "too_late"),
    ("permit.started", 1, &[(0, Set("/data/finish_by", NOON))], "wrong_deadline"),
    ("permit.started", 1, &[(0, Set("/data/rotation", ROTATION))], "not_governed"),
    ("permit.started", 1, &[(0, Double)], "wrong_state"),
    ("permit.started", 1, &[(0, Drop)], "wrong_state"),
    ("permit.started", 5, &[(0, Set("/data/rotation", "null"))], "use_rotation"),
    ("permit.started", 5, &[(0, Set("/data/rotation", ROTATION))], "other_rotation"),
    ("permit.released", 0, &[(0, Set("/actor", DAN))], "not_the_executor"),
    ("permit.released", 0, &[(0, Set("/correlation", COR))], "wrong_correlation"),
    ("permit.released", 0, &[(0, Since(MINUTE))], "too_late"),
    ("permit.released", 0, &[(0, Drop)], "unprompted"),
    ("permit.released", 0, &[(0, Double)], "missing"),
    ("permit.released", 0, &[(5, Repeat(-5)), (5, Set("/actor", DAN)), (5, Change(of_the_one_started))], "wrong_state"),
    ("permit.lapsed", 0, &[(0, Set("/actor", ANA))], "not_the_node"),
    ("permit.lapsed", 0, &[(0, Since(-1))], "too_early"),
    ("permit.lapsed", 0, &[(0, Set("/environment", "staging"))], "wrong_environment"),
    ("permit.lapsed", 0, &[(0, Double)], "unknown"),
    ("permit.succeeded", 0, &[(0, Change(lapsed))], "wrong_state"),
    ("permit.succeeded", 0, &[(0, Set("/actor", ANA))], "not_the_executor"),
    ("permit.succeeded", 0, &[(0, Set("/actor", "node"))], "not_the_executor"),
    ("permit.succeeded", 0, &[(0, Since(10 * MINUTE))], "too_late"),
    ("permit.succeeded", 0, &[(0, Double)], "unknown"),
    ("permit.succeeded", 0, &[(-1, Drop)], "wrong_state"),
    ("permit.succeeded", 2, &[(0, Drop)], "missing"),
    ("permit.succeeded", 2, &[(0, Change(failed))], "wrong_outcome"),
    ("permit.succeeded", 2, &[(-9, Repeat(9)), (-9, Set("/actor", ANA))], "use_rotation"),
    ("permit.failed", 0, &[(0, Set("/actor", DAN))], "not_the_executor"),
    ("permit.failed", 0, &[(0, Since(10 * MINUTE))], "too_late"),
    ("permit.failed", 0, &[(0, Double)], "unknown"),
    ("permit.failed", 1, &[(0, Change(succeeded))], "wrong_outcome"),
    ("permit.failed", 1, &[(0, Set("/actor", ANA))], "missing"),
    ("permit.failed", 1, &[(0, Drop)], "missing"),
    ("permit.unknown", 0, &[(0, Since(-1))], "too_early"),
    ("permit.unknown", 0, &[(0, Set("/actor", DAN))], "not_the_executor"),
    ("permit.unknown", 0, &[(0, Set("/actor", ANA))], "missing"),
    ("permit.unknown", 0, &[(0, Drop)], "unprompted"),
    ("permit.unknown", 0, &[(1, Drop)], "missing"),
    ("permit.unknown", 0, &[(0, Double)], "missing"),
    ("permit.unknown", 2, &[(0, Set("/actor", ANA))], "use_rotation"),
    ("permit.reported_late", 0, &[(0, Set("/actor", DAN))], "not_the_executor"),
    ("permit.reported_late", 0, &[(-2, Repeat(2))], "wrong_state"),
    ("permit.reported_late", 0, &[(0, Set("/correlation", COR))], "wrong_correlation"),
    ("permit.reported_late", 0, &[(0, Set("/environment", "staging"))], "wrong_environment"),
    ("permit.reported_late", 2, &[(0, Set("/data/outcome", "failed"))], "wrong_outcome"),
    ("permit.reported_late", 2, &[(0, Drop)], "missing"),
    ("permit.reported_late", 2, &[(0, Double)], "unknown"),
    ("permit.reported_late", 2, &[(-6, Repeat(6))], "use_rotation"),
    ("permit.started", 11, &[(0, Set("/data/next_by", NOON))], "wrong_deadline"),
    ("permit.heartbeat", 0, &[(0, Set("/actor", DAN))], "not_the_executor"),
    ("permit.heartbeat", 0, &[(0, Set("/correlation", COR))], "wrong_correlation"),
    ("permit.heartbeat", 0, &[(0, Set("/environment", "staging"))], "wrong_environment"),
    ("permit.heartbeat", 0, &[(0, Since(MINUTE))], "too_late"),
    ("permit.heartbeat", 0, &[(0, Since(-21_000))], "too_early"),
    ("permit.heartbeat", 0, &[(0, Double)], "too_early"),
    ("permit.heartbeat", 0, &[(0, Set("/data/next_by", NOON))], "wrong_deadline"),
    ("permit.heartbeat", 0, &[(-1, Drop)], "wrong_state"),
    ("permit.heartbeat", 0, &[(0, Drop), (0, Since(MINUTE))], "too_late"),
    ("permit.reconciled", 0, &[(0, Set("/actor", "node"))], "not_a_person"),
    ("permit.reconciled", 0, &[(0, Set("/actor", AUD))], "not_a_reconciler"),
    ("permit.reconciled", 0, &[(0, Set("/actor", ANA))], "self_reconciliation"),
    ("permit.reconciled", 0, &[(0, Double)], "already_reconciled"),
    ("permit.reconciled", 0, &[(0, Set("/correlation", COR))], "wrong_correlation"),
    ("permit.reconciled", 0, &[(0, Set("/environment", "staging"))], "wrong_environment"),
    ("permit.reconciled", 0, &[(-2, Drop), (-2, Drop)], "wrong_state"),
    ("log.permit_key_named", 0, &[(0, Set("/actor", ANA))], "not_the_node"),
    ("log.permit_key_named", 0, &[(0, Set("/environment", "control"))], "wrong_environment"),
    ("log.permit_key_named", 0, &[(0, Double)], "permit_key_repeated"),
    ("break_glass.opened", 0, &[(0, Set("/actor", "node"))], "not_a_person"),
    ("break_glass.opened", 0, &[(0, Set("/actor", BEN))], "break_glass_not_allowed"),
    ("break_glass.opened", 0, &[(0, Set("/environment", "staging"))], "wrong_environment"),
    ("break_glass.opened", 0, &[(0, Set("/data/action/verb", "override")), (0, Set("/data/action/resource", "payout/limit"))], "break_glass_not_offered"),
    ("break_glass.opened", 0, &[(0, Set("/data/action/verb", "launch"))], "no_rule"),
    ("break_glass.opened", 0, &[(0, Set("/data/signed_at", "2099-01-01T00:00:00.000Z"))], "statement_stale"),
    ("break_glass.opened", 0, &[(8, Repeat(-8))], "statement_used"),
    ("break_glass.opened", 0, &[(0, Set("/data/signature/key_sha256", DIGEST))], "voting_key_not_in_force"),
    ("break_glass.opened", 0, &[(0, Set("/data/review", "{\"approvers\":1}"))], "other_review"),
    ("break_glass.opened", 0, &[(0, Set("/data/review_until", NOON))], "wrong_deadline"),
    ("break_glass.opened", 0, &[(0, Drop)], "unprompted"),
    ("break_glass.opened", 0, &[(0, Double)], "missing"),
    ("break_glass.opened", 0, &[(1, Drop)], "missing"),
    ("break_glass.opened", 0, &[(2, Drop)], "missing"),
    ("break_glass.opened", 0, &[(1, Set("/data/break_glass", "null"))], "missing"),
    ("break_glass.opened", 0, &[(1, Set("/data/approval", APPROVAL))], "unprompted"),
    ("break_glass.opened", 0, &[(1, Set("/data/start_by", NOON))], "wrong_deadline"),
    ("break_glass.opened", 0, &[(1, Set("/data/work_seconds", "600"))], "wrong_deadline"),
    ("break_glass.opened", 0, &[(1, Set("/data/parameters_sha256", DIGEST))], "other_parameters"),
    ("break_glass.opened", 0, &[(1, Set("/data/requirement_sha256", DIGEST))], "other_requirement"),
    ("break_glass.opened", 0, &[(1, Set("/data/action/verb", "override")), (1, Set("/data/action/resource", "payout/limit"))], "other_action"),
    ("break_glass.opened", 0, &[(1, Set("/actor", ANA))], "missing"),
    ("break_glass.opened", 0, &[(2, Set("/data/cause", "break-glass-overdue"))], "missing"),
    ("break_glass.opened", 1, &[(6, Repeat(3))], "review_overdue"),
    ("break_glass.reviewed", 0, &[(0, Set("/actor", DAN))], "self_review"),
    ("break_glass.reviewed", 0, &[(0, Set("/actor", AUD))], "not_a_reviewer"),
    ("break_glass.reviewed", 0, &[(0, Set("/actor", "node"))], "not_a_person"),
    ("break_glass.reviewed", 0, &[(0, Set("/correlation", COR))], "wrong_correlation"),
    ("break_glass.reviewed", 0, &[(0, Set("/environment", "staging"))], "wrong_environment"),
    ("break_glass.reviewed", 0, &[(0, Double)], "already_reviewed"),
    ("break_glass.reviewed", 0, &[(0, Drop)], "unprompted"),
    ("break_glass.reviewed", 2, &[(-1, Drop), (-2, Drop)], "too_late"),
    ("break_glass.settled", 0, &[(0, Set("/data/verdict", "unjustified"))], "wrong_verdict"),
    ("break_glass.settled", 0, &[(0, Set("/data/timeliness", "late"))], "wrong_verdict"),
    ("break_glass.settled", 0, &[(0, Drop)], "missing"),
    ("break_glass.settled", 0, &[(0, Double)], "unknown"),
    ("break_glass.settled", 0, &[(-2, Repeat(2))], "unprompted"),
    ("break_glass.settled", 0, &[(0, Set("/actor", BEN))], "missing"),
    ("break_glass.settled", 1, &[(0, Set("/data/verdict", "justified"))], "wrong_verdict"),
    ("break_glass.settled", 1, &[(0, Set("/data/timeliness", "in-time"))], "wrong_verdict"),
    ("break_glass.overdue", 0, &[(0, Since(-1))], "too_early"),
    ("break_glass.overdue", 0, &[(0, Set("/data/review_until", NOON))], "wrong_deadline"),
    ("break_glass.overdue", 0, &[(0, Set("/actor", BEN))], "missing"),
    ("break_glass.overdue", 0, &[(0, Drop)], "unprompted"),
    ("break_glass.overdue", 0, &[(1, Drop)], "missing"),
    ("break_glass.overdue", 0, &[(0, Double)], "missing"),
    ("break_glass.overdue", 0, &[(2, Repeat(-2))], "begun_twice"),
    ("break_glass.overdue", 1, &[(2, Drop)], "missing"),
    ("secret.adopted", 0, &[(0, Set("/data/version", "2"))], "wrong_version"),
    ("secret.adopted", 0, &[(0, Set("/environment", "staging"))], "wrong_environment"),
    ("secret.adopted", 0, &[(0, Set("/actor", ANA))], "unclaimed"),
    ("secret.adopted", 0, &[(0, Set("/correlation", COR))], "unprompted"),
    ("secret.adopted", 0, &[(0, Double)], "begun_twice"),
    ("secret.adopted", 0, &[(0, Later(1))], "unprompted"),
    ("secret.adopted", 0, &[(0, Drop)], "unknown"),
    ("secret.reserved", 0, &[(0, Set("/data/version", "1"))], "wrong_version"),
    ("secret.reserved", 0, &[(0, Set("/data/version", "3"))], "wrong_version"),
    ("secret.reserved", 1, &[(0, Set("/data/version", "2"))], "wrong_version"),
    ("secret.reserved", 0, &[(0, Set("/data/rotation", ROTATION))], "other_rotation"),
    ("secret.reserved", 0, &[(0, Set("/environment", "staging"))], "wrong_environment"),
    ("secret.reserved", 0, &[(0, Drop)], "missing"),
    ("secret.reserved", 0, &[(0, Double)], "missing"),
    ("secret.reserved", 0, &[(-1, Drop)], "unprompted"),
    ("secret.promoted", 0, &[(0, Set("/data/version", "1"))], "wrong_version"),
    ("secret.promoted", 0, &[(0, Set("/data/rotation", ROTATION))], "other_rotation"),
    ("secret.promoted", 0, &[(0, Drop)], "missing"),
    ("secret.promoted", 0, &[(0, Double)], "unprompted"),
    ("secret.promoted", 2, &[(0, Set("/data/version", "5"))], "wrong_version"),
    ("secret.settled", 0, &[(0, Set("/data/version", "1"))], "wrong_version"),
    ("secret.settled", 0, &[(0, Set("/data/destroyed", "2"))], "wrong_version"),
    ("secret.settled", 0, &[(0, Set("/data/rotation", ROTATION))], "other_rotation"),
    ("secret.settled", 0, &[(0, Drop)], "missing"),
    ("secret.settled", 0, &[(0, Double)], "missing"),
    ("secret.settled", 0, &[(0, Later(1))], "missing"),
    ("rotation.started", 0, &[(0, Set("/data/secret", "secret:webhook-signing/other@production"))], "other_secret"),
    ("rotation.started", 0, &[(0, Set("/data/permit", PERMIT))], "other_permit"),
    ("rotation.started", 0, &[(0, Set("/data/policy_sha256", DIGEST))], "other_policy"),
    ("rotation.started", 0, &[(0, Set("/data/from_version", "2"))], "wrong_version"),
    ("rotation.started", 0, &[(0, Set("/data/to_version", "3"))], "wrong_version"),
    ("rotation.started", 0, &[(0, Set("/data/consumers", "[\"nudgepay-a\"]"))], "other_terms"),
    ("rotation.started", 0, &[(0, Set("/data/signer", "nudgepay-a"))], "other_terms"),
    ("rotation.started", 0, &[(0, Set("/data/dwell_ms", "0"))], "other_terms"),
    ("rotation.started", 0, &[(0, Set("/data/attempts", "99"))], "other_terms"),
    ("rotation.started", 0, &[(0, Set("/data/overlap_seconds", "4"))], "overlap_too_short"),
    ("rotation.started", 0, &[(0, Set("/data/overlap_seconds", "594"))], "overlap_too_long"),
    ("rotation.started", 0, &[(0, Set("/data/overlap_seconds", "6"))], "too_early"),
    ("rotation.started", 0, &[(0, Set("/actor", DAN))], "missing"),
    ("rotation.started", 0, &[(0, Drop)], "missing"),
    ("rotation.started", 0, &[(0, Double)], "unprompted"),
    ("rotation.task_attempted", 0, &[(0, Set("/actor", ANA))], "not_the_node"),
    ("rotation.task_attempted", 0, &[(0, Set("/data/attempt", "2"))], "wrong_attempt"),
    ("rotation.task_attempted", 0, &[(0, Set("/data/task/step", "promote"))], "task_not_owed"),
    ("rotation.task_attempted", 0, &[(0, Set("/correlation", COR))], "wrong_correlation"),
    ("rotation.task_attempted", 0, &[(0, Drop)], "wrong_attempt"),
    ("rotation.task_attempted", 0, &[(0, Double)], "wrong_attempt"),
    ("rotation.task_attempted", 1, &[(0, Since(-1))], "too_early"),
    ("rotation.task_attempted", 2, &[(0, Since(-1))], "too_early"),
    ("rotation.task_attempted", 3, &[(2, Repeat(-2))], "task_done"),
    ("rotation.task_attempted", 23, &[(0, Since(-1))], "too_early"),
    ("rotation.task_attempted", 26, &[(-1, Drop), (-2, Drop)], "exhausted"),
    ("rotation.task_succeeded", 0, &[(0, Set("/actor", ANA))], "not_the_node"),
    ("rotation.task_succeeded", 0, &[(0, Set("/data/attempt", "3"))], "wrong_attempt"),
    ("rotation.task_succeeded", 0, &[(0, Set("/data/attempt", "0"))], "wrong_attempt"),
    ("rotation.task_succeeded", 0, &[(0, Drop)], "tasks_undone"),
    ("rotation.task_succeeded", 1, &[(0, Double)], "task_done"),
    ("rotation.task_succeeded", 1, &[(-1, Drop)], "wrong_attempt"),
    ("rotation.task_failed", 0, &[(0, Set("/actor", ANA))], "not_the_node"),
    ("rotation.task_failed", 0, &[(0, Set("/data/retry_at", NOON))], "wrong_deadline"),
    ("rotation.task_failed", 0, &[(0, Set("/data/attempt", "2"))], "wrong_attempt"),
    ("rotation.task_failed", 0, &[(0, Set("/data/failure/code", "unreported"))], "not_lost"),
    ("rotation.task_failed", 0, &[(0, Double)], "wrong_attempt"),
    ("rotation.task_failed", 0, &[(0, Drop)], "too_early"),
    ("rotation.task_failed", 12, &[(0, Since(-1))], "not_lost"),
    ("rotation.task_failed", 12, &[(1, Drop)], "missing"),
    ("rotation.task_failed", 15, &[(1, Drop)], "missing"),
    ("rotation.advanced", 0, &[(0, Set("/data/stage", "tested"))], "wrong_stage"),
    ("rotation.advanced", 0, &[(0, Set("/actor", ANA))], "missing"),
    ("rotation.advanced", 0, &[(0, Drop)], "missing"),
    ("rotation.advanced", 0, &[(0, Double)], "wrong_stage"),
    ("rotation.advanced", 1, &[(-6, Repeat(6))], "tasks_undone"),
    ("rotation.advanced", 4, &[(0, Set("/actor", ANA))], "not_the_node"),
    ("rotation.advanced", 4, &[(0, Since(-1))], "too_early"),
    ("rotation.advanced", 4, &[(0, Drop)], "task_not_owed"),
    ("rotation.turned_back", 0, &[(0, Drop)], "missing"),
    ("rotation.turned_back", 0, &[(0, Set("/data/stage", "swapping-back"))], "wrong_stage"),
    ("rotation.turned_back", 0, &[(0, Set("/data/cause", "{\"why\":\"ordered\"}"))], "missing"),
    ("rotation.turned_back", 0, &[(-3, Repeat(3))], "unprompted"),
    ("rotation.turned_back", 1, &[(0, Set("/actor", AUD))], "not_an_executor"),
    ("rotation.turned_back", 1, &[(0, Set("/actor", "node"))], "not_a_person"),
    ("rotation.turned_back", 1, &[(0, Set("/data/stage", "swapping-back"))], "wrong_stage"),
    ("rotation.turned_back", 1, &[(0, Double)], "no_way_back"),
    ("rotation.turned_back", 2, &[(0, Set("/data/stage", "aborting"))], "wrong_stage"),
    ("rotation.turned_back", 2, &[(-100, Repeat(100)), (-100, Change(of_the_first))], "no_way_back"),
    ("incident.opened", 0, &[(0, Set("/data/cause", "rotation-stuck"))], "missing"),
    ("incident.opened", 0, &[(0, Set("/data/about", PERMIT))], "missing"),
    ("incident.opened", 0, &[(0, Set("/environment", "staging"))], "wrong_environment"),
    ("incident.opened", 0, &[(0, Set("/actor", ANA))], "missing"),
    ("incident.opened", 0, &[(0, Drop)], "missing"),
    ("incident.opened", 0, &[(0, Double)], "unprompted"),
    ("incident.opened", 2, &[(0, Drop)], "missing"),
];

/// The forgeries of every file.
fn all() -> impl Iterator<Item = &'static Forgery> {
    FORGERIES
        .iter()
        .chain(super::life::FORGERIES)
        .chain(super::membership::FORGERIES)
        .chain(super::passwords::FORGERIES)
        .chain(super::sessions::FORGERIES)
        .chain(super::sign_ins::FORGERIES)
        .chain(super::tokens::FORGERIES)
        .chain(super::workloads::FORGERIES)
}

fn policy(event: &mut Event, change: impl FnOnce(&mut countersign_core::policy::Policy)) {
    if let Fact::PolicyActivated(_, activated) = &mut event.fact {
        activated.policy.as_mut().map(change).unwrap();
    }
}

fn by_a_stranger(event: &mut Event) {
    policy(event, |policy| {
        policy.groups.get_mut("approvers").unwrap().insert(NOBODY.parse().unwrap());
    });
}

fn for_ever(event: &mut Event) {
    policy(event, |policy| drop(policy.rules.remove(0)));
}

fn by_anybody(event: &mut Event) {
    policy(event, |policy| policy.rules[0].approval = countersign_core::policy::Consent::NotRequired);
}

fn of_a_ping(event: &mut Event) {
    if let Fact::ApprovalRequested(_, requested) = &mut event.fact {
        requested.action = stage::action(stage::ACTIONS[3]);
    }
}

fn of_a_payout(event: &mut Event) {
    if let Fact::PermitReserved(_, reserved) = &mut event.fact {
        reserved.action = stage::action(PAYOUT);
    }
}

/// The permit that the golden history starts first.
fn of_the_one_started(event: &mut Event) {
    if let Fact::PermitReleased(id, _) = &mut event.fact {
        *id = "prm_00000000000000000000000000000433".parse().unwrap();
    }
}

fn of_the_first(event: &mut Event) {
    if let Fact::RotationTurnedBack(id, _) = &mut event.fact {
        *id = "rot_00000000000000000000000000000481".parse().unwrap();
        event.correlation = "cor_00000000000000000000000000000477".parse().unwrap();
    }
}

fn of_the_first_entry(event: &mut Event) {
    if let Fact::LogDetailsRedacted(_, redacted) = &mut event.fact {
        redacted.entries = Entries::try_from(vec![0]).unwrap();
    }
}

fn authored(event: &mut Event) {
    if let Fact::PolicyActivated(_, activated) = &mut event.fact {
        activated.author = Some(stage::ANA);
    }
}

fn objected(event: &mut Event) {
    if let Fact::ApprovalDenied(id, voted) = event.fact.clone() {
        event.fact = Fact::ApprovalObjected(id, voted);
    }
}

fn denied(event: &mut Event) {
    if let Fact::ApprovalObjected(id, voted) = event.fact.clone() {
        event.fact = Fact::ApprovalDenied(id, voted);
    }
}

fn lapsed(event: &mut Event) {
    if let Fact::PermitSucceeded(id, ended) = event.fact.clone() {
        event.fact = Fact::PermitLapsed(id, ended);
    }
}

fn failed(event: &mut Event) {
    if let Fact::PermitSucceeded(id, ended) = event.fact.clone() {
        event.fact = Fact::PermitFailed(id, ended);
    }
}

fn succeeded(event: &mut Event) {
    if let Fact::PermitFailed(id, ended) = event.fact.clone() {
        event.fact = Fact::PermitSucceeded(id, ended);
    }
}

/// The first key that was enrolled, a second time.
fn of_the_first_key(event: &mut Event) {
    if let Fact::PersonKeyEnrolled(_, enrolled) = &mut event.fact {
        enrolled.key_sha256 = signing::key(stage::CHLOE, 0).key_sha256;
    }
}

fn signature(event: &mut Event) -> Option<&mut Signature> {
    match &mut event.fact {
        Fact::ApprovalGranted(_, voted) => voted.signature.as_mut(),
        _ => None,
    }
}

fn unsigned(event: &mut Event) {
    if let Fact::ApprovalGranted(_, voted) = &mut event.fact {
        voted.signature = None;
    }
}

/// With a key in a file, where one in hardware is demanded.
fn by_the_first_key(event: &mut Event) {
    signature(event).unwrap().key_sha256 = signing::key(stage::CHLOE, 0).key_sha256;
}

fn by_the_passkey_that_syncs(event: &mut Event) {
    *signature(event).unwrap() = signing::signature((stage::CHLOE, 3), 0);
}

fn of_another_statement(event: &mut Event) {
    signature(event).unwrap().statement_sha512.0[0] ^= 1;
}

/// What the auditor says without the help of numbers.
pub(super) fn verdict(events: &[Event]) -> Result<(), Violation> {
    let mut auditor = Auditor::default();
    events.iter().try_for_each(|event| auditor.follow(event))?;
    auditor.finish()
}

pub(super) fn code(events: &[Event]) -> &'static str {
    verdict(events).map_or_else(|violation| violation.code(), |()| "nothing")
}

#[test]
fn every_forgery_is_called_by_its_name() {
    let history = script::everything().events;
    assert_eq!(verdict(&history), Ok(()));
    let mut wrong = Vec::new();
    for (kind, nth, lies, expected) in all() {
        let of_kind = |(_, event): &(usize, &Event)| event.fact.kind() == *kind;
        let (index, _) = history.iter().enumerate().filter(of_kind).nth(*nth).expect(kind);
        let found = verdict(&forged(history.clone(), index, lies));
        let code = found.as_ref().map_or_else(Violation::code, |()| "nothing");
        if code != *expected {
            wrong.push(format!("{kind} {nth} at {index}: {code} instead of {expected}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_kind_of_event_has_forgeries() {
    for kind in Fact::KINDS {
        let forgeries = all().filter(|(of, ..)| of == kind).count();
        assert!(forgeries >= 3, "`{kind}` has {forgeries} forgeries: write some more");
    }
}

#[test]
fn every_breach_is_reached() {
    const ELSEWHERE: [&str; 13] = [
        "last_means",
        "too_many_passkeys",
        "too_many_identities",
        "delegate_reviews",
        "token_not_offered",
        "exchanged_too_often",
        "misplaced_beginning",
        "time_backwards",
        "policy_changed",
        "secret_busy",
        "frozen",
        "other_freezes",
        "other_calendar",
    ];
    let reached: BTreeSet<&str> = all().map(|(.., code)| *code).chain(ELSEWHERE).collect();
    let missed: Vec<_> =
        Breach::ALL.iter().map(Breach::code).filter(|code| !reached.contains(code)).collect();
    assert!(missed.is_empty(), "never reached: {missed:?}");
}

#[test]
fn time_never_runs_backwards() {
    let mut history = script::everything().events;
    let last = history.len() - 1;
    history[last].at = history[last - 1].at.plus_millis(-1);
    assert_eq!(code(&history), "time_backwards");
}

/// What two books that began as one wrote apart, as if it were one history.
pub(super) fn joined(book: &Book, one: impl Fn(&mut Book), other: impl Fn(&mut Book)) -> Vec<Event> {
    let mut events = book.events.clone();
    let common = events.len();
    let ways: [&dyn Fn(&mut Book); 2] = [&one, &other];
    for way in ways {
        let mut apart = book.clone();
        way(&mut apart);
        assert!(verdict(&apart.events).is_ok());
        events.extend_from_slice(&apart.events[common..]);
    }
    events
}

/// Tokens where a second rule offers none, and a token that was exchanged as often as possible.
#[test]
fn no_more_tokens_are_made_than_the_rules_offer() {
    let mut book = Book::begun();
    crate::tokens::governed(&mut book);
    let silent = |book: &mut Book| {
        let approval = approved(book, ACTIVATE);
        book.must(stage::ANA, &script::activation(crate::tokens::silent(), approval));
    };
    let issued = |book: &mut Book| {
        crate::tokens::deployer(book, (1, 900));
    };
    assert_eq!(code(&joined(&book, silent, issued)), "token_not_offered");

    let exchanged = |book: &mut Book, number, from| {
        let exchange = crate::tokens::exchange((number, 900), &["ping:probe/any"]);
        crate::tokens::made(
            &book.must(countersign_core::Actor::Token(from), &Command::ExchangeToken(exchange)),
        )
    };
    let mut line = vec![crate::tokens::deployer(&mut book, (1, 900))];
    for number in 2..6 {
        line.push(exchanged(&mut book, number, line[line.len() - 1]));
    }
    let mut once_more = book.clone();
    let sixth = exchanged(&mut once_more, 6, line[3]);
    let Some(Fact::TokenIssued(id, issued)) = once_more.events.last_mut().map(|event| &mut event.fact) else {
        panic!("no token");
    };
    assert_eq!(*id, sixth);
    issued.parent = Some(line[4]);
    once_more.events.last_mut().unwrap().actor = countersign_core::Actor::Token(line[4]);
    assert_eq!(code(&once_more.events), "exchanged_too_often");
}

#[test]
fn what_was_asked_for_under_other_rules_is_neither_voted_on_nor_used() {
    let [_, stricter, ..] = stage::policies();
    let mut book = Book::begun();
    let asked = requested(&mut book, PAYOUT);
    let replacement = approved(&mut book, ACTIVATE);
    book.must(stage::BEN, &Command::Approve(asked.into()));
    let activate =
        |book: &mut Book| drop(book.must(stage::ANA, &script::activation(stricter.clone(), replacement)));
    let vote = |book: &mut Book| drop(book.must(stage::CHLOE, &Command::Approve(asked.into())));
    assert_eq!(code(&joined(&book, vote, activate)), "nothing");
    assert_eq!(code(&joined(&book, activate, vote)), "policy_changed");
    vote(&mut book);
    let reserve = |book: &mut Book| assert!(script::reserved(book, (stage::ANA, PAYOUT), Some(asked)).0 > 0);
    assert_eq!(code(&joined(&book, reserve, activate)), "nothing");
    assert_eq!(code(&joined(&book, activate, reserve)), "policy_changed");
}

#[test]
fn a_secret_is_held_by_one_rotation() {
    let mut book = Book::begun();
    let permits = [prepared(&mut book, ROTATE), prepared(&mut book, ROTATE)];
    let start = |book: &mut Book, permit| drop(book.must(stage::ANA, &script::start(permit)));
    let events = joined(&book, |book| start(book, permits[0]), |book| start(book, permits[1]));
    assert_eq!(code(&events), "secret_busy");
}

/// Who stands in for the opener does not review, though neither alone would be wrong.
#[test]
fn who_stands_in_for_the_opener_does_not_review() {
    let mut book = Book::begun();
    signing::with_keys(&mut book, &[(stage::ANA, 1)]);
    let glass = script::glass_broken(&mut book, stage::ANA);
    let delegate =
        |book: &mut Book| drop(book.must(stage::ANA, &script::life::delegating(book, (stage::BEN, 0, 60))));
    let review =
        |book: &mut Book| {
            drop(book.must(
                stage::BEN,
                &script::reviewing(glass, countersign_core::break_glass::Verdict::Justified),
            ));
        };
    assert_eq!(code(&joined(&book, review, delegate)), "nothing");
    assert_eq!(code(&joined(&book, delegate, review)), "delegate_reviews");
}

/// Somebody who has left the group does not count any more, though they agreed while they were in it.
#[test]
fn who_left_the_group_does_not_count() {
    let [_, _, without_ben, ..] = stage::policies();
    let mut book = Book::begun();
    let asked = approved(&mut book, PAYOUT);
    let replacement = approved(&mut book, ACTIVATE);
    let activate =
        |book: &mut Book| drop(book.must(stage::ANA, &script::activation(without_ben.clone(), replacement)));
    let reserve = |book: &mut Book| assert!(script::reserved(book, (stage::ANA, PAYOUT), Some(asked)).0 > 0);
    assert_eq!(code(&joined(&book, reserve, activate)), "nothing");
    assert_eq!(code(&joined(&book, activate, reserve)), "quorum_not_met");
}

/// What somebody signed with a key that was revoked since does not count any more.
#[test]
fn what_a_revoked_key_signed_does_not_count() {
    let mut book = Book::begun();
    signing::with_keys(&mut book, &[(stage::BEN, 1), (stage::CHLOE, 1)]);
    let asked = requested(&mut book, PAYOUT);
    for voter in [stage::BEN, stage::CHLOE] {
        book.must(voter, &signing::signed(asked, (voter, 1)));
    }
    let revoke = |book: &mut Book| drop(book.must(stage::BEN, &signing::revoking((stage::BEN, 1), None)));
    let reserve = |book: &mut Book| assert!(script::reserved(book, (stage::ANA, PAYOUT), Some(asked)).0 > 0);
    assert_eq!(code(&joined(&book, reserve, revoke)), "nothing");
    assert_eq!(code(&joined(&book, revoke, reserve)), "quorum_not_met");
}
