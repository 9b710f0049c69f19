//! The application's side of a rotation: orders are durable, counted once, fenced, and never leave it without
//! a key.

use nudgepay::standard_webhooks::{self, Received};
use serde_json::json;

use crate::stage::{self, order, paid, refused, start_app, start_app_with};

#[tokio::test]
async fn both_keys_are_accepted_in_the_overlap_and_the_old_one_is_refused_after_the_drop() {
    let folder = tempfile::tempdir().unwrap();
    let app = start_app(&folder).await;
    assert_eq!(app.webhook(1, &paid("evt_1", "plink_1")).await.0, 200);
    assert_eq!(refused(&app.webhook(2, &paid("evt_2", "plink_1")).await), (400, "signature_mismatch"));

    let answer = app.order(&order("secret.distribute", "eff_1", 2, 3)).await;
    assert_eq!(answer, (200, json!({ "acknowledged": "eff_1", "fence": 3, "versions": [1, 2] })));
    assert_eq!(app.webhook(1, &paid("evt_3", "plink_1")).await.0, 200);
    assert_eq!(app.webhook(2, &paid("evt_4", "plink_1")).await.0, 200);

    let answer = app.order(&order("secret.drop", "eff_2", 1, 3)).await;
    assert_eq!(answer, (200, json!({ "acknowledged": "eff_2", "fence": 3, "versions": [2] })));
    assert_eq!(refused(&app.webhook(1, &paid("evt_5", "plink_1")).await), (400, "signature_mismatch"));
    assert_eq!(app.webhook(2, &paid("evt_6", "plink_1")).await.0, 200);
}

#[tokio::test]
async fn the_accept_set_the_fence_and_the_effects_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let app = start_app(&folder).await;
    let distribute = order("secret.distribute", "eff_1", 2, 3);
    let first = app.order(&distribute).await;
    assert_eq!(app.order(&order("secret.drop", "eff_2", 1, 5)).await.0, 200);
    app.stop().await;

    let app = start_app(&folder).await;
    assert_eq!(app.get("/keys").await, (200, json!({ "secret": nudgepay::SECRET, "versions": [2] })));
    assert_eq!(refused(&app.webhook(1, &paid("evt_1", "plink_1")).await), (400, "signature_mismatch"));
    assert_eq!(app.webhook(2, &paid("evt_2", "plink_1")).await.0, 200);
    assert_eq!(app.order(&distribute).await, first);
    assert_eq!(app.versions().await, json!([2]));
    assert_eq!(refused(&app.order(&order("secret.distribute", "eff_3", 3, 4)).await), (409, "stale_fence"));
}

#[tokio::test]
async fn a_repeated_effect_gets_the_same_answer_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let app = start_app(&folder).await;
    let distribute = order("secret.distribute", "eff_1", 2, 3);
    let first = app.order(&distribute).await;
    assert_eq!(app.order(&order("secret.drop", "eff_2", 1, 3)).await.0, 200);
    // The answer is the one given then, although the set has changed since.
    assert_eq!(app.order(&distribute).await, first);
    assert_eq!(app.versions().await, json!([2]));

    let mut other = distribute;
    other["version"] = json!(3);
    assert_eq!(refused(&app.order(&other).await), (409, "effect_reused"));
}

#[tokio::test]
async fn a_repeat_by_a_newer_leader_fences_the_older_one_off() {
    let folder = tempfile::tempdir().unwrap();
    let app = start_app(&folder).await;
    let first = app.order(&order("secret.distribute", "eff_1", 2, 3)).await;
    assert_eq!(app.order(&order("secret.distribute", "eff_1", 2, 4)).await, first);
    assert_eq!(refused(&app.order(&order("secret.drop", "eff_2", 1, 3)).await), (409, "stale_fence"));
    assert_eq!(app.versions().await, json!([1, 2]));
    assert_eq!(app.order(&order("secret.drop", "eff_3", 1, 4)).await.0, 200);
}

#[tokio::test]
async fn refused_orders_leave_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let app = start_app(&folder).await;
    let unknown = |field: &str| {
        let mut order = order("secret.distribute", "eff_1", 2, 9);
        order[field] = json!("something/else");
        order
    };
    let mut taken = order("secret.distribute", "eff_1", 1, 9);
    taken["value"] = json!("whsec_not_the_value_of_version_1");
    for (order, expect) in [
        (order("secret.drop", "eff_1", 1, 9), (409, "last_key")),
        (order("secret.promote", "eff_1", 2, 9), (422, "unsupported")),
        (unknown("secret"), (422, "unknown_secret")),
        (unknown("environment"), (422, "unknown_secret")),
        (taken, (409, "version_conflict")),
        (json!({ "effect": "eff_1" }), (400, "malformed_hook")),
    ] {
        assert_eq!(refused(&app.order(&order).await), expect);
    }
    // Neither the effect's id nor its fence was remembered.
    assert_eq!(app.order(&order("secret.distribute", "eff_1", 2, 1)).await.0, 200);
}

#[tokio::test]
async fn a_delayed_distribute_cannot_bring_back_what_its_rotation_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let app = start_app(&folder).await;
    assert_eq!(app.order(&order("secret.drop", "eff_abort", 2, 3)).await.0, 200);
    let late = app.order(&order("secret.distribute", "eff_late", 2, 3)).await;
    assert_eq!(refused(&late), (409, "version_dropped"));
    let mut next_rotation = order("secret.distribute", "eff_next", 2, 3);
    next_rotation["rotation"] = json!("rot_2");
    assert_eq!(app.order(&next_rotation).await.0, 200);
}

#[tokio::test]
async fn only_the_holder_of_the_hook_key_is_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    let app = start_app(&folder).await;
    let body = order("secret.distribute", "eff_1", 2, 3).to_string();
    let seconds = stage::now();
    let timestamp = &seconds.to_string();
    let sign = |id: &str, at: u64| standard_webhooks::sign(&stage::hook_key(), id, at, body.as_bytes());
    let good = sign("eff_1", seconds);
    for (id, signature, expect) in [
        ("eff_1", "", (401, "malformed_signature_headers")),
        ("eff_1", "v1,junk", (401, "malformed_signature_headers")),
        ("eff.1", &sign("eff.1", seconds), (401, "malformed_signature_headers")),
        ("eff_2", &good, (401, "signature_mismatch")),
        ("eff_1", &sign("eff_1", seconds - 9), (401, "signature_mismatch")),
        ("eff_2", &sign("eff_2", seconds), (400, "effect_mismatch")),
    ] {
        let answer = app.order_with(Received { id, timestamp, signature }, body.clone()).await;
        assert_eq!(refused(&answer), expect, "{id} {signature}");
    }
    let (stale, signature) = (&(seconds - 400).to_string(), &sign("eff_1", seconds - 400));
    let headers = Received { id: "eff_1", timestamp: stale, signature };
    let answer = app.order_with(headers, body.clone()).await;
    assert_eq!(refused(&answer), (401, "timestamp_out_of_tolerance"));
    let unsigned = stage::answer(app.client.post(app.url("/hooks/countersign")).body(body.clone())).await;
    assert_eq!(refused(&unsigned), (401, "malformed_signature_headers"));
    assert_eq!(app.versions().await, json!([1]));
}

#[tokio::test]
async fn concurrent_repeats_count_once_and_agree() {
    let folder = tempfile::tempdir().unwrap();
    let app = start_app(&folder).await;
    let distribute = order("secret.distribute", "eff_1", 2, 3);
    let (a, b, c, d) = tokio::join!(
        app.order(&distribute),
        app.order(&distribute),
        app.order(&distribute),
        app.order(&distribute)
    );
    assert_eq!(a, (200, json!({ "acknowledged": "eff_1", "fence": 3, "versions": [1, 2] })));
    assert_eq!((&a, &a, &a), (&b, &c, &d));
}

#[tokio::test]
async fn a_second_process_on_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let app = start_app(&folder).await;
    let config = stage::app_config(folder.path(), "http://127.0.0.1:9".to_owned());
    let second = nudgepay::app::bind(config).await.unwrap_err();
    assert!(matches!(second, nudgepay::Error::Database(_)), "{second}");
    app.stop().await;
    start_app_with(folder.path(), "http://127.0.0.1:9".to_owned()).await.stop().await;
}
