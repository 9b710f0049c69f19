//! Building one `payment_link.paid` event, signing it and sending it.
//!
//! It sends once and reports what came back; counting and choosing the key are for its callers.

use serde_json::{Value, json};

use super::{
    Provider,
    deliveries::{Answer, Delivery},
};
use crate::{Version, clock, outgoing, stripe};

/// One event for one endpoint.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) event: String,
    pub(super) link: String,
    pub(super) endpoint: String,
}

/// The version that signs a letter, and the worker that does it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signer {
    pub(super) version: Version,
    pub(super) worker: u16,
}

/// Signs and sends a letter; none when that version is no longer remembered.
pub(super) async fn send(provider: &Provider, letter: Letter, signer: Signer) -> Option<Delivery> {
    let keys = provider.keys.published().keys;
    let key = keys.iter().find(|held| held.version == signer.version)?;
    let sent_at_ms = clock::now_ms();
    let body = paid(&letter, sent_at_ms / 1000).to_string();
    let signature = stripe::sign(&key.key, sent_at_ms / 1000, body.as_bytes());
    let request = provider.client.post(&letter.endpoint).header(stripe::HEADER, signature);
    let answer = match request.header("content-type", "application/json").body(body).send().await {
        Ok(response) => read(response).await,
        Err(error) => unanswered(&error),
    };
    Some(Delivery {
        event: letter.event,
        sent_at_ms,
        answered_at_ms: clock::now_ms(),
        endpoint: letter.endpoint,
        worker: signer.worker,
        key_version: signer.version,
        answer,
    })
}

fn paid(letter: &Letter, created: u64) -> Value {
    json!({
        "id": letter.event, "object": "event", "type": "payment_link.paid", "created": created,
        "data": { "object": { "id": letter.link, "object": "payment_link" } }
    })
}

async fn read(response: reqwest::Response) -> Answer {
    let status = response.status();
    let body = match outgoing::read_bounded(response).await {
        Ok(body) => body,
        Err(error) => return unanswered(&error),
    };
    let code = if status.is_success() { None } else { code_in(&body) };
    Answer { status: Some(status.as_u16()), code }
}

/// The code of an error body, shortened: it is the receiver's text and ends up in our log.
fn code_in(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    Some(body.get("error")?.get("code")?.as_str()?.chars().take(64).collect())
}

fn unanswered(error: &reqwest::Error) -> Answer {
    let code = if error.is_timeout() { "timeout" } else { "network_error" };
    Answer { status: None, code: Some(code.to_owned()) }
}
