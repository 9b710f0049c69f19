//! Webhooks in: genuine events count exactly once, forged ones neither leave a trace nor get in their way.
//!
//! *No trace* is checked on the bytes of the database files.

use std::path::{Path, PathBuf};

use nudgepay::{MacKey, stripe};
use serde_json::json;

use crate::stage::{self, paid, refused, start_app};

/// Every byte of both databases, their write-ahead logs included.
fn stored(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder.join("app"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[tokio::test]
async fn an_event_has_its_effect_once() {
    let folder = tempfile::tempdir().unwrap();
    let app = start_app(&folder).await;
    let body = paid("evt_1", "plink_1");
    for _ in 0..3 {
        assert_eq!(app.webhook(1, &body).await, (200, json!({ "received": true })));
    }
    let series =
        |outcome: &str| format!("nudgepay_webhooks_total{{outcome=\"{outcome}\",key_version=\"1\"}}");
    assert_eq!(app.metric(&series("accepted")).await, 1);
    assert_eq!(app.metric(&series("duplicate")).await, 2);
}

#[tokio::test]
async fn probes_and_unknown_types_are_answered_without_an_effect() {
    let folder = tempfile::tempdir().unwrap();
    let app = start_app(&folder).await;
    let before = stored(folder.path());
    for (kind, outcome) in [("countersign.probe", "probe"), ("customer.created", "ignored")] {
        let body = json!({ "id": "evt_1", "type": kind }).to_string();
        assert_eq!(app.webhook(1, &body).await, (200, json!({ "received": true })));
        let series = format!("nudgepay_webhooks_total{{outcome=\"{outcome}\",key_version=\"1\"}}");
        assert_eq!(app.metric(&series).await, 1);
    }
    assert!(stored(folder.path()) == before);
    // The probe's id was not spent: a payment may still use it.
    app.webhook(1, &paid("evt_1", "plink_1")).await;
    assert!(stored(folder.path()) != before);
}

#[tokio::test]
async fn verified_nonsense_is_a_malformed_event() {
    let folder = tempfile::tempdir().unwrap();
    let app = start_app(&folder).await;
    let long = paid(&"e".repeat(129), "plink_1");
    let deep = "[".repeat(60_000);
    for body in [
        "",
        "null",
        "[]",
        "{",
        r#"{"id":1,"type":"payment_link.paid"}"#,
        r#"{"id":"evt_1"}"#,
        r#"{"id":"","type":"countersign.probe"}"#,
        r#"{"id":"evt_1","id":"evt_2","type":"countersign.probe"}"#,
        r#"{"id":"evt_1","type":"payment_link.paid"}"#,
        r#"{"id":"evt_1","type":"payment_link.paid","data":{"object":{"id":7}}}"#,
        r#"{"id":"evt_1","type":"payment_link.paid","data":{"object":{}}}"#,
        "{\"id\":\"evt_\\ud800\",\"type\":\"countersign.probe\"}",
        &long,
        &deep,
    ] {
        assert_eq!(refused(&app.webhook(1, body).await), (400, "malformed_event"), "{body:.80}");
    }
}

#[tokio::test]
async fn bodies_over_the_cap_are_refused_and_those_at_it_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let app = start_app(&folder).await;
    let event = json!({ "id": "evt_1", "type": "countersign.probe" }).to_string();
    let padded = |length: usize| format!("{event}{}", " ".repeat(length - event.len()));
    assert_eq!(app.webhook(1, &padded(64 * 1024)).await.0, 200);
    assert_eq!(refused(&app.webhook(1, &padded(64 * 1024 + 1)).await), (413, "body_too_large"));
}

#[tokio::test]
async fn a_stale_event_is_refused_although_well_signed() {
    let folder = tempfile::tempdir().unwrap();
    let app = start_app(&folder).await;
    let body = paid("evt_1", "plink_1");
    let key = MacKey::new(stage::secret(1).reveal().as_bytes());
    for seconds in [stage::now() - 400, stage::now() + 400] {
        let header = stripe::sign(&key, seconds, body.as_bytes());
        assert_eq!(refused(&app.webhook_with(&header, &body).await), (400, "timestamp_out_of_tolerance"));
    }
}

#[tokio::test]
async fn a_forged_flood_touches_no_file_and_loses_no_genuine_webhook() {
    const GENUINE: u64 = 100;
    const FORGED: u64 = 1000;
    let folder = tempfile::tempdir().unwrap();
    let app = start_app(&folder).await;
    let before = stored(folder.path());
    let forge = async |from: u64, to: u64| {
        for n in from..to {
            let answer = app.webhook(7, &paid(&format!("evt_forged_{n}"), "plink_1")).await;
            assert_eq!(refused(&answer), (400, "signature_mismatch"));
        }
    };
    forge(0, 100).await;
    assert!(stored(folder.path()) == before);

    let genuine = async {
        for n in 0..GENUINE {
            assert_eq!(app.webhook(1, &paid(&format!("evt_{n}"), "plink_1")).await.0, 200);
        }
    };
    tokio::join!(genuine, forge(100, 400), forge(400, 700), forge(700, FORGED));
    let accepted = "nudgepay_webhooks_total{outcome=\"accepted\",key_version=\"1\"}";
    let forged = "nudgepay_webhooks_total{outcome=\"signature_mismatch\",key_version=\"none\"}";
    assert_eq!((app.metric(accepted).await, app.metric(forged).await), (GENUINE, FORGED));
}
