//! A receiver on a free port that keeps keys as it is told and can be told to misbehave.
//!
//! It verifies signatures with its own code, HMAC included, so that a mistake of the runner is not shared by its test.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::task::AbortHandle;

/// The 32 bytes behind every receiver's hook key.
pub(super) const HOOK_KEY: [u8; 32] = [0x42; 32];

/// How a receiver can misbehave.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// Answers this status and does nothing.
    Status(u16),
    /// Never answers.
    Hang,
    /// Points somewhere else, where everything is accepted.
    Redirect,
    /// Says yes and does nothing.
    Yes,
    /// Says no, because of the signature.
    No,
}

/// Where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    Hook,
    Probe,
}

/// An order as it arrived.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    #[serde(rename = "type")]
    pub kind: String,
    pub effect: String,
    pub fence: u64,
    pub secret: String,
    pub environment: String,
    pub rotation: String,
    pub version: u32,
    pub value: Option<String>,
}

#[derive(Default)]
struct Kept {
    keys: BTreeMap<u32, String>,
    signing: u32,
    orders: Vec<Order>,
    probes: Vec<String>,
    /// Hit by whatever was sent after a redirect.
    elsewhere: u32,
    next: [VecDeque<Fault>; 2],
    always: [Option<Fault>; 2],
}

/// A receiver.
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    server: AbortHandle,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Receiver {
    /// Begins to listen, with version 1 of the secret.
    pub(super) async fn new(first: &str) -> Self {
        let kept = Kept { keys: BTreeMap::from([(1, first.to_owned())]), signing: 1, ..Kept::default() };
        let kept = Arc::new(Mutex::new(kept));
        let router = Router::new()
            .route("/hook", post(hook))
            .route("/probe", post(probe))
            .route("/elsewhere", post(elsewhere))
            .with_state(Arc::clone(&kept));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Self { address, kept, server }
    }

    /// Misbehaves the next times, one fault each.
    pub(super) fn next(&self, at: At, faults: &[Fault]) {
        self.kept.lock().expect("not poisoned").next[at as usize].extend(faults);
    }

    /// Waits until all that it was told to do next has been met.
    pub(super) async fn met(&self, at: At) {
        while !self.kept.lock().expect("not poisoned").next[at as usize].is_empty() {
            tokio::task::yield_now().await;
        }
    }

    /// Misbehaves until told otherwise.
    pub(super) fn always(&self, at: At, fault: Option<Fault>) {
        self.kept.lock().expect("not poisoned").always[at as usize] = fault;
    }

    pub(super) fn versions(&self) -> Vec<u32> {
        self.kept.lock().expect("not poisoned").keys.keys().copied().collect()
    }

    pub(super) fn key(&self, version: u32) -> Option<String> {
        self.kept.lock().expect("not poisoned").keys.get(&version).cloned()
    }

    pub(super) fn signing(&self) -> u32 {
        self.kept.lock().expect("not poisoned").signing
    }

    pub(super) fn orders(&self) -> Vec<Order> {
        self.kept.lock().expect("not poisoned").orders.clone()
    }

    pub(super) fn probes(&self) -> Vec<String> {
        self.kept.lock().expect("not poisoned").probes.clone()
    }

    pub(super) fn sent_elsewhere(&self) -> u32 {
        self.kept.lock().expect("not poisoned").elsewhere
    }
}

async fn hook(State(kept): State<Arc<Mutex<Kept>>>, headers: HeaderMap, body: Bytes) -> Response {
    let order: Order = serde_json::from_slice(&body).expect("an order of the documented form");
    let signed = webhook_is_signed(&headers, &body) && header(&headers, "webhook-id") == order.effect;
    kept.lock().expect("not poisoned").orders.push(order.clone());
    if let Some(answer) = misbehave(&kept, At::Hook).await {
        return answer;
    }
    if !signed {
        return refusal(StatusCode::UNAUTHORIZED, "signature_mismatch");
    }
    let mut kept = kept.lock().expect("not poisoned");
    match (order.kind.as_str(), order.value) {
        ("secret.distribute", Some(value)) => drop(kept.keys.insert(order.version, value)),
        ("secret.promote", Some(value)) => {
            kept.keys.insert(order.version, value);
            kept.signing = order.version;
        }
        ("secret.drop", None) => drop(kept.keys.remove(&order.version)),
        _ => return refusal(StatusCode::UNPROCESSABLE_ENTITY, "unsupported"),
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn probe(State(kept): State<Arc<Mutex<Kept>>>, headers: HeaderMap, body: Bytes) -> Response {
    let event: serde_json::Value = serde_json::from_slice(&body).expect("an event");
    assert_eq!(event["type"], "countersign.probe");
    kept.lock().expect("not poisoned").probes.push(event["id"].as_str().expect("an id").to_owned());
    if let Some(answer) = misbehave(&kept, At::Probe).await {
        return answer;
    }
    let kept = kept.lock().expect("not poisoned");
    if kept.keys.values().any(|key| probe_is_signed(key, &headers, &body)) {
        StatusCode::OK.into_response()
    } else {
        refusal(StatusCode::BAD_REQUEST, "signature_mismatch")
    }
}

async fn elsewhere(State(kept): State<Arc<Mutex<Kept>>>) -> StatusCode {
    kept.lock().expect("not poisoned").elsewhere += 1;
    StatusCode::OK
}

async fn misbehave(kept: &Mutex<Kept>, at: At) -> Option<Response> {
    let fault = {
        let mut kept = kept.lock().expect("not poisoned");
        kept.next[at as usize].pop_front().or(kept.always[at as usize])
    };
    match fault? {
        Fault::Status(status) => Some(StatusCode::from_u16(status).expect("a status").into_response()),
        Fault::Hang => std::future::pending().await,
        Fault::Redirect => {
            Some((StatusCode::TEMPORARY_REDIRECT, [("location", "/elsewhere")]).into_response())
        }
        Fault::Yes => Some(StatusCode::OK.into_response()),
        Fault::No => Some(refusal(StatusCode::BAD_REQUEST, "signature_mismatch")),
    }
}

fn refusal(status: StatusCode, code: &str) -> Response {
    (status, axum::Json(serde_json::json!({ "error": { "code": code, "message": "no" } }))).into_response()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn webhook_is_signed(headers: &HeaderMap, body: &[u8]) -> bool {
    let signed = [header(headers, "webhook-id"), header(headers, "webhook-timestamp")].join(".");
    let tag = hmac_sha256(&HOOK_KEY, &[signed.as_bytes(), b".", body].concat());
    header(headers, "webhook-signature") == format!("v1,{}", STANDARD.encode(tag))
}

fn probe_is_signed(key: &str, headers: &HeaderMap, body: &[u8]) -> bool {
    let header = header(headers, "stripe-signature");
    let Some((seconds, signature)) = header.strip_prefix("t=").and_then(|rest| rest.split_once(",v1="))
    else {
        return false;
    };
    let tag = hmac_sha256(key.as_bytes(), &[seconds.as_bytes(), b".", body].concat());
    signature == tag.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
}

/// RFC 2104, spelled out.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    assert!(key.len() <= 64, "no key here is longer than a block");
    let pad =
        |with: u8| -> Vec<u8> { (0..64).map(|index| key.get(index).copied().unwrap_or(0) ^ with).collect() };
    let inner = Sha256::digest([pad(0x36), message.to_vec()].concat());
    Sha256::digest([pad(0x5c), inner.to_vec()].concat()).into()
}
