//! What every answer tells a browser: walked over every route of the contract and some that are none, let in or not.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, Response};
use countersign_server::config::PublicUrl;
use countersign_server::http::{self, Outside, Site};
use countersign_server::search::{Place, Search};
use tower::ServiceExt as _;

use super::coverage::routes;
use super::harness::{Answer, Api, Call};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

fn clean(answer: &Answer, asked: &str) {
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), value, "{asked}: {name}");
        assert_eq!(answer.headers.get_all(name).iter().count(), 1, "{asked}: {name}");
    }
    assert!(answer.header("permissions-policy").contains("publickey-credentials-get=(self)"), "{asked}");
    let public = asked.contains(" /ledger/") && answer.status.is_success();
    assert!(public || answer.header("cache-control") == "no-store", "{asked}: {answer:?}");
    assert_eq!(answer.header("set-cookie"), "", "{asked}: the API knows no cookies");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_says_what_a_browser_may_do_with_it() {
    let api = Api::start().await;
    api.signed().await;
    let nowhere = ["GET /", "GET /nowhere", "POST /admin", "DELETE /healthz", "GET /ledger/nowhere"];
    for route in routes().into_iter().chain(nowhere.map(str::to_owned)) {
        let (method, path) = route.split_once(' ').expect("a method and a path");
        // Any value will do: what is not there is told with the same headers.
        let path = path.replace(['{', '}', '*'], "");
        let path = if path.ends_with("/watch") { format!("{path}?limit=1") } else { path };
        let call = Call::new(method.parse().expect("a method"), path.clone(), b"{}".to_vec());
        clean(&api.call(call.clone()).await, &route);
        if !path.contains("/watch") {
            clean(&api.call(call.by("Ana")).await, &route);
        }
    }
    // A tile is bytes, and may be kept for ever.
    let tile = Request::get("/ledger/tile/0/000.p/1").body(Body::empty()).expect("a request");
    let tile = api.router().oneshot(tile).await.expect("an answer");
    assert!(tile.status().is_success());
    assert_ne!(tile.headers()["cache-control"], "no-store");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn browsers_are_told_never_to_come_in_clear_only_behind_tls_and_never_for_localhost() {
    let api = Api::start().await;
    let said = async |url: &str| {
        let site = Some(Arc::new(Site::new(PublicUrl::parse(url).expect("an address"), [7; 32])));
        let served = (api.engine.clone(), Search::start(&api.engine, Place::memory()));
        let outside = Outside { site, ..Outside::default() };
        let request = Request::get("/healthz").body(Body::empty()).expect("a request");
        let router = http::router_with(served, http::recorder(), outside);
        let answer: Response<_> = router.oneshot(request).await.expect("an answer");
        let said = answer.headers().get("strict-transport-security");
        said.map(|value| value.to_str().expect("text").to_owned())
    };
    assert_eq!(said("https://countersign.example").await.as_deref(), Some("max-age=63072000"));
    assert_eq!(said("http://localhost:8700").await, None);
    assert_eq!(said("https://localhost:8700").await, None);
    assert_eq!(api.ok(Call::get("/healthz")).await.header("strict-transport-security"), "");
}
