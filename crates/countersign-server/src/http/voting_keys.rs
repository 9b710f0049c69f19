//! People's voting keys: which there are, and giving and taking them under the policy's quorum.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use countersign_api::person::{EnrollKey, RevokeKey, VotingKey, VotingKeys};
use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, PersonId};
use countersign_core::person::Person;
use countersign_core::{Command, Item, Subject, voting_key};
use countersign_evidence::votes::{self, KeyError};
use countersign_ledger::hash::Hash;
use countersign_ledger::sshsig::{fingerprint, parse_fingerprint};
use serde_json::{Value, json};

use super::address::Named;
use super::gate::{Caller, Post};
use super::parameters::{bound, reason, under};
use super::problem::{Rejected, Words};
use super::{App, lists};
use crate::engine::{Committed, Engine, EngineError};

/// A person's voting keys, revoked ones too. Also for the person.
#[utoipa::path(get, path = "/admin/people/{id}/keys", tag = "people", params(("id" = String, Path)), responses((status = 200, body = VotingKeys)))]
pub(super) async fn keys(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<VotingKeys>, Rejected> {
    let person: PersonId = id.parse().map_err(Rejected::malformed)?;
    caller.sees(&app, |_, me| me == person)?;
    match lists::one(&app, Subject::Person(person)).await? {
        Some(Item::Person(person)) => Ok(Json(show(&person))),
        _ => Err(Rejected::not_found("person", &id)),
    }
}

/// Give a person a voting key, under an approval of exactly this key.
#[utoipa::path(post, path = "/admin/people/{id}/keys", tag = "people", params(("id" = String, Path)), request_body = EnrollKey, responses((status = 201, body = VotingKeys)))]
pub(super) async fn enroll_key(
    State(app): State<App>,
    Named(id): Named<String>,
    post: Post<EnrollKey>,
) -> Result<(StatusCode, Json<VotingKeys>), Rejected> {
    let person: PersonId = id.parse().map_err(Rejected::malformed)?;
    let approval: ApprovalId = post.body.approval.parse().map_err(Rejected::malformed)?;
    let command = enrolling(&app.engine, (person, approval), &post.body.key).await?;
    let (committed, _) = app.submit(post.sender.submission(command)).await?;
    Ok((StatusCode::CREATED, Json(shown(committed)?)))
}

/// The command that gives somebody the key in this text, under an approval of exactly that.
pub(super) async fn enrolling(
    engine: &Engine,
    (person, approval): (PersonId, ApprovalId),
    text: &str,
) -> Result<Command, Rejected> {
    let key = votes::public_key(text).map_err(|error| unusable(&error))?;
    // The comment in the file is nobody's business and no part of the key.
    let line = votes::line(key.algorithm, &key.key);
    let parameters_sha256 = bound(engine, approval, json!({ "key": named(line) })).await?;
    Ok(Command::EnrollKey(voting_key::EnrollKey { person, key, approval, parameters_sha256 }))
}

/// Take a voting key out of force for good: one's own, or under an approval.
#[utoipa::path(post, path = "/admin/people/{id}/keys/revoke", tag = "people", params(("id" = String, Path)), request_body = RevokeKey, responses((status = 200, body = VotingKeys)))]
pub(super) async fn revoke_key(
    State(app): State<App>,
    Named(id): Named<String>,
    post: Post<RevokeKey>,
) -> Result<Json<VotingKeys>, Rejected> {
    let RevokeKey { fingerprint, approval, reason: why } = post.body;
    let person: PersonId = id.parse().map_err(Rejected::malformed)?;
    let key_sha256 = Digest(parse_fingerprint(&fingerprint).map_err(Rejected::malformed)?.0);
    let parameters = json!({ "fingerprint": fingerprint });
    let under = under(&app.engine, approval.as_deref(), parameters).await?;
    let command = Command::RevokeKey(voting_key::RevokeKey { person, key_sha256, under });
    let submission = post.sender.submission(command).with_optional_details(reason(why.as_deref())?);
    let (committed, _) = app.submit(submission).await?;
    Ok(Json(shown(committed)?))
}

/// The key as the parameter of its approval. A passkey is there as it reads, so that people see for which pages it is.
fn named(line: String) -> Value {
    let passkey = serde_json::from_str(&line).ok().filter(Value::is_object);
    passkey.unwrap_or(Value::String(line))
}

fn unusable(error: &KeyError) -> Rejected {
    let words = Words {
        code: "voting_key_unusable",
        detail: format!("this is not a key that votes can be signed with: {error}"),
        hint: "make one with `ssh-keygen -t ed25519` or `-t ed25519-sk` and send the line of its `.pub` file, or the JSON of a passkey",
    };
    Rejected::new(StatusCode::UNPROCESSABLE_ENTITY, words)
}

fn shown(committed: Committed) -> Result<VotingKeys, Rejected> {
    match committed.item {
        Some(Item::Person(person)) => Ok(show(&person)),
        _ => Err(EngineError::Stopped.into()),
    }
}

fn show(person: &Person) -> VotingKeys {
    let one = |key: &voting_key::VotingKey| VotingKey {
        fingerprint: fingerprint(&Hash(key.key_sha256.0)),
        algorithm: key.algorithm.to_string(),
        key: votes::line(key.algorithm, &key.key),
        hardware: key.algorithm.is_hardware(),
        enrolled_at: key.enrolled_at.to_string(),
        approval: key.approval.to_string(),
        revoked_at: key.revoked_at.map(|at| at.to_string()),
    };
    VotingKeys { keys: person.keys.iter().map(one).collect() }
}
