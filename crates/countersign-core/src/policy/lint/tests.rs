//! One test for every kind of finding, on the policy of the other tests with one thing changed.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::Severity;
use crate::id::PersonId;
use crate::policy::Policy;
use crate::testing::{ANA, AUD, BEN, CHLOE, DAN, policy};

/// The policy with one rule changed, or with another one.
fn with(rule: &str, changes: &Value) -> Policy {
    let mut whole = serde_json::to_value(policy()).unwrap();
    let rules = whole["rules"].as_array_mut().unwrap();
    let position = rules.iter().position(|known| known["name"] == rule).unwrap_or_else(|| {
        let mut another = rules[2].clone();
        another["name"] = rule.into();
        rules.push(another);
        rules.len() - 1
    });
    for (key, value) in changes.as_object().unwrap() {
        rules[position][key] = value.clone();
    }
    serde_json::from_value(whole).unwrap()
}

fn codes(policy: &Policy, enrolled: Option<&BTreeSet<PersonId>>) -> Vec<String> {
    let findings = policy.findings(enrolled);
    findings
        .iter()
        .map(|finding| format!("{} {} {}", finding.severity, finding.code, finding.place))
        .collect()
}

/// What is found that was not found before the change.
fn new(policy_now: &Policy) -> Vec<String> {
    let before = codes(&policy(), None);
    codes(policy_now, None).into_iter().filter(|finding| !before.contains(finding)).collect()
}

#[test]
fn a_sound_policy_leaves_nothing_to_say() {
    assert_eq!(codes(&policy(), None), Vec::<String>::new());
}

#[test]
fn a_flaw_is_an_error() {
    let findings = new(&with("payout", &json!({ "quorum": {} })));
    assert!(findings.contains(&"error flaw rules.payout.quorum".into()), "{findings:?}");
}

#[test]
fn sessions_and_proofs_that_last_too_long_are_found() {
    let fresh = |seconds: u32| new(&with("payout", &json!({ "fresh_seconds": seconds })));
    assert_eq!(fresh(29), ["warning short_lifetime rules.payout.fresh_seconds"]);
    assert_eq!([fresh(30), fresh(900)], [Vec::<String>::new(), Vec::new()]);
    assert_eq!(fresh(901), ["warning long_lifetime rules.payout.fresh_seconds"]);
    let mut policy = policy();
    policy.sign_in.idle_seconds = (4 * 3_600 + 1).try_into().unwrap();
    assert_eq!(new(&policy), ["warning long_lifetime sign_in.idle_seconds"]);
    policy.sign_in.idle_seconds = (4 * 3_600).try_into().unwrap();
    policy.sign_in.lifetime_seconds = (24 * 3_600 + 1).try_into().unwrap();
    assert_eq!(new(&policy), ["warning long_lifetime sign_in.lifetime_seconds"]);
}

#[test]
fn a_group_that_nothing_names_is_found() {
    let mut policy = policy();
    policy.groups.insert("idle".parse().unwrap(), [ANA].into());
    assert_eq!(new(&policy), ["warning unused_group groups.idle"]);
}

#[test]
fn strangers_and_people_in_no_group_are_found() {
    let enrolled = BTreeSet::from([ANA, BEN, AUD, DAN, PersonId(9)]);
    let policy = policy();
    let findings = policy.findings(Some(&enrolled));
    let of = |code: &str| {
        let found = findings.iter().find(|finding| finding.code == code).unwrap();
        (found.severity, found.place.as_str(), found.people.as_slice())
    };
    assert_eq!(of("unknown_person"), (Severity::Error, "groups.approvers", [CHLOE].as_slice()));
    assert_eq!(of("no_group"), (Severity::Note, "groups", [PersonId(9)].as_slice()));
}

#[test]
fn a_rule_under_a_stricter_one_changes_nothing() {
    let wide = json!({ "resource": "payout/*", "environment": "*", "patterns": true });
    let findings = new(&with("wide", &wide));
    assert!(findings.contains(&"warning shadowed rules.payout".into()), "{findings:?}");
    assert!(!findings.contains(&"warning shadowed rules.wide".into()), "{findings:?}");
    let laxer = json!({ "resource": "payout/*", "patterns": true, "quorum": { "approvers": 1 } });
    let findings = new(&with("laxer", &laxer));
    assert!(!findings.iter().any(|finding| finding.contains("shadowed")), "{findings:?}");
}

#[test]
fn a_rule_with_more_requesters_than_a_wider_one_changes_nothing() {
    let wide = json!({ "resource": "payout/*", "patterns": true });
    let mut policy = with("wide", &wide);
    policy.rules[2].requesters.insert("auditors".parse().unwrap());
    assert!(new(&policy).contains(&"warning shadowed rules.payout".into()), "{:?}", new(&policy));
}

#[test]
fn rules_that_nobody_can_satisfy_together_are_errors() {
    let executors = with("second", &json!({ "executors": ["auditors"] }));
    assert!(new(&executors).contains(&"error nobody_executes rules.payout+second.executors".into()));
    let requesters = with("second", &json!({ "requesters": ["auditors"] }));
    assert!(new(&requesters).contains(&"error nobody_requests rules.payout+second.requesters".into()));
    let quorum = with("payout", &json!({ "quorum": { "approvers": 4 } }));
    assert!(new(&quorum).contains(&"error unsatisfiable rules.payout.quorum".into()));
}

#[test]
fn a_requester_who_is_needed_for_the_quorum_is_named() {
    let policy = with("payout", &json!({ "quorum": { "approvers": 3 } }));
    let findings = policy.findings(None);
    let found = findings.iter().find(|finding| finding.code == "requester_needed").unwrap();
    assert_eq!((found.place.as_str(), found.people.as_slice()), ("rules.payout.quorum", [ANA].as_slice()));
    let single = findings
        .iter()
        .find(|finding| finding.code == "single_point" && finding.place == "rules.payout.quorum")
        .unwrap();
    assert_eq!(single.people, [ANA, BEN, CHLOE], "of three all are needed");
}

#[test]
fn whoever_alone_can_execute_is_named() {
    let policy = with("payout", &json!({ "executors": ["auditors"] }));
    let findings = policy.findings(None);
    let found = findings.iter().find(|finding| finding.code == "single_executor").unwrap();
    assert_eq!(found.people, [AUD]);
}

#[test]
fn approvers_who_all_execute_are_noted() {
    let policy = with("payout", &json!({ "executors": ["approvers"] }));
    assert!(new(&policy).contains(&"note approvers_execute rules.payout.quorum".into()));
}

#[test]
fn broad_patterns_are_found() {
    let free = json!({ "resource": "probe/*", "patterns": true });
    assert_eq!(new(&with("ping", &free)), ["warning broad_and_free rules.ping"]);
    let all = json!({ "verb": "*", "resource": "*", "environment": "*", "patterns": true });
    assert!(new(&with("floor", &all)).contains(&"note broad rules.floor".into()));
}

#[test]
fn suspicious_lifetimes_are_found() {
    let long = json!({ "pending_seconds": 2_592_001, "approved_seconds": 86_401, "start_seconds": 86_401, "work_seconds": 604_801 });
    let fields = ["pending", "approved", "start", "work"];
    let expected = fields.map(|field| format!("warning long_lifetime rules.payout.{field}_seconds"));
    assert_eq!(new(&with("payout", &long)), expected);
    let short = json!({ "pending_seconds": 59 });
    assert_eq!(new(&with("payout", &short)), ["warning short_lifetime rules.payout.pending_seconds"]);
    let longest = json!({ "pending_seconds": 2_592_000, "approved_seconds": 86_400, "start_seconds": 86_400, "work_seconds": 604_800 });
    assert!(new(&with("payout", &longest)).is_empty());
}

#[test]
fn a_group_inside_one_that_is_named_is_used() {
    let mut policy = policy();
    policy.groups.insert("leads".parse().unwrap(), [DAN].into());
    assert_eq!(new(&policy), ["warning unused_group groups.leads"]);
    policy.nested.insert("approvers".parse().unwrap(), ["leads".parse().unwrap()].into());
    assert_eq!(new(&policy), Vec::<String>::new());
}

#[test]
fn a_group_that_is_only_told_is_used() {
    let mut policy = policy();
    policy.groups.insert("leads".parse().unwrap(), [DAN].into());
    let escalate = json!({ "after_seconds": 60, "to": ["leads"] });
    policy.rules[2].escalate = Some(serde_json::from_value(escalate).unwrap());
    assert_eq!(new(&policy), Vec::<String>::new());
}

#[test]
fn a_group_that_only_breaks_the_glass_or_only_reviews_is_used() {
    let mut policy = policy();
    for group in ["on-call", "board"] {
        policy.groups.insert(group.parse().unwrap(), [DAN].into());
    }
    let offer = json!({
        "by": ["on-call"], "review": { "board": 1 }, "review_seconds": 60, "lifetime_seconds": 60,
    });
    policy.rules[2].break_glass = Some(serde_json::from_value(offer).unwrap());
    let unused = new(&policy).into_iter().filter(|found| found.contains("unused_group"));
    assert_eq!(unused.collect::<Vec<_>>(), Vec::<String>::new());
}

/// A floor under all rules asks for signatures under the first key as well, unless it is about less than everything.
#[test]
fn keys_that_take_a_key_to_be_given_are_found() {
    let keys = |signature: &str| {
        let keys = json!({ "verb": "enroll", "resource": "voting-key/*", "environment": "control", "patterns": true });
        let mut keys = keys;
        keys["signature"] = signature.into();
        new(&with("keys", &keys))
    };
    assert_eq!(keys("not-required"), Vec::<String>::new());
    assert_eq!(keys("required"), ["warning signed_enrolment rules.keys.signature"]);
    assert_eq!(keys("hardware"), ["warning signed_enrolment rules.keys.signature"]);
    let floor = json!({
        "verb": "*", "resource": "*", "environment": "*", "patterns": true, "signature": "required",
    });
    let findings = new(&with("floor", &floor));
    assert!(findings.contains(&"warning signed_enrolment rules.floor.signature".into()), "{findings:?}");
}

/// Accounts of one human are away together, and none of them agrees to what another asked for.
#[test]
fn accounts_of_one_human_are_one_person() {
    let mut policy = policy();
    policy.linked.push([BEN, CHLOE].into());
    let findings = new(&policy);
    for expected in
        ["warning requester_needed rules.payout.quorum", "warning single_point rules.payout.quorum"]
    {
        assert!(findings.contains(&String::from(expected)), "{findings:?}");
    }
}

#[test]
fn workloads_that_will_not_stay_or_could_do_nothing_are_found() {
    let of = |name: &str, owner: PersonId, claims: Value| {
        serde_json::from_value(json!({
            "name": name, "issuer": "https://ci.example", "claims": claims, "token": "service-token/deployer",
            "environment": "production", "scopes": ["ping:probe/any"], "owner": owner,
        }))
        .unwrap()
    };
    let with = |workloads: Vec<crate::policy::Workload>| Policy { workloads, ..policy() };
    let sound = of("sound", ANA, json!({ "repository_id": "42", "environment": "production" }));
    assert_eq!(new(&with(Vec::from([sound]))), Vec::<String>::new());
    let subject =
        of("subject", ANA, json!({ "repository_id": "42", "sub": "repo:acme/pay:ref:refs/heads/main" }));
    assert_eq!(new(&with(Vec::from([subject]))), ["warning workload_by_subject workloads.subject.claims"]);
    let nobody = of("nobody", PersonId(77), json!({ "repository_id": "42" }));
    assert_eq!(new(&with(Vec::from([nobody]))), ["warning workload_owner_powerless workloads.nobody.owner"]);
    let wide = of("wide", ANA, json!({ "repository_id": "42" }));
    let narrow = of("narrow", ANA, json!({ "repository_id": "42", "environment": "production" }));
    assert_eq!(new(&with(Vec::from([wide, narrow]))), ["note workloads_overlap workloads.narrow.claims"]);
}
