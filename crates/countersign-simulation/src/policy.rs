//! The policies of a simulated company: everything that the core governs is governed, and what matters is drawn.

use countersign_core::id::PersonId;
use countersign_core::policy::Policy;
use serde_json::{Value, json};

use crate::dice::Dice;

/// Who issues the tokens of jobs.
pub(crate) const ISSUER: &str = "https://ci.simulation.example";

/// The two people who are one human.
pub(crate) const LINKED: [PersonId; 2] = [PersonId(2), PersonId(6)];

/// Those whose voting keys are enrolled at the beginning, so that they can break the glass.
pub(crate) const KEYED: [PersonId; 2] = [PersonId(1), PersonId(5)];

/// A policy for so many people, at least 8.
///
/// # Errors
/// What is written here is no policy.
pub(crate) fn drawn(dice: &mut Dice, people: u128) -> Result<Policy, serde_json::Error> {
    let those = |belongs: &dyn Fn(u128) -> bool| -> Vec<PersonId> {
        (1..=people).filter(|id| belongs(*id)).map(PersonId).collect()
    };
    let groups = json!({
        "engineers": those(&|id| id == 5 || id % 3 == 1),
        "approvers": those(&|id| id <= 4 || id % 2 == 0),
        "security": those(&|id| matches!(id, 3 | 6 | 8) || id % 5 == 0),
    });
    let policy = json!({
        "name": format!("drawn-{}", dice.below(1_000_000)),
        "groups": groups,
        "linked": [LINKED],
        "access": { "read": ["engineers", "approvers", "security"] },
        "rules": rules(dice),
        "secrets": [{
            "resource": "webhook-signing/stripe", "environment": "production", "scheme": "stripe",
            "consumers": ["pay-a", "pay-b"], "signer": "provider", "min_overlap_seconds": 5,
            "dwell_ms": 200 + dice.below(1_000), "attempts": 4,
            "runbook": "https://runbooks.example/{secret}",
            "dashboard": "https://grafana.example/?from={from_ms}&to={to_ms}",
        }],
        "freezes": freezes(dice),
        "workloads": [{
            "name": "deploys", "issuer": ISSUER, "claims": { "repository_id": "42" },
            "token": "service-token/deployer", "environment": "production",
            "scopes": ["override:payout/limit", "ping:probe/any"], "max_lifetime_seconds": 600,
            "owner": PersonId(1),
        }],
    });
    serde_json::from_value(policy)
}

/// A rule with what all have in common.
fn rule(dice: &mut Dice, (name, action): (&str, &str), more: Value) -> Value {
    let mut words = action.split(' ');
    let mut word = || words.next().unwrap_or_default();
    let mut rule = json!({
        "name": name, "verb": word(), "resource": word(), "environment": word(), "patterns": action.contains('*'),
        "requesters": ["engineers"], "executors": ["engineers"], "approval": "required", "quorum": { "approvers": 2 },
        "pending_seconds": 30 + dice.below(3_000), "approved_seconds": 10 + dice.below(600),
        "start_seconds": 5 + dice.below(120), "work_seconds": 300 + dice.below(600),
    });
    if let (Value::Object(rule), Value::Object(more)) = (&mut rule, more) {
        rule.extend(more);
    }
    rule
}

fn rules(dice: &mut Dice) -> Vec<Value> {
    let at_once = || json!({ "approval": "not-required", "quorum": {} });
    let by_security = || json!({ "approval": "not-required", "quorum": {}, "executors": ["security"] });
    let mut payout = json!({ "quorum": { "approvers": 1, "security": 1 } });
    if dice.in_a_thousand(500) {
        payout["fresh_seconds"] = (10 + dice.below(120)).into();
    }
    if dice.in_a_thousand(500) {
        payout["heartbeat_seconds"] = (20 + dice.below(60)).into();
    }
    let glass = json!({ "break_glass": {
        "by": ["engineers"], "review": { "approvers": 2 }, "review_seconds": 60 + dice.below(600), "lifetime_seconds": 50,
    } });
    let deployer = json!({
        "approval": "not-required", "quorum": {},
        "tokens": { "scopes": ["override:payout/limit", "ping:probe/any"], "max_lifetime_seconds": 3_600 },
    });
    vec![
        rule(dice, ("activate", "activate policy/main control"), json!({})),
        rule(dice, ("rotate", "rotate webhook-signing/stripe production"), json!({})),
        rule(dice, ("payout", "override payout/limit production"), payout),
        rule(dice, ("ping", "ping probe/any production"), at_once()),
        rule(dice, ("failover", "failover region/eu production"), glass),
        rule(dice, ("deployers", "issue service-token/deployer production"), deployer),
        rule(dice, ("revokers", "revoke service-token/* *"), by_security()),
        rule(dice, ("invite", "invite person/* control"), json!({})),
        rule(dice, ("deactivate", "deactivate person/* control"), by_security()),
        rule(dice, ("revoke-sessions", "revoke session/* control"), by_security()),
        rule(dice, ("enroll-keys", "enroll voting-key/* control"), json!({})),
        rule(dice, ("except", "except freeze/* *"), json!({ "quorum": { "security": 1 } })),
    ]
}

/// One that begins within the first hour, and one every Friday evening.
fn freezes(dice: &mut Dice) -> Value {
    let (from, until) = (10 + dice.below(50), 10 + dice.below(50));
    json!([
        { "name": "cutover", "verb": "*", "resource": "*", "environment": "production", "patterns": true,
          "from": format!("2026-11-27T12:{from}:00Z"), "until": format!("2026-11-27T13:{until}:00Z") },
        { "name": "friday", "verb": "override", "resource": "payout/*", "environment": "production", "patterns": true,
          "cron": "0 18 * * fri", "duration_seconds": 7_200, "time_zone": "Europe/Berlin" },
    ])
}
