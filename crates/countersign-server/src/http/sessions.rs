//! Sessions: which one has, and how they end. How they open with a passkey is elsewhere; here only a credential opens one.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use countersign_api::Page;
use countersign_api::session::{EndSession, OpenSession, Session};
use countersign_core::id::SessionId;
use countersign_core::session::{self, Method};
use countersign_core::{Command, Item};
use serde_json::json;

use super::App;
use super::address::Named;
use super::gate::{Caller, Post};
use super::names::{self, Known};
use super::parameters::{reason, under};
use super::problem::Rejected;
use crate::engine::{Committed, EngineError};

/// One's own sessions that are worth something, the newest first.
#[utoipa::path(get, path = "/admin/sessions", tag = "sessions", responses((status = 200, body = Page<Session>)))]
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Page<Session>>, Rejected> {
    let me = caller.in_person()?;
    let known = app.known().await;
    let (state, now) = (app.engine.state(), app.engine.now());
    let live = state.sessions_of(me).filter(|session| state.live_session(session.id, now).is_ok());
    let mut items: Vec<Session> = live.map(|session| show(&app, &known, (session, caller.session))).collect();
    items.reverse();
    Ok(Json(Page { items, next: None }))
}

/// Open a session with one's credential, for a terminal.
#[utoipa::path(post, path = "/admin/sessions", tag = "sessions", request_body = OpenSession, responses((status = 201, body = Session)))]
pub(super) async fn open(
    State(app): State<App>,
    post: Post<OpenSession>,
) -> Result<(StatusCode, Json<Session>), Rejected> {
    let command = Command::OpenSession(session::Open {
        person: post.sender.caller(),
        method: Method::Credential {},
        session_sha256: post.body.session_sha256.parse().map_err(Rejected::malformed)?,
        replaces: None,
        spent: None,
    });
    let by = post.sender.session();
    let (committed, known) = app.submit(post.sender.submission(command)).await?;
    Ok((StatusCode::CREATED, Json(shown(&app, &known, (committed, by))?)))
}

/// End a session: one's own, or under an approval where the rules demand one.
#[utoipa::path(post, path = "/admin/sessions/{id}/end", tag = "sessions", params(("id" = String, Path)), request_body = EndSession, responses((status = 200, body = Session)))]
pub(super) async fn end(
    State(app): State<App>,
    Named(id): Named<String>,
    post: Post<EndSession>,
) -> Result<Json<Session>, Rejected> {
    let session: SessionId = id.parse().map_err(Rejected::malformed)?;
    let EndSession { approval, reason: why } = post.body;
    let under = under(&app.engine, approval.as_deref(), json!({ "session": session })).await?;
    let command = Command::EndSession(session::End { session, under });
    let by = post.sender.session();
    let submission = post.sender.submission(command).with_optional_details(reason(why.as_deref())?);
    let (committed, known) = app.submit(submission).await?;
    Ok(Json(shown(&app, &known, (committed, by))?))
}

fn shown(
    app: &App,
    known: &Known,
    (committed, by): (Committed, Option<SessionId>),
) -> Result<Session, Rejected> {
    match committed.item {
        Some(Item::Session(session)) => Ok(show(app, known, (&session, by))),
        _ => Err(EngineError::Stopped.into()),
    }
}

/// The state as of now: time, its person's end and that of what opened it count at once.
fn status(app: &App, session: &session::Session) -> &'static str {
    let now = app.engine.now();
    let is_live = app.engine.state().live_session(session.id, now).is_ok();
    match session.status() {
        "open" if session.deadline().is_some_and(|deadline| now >= deadline) => "expired",
        "open" if !is_live => "ended",
        stored => stored,
    }
}

pub(super) fn show(
    app: &App,
    known: &Known,
    (session, by): (&session::Session, Option<SessionId>),
) -> Session {
    Session {
        id: session.id.to_string(),
        person: names::person(session.person, known),
        method: session.method.as_str().to_owned(),
        status: status(app, session).to_owned(),
        current: by == Some(session.id),
        opened_at: session.opened_at.to_string(),
        idle_until: session.idle_until.to_string(),
        expires_at: session.expires_at.to_string(),
        ended_at: session.ended.map(|(_, at)| at.to_string()),
    }
}
