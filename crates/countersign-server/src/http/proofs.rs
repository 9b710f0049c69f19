//! Proof files for everybody: what one keeps to show, years later and without the log, that an entry is in it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use countersign_ledger::proof::{ProofFile, inclusion_proof};

use super::App;
use super::address::Named;
use super::ledger::proved;
use super::problem::Rejected;
use crate::store::{StoredCheckpoint, Tree};

/// That an entry is in the log, as a C2SP tlog-proof: its inclusion proof and the signed checkpoint that it leads to.
#[utoipa::path(
    get, path = "/ledger/proof/{index}", tag = "ledger", params(("index" = u64, Path)),
    responses((status = 200, body = String, content_type = "text/plain"))
)]
pub(super) async fn file(State(app): State<App>, Named(index): Named<u64>) -> Result<Response, Rejected> {
    // A checkpoint that witnesses have cosigned convinces more people than a later one that they have not.
    let covers = |checkpoint: &Arc<StoredCheckpoint>| index < checkpoint.size;
    let witnessed = app.witnesses.witnessed().filter(covers);
    let covering = witnessed.or_else(|| app.engine.checkpoint().filter(covers));
    let checkpoint = covering.ok_or_else(|| Rejected::not_found("proof", &index.to_string()))?;
    let size = checkpoint.size;
    let proof =
        app.engine.read_public(move |reader| proved(inclusion_proof(&Tree::over(reader), index, size)));
    let proof = proof.await?.map_err(Rejected::malformed)?;
    let file = ProofFile { extra: Vec::new(), index, proof, checkpoint: checkpoint.note.clone() };
    // The next one has a later checkpoint; both are good for ever.
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, file.to_string()).into_response())
}
