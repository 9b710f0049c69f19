//! Whether the node lives, whether it can decide, and what it counts.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use countersign_core::{Refusal, log};

use super::App;
use super::problem::Rejected;

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// The node can decide: genesis is written, the writer runs, the clock is trusted.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn ready(State(app): State<App>) -> Result<&'static str, Rejected> {
    app.engine.ready()?;
    match app.engine.state().policy() {
        Some(_) => Ok("ready\n"),
        None => Err(Rejected::unavailable(Refusal::from(log::Refusal::NotInitialised).to_string())),
    }
}

/// Prometheus text.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(app): State<App>) -> Response {
    #[expect(clippy::cast_precision_loss, reason = "gauges are floats; exact up to 2^53 entries")]
    metrics::gauge!("countersign_ledger_entries").set(app.engine.size() as f64);
    for (kind, count) in app.engine.state().live() {
        metrics::gauge!("countersign_live_subjects", "kind" => kind)
            .set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
    }
    let headers = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (StatusCode::OK, headers, app.metrics.render()).into_response()
}
