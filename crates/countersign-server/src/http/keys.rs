//! The keys that sign the log: their history for everybody, and putting the next one in force under the policy's quorum.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_api::key::{LogKey, LogKeys, RotateLogKey};
use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, CorrelationId};
use countersign_core::log::key;
use countersign_core::{Actor, Command, Context, decide};
use countersign_ledger::keys::CrossSigned;

use super::App;
use super::gate::Post;
use super::parameters::bound;
use super::problem::{Rejected, Words};
use crate::engine::CrossSignError;
use crate::store::{Reader, StoreError};

/// Every key the log ever had, with the entries that name them and the handovers both keys signed.
#[utoipa::path(get, path = "/ledger/keys", tag = "ledger", responses((status = 200, body = LogKeys)))]
pub(super) async fn show(State(app): State<App>) -> Result<Json<LogKeys>, Rejected> {
    let keys = app.engine.keys();
    let entries: Vec<u64> = keys.tenures().iter().map(|tenure| tenure.entry).collect();
    if entries.is_empty() {
        return Err(Rejected::not_found("log_key", "main"));
    }
    let leaves =
        app.engine.read_public(move |reader| entries.into_iter().map(|index| leaf(reader, index)).collect());
    let leaves: Vec<String> = leaves.await?;
    let until = keys.tenures().iter().skip(1).map(|next| Some(next.entry)).chain([None]);
    let shown =
        keys.tenures().iter().zip(leaves).zip(until).map(|((tenure, leaf_text), until_size)| LogKey {
            key: tenure.key.to_string(),
            entry: tenure.entry,
            from_size: tenure.entry.saturating_add(1),
            until_size,
            leaf_text,
            handover: tenure.handover.as_ref().and_then(|signed| signed.to_note().ok()),
        });
    Ok(Json(LogKeys { origin: keys.origin().to_owned(), keys: shown.collect() }))
}

fn leaf(reader: &mut dyn Reader, index: u64) -> Result<String, StoreError> {
    let corrupt = || StoreError::Corrupt(format!("entry {index} is missing or is not text"));
    let entry = reader.entries(index, 1)?.into_iter().next().ok_or_else(corrupt)?;
    String::from_utf8(entry.leaf).map_err(|_| corrupt())
}

/// Put the node's next key in force for the log. Both keys sign; from the new entry on the new one signs alone.
#[utoipa::path(post, path = "/admin/log/keys", tag = "ledger", request_body = RotateLogKey, responses((status = 200, body = LogKeys)))]
pub(super) async fn rotate(
    State(app): State<App>,
    post: Post<RotateLogKey>,
) -> Result<Json<LogKeys>, Rejected> {
    let approval: ApprovalId = post.body.approval.parse().map_err(Rejected::malformed)?;
    let new_key = app.engine.next_key().ok_or_else(no_next_key)?.to_string();
    let parameters = serde_json::json!({ "new_key": new_key });
    let parameters_sha256 = bound(&app.engine, approval, parameters).await?;
    let command =
        |handover| Command::RotateLogKey(key::RotateLogKey { handover, approval, parameters_sha256 });
    let unsigned = command(unsigned(&app, new_key));
    // The signers are asked only for what the rules allow. Whatever they refuse, and whatever was answered before, is for the engine
    // to say; it takes no handover whose signatures do not hold.
    let command = if is_allowed(&app, post.sender.actor(), &unsigned) {
        command(signed(&app.engine.cross_sign().await.map_err(failed)?))
    } else {
        unsigned
    };
    app.submit(post.sender.submission(command)).await?;
    show(State(app)).await
}

fn no_next_key() -> Rejected {
    let words = Words {
        code: "no_next_log_key",
        detail: "this node has no next key for the log".into(),
        hint: "draw one with `countersign log-key new`, name it as `next_log_key` in the configuration and restart the node",
    };
    Rejected::new(StatusCode::CONFLICT, words)
}

fn failed(error: CrossSignError) -> Rejected {
    match error {
        CrossSignError::NoNextKey => no_next_key(),
        CrossSignError::Signer(error) => Rejected::unavailable(error.to_string()),
        CrossSignError::Engine(error) => error.into(),
    }
}

/// Whether the rules, as of now, would let the command happen.
fn is_allowed(app: &App, actor: Actor, command: &Command) -> bool {
    let cx =
        Context { now: app.engine.now(), actor, session: None, correlation: CorrelationId(0), fresh: [0, 0] };
    decide(&app.engine.state(), &cx, command).is_ok()
}

fn unsigned(app: &App, new_key: String) -> key::Handover {
    let state = app.engine.state();
    key::Handover {
        old_key: state.log().map(|log| log.log_key.clone()).unwrap_or_default(),
        new_key,
        size: 0,
        root: Digest([0; 32]),
        old_signature: String::new(),
        new_signature: String::new(),
    }
}

fn signed(signed: &CrossSigned) -> key::Handover {
    let CrossSigned { handover, old_signature, new_signature } = signed;
    key::Handover {
        old_key: handover.old.to_string(),
        new_key: handover.new.to_string(),
        size: handover.size,
        root: Digest(handover.root.0),
        old_signature: STANDARD.encode(old_signature),
        new_signature: STANDARD.encode(new_signature),
    }
}
