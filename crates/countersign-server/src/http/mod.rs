//! The HTTP API: a thin skin over the engine. No handler changes state except by a command, and GET never changes anything.
//!
//! # Layout
//! - `gate`: what every request passes: credential, idempotency key, strict body
//! - `problem`: RFC 9457 answers and the one table from refusals to statuses
//! - `names`: people's names, from redactable details
//! - `approvals` `permits` `rotations` `people` `policy` `ledger` `health`: one capability each

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::engine::Engine;

mod approvals;
mod gate;
mod health;
mod ledger;
mod lists;
mod names;
mod parameters;
mod people;
mod permits;
mod policy;
mod problem;
mod rotations;

/// Largest body, bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// What handlers share.
#[derive(Clone)]
struct App {
    engine: Engine,
    names: Arc<names::Names>,
    metrics: PrometheusHandle,
}

#[derive(OpenApi)]
#[openapi(info(
    title = "Countersign",
    description = "Governs the high-risk operations of a payment platform."
))]
struct Contract;

/// Every route, and the contract they make up.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Contract::openapi())
        .routes(routes!(people::claim))
        .routes(routes!(people::list))
        .routes(routes!(people::me))
        .routes(routes!(policy::show, policy::activate))
        .routes(routes!(approvals::list, approvals::request))
        .routes(routes!(approvals::show))
        .routes(routes!(approvals::approve))
        .routes(routes!(approvals::deny))
        .routes(routes!(approvals::withdraw))
        .routes(routes!(permits::list, permits::reserve))
        .routes(routes!(permits::show))
        .routes(routes!(permits::start))
        .routes(routes!(permits::release))
        .routes(routes!(permits::finish))
        .routes(routes!(rotations::list, rotations::start))
        .routes(routes!(rotations::show))
        .routes(routes!(rotations::abort))
        .routes(routes!(rotations::secrets))
        .routes(routes!(ledger::incidents))
        .routes(routes!(ledger::entries))
        .routes(routes!(ledger::entry))
        .routes(routes!(ledger::checkpoint))
        .routes(routes!(ledger::inclusion))
        .routes(routes!(ledger::consistency))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(health::metrics))
}

/// The contract as `OpenAPI` 3.1.
#[must_use]
pub fn contract() -> utoipa::openapi::OpenApi {
    routes().split_for_parts().1
}

/// The whole API over an engine.
pub fn router(engine: Engine, metrics: PrometheusHandle) -> Router {
    let app = App { engine, names: Arc::default(), metrics };
    let (router, contract) = routes().split_for_parts();
    router
        .route("/openapi.json", get(|| async move { axum::Json(contract) }))
        .fallback(|| async { problem::Rejected::no_such_route() })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(app)
}
