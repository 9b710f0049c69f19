//! Provider and two applications together: genuine webhooks arrive everywhere, through a whole rotation,
//! without a loss.

use nudgepay::provider;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::stage::{self, PATIENCE, Running, order, refused, start_app_with, start_provider};

struct Cast {
    provider: Running,
    apps: [Running; 2],
    _folders: [TempDir; 3],
}

/// A provider that sends 200 webhooks a second to two applications.
async fn cast(switch_lag_ms: u64) -> Cast {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let config = stage::provider_config(&folders[0]);
    let provider = start_provider(provider::Config { rate_per_second: 200, switch_lag_ms, ..config }).await;
    let url = provider.url("");
    let apps =
        [start_app_with(folders[1].path(), url.clone()).await, start_app_with(folders[2].path(), url).await];
    for app in &apps {
        let endpoint = json!({ "url": app.url("/webhooks/stripe") });
        assert_eq!(provider.post("/v1/webhook_endpoints", endpoint).await.0, 201);
    }
    Cast { provider, apps, _folders: folders }
}

/// Reads the delivery log from `after` on until it holds what `enough` asks for.
async fn deliveries(provider: &Running, after: u64, enough: impl Fn(&[Value]) -> bool) -> (Vec<Value>, u64) {
    let read = async {
        let (mut seen, mut next) = (Vec::new(), after);
        while !enough(&seen) {
            let (status, page) = provider.get(&format!("/deliveries?after={next}&limit=500")).await;
            assert_eq!(status, 200);
            seen.extend(page["deliveries"].as_array().unwrap().iter().cloned());
            next = page["next"].as_u64().unwrap();
        }
        (seen, next)
    };
    tokio::time::timeout(PATIENCE, read).await.expect("the flow goes on")
}

fn all_accepted(deliveries: &[Value]) -> bool {
    deliveries.iter().all(|delivery| delivery["status"] == 200 && delivery["code"].is_null())
}

#[tokio::test]
async fn a_whole_rotation_loses_no_genuine_webhook() {
    let Cast { provider, apps, _folders } = cast(50).await;
    let (before, next) = deliveries(&provider, 0, |seen| seen.len() >= 20).await;
    for app in &apps {
        assert_eq!(app.order(&order("secret.distribute", "eff_1", 2, 1)).await.0, 200);
    }
    let (overlap, next) = deliveries(&provider, next, |seen| seen.len() >= 20).await;
    assert_eq!(provider.order(&order("secret.promote", "eff_2", 2, 1)).await.0, 200);
    let by_new = |seen: &[Value]| seen.iter().rev().take(40).filter(|seen| seen["key_version"] == 2).count();
    let (promoted, next) = deliveries(&provider, next, |seen| by_new(seen) == 40).await;
    for app in &apps {
        assert_eq!(app.order(&order("secret.drop", "eff_3", 1, 1)).await.0, 200);
    }
    let (after, _) = deliveries(&provider, next, |seen| seen.len() >= 20).await;

    for (stage, seen) in
        [("before", &before), ("overlap", &overlap), ("promoted", &promoted), ("after", &after)]
    {
        assert!(all_accepted(seen), "{stage}: {seen:?}");
        for app in &apps {
            assert!(seen.iter().any(|seen| seen["endpoint"] == app.url("/webhooks/stripe")), "{stage}");
        }
    }
    assert!(before.iter().chain(&overlap).all(|seen| seen["key_version"] == 1));
    assert!(after.iter().all(|seen| seen["key_version"] == 2));
    let numbers: Vec<_> = before.iter().chain(&overlap).map(|seen| seen["seq"].as_u64().unwrap()).collect();
    assert!(numbers.iter().zip(1..).all(|(seq, expect)| *seq == expect), "{numbers:?}");
}

/// The other half of the previous test: a rotation without an overlap does lose webhooks, and the log shows
/// them.
#[tokio::test]
async fn a_rotation_without_overlap_shows_its_losses() {
    let Cast { provider, apps, _folders } = cast(50).await;
    let [app, _] = &apps;
    assert_eq!(app.order(&order("secret.distribute", "eff_1", 2, 1)).await.0, 200);
    assert_eq!(app.order(&order("secret.drop", "eff_2", 1, 1)).await.0, 200);
    let lost = |seen: &[Value]| seen.iter().any(|seen| seen["status"] == 400);
    let (seen, _) = deliveries(&provider, 0, lost).await;
    let refusal = seen.iter().find(|seen| seen["status"] == 400).unwrap();
    assert_eq!((&refusal["code"], &refusal["key_version"]), (&json!("signature_mismatch"), &json!(1)));
    assert_eq!(refusal["endpoint"], app.url("/webhooks/stripe"));
}

#[tokio::test]
async fn a_real_link_is_paid_at_the_application_that_sold_it() {
    let Cast { provider: _provider, apps, _folders } = cast(0).await;
    for app in &apps {
        let new = json!({ "amount_minor": 1250, "currency": "EUR", "description": "two coffees" });
        let (_, link) = app.post("/payment_links", new).await;
        let path = format!("/payment_links/{}", link["id"].as_str().unwrap());
        let paid = async { while app.get(&path).await.1["state"] != "paid" {} };
        tokio::time::timeout(PATIENCE, paid).await.expect("the link is paid");
    }
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_recorded_as_such() {
    let Cast { provider, apps, _folders } = cast(0).await;
    let [gone, _here] = apps;
    let endpoint = gone.url("/webhooks/stripe");
    gone.stop().await;
    let lost = |seen: &[Value]| seen.iter().any(|seen| seen["code"] == "network_error");
    let (seen, _) = deliveries(&provider, 0, lost).await;
    let lost: Vec<_> = seen.iter().filter(|seen| seen["status"].is_null()).collect();
    assert!(lost.iter().all(|seen| seen["endpoint"] == endpoint), "{lost:?}");
}

#[tokio::test]
async fn the_old_key_is_seen_refused_from_outside() {
    let Cast { provider, apps, _folders } = cast(0).await;
    let endpoint = apps[0].url("/webhooks/stripe");
    let send = |version: u32| json!({ "endpoint": endpoint, "key_version": version });
    assert_eq!(provider.post("/v1/send_with", send(1)).await, (200, json!({ "status": 200, "code": null })));
    assert_eq!(refused(&provider.post("/v1/send_with", send(2)).await), (404, "unknown_version"));

    assert_eq!(apps[0].order(&order("secret.distribute", "eff_1", 2, 1)).await.0, 200);
    assert_eq!(provider.order(&order("secret.promote", "eff_2", 2, 1)).await.0, 200);
    assert_eq!(apps[0].order(&order("secret.drop", "eff_3", 1, 1)).await.0, 200);
    let old = json!({ "status": 400, "code": "signature_mismatch" });
    assert_eq!(provider.post("/v1/send_with", send(1)).await, (200, old));
    assert_eq!(provider.post("/v1/send_with", send(2)).await, (200, json!({ "status": 200, "code": null })));

    let elsewhere = json!({ "endpoint": "http://127.0.0.1:9/", "key_version": 1 });
    assert_eq!(refused(&provider.post("/v1/send_with", elsewhere).await), (404, "unknown_endpoint"));
    let outside = json!({ "url": "http://192.0.2.1/" });
    assert_eq!(refused(&provider.post("/v1/webhook_endpoints", outside).await), (400, "malformed_request"));
}
