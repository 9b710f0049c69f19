//! `POST /webhooks/stripe`: the provider's events.
//!
//! The order is what protects the genuine ones: size, header grammar, time, signature, and only then the body
//! is parsed and the database touched. A forged request costs two hashes and a counter, and leaves nothing
//! behind.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::{App, payments::Effect};
use crate::{Version, answer::Failure, clock, hook, stripe};

/// The longest event id or link id taken in, in bytes.
const MAX_ID: usize = 128;

/// What became of a verified event; the name is the metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Accepted,
    Duplicate,
    Probe,
    Ignored,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Probe => "probe",
            Self::Ignored => "ignored",
        }
    }
}

/// The parts of an event that matter here; Stripe adds fields freely, so others are let pass.
#[derive(Debug, Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    data: Option<Data>,
}

#[derive(Debug, Deserialize)]
struct Data {
    object: Option<Object>,
}

#[derive(Debug, Deserialize)]
struct Object {
    id: Option<String>,
}

pub(super) async fn receive(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let (version, outcome) = match verify(&app, &headers, body) {
        Ok((version, body)) => (Some(version), act(&app, &body).await),
        Err(failure) => (None, Err(failure)),
    };
    match outcome {
        Ok(outcome) => {
            app.metrics.count_webhook(outcome.name(), version);
            Json(json!({ "received": true })).into_response()
        }
        Err(failure) => {
            app.metrics.count_webhook(failure.code, version);
            failure.into_response()
        }
    }
}

/// Everything that happens before a word of the body is believed. Touches nothing but memory.
fn verify(
    app: &App,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(Version, Bytes), Failure> {
    let body = body.map_err(|rejection| Failure::unreadable(&rejection))?;
    let header = hook::only_value(headers, stripe::HEADER);
    let keys = app.keys.published().keys;
    match stripe::verify(header, &body, clock::now_seconds(), &keys) {
        Ok(version) => Ok((version, body)),
        Err(rejection) => {
            let code = match rejection {
                stripe::Rejection::MalformedHeader(_) => "malformed_signature_header",
                stripe::Rejection::OutOfTolerance => "timestamp_out_of_tolerance",
                stripe::Rejection::Mismatch => "signature_mismatch",
            };
            Err(Failure::new(StatusCode::BAD_REQUEST, code, rejection.to_string()))
        }
    }
}

/// What a verified event does. `countersign.probe` shows which keys are accepted and has no other effect.
async fn act(app: &App, body: &[u8]) -> Result<Outcome, Failure> {
    let malformed = || {
        Failure::new(
            StatusCode::BAD_REQUEST,
            "malformed_event",
            "the body is not an event of the documented form",
        )
    };
    let event: Event = serde_json::from_slice(body).map_err(|_| malformed())?;
    if !is_id(&event.id) {
        return Err(malformed());
    }
    match event.kind.as_str() {
        "countersign.probe" => Ok(Outcome::Probe),
        "payment_link.paid" => {
            let link = event.data.and_then(|data| data.object).and_then(|object| object.id);
            let link = link.filter(|id| is_id(id)).ok_or_else(malformed)?;
            match app.payments.record_paid(event.id, link).await {
                Ok(Effect::Applied) => Ok(Outcome::Accepted),
                Ok(Effect::Duplicate) => Ok(Outcome::Duplicate),
                Err(error) => {
                    tracing::error!(%error, "payment not stored; the provider will send it again");
                    Err(Failure::store_unavailable())
                }
            }
        }
        _ => Ok(Outcome::Ignored),
    }
}

fn is_id(text: &str) -> bool {
    (1..=MAX_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
