//! The listener's bounds (how long a request may take, how slowly its body may come) and the process's counters.

use std::future::Future;
use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use axum::Json;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use countersign_api::problem::Problem;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::engine::Engine;
use crate::http;

/// How long a request may take as a whole.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a body may pause.
const BODY_PAUSE: Duration = Duration::from_secs(10);

/// How long requests under way may go on after the node was told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// How often counters are folded, so that they do not grow while nobody asks for them.
const UPKEEP: Duration = Duration::from_secs(5);

/// Upper bounds of histograms, seconds.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// The process's one recorder: several nodes in a process (tests, the demo) count together.
pub(super) fn recorder() -> PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    let install = || {
        let builder = PrometheusBuilder::new().set_buckets(&SECONDS).unwrap_or_default();
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another part of this process counts already: `/metrics` stays empty");
        }
        handle
    };
    RECORDER.get_or_init(install).clone()
}

/// Folds the counters for as long as it is polled.
pub(super) async fn upkeep() {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        recorder().run_upkeep();
    }
}

/// Serves until `stop` is ready, then drops `running`, lets requests under way finish and returns.
pub(super) async fn serve(
    (listener, engine): (TcpListener, Engine),
    stop: impl Future<Output = ()> + Send + 'static,
    running: watch::Sender<()>,
) -> io::Result<()> {
    // Outermost first: every answer carries its request's id, also a refusal for slowness.
    let layers = tower::ServiceBuilder::new()
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(middleware::from_fn(in_time));
    let router =
        http::router(engine, recorder()).layer(RequestBodyTimeoutLayer::new(BODY_PAUSE)).layer(layers);
    let mut watched = running.subscribe();
    let told = async move {
        stop.await;
        drop(running);
    };
    let server = axum::serve(listener, router).with_graceful_shutdown(told);
    let too_late = async move {
        while watched.changed().await.is_ok() {}
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        outcome = server => outcome,
        () = too_late => Ok(()),
    }
}

/// Ends a request that takes too long.
async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(PATIENCE, next.run(request)).await {
        Ok(response) => response,
        Err(_) => too_slow(),
    }
}

fn too_slow() -> Response {
    let status = StatusCode::REQUEST_TIMEOUT;
    let code = "request_timeout";
    let problem = Problem {
        kind: format!("about:blank#{code}"),
        title: status.canonical_reason().unwrap_or_default().to_owned(),
        status: status.as_u16(),
        detail: format!("the request took longer than {} seconds", PATIENCE.as_secs()),
        code: code.to_owned(),
        hint: "send the same request again, with the same `Idempotency-Key`".to_owned(),
        missing: Vec::new(),
        request: None,
    };
    (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(problem)).into_response()
}
