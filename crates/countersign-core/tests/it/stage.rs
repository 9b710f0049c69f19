//! What the tests act on: the people, the actions, some policies that differ in little, and genesis.

use countersign_core::Command;
use countersign_core::action::Action;
use countersign_core::digest::Digest;
use countersign_core::id::PersonId;
use countersign_core::log::Bootstrap;
use countersign_core::policy::Policy;
use countersign_core::secret::SecretKey;
use countersign_core::time::Time;

use crate::{membership, passwords, sessions, tokens, workloads};

/// Engineer and approver.
pub(crate) const ANA: PersonId = PersonId(1);
/// Approver.
pub(crate) const BEN: PersonId = PersonId(2);
/// Approver and security.
pub(crate) const CHLOE: PersonId = PersonId(3);
/// May only look.
pub(crate) const AUD: PersonId = PersonId(4);
/// Engineer.
pub(crate) const DAN: PersonId = PersonId(5);
/// Approver and security, whose claim stays open for long.
pub(crate) const EVE: PersonId = PersonId(6);
pub(crate) const ENROLLED: [PersonId; 6] = [ANA, BEN, CHLOE, AUD, DAN, EVE];

/// When every history begins.
pub(crate) const BEGINNING: Time = Time::from_millis(1_795_428_000_000);

const POLICY: &str = r#"{
  "name": "test",
  "groups": {
    "engineers": ["per_00000000000000000000000000000001", "per_00000000000000000000000000000005"],
    "approvers": ["per_00000000000000000000000000000001", "per_00000000000000000000000000000002",
                  "per_00000000000000000000000000000003", "per_00000000000000000000000000000006"],
    "security": ["per_00000000000000000000000000000003", "per_00000000000000000000000000000006"],
    "auditors": ["per_00000000000000000000000000000004"]
  },
  "access": { "read": ["engineers", "approvers", "auditors"] },
  "rules": [
    { "name": "activate", "verb": "activate", "resource": "policy/main", "environment": "control",
      "requesters": ["engineers"], "executors": ["engineers"], "approval": "required", "quorum": { "approvers": 2 },
      "pending_seconds": 3600, "approved_seconds": 600, "start_seconds": 60, "work_seconds": 600 },
    { "name": "rotate", "verb": "rotate", "resource": "webhook-signing/stripe", "environment": "production",
      "requesters": ["engineers"], "executors": ["engineers"], "approval": "required", "quorum": { "approvers": 2 },
      "pending_seconds": 3600, "approved_seconds": 600, "start_seconds": 60, "work_seconds": 600 },
    { "name": "payout", "verb": "override", "resource": "payout/limit", "environment": "production",
      "requesters": ["engineers"], "executors": ["engineers"], "approval": "required",
      "quorum": { "approvers": 1, "security": 1 },
      "pending_seconds": 3600, "approved_seconds": 600, "start_seconds": 60, "work_seconds": 600 },
    { "name": "ping", "verb": "ping", "resource": "probe/any", "environment": "production",
      "requesters": ["engineers"], "executors": ["engineers"], "approval": "not-required",
      "pending_seconds": 3600, "approved_seconds": 600, "start_seconds": 60, "work_seconds": 600 },
    { "name": "log-key", "verb": "rotate", "resource": "log-key/main", "environment": "control",
      "requesters": ["engineers"], "executors": ["engineers"], "approval": "required", "quorum": { "approvers": 2 },
      "pending_seconds": 3600, "approved_seconds": 600, "start_seconds": 60, "work_seconds": 600 },
    { "name": "redact", "verb": "redact", "resource": "ledger/details", "environment": "control",
      "requesters": ["engineers"], "executors": ["engineers"], "approval": "required",
      "quorum": { "approvers": 1, "security": 1 },
      "pending_seconds": 3600, "approved_seconds": 600, "start_seconds": 60, "work_seconds": 600 },
    { "name": "failover", "verb": "failover", "resource": "region/eu", "environment": "production",
      "requesters": ["engineers"], "executors": ["engineers"], "approval": "required", "quorum": { "approvers": 2 },
      "pending_seconds": 3600, "approved_seconds": 600, "start_seconds": 60, "work_seconds": 600,
      "break_glass": { "by": ["engineers"], "review": { "approvers": 2 }, "review_seconds": 1800, "lifetime_seconds": 50 } }
  ],
  "secrets": [
    { "resource": "webhook-signing/stripe", "environment": "production", "scheme": "stripe",
      "consumers": ["nudgepay-a", "nudgepay-b"], "signer": "provider", "min_overlap_seconds": 5, "dwell_ms": 1000,
      "attempts": 3, "runbook": "https://runbooks.example/{secret}",
      "dashboard": "https://grafana.example/?from={from_ms}&to={to_ms}" }
  ]
}"#;

pub(crate) fn policy() -> Policy {
    serde_json::from_str(POLICY).unwrap()
}

/// The policy and five others: one that demands more of payouts everywhere, one in which Ben is no approver any more, one with groups in
/// groups that is wary of payouts, one that takes signed votes, one that knows neither payouts nor redactions.
pub(crate) fn policies() -> [Policy; 6] {
    let mut stricter = policy();
    let mut every: serde_json::Value = serde_json::to_value(&stricter.rules[2]).unwrap();
    every["name"] = "every-payout".into();
    every["resource"] = "payout/*".into();
    every["environment"] = "*".into();
    every["patterns"] = true.into();
    every["quorum"] = serde_json::json!({ "approvers": 2 });
    every["start_seconds"] = 30.into();
    every["heartbeat_seconds"] = 120.into();
    stricter.rules.push(serde_json::from_value(every).unwrap());
    let mut without_ben = policy();
    without_ben.groups.get_mut("approvers").unwrap().remove(&BEN);
    let mut without_payouts = policy();
    without_payouts.rules.retain(|rule| !matches!(rule.name.as_str(), "payout" | "redact"));
    [policy(), stricter, without_ben, wary(), crate::signing::policy(), without_payouts]
}

/// Payouts are agreed to with a comment and not by who asked for the rule; two people must disagree to stop one. Dan is an approver by
/// being a lead, and Ben and Eve are one human.
pub(crate) fn wary() -> Policy {
    let mut wary = policy();
    let mut payout: serde_json::Value = serde_json::to_value(&wary.rules[2]).unwrap();
    payout["denials"] = 2.into();
    payout["comment"] = "required".into();
    payout["independent_of_author"] = true.into();
    wary.rules[2] = serde_json::from_value(payout).unwrap();
    wary.groups.insert("leads".parse().unwrap(), [DAN].into());
    wary.nested.insert("approvers".parse().unwrap(), ["leads".parse().unwrap()].into());
    wary.linked.push([BEN, EVE].into());
    wary
}

/// The policy, but engineers are told of a payout on which nobody votes within ten minutes.
pub(crate) fn escalating() -> Policy {
    let mut policy = policy();
    let escalate = serde_json::json!({ "after_seconds": 600, "to": ["auditors", "engineers"] });
    policy.rules[2].escalate = Some(serde_json::from_value(escalate).unwrap());
    policy
}

/// Every policy that is ever in force on the stage.
pub(crate) fn known_policies() -> Vec<Policy> {
    let people = [membership::policy(), membership::strict()];
    let tokens = [tokens::policy(), tokens::silent(), tokens::with_deactivation()];
    let sessions = [sessions::policy(), sessions::wary(), sessions::fresh(), passwords::policy()];
    let of_people = people.into_iter().chain(tokens).chain(workloads::policies()).chain(sessions);
    policies().into_iter().chain([escalating(), frozen()]).chain(of_people).collect()
}

/// The policy with freezes, and a rule by which somebody is excepted from them: one that holds production over the end of the year, one
/// that holds payouts every Friday evening, and one that holds details for good.
pub(crate) fn frozen() -> Policy {
    let mut frozen = policy();
    let except = serde_json::json!({
        "name": "except", "verb": "except", "resource": "freeze/*", "environment": "*", "patterns": true,
        "requesters": ["engineers"], "executors": ["engineers"], "approval": "required", "quorum": { "security": 1 },
        "pending_seconds": 3600, "approved_seconds": 600, "start_seconds": 60, "work_seconds": 600,
    });
    frozen.rules.push(serde_json::from_value(except).unwrap());
    let freezes = serde_json::json!([
        { "name": "holidays", "verb": "*", "resource": "*", "environment": "production", "patterns": true,
          "from": "2026-12-19T00:00:00+01:00", "until": "2027-01-07T00:00:00+01:00" },
        { "name": "friday", "verb": "override", "resource": "payout/*", "environment": "production", "patterns": true,
          "cron": "0 18 * * fri", "duration_seconds": 223_200, "time_zone": "Europe/Berlin" },
        { "name": "records", "verb": "redact", "resource": "ledger/details", "environment": "control",
          "from": "2026-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z" },
    ]);
    frozen.freezes = serde_json::from_value(freezes).unwrap();
    frozen
}

/// Stands for the SHA-256 of a policy's canonical bytes.
pub(crate) fn policy_digest(policy: &Policy) -> Digest {
    Digest::of(&serde_json::to_vec(policy).unwrap())
}

pub(crate) fn action(text: &str) -> Action {
    let mut words = text.split(' ');
    let mut word = || words.next().unwrap();
    Action {
        verb: word().parse().unwrap(),
        resource: word().parse().unwrap(),
        environment: word().parse().unwrap(),
    }
}

/// Everything that is asked for; launching is governed by no rule.
pub(crate) const ACTIONS: [&str; 8] = [
    "rotate webhook-signing/stripe production",
    "override payout/limit production",
    "activate policy/main control",
    "ping probe/any production",
    "redact ledger/details control",
    "rotate log-key/main control",
    "launch payout/limit production",
    "failover region/eu production",
];

/// What somebody is excepted from the freeze over the end of the year under, and from that of Fridays.
pub(crate) const EXCEPT_HOLIDAYS: &str = "except freeze/holidays production";
pub(crate) const EXCEPT_FRIDAY: &str = "except freeze/friday production";

pub(crate) const ROTATE: &str = ACTIONS[0];
pub(crate) const PAYOUT: &str = ACTIONS[1];
pub(crate) const ACTIVATE: &str = ACTIONS[2];
pub(crate) const FAILOVER: &str = ACTIONS[7];
pub(crate) const ROTATE_LOG_KEY: &str = ACTIONS[5];

/// The keys of the log, by number; the first one is that of genesis. Whether signatures hold is not the core's to say.
pub(crate) fn log_key(number: usize) -> String {
    format!("ledger.test+{number:08x}+key")
}
pub(crate) const REDACT: &str = ACTIONS[4];

pub(crate) fn parameters() -> Digest {
    Digest::of(b"parameters")
}

pub(crate) fn secret() -> SecretKey {
    "secret:webhook-signing/stripe@production".parse().unwrap()
}

pub(crate) fn claim_of(person: PersonId) -> Digest {
    Digest::of(format!("claim {person}").as_bytes())
}

pub(crate) fn credential_of(person: PersonId) -> Digest {
    Digest::of(format!("credential {person}").as_bytes())
}

pub(crate) fn genesis() -> Bootstrap {
    let policy = policy();
    Bootstrap {
        origin: "ledger.test".into(),
        log_key: "ledger.test+00000000+key".into(),
        people: ENROLLED.map(|person| (person, claim_of(person))).to_vec(),
        policy_sha256: policy_digest(&policy),
        policy,
        secrets: vec![secret()],
    }
}

/// Replaces the person's claim by a credential.
pub(crate) fn claiming(person: PersonId) -> Command {
    let claim = countersign_core::person::ClaimCredential {
        claim_sha256: claim_of(person),
        credential_sha256: credential_of(person),
    };
    Command::ClaimCredential(claim)
}
