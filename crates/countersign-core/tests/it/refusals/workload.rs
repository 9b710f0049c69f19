//! Which tokens of workloads are not exchanged.

use countersign_core::token::{ExchangeWorkload, MOST_SCOPES, Presented};
use countersign_core::{Actor, Command};
use serde_json::json;

use super::{Walk, walk};
use crate::membership;
use crate::script::{activation, approved};
use crate::stage::{self, ANA, CHLOE, DAN};
use crate::tokens::{deployer, digest, scopes};
use crate::workloads::{deploys, exchanging, frozen, governed, policy, presented};

pub(super) fn exchange_workload() -> Walk {
    let mut walk = walk();
    let day = 24 * 3_600;
    let with = |exchange: ExchangeWorkload| Command::ExchangeWorkload(exchange);
    let of = |walk: &Walk, seconds| {
        let wrong = presented(&walk.book, (1, seconds), json!({ "repository_id": "41" }));
        ExchangeWorkload { lifetime_seconds: Some(601.try_into().unwrap()), ..exchanging(wrong, 1) }
    };
    walk.refused(ANA, &with(of(&walk, -60)), "token/not_the_node");
    walk.refused(Actor::Node, &with(of(&walk, -60)), "token/workload_token_expired");
    walk.refused(Actor::Node, &with(of(&walk, day + 1)), "token/workload_token_lives_too_long");
    walk.refused(Actor::Node, &with(of(&walk, day)), "token/workload_unknown");
    governed(&mut walk.book);
    unrecognised(&mut walk);
    walk.book.commit();
    let id = approved(&mut walk.book, stage::ACTIVATE);
    walk.happens(ANA, &activation(frozen(), id));
    let spent = presented(&walk.book, (2, day), deploys());
    walk.refused(Actor::Node, &with(exchanging(spent.clone(), 2)), "permit/frozen");
    let id = approved(&mut walk.book, stage::ACTIVATE);
    walk.happens(ANA, &activation(policy(), id));
    walk.happens(Actor::Node, &with(exchanging(spent.clone(), 2)));
    let wide = ExchangeWorkload { scopes: scopes(&["*:probe/*"]), ..exchanging(spent.clone(), 2) };
    walk.refused(Actor::Node, &with(wide), "token/workload_token_spent");
    offered(&mut walk);
    walk.happens(CHLOE, &membership::deactivating(DAN, None));
    let fresh = presented(&walk.book, (5, 60), json!({ "repository_id": "43" }));
    walk.refused(Actor::Node, &with(exchanging(fresh, 5)), "token/token_owner_gone");
    walk
}

/// Every claim must be as the policy has it, and one workload be meant.
fn unrecognised(walk: &mut Walk) {
    let say = |walk: &Walk, claims| exchanging(presented(&walk.book, (1, 60), claims), 1);
    for claims in [
        json!({ "repository_id": "41", "environment": "production" }),
        json!({ "repository_id": 42, "environment": "production" }),
        json!({ "repository_id": "42", "environment": "staging" }),
        json!({ "repository_id": "42" }),
        json!({ "repository_id": "42", "scheduled": { "uid": "7" } }),
        json!({}),
    ] {
        walk.refused(Actor::Node, &Command::ExchangeWorkload(say(walk, claims)), "token/workload_unknown");
    }
    let whole = say(walk, deploys());
    let elsewhere = Presented { issuer: "https://ci.test/".into(), ..whole.presented.clone() };
    walk.refused(Actor::Node, &Command::ExchangeWorkload(exchanging(elsewhere, 1)), "token/workload_unknown");
    let named = ExchangeWorkload { workload: Some("probes".parse().unwrap()), ..whole };
    walk.refused(Actor::Node, &Command::ExchangeWorkload(named), "token/workload_unknown");
    let both = json!({ "repository_id": "42", "environment": "production", "scheduled": { "uid": 7 } });
    walk.refused(Actor::Node, &Command::ExchangeWorkload(say(walk, both)), "token/workload_ambiguous");
}

/// No more than the workload is offered.
fn offered(walk: &mut Walk) {
    let plain = exchanging(presented(&walk.book, (3, 60), deploys()), 3);
    let with = |exchange: ExchangeWorkload| Command::ExchangeWorkload(exchange);
    let many: Vec<String> = (0..=MOST_SCOPES).map(|number| format!("launch:rocket/r{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let too_long = || ExchangeWorkload { lifetime_seconds: Some(601.try_into().unwrap()), ..plain.clone() };
    let wide = |of: &[&str]| with(ExchangeWorkload { scopes: scopes(of), ..too_long() });
    walk.refused(Actor::Node, &wide(&many), "token/token_too_wide");
    for beyond in ["rotate:payout/limit", "ping:probe/*", "*:payout/limit"] {
        walk.refused(Actor::Node, &wide(&["ping:probe/any", beyond]), "token/scope_not_offered");
    }
    walk.refused(Actor::Node, &with(too_long()), "token/token_lives_too_long");
    deployer(&mut walk.book, (4, 900));
    for taken in [digest(4), stage::credential_of(CHLOE)] {
        let exchange = ExchangeWorkload { token_sha256: taken, ..plain.clone() };
        walk.refused(Actor::Node, &with(exchange), "token/token_in_use");
    }
    walk.happens(Actor::Node, &with(plain));
}
