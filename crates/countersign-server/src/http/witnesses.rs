//! How the log's witnesses fare, for readers; and the latest checkpoint that enough of them have cosigned, for everybody.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use countersign_api::witness::{Witness, Witnesses};

use super::App;
use super::gate::Viewer;
use super::problem::Rejected;

/// The witnesses, and what is known of each.
#[utoipa::path(get, path = "/admin/witnesses", tag = "ledger", operation_id = "witnesses", responses((status = 200, body = Witnesses)))]
pub(super) async fn list(State(app): State<App>, _: Viewer) -> Json<Witnesses> {
    let signed_size = app.engine.checkpoint().map_or(0, |checkpoint| checkpoint.size);
    let state = app.engine.state();
    let lost = |name| state.log().and_then(|log| log.lost_witnesses.get(name));
    let shown = app.witnesses.witnesses().iter().enumerate().map(|(place, witness)| {
        let progress = app.witnesses.progress(place).unwrap_or_default();
        let cosigned_size = progress.cosigned.map(|(size, _)| size);
        Witness {
            name: witness.name.to_string(),
            vkey: witness.key.to_string(),
            cosigned_size,
            cosigned_at: progress.cosigned.map(|(_, at)| at.to_string()),
            lag: signed_size.saturating_sub(cosigned_size.unwrap_or(0)),
            failing_since: progress.failing_since.map(|since| since.to_string()),
            last_error: progress.last_error,
            lost_since: lost(&witness.name).map(|missing| missing.lost_at.to_string()),
        }
    });
    Json(Witnesses {
        policy: app.witnesses.policy().to_owned(),
        signed_size,
        witnessed_size: app.witnesses.witnessed().map(|checkpoint| checkpoint.size),
        witnesses: shown.collect(),
    })
}

/// The latest checkpoint that enough witnesses have cosigned, a C2SP signed note with their cosignatures.
#[utoipa::path(
    get, path = "/ledger/checkpoint/witnessed", tag = "ledger", operation_id = "witnessed",
    responses((status = 200, body = String, content_type = "text/plain"))
)]
pub(super) async fn checkpoint(State(app): State<App>) -> Result<Response, Rejected> {
    let witnessed =
        app.witnesses.witnessed().ok_or_else(|| Rejected::not_found("checkpoint", "witnessed"))?;
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, witnessed.note.clone()).into_response())
}
