//! Sessions over HTTP: what they open, how they live on, and how they end.

use countersign_core::digest::Digest;
use countersign_core::id::SessionId;
use countersign_core::once::Spent;
use countersign_core::passkey::{AddPasskey, NewPasskey};
use countersign_core::session::{Method, StepUp};
use countersign_core::{Actor, Command, Via};
use countersign_server::engine::Submission;
use countersign_server::store::memory::MemoryStore;
use serde_json::{Value, json};

use super::harness::{Api, Call, EVE, payout, policy};
use super::membership::deactivate;
use crate::engine::fixture::BEN;

const SESSIONS: &str = "/admin/sessions";

/// Stands for what a terminal drew.
const SECRET: &str = "css_of_somebody";

fn wanted(secret: &str) -> Value {
    json!({ "session_sha256": Digest::of(secret.as_bytes()).to_string() })
}

/// The id of a session that its person's credential opens.
async fn opened(api: &Api, (who, secret): (&'static str, &str)) -> String {
    api.ok(Call::post(SESSIONS, &wanted(secret)).by(who)).await.id()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_signed_in_is_the_person_until_they_sign_out() {
    let api = Api::start().await;
    let id = opened(&api, ("Ana", SECRET)).await;
    let other = opened(&api, ("Ana", "css_other")).await;
    let me = api.ok(Call::get("/admin/people/me").by(SECRET)).await;
    assert_eq!(me.json, api.ok(Call::get("/admin/people/me").by("Ana")).await.json);
    let listed = api.ok(Call::get(SESSIONS).by(SECRET)).await.json;
    let shown: Vec<_> = listed["items"].as_array().expect("items").iter().collect();
    assert_eq!(shown.iter().map(|it| it["id"].as_str()).collect::<Vec<_>>(), [Some(&*other), Some(&*id)]);
    assert_eq!((&shown[0]["current"], &shown[1]["current"]), (&json!(false), &json!(true)));
    assert_eq!(shown[1]["method"], "credential");
    let asked = api.ok(Call::post("/admin/approvals", &payout()).by(SECRET)).await;
    assert_eq!(asked.json["requester"]["id"], me.json["id"]);

    let ended = api.ok(Call::post(format!("{SESSIONS}/{id}/end"), &json!({})).by(SECRET)).await;
    assert_eq!(ended.json["status"], "signed-out");
    assert_eq!(api.refusal(Call::get(SESSIONS).by(SECRET)).await, (401, "unauthenticated".into()));
    let ended = api.ok(Call::post(format!("{SESSIONS}/{other}/end"), &json!({})).by("Ana")).await;
    assert_eq!(ended.json["status"], "revoked");
    assert_eq!(api.ok(Call::get(SESSIONS).by("Ana")).await.json["items"], json!([]));
    api.engine.stop().await;
}

/// Uses the session until the node has written that down, apart from the requests and once at a time.
async fn used(api: &Api) {
    let size = api.engine.size();
    while api.engine.size() == size {
        api.ok(Call::get("/admin/people/me").by(SECRET)).await;
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_used_lives_on_and_one_that_rests_ends() {
    let api = Api::start().await;
    opened(&api, ("Ana", SECRET)).await;
    opened(&api, ("Ana", "css_other")).await;
    api.clock.forward(600);
    used(&api).await;
    // A use soon after is not written down.
    api.ok(Call::get("/admin/people/me").by(SECRET)).await;
    api.clock.forward(1_500);
    let ended = api.refusal(Call::get(SESSIONS).by("css_other")).await;
    assert_eq!(ended, (401, "unauthenticated".into()));
    used(&api).await;
    let entries = api.engine.read(|reader| reader.entries(0, 1_000)).await.expect("readable");
    let leaves = entries.iter().map(|it| serde_json::from_slice::<Value>(&it.leaf).expect("JSON"));
    let extended: Vec<Value> = leaves.filter(|leaf| leaf["kind"] == "session.extended").collect();
    assert_eq!(extended.len(), 2);
    assert!(extended.iter().all(|leaf| leaf["actor"] == "node"));
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_with_its_person() {
    let api = Api::start().await;
    opened(&api, ("Eve", SECRET)).await;
    api.ok(Call::get("/admin/people/me").by(SECRET)).await;
    api.ok(deactivate(EVE)).await;
    let refused = api.refusal(Call::get("/admin/people/me").by(SECRET)).await;
    assert_eq!(refused, (401, "unauthenticated".into()));
    api.engine.stop().await;
}

/// What the pages do once they have verified what a passkey signed.
async fn stepped_up(api: &Api, session: SessionId, (request, number): (&str, u8)) {
    let via = Via { session, request_sha256: Digest::of(b"on a page") };
    let passkey = NewPasskey {
        key: "a passkey of Ben's".into(),
        key_sha256: Digest::of(b"key"),
        public_key_sha256: Digest::of(b"public"),
        synced: false,
    };
    let key_sha256 = passkey.key_sha256;
    let by_ben = |command| Submission::new(Actor::Person(BEN), command).via(Some(via));
    if number == 1 {
        let add = by_ben(Command::AddPasskey(AddPasskey { passkey }));
        api.engine.submit(add).await.expect("a passkey");
    }
    let step_up = by_ben(Command::StepUp(StepUp {
        method: Method::Passkey { key_sha256 },
        request_sha256: Digest::of(request.as_bytes()),
        spent: Some(Spent { sha256: Digest([number; 32]), until: api.engine.now().plus_seconds(60) }),
    }));
    api.engine.submit(step_up).await.expect("a step-up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vote_that_must_be_fresh_takes_a_step_up_for_exactly_that_request() {
    let mut fresh = policy();
    let payouts = fresh.rules.iter_mut().find(|rule| rule.name.as_str() == "payout").expect("a rule");
    payouts.fresh_seconds = Some(60.try_into().expect("a minute"));
    let api = Api::over(Box::new(MemoryStore::new()), fresh).await;
    let asked = api.ok(Call::post("/admin/approvals", &payout()).by("Ana")).await;
    assert_eq!(asked.json["fresh_seconds"], 60);
    let path = format!("/admin/approvals/{}/approve", asked.id());
    let vote = |who| Call::post(path.clone(), &json!({})).by(who);
    let not_fresh = (403, "not_fresh".to_owned());
    assert_eq!(api.refusal(vote("Ben")).await, not_fresh, "a credential alone does not do");
    let session: SessionId = opened(&api, ("Ben", SECRET)).await.parse().expect("a session");
    assert_eq!(api.refusal(vote(SECRET)).await, not_fresh);
    let other = format!("countersign-request-v1\nPOST {path}\n{{ }}");
    stepped_up(&api, session, (&other, 1)).await;
    assert_eq!(api.refusal(vote(SECRET)).await, not_fresh, "a space more is another request");
    let this = format!("countersign-request-v1\nPOST {path}\n{{}}");
    stepped_up(&api, session, (&this, 2)).await;
    api.ok(vote(SECRET)).await;
    api.engine.stop().await;
}
