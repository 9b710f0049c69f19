//! Permits: reserve, start, release, finish; signs of life, and what became of those that are unknown.

use std::num::NonZeroU32;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use countersign_api::permit::{
    FinishPermit, Outcome, Permit, ReconcilePermit, Reconciliation, ReservePermit,
};
use countersign_api::{Page, Reason};
use countersign_core::id::{ApprovalId, PermitId};
use countersign_core::{Command, Item, Refusal, Subject, permit};
use countersign_ledger::json as canonical;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::address::{Asked, Named};
use super::approvals::{parse_action, show_action};
use super::explain::Topic;
use super::gate::{Caller, Post, Sender, Viewer};
use super::names::{Known, person};
use super::parameters::{Bound, reason};
use super::problem::Rejected;
use super::{App, documents, explain, freezes, lists};
use crate::engine::{Committed, EngineError};

const LISTED: lists::Kind = lists::Kind {
    name: "permit",
    states: &["reserved", "started", "released", "lapsed", "succeeded", "failed", "unknown"],
};

/// Get leave to execute one action now.
#[utoipa::path(post, path = "/admin/permits", tag = "permits", request_body = ReservePermit, responses((status = 201, body = Permit)))]
pub(super) async fn reserve(
    State(app): State<App>,
    post: Post<ReservePermit>,
) -> Result<(StatusCode, Json<Permit>), Rejected> {
    let ReservePermit { action, parameters, approval, exceptions, reason } = post.body;
    let parsed = parse_action(&action)?;
    let approval: Option<ApprovalId> =
        approval.as_deref().map(str::parse).transpose().map_err(Rejected::malformed)?;
    let bound = bind(&app, approval, (parameters, reason)).await?;
    let purpose = freezes::purpose(approval, &action, &bound.parameters);
    let environment = parsed.environment.clone();
    let command = Command::ReservePermit(permit::Reserve {
        action: parsed,
        parameters_sha256: bound.digest()?,
        approval,
        exceptions: freezes::exceptions(&app, &exceptions, &purpose).await?,
    });
    let topic = Topic::of(&app, &command, Some(post.sender.caller()));
    let submission = post.sender.submission(command).with_details(bound.details()?);
    let result = app.engine.submit(submission).await;
    let known = app.known().await;
    match result {
        Ok(committed) => {
            let Json(mut permit) = answer(&app, &known, committed.item)?;
            permit.document = documents::at_once(&app.engine, parse(&permit.id)?).await;
            Ok((StatusCode::CREATED, Json(permit)))
        }
        Err(EngineError::Refused(refusal)) => {
            let rejected = explain::refused(&app, &known, (&refusal, topic)).await;
            let wanting = matches!(refusal, Refusal::Permit(permit::Refusal::ApprovalRequired(_)));
            let approval = wanting.then(|| json!({ "action": action, "parameters": bound.parameters }));
            let request = approval.or_else(|| freezes::request(&refusal, &environment, &purpose));
            Err(request.map_or(rejected.clone(), |request| rejected.with_request(request)))
        }
        Err(error) => Err(error.into()),
    }
}

/// The parameters under the approval's salt, or under a fresh one where there is no approval to compare with.
///
/// A request whose details were redacted cannot be used any more: nobody can say what was approved.
pub(super) async fn bind(
    app: &App,
    approval: Option<ApprovalId>,
    (parameters, reason): (serde_json::Value, Option<String>),
) -> Result<Bound, Rejected> {
    let approved = match approval {
        Some(id) => Bound::of(&app.engine, id.to_string()).await?,
        None => None,
    };
    match approved {
        Some(approved) => Bound::under(approved.parameters_salt, parameters, reason),
        None => Bound::fresh(parameters, reason),
    }
}

/// Which page of the list of permits.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// Only permits stored in this state. Silence past a deadline is written down a little later than it is shown.
    pub status: Option<String>,
    /// Only those that are unknown and of which nobody has said what became of them.
    pub unreconciled: Option<bool>,
    /// Permits on the page, 1 to 200; 50 unless told otherwise.
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub after: Option<String>,
}

/// Permits, newest first.
#[utoipa::path(get, path = "/admin/permits", tag = "permits", params(Query), responses((status = 200, body = Page<Permit>)))]
pub(super) async fn list(
    State(app): State<App>,
    _: Viewer,
    Asked(query): Asked<Query>,
) -> Result<Json<Page<Permit>>, Rejected> {
    let Query { status, unreconciled, limit, after } = query;
    let asked = lists::Query { status, limit, after };
    let (items, next) = match unreconciled {
        Some(true) => unreconciled_page(&app, asked).await?,
        Some(false) | None => lists::page(&app, &LISTED, asked).await?,
    };
    let known = app.known().await;
    let shown = |item| match item {
        Item::Permit(permit) => Some(show_permit(&app, &known, &permit)),
        _ => None,
    };
    Ok(Json(Page { items: items.into_iter().filter_map(shown).collect(), next }))
}

/// Most pages that are looked through for one page of unreconciled permits; where they do not suffice, the page is short.
const MOST_PAGES: usize = 20;

/// A page of what is unknown and not reconciled: few permits are unknown, so those that are reconciled are passed over here.
async fn unreconciled_page(app: &App, asked: lists::Query) -> Result<(Vec<Item>, Option<String>), Rejected> {
    if asked.status.as_deref().is_some_and(|status| status != permit::Status::Unknown.as_str()) {
        return Err(Rejected::malformed("only permits whose `status` is unknown are reconciled"));
    }
    let status = Some(permit::Status::Unknown.as_str().to_owned());
    let wanted = lists::limit(asked.limit)?;
    let (mut found, mut after) = (Vec::new(), asked.after);
    for _ in 0..MOST_PAGES {
        let left = wanted.saturating_sub(found.len());
        let query = lists::Query { status: status.clone(), limit: Some(left), after };
        let (items, next) = lists::page(app, &LISTED, query).await?;
        let open = |item: &Item| matches!(item, Item::Permit(permit) if permit.reconciled.is_none());
        found.extend(items.into_iter().filter(open));
        after = next;
        if after.is_none() || found.len() >= wanted {
            break;
        }
    }
    Ok((found, after))
}

/// One permit. Also for whoever holds it.
#[utoipa::path(get, path = "/admin/permits/{id}", tag = "permits", params(("id" = String, Path)), responses((status = 200, body = Permit)))]
pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<Permit>, Rejected> {
    let Some(Item::Permit(permit)) = lists::one(&app, Subject::Permit(parse(&id)?)).await? else {
        return Err(caller.misses(&app, ("permit", &id)));
    };
    caller.sees_of(&app, &permit.action, |_, me| permit.executor == me)?;
    let known = app.known().await;
    Ok(Json(show_permit(&app, &known, &permit)))
}

/// Begin the work.
#[utoipa::path(post, path = "/admin/permits/{id}/start", tag = "permits", params(("id" = String, Path)), request_body = Reason, responses((status = 200, body = Permit)))]
pub(super) async fn start(
    State(app): State<App>,
    Named(id): Named<String>,
    post: Post<Reason>,
) -> Result<Json<Permit>, Rejected> {
    let command = Command::StartPermit(parse(&id)?);
    decide(&app, command, (post.sender, post.body.reason)).await
}

/// Give back a permit that was not started.
#[utoipa::path(post, path = "/admin/permits/{id}/release", tag = "permits", params(("id" = String, Path)), request_body = Reason, responses((status = 200, body = Permit)))]
pub(super) async fn release(
    State(app): State<App>,
    Named(id): Named<String>,
    post: Post<Reason>,
) -> Result<Json<Permit>, Rejected> {
    let command = Command::ReleasePermit(parse(&id)?);
    decide(&app, command, (post.sender, post.body.reason)).await
}

/// Say how the work ended.
#[utoipa::path(post, path = "/admin/permits/{id}/finish", tag = "permits", params(("id" = String, Path)), request_body = FinishPermit, responses((status = 200, body = Permit)))]
pub(super) async fn finish(
    State(app): State<App>,
    Named(id): Named<String>,
    post: Post<FinishPermit>,
) -> Result<Json<Permit>, Rejected> {
    let FinishPermit { outcome, reason, report } = post.body;
    let details = reported(reason.as_deref(), report.as_ref())?;
    let outcome = told(outcome);
    let command = Command::FinishPermit(permit::Finish { permit: parse(&id)?, outcome });
    submit(&app, command, (post.sender, details)).await
}

/// The details of an outcome: what there is to say, and what was measured.
fn reported(why: Option<&str>, report: Option<&Value>) -> Result<Option<Vec<u8>>, Rejected> {
    let Some(report) = report else { return reason(why) };
    if !report.is_object() {
        return Err(Rejected::malformed("`report` must be an object"));
    }
    let mut details = json!({ "report": report });
    if let (Some(why), Some(details)) = (why, details.as_object_mut()) {
        details.insert("reason".to_owned(), why.into());
    }
    canonical::to_canonical(&details).map(Some).map_err(Rejected::malformed)
}

/// Say that the work goes on, where the rules ask for signs of life. What is on record and fresh enough is not written down again.
#[utoipa::path(post, path = "/admin/permits/{id}/heartbeat", tag = "permits", params(("id" = String, Path)), request_body = Reason, responses((status = 200, body = Permit)))]
pub(super) async fn heartbeat(
    State(app): State<App>,
    Named(id): Named<String>,
    post: Post<Reason>,
) -> Result<Json<Permit>, Rejected> {
    let command = Command::KeepPermitAlive(parse(&id)?);
    decide(&app, command, (post.sender, post.body.reason)).await
}

/// Say what became of the work of a permit that is unknown, as somebody other than its executor.
#[utoipa::path(post, path = "/admin/permits/{id}/reconcile", tag = "permits", params(("id" = String, Path)), request_body = ReconcilePermit, responses((status = 200, body = Permit)))]
pub(super) async fn reconcile(
    State(app): State<App>,
    Named(id): Named<String>,
    post: Post<ReconcilePermit>,
) -> Result<Json<Permit>, Rejected> {
    let ReconcilePermit { outcome, reason } = post.body;
    if reason.trim().is_empty() {
        return Err(Rejected::malformed("`reason` must say how it was found out"));
    }
    let command = Command::ReconcilePermit(permit::Reconcile { permit: parse(&id)?, outcome: told(outcome) });
    decide(&app, command, (post.sender, Some(reason))).await
}

async fn decide(
    app: &App,
    command: Command,
    (sender, why): (Sender, Option<String>),
) -> Result<Json<Permit>, Rejected> {
    submit(app, command, (sender, reason(why.as_deref())?)).await
}

async fn submit(
    app: &App,
    command: Command,
    (sender, details): (Sender, Option<Vec<u8>>),
) -> Result<Json<Permit>, Rejected> {
    let named = match &command {
        Command::KeepPermitAlive(id) => Some(*id),
        _ => None,
    };
    let submission = sender.submission(command).with_optional_details(details);
    match app.submit(submission).await? {
        // A sign of life that says nothing new changes nothing, so the engine has nothing to show.
        (Committed { item: None, .. }, known) => {
            let item = match named {
                Some(id) => lists::one(app, Subject::Permit(id)).await?,
                None => None,
            };
            answer(app, &known, item)
        }
        (committed, known) => answer(app, &known, committed.item),
    }
}

fn told(outcome: Outcome) -> permit::Outcome {
    match outcome {
        Outcome::Succeeded => permit::Outcome::Succeeded,
        Outcome::Failed => permit::Outcome::Failed,
    }
}

fn shown(outcome: permit::Outcome) -> Outcome {
    match outcome {
        permit::Outcome::Succeeded => Outcome::Succeeded,
        permit::Outcome::Failed => Outcome::Failed,
    }
}

fn answer(app: &App, known: &Known, item: Option<Item>) -> Result<Json<Permit>, Rejected> {
    match item {
        Some(Item::Permit(permit)) => Ok(Json(show_permit(app, known, &permit))),
        _ => Err(EngineError::Stopped.into()),
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
        break_glass: permit.break_glass.map(|id| id.to_string()),
        reserved_at: permit.reserved_at.to_string(),
        start_by: permit.start_by.to_string(),
        started_at: permit.started.map(|(at, _)| at.to_string()),
        finish_by: permit.started.map(|(_, by)| by.to_string()),
        heartbeat_seconds: permit.heartbeat_seconds.map(NonZeroU32::get),
        ended_at: permit.ended_at.map(|at| at.to_string()),
        late: permit.late.map(shown),
        next_by: permit.next_by.filter(|_| permit.ended_at.is_none()).map(|by| by.to_string()),
        reconciled: permit.reconciled.map(|found| Reconciliation {
            outcome: shown(found.outcome),
            by: person(found.by, known),
            at: found.at.to_string(),
        }),
        rotation: permit.rotation.map(|id| id.to_string()),
        freezes: permit.freezes.as_ref().map(freezes::show_verdict),
        correlation: permit.correlation.to_string(),
        document: None,
    }
}
