//! Lies about service tokens: what they are issued for, what they are exchanged for, and what they do.

use countersign_core::{Event, Fact};

use super::forgery::Lie::{Change, Double, Drop, Later, Set, Since};
use super::kinds::{ANA, AUD, BEN, CHLOE, DIGEST, Forgery, HOUR};
use crate::stage;

const TOKEN: &str = "tok_00000000000000000000000000000063";
const APPROVAL: &str = "apr_00000000000000000000000000000063";
const FIRST: &str = "tok_000000000000000000000000000008f5";
const LAST_YEAR: &str = "2025-12-25T20:00:00.000Z";
const NEXT_YEAR: &str = "2027-12-25T20:00:00.000Z";

/// The first token asks for a payout next, and later is exchanged for the second and third; the fourth was agreed to.
#[rustfmt::skip]
pub(super) const FORGERIES: &[Forgery] = &[
    ("token.issued", 0, &[(0, Drop)], "token_not_live"),
    ("token.issued", 0, &[(0, Double)], "token_in_use"),
    ("token.issued", 0, &[(0, Double), (0, Set("/data/token_sha256", DIGEST))], "begun_twice"),
    ("token.issued", 0, &[(0, Set("/actor", "node"))], "not_a_person"),
    ("token.issued", 0, &[(0, Set("/actor", BEN))], "not_an_executor"),
    ("token.issued", 0, &[(0, Set("/data/owner", BEN))], "other_owner"),
    ("token.issued", 0, &[(0, Set("/data/resource", "service-token/admin"))], "approval_required"),
    ("token.issued", 0, &[(0, Set("/data/resource", "probe/any"))], "no_rule"),
    ("token.issued", 0, &[(0, Set("/environment", "staging"))], "no_rule"),
    ("token.issued", 0, &[(0, Change(under_an_approval))], "unprompted"),
    ("token.issued", 0, &[(0, Set("/data/scopes", "[]"))], "wrong_scopes"),
    ("token.issued", 0, &[(0, Set("/data/scopes", "[\"ping:probe/*\"]"))], "wrong_scopes"),
    ("token.issued", 0, &[(0, Set("/data/scopes", "[\"*:probe/any\"]"))], "wrong_scopes"),
    ("token.issued", 0, &[(0, Set("/data/scopes", "[\"rotate:log-key/main\"]"))], "wrong_scopes"),
    ("token.issued", 0, &[(0, Set("/data/scopes", "[\"ping:probe/any\"]"))], "out_of_scope"),
    ("token.issued", 0, &[(0, Set("/data/expires_at", NEXT_YEAR))], "wrong_deadline"),
    ("token.issued", 0, &[(0, Set("/data/expires_at", LAST_YEAR))], "wrong_deadline"),
    ("token.issued", 0, &[(0, Change(of_ben))], "token_in_use"),
    ("token.issued", 0, &[(1, Since(HOUR))], "token_not_live"),
    ("token.issued", 0, &[(1, Set("/actor", TOKEN))], "token_not_live"),
    ("token.issued", 0, &[(1, Set("/data/owner", BEN))], "other_owner"),
    ("token.issued", 0, &[(1, Change(asked_by_nobodys_token))], "other_owner"),
    ("token.issued", 0, &[(2, Set("/actor", FIRST))], "not_a_person"),
    ("token.issued", 1, &[(0, Set("/actor", ANA))], "not_the_parent"),
    ("token.issued", 1, &[(0, Set("/data/parent", TOKEN))], "not_the_parent"),
    ("token.issued", 1, &[(0, Set("/data/owner", CHLOE))], "other_owner"),
    ("token.issued", 1, &[(0, Set("/data/resource", "service-token/admin"))], "other_action"),
    ("token.issued", 1, &[(0, Set("/environment", "staging"))], "wrong_environment"),
    ("token.issued", 1, &[(0, Set("/data/scopes", "[\"ping:probe/*\"]"))], "wrong_scopes"),
    ("token.issued", 1, &[(0, Set("/data/networks", "[]"))], "other_networks"),
    ("token.issued", 1, &[(0, Set("/data/networks", "[\"10.0.0.0/7\"]"))], "other_networks"),
    ("token.issued", 1, &[(0, Set("/data/expires_at", NEXT_YEAR))], "wrong_deadline"),
    ("token.issued", 1, &[(0, Change(under_an_approval))], "unprompted"),
    ("token.issued", 1, &[(0, Drop)], "token_not_live"),
    ("token.issued", 11, &[(0, Change(of_no_key))], "other_key_bound"),
    ("token.issued", 11, &[(0, Set("/data/cnf_jkt", DIGEST))], "other_key_bound"),
    ("token.issued", 3, &[(0, Drop)], "missing"),
    ("token.issued", 3, &[(-1, Drop)], "unprompted"),
    ("token.issued", 3, &[(0, Set("/data/approval", APPROVAL))], "missing"),
    ("token.issued", 3, &[(0, Set("/data/scopes", "[\"*:webhook-signing/*\"]"))], "wrong_scopes"),
    ("token.revoked", 0, &[(0, Set("/actor", BEN))], "not_an_executor"),
    ("token.revoked", 0, &[(0, Set("/actor", "node"))], "not_a_person"),
    ("token.revoked", 0, &[(0, Set("/environment", "staging"))], "wrong_environment"),
    ("token.revoked", 0, &[(0, Set("/data/resource", "service-token/admin"))], "other_action"),
    ("token.revoked", 0, &[(0, Set("/subject", TOKEN))], "unknown"),
    ("token.revoked", 0, &[(0, Double)], "unknown"),
    ("token.revoked", 0, &[(0, Later(1))], "token_not_live"),
    ("token.revoked", 2, &[(0, Set("/actor", AUD))], "unclaimed"),
    ("token.revoked", 2, &[(0, Change(revoked_under_an_approval))], "unprompted"),
    ("token.revoked", 3, &[(0, Since(HOUR))], "too_late"),
    ("token.used", 0, &[(0, Set("/actor", ANA))], "not_the_node"),
    ("token.used", 0, &[(0, Set("/subject", TOKEN))], "unknown"),
    ("token.used", 0, &[(0, Set("/environment", "staging"))], "wrong_environment"),
    ("token.used", 0, &[(0, Set("/data/from", LAST_YEAR))], "wrong_window"),
    ("token.used", 0, &[(0, Set("/data/until", LAST_YEAR))], "wrong_window"),
    ("token.used", 0, &[(0, Set("/data/until", NEXT_YEAR))], "wrong_window"),
    ("token.used", 1, &[(0, Set("/data/from", LAST_YEAR))], "wrong_window"),
    ("token.used", 1, &[(0, Change(used_at_its_end))], "wrong_window"),
    ("token.expired", 0, &[(0, Set("/actor", ANA))], "not_the_node"),
    ("token.expired", 0, &[(0, Since(-1))], "too_early"),
    ("token.expired", 0, &[(0, Set("/environment", "staging"))], "wrong_environment"),
    ("token.expired", 0, &[(0, Double)], "unknown"),
    ("token.expired", 0, &[(-1, Since(HOUR))], "token_not_live"),
];

fn under_an_approval(event: &mut Event) {
    if let Fact::TokenIssued(_, issued) = &mut event.fact {
        issued.approval = Some(APPROVAL.parse().unwrap());
    }
}

fn revoked_under_an_approval(event: &mut Event) {
    if let Fact::TokenRevoked(_, revoked) = &mut event.fact {
        revoked.approval = Some(APPROVAL.parse().unwrap());
    }
}

fn of_no_key(event: &mut Event) {
    if let Fact::TokenIssued(_, issued) = &mut event.fact {
        issued.cnf_jkt = None;
    }
}

/// A token that would be a person's credential.
fn of_ben(event: &mut Event) {
    if let Fact::TokenIssued(_, issued) = &mut event.fact {
        issued.token_sha256 = stage::credential_of(stage::BEN);
    }
}

fn asked_by_nobodys_token(event: &mut Event) {
    if let Fact::ApprovalRequested(_, requested) = &mut event.fact {
        requested.owner = None;
    }
}

/// The window ends when the token's time is over.
fn used_at_its_end(event: &mut Event) {
    event.at = event.at.plus_seconds(900);
    if let Fact::TokenUsed(_, used) = &mut event.fact {
        used.until = event.at;
    }
}
