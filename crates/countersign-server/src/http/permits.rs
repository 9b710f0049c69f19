//! Permits: reserve, start, release, finish.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use countersign_api::permit::{FinishPermit, Outcome, Permit, ReservePermit};
use countersign_api::{Page, Reason};
use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, PermitId};
use countersign_core::{Command, Item, Refusal, Subject, permit};

use super::approvals::{action, show_action};
use super::gate::{Post, Viewer};
use super::names::{Known, person};
use super::parameters::{Bound, reason};
use super::problem::Rejected;
use super::{App, lists};
use crate::engine::{EngineError, Submission};

/// Get leave to execute one action now.
#[utoipa::path(post, path = "/admin/permits", tag = "permits", request_body = ReservePermit, responses((status = 201, body = Permit)))]
pub(super) async fn reserve(
    State(app): State<App>,
    post: Post<ReservePermit>,
) -> Result<(StatusCode, Json<Permit>), Rejected> {
    let asked = &post.body;
    let action = action(&asked.action)?;
    let approval: Option<ApprovalId> =
        asked.approval.as_deref().map(str::parse).transpose().map_err(Rejected::malformed)?;
    let (bound, parameters_sha256) = bind(&app, asked).await?;
    let command = Command::ReservePermit(permit::Reserve { action, parameters_sha256, approval });
    let submission = Submission::new(post.actor(), command).with_details(bound.details()?);
    let answer = submit(&app, submission.with_idempotency(post.idempotency)).await;
    let answer = answer.map_err(|error| match &error {
        EngineError::Refused(Refusal::Permit(permit::Refusal::ApprovalRequired(_))) => {
            (error, Some(request(asked)))
        }
        _ => (error, None),
    });
    match answer {
        Ok(permit) => Ok((StatusCode::CREATED, permit)),
        Err((error, request)) => {
            let rejected = reject(&app, error).await;
            Err(match request {
                Some(request) => rejected.with_request(request),
                None => rejected,
            })
        }
    }
}

/// The parameters under the approval's salt, or under a fresh one where there is no approval to compare with.
///
/// A request whose details were redacted cannot be used any more: nobody can say what was approved.
async fn bind(app: &App, asked: &ReservePermit) -> Result<(Bound, Digest), Rejected> {
    let (parameters, reason) = (asked.parameters.clone(), asked.reason.clone());
    let approved = match &asked.approval {
        Some(id) => Bound::of(&app.engine, id.clone()).await?,
        None => None,
    };
    let bound = match approved {
        Some(approved) => Bound::under(approved.parameters_salt, parameters, reason)?,
        None => Bound::fresh(parameters, reason)?,
    };
    let digest = bound.digest()?;
    Ok((bound, digest))
}

/// The request that would have been needed.
fn request(asked: &ReservePermit) -> serde_json::Value {
    serde_json::json!({ "action": asked.action, "parameters": asked.parameters })
}

/// Permits, newest first.
#[utoipa::path(get, path = "/admin/permits", tag = "permits", params(lists::Query), responses((status = 200, body = Page<Permit>)))]
pub(super) async fn list(
    State(app): State<App>,
    _: Viewer,
    Query(query): Query<lists::Query>,
) -> Result<Json<Page<Permit>>, Rejected> {
    let (items, next) = lists::page(&app, "permit", query).await?;
    let known = app.names.all(&app.engine).await?;
    let shown = |item| match item {
        Item::Permit(permit) => Some(show_permit(&app, &known, &permit)),
        _ => None,
    };
    Ok(Json(Page { items: items.into_iter().filter_map(shown).collect(), next }))
}

/// One permit.
#[utoipa::path(get, path = "/admin/permits/{id}", tag = "permits", params(("id" = String, Path)), responses((status = 200, body = Permit)))]
pub(super) async fn show(
    State(app): State<App>,
    _: Viewer,
    Path(id): Path<String>,
) -> Result<Json<Permit>, Rejected> {
    let Some(Item::Permit(permit)) = lists::one(&app, Subject::Permit(parse(&id)?)).await? else {
        return Err(Rejected::not_found("permit", &id));
    };
    let known = app.names.all(&app.engine).await?;
    Ok(Json(show_permit(&app, &known, &permit)))
}

/// Begin the work.
#[utoipa::path(post, path = "/admin/permits/{id}/start", tag = "permits", params(("id" = String, Path)), request_body = Reason, responses((status = 200, body = Permit)))]
pub(super) async fn start(
    State(app): State<App>,
    Path(id): Path<String>,
    post: Post<Reason>,
) -> Result<Json<Permit>, Rejected> {
    let command = Command::StartPermit(parse(&id)?);
    let why = post.body.reason.clone();
    decide(&app, command, (post, why)).await
}

/// Give back a permit that was not started.
#[utoipa::path(post, path = "/admin/permits/{id}/release", tag = "permits", params(("id" = String, Path)), request_body = Reason, responses((status = 200, body = Permit)))]
pub(super) async fn release(
    State(app): State<App>,
    Path(id): Path<String>,
    post: Post<Reason>,
) -> Result<Json<Permit>, Rejected> {
    let command = Command::ReleasePermit(parse(&id)?);
    let why = post.body.reason.clone();
    decide(&app, command, (post, why)).await
}

/// Say how the work ended.
#[utoipa::path(post, path = "/admin/permits/{id}/finish", tag = "permits", params(("id" = String, Path)), request_body = FinishPermit, responses((status = 200, body = Permit)))]
pub(super) async fn finish(
    State(app): State<App>,
    Path(id): Path<String>,
    post: Post<FinishPermit>,
) -> Result<Json<Permit>, Rejected> {
    let outcome = match post.body.outcome {
        Outcome::Succeeded => permit::Outcome::Succeeded,
        Outcome::Failed => permit::Outcome::Failed,
    };
    let command = Command::FinishPermit(permit::Finish { permit: parse(&id)?, outcome });
    let why = post.body.reason.clone();
    decide(&app, command, (post, why)).await
}

async fn decide<T>(
    app: &App,
    command: Command,
    (post, why): (Post<T>, Option<String>),
) -> Result<Json<Permit>, Rejected> {
    let submission = Submission::new(post.actor(), command).with_idempotency(post.idempotency);
    let submission = match reason(why.as_deref())? {
        Some(details) => submission.with_details(details),
        None => submission,
    };
    match submit(app, submission).await {
        Ok(permit) => Ok(permit),
        Err(error) => Err(reject(app, error).await),
    }
}

async fn submit(app: &App, submission: Submission) -> Result<Json<Permit>, EngineError> {
    let committed = app.engine.submit(submission).await?;
    let known = app.names.all(&app.engine).await?;
    match committed.item {
        Some(Item::Permit(permit)) => Ok(Json(show_permit(app, &known, &permit))),
        _ => Err(EngineError::Stopped),
    }
}

async fn reject(app: &App, error: EngineError) -> Rejected {
    match (error, app.names.all(&app.engine).await) {
        (EngineError::Refused(refusal), Ok(known)) => Rejected::refused(&refusal, &known),
        (error, _) => error.into(),
    }
}

fn parse(id: &str) -> Result<PermitId, Rejected> {
    id.parse().map_err(Rejected::malformed)
}

fn show_permit(app: &App, known: &Known, permit: &permit::Permit) -> Permit {
    Permit {
        id: permit.id.to_string(),
        status: permit.status_at(app.engine.now()).as_str().to_owned(),
        action: show_action(&permit.action),
        parameters_sha256: permit.parameters_sha256.to_string(),
        executor: person(permit.executor, known),
        approval: permit.approval.map(|id| id.to_string()),
        reserved_at: permit.reserved_at.to_string(),
        start_by: permit.start_by.to_string(),
        started_at: permit.started.map(|(at, _)| at.to_string()),
        finish_by: permit.started.map(|(_, by)| by.to_string()),
        ended_at: permit.ended_at.map(|at| at.to_string()),
        late: permit.late.map(|outcome| match outcome {
            permit::Outcome::Succeeded => Outcome::Succeeded,
            permit::Outcome::Failed => Outcome::Failed,
        }),
        rotation: permit.rotation.map(|id| id.to_string()),
        correlation: permit.correlation.to_string(),
    }
}
