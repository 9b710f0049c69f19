//! What machines ask of the node: whether it lives, whether it can decide, what it counts.

use std::collections::BTreeSet;

use countersign_server::engine::Engine;
use countersign_server::http;
use countersign_server::search::{Place, Search};
use countersign_server::store::memory::MemoryStore;
use tower::ServiceExt as _;

use super::coverage::routes;
use super::harness::{Api, Call, ping, policy};
use crate::engine::fixture;
use crate::store::faulty::{Fault, Faults, FaultyStore};

async fn not_ready(api: &Api, code: &str) -> String {
    let answer = api.call(Call::get("/readyz")).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (503, code));
    assert_eq!(api.ok(Call::get("/healthz")).await.text, "ok\n", "the process lives all the same");
    answer.json["detail"].as_str().expect("text").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_cannot_decide_says_so_and_why() {
    let api = Api::start().await;
    assert_eq!(api.ok(Call::get("/readyz")).await.text, "ready\n");
    api.clock.jump();
    let why = not_ready(&api, "stale").await;
    assert!(why.contains("differs from the monotonic clock by -9000 ms"), "{why}");
    let size = api.engine.size();
    let refusal = api.refusal(Call::post("/admin/permits", &ping()).by("Ana")).await;
    assert_eq!(refusal, (503, "stale".into()));
    assert_eq!(api.engine.size(), size);

    let api = Api::start().await;
    api.engine.stop().await;
    assert_eq!(not_ready(&api, "unavailable").await, "the engine has stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_genesis_is_not_ready() {
    let engine = Engine::start(Box::new(MemoryStore::new()), fixture::options()).expect("it starts");
    let request = axum::http::Request::get("/readyz").body(axum::body::Body::empty()).expect("a request");
    let search = Search::start(&engine, Place::memory());
    let answer = http::router((engine, search), http::recorder()).oneshot(request).await.expect("an answer");
    assert_eq!(answer.status(), 503);
    let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.expect("a body");
    assert!(String::from_utf8_lossy(&body).contains("the log has no genesis yet"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_does_not_take_it_is_told_as_such_and_nothing_is_lost() {
    let faults = Faults::default();
    let store = FaultyStore::new(MemoryStore::new(), &faults);
    let api = Api::over(Box::new(store), policy()).await;
    let size = api.engine.size();
    for nth in 0..4 {
        faults.fail(nth, Fault::BeforePersisting);
    }
    let call = || Call::post("/admin/permits", &ping()).by("Ana").key("once");
    assert_eq!(api.refusal(call()).await, (503, "unavailable".into()));
    assert_eq!(api.engine.size(), size);
    api.ok(call()).await;
}

/// The routes that `/metrics` names.
async fn counted(api: &Api) -> BTreeSet<String> {
    let text = api.ok(Call::get("/metrics")).await.text;
    let routes = text.lines().filter_map(|line| line.split_once("route=\"")?.1.split('"').next());
    routes.map(ToOwned::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_counted_by_template_so_nobody_can_add_series() {
    let api = Api::start().await;
    let id = api.permit().await;
    api.ok(Call::get(format!("/admin/permits/{id}")).by("Ana")).await;
    for nth in 0..50 {
        api.call(Call::get(format!("/random-{nth}?x={nth}"))).await;
        api.call(Call::get(format!("/admin/permits/prm_{nth:032x}")).by("Ana")).await;
        let method = format!("RANDOM{nth}").parse().expect("a method");
        api.call(Call::new(method, "/healthz".into(), Vec::new())).await;
    }
    let counted = counted(&api).await;
    let known: BTreeSet<String> =
        routes().iter().filter_map(|route| Some(route.split_once(' ')?.1.into())).collect();
    assert!(counted.contains("/admin/permits/{id}") && counted.contains("unmatched"), "{counted:?}");
    for route in counted {
        assert!(known.contains(&route) || route == "unmatched", "`{route}` is not a template");
    }
    let text = api.ok(Call::get("/metrics")).await.text;
    assert!(!text.contains("random-") && !text.contains("RANDOM") && !text.contains(&id), "{text}");
    for name in [
        "countersign_http_requests_total{",
        "countersign_http_request_seconds_bucket{",
        "countersign_engine_batch_commands_bucket{",
        "countersign_ledger_entries ",
        "countersign_state_age_seconds ",
        "countersign_live_subjects{kind=\"permit\"}",
        "status=\"4xx\"",
    ] {
        assert!(text.contains(name), "{name} in\n{text}");
    }
}
