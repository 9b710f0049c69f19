//! Payouts are overridden behind a guard or not at all; what passes a real guard is tested where there is a real node.

use nudgepay::{Error, app};
use serde_json::json;

use crate::stage::{self, Running, refused, start_app};

fn body() -> serde_json::Value {
    json!({ "payout": "po-1", "amount_minor": 1, "currency": "EUR", "account": "A" })
}

#[tokio::test]
async fn without_a_guard_there_is_no_such_route() {
    let folder = tempfile::tempdir().unwrap();
    let app = start_app(&folder).await;
    let answer = app.client.post(app.url("/payouts/override")).json(&body()).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 405, "only looking is possible");
    assert_eq!(app.get("/payouts/po-1").await, (200, json!({ "overrides": [] })));
}

#[tokio::test]
async fn a_guard_that_does_not_answer_lets_nothing_pass() {
    let folder = tempfile::tempdir().unwrap();
    let credential = format!("cst_{}", "A".repeat(43));
    // Nothing listens there.
    let guard = app::Guard { server: "http://127.0.0.1:9".to_owned(), credential };
    let config = app::Config {
        guard: Some(guard),
        ..stage::app_config(folder.path(), "http://127.0.0.1:9".to_owned())
    };
    let app = Running::start(app::bind(config).await.unwrap());
    let malformed = app.post("/payouts/override", json!({ "payout": "po-1" })).await;
    assert_eq!(refused(&malformed), (400, "malformed_request"), "what makes no sense is told at once");
    let (status, told) = app.post("/payouts/override", body()).await;
    assert_eq!((status, told["code"].as_str()), (503, Some("guard_unavailable")));
    assert_eq!(app.get("/payouts/po-1").await, (200, json!({ "overrides": [] })));
}

#[tokio::test]
async fn a_guard_that_cannot_work_keeps_the_program_from_starting() {
    for (server, credential) in
        [("http://127.0.0.1:9", "hunter2"), ("http://ledger.example", &format!("cst_{}", "A".repeat(43)))]
    {
        let folder = tempfile::tempdir().unwrap();
        let guard = app::Guard { server: server.to_owned(), credential: credential.to_owned() };
        let config = app::Config {
            guard: Some(guard),
            ..stage::app_config(folder.path(), "http://127.0.0.1:9".to_owned())
        };
        let error = app::bind(config).await.unwrap_err();
        assert!(matches!(error, Error::Config(_)) && !error.to_string().contains("hunter2"), "{error}");
    }
}
