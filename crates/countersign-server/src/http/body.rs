//! Request bodies: bounded in size and time, strict JSON, and then the type the route takes.

use std::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use countersign_ledger::json;
use serde::de::DeserializeOwned;

use super::problem::{Rejected, Words};
use crate::config::with_nearest;

/// Largest body, bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// A body that is too large is still read to its end up to here, so that its sender hears why and can go on using the connection.
const MAX_DRAINED: usize = 16 * 1024 * 1024;

/// How long a body may take to arrive: less than the envelope gives the whole request, so that the answer can say what was slow.
const PATIENCE: Duration = Duration::from_secs(20);

/// The whole body, which says that it is JSON or says nothing.
pub(super) async fn read(request: Request) -> Result<Vec<u8>, Rejected> {
    typed_as_json(request.headers())?;
    whole(request.into_body()).await
}

/// The whole body, whatever it is.
pub(super) async fn whole(body: Body) -> Result<Vec<u8>, Rejected> {
    let arrived = tokio::time::timeout(PATIENCE, collect(body)).await;
    arrived.unwrap_or_else(|_| {
        let words = Words {
            code: "body_too_slow",
            detail: format!("the body did not arrive within {} s", PATIENCE.as_secs()),
            hint: "send it again",
        };
        Err(Rejected::new(StatusCode::REQUEST_TIMEOUT, words))
    })
}

async fn collect(mut body: Body) -> Result<Vec<u8>, Rejected> {
    let (mut bytes, mut seen) = (Vec::new(), 0_usize);
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| Rejected::malformed("the body did not arrive whole"))?;
        let Ok(data) = frame.into_data() else { continue };
        seen = seen.saturating_add(data.len());
        if seen > MAX_DRAINED {
            break;
        }
        if seen <= MAX_BODY {
            bytes.extend_from_slice(&data);
        }
    }
    if seen <= MAX_BODY {
        return Ok(bytes);
    }
    let words = Words {
        code: "body_too_large",
        detail: format!("the body is larger than {MAX_BODY} bytes"),
        hint: "refer to large evidence by digest",
    };
    Err(Rejected::new(StatusCode::PAYLOAD_TOO_LARGE, words))
}

/// Whoever names another media type means something else; whoever names none means JSON.
fn typed_as_json(headers: &HeaderMap) -> Result<(), Rejected> {
    let Some(named) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let named = named.to_str().unwrap_or_default();
    let essence = named.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let words = Words {
        code: "unsupported_media_type",
        detail: format!("`{}` is not what this route takes", named.escape_debug()),
        hint: "send `Content-Type: application/json`",
    };
    Err(Rejected::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, words))
}

/// Strict JSON first (no duplicate key, no float, no odd number survives it), then the type. An empty body is `{}`.
pub(super) fn strict<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Rejected> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    json::validate(bytes).map_err(|error| {
        let words = Words {
            code: "malformed_json",
            detail: error.to_string(),
            hint: "send strict JSON: UTF-8, no duplicate keys, integers within ±(2^53-1), no floats",
        };
        Rejected::new(StatusCode::BAD_REQUEST, words)
    })?;
    // Structs could also be read from arrays; positions are no names, so only objects are taken.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Rejected::malformed("the body must be a JSON object"));
    }
    let Json(value) = Json::from_bytes(bytes).map_err(|rejection| {
        let why = rejection.source().map_or_else(|| rejection.to_string(), ToString::to_string);
        Rejected::malformed(plainly(&why))
    })?;
    Ok(value)
}

/// A complaint of the deserialiser in the words of the contract: the nearest known key, and no name of a type of ours.
pub(super) fn plainly(complaint: &str) -> String {
    let complaint = with_nearest(complaint);
    for kind in ["expected struct ", "expected enum "] {
        if let Some((before, after)) = complaint.split_once(kind) {
            let rest = after.trim_start_matches(|letter: char| letter.is_alphanumeric() || letter == '_');
            return format!(
                "{before}expected {}{rest}",
                if kind.contains("struct") { "an object" } else { "a word" }
            );
        }
    }
    complaint
}
