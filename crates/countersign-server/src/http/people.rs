//! People and their credentials.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use countersign_api::Page;
use countersign_api::person::{ClaimCredential, Person};
use countersign_core::digest::Digest;
use countersign_core::id::PersonId;
use countersign_core::{Actor, Command, Item, Subject, person};

use super::gate::{Open, Viewer};
use super::names::Known;
use super::problem::Rejected;
use super::{App, lists};
use crate::engine::{EngineError, Submission};

/// Replace a one-time claim by a credential of one's own. Needs no credential: the claim is one.
#[utoipa::path(post, path = "/admin/people/claim", tag = "people", request_body = ClaimCredential, responses((status = 200, body = Person)))]
pub(super) async fn claim(
    State(app): State<App>,
    Open(body): Open<ClaimCredential>,
) -> Result<(StatusCode, Json<Person>), Rejected> {
    let command = Command::ClaimCredential(person::ClaimCredential {
        claim_sha256: Digest::of(body.claim.as_bytes()),
        credential_sha256: body.credential_sha256.parse().map_err(Rejected::malformed)?,
    });
    match app.engine.submit(Submission::new(Actor::Node, command)).await?.item {
        Some(Item::Person(person)) => {
            let known = app.names.all(&app.engine).await?;
            Ok((StatusCode::OK, Json(show(&app, &known, &person))))
        }
        _ => Err(EngineError::Stopped.into()),
    }
}

/// Everybody.
#[utoipa::path(get, path = "/admin/people", tag = "people", params(lists::Query), responses((status = 200, body = Page<Person>)))]
pub(super) async fn list(
    State(app): State<App>,
    _: Viewer,
    Query(query): Query<lists::Query>,
) -> Result<Json<Page<Person>>, Rejected> {
    let (items, next) = lists::page(&app, "person", query).await?;
    let known = app.names.all(&app.engine).await?;
    let shown = |item| match item {
        Item::Person(person) => Some(show(&app, &known, &person)),
        _ => None,
    };
    Ok(Json(Page { items: items.into_iter().filter_map(shown).collect(), next }))
}

/// Who the credential belongs to.
#[utoipa::path(get, path = "/admin/people/me", tag = "people", responses((status = 200, body = Person)))]
pub(super) async fn me(State(app): State<App>, Viewer(id): Viewer) -> Result<Json<Person>, Rejected> {
    let known = app.names.all(&app.engine).await?;
    match lists::one(&app, Subject::Person(id)).await? {
        Some(Item::Person(person)) => Ok(Json(show(&app, &known, &person))),
        _ => Err(Rejected::not_found("person", &id.to_string())),
    }
}

fn groups(app: &App, id: PersonId) -> Vec<String> {
    let state = app.engine.state();
    let Some(in_force) = state.policy() else { return Vec::new() };
    let groups = in_force.policy.groups.iter();
    groups.filter(|(_, members)| members.contains(&id)).map(|(group, _)| group.to_string()).collect()
}

fn show(app: &App, known: &Known, person: &person::Person) -> Person {
    Person {
        id: person.id.to_string(),
        name: known.get(&person.id).cloned(),
        status: person.status().to_owned(),
        groups: groups(app, person.id),
        enrolled_at: person.enrolled_at.to_string(),
    }
}
