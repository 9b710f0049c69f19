//! One published grammar for the signature headers: every odd spelling is a 4xx with its code, never a 5xx,
//! over HTTP.
//!
//! The grammar itself is tested beside its parser; here are also the spellings that only HTTP can carry.

use nudgepay::{MacKey, stripe};
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::json;

use crate::stage::{self, refused, start_app};

#[tokio::test]
async fn every_odd_stripe_signature_is_a_400() {
    let folder = tempfile::tempdir().unwrap();
    let app = start_app(&folder).await;
    let body = json!({ "id": "evt_1", "type": "countersign.probe" }).to_string();
    let key = MacKey::new(stage::secret(1).reveal().as_bytes());
    let time = stage::now();
    let good = stripe::sign(&key, time, body.as_bytes());
    let (_, hex) = good.split_once(",v1=").unwrap();
    assert_eq!(app.webhook_with(&good, &body).await.0, 200);
    assert_eq!(app.webhook_with(&format!("{good},v0=abc"), &body).await.0, 200);

    let texts = [
        String::new(),
        format!("t=+{time},v1={hex}"),
        format!("t=0{time},v1={hex}"),
        format!("t={time}_0,v1={hex}"),
        format!("t={time},t={time},v1={hex}"),
        format!("t={time}, v1={hex}"),
        format!("t={time},v1={}", hex.to_uppercase()),
        format!("t={time},v1=0x{hex}"),
        format!("t={time},v1="),
        format!("t={time},v0={hex}"),
        format!("v1={hex}"),
        format!("{good},"),
        format!("t=99999999999999999999,v1={hex}"),
        "v1,".to_owned(),
        "=".repeat(4000),
        ",".repeat(4000),
    ];
    let mut odd: Vec<HeaderMap> =
        texts.iter().map(|text| one(HeaderValue::from_str(text).unwrap())).collect();
    odd.push(HeaderMap::new());
    odd.push(one(HeaderValue::from_bytes(format!("{good}\u{fc}").as_bytes()).unwrap()));
    odd.push(one(HeaderValue::from_bytes(b"t=\xff\xfe").unwrap()));
    let mut twice = one(HeaderValue::from_str(&good).unwrap());
    twice.append(stripe::HEADER, HeaderValue::from_str(&good).unwrap());
    odd.push(twice);
    for headers in odd {
        let request = app.client.post(app.url("/webhooks/stripe")).headers(headers.clone());
        let answer = stage::answer(request.body(body.clone())).await;
        assert_eq!(refused(&answer), (400, "malformed_signature_header"), "{headers:?}");
    }
}

#[tokio::test]
async fn every_odd_hook_header_is_a_401() {
    let folder = tempfile::tempdir().unwrap();
    let app = start_app(&folder).await;
    for (time, signature) in [
        ("1e9", &b"v1,AAAA"[..]),
        ("+1763892000", b"v1,AAAA"),
        ("1763892000", b"v1,AAAA"),
        ("1763892000", b"\xff"),
        ("1763892000", b"v1"),
        ("1763892000", b"v2,AAAA"),
    ] {
        let request = app.client.post(app.url("/hooks/countersign")).header("webhook-id", "eff_1");
        let request = request.header("webhook-timestamp", time);
        let request = request.header("webhook-signature", HeaderValue::from_bytes(signature).unwrap());
        let answer = stage::answer(request.body("{}")).await;
        assert_eq!(refused(&answer), (401, "malformed_signature_headers"), "{time} {signature:?}");
    }
}

fn one(value: HeaderValue) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(stripe::HEADER, value);
    headers
}
