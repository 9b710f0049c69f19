//! What every answer gets, whatever gave it: a request id, headers, a place in the counts, and, for a rejection, its body.
//!
//! It decides nothing about the request. Routes are counted by their template, never by what was typed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument as _;

use super::hygiene::{Hygiene, Whose};
use super::meter::Counts;
use super::nonces::Nonces;
use super::problem::Rejected;
use super::request_id::RequestId;
use super::{dashboard, possession};
use crate::engine::Engine;

/// Carries the request's id back.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Seconds after which it is worth trying again when the node could not decide.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// RFC 9457.
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// How long a request may take as a whole.
const PATIENCE: Duration = Duration::from_secs(30);

/// Headers for which there is room at once: ours, and those that handlers and the connection add.
const HEADERS: usize = 10;

/// The route of a request that matched none.
const UNMATCHED: &str = "unmatched";

/// How one can show who one is.
pub(super) const CHALLENGE: &str = r#"Bearer, DPoP algs="ES256 EdDSA RS256""#;

/// Marks an error that is told in the words of another standard than RFC 9457, and already is.
#[derive(Clone, Copy)]
pub(super) struct OwnWords;
/// How rejections are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// To programs.
    Json,
    /// To people.
    Pages,
}

/// What answers are wrapped with.
pub(super) struct Envelope {
    pub(super) hygiene: Hygiene,
    pub(super) telling: Telling,
    /// Tells the time.
    pub(super) engine: Engine,
    pub(super) nonces: Arc<Nonces>,
    pub(super) counts: Counts,
}

/// Wraps the answer to one request.
pub(super) async fn wrap(State(envelope): State<Arc<Envelope>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let method = request.method().clone();
    // Shared with the router, as the labels of the counters are with all requests: nothing is copied that is the same for all.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or(UNMATCHED, MatchedPath::as_str);
    let path = request.uri().path();
    let (asks, whose) = (path.starts_with("/access"), Whose::at(path));
    let id = RequestId::draw();
    // There the caller's own id is given back, as `AuthZEN` demands. The node's log and a problem's body still speak of ours.
    let given = request.headers().get(&REQUEST_ID).filter(|_| asks).cloned();
    let proves = request.headers().contains_key(&possession::PROOF);
    let span = tracing::info_span!("request", id = %id, method = %method, route = %route);
    let response = tokio::time::timeout(PATIENCE, next.run(request)).instrument(span.clone()).await;
    let response = response.unwrap_or_else(|_| StatusCode::REQUEST_TIMEOUT.into_response());
    let mut response = span.in_scope(|| tell(response, (&method, id), envelope.telling));
    let headers = response.headers_mut();
    headers.reserve(HEADERS);
    if let Some(named) = given.or_else(|| id.header()) {
        headers.insert(REQUEST_ID, named);
    }
    if proves && let Some(nonce) = envelope.nonces.current(envelope.engine.now()) {
        headers.insert(possession::NONCE, nonce);
    }
    let status = response.status();
    envelope.hygiene.add(response.headers_mut(), (whose, status));
    envelope.counts.answered(route, (&method, status), begun.elapsed());
    response
}

/// Writes out a rejection; every other answer passes.
fn tell(mut response: Response, (method, id): (&Method, RequestId), telling: Telling) -> Response {
    let status = response.status();
    let rejected = response.extensions_mut().remove::<Rejected>();
    let is_told = response.extensions_mut().remove::<OwnWords>().is_some();
    let is_error = !is_told && (status.is_client_error() || status.is_server_error());
    let rejected = match rejected {
        Some(rejected) => rejected,
        // A page that is told with an error's status has said why.
        None if telling == Telling::Pages && response.headers().contains_key(header::CONTENT_TYPE) => {
            return response;
        }
        None if is_error => Rejected::unrouted(status, method, response.headers()),
        None => return response,
    };
    let problem = rejected.told(id.as_str());
    if status.is_server_error() {
        tracing::warn!(code = problem.code, detail = problem.detail, "a request failed");
    }
    let challenge = HeaderValue::from_static(challenge(&problem.code));
    let mut told = match telling {
        Telling::Json => (status, [(header::CONTENT_TYPE, PROBLEM)], Json(problem)).into_response(),
        Telling::Pages => dashboard::told(problem),
    };
    let headers = told.headers_mut();
    if let Some(allowed) = response.headers_mut().remove(header::ALLOW) {
        headers.insert(header::ALLOW, allowed);
    }
    // Whoever knows how long to wait has said so.
    if let Some(after) = response.headers_mut().remove(header::RETRY_AFTER) {
        headers.insert(header::RETRY_AFTER, after);
    }
    match status {
        StatusCode::UNAUTHORIZED if telling == Telling::Json => {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            headers.entry(header::RETRY_AFTER).or_insert(RETRY_AFTER);
        }
        _ => {}
    }
    told
}

/// How one can show who one is, after one tried like this (RFC 9449, sections 7.1 and 9).
fn challenge(code: &str) -> &'static str {
    match code {
        possession::USE_NONCE => r#"DPoP error="use_dpop_nonce", algs="ES256 EdDSA RS256""#,
        "dpop_proof_invalid" | "dpop_proof_used" => {
            r#"DPoP error="invalid_dpop_proof", algs="ES256 EdDSA RS256""#
        }
        _ => CHALLENGE,
    }
}
