//! A client that proves a key: each attempt has a proof of its own, and a nonce that the server tells is named from then on.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_api::Reason;
use countersign_client::{Client, Credential, ErrorKind, ProofKey};
use serde_json::Value;

use crate::scripted::{Asked, Scripted, hasty, json, problem};

const NONCE: &str = "told-by-the-server";

fn bound(server: &Scripted, token: &Credential) -> Client {
    let key = ProofKey::from_pem(&ProofKey::draw_pem().unwrap()).unwrap();
    Client::bound(server.client.server(), Some(token), key).unwrap().with_patience(hasty())
}

/// What a proof says.
fn claims(asked: &Asked) -> Value {
    let claims = asked.header("dpop").unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

#[tokio::test]
async fn a_nonce_is_named_in_one_more_attempt_and_from_then_on() {
    let answers =
        [problem(401, "use_dpop_nonce"), problem(503, "unavailable"), json(200, "{}"), json(200, "{}")];
    let server = Scripted::start(answers).await.telling("dpop-nonce", NONCE);
    let token = Credential::draw_token().unwrap();
    let client = bound(&server, &token);
    let reason = Reason { reason: None };
    for _ in 0..2 {
        // Their answers are no approvals, which does not matter here.
        client.approve("apr_1", &reason).await.unwrap_err();
    }
    let asked = server.asked();
    let named: Vec<_> =
        asked.iter().map(|asked| claims(asked)["nonce"].as_str().map(str::to_owned)).collect();
    let nonce = Some(NONCE.to_owned());
    assert_eq!(named, [None, nonce.clone(), nonce.clone(), nonce]);
    let mut ids: Vec<_> = asked.iter().map(|asked| claims(asked)["jti"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4, "no proof twice");
    let keys: Vec<_> = asked.iter().map(|asked| asked.header("idempotency-key").unwrap()).collect();
    assert!(keys[0] == keys[1] && keys[1] == keys[2] && keys[2] != keys[3], "{keys:?}");
    let shown = format!("DPoP {}", token.expose());
    assert!(asked.iter().all(|asked| asked.header("authorization") == Some(&shown)));
}

#[tokio::test]
async fn a_server_that_is_never_content_with_a_nonce_is_asked_twice() {
    let answers = (0..9).map(|_| problem(401, "use_dpop_nonce"));
    let server = Scripted::start(answers).await.telling("dpop-nonce", NONCE);
    let client = bound(&server, &Credential::draw_token().unwrap());
    let error = client.me().await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::NotSignedIn, Some("use_dpop_nonce")));
    assert_eq!(server.asked().len(), 2);
    // Whoever proves nothing is not asked again for it.
    let error = server.client.me().await.unwrap_err();
    assert_eq!((error.code(), server.asked().len()), (Some("use_dpop_nonce"), 3));
    assert!(server.asked()[2].header("dpop").is_none());
}
