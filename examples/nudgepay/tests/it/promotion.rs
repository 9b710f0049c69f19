//! The provider's side of a rotation: it switches when told, worker by worker, and remembers it.
//!
//! Timing is read from the workers themselves; nothing here waits for a duration.

use nudgepay::{provider, standard_webhooks::Received};
use serde_json::json;

use crate::stage::{self, PATIENCE, order, refused, start_provider};

#[tokio::test]
async fn workers_follow_a_promotion_with_their_lag() {
    let folder = tempfile::tempdir().unwrap();
    let config = provider::Config { switch_lag_ms: 300, ..stage::provider_config(&folder) };
    let provider = start_provider(config).await;
    let answer = provider.order(&order("secret.promote", "eff_1", 2, 1)).await;
    assert_eq!(answer, (200, json!({ "acknowledged": "eff_1", "fence": 1, "versions": [1, 2] })));
    let mut sights = Vec::new();
    let follow = async {
        while sights.last() != Some(&json!([2, 2, 2, 2])) {
            let (_, seen) = provider.get("/workers").await;
            assert_eq!(seen["signing"], 2);
            sights.push(seen["workers"].clone());
        }
    };
    tokio::time::timeout(PATIENCE, follow).await.expect("every worker switches");
    // Each sight is some workers on the new key followed by the rest on the old one, and none goes back.
    let switched = |sight: &serde_json::Value| sight.as_array().unwrap().iter().filter(|v| **v == 2).count();
    assert!(sights.iter().map(switched).is_sorted(), "{sights:?}");
}

#[tokio::test]
async fn a_long_lag_leaves_the_old_key_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let config = provider::Config { switch_lag_ms: 3_600_000, ..stage::provider_config(&folder) };
    let provider = start_provider(config).await;
    assert_eq!(provider.order(&order("secret.promote", "eff_1", 2, 1)).await.0, 200);
    assert_eq!(provider.get("/workers").await.1, json!({ "signing": 2, "workers": [1, 1, 1, 1] }));
}

#[tokio::test]
async fn a_promotion_survives_a_restart_and_can_be_swapped_back() {
    let folder = tempfile::tempdir().unwrap();
    let config = stage::provider_config(&folder);
    let provider = start_provider(config.clone()).await;
    let promote = order("secret.promote", "eff_1", 2, 3);
    let first = provider.order(&promote).await;
    provider.stop().await;

    let provider = start_provider(config).await;
    assert_eq!(provider.get("/workers").await.1, json!({ "signing": 2, "workers": [2, 2, 2, 2] }));
    assert_eq!(provider.order(&promote).await, first);
    assert_eq!(refused(&provider.order(&order("secret.promote", "eff_2", 1, 2)).await), (409, "stale_fence"));
    assert_eq!(provider.order(&order("secret.promote", "eff_3", 1, 3)).await.0, 200);
    let keys = json!({ "secret": nudgepay::SECRET, "versions": [1, 2], "signing": 1 });
    assert_eq!(provider.get("/keys").await, (200, keys));
}

#[tokio::test]
async fn the_provider_takes_no_other_order() {
    let folder = tempfile::tempdir().unwrap();
    let provider = start_provider(stage::provider_config(&folder)).await;
    for kind in ["secret.distribute", "secret.drop"] {
        assert_eq!(refused(&provider.order(&order(kind, "eff_1", 1, 1)).await), (422, "unsupported"));
    }
    let promote = order("secret.promote", "eff_1", 2, 1).to_string();
    let timestamp = stage::now().to_string();
    let zeros = format!("v1,{}=", "A".repeat(43));
    let headers = Received { id: "eff_1", timestamp: &timestamp, signature: &zeros };
    assert_eq!(refused(&provider.order_with(headers, promote).await), (401, "signature_mismatch"));
    assert_eq!(provider.versions().await, json!([1]));
}
