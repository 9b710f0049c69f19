//! Incidents for readers; checkpoint and proofs for everybody.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use countersign_api::Page;
use countersign_api::ledger::{ConsistencyProof, Incident, InclusionProof};
use countersign_core::Item;
use countersign_ledger::hash::Hash;
use countersign_ledger::proof::{ProofError, consistency_proof, inclusion_proof};
use serde::Deserialize;
use utoipa::IntoParams;

use super::address::Asked;
use super::gate::Viewer;
use super::problem::Rejected;
use super::{App, lists};
use crate::store::{StoreError, Tree};

const INCIDENTS: lists::Kind = lists::Kind { name: "incident", states: &["open"] };

/// Incidents, newest first.
#[utoipa::path(get, path = "/admin/incidents", tag = "incidents", params(lists::Query), responses((status = 200, body = Page<Incident>)))]
pub(super) async fn incidents(
    State(app): State<App>,
    _: Viewer,
    Asked(query): Asked<lists::Query>,
) -> Result<Json<Page<Incident>>, Rejected> {
    let (items, next) = lists::page(&app, &INCIDENTS, query).await?;
    let shown = |item| match item {
        Item::Incident(incident) => Some(Incident {
            id: incident.id.to_string(),
            cause: incident.cause.as_str().to_owned(),
            about: incident.about.to_string(),
            opened_at: incident.opened_at.to_string(),
            correlation: incident.correlation.to_string(),
        }),
        _ => None,
    };
    Ok(Json(Page { items: items.into_iter().filter_map(shown).collect(), next }))
}

/// The last signed checkpoint, a C2SP signed note.
#[utoipa::path(get, path = "/ledger/checkpoint", tag = "ledger", responses((status = 200, body = String, content_type = "text/plain")))]
pub(super) async fn checkpoint(State(app): State<App>) -> Result<Response, Rejected> {
    let checkpoint = app.engine.checkpoint().ok_or_else(|| Rejected::not_found("checkpoint", "latest"))?;
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::OK, headers, checkpoint.note.clone()).into_response())
}

/// Which inclusion proof.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct InclusionQuery {
    /// The entry.
    pub index: u64,
    /// The tree's size.
    pub size: u64,
}

/// Which consistency proof.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ConsistencyQuery {
    /// The earlier size.
    pub old: u64,
    /// The later size.
    pub new: u64,
}

/// That an entry is in the tree of a size.
#[utoipa::path(get, path = "/ledger/inclusion", tag = "ledger", params(InclusionQuery), responses((status = 200, body = InclusionProof)))]
pub(super) async fn inclusion(
    State(app): State<App>,
    Asked(InclusionQuery { index, size }): Asked<InclusionQuery>,
) -> Result<Json<InclusionProof>, Rejected> {
    within(&app, size)?;
    let proof =
        app.engine.read_public(move |reader| proved(inclusion_proof(&Tree::over(reader), index, size)));
    let hashes = proof.await?.map_err(Rejected::malformed)?.iter().map(Hash::to_string).collect();
    Ok(Json(InclusionProof { index, size, hashes }))
}

/// That a tree is the beginning of a later one.
#[utoipa::path(get, path = "/ledger/consistency", tag = "ledger", params(ConsistencyQuery), responses((status = 200, body = ConsistencyProof)))]
pub(super) async fn consistency(
    State(app): State<App>,
    Asked(ConsistencyQuery { old, new }): Asked<ConsistencyQuery>,
) -> Result<Json<ConsistencyProof>, Rejected> {
    within(&app, new)?;
    let proof =
        app.engine.read_public(move |reader| proved(consistency_proof(&Tree::over(reader), old, new)));
    let hashes = proof.await?.map_err(Rejected::malformed)?.iter().map(Hash::to_string).collect();
    Ok(Json(ConsistencyProof { old, new, hashes }))
}

/// What the store cannot answer is the node's fault; every other complaint is about what was asked.
pub(super) fn proved(
    proof: Result<Vec<Hash>, ProofError<StoreError>>,
) -> Result<Result<Vec<Hash>, ProofError<StoreError>>, StoreError> {
    match proof {
        Err(ProofError::Nodes(error)) => Err(error),
        told => Ok(told),
    }
}

fn within(app: &App, size: u64) -> Result<(), Rejected> {
    let now = app.engine.size();
    if size <= now {
        Ok(())
    } else {
        Err(Rejected::malformed(format!("the log has {now} entries, not {size}")))
    }
}
