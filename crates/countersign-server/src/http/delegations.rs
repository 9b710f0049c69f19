//! Delegations: begun and ended by the person who is away, seen by readers and by those whom they concern.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use countersign_api::Reason;
use countersign_api::delegation::{Delegate, Delegation, Delegations};
use countersign_core::delegation;
use countersign_core::id::PersonId;
use countersign_core::time::Time;
use countersign_core::{Command, Item, person};

use super::App;
use super::gate::{Caller, Post};
use super::names::{self, Known};
use super::parameters::reason;
use super::problem::Rejected;
use crate::engine::EngineError;

/// Let somebody else agree in one's place for a while.
#[utoipa::path(post, path = "/admin/delegations", tag = "delegations", request_body = Delegate, responses((status = 201, body = Delegation)))]
pub(super) async fn delegate(
    State(app): State<App>,
    post: Post<Delegate>,
) -> Result<(StatusCode, Json<Delegation>), Rejected> {
    let Delegate { to, from, until } = post.body;
    let time = |text: String| Time::parse_rfc3339(&text).map_err(Rejected::malformed);
    let to = to.parse().map_err(Rejected::malformed)?;
    let (from, until) = (from.map(time).transpose()?, time(until)?);
    let command = Command::Delegate(delegation::Delegate { to, from, until });
    let (committed, known) = app.submit(post.sender.submission(command)).await?;
    match committed.item {
        Some(Item::Person(person)) => match show(&app, &known, &person) {
            Some(shown) => Ok((StatusCode::CREATED, Json(shown))),
            // A repetition of one that has ended since.
            None => Err(Rejected::not_found("delegation", &person.id.to_string())),
        },
        _ => Err(EngineError::Stopped.into()),
    }
}

/// End one's own delegation before its time.
#[utoipa::path(post, path = "/admin/delegations/end", tag = "delegations", request_body = Reason, responses((status = 200, body = Delegations)))]
pub(super) async fn end(State(app): State<App>, post: Post<Reason>) -> Result<Json<Delegations>, Rejected> {
    let details = reason(post.body.reason.as_deref())?;
    let actor = post.sender.actor();
    let submission = post.sender.submission(Command::EndDelegation).with_optional_details(details);
    let (_, known) = app.submit(submission).await?;
    let mine = |person: &person::Person| actor.person() == Some(person.id);
    Ok(Json(all(&app, &known, mine)))
}

/// Delegations that have not ended: all of them for readers, for everybody else their own and those to them.
#[utoipa::path(get, path = "/admin/delegations", tag = "delegations", responses((status = 200, body = Delegations)))]
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Delegations>, Rejected> {
    let known = app.known().await;
    let me = caller.in_person()?;
    let reads = caller.sees(&app, |_, _| false).is_ok();
    Ok(Json(all(&app, &known, |person| reads || concerns(person, me))))
}

fn concerns(person: &person::Person, me: PersonId) -> bool {
    person.id == me || person.delegated.is_some_and(|delegated| delegated.to == me)
}

fn all(app: &App, known: &Known, shown: impl Fn(&person::Person) -> bool) -> Delegations {
    let state = app.engine.state();
    let people = state.people().map(|(_, person)| person).filter(|person| shown(person));
    Delegations { items: people.filter_map(|person| show(app, known, person)).collect() }
}

fn show(app: &App, known: &Known, person: &person::Person) -> Option<Delegation> {
    let now = app.engine.now();
    let delegated = person.delegated.filter(|delegated| now < delegated.until)?;
    // Whoever was deactivated stands in for nobody.
    let is_there = app.engine.state().person(delegated.to).is_some_and(person::Person::is_active);
    Some(Delegation {
        person: names::person(person.id, known),
        to: names::person(delegated.to, known),
        from: delegated.from.to_string(),
        until: delegated.until.to_string(),
        active: is_there && delegated.is_active(now),
    })
}
