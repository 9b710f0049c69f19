//! Who belongs: inviting people and deactivating them, each under its own rule.
//!
//! Whoever invites draws the id and the one-time claim; only the claim's SHA-256 gets here. The name is kept as details and nowhere else.

use std::num::NonZeroU32;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use countersign_api::person::{DeactivatePerson, InvitePerson, Person};
use countersign_core::action::Action;
use countersign_core::digest::Digest;
use countersign_core::id::PersonId;
use countersign_core::person::{Deactivate, Invite, deactivation, invitation};
use countersign_core::{Command, Item};
use countersign_ledger::json::to_canonical;
use serde_json::{Value, json};

use super::address::Named;
use super::approvals::show_action;
use super::gate::Post;
use super::parameters::{reason, under};
use super::problem::Rejected;
use super::{App, people};
use crate::engine::{EngineError, Submission};

/// Longest name, characters.
const LONGEST_NAME: usize = 200;

/// Invite somebody, or again whoever has not claimed; the claim before is then worth nothing.
#[utoipa::path(post, path = "/admin/people", tag = "people", request_body = InvitePerson, responses((status = 201, body = Person)))]
pub(super) async fn invite(
    State(app): State<App>,
    post: Post<InvitePerson>,
) -> Result<(StatusCode, Json<Person>), Rejected> {
    let InvitePerson { id, name, claim_sha256, claim_seconds, approval, reason } = post.body;
    let person: PersonId = id.parse().map_err(Rejected::malformed)?;
    let claim_sha256: Digest = claim_sha256.parse().map_err(Rejected::malformed)?;
    let open_for =
        NonZeroU32::new(claim_seconds).ok_or_else(|| Rejected::malformed("`claim_seconds` is at least 1"))?;
    let name = readable(&name)?;
    let parameters = json!({ "claim_seconds": claim_seconds, "name": name });
    let under = under(&app.engine, approval.as_deref(), parameters.clone()).await?;
    let command = Command::InvitePerson(Invite { person, claim_sha256, claim_seconds: open_for, under });
    let kept = match reason {
        Some(reason) => json!({ "name": name, "reason": reason }),
        None => json!({ "name": name }),
    };
    let details = to_canonical(&kept).map_err(Rejected::malformed)?;
    let submission = post.sender.submission(command).with_details(details);
    let person = submit(&app, submission, (invitation(person), parameters)).await?;
    Ok((StatusCode::CREATED, Json(person)))
}

/// End that somebody belongs, for good: nothing of theirs counts any more.
#[utoipa::path(post, path = "/admin/people/{id}/deactivate", tag = "people", params(("id" = String, Path)), request_body = DeactivatePerson, responses((status = 200, body = Person)))]
pub(super) async fn deactivate(
    State(app): State<App>,
    Named(id): Named<String>,
    post: Post<DeactivatePerson>,
) -> Result<Json<Person>, Rejected> {
    let DeactivatePerson { approval, reason: why } = post.body;
    let person: PersonId = id.parse().map_err(Rejected::malformed)?;
    let under = under(&app.engine, approval.as_deref(), json!({})).await?;
    let command = Command::DeactivatePerson(Deactivate { person, under });
    let submission = post.sender.submission(command).with_optional_details(reason(why.as_deref())?);
    submit(&app, submission, (deactivation(person), json!({}))).await.map(Json)
}

/// A name that people can tell apart from what stands around it.
fn readable(name: &str) -> Result<&str, Rejected> {
    let fits = (1..=LONGEST_NAME).contains(&name.chars().count());
    if fits && name.trim() == name && !name.chars().any(char::is_control) {
        return Ok(name);
    }
    let what = format!(
        "`name` is 1 to {LONGEST_NAME} characters, without control characters and without blanks around it"
    );
    Err(Rejected::malformed(what))
}

/// Hands the command in. Who lacks an approval is told how to ask for it.
async fn submit(
    app: &App,
    submission: Submission,
    (action, parameters): (Option<Action>, Value),
) -> Result<Person, Rejected> {
    let asking = |rejected: Rejected| match action
        .filter(|_| rejected.status() == StatusCode::PRECONDITION_REQUIRED)
    {
        Some(action) => {
            rejected.with_request(json!({ "action": show_action(&action), "parameters": parameters }))
        }
        None => rejected,
    };
    let (committed, known) = app.submit(submission).await.map_err(asking)?;
    match committed.item {
        Some(Item::Person(person)) => Ok(people::show(app, &known, &person)),
        _ => Err(EngineError::Stopped.into()),
    }
}
