//! What every request passes before its handler: the credential, the idempotency key, and a body that is strict JSON.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use countersign_core::Actor;
use countersign_core::digest::Digest;
use countersign_core::id::PersonId;
use countersign_ledger::hash::sha256;
use countersign_ledger::json;
use serde::de::DeserializeOwned;

use super::problem::{Rejected, Words};
use super::{App, MAX_BODY};
use crate::engine::IdempotencyKey;

/// Somebody who may read.
pub(super) struct Viewer(pub PersonId);

/// A request that wants something to happen.
pub(super) struct Post<T> {
    pub caller: PersonId,
    pub idempotency: IdempotencyKey,
    pub body: T,
}

impl<T> Post<T> {
    pub(super) fn actor(&self) -> Actor {
        Actor::Person(self.caller)
    }
}

/// A strict JSON body, from anybody.
pub(super) struct Open<T>(pub T);

impl FromRequestParts<App> for Viewer {
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Rejected> {
        let caller = authenticate(&parts.headers, app)?;
        let state = app.engine.state();
        if state.policy().is_some_and(|in_force| in_force.policy.may_read(caller)) {
            return Ok(Self(caller));
        }
        let words = Words {
            code: "not_a_reader",
            detail: "you may not read here".into(),
            hint: "the policy in force names the groups that may, under `access.read`",
        };
        Err(Rejected::new(StatusCode::FORBIDDEN, words))
    }
}

impl<T: DeserializeOwned> FromRequest<App> for Post<T> {
    type Rejection = Rejected;

    async fn from_request(request: Request, app: &App) -> Result<Self, Rejected> {
        let caller = authenticate(request.headers(), app)?;
        let key = idempotency_key(request.headers())?;
        let mut bound = format!("{} {}\n", request.method(), request.uri()).into_bytes();
        let bytes = body(request).await?;
        bound.extend_from_slice(&bytes);
        let idempotency = IdempotencyKey { key, body_sha256: sha256(&bound) };
        Ok(Self { caller, idempotency, body: strict(&bytes)? })
    }
}

impl<T: DeserializeOwned> FromRequest<App> for Open<T> {
    type Rejection = Rejected;

    async fn from_request(request: Request, _: &App) -> Result<Self, Rejected> {
        strict(&body(request).await?).map(Self)
    }
}

/// The person whose credential this is. What is looked up is a SHA-256, so the comparison tells nothing about a credential.
fn authenticate(headers: &HeaderMap, app: &App) -> Result<PersonId, Rejected> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let credential = bearer.and_then(|value| value.strip_prefix("Bearer "));
    let holder =
        credential.and_then(|credential| app.engine.state().holder(&Digest::of(credential.as_bytes())));
    holder.ok_or_else(|| {
        let words = Words {
            code: "unauthenticated",
            detail: "no credential, or one that nobody holds".into(),
            hint: "send `Authorization: Bearer` and your credential; `countersign claim` gets you one",
        };
        Rejected::new(StatusCode::UNAUTHORIZED, words)
    })
}

fn idempotency_key(headers: &HeaderMap) -> Result<String, Rejected> {
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(key.to_owned());
    }
    let words = Words {
        code: "idempotency_key_required",
        detail: "the request has no `Idempotency-Key` of 1 to 255 visible ASCII characters".into(),
        hint: "draw a fresh one per request and send the same one again when you repeat it",
    };
    Err(Rejected::new(StatusCode::BAD_REQUEST, words))
}

async fn body(request: Request) -> Result<Bytes, Rejected> {
    let bytes = axum::body::to_bytes(request.into_body(), MAX_BODY).await;
    bytes.map_err(|_| {
        let words = Words {
            code: "body_too_large",
            detail: format!("the body is larger than {MAX_BODY} bytes, or did not arrive whole"),
            hint: "refer to large evidence by digest",
        };
        Rejected::new(StatusCode::PAYLOAD_TOO_LARGE, words)
    })
}

/// Strict JSON first (no duplicate key, no float, no odd number survives it), then the type. An empty body is `{}`.
fn strict<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Rejected> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    json::validate(bytes).map_err(|error| {
        let words = Words {
            code: "malformed_json",
            detail: error.to_string(),
            hint: "see docs/glossary.md for what strict JSON is",
        };
        Rejected::new(StatusCode::BAD_REQUEST, words)
    })?;
    serde_json::from_slice(bytes).map_err(Rejected::malformed)
}
