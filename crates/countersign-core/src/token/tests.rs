//! What tokens mean: scopes, and that a token is worth no more than everything it rests on.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::{Exchange, Issue, Scope};
use crate::id::TokenId;
use crate::testing::{ANA, World, action, policy};
use crate::{Actor, Command, Fact};

fn scope(text: &str) -> Scope {
    text.parse().unwrap()
}

#[test]
fn a_scope_means_exactly_what_it_says() {
    let deploy = action("deploy", "release/nudgepay", "production");
    for (text, matches) in [
        ("deploy:release/nudgepay", true),
        ("deploy:release/*", true),
        ("*:release/nudgepay", true),
        ("*:*", true),
        ("deploy:release/nudgepay-eu", false),
        ("deploy:releases/*", false),
        ("roll-back:release/nudgepay", false),
    ] {
        assert_eq!(scope(text).matches(&deploy), matches, "{text}");
    }
}

#[test]
fn scope_wildcard() {
    for odd in [
        "deploy",
        "deploy:release",
        "deploy release/a",
        "deploy:release/a:b",
        "deploy  release/a",
        "deploy:release/a*",
        "dep*:release/a",
        "deploy */a",
        "",
        " ",
    ] {
        assert!(odd.parse::<Scope>().is_err(), "{odd}");
    }
}

#[test]
fn a_scope_covers_what_is_narrower_and_nothing_else() {
    let narrow_to_wide = ["deploy:release/a", "deploy:release/*", "deploy:*", "*:*"].map(scope);
    for (index, narrow) in narrow_to_wide.iter().enumerate() {
        for (other, wide) in narrow_to_wide.iter().enumerate() {
            assert_eq!(wide.covers(narrow), other >= index, "{wide} {narrow}");
        }
    }
    assert!(!scope("*:release/a").covers(&scope("deploy:release/*")));
}

/// Engineers have tokens for pings.
fn world() -> World {
    let mut policy = policy();
    let rule = serde_json::json!({
        "name": "deployers", "verb": "issue", "resource": "service-token/deployer", "environment": "production",
        "requesters": ["engineers"], "executors": ["engineers"], "approval": "not-required",
        "pending_seconds": 3600, "approved_seconds": 600, "start_seconds": 60, "work_seconds": 600,
        "tokens": { "scopes": ["ping:probe/any"] },
    });
    policy.rules.push(serde_json::from_value(rule).unwrap());
    World::with(policy)
}

fn token(facts: &[Fact]) -> TokenId {
    match facts.last() {
        Some(Fact::TokenIssued(id, _)) => *id,
        other => panic!("{other:?}"),
    }
}

fn issue(seconds: u32) -> Issue {
    Issue {
        resource: "service-token/deployer".parse().unwrap(),
        environment: "production".parse().unwrap(),
        scopes: BTreeSet::from([scope("ping:probe/any")]),
        networks: BTreeSet::new(),
        lifetime_seconds: seconds.try_into().unwrap(),
        token_sha256: crate::digest::Digest::of(b"token"),
        cnf_jkt: None,
        under: None,
    }
}

#[test]
fn a_lifetime_is_a_quarter_of_an_hour_unless_the_rule_gives_another() {
    let mut world = world();
    assert_eq!(world.says(ANA, &Command::IssueToken(issue(901))), "token_lives_too_long");
    assert_eq!(world.says(ANA, &Command::IssueToken(issue(900))), "token.issued");
}

#[test]
fn a_child_ends_with_its_parent_whatever_its_own_end() {
    let mut world = world();
    let parent = token(&world.run(ANA.into(), &Command::IssueToken(issue(900))).unwrap());
    let exchange = Exchange {
        scopes: BTreeSet::from([scope("ping:probe/any")]),
        networks: BTreeSet::new(),
        lifetime_seconds: 900.try_into().unwrap(),
        token_sha256: crate::digest::Digest::of(b"child"),
        cnf_jkt: None,
    };
    let child = token(&world.run(Actor::Token(parent), &Command::ExchangeToken(exchange)).unwrap());
    assert!(world.state.live_token(child, world.now).is_ok());
    assert_eq!(
        world.says(ANA, &Command::RevokeToken(super::Revoke { token: parent, under: None })),
        "token.revoked"
    );
    assert!(world.state.live_token(child, world.now).is_err());
    let actors: Vec<_> = world.events.iter().map(|event| event.actor).collect();
    assert!(actors.contains(&Actor::Token(parent)), "an exchange is the parent's doing");
    world.assert_replays();
}

#[test]
fn a_token_is_worth_nothing_from_its_end_on() {
    let mut world = world();
    let id = token(&world.run(ANA.into(), &Command::IssueToken(issue(900))).unwrap());
    world.later(899_999);
    assert!(world.state.live_token(id, world.now).is_ok());
    world.later(1);
    assert!(
        world.state.live_token(id, world.now).is_err(),
        "the deadline counts before anybody wrote it down"
    );
}
