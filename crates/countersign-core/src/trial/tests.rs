//! A trial decides as the core does, and says what is wrong with a step that cannot be played.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};

use super::{Stage, Step, Trial};
use crate::policy::Policy;
use crate::testing::{ANA, AUD, BEN, CHLOE, DAN, policy};
use crate::time::Time;

fn trial() -> Trial {
    under(&policy())
}

fn under(policy: &Policy) -> Trial {
    let people = [("ana", ANA), ("ben", BEN), ("chloe", CHLOE), ("aud", AUD), ("dan", DAN)];
    let people: BTreeMap<String, _> = people.map(|(name, id)| (name.to_string(), id)).into();
    let stage = Stage { people, ..Stage::default() };
    Trial::begin(policy, stage, Time::from_millis(0)).unwrap()
}

fn step(step: &serde_json::Value) -> Step {
    let mut whole = serde_json::json!({ "at": "2026-11-23T10:00:00.000Z" });
    whole.as_object_mut().unwrap().extend(step.as_object().unwrap().clone());
    serde_json::from_value(whole).unwrap()
}

#[test]
fn what_is_missing_is_told_by_name() {
    let mut trial = trial();
    let action = "override payout/limit production";
    let asked = serde_json::json!({ "who": "ana", "command": "request", "action": action, "as": "a" });
    assert_eq!(trial.play(&step(&asked)).unwrap().events[0].kind, "approval.requested");
    let early = serde_json::json!({ "who": "ana", "command": "reserve", "action": action, "approval": "a" });
    let seen = trial.play(&step(&early)).unwrap();
    assert_eq!(seen.refused.as_deref(), Some("approval_pending"));
    assert_eq!(seen.missing[0].could, ["ben", "chloe"]);
    assert_eq!(trial.statuses(Time::from_millis(0)), [("a".to_string(), "pending".to_string())].into());
}

/// A case is about the policy: whoever agrees is taken to prove who they are where the rules want that, unless the step says otherwise.
#[test]
fn who_agrees_in_a_trial_proves_who_they_are() {
    let mut fresh = policy();
    fresh.rules[2].fresh_seconds = Some(60.try_into().unwrap());
    let mut trial = under(&fresh);
    let action = "override payout/limit production";
    let asked = serde_json::json!({ "who": "ana", "command": "request", "action": action, "as": "a" });
    trial.play(&step(&asked)).unwrap();
    let idly = serde_json::json!({ "who": "ben", "command": "approve", "approval": "a", "fresh": false });
    assert_eq!(trial.play(&step(&idly)).unwrap().refused.as_deref(), Some("not_fresh"));
    for who in ["ben", "chloe"] {
        let agrees = serde_json::json!({ "who": who, "command": "approve", "approval": "a" });
        assert_eq!(trial.play(&step(&agrees)).unwrap().events[0].kind, "approval.granted");
    }
}

#[test]
fn a_step_that_cannot_be_played_says_why() {
    let mut trial = trial();
    let mut says = |it: serde_json::Value| trial.play(&step(&it)).unwrap_err().to_string();
    assert_eq!(says(serde_json::json!({ "who": "zoe", "command": "approve" })), "nobody is called `zoe`");
    assert_eq!(says(serde_json::json!({ "who": "ana", "command": "approve" })), "name the `approval`");
    assert!(
        says(serde_json::json!({ "who": "ana", "command": "request", "action": "a b" }))
            .contains("three words")
    );
}
