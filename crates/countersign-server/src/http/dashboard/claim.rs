//! From a one-time link to somebody who is signed in: the claim is looked at, a passkey is made, and both are handed in together.
//!
//! The claim stands behind the `#` of the link, so no server's log and no mail scanner has it, and opening the link does nothing.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::digest::Digest;
use countersign_core::id::PersonId;
use countersign_core::person::{ClaimBy, Means};
use countersign_core::{Actor, Command, Fact};
use countersign_ledger::json::to_canonical;
use serde::Deserialize;
use serde_json::json;

use super::super::attempts::Network;
use super::super::failures::Shown;
use super::super::people;
use super::super::problem::Rejected;
use super::super::{App, meter};
use super::ceremony::{self, Made};
use super::challenge::{self, Purpose};
use super::form::{self, Posted};
use super::page::{Shell, explained, html, name, see};
use super::password;
use super::visit::{Visit, draw, enter};
use crate::engine::{DetailsOf, Submission};

/// Longest name of a passkey, characters.
pub(super) const LONGEST_NAME: usize = 60;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Begin {
    claim: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Finish {
    challenge: String,
    claim: String,
    #[serde(default)]
    name: String,
    attestation_object: String,
    client_data_json: String,
}

#[derive(Template)]
#[template(path = "claim.html")]
struct Asking {
    shell: Shell,
    told: Option<String>,
    token: String,
}

#[derive(Template)]
#[template(path = "register.html")]
struct Registering<'a> {
    shell: Shell,
    name: String,
    rp: &'a str,
    user: String,
    claim: &'a str,
    challenge: String,
    token: String,
    others: Vec<String>,
    others_open: bool,
}

/// Where a one-time link leads.
pub(super) async fn show(State(app): State<App>, visit: Visit) -> Response {
    asking(&app, &visit, (StatusCode::OK, None))
}

fn asking(app: &App, visit: &Visit, (status, told): (StatusCode, Option<String>)) -> Response {
    let token = form::token(app, &visit.holder(), "/claim");
    visit.keep(html(status, &Asking { shell: Shell::new("Welcome", None), told, token }))
}

/// Looks at the claim, and asks for a passkey. Nothing is written down.
pub(super) async fn begin(
    State(app): State<App>,
    visit: Visit,
    network: Network,
    posted: Posted,
) -> Result<Response, Rejected> {
    let form: Begin = posted.read(&app, &visit.holder())?;
    let claim = form.claim.trim();
    let sha256 = Digest::of(claim.as_bytes());
    let Some(person) = invited(&app, (claim, &sha256)) else {
        return Ok(wrong(&app, &visit, network));
    };
    let by_password = password::claim::offer(&app, &visit, (person, claim)).await?;
    registering(&app, &visit, (person, claim), (StatusCode::OK, by_password)).await
}

/// Asks how they will sign in.
pub(super) async fn registering(
    app: &App,
    visit: &Visit,
    (person, claim): (PersonId, &str),
    (status, by_password): (StatusCode, Option<String>),
) -> Result<Response, Rejected> {
    let (site, known) = (app.site()?, app.known().await);
    let purpose = Purpose::Claim(&Digest::of(claim.as_bytes()));
    let page = Registering {
        shell: Shell::new("Welcome", None),
        name: name(person, &known),
        rp: site.host(),
        user: person.to_string(),
        claim,
        challenge: challenge::issue(site, purpose, app.engine.now())?,
        token: form::token(app, &visit.holder(), "/claim/passkey"),
        others: by_password.into_iter().collect(),
        others_open: status != StatusCode::OK,
    };
    Ok(visit.keep(html(status, &page)))
}

/// Whose open invitation this is the claim of.
pub(super) fn invited(app: &App, (claim, sha256): (&str, &Digest)) -> Option<PersonId> {
    people::invited(app, sha256).filter(|_| people::has_form(claim))
}

/// Wrong claims are counted here as where programs send them.
pub(super) fn wrong(app: &App, visit: &Visit, network: Network) -> Response {
    let (status, told, code) = match app.failed(Shown::Claim, (network, None)) {
        Ok(()) => {
            let problem = people::unknown_claim().into_problem();
            (StatusCode::FORBIDDEN, explained(&problem), problem.code)
        }
        Err(seconds) => {
            let told = format!(
                "Too many codes that nobody has open were sent. Wait {seconds} seconds; one that is open does not wait."
            );
            (StatusCode::TOO_MANY_REQUESTS, told, "too_many_claims".to_owned())
        }
    };
    meter::claim_refused(&code);
    asking(app, visit, (status, Some(told)))
}

/// Hands in claim and passkey together.
pub(super) async fn finish(
    State(app): State<App>,
    visit: Visit,
    network: Network,
    posted: Posted,
) -> Result<Response, Rejected> {
    let form: Finish = posted.read(&app, &visit.holder())?;
    let claim_sha256 = Digest::of(form.claim.as_bytes());
    if invited(&app, (&form.claim, &claim_sha256)).is_none() {
        return Ok(wrong(&app, &visit, network));
    }
    let (site, now) = (app.site()?, app.engine.now());
    let challenge = challenge::open(site, Purpose::Claim(&claim_sha256), (&form.challenge, now))?;
    let made =
        Made { attestation_object: &form.attestation_object, client_data_json: &form.client_data_json };
    let passkey = ceremony::made(site, &made, &challenge.bytes)?;
    let secret = draw()?;
    let command = Command::ClaimBy(ClaimBy {
        claim_sha256,
        means: Means::Passkey(passkey),
        session_sha256: Digest::of(secret.as_bytes()),
        spent: Some(challenge.spent),
    });
    // The name goes with the passkey and not with the session, which is only the first of many.
    let name = named(&form.name)?;
    let beside = move |fact: &Fact| name.clone().filter(|_| matches!(fact, Fact::PersonClaimed(..)));
    let details = DetailsOf::Each(Box::new(beside));
    match app.submit(Submission { details, ..Submission::new(Actor::Node, command) }).await {
        Ok(_) => Ok(enter(see("/"), &secret)),
        Err(rejected) => {
            meter::claim_refused(rejected.code());
            Err(rejected)
        }
    }
}

/// The details that say what somebody calls their passkey.
pub(super) fn named(name: &str) -> Result<Option<Vec<u8>>, Rejected> {
    let Some(name) = form::filled(name) else { return Ok(None) };
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        let what =
            format!("a passkey's name is at most {LONGEST_NAME} characters, without control characters");
        return Err(Rejected::malformed(what));
    }
    to_canonical(&json!({ "name": name.trim() })).map(Some).map_err(Rejected::malformed)
}
