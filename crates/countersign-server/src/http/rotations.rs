//! Rotations of secrets, as their record shows them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use countersign_api::rotation::{
    Hooks, Links, PolicyApplied, Rotation, Secret, StageReached, StartRotation, Task,
};
use countersign_api::{Page, Reason};
use countersign_core::id::{PermitId, RotationId};
use countersign_core::rotation::{self, Step, TaskState, TurnCause};
use countersign_core::time::Time;
use countersign_core::{Command, Item, Subject};

use super::address::{Asked, Named};
use super::body::plainly;
use super::gate::{Caller, Post, Viewer};
use super::names::{Known, person};
use super::parameters::{Bound, reason};
use super::problem::Rejected;
use super::{App, lists};
use crate::engine::{EngineError, Submission};

/// How much of the time before a rotation its dashboard shows, milliseconds.
const LEAD_MS: i64 = 60_000;

const LISTED: lists::Kind = lists::Kind {
    name: "rotation",
    states: &[
        "started",
        "pending-created",
        "distributed",
        "tested",
        "promoted",
        "overlap",
        "old-revoked",
        "old-proved-refused",
        "closed",
        "aborting",
        "withdrawn",
        "aborted",
        "swapping-back",
        "switched-back",
        "new-withdrawn",
        "swapped-back",
    ],
};

const SECRETS: lists::Kind = lists::Kind { name: "secret", states: &["settled", "rotating"] };

/// Begin a rotation under a reserved permit.
#[utoipa::path(post, path = "/admin/rotations", tag = "rotations", request_body = StartRotation, responses((status = 201, body = Rotation)))]
pub(super) async fn start(
    State(app): State<App>,
    post: Post<StartRotation>,
) -> Result<(StatusCode, Json<Rotation>), Rejected> {
    let permit: PermitId = post.body.permit.parse().map_err(Rejected::malformed)?;
    let bound = Bound::of_permit(&app.engine, permit).await?;
    let bound = bound.ok_or_else(|| Rejected::not_found("permit", &post.body.permit))?;
    let parameters_sha256 = bound.digest()?;
    let parameters = serde_json::from_value(bound.parameters).map_err(|error| {
        let why = plainly(&error.to_string());
        Rejected::malformed(format!("the permit's parameters do not fit a rotation: {why}"))
    })?;
    let command = Command::StartRotation(rotation::Start { permit, parameters_sha256, parameters });
    Ok((StatusCode::CREATED, submit(&app, post.sender.submission(command)).await?))
}

/// Rotations, newest first.
#[utoipa::path(get, path = "/admin/rotations", tag = "rotations", params(lists::Query), responses((status = 200, body = Page<Rotation>)))]
pub(super) async fn list(
    State(app): State<App>,
    _: Viewer,
    Asked(query): Asked<lists::Query>,
) -> Result<Json<Page<Rotation>>, Rejected> {
    let (items, next) = lists::page(&app, &LISTED, query).await?;
    let known = app.known().await;
    let shown = |item| match item {
        Item::Rotation(rotation) => Some(show_rotation(&app, &known, &rotation)),
        _ => None,
    };
    Ok(Json(Page { items: items.into_iter().filter_map(shown).collect(), next }))
}

/// One rotation: its secret rotation runbook. Also for whoever started it.
#[utoipa::path(get, path = "/admin/rotations/{id}", tag = "rotations", params(("id" = String, Path)), responses((status = 200, body = Rotation)))]
pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<Rotation>, Rejected> {
    let Some(Item::Rotation(rotation)) = lists::one(&app, Subject::Rotation(parse(&id)?)).await? else {
        return Err(caller.misses(&app, ("rotation", &id)));
    };
    caller.sees(&app, |_, me| rotation.started_by == me)?;
    let known = app.known().await;
    Ok(Json(show_rotation(&app, &known, &rotation)))
}

/// Stop a rotation and restore what was before.
#[utoipa::path(post, path = "/admin/rotations/{id}/abort", tag = "rotations", params(("id" = String, Path)), request_body = Reason, responses((status = 200, body = Rotation)))]
pub(super) async fn abort(
    State(app): State<App>,
    Named(id): Named<String>,
    post: Post<Reason>,
) -> Result<Json<Rotation>, Rejected> {
    let details = reason(post.body.reason.as_deref())?;
    let submission = post.sender.submission(Command::AbortRotation(parse(&id)?));
    submit(&app, submission.with_optional_details(details)).await
}

/// Governed secrets: versions, never values.
#[utoipa::path(get, path = "/admin/secrets", tag = "rotations", params(lists::Query), responses((status = 200, body = Page<Secret>)))]
pub(super) async fn secrets(
    State(app): State<App>,
    _: Viewer,
    Asked(query): Asked<lists::Query>,
) -> Result<Json<Page<Secret>>, Rejected> {
    let (items, next) = lists::page(&app, &SECRETS, query).await?;
    let shown = |item| match item {
        Item::Secret(secret) => Some(Secret {
            secret: secret.key.resource.to_string(),
            environment: secret.key.environment.to_string(),
            current: secret.current,
            promoted_at: secret.promoted_at.to_string(),
            rotation: secret.rotation.map(|id| id.to_string()),
        }),
        _ => None,
    };
    Ok(Json(Page { items: items.into_iter().filter_map(shown).collect(), next }))
}

async fn submit(app: &App, submission: Submission) -> Result<Json<Rotation>, Rejected> {
    let (committed, known) = app.submit(submission).await?;
    match committed.item {
        Some(Item::Rotation(rotation)) => Ok(Json(show_rotation(app, &known, &rotation))),
        _ => Err(EngineError::Stopped.into()),
    }
}

fn parse(id: &str) -> Result<RotationId, Rejected> {
    id.parse().map_err(Rejected::malformed)
}

fn show_rotation(app: &App, known: &Known, rotation: &rotation::Rotation) -> Rotation {
    Rotation {
        id: rotation.id.to_string(),
        secret: rotation.secret.resource.to_string(),
        environment: rotation.secret.environment.to_string(),
        from_version: rotation.from_version,
        to_version: rotation.to_version,
        stage: rotation.stage.as_str().to_owned(),
        stages: stages(rotation),
        overlap_seconds: rotation.overlap_seconds,
        policy: PolicyApplied {
            sha256: rotation.policy_sha256.to_string(),
            dwell_ms: rotation.dwell_ms,
            attempts: rotation.attempts,
        },
        hooks: hooks(rotation),
        tasks: rotation.tasks.iter().map(task).collect(),
        turned_back: rotation.turned_back.as_ref().map(|cause| match cause {
            TurnCause::Ordered => "ordered".to_owned(),
            TurnCause::Exhausted { task } => format!("exhausted: {task}"),
        }),
        links: links(rotation, app.engine.now()),
        started_by: person(rotation.started_by, known),
        permit: rotation.permit.to_string(),
        approval: rotation.approval.map(|id| id.to_string()),
        correlation: rotation.correlation.to_string(),
    }
}

fn stages(rotation: &rotation::Rotation) -> Vec<StageReached> {
    let after = rotation.reached.iter().skip(1).map(|next| Some(next.at)).chain([None]);
    let reached = rotation.reached.iter().zip(after);
    let one = |(reached, left): (&rotation::Reached, Option<Time>)| StageReached {
        stage: reached.stage.as_str().to_owned(),
        at: reached.at.to_string(),
        duration_ms: left.map(|left| left.as_millis() - reached.at.as_millis()),
    };
    reached.map(one).collect()
}

fn hooks(rotation: &rotation::Rotation) -> Hooks {
    let distributed = || rotation.tasks.iter().filter(|task| task.key.step == Step::Distribute);
    let count = |counts: fn(&rotation::Task) -> bool| {
        u32::try_from(distributed().filter(|task| counts(task)).count()).unwrap_or(u32::MAX)
    };
    let done = |task: &rotation::Task| matches!(task.state, TaskState::Done { .. });
    Hooks {
        tried: count(|task| task.attempts > 0),
        acknowledged: count(done),
        failed: count(|task| task.failure.is_some() && !matches!(task.state, TaskState::Done { .. })),
    }
}

fn task(task: &rotation::Task) -> Task {
    let (state, done) = match task.state {
        TaskState::Waiting { .. } => ("waiting", None),
        TaskState::InFlight { .. } => ("in-flight", None),
        TaskState::Done { at, latency_us } => ("done", Some((at, latency_us))),
    };
    Task {
        step: task.key.step.as_str().to_owned(),
        target: task.key.target.as_ref().map(ToString::to_string),
        state: state.to_owned(),
        attempts: task.attempts,
        done_at: done.map(|(at, _)| at.to_string()),
        latency_us: done.map(|(_, latency_us)| latency_us),
        failure: task.failure.map(|failure| match failure.status {
            Some(status) => format!("{} ({status})", failure.code.as_str()),
            None => failure.code.as_str().to_owned(),
        }),
    }
}

/// The templates of the policy then in force, filled in with the rotation's own window.
fn links(rotation: &rotation::Rotation, now: Time) -> Links {
    let begun = rotation.reached.first().map_or(now, |reached| reached.at);
    let ended = if rotation.is_finished() { rotation.since() } else { now };
    let fill = |template: &str| {
        template
            .replace("{rotation}", &rotation.id.to_string())
            .replace("{secret}", &rotation.secret.resource.as_str().replace('/', "%2F"))
            .replace("{environment}", rotation.secret.environment.as_str())
            .replace("{from_ms}", &(begun.as_millis() - LEAD_MS).to_string())
            .replace("{to_ms}", &(ended.as_millis() + LEAD_MS).to_string())
    };
    Links { runbook: fill(&rotation.runbook), dashboard: fill(&rotation.dashboard) }
}
