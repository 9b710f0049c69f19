//! The rotation hook `POST /hooks/countersign`, as both programs obey it.
//!
//! `order` parses what is asked, `keyring` holds the rules (pure), `store` makes them durable, and this file
//! is the HTTP side: verify the signature, parse, obey, answer. An order is answered only after its commit.

mod keyring;
mod order;
mod store;

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

pub(crate) use keyring::Role;
pub(crate) use store::{KeyStore, Published};

use crate::{
    answer::Failure,
    clock,
    standard_webhooks::{self, HookKey, Received},
};
use keyring::Refusal;
use order::Order;
use store::Disobedience;

/// What the hook's handler needs: who may give orders, and where they are carried out.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) key: HookKey,
    pub(crate) store: KeyStore,
}

/// `POST /hooks/countersign`.
pub(crate) async fn receive(
    State(receiver): State<Arc<Receiver>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    match obey(&receiver, &headers, body).await {
        Ok(acknowledgement) => {
            ([(header::CONTENT_TYPE, "application/json")], acknowledgement).into_response()
        }
        Err(failure) => {
            tracing::warn!(code = failure.code, "rotation order not carried out");
            failure.into_response()
        }
    }
}

async fn obey(
    receiver: &Receiver,
    headers: &HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<String, Failure> {
    let body = body.map_err(|rejection| Failure::unreadable(&rejection))?;
    let [id, timestamp, signature] = standard_webhooks::HEADERS.map(|name| only_value(headers, name));
    let received = Received { id, timestamp, signature };
    standard_webhooks::verify(&receiver.key, received, &body, clock::now_seconds()).map_err(unauthorized)?;
    let order = Order::parse(&body)?;
    if order.effect != id {
        return Err(Failure::new(
            StatusCode::BAD_REQUEST,
            "effect_mismatch",
            "`effect` in the body is not the `webhook-id` of the call",
        ));
    }
    receiver.store.obey(order).await.map_err(|error| match error {
        Disobedience::Refused(refusal) => refused(refusal),
        Disobedience::Unavailable(error) => {
            tracing::error!(%error, "key store unavailable");
            Failure::store_unavailable()
        }
    })
}

/// The value of a header that must appear exactly once in visible ASCII; empty otherwise, which no grammar
/// here accepts.
pub(crate) fn only_value<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().unwrap_or_default(),
        _ => "",
    }
}

fn unauthorized(rejection: standard_webhooks::Rejection) -> Failure {
    let code = match rejection {
        standard_webhooks::Rejection::MalformedHeaders(_) => "malformed_signature_headers",
        standard_webhooks::Rejection::OutOfTolerance => "timestamp_out_of_tolerance",
        standard_webhooks::Rejection::Mismatch => "signature_mismatch",
    };
    Failure::new(StatusCode::UNAUTHORIZED, code, rejection.to_string())
}

fn refused(refusal: Refusal) -> Failure {
    let status = match refusal {
        Refusal::Unsupported | Refusal::UnknownSecret => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::CONFLICT,
    };
    Failure::new(status, refusal.code(), refusal.to_string())
}

/// `GET /keys`: which versions are held and which one signs. Never a value.
pub(crate) async fn list_keys(State(receiver): State<Arc<Receiver>>) -> Response {
    let ring = receiver.store.published().ring;
    let versions: Vec<_> = ring.keys.keys().collect();
    let body = match ring.signing {
        None => serde_json::json!({ "secret": crate::SECRET, "versions": versions }),
        Some(signing) => {
            serde_json::json!({ "secret": crate::SECRET, "versions": versions, "signing": signing })
        }
    };
    Json(body).into_response()
}
