//! Evidence bundles for readers: one file about a case, to be verified anywhere.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use countersign_core::action::Resource;
use countersign_core::id::CorrelationId;
use countersign_core::text::Name;
use countersign_core::time::Time;
use countersign_core::{Actor, Subject};
use countersign_evidence::bundle;
use countersign_evidence::scope::Scope;
use serde::Deserialize;
use tokio::sync::Semaphore;
use utoipa::IntoParams;

use super::App;
use super::address::Asked;
use super::gate::Viewer;
use super::problem::Rejected;
use crate::evidence::{self, ExportError, Limits};
use crate::store::{Reader, StoreError};

/// Bundles made at once: each may walk the whole log and holds a reader meanwhile.
const AT_ONCE: usize = 2;

/// Which entries the bundle is about. Every filter that is set must match; without any it is the whole log.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct EvidenceQuery {
    /// Everything of one cause with this subject: a request, what it led to, and the incidents on the way.
    #[param(value_type = Option<String>)]
    pub case: Option<Subject>,
    /// Everything of one correlation.
    #[param(value_type = Option<String>)]
    pub correlation: Option<CorrelationId>,
    /// About this subject.
    #[param(value_type = Option<String>)]
    pub subject: Option<Subject>,
    /// Caused by this actor.
    #[param(value_type = Option<String>)]
    pub actor: Option<Actor>,
    /// About subjects that concern this resource.
    #[param(value_type = Option<String>)]
    pub resource: Option<Resource>,
    /// In this environment.
    #[param(value_type = Option<String>)]
    pub environment: Option<Name>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Not before.
    #[param(value_type = Option<String>)]
    pub from: Option<Time>,
    /// Before.
    #[param(value_type = Option<String>)]
    pub until: Option<Time>,
}

impl EvidenceQuery {
    fn scope(self) -> (Option<Subject>, Scope) {
        let Self { case, correlation, subject, actor, resource, environment, kind, from, until } = self;
        (case, Scope { correlation, subject, actor, resource, environment, kind, from, until })
    }
}

/// How many bundles may be made at once.
pub(super) fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(AT_ONCE))
}

/// An evidence bundle: a page that shows the case and holds the proof, for `countersign evidence verify`.
#[utoipa::path(get, path = "/admin/evidence", tag = "ledger", params(EvidenceQuery), responses((status = 200, body = String, content_type = "text/html")))]
pub(super) async fn export(
    State(app): State<App>,
    _: Viewer,
    Asked(query): Asked<EvidenceQuery>,
) -> Result<Response, Rejected> {
    let busy = |_| Rejected::unavailable("other bundles are being made".to_owned());
    let _place = app.exports.try_acquire().map_err(busy)?;
    let asked = query.scope();
    let file = app.engine.read(move |reader| made(reader, asked)).await??;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        // Saved, not shown: it is evidence first and a page second.
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"evidence.html\"")),
    ];
    Ok((headers, file).into_response())
}

/// The outer error is the store's, the inner one is about what was asked.
fn made(
    reader: &mut dyn Reader,
    (case, mut scope): (Option<Subject>, Scope),
) -> Result<Result<String, Rejected>, StoreError> {
    if let Some(subject) = case {
        if scope.correlation.is_some() {
            return Ok(Err(Rejected::malformed(
                "`case` names a correlation already: leave `correlation` out",
            )));
        }
        scope.correlation = evidence::correlation_of(reader, &subject)?;
        if scope.correlation.is_none() {
            return Ok(Err(Rejected::not_found("case", &subject.to_string())));
        }
    }
    match evidence::collect(reader, &scope, Limits::default()) {
        Ok(bundle) => Ok(bundle::print(&bundle).map_err(|error| Rejected::unavailable(error.to_string()))),
        Err(ExportError::Store(error)) => Err(error),
        Err(ExportError::Nothing(scope)) => Ok(Err(Rejected::not_found("entry of", &scope))),
        Err(error @ ExportError::TooMuch) => Ok(Err(Rejected::malformed(error))),
        Err(error @ ExportError::Unsigned) => Ok(Err(Rejected::unavailable(error.to_string()))),
    }
}
