//! Lies about tokens of workloads: who they were, what they were offered, and that they were not used before.

use countersign_core::{Event, Fact};

use super::forgery::Lie::{Change, Double, Drop, Set};
use super::kinds::{ANA, BEN, CHLOE, DIGEST, Forgery};
use crate::stage;

const TOKEN: &str = "tok_00000000000000000000000000000063";
const APPROVAL: &str = "apr_00000000000000000000000000000063";
const LAST_YEAR: &str = "2025-12-25T20:00:00.000Z";
const NEXT_YEAR: &str = "2027-12-25T20:00:00.000Z";

/// The sixth token is the first that was exchanged for that of a workload; the eighth and the ninth are the others.
#[rustfmt::skip]
pub(super) const FORGERIES: &[Forgery] = &[
    ("token.issued", 5, &[(0, Drop)], "token_not_live"),
    ("token.issued", 5, &[(0, Double)], "spent_twice"),
    ("token.issued", 5, &[(0, Set("/actor", ANA))], "not_the_node"),
    ("token.issued", 5, &[(0, Change(as_a_persons))], "not_an_executor"),
    ("token.issued", 5, &[(0, Change(as_a_child))], "unprompted"),
    ("token.issued", 5, &[(0, Change(under_an_approval))], "unprompted"),
    ("token.issued", 5, &[(0, Set("/data/workload/rule", "others"))], "no_workload"),
    ("token.issued", 5, &[(0, Set("/data/workload/rule", "probes"))], "other_owner"),
    ("token.issued", 5, &[(0, Set("/data/workload/issuer", "https://ci.test/"))], "no_workload"),
    ("token.issued", 5, &[(0, Set("/data/resource", "service-token/admin"))], "no_workload"),
    ("token.issued", 5, &[(0, Set("/environment", "staging"))], "wrong_environment"),
    ("token.issued", 5, &[(0, Set("/data/owner", CHLOE))], "other_owner"),
    ("token.issued", 5, &[(0, Set("/data/owner", BEN))], "other_owner"),
    ("token.issued", 5, &[(0, Set("/data/scopes", "[]"))], "wrong_scopes"),
    ("token.issued", 5, &[(0, Set("/data/scopes", "[\"ping:probe/*\"]"))], "wrong_scopes"),
    ("token.issued", 5, &[(0, Change(from_somewhere))], "other_networks"),
    ("token.issued", 5, &[(0, Set("/data/expires_at", NEXT_YEAR))], "wrong_deadline"),
    ("token.issued", 5, &[(0, Set("/data/expires_at", LAST_YEAR))], "wrong_deadline"),
    ("token.issued", 5, &[(0, Set("/data/workload/spent/until", NEXT_YEAR))], "not_remembered"),
    ("token.issued", 5, &[(0, Set("/data/workload/spent/until", LAST_YEAR))], "not_remembered"),
    ("token.issued", 5, &[(0, Change(of_ben))], "token_in_use"),
    ("token.issued", 8, &[(0, Double), (0, Change(another_use)), (1, Change(another_use))], "spent_twice"),
    ("token.issued", 8, &[(0, Double), (0, Set("/data/workload/spent/sha256", DIGEST))], "token_in_use"),
];

fn as_a_persons(event: &mut Event) {
    if let Fact::TokenIssued(_, issued) = &mut event.fact {
        issued.workload = None;
        event.actor = stage::BEN.into();
    }
}

fn as_a_child(event: &mut Event) {
    if let Fact::TokenIssued(_, issued) = &mut event.fact {
        issued.parent = Some(TOKEN.parse().unwrap());
    }
}

fn under_an_approval(event: &mut Event) {
    if let Fact::TokenIssued(_, issued) = &mut event.fact {
        issued.approval = Some(APPROVAL.parse().unwrap());
    }
}

fn from_somewhere(event: &mut Event) {
    if let Fact::TokenIssued(_, issued) = &mut event.fact {
        issued.networks = ["10.0.0.0/8".parse().unwrap()].into();
    }
}

/// A token that would be a person's credential.
fn of_ben(event: &mut Event) {
    if let Fact::TokenIssued(_, issued) = &mut event.fact {
        issued.token_sha256 = stage::credential_of(stage::BEN);
    }
}

/// The same token of a workload, for whatever other service token.
fn another_use(event: &mut Event) {
    if let Fact::TokenIssued(id, issued) = &mut event.fact {
        id.0 += 1;
        issued.token_sha256 = countersign_core::digest::Digest::of(&id.0.to_be_bytes());
        issued.workload.as_mut().unwrap().spent.sha256 = countersign_core::digest::Digest([7; 32]);
    }
}
