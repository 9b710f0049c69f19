//! The log's keys over HTTP: their history, putting the next one in force, and what stands in the way.

use countersign_ledger::entry::EntryView;
use countersign_ledger::keys::KeyHistory;
use countersign_ledger::note;
use countersign_server::engine::{Engine, Options};
use countersign_server::http;
use countersign_server::search::{Place, Search};
use countersign_server::store::memory::MemoryStore;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::harness::{Api, Call, next_key};
use crate::engine::fixture::{self, next_signer, signer};

async fn keys(api: &Api) -> Value {
    api.ok(Call::get("/ledger/keys")).await.json
}

/// The history as anybody can follow it from the answer alone.
fn followed(keys: &Value) -> KeyHistory {
    let mut history = KeyHistory::new();
    for key in keys["keys"].as_array().expect("keys") {
        let leaf = key["leaf_text"].as_str().expect("a leaf").as_bytes();
        history.follow(&EntryView::parse(leaf).expect("an entry")).expect("a link that holds");
        assert_eq!(history.current().expect("a key").to_string(), key["key"]);
    }
    history
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_key_is_put_in_force_once_and_everybody_can_follow() {
    let api = Api::start().await;
    let before = keys(&api).await;
    assert_eq!(
        (&before["origin"], before["keys"].as_array().map(Vec::len)),
        (&fixture::ORIGIN.into(), Some(1))
    );
    assert_eq!(followed(&before).current(), Some(&signer().verifier()));

    let body = json!({ "approval": api.approved(&next_key()).await });
    api.signed().await;
    let call = || Call::post("/admin/log/keys", &body).by("Ana").key("once");
    let after = api.ok(call()).await.json;
    assert_eq!(after, keys(&api).await);
    let (size, history) = (api.engine.size(), followed(&after));
    assert_eq!(history.current(), Some(&next_signer().verifier()));
    let [first, second] = [0, 1].map(|at| &after["keys"][at]);
    assert_eq!((&first["from_size"], &first["until_size"]), (&1.into(), &(size - 1).into()));
    assert_eq!((&second["entry"], &second["from_size"]), (&(size - 1).into(), &size.into()));
    assert!(first.get("handover").is_none() && second.get("until_size").is_none(), "{after}");
    let both = [signer().verifier(), next_signer().verifier()];
    let opened = note::open(second["handover"].as_str().expect("a note"), &both).expect("both have signed");
    assert!(opened.text.starts_with("countersign log key handover v1\n"), "{}", opened.text);

    assert_eq!(api.ok(call()).await.json, after, "repeating it is harmless");
    assert_eq!(api.engine.size(), size);
    let again = Call::post("/admin/log/keys", &body).by("Ana");
    assert_eq!(api.refusal(again).await, (409, "approval_consumed".into()));
    let body = json!({ "approval": api.approved(&next_key()).await });
    let same = Call::post("/admin/log/keys", &body).by("Ana");
    assert_eq!(api.refusal(same).await, (409, "log_key_in_force".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_key_than_the_approved_one_is_not_put_in_force() {
    let api = Api::start().await;
    let mut other = next_key();
    other["parameters"]["new_key"] = signer().vkey().into();
    let body = json!({ "approval": api.approved(&other).await });
    let refusal = api.refusal(Call::post("/admin/log/keys", &body).by("Ana")).await;
    assert_eq!(refusal, (409, "parameters_mismatch".into()));
    let body = json!({ "approval": "apr_00000000000000000000000000000009" });
    let refusal = api.refusal(Call::post("/admin/log/keys", &body).by("Ana")).await;
    assert_eq!(refusal, (404, "approval_not_found".into()));
    let refusal = api.refusal(Call::post("/admin/log/keys", &json!({ "approval": "x" })).by("Ana")).await;
    assert_eq!(refusal, (400, "malformed".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_a_next_key_says_what_to_do() {
    let options = Options { next_signer: None, ..fixture::options() };
    let engine = Engine::start(Box::new(MemoryStore::new()), options).expect("it starts");
    fixture::genesis(&engine).await;
    let body = json!({ "approval": "apr_00000000000000000000000000000009" }).to_string();
    let request = axum::http::Request::post("/admin/log/keys")
        .header("authorization", "Bearer Ana")
        .header("idempotency-key", "once")
        .body(axum::body::Body::from(body))
        .expect("a request");
    let search = Search::start(&engine, Place::memory());
    let answer = http::router((engine, search), http::recorder()).oneshot(request).await.expect("an answer");
    assert_eq!(answer.status(), 409);
    let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.expect("a body");
    let problem: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(problem["code"], "no_next_log_key");
    assert!(problem["hint"].as_str().is_some_and(|hint| hint.contains("next_log_key")), "{problem}");
}
