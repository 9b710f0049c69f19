//! People and their credentials.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_api::Page;
use countersign_api::person::{ClaimCredential, Person};
use countersign_core::digest::Digest;
use countersign_core::id::PersonId;
use countersign_core::{Actor, Command, Item, Subject, person};
use countersign_ledger::hash::sha256;

use super::address::Asked;
use super::attempts::Network;
use super::failures::Shown;
use super::gate::{Caller, Open, Viewer};
use super::names::Known;
use super::problem::{Rejected, Words};
use super::{App, lists, meter};
use crate::engine::{EngineError, IdempotencyKey, Submission};
use crate::genesis::CLAIM_PREFIX;

const LISTED: lists::Kind = lists::Kind { name: "person", states: &["invited", "active", "deactivated"] };

/// Replace a one-time claim by a credential of one's own. Needs no credential and no idempotency key: the claim is both. Wrong ones
/// are answered 429 after some of them.
#[utoipa::path(post, path = "/admin/people/claim", tag = "people", request_body = ClaimCredential, responses((status = 200, body = Person)))]
pub(super) async fn claim(
    State(app): State<App>,
    network: Network,
    Open(body): Open<ClaimCredential>,
) -> Result<Json<Person>, Rejected> {
    let claim_sha256 = Digest::of(body.claim.as_bytes());
    let credential_sha256: Digest = body.credential_sha256.parse().map_err(Rejected::malformed)?;
    // Before anybody is asked: a right claim never waits for what others sent.
    if invited(&app, &claim_sha256).is_none() {
        app.failed(Shown::Claim, (network, None)).map_err(too_many)?;
    }
    let command = Command::ClaimCredential(person::ClaimCredential { claim_sha256, credential_sha256 });
    let submission =
        Submission::new(Actor::Node, command).with_idempotency(pair(&claim_sha256, &credential_sha256));
    // What has not the form of a claim is none, whatever its digest may be: nobody is let in by a word that could be guessed.
    let answer = if has_form(&body.claim) { app.submit(submission).await } else { Err(unknown_claim()) };
    match answer {
        Ok((committed, known)) => match committed.item {
            Some(Item::Person(person)) => Ok(Json(show(&app, &known, &person))),
            _ => Err(EngineError::Stopped.into()),
        },
        Err(rejected) => {
            meter::claim_refused(rejected.code());
            Err(rejected)
        }
    }
}

/// Whose open claim has this digest.
pub(super) fn invited(app: &App, claim_sha256: &Digest) -> Option<PersonId> {
    let state = app.engine.state();
    let mut people = state.people();
    people.find(|(_, person)| person.claim_sha256.as_ref() == Some(claim_sha256)).map(|(id, _)| *id)
}

/// Nobody has this claim open.
pub(super) fn unknown_claim() -> Rejected {
    Rejected::refused(&person::Refusal::UnknownClaim.into(), &Known::default())
}

/// `csc_` and 256 bits in base64url.
pub(super) fn has_form(claim: &str) -> bool {
    let bits = claim.strip_prefix(CLAIM_PREFIX).map(|bits| URL_SAFE_NO_PAD.decode(bits));
    matches!(bits, Some(Ok(bits)) if bits.len() == 32)
}

fn too_many(seconds: u32) -> Rejected {
    let words = Words {
        code: "too_many_claims",
        detail: "too many claims that nobody has open were sent from here, or from everywhere".into(),
        hint: "send it again after the seconds that `Retry-After` says; a claim that is open does not wait",
    };
    meter::claim_refused(words.code);
    Rejected::new(StatusCode::TOO_MANY_REQUESTS, words).after(seconds)
}

/// The idempotency key of a claim and its credential: repeating exactly this is harmless, whoever repeats it.
///
/// A lost answer must not cost the person their only claim, and there is nobody yet in whose name a key could be kept.
fn pair(claim_sha256: &Digest, credential_sha256: &Digest) -> IdempotencyKey {
    let body_sha256 = sha256(format!("claim {claim_sha256} {credential_sha256}").as_bytes());
    IdempotencyKey { key: format!("claim-{body_sha256}"), body_sha256 }
}

/// Everybody.
#[utoipa::path(get, path = "/admin/people", tag = "people", params(lists::Query), responses((status = 200, body = Page<Person>)))]
pub(super) async fn list(
    State(app): State<App>,
    _: Viewer,
    Asked(query): Asked<lists::Query>,
) -> Result<Json<Page<Person>>, Rejected> {
    let (items, next) = lists::page(&app, &LISTED, query).await?;
    let known = app.known().await;
    let shown = |item| match item {
        Item::Person(person) => Some(show(&app, &known, &person)),
        _ => None,
    };
    Ok(Json(Page { items: items.into_iter().filter_map(shown).collect(), next }))
}

/// Who the credential belongs to.
#[utoipa::path(get, path = "/admin/people/me", tag = "people", responses((status = 200, body = Person)))]
pub(super) async fn me(State(app): State<App>, caller: Caller) -> Result<Json<Person>, Rejected> {
    let id = caller.in_person()?;
    let known = app.known().await;
    match lists::one(&app, Subject::Person(id)).await? {
        Some(Item::Person(person)) => Ok(Json(show(&app, &known, &person))),
        _ => Err(Rejected::not_found("person", &id.to_string())),
    }
}

pub(super) fn groups(app: &App, id: PersonId) -> Vec<String> {
    let state = app.engine.state();
    let Some(in_force) = state.policy() else { return Vec::new() };
    let groups = in_force.policy.groups.keys();
    groups.filter(|group| in_force.policy.is_member(group, id)).map(ToString::to_string).collect()
}

pub(super) fn show(app: &App, known: &Known, person: &person::Person) -> Person {
    Person {
        id: person.id.to_string(),
        name: known.get(&person.id).cloned().flatten(),
        status: person.status().to_owned(),
        groups: groups(app, person.id),
        enrolled_at: person.enrolled_at.to_string(),
        claim_until: person.claim_until.map(|until| until.to_string()),
        deactivated_at: person.deactivated_at.map(|at| at.to_string()),
    }
}
