//! Whether the node lives, whether it can decide, and what it counts.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use countersign_core::{Refusal, break_glass, log};

use super::App;
use super::problem::Rejected;

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "health", responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// The node can decide: genesis is written, the writer runs, the clock is trusted, and the state is known to be the log's. Trouble with signing checkpoints is told on a line of
/// its own: it stops no decision.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn ready(State(app): State<App>) -> Result<String, Rejected> {
    app.engine.ready()?;
    match app.engine.state().policy() {
        Some(_) => Ok(format!("ready\n{}", signing(&app))),
        None => Err(Rejected::unavailable(Refusal::from(log::Refusal::NotInitialised).to_string())),
    }
}

/// What keeps checkpoints from being signed, in words that tell nothing of the signer; the log tells the rest.
fn signing(app: &App) -> String {
    let Some(trouble) = app.engine.signing_trouble() else { return String::new() };
    let (why, tries, since) = (trouble.word, trouble.failures, trouble.since.elapsed().as_secs());
    let signed = app.engine.checkpoint().map_or(0, |checkpoint| checkpoint.size);
    let unsigned = app.engine.size().saturating_sub(signed);
    format!("checkpoints: {why}, {tries} tries in {since} s, {unsigned} entries not signed\n")
}

/// Prometheus text.
#[utoipa::path(get, path = "/metrics", tag = "health", responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn metrics(State(app): State<App>) -> Response {
    #[expect(clippy::cast_precision_loss, reason = "gauges are floats; exact up to 2^53 entries")]
    metrics::gauge!("countersign_ledger_entries").set(app.engine.size() as f64);
    #[expect(clippy::cast_precision_loss, reason = "gauges are floats; exact up to 2^53 entries")]
    metrics::gauge!("countersign_ledger_signed_entries")
        .set(app.engine.checkpoint().map_or(0, |checkpoint| checkpoint.size) as f64);
    for (kind, count) in app.engine.state().live() {
        metrics::gauge!("countersign_live_subjects", "kind" => kind)
            .set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
    }
    let debts: Vec<_> = app.engine.state().break_glasses().map(|it| it.status_at(app.engine.now())).collect();
    let overdue = debts.iter().filter(|status| **status == break_glass::Status::Overdue).count();
    metrics::gauge!("countersign_state_age_seconds").set(app.engine.state_age().as_secs_f64());
    gauge("countersign_break_glass_open", debts.len());
    gauge("countersign_break_glass_overdue", overdue);
    let headers = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (StatusCode::OK, headers, app.metrics.render()).into_response()
}

fn gauge(name: &'static str, count: usize) {
    metrics::gauge!(name).set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
}
