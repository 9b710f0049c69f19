//! Entries for readers: one by its index, or those that fit every filter, page by page.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use countersign_api::Page;
use countersign_api::ledger::{Entry, EntryListing};

use super::address::{Asked, Named};
use super::gate::Viewer;
use super::problem::{Rejected, Words};
use super::{App, lists};
use crate::search::{Criteria, Part, SearchError};
use crate::store::{Reader, StoreError, StoredEntry};

/// Entries that fit, by index. What is answered is complete as of the moment of asking, or nothing is: 503 `search_behind`.
#[utoipa::path(get, path = "/admin/entries", tag = "ledger", params(EntryListing), responses((status = 200, body = Page<Entry>)))]
pub(super) async fn list(
    State(app): State<App>,
    _: Viewer,
    Asked(asked): Asked<EntryListing>,
) -> Result<Json<Page<Entry>>, Rejected> {
    let limit = lists::limit(asked.limit)?;
    let criteria = Criteria::parse(&asked).map_err(Rejected::malformed)?;
    let direction = Criteria::direction(&asked).map_err(Rejected::malformed)?;
    let part = Part { from: asked.from, direction, limit: limit + 1 };
    let mut found = app.search.find(criteria, part).await?;
    // The first entry of the next page tells where it begins.
    let next = found.get(limit).map(|entry| entry.index.to_string());
    found.truncate(limit);
    let items = app.engine.read(move |reader| found.iter().map(|entry| show(reader, entry)).collect());
    Ok(Json(Page { items: items.await?, next }))
}

/// One entry.
#[utoipa::path(get, path = "/admin/entries/{index}", tag = "ledger", params(("index" = u64, Path)), responses((status = 200, body = Entry)))]
pub(super) async fn show_one(
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
    let redactions = match details {
        Some(_) => Vec::new(),
        None => reader.redactions_in(entry.index..entry.index.saturating_add(1))?,
    };
    let details =
        details.map(|details| serde_json::from_slice(&details.body)).transpose().map_err(damaged)?;
    Ok(Entry {
        index: entry.index,
        leaf: serde_json::from_slice(&entry.leaf).map_err(damaged)?,
        leaf_text: String::from_utf8_lossy(&entry.leaf).into_owned(),
        leaf_hash: entry.leaf_hash.to_string(),
        details,
        redacted_by: redactions.first().map(|redaction| redaction.by),
    })
}

impl From<SearchError> for Rejected {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Behind { .. } => {
                let words = Words {
                    code: "search_behind",
                    detail: error.to_string(),
                    hint: "ask again in a moment; entries are listed without filters, or by time, meanwhile",
                };
                Self::new(StatusCode::SERVICE_UNAVAILABLE, words)
            }
            SearchError::Engine(error) => error.into(),
        }
    }
}
