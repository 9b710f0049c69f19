//! The log as C2SP tlog-tiles (v0.1.0, c2sp.org/tlog-tiles): tiles of hashes and bundles of entries, for everybody.
//!
//! Nothing is shown that no signed checkpoint vouches for, although the store may have it already. Proofs are made by whoever fetches;
//! the routes that make them are in `ledger` and `proofs`.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use countersign_ledger::tile::{Content, Tile, write_entries, write_hashes};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

use super::App;
use super::problem::Rejected;
use crate::store::{Reader, StoreError};

/// What stands before a tile's path.
const PREFIX: &str = "/ledger/";

/// Tiles never change: once anybody has one, it need not be asked for again.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// How many levels of the tree one level of tiles spans.
const HEIGHT: u8 = 8;

/// Compresses bundles for those who take gzip. Entries are text and shrink to a fifth; hashes do not shrink at all. The fastest level,
/// because a bundle is compressed for each who asks: what a cache in front of the node saves is more than a better level would.
pub(super) fn compressed() -> CompressionLayer {
    CompressionLayer::new().quality(CompressionLevel::Fastest)
}

/// A tile of hashes, full or partial, as tlog-tiles names it: `0/x001/234`, `0/000.p/17`.
#[utoipa::path(
    get, path = "/ledger/tile/{level}/{*index}", tag = "ledger",
    params(("level" = u8, Path), ("index" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"))
)]
pub(super) async fn hashes(State(app): State<App>, uri: Uri) -> Result<Response, Rejected> {
    serve(&app, &uri).await
}

/// A bundle of entries, full or partial: of each its length in two bytes, and itself.
#[utoipa::path(
    get, path = "/ledger/tile/entries/{*index}", tag = "ledger", params(("index" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"))
)]
pub(super) async fn bundle(State(app): State<App>, uri: Uri) -> Result<Response, Rejected> {
    serve(&app, &uri).await
}

async fn serve(app: &App, uri: &Uri) -> Result<Response, Rejected> {
    // The path as it was sent: decoded, `%2F` would give one tile two names.
    let path = uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let tile: Tile = path.parse().map_err(Rejected::malformed)?;
    if uri.query().is_some() {
        return Err(Rejected::malformed("a tile takes no query parameters"));
    }
    let signed = app.engine.checkpoint().map_or(0, |checkpoint| checkpoint.size);
    if !tile.is_within(signed) {
        return Err(Rejected::not_found("tile", path));
    }
    let bytes = match app.shelf.get(&tile) {
        Some(bytes) => bytes,
        None => {
            let read = app.engine.read_public(move |reader| content(reader, &tile)).await?;
            let bytes = Bytes::from(read);
            app.shelf.put(tile, bytes.clone());
            bytes
        }
    };
    let headers = [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, FOR_EVER)];
    Ok((headers, bytes).into_response())
}

/// The bytes of a tile of a signed size; that some are missing is damage.
fn content(reader: &mut dyn Reader, tile: &Tile) -> Result<Vec<u8>, StoreError> {
    let width = usize::from(tile.width());
    let damaged = |why: &str| StoreError::Corrupt(format!("`{tile}` was signed, but {why}"));
    let complete =
        |found: usize| if found == width { Ok(()) } else { Err(damaged("a part of it is missing")) };
    match tile.content() {
        Content::Hashes { level } => {
            let level = level.checked_mul(HEIGHT).ok_or_else(|| damaged("no tree is as high"))?;
            let hashes = reader.hashes(level, tile.places())?;
            complete(hashes.len())?;
            Ok(write_hashes(&hashes))
        }
        Content::Entries => {
            let entries = reader.entries(tile.places().start, width)?;
            complete(entries.len())?;
            let leaves = entries.iter().map(|entry| entry.leaf.as_slice());
            write_entries(leaves).map_err(|error| damaged(&error.to_string()))
        }
    }
}
