//! Merging rules, counting people, and what is wrong with a policy.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Consent, Policy, Requirement};
use crate::testing::{ANA, BEN, CHLOE, payout, policy};

/// A second rule for the same action, with some fields changed.
fn with_second_rule(changes: &serde_json::Value) -> Policy {
    let mut policy = policy();
    let first = policy.rules.iter().find(|rule| rule.name.as_str() == "payout").unwrap();
    let mut second = serde_json::to_value(first).unwrap();
    second["name"] = "second".into();
    for (key, value) in changes.as_object().unwrap() {
        second[key] = value.clone();
    }
    policy.rules.push(serde_json::from_value(second).unwrap());
    policy
}

fn demanded(policy: &Policy) -> Requirement {
    policy.requirement(&payout()).unwrap()
}

/// What a policy with these terms for tokens complains of, under a rule for this verb and resource.
fn complaints_about_tokens((verb, resource): (&str, &str), terms: serde_json::Value) -> Vec<String> {
    let mut policy = crate::testing::policy();
    let mut rule = serde_json::to_value(&policy.rules[3]).unwrap();
    for (field, value) in [("name", "tokens"), ("verb", verb), ("resource", resource)] {
        rule[field] = value.into();
    }
    rule["tokens"] = terms;
    policy.rules.push(serde_json::from_value(rule).unwrap());
    policy.flaws().iter().map(|flaw| flaw.place.clone()).collect()
}

#[test]
fn what_is_offered_for_tokens_must_make_sense() {
    let issuing = ("issue", "service-token/deployer");
    let terms = |scopes: &[&str]| serde_json::json!({ "scopes": scopes });
    assert!(complaints_about_tokens(issuing, terms(&["deploy:release/a"])).is_empty());
    assert_eq!(complaints_about_tokens(issuing, terms(&[])), ["rules.tokens.tokens.scopes"]);
    assert_eq!(
        complaints_about_tokens(issuing, terms(&["deploy:release/*"])),
        ["rules.tokens.tokens.patterns"]
    );
    assert_eq!(
        complaints_about_tokens(("ping", "probe/other"), terms(&["deploy:release/a"])),
        ["rules.tokens.tokens"]
    );
    let forever = serde_json::json!({ "scopes": ["deploy:release/a"], "max_lifetime_seconds": 86_401 });
    assert_eq!(complaints_about_tokens(issuing, forever), ["rules.tokens.tokens.max_lifetime_seconds"]);
}

#[test]
fn the_strictest_rule_wins_whatever_the_order() {
    let mut policy = with_second_rule(&serde_json::json!({
        "approval": "not-required", "quorum": {}, "pending_seconds": 10, "work_seconds": 90_000, "executors": ["auditors"],
    }));
    let forward = demanded(&policy);
    policy.rules.reverse();
    assert_eq!(forward, demanded(&policy));
    assert_eq!(forward.digest(), demanded(&policy).digest());
    assert_eq!(forward.approval, Consent::Required);
    assert_eq!((forward.pending_seconds.get(), forward.work_seconds.get()), (10, 600));
    assert!(!forward.may_execute(&policy, ANA), "an executor must satisfy both rules");
}

#[test]
fn another_rule_for_the_action_changes_what_is_demanded() {
    let same = with_second_rule(&serde_json::json!({}));
    assert_ne!(demanded(&policy()).digest(), demanded(&same).digest());
    let more = with_second_rule(&serde_json::json!({ "quorum": { "approvers": 3 } }));
    assert_ne!(demanded(&same).digest(), demanded(&more).digest());
}

#[test]
fn a_person_counts_once_across_groups() {
    let policy = with_second_rule(&serde_json::json!({ "quorum": { "auditors": 1 } }));
    let mut policy = policy;
    policy.groups.insert("auditors".parse().unwrap(), [BEN].into());
    let requirement = demanded(&policy);
    let missing =
        |voters: &[_]| requirement.unfilled(&policy, &voters.iter().copied().collect::<BTreeSet<_>>());
    assert_eq!(missing(&[BEN, CHLOE]).len(), 1, "Ben cannot fill two places");
    assert!(missing(&[ANA, BEN, CHLOE]).is_empty(), "Ben moves to the place only he can fill");
}

#[test]
fn a_policy_tells_what_is_wrong_with_it() {
    let mut policy = policy();
    assert!(policy.flaws().is_empty());
    policy.groups.insert("nobody".parse().unwrap(), BTreeSet::new());
    let second = policy.rules[0].clone();
    policy.rules.push(second);
    policy.rules[1].quorum.clear();
    let flaws: alloc::vec::Vec<_> = policy.flaws().iter().map(ToString::to_string).collect();
    assert_eq!(
        flaws,
        [
            "groups.nobody: the group has no members",
            "rules.rotate.quorum: approval is required, so name a quorum, as in `{ approvers = 2 }`",
            "rules.activate: a second rule of this name",
        ]
    );
}

#[test]
fn how_people_sign_in_and_how_fresh_votes_are_has_bounds() {
    let flaws = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut whole = serde_json::to_value(policy()).unwrap();
        change(&mut whole);
        let policy: Policy = serde_json::from_value(whole).unwrap();
        policy.flaws().iter().map(ToString::to_string).collect::<alloc::vec::Vec<_>>()
    };
    let with = |terms: serde_json::Value| flaws(&|whole| whole["sign_in"] = terms.clone());
    assert!(with(serde_json::json!({ "idle_seconds": 60, "lifetime_seconds": 60 })).is_empty());
    assert!(with(serde_json::json!({ "idle_seconds": 86_400, "lifetime_seconds": 604_800 })).is_empty());
    let rests = "sign_in.idle_seconds: a session rests for 60 to 86400 seconds";
    assert_eq!(with(serde_json::json!({ "idle_seconds": 59 })), [rests]);
    assert_eq!(with(serde_json::json!({ "idle_seconds": 86_401, "lifetime_seconds": 90_000 })), [rests]);
    let lives = "sign_in.lifetime_seconds: a session lives for at most 604800 seconds, 7 days";
    assert_eq!(with(serde_json::json!({ "lifetime_seconds": 604_801 })), [lives]);
    let short = "sign_in.lifetime_seconds: a session would end before it could rest";
    assert_eq!(with(serde_json::json!({ "lifetime_seconds": 1_799 })), [short]);
    assert!(serde_json::from_value::<super::SignIn>(serde_json::json!({ "idle": "30m" })).is_err());
    let fresh =
        |rule: usize, seconds: u32| flaws(&|whole| whole["rules"][rule]["fresh_seconds"] = seconds.into());
    assert!(fresh(2, 3_600).is_empty());
    let hour = "rules.payout.fresh_seconds: a proof is good for at most 3600 seconds, an hour";
    assert_eq!(fresh(2, 3_601), [hour]);
    assert_eq!(fresh(3, 60), ["rules.ping.fresh_seconds: approval is not required, so nobody votes"]);
}

#[test]
fn what_is_said_of_signing_in_is_not_written_unless_it_differs() {
    let written = |policy: &Policy| serde_json::to_value(policy).unwrap()["sign_in"].clone();
    let mut policy = policy();
    assert_eq!(written(&policy), serde_json::Value::Null);
    policy.sign_in.synced_passkeys = false;
    assert_eq!(written(&policy), serde_json::json!({ "synced_passkeys": false }));
}

#[test]
fn a_policy_that_nobody_could_replace_is_flawed() {
    let flaws = |change: &dyn Fn(&mut Policy)| {
        let mut policy = policy();
        change(&mut policy);
        policy.flaws().iter().map(ToString::to_string).collect::<alloc::vec::Vec<_>>()
    };
    let without_consent = |policy: &mut Policy| {
        policy.rules[0].approval = Consent::NotRequired;
        policy.rules[0].quorum.clear();
    };
    assert_eq!(
        flaws(&without_consent),
        [
            "rules.activate.approval: replacing the policy passes through a quorum: write `approval = \"required\"`"
        ]
    );
    let without_executor = |policy: &mut Policy| {
        let mut second = policy.rules[0].clone();
        second.name = "second".parse().unwrap();
        second.executors = ["auditors".parse().unwrap()].into();
        policy.rules.push(second);
    };
    assert_eq!(
        flaws(&without_executor),
        [
            "rules.activate+second.executors: nobody is in an executor group of each rule for replacing the policy"
        ]
    );
}

#[test]
fn a_policy_whose_entries_would_not_fit_is_flawed() {
    let mut policy = policy();
    let name = |number: usize| alloc::format!("name-{number}").parse().unwrap();
    policy.secrets[0].consumers = (0..65).map(name).collect();
    let ping = policy.rules[3].clone();
    policy.rules.extend((0..256).map(|number| crate::policy::Rule { name: name(number), ..ping.clone() }));
    let flaws: alloc::vec::Vec<_> = policy.flaws().iter().map(ToString::to_string).collect();
    assert_eq!(
        flaws,
        [
            "rules: 257 could apply to one action; at most 256 are possible",
            "secrets.webhook-signing/stripe@production.consumers: names 65; at most 64 are possible",
        ]
    );
}

fn offer() -> serde_json::Value {
    serde_json::json!({
        "by": ["engineers"], "review": { "approvers": 1 }, "review_seconds": 3600, "lifetime_seconds": 30,
    })
}

#[test]
fn break_glass_is_offered_by_every_rule_or_not_at_all() {
    let plain = demanded(&policy());
    let first = || {
        let mut policy = policy();
        policy.rules[2].break_glass = Some(serde_json::from_value(offer()).unwrap());
        policy
    };
    let offered = demanded(&first());
    assert_eq!(plain.break_glass, None);
    assert!(offered.break_glass.as_ref().unwrap().may_break(&first(), ANA));
    assert!(!offered.break_glass.as_ref().unwrap().may_break(&first(), BEN));
    assert_ne!(plain.digest(), offered.digest());
    let second = |offer: serde_json::Value| {
        let mut policy = with_second_rule(&serde_json::json!({ "break_glass": offer }));
        policy.rules[2].break_glass = first().rules[2].break_glass.clone();
        demanded(&policy).break_glass
    };
    assert_eq!(second(serde_json::Value::Null), None, "a rule that offers nothing takes it away");
    let mut stricter = offer();
    stricter["by"] = serde_json::json!(["approvers"]);
    stricter["review"] = serde_json::json!({ "approvers": 2, "auditors": 1 });
    stricter["review_seconds"] = 60.into();
    let both = second(stricter).unwrap();
    assert_eq!(
        both.line(),
        "break-glass approvers engineers / approvers:2,auditors:1 / 60 30\n",
        "the strictest of each"
    );
    assert!(both.may_break(&policy(), ANA) && !both.may_break(&policy(), BEN), "Ana alone is in both groups");
}

#[test]
fn break_glass_that_nobody_reviews_is_a_flaw() {
    let mut policy = policy();
    let mut wrong = offer();
    wrong["by"] = serde_json::json!(["somebody"]);
    wrong["review"] = serde_json::json!({});
    policy.rules[2].break_glass = Some(serde_json::from_value(wrong).unwrap());
    let flaws: alloc::vec::Vec<_> = policy.flaws().iter().map(ToString::to_string).collect();
    assert_eq!(
        flaws,
        [
            "rules.payout.break_glass.by: unknown group `somebody`; the groups are approvers, auditors, engineers",
            "rules.payout.break_glass.review: break-glass is reviewed by somebody, so name a quorum, as in `{ security = 1 }`",
        ]
    );
    let mut missing = offer();
    missing.as_object_mut().unwrap().remove("review");
    assert!(serde_json::from_value::<super::BreakGlass>(missing).is_err(), "there is no default");
}

/// Many rules, of which some few mean the action, each in another way.
fn many() -> Policy {
    let mut policy = policy();
    let ping = serde_json::to_value(&policy.rules[3]).unwrap();
    let rule = |name: alloc::string::String, (verb, resource, environment): (&str, &str, &str)| {
        let mut rule = ping.clone();
        for (key, value) in
            [("name", name.as_str()), ("verb", verb), ("resource", resource), ("environment", environment)]
        {
            rule[key] = serde_json::json!(value);
        }
        rule["patterns"] = serde_json::json!(true);
        serde_json::from_value(rule).unwrap()
    };
    let mut rules: alloc::vec::Vec<crate::policy::Rule> = (0..2_000)
        .map(|number| {
            rule(
                alloc::format!("other-{number}"),
                ("override", &alloc::format!("payout/p-{number}"), "production"),
            )
        })
        .collect();
    let words = |own: &'static str| [own, "*"];
    for verb in words("override") {
        for resource in ["payout/limit", "payout/*", "*"] {
            for environment in words("production") {
                let place = rules.len() / 2;
                let name = alloc::format!("meant-{place}-{}", rules.len());
                rules.insert(place, rule(name, (verb, resource, environment)));
            }
        }
    }
    policy.rules = rules.into();
    policy
}

#[test]
fn the_index_finds_what_reading_all_rules_finds() {
    let mut policy = many();
    let actions = [
        "override payout/limit production",
        "override payout/p-7 production",
        "ping payout/limit test",
        "ping a/b c",
    ];
    let actions = actions.map(|text| {
        let mut words = text.split(' ');
        let mut word = || words.next().unwrap();
        crate::action::Action {
            verb: word().parse().unwrap(),
            resource: word().parse().unwrap(),
            environment: word().parse().unwrap(),
        }
    });
    let indexed = actions
        .clone()
        .map(|action| policy.requirement(&action).map(|found| (found.rules.len(), found.digest())));
    assert_eq!(indexed.map(|found| found.unwrap().0), [12, 9, 3, 1]);
    // Whoever may change the rules loses the index.
    policy.rules.reverse();
    assert_eq!(
        actions
            .clone()
            .map(|action| policy.requirement(&action).map(|found| (found.rules.len(), found.digest()))),
        indexed
    );
    policy.rules.truncate(1);
    assert!(
        actions.iter().all(|action| policy.requirement(action).is_none_or(|found| found.rules.len() == 1))
    );
    let text = serde_json::to_string(&many()).unwrap();
    let read: Policy = serde_json::from_str(&text).unwrap();
    assert_eq!((serde_json::to_string(&read).unwrap(), read), (text, many()));
}

#[test]
fn many_rules_are_possible_as_long_as_few_of_them_meet() {
    let mut policy = policy();
    let ping = policy.rules[3].clone();
    let other = |number: usize| crate::policy::Rule {
        name: alloc::format!("other-{number}").parse().unwrap(),
        resource: alloc::format!("probe/p-{number}").parse().unwrap(),
        ..ping.clone()
    };
    policy.rules.extend((0..10_000).map(other));
    assert_eq!(policy.flaws(), []);
    policy.rules.extend((10_000..16_384).map(other));
    let flaws: alloc::vec::Vec<_> = policy.flaws().iter().map(ToString::to_string).collect();
    let length = policy.rules.len();
    assert_eq!(flaws, [alloc::format!("rules: names {length}; at most 16384 are possible")]);
}

#[test]
fn an_escalation_that_tells_nobody_in_time_is_a_flaw() {
    let mut policy = policy();
    let escalate = |after: u32, to: &[&str]| {
        let escalate = serde_json::json!({ "after_seconds": after, "to": to });
        Some(serde_json::from_value(escalate).unwrap())
    };
    policy.rules[1].escalate = escalate(3600, &["somebody"]);
    policy.rules[2].escalate = escalate(60, &["auditors"]);
    policy.rules[3].escalate = escalate(60, &["auditors"]);
    let flaws: alloc::vec::Vec<_> = policy.flaws().iter().map(ToString::to_string).collect();
    assert_eq!(
        flaws,
        [
            "rules.rotate.escalate.to: unknown group `somebody`; the groups are approvers, auditors, engineers",
            "rules.rotate.escalate.after_seconds: the request has expired by then",
            "rules.ping.escalate: approval is not required, so nobody waits for a vote",
        ]
    );
}

#[test]
fn the_earliest_escalation_holds_and_everybody_is_told() {
    let plain = demanded(&policy());
    let mut first = policy();
    first.rules[2].escalate =
        Some(serde_json::from_value(serde_json::json!({ "after_seconds": 90, "to": ["auditors"] })).unwrap());
    assert_ne!(demanded(&first).digest(), plain.digest());
    let mut both =
        with_second_rule(&serde_json::json!({ "escalate": { "after_seconds": 60, "to": ["approvers"] } }));
    both.rules[2].escalate = first.rules[2].escalate.clone();
    assert_eq!(demanded(&both).escalate.unwrap().line(), "escalate 60 approvers,auditors\n");
}
