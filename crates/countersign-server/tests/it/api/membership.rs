//! People come and go over HTTP: invitations that expire and are replaced, and of whoever is deactivated nothing counts any more, at once.

use std::time::Duration;

use countersign_api::person::DEFAULT_CLAIM_SECONDS;
use countersign_core::digest::Digest;
use countersign_core::id::PersonId;
use countersign_core::policy::Policy;
use countersign_server::store::memory::MemoryStore;
use serde_json::{Value, json};

use super::harness::{Api, Call, EVE, payout, policy, redact};
use crate::engine::fixture::{self, ANA, AUD, BEN, CHLOE};

const DEE: PersonId = PersonId(6);

/// Longest that a watcher who was sent away may take to notice.
const PATIENCE: Duration = Duration::from_secs(20);

/// A claim of the usual form.
fn claim(letter: char) -> String {
    format!("csc_{}", letter.to_string().repeat(43))
}

fn asking(name: &str, claim_seconds: u32) -> Value {
    let action = json!({ "verb": "invite", "resource": format!("person/{DEE}"), "environment": "control" });
    json!({ "action": action, "parameters": { "claim_seconds": claim_seconds, "name": name } })
}

fn inviting(name: &str, letter: char, approval: &str) -> Value {
    let claim_sha256 = Digest::of(claim(letter).as_bytes()).to_string();
    json!({ "id": DEE, "name": name, "claim_sha256": claim_sha256, "approval": approval })
}

/// An invitation that Ben and Chloe agreed to; its claim is all `A`s.
pub(super) async fn invited(api: &Api, (name, claim_seconds): (&str, u32)) -> Value {
    let approval = api.approved(&asking(name, claim_seconds)).await;
    let mut invitation = inviting(name, 'A', &approval);
    invitation["claim_seconds"] = json!(claim_seconds);
    invitation
}

fn invite(body: &Value) -> Call {
    Call::post("/admin/people", body).by("Ana")
}

/// Replaces a claim by the credential "Dee".
fn claiming(letter: char) -> Call {
    let credential_sha256 = Digest::of(b"Dee").to_string();
    let body = json!({ "claim": claim(letter), "credential_sha256": credential_sha256 });
    Call::post("/admin/people/claim", &body)
}

pub(super) fn deactivate(person: PersonId) -> Call {
    Call::post(format!("/admin/people/{person}/deactivate"), &json!({ "reason": "left" })).by("Ana")
}

/// The harness' policy with Eve as a third approver, so that the policy can be replaced without Ben.
fn spare() -> Policy {
    let mut spare = serde_json::to_value(policy()).expect("JSON");
    spare["groups"]["approvers"] = json!([BEN, CHLOE, EVE]);
    serde_json::from_value(spare).expect("a policy")
}

async fn with_a_spare() -> (Api, MemoryStore) {
    let store = MemoryStore::new();
    (Api::over(Box::new(store.clone()), spare()).await, store)
}

/// What `GET /admin/people` says of somebody.
async fn listed(api: &Api, person: PersonId) -> Value {
    let everybody = api.ok(Call::get("/admin/people").by("Aud")).await.json;
    let mut items = everybody["items"].as_array().expect("items").iter();
    items.find(|item| item["id"] == json!(person)).cloned().unwrap_or_default()
}

async fn asked(api: &Api) -> String {
    api.ok(Call::post("/admin/approvals", &payout()).by("Ana")).await.id()
}

fn approve(id: &str, body: &Value) -> Call {
    Call::post(format!("/admin/approvals/{id}/approve"), body)
}

async fn finish(api: &Api, store: &MemoryStore) {
    api.engine.stop().await;
    fixture::verify(&mut store.clone());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_invited_claims_once_and_then_belongs() {
    let (api, store) = with_a_spare().await;
    let mut body = invited(&api, ("Dee", DEFAULT_CLAIM_SECONDS)).await;
    body["reason"] = json!("joins the payments team");
    let index = api.engine.size() + 1;
    let began = api.ok(invite(&body)).await;
    assert_eq!((began.status.as_u16(), &began.json["name"]), (201, &json!("Dee")));
    let entry = api.ok(Call::get(format!("/admin/entries/{index}")).by("Aud")).await.json;
    let details = json!({ "name": "Dee", "reason": "joins the payments team" });
    assert_eq!((&entry["leaf"]["kind"], &entry["details"]), (&json!("person.enrolled"), &details), "{entry}");
    let seen = listed(&api, DEE).await;
    assert_eq!((&seen["status"], seen["claim_until"].is_string()), (&json!("invited"), true), "{seen}");
    assert_eq!(api.ok(claiming('A')).await.json["status"], "active");
    let seen = listed(&api, DEE).await;
    assert_eq!((&seen["status"], &seen["claim_until"]), (&json!("active"), &Value::Null), "{seen}");
    assert_eq!(api.ok(Call::get("/admin/people/me").by("Dee")).await.json["name"], "Dee");

    let other = json!({ "claim": claim('A'), "credential_sha256": Digest::of(b"Mallory").to_string() });
    let again = api.refusal(Call::post("/admin/people/claim", &other)).await;
    assert_eq!(again, (403, "unknown_claim".into()), "a claim works once");
    assert_eq!(api.refusal(invite(&body)).await, (409, "approval_consumed".into()));
    let text = std::str::from_utf8(&whole(&api).await).expect("text").to_owned();
    assert!(!text.contains("Dee") && !text.contains("csc_"), "neither name nor claim is in a leaf");
    finish(&api, &store).await;
}

/// Every leaf.
async fn whole(api: &Api) -> Vec<u8> {
    let entries = api.engine.read(|reader| reader.entries(0, 1_000)).await.expect("readable");
    entries.into_iter().flat_map(|entry| entry.leaf).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_is_exactly_what_was_agreed_to() {
    let (api, store) = with_a_spare().await;
    let mut bare = inviting("Dee", 'A', "");
    bare.as_object_mut().expect("a body").remove("approval");
    let refused = api.call(invite(&bare)).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (428, "approval_required"));
    assert_eq!(refused.json["missing"][0]["needed"], 2, "{}", refused.json);
    let request = refused.json["request"].clone();
    assert_eq!(request, asking("Dee", DEFAULT_CLAIM_SECONDS), "what to ask is ready-made");
    let approval = api.approved(&request).await;
    for (key, value) in [("name", json!("Mallory")), ("claim_seconds", json!(60))] {
        let mut other = inviting("Dee", 'A', &approval);
        other[key] = value;
        assert_eq!(api.refusal(invite(&other)).await, (409, "parameters_mismatch".into()), "{key}");
    }
    let mut elsewhere = inviting("Dee", 'A', &approval);
    elsewhere["id"] = json!(PersonId(7));
    assert_eq!(api.refusal(invite(&elsewhere)).await, (409, "action_mismatch".into()));
    api.ok(invite(&inviting("Dee", 'A', &approval))).await;
    finish(&api, &store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_name_no_time_and_no_claim_is_rejected() {
    let api = Api::start().await;
    let size = api.engine.size();
    for name in ["", " Dee", "Dee\n", "De\u{0}e", &"e".repeat(201)] {
        let body = inviting(name, 'A', "apr_00000000000000000000000000000009");
        assert_eq!(api.refusal(invite(&body)).await, (400, "malformed".into()), "{name:?}");
    }
    for (key, value) in [
        ("claim_seconds", json!(0)),
        ("claim_sha256", json!("csc_x")),
        ("id", json!("dee")),
        ("claim", json!("csc_x")),
    ] {
        let mut body = inviting("Dee", 'A', "apr_00000000000000000000000000000009");
        body[key] = value;
        assert_eq!(api.refusal(invite(&body)).await, (400, "malformed".into()), "{key}");
    }
    let mut long = invited(&api, ("Dee", 14 * 24 * 3_600 + 1)).await;
    assert_eq!(api.refusal(invite(&long)).await, (422, "invitation_open_too_long".into()));
    long["id"] = json!(EVE);
    assert_eq!(api.refusal(invite(&long)).await, (409, "action_mismatch".into()));
    let written = api.engine.read(move |reader| reader.entries(size, 100)).await.expect("readable").len();
    assert_eq!(written, 4, "a request, two votes, and that it was approved");
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_expires_and_another_replaces_it() {
    let (api, store) = with_a_spare().await;
    api.ok(invite(&invited(&api, ("Dee", 3_600)).await)).await;
    api.clock.forward(3_601);
    assert_eq!(api.refusal(claiming('A')).await, (403, "claim_expired".into()));
    assert_eq!(listed(&api, DEE).await["status"], "invited", "until somebody does something about it");

    let approval = api.approved(&asking("Dee", DEFAULT_CLAIM_SECONDS)).await;
    let used = inviting("Dee", 'A', &approval);
    assert_eq!(
        api.refusal(invite(&used)).await,
        (409, "claim_in_use".into()),
        "the expired one, drawn again"
    );
    api.ok(invite(&inviting("Dee", 'E', &approval))).await;
    assert_eq!(api.refusal(claiming('A')).await, (403, "unknown_claim".into()));
    assert_eq!(api.ok(claiming('E')).await.json["status"], "active");

    let approval = api.approved(&asking("Dee", DEFAULT_CLAIM_SECONDS)).await;
    let late = inviting("Dee", 'I', &approval);
    assert_eq!(api.refusal(invite(&late)).await, (409, "already_enrolled".into()));
    finish(&api, &store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_who_is_deactivated_nothing_counts_from_the_next_request_on() {
    let (api, store) = with_a_spare().await;
    let id = asked(&api).await;
    for who in ["Ben", "Chloe"] {
        api.ok(approve(&id, &json!({})).by(who)).await;
    }
    let gone = api.ok(deactivate(BEN)).await.json;
    assert_eq!((&gone["status"], gone["deactivated_at"].is_string()), (&json!("deactivated"), true));
    let size = api.engine.size();
    for call in [Call::get("/admin/people/me"), approve(&id, &json!({})), Call::get("/admin/watch")] {
        assert_eq!(api.refusal(call.by("Ben")).await, (401, "unauthenticated".into()));
    }
    assert_eq!(api.engine.size(), size);
    let mut reserve = payout();
    reserve["approval"] = json!(id);
    let refused = api.call(Call::post("/admin/permits", &reserve).by("Ana")).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "approval_pending"));
    let could = &refused.json["missing"][0]["could"];
    assert_eq!(could, &json!([{ "id": EVE, "name": "Eve" }]), "who could agree instead");
    api.ok(approve(&id, &json!({})).by("Eve")).await;
    api.ok(Call::post("/admin/permits", &reserve).by("Ana")).await;

    let listed = api.ok(Call::get("/admin/people?status=deactivated").by("Aud")).await.json;
    assert_eq!((listed["items"].as_array().map(Vec::len), &listed["items"][0]["id"]), (Some(1), &json!(BEN)));
    assert_eq!(api.refusal(deactivate(BEN)).await, (409, "person_deactivated".into()));
    assert_eq!(api.refusal(deactivate(PersonId(99))).await, (404, "unknown_person".into()));
    assert_eq!(
        api.refusal(deactivate(CHLOE)).await,
        (409, "person_still_needed".into()),
        "two of Ben, Chloe and Eve replace the policy"
    );
    finish(&api, &store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_may_demand_that_others_agree_to_a_deactivation() {
    let mut strict = serde_json::to_value(spare()).expect("JSON");
    for rule in strict["rules"].as_array_mut().expect("rules") {
        if rule["verb"] == "deactivate" {
            rule["approval"] = json!("required");
            rule["quorum"] = json!({ "approvers": 2 });
        }
    }
    let strict = serde_json::from_value(strict).expect("a policy");
    let api = Api::over(Box::new(MemoryStore::new()), strict).await;
    let refused = api.call(deactivate(AUD)).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (428, "approval_required"));
    let approval = api.approved(&refused.json["request"]).await;
    let path = |person| format!("/admin/people/{person}/deactivate");
    let body = json!({ "approval": approval, "reason": "left" });
    let elsewhere = api.refusal(Call::post(path(EVE), &body).by("Ana")).await;
    assert_eq!(elsewhere, (409, "action_mismatch".into()));
    api.ok(Call::post(path(AUD), &body).by("Ana")).await;
    assert_eq!(api.refusal(Call::get("/admin/people/me").by("Aud")).await.0, 401);
    api.engine.stop().await;
}

/// What a deactivation takes from whoever is invited is the claim.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_can_be_taken_back() {
    let (api, store) = with_a_spare().await;
    api.ok(invite(&invited(&api, ("Dee", DEFAULT_CLAIM_SECONDS)).await)).await;
    api.ok(deactivate(DEE)).await;
    assert_eq!(api.refusal(claiming('A')).await, (403, "unknown_claim".into()));
    assert_eq!(listed(&api, DEE).await["claim_until"], Value::Null);
    finish(&api, &store).await;
}

/// Without that, each of these would go on for good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_watches_and_is_deactivated_is_sent_away() {
    let (api, store) = with_a_spare().await;
    let id = asked(&api).await;
    let one = Call::get(format!("/admin/approvals/{id}/watch"));
    for (watch, who, person) in [(Call::get("/admin/watch"), "Aud", AUD), (one, "Ben", BEN)] {
        let both = async { tokio::join!(api.ok(watch.by(who)), api.ok(deactivate(person))) };
        let (heard, _) = tokio::time::timeout(PATIENCE, both).await.expect("the watch ends");
        assert_eq!(heard.header("content-type"), "text/event-stream");
        assert!(!heard.text.contains("person.deactivated"), "{}", heard.text);
    }
    finish(&api, &store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delegations_from_and_to_who_is_deactivated_end() {
    let (api, store) = with_a_spare().await;
    let until = "2027-02-01T00:00:00Z";
    let delegate = |to: PersonId| Call::post("/admin/delegations", &json!({ "to": to, "until": until }));
    api.ok(delegate(AUD).by("Ben")).await;
    let id = asked(&api).await;
    api.ok(deactivate(BEN)).await;
    let in_bens_place = approve(&id, &json!({ "on_behalf": BEN })).by("Aud");
    assert_eq!(api.refusal(in_bens_place).await, (403, "not_a_delegate".into()));
    assert_eq!(api.ok(Call::get("/admin/delegations").by("Ana")).await.json["items"], json!([]));

    api.ok(delegate(AUD).by("Chloe")).await;
    api.ok(deactivate(AUD)).await;
    let shown = api.ok(Call::get(format!("/admin/approvals/{id}")).by("Ana")).await.json;
    let could: Vec<&Value> =
        shown["missing"][0]["could"].as_array().expect("people").iter().map(|it| &it["name"]).collect();
    assert_eq!(could, ["Chloe", "Eve"], "the delegate is gone");
    let listed = api.ok(Call::get("/admin/delegations").by("Ana")).await.json;
    assert_eq!(listed["items"][0]["active"], json!(false), "Chloe's to end, and of no use: {listed}");
    let refused = api.refusal(delegate(AUD).by("Eve")).await;
    assert_eq!(refused, (404, "unknown_delegate".into()), "nobody delegates to who is gone");
    finish(&api, &store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_was_redacted_is_gone_from_answers() {
    let (api, store) = with_a_spare().await;
    api.ok(invite(&invited(&api, ("Dee", DEFAULT_CLAIM_SECONDS)).await)).await;
    let entries = api.engine.read(|reader| reader.entries_of(&DEE.to_string(), 0, 1)).await;
    let index = entries.expect("readable")[0].index;
    let body = json!({ "entries": [index], "approval": api.approved(&redact(&[index])).await });
    assert_eq!(listed(&api, DEE).await["name"], "Dee");
    api.ok(Call::post("/admin/redactions", &body).by("Ana")).await;
    assert_eq!(listed(&api, DEE).await["name"], Value::Null);
    assert_eq!(api.ok(claiming('A')).await.json["status"], "active", "who they are was never the name");
    assert_eq!(listed(&api, ANA).await["name"], "Ana");
    finish(&api, &store).await;
}
