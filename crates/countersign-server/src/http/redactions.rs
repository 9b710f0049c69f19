//! Deleting details, under an approval of exactly those entries.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use countersign_api::ledger::{RedactDetails, Redaction};
use countersign_core::id::ApprovalId;
use countersign_core::redaction::{self, Entries};
use countersign_core::{Command, Fact};
use serde_json::json;

use super::App;
use super::gate::Post;
use super::parameters::{bound, reason};
use super::problem::Rejected;
use crate::engine::{Committed, EngineError};

/// Delete the details of some entries for good. The entries and all proofs stay.
#[utoipa::path(post, path = "/admin/redactions", tag = "ledger", request_body = RedactDetails, responses((status = 201, body = Redaction)))]
pub(super) async fn redact(
    State(app): State<App>,
    post: Post<RedactDetails>,
) -> Result<(StatusCode, Json<Redaction>), Rejected> {
    let RedactDetails { entries, approval, reason: why } = post.body;
    let entries = Entries::try_from(entries).map_err(Rejected::malformed)?;
    let approval: ApprovalId = approval.parse().map_err(Rejected::malformed)?;
    let parameters_sha256 = bound(&app.engine, approval, json!({ "entries": entries })).await?;
    let command = redaction::RedactDetails {
        entries,
        approval,
        parameters_sha256,
        // Whoever decides looks, not whoever asks.
        found: std::collections::BTreeMap::new(),
    };
    let submission = post.sender.submission(Command::RedactDetails(command));
    let (committed, _) = app.submit(submission.with_optional_details(reason(why.as_deref())?)).await?;
    let redaction = show(&committed).ok_or(EngineError::Stopped)?;
    Ok((StatusCode::CREATED, Json(redaction)))
}

fn show(committed: &Committed) -> Option<Redaction> {
    let shown = |(index, event): (u64, &countersign_core::Event)| match &event.fact {
        Fact::LogDetailsRedacted(_, redacted) => Some(Redaction {
            index,
            entries: redacted.entries.iter().collect(),
            approval: redacted.approval.to_string(),
            redacted_at: event.at.to_string(),
        }),
        _ => None,
    };
    (committed.first..).zip(committed.events.iter()).find_map(shown)
}
