//! Selling: a link is created at the provider, and what the provider does wrong is told apart.
//!
//! The provider here sends nothing by itself; `flow` tests both directions together.

use serde_json::json;

use crate::stage::{self, refused, start_app_with, start_provider};

#[tokio::test]
async fn a_link_is_created_at_the_provider_and_paid_by_its_webhook() {
    let folder = tempfile::tempdir().unwrap();
    let provider = start_provider(stage::provider_config(&folder)).await;
    let app = start_app_with(folder.path(), provider.url("")).await;
    let new = json!({ "amount_minor": 1250, "currency": "EUR", "description": "two coffees" });
    let (status, link) = app.post("/payment_links", new).await;
    assert_eq!((status, link["state"].as_str()), (201, Some("open")));
    let id = link["id"].as_str().unwrap();
    assert!(id.starts_with("plink_") && link["url"].as_str().unwrap().ends_with(id), "{link}");

    let path = format!("/payment_links/{id}");
    assert_eq!(app.get(&path).await, (200, link.clone()));
    assert_eq!(app.webhook(1, &stage::paid("evt_1", id)).await.0, 200);
    assert_eq!(app.get(&path).await.1["state"], "paid");
    assert_eq!(refused(&app.get("/payment_links/plink_none").await), (404, "not_found"));
}

#[tokio::test]
async fn impossible_links_are_refused_before_the_provider_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing listens there, so a call would be answered 502.
    let app = stage::start_app(&folder).await;
    for (amount, currency) in
        [(json!(0), "EUR"), (json!(-1), "EUR"), (json!(12.5), "EUR"), (json!("1"), "EUR"), (json!(1), "eur")]
    {
        let new = json!({ "amount_minor": amount, "currency": currency, "description": "" });
        assert_eq!(refused(&app.post("/payment_links", new).await), (400, "malformed_request"));
    }
    let good = json!({ "amount_minor": 1, "currency": "EUR", "description": "" });
    assert_eq!(refused(&app.post("/payment_links", good).await), (502, "provider_unavailable"));
}

#[tokio::test]
async fn the_provider_fails_and_throttles_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let provider = start_provider(stage::provider_config(&folder)).await;
    let app = start_app_with(folder.path(), provider.url("")).await;
    let new = json!({ "amount_minor": 1, "currency": "EUR", "description": "" });
    for (plan, expect) in [
        (json!({ "fail_rate_percent": 100 }), (502, "provider_unavailable")),
        (json!({ "throttle_rate_percent": 100 }), (503, "provider_throttled")),
    ] {
        assert_eq!(provider.post("/control", plan).await.0, 200);
        assert_eq!(refused(&app.post("/payment_links", new.clone()).await), expect);
    }
    assert_eq!(provider.post("/control", json!({ "latency_ms": 1 })).await.0, 200);
    assert_eq!(app.post("/payment_links", new).await.0, 201);
    assert_eq!(
        refused(&provider.post("/control", json!({ "latency_ms": 10_001 })).await),
        (400, "malformed_request")
    );
    assert_eq!(
        refused(&provider.post("/control", json!({ "fail_rate": 1 })).await),
        (400, "malformed_request")
    );
}
