//! From a one-time link to somebody who is signed in and has a password: for whom the policy takes one.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::digest::Digest;
use countersign_core::id::PersonId;
use countersign_core::person::{ClaimBy, Means};
use countersign_core::{Actor, Command};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::super::super::attempts::Network;
use super::super::super::problem::Rejected;
use super::super::super::{App, meter};
use super::super::claim::{invited, registering, wrong};
use super::super::form::{self, Posted};
use super::super::page::{Shell, name};
use super::super::visit::{Visit, draw, enter};
use super::choose::{self, Chosen, For};
use super::known::remember;
use super::{are_taken, verifiers};
use crate::engine::Submission;
use crate::sign_in::verifiers::Account;

/// Where the form is sent.
const PATH: &str = "/claim/password";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Finish {
    claim: String,
    challenge: String,
    password: Zeroizing<String>,
    code: String,
}

/// Whoever has this claim.
struct Invited<'a> {
    claim: &'a str,
    holder: String,
    name: String,
    token: String,
}

impl<'a> Invited<'a> {
    async fn of(app: &App, visit: &Visit, (person, claim): (PersonId, &'a str)) -> Self {
        let holder = format!("claim {}", Digest::of(claim.as_bytes()));
        let token = form::token(app, &visit.holder(), PATH);
        Self { claim, holder, name: name(person, &*app.known().await), token }
    }

    fn asks<T>(&self, ask: impl FnOnce(&For<'_>) -> T) -> T {
        ask(&For {
            holder: &self.holder,
            name: &self.name,
            action: PATH,
            token: self.token.clone(),
            hidden: &[("claim", self.claim)],
            button: "Set this password and sign in",
        })
    }
}

/// The form, where the policy takes passwords.
pub(in super::super) async fn offer(
    app: &App,
    visit: &Visit,
    whose: (PersonId, &str),
) -> Result<Option<String>, Rejected> {
    if !are_taken(app) {
        return Ok(None);
    }
    Invited::of(app, visit, whose).await.asks(|it| choose::form(app, it)).map(Some)
}

/// Hands in claim and password together.
pub(in super::super) async fn finish(
    State(app): State<App>,
    visit: Visit,
    network: Network,
    posted: Posted,
) -> Result<Response, Rejected> {
    let Finish { claim, challenge, password, code } = posted.read(&app, &visit.holder())?;
    verifiers(&app)?;
    let claim_sha256 = Digest::of(claim.as_bytes());
    let Some(person) = invited(&app, (&claim, &claim_sha256)) else {
        return Ok(wrong(&app, &visit, network));
    };
    let it = Invited::of(&app, &visit, (person, &claim)).await;
    let chosen = Chosen { challenge, password, code };
    let spent = chosen.challenge(&app, &it.holder)?.spent;
    let sealed = match chosen.seal(&app, (person, &it.name)).await {
        Ok(sealed) => sealed,
        Err(why) if why.status().is_client_error() => {
            let form = it.asks(|it| choose::again(&app, it, (&chosen.challenge, why)))?;
            let told = (StatusCode::UNPROCESSABLE_ENTITY, Some(form));
            return registering(&app, &visit, (person, &claim), told).await;
        }
        Err(why) => return Err(why),
    };
    let secret = draw()?;
    let command = Command::ClaimBy(ClaimBy {
        claim_sha256,
        means: Means::Password(sealed.new.clone()),
        session_sha256: Digest::of(secret.as_bytes()),
        spent: Some(spent),
    });
    let claimed = app.submit(Submission::new(Actor::Node, command)).await;
    match sealed.settle(&app, claimed).await {
        Ok(_) => {
            let page = enter(choose::codes(Shell::new("Welcome", None), &sealed.codes, false), &secret);
            match Account::of(&app.engine.state(), person) {
                Some(account) => remember(&app, &account, page),
                None => Ok(page),
            }
        }
        Err(rejected) => {
            meter::claim_refused(rejected.code());
            Err(rejected)
        }
    }
}
