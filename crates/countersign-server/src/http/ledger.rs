//! Entries and incidents for readers; checkpoint and proofs for everybody.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use countersign_api::Page;
use countersign_api::ledger::{ConsistencyProof, Entry, Incident, InclusionProof};
use countersign_core::{Item, Subject};
use countersign_ledger::hash::Hash;
use countersign_ledger::proof::{ProofError, consistency_proof, inclusion_proof};
use serde::Deserialize;
use utoipa::IntoParams;

use super::address::{Asked, Named};
use super::gate::Viewer;
use super::problem::Rejected;
use super::{App, lists};
use crate::store::{Reader, StoreError, StoredEntry, Tree};

/// Which entries.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct EntriesQuery {
    /// From this index on, or, with a subject, after this number among its entries.
    pub from: Option<u64>,
    /// Entries on the page, 1 to 200; 50 unless told otherwise.
    pub limit: Option<usize>,
    /// Only entries about this subject.
    pub subject: Option<String>,
}

/// Entries in order.
#[utoipa::path(get, path = "/admin/entries", tag = "ledger", params(EntriesQuery), responses((status = 200, body = Page<Entry>)))]
pub(super) async fn entries(
    State(app): State<App>,
    _: Viewer,
    Asked(query): Asked<EntriesQuery>,
) -> Result<Json<Page<Entry>>, Rejected> {
    let limit = lists::limit(query.limit)?;
    let subject = query.subject.as_deref().map(str::parse::<Subject>).transpose();
    let subject = subject.map_err(Rejected::malformed)?;
    let from = query.from.unwrap_or(0);
    let mut items = app.engine.read(move |reader| page(reader, subject, (from, limit + 1))).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = u64::try_from(items.len()).unwrap_or(0).saturating_add(from);
    Ok(Json(Page { items, next: more.then(|| next.to_string()) }))
}

fn page(
    reader: &mut dyn Reader,
    subject: Option<Subject>,
    (from, limit): (u64, usize),
) -> Result<Vec<Entry>, StoreError> {
    let entries = match subject {
        Some(subject) => {
            reader.entries_of(&subject.to_string(), u32::try_from(from).unwrap_or(u32::MAX), limit)?
        }
        None => reader.entries(from, limit)?,
    };
    entries.into_iter().map(|entry| show(reader, &entry)).collect()
}

/// One entry.
#[utoipa::path(get, path = "/admin/entries/{index}", tag = "ledger", params(("index" = u64, Path)), responses((status = 200, body = Entry)))]
pub(super) async fn entry(
    State(app): State<App>,
    _: Viewer,
    Named(index): Named<u64>,
) -> Result<Json<Entry>, Rejected> {
    let found = app
        .engine
        .read(move |reader| {
            let entries = reader.entries(index, 1)?;
            entries.first().map(|entry| show(reader, entry)).transpose()
        })
        .await?;
    found.map(Json).ok_or_else(|| Rejected::not_found("entry", &index.to_string()))
}

fn show(reader: &mut dyn Reader, entry: &StoredEntry) -> Result<Entry, StoreError> {
    let damaged = |error: serde_json::Error| StoreError::Corrupt(format!("entry {}: {error}", entry.index));
    let details = reader.details(entry.index)?;
    let details =
        details.map(|details| serde_json::from_slice(&details.body)).transpose().map_err(damaged)?;
    Ok(Entry {
        index: entry.index,
        leaf: serde_json::from_slice(&entry.leaf).map_err(damaged)?,
        leaf_text: String::from_utf8_lossy(&entry.leaf).into_owned(),
        leaf_hash: entry.leaf_hash.to_string(),
        details,
    })
}

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
