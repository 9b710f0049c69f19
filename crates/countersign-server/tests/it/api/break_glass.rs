//! Breaking the glass as people see it: it works at once, tells everybody, and stops everybody while a review is overdue.

use countersign_ledger::break_glass::{NAMESPACE, Statement};
use countersign_ledger::hash::Hash;
use countersign_ledger::json as strict;
use countersign_server::engine::Engine;
use countersign_server::store::memory::MemoryStore;
use countersign_server::store::sqlite::SqliteStore;
use serde_json::{Value, json};

use super::harness::{Api, Call, enrolled, policy};
use super::ssh_key::SshKey;
use crate::engine::fixture::{ANA, ORIGIN};

/// What Ana wants to do, and what she signs for it.
fn statement(engine: &Engine, reason: &str) -> Statement {
    let mut salt = [0; 32];
    getrandom::fill(&mut salt).expect("randomness");
    Statement {
        action: ["failover", "region/eu", "production"].map(str::to_owned),
        log: ORIGIN.into(),
        parameters: strict::parse(br#"{"to":"eu-west"}"#).expect("JSON"),
        parameters_salt: Hash(salt),
        person: ANA.to_string(),
        reason: reason.into(),
        time: engine.now().to_string(),
    }
}

fn body(statement: &Statement, signature: &str) -> Value {
    let [verb, resource, environment] = &statement.action;
    let parameters: Value = serde_json::from_slice(&statement.parameters.to_canonical()).expect("JSON");
    json!({
        "action": { "verb": verb, "resource": resource, "environment": environment }, "parameters": parameters,
        "parameters_salt": statement.parameters_salt.to_string(), "reason": statement.reason,
        "time": statement.time, "signature": signature,
    })
}

/// A request of Ana's that is signed as it should be.
pub(super) fn opening(api: &Api, key: &SshKey) -> Value {
    let statement = statement(&api.engine, "the primary is gone");
    let signature = key.sign(NAMESPACE, &statement.to_bytes());
    body(&statement, &signature)
}

fn open(body: &Value) -> Call {
    Call::post("/admin/break-glass", body).by("Ana")
}

fn review(id: &str, verdict: &str) -> Call {
    let body = json!({ "verdict": verdict, "reason": "read the timeline" });
    Call::post(format!("/admin/break-glass/{id}/review"), &body)
}

async fn entries(api: &Api, kind: &str) -> Vec<Value> {
    let listed = api.ok(Call::get(format!("/admin/entries?kind={kind}")).by("Aud")).await.json;
    listed["items"].as_array().expect("a list").clone()
}

async fn gauges(api: &Api) -> Vec<String> {
    let text = api.ok(Call::get("/metrics")).await.text;
    let ours = text.lines().filter(|line| line.starts_with("countersign_break_glass"));
    let mut ours: Vec<String> = ours.map(str::to_owned).collect();
    ours.sort();
    ours
}

/// Infisical, pull request 7039: who bypassed and why were missing from history.
async fn history_says_who_and_why(api: Api) {
    let key = SshKey::new(1);
    enrolled(&api, ANA, &key).await;
    let answer = api.ok(open(&opening(&api, &key))).await;
    assert_eq!(answer.status.as_u16(), 201);
    let (id, permit) = (answer.id(), answer.json["permit"].as_str().expect("a permit").to_owned());
    assert_eq!((&answer.json["status"], &answer.json["person"]["name"]), (&json!("open"), &json!("Ana")));
    assert_eq!(gauges(&api).await, ["countersign_break_glass_open 1", "countersign_break_glass_overdue 0"]);
    let [opened] = &entries(&api, "break_glass.opened").await[..] else { panic!("not one entry") };
    assert_eq!(opened["leaf"]["actor"], ANA.to_string());
    assert_eq!(opened["details"]["reason"], "the primary is gone");
    assert_eq!(opened["details"]["parameters"], json!({ "to": "eu-west" }));
    let incidents = api.ok(Call::get("/admin/incidents").by("Aud")).await.json;
    assert_eq!(
        (&incidents["items"][0]["cause"], &incidents["items"][0]["about"]),
        (&json!("break-glass"), &json!(id))
    );

    let started = api.ok(Call::post(format!("/admin/permits/{permit}/start"), &json!({})).by("Ana")).await;
    assert_eq!((&started.json["break_glass"], started.json.get("approval")), (&json!(id), None));
    let shown = api.ok(Call::get(format!("/admin/break-glass/{id}")).by("Ben")).await.json;
    assert_eq!(
        (&shown["parameters"], &shown["reason"]),
        (&json!({ "to": "eu-west" }), &json!("the primary is gone"))
    );

    let own = api.refusal(review(&id, "justified").by("Ana")).await;
    assert_eq!(own, (403, "self_review".into()));
    let silent = json!({ "verdict": "justified", "reason": " " });
    let silent = Call::post(format!("/admin/break-glass/{id}/review"), &silent).by("Ben");
    assert_eq!(api.refusal(silent).await, (422, "reason_required".into()));
    let settled = api.ok(review(&id, "unjustified").by("Ben")).await.json;
    assert_eq!(
        (&settled["status"], &settled["verdict"], &settled["timeliness"]),
        (&json!("settled"), &json!("unjustified"), &json!("in-time"))
    );
    let [reviewed] = &entries(&api, "break_glass.reviewed").await[..] else { panic!("not one entry") };
    assert_eq!(reviewed["details"]["reason"], "read the timeline");
    assert_eq!(gauges(&api).await, ["countersign_break_glass_open 0", "countersign_break_glass_overdue 0"]);
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bypass_actor_and_comment_are_in_history() {
    history_says_who_and_why(Api::over(Box::new(MemoryStore::new()), policy()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bypass_actor_and_comment_are_in_history_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(folder.path().join("ledger.db")).expect("a store");
    history_says_who_and_why(Api::over(Box::new(store), policy()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_signed_like_this_is_refused() {
    let api = Api::start().await;
    let key = SshKey::new(1);
    let unenrolled = api.refusal(open(&opening(&api, &key))).await;
    assert_eq!(unenrolled, (403, "voting_key_not_in_force".into()));
    enrolled(&api, ANA, &key).await;
    for (field, other) in [
        ("reason", json!("another reason")),
        ("parameters", json!({ "to": "eu-east" })),
        ("parameters_salt", json!("0".repeat(64))),
        ("action", json!({ "verb": "override", "resource": "payout/limit", "environment": "production" })),
    ] {
        let mut forged = opening(&api, &key);
        forged[field] = other;
        assert_eq!(api.refusal(open(&forged)).await, (422, "signature_invalid".into()), "{field}");
    }
    let mut elsewhere = statement(&api.engine, "the primary is gone");
    elsewhere.log = "another.test".into();
    let forged = body(&elsewhere, &key.sign(NAMESPACE, &elsewhere.to_bytes()));
    assert_eq!(api.refusal(open(&forged)).await, (422, "signature_invalid".into()), "another log");
    let vote = statement(&api.engine, "the primary is gone");
    let forged = body(&vote, &key.sign("approval@countersign", &vote.to_bytes()));
    assert_eq!(api.refusal(open(&forged)).await, (422, "signature_invalid".into()), "another purpose");
    let others = body(&vote, &SshKey::new(2).sign(NAMESPACE, &vote.to_bytes()));
    assert_eq!(api.refusal(open(&others)).await, (403, "voting_key_not_in_force".into()));
    let silent = statement(&api.engine, "");
    let silent = body(&silent, &key.sign(NAMESPACE, &silent.to_bytes()));
    assert_eq!(api.refusal(open(&silent)).await, (422, "reason_required".into()));
    let good = opening(&api, &key);
    api.ok(open(&good)).await;
    assert_eq!(api.refusal(open(&good)).await, (409, "statement_used".into()));
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overdue_review_stops_everybody_and_says_who_could_do_it() {
    let api = Api::start().await;
    let key = SshKey::new(1);
    enrolled(&api, ANA, &key).await;
    let id = api.ok(open(&opening(&api, &key))).await.id();
    api.clock.forward(3_600);
    let answer = api.call(open(&opening(&api, &key))).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (409, "break_glass_overdue"));
    assert!(answer.json["detail"].as_str().is_some_and(|detail| detail.contains(&id)), "{answer:?}");
    assert_eq!(answer.json["missing"][0]["could"][0]["name"], "Ben");
    let debts = api.ok(Call::get("/admin/break-glass").by("Aud")).await.json;
    assert_eq!(debts["items"][0]["status"], "overdue");
    assert_eq!(gauges(&api).await, ["countersign_break_glass_open 1", "countersign_break_glass_overdue 1"]);
    assert_eq!(api.ok(Call::get("/readyz")).await.status.as_u16(), 200, "it decides everything else");
    let settled = api.ok(review(&id, "justified").by("Ben")).await.json;
    assert_eq!((&settled["verdict"], &settled["timeliness"]), (&json!("justified"), &json!("late")));
    api.ok(open(&opening(&api, &key))).await;
    api.engine.stop().await;
}
