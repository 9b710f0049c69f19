//! Signing in with a password and a code.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::super::super::attempts::Network;
use super::super::super::problem::Rejected;
use super::super::super::{App, meter};
use super::super::form::{self, Posted};
use super::super::page::{part, see};
use super::super::sign_in::{Recognised, open, ours, page};
use super::super::visit::{SignedIn, Visit, enter};
use super::known::{KnownBrowser, remember};
use super::{Looked, Whose, are_taken, typed, verifiers};

/// Where the form is sent.
const PATH: &str = "/sign-in/password";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    name: String,
    password: Zeroizing<String>,
    code: String,
    #[serde(default)]
    next: String,
}

#[derive(Template)]
#[template(path = "password/sign_in.html")]
struct Form<'a> {
    token: String,
    next: &'a str,
}

/// The form, where the policy takes passwords.
pub(in super::super) fn offer(app: &App, visit: &Visit, next: &str) -> Result<Option<String>, Rejected> {
    let form = || part(&Form { token: form::token(app, &visit.holder(), PATH), next: ours(next) });
    are_taken(app).then(form).transpose()
}

/// What was typed, looked at.
pub(in super::super) async fn sign_in(
    State(app): State<App>,
    (visit, before, browser): (Visit, Option<SignedIn>, KnownBrowser),
    network: Network,
    posted: Posted,
) -> Result<Response, Rejected> {
    let form: SignIn = posted.read(&app, &visit.holder())?;
    verifiers(&app)?;
    let SignIn { name, password, code, next } = form;
    let known = app.known().await;
    let whose = Whose::named(&app, &known, (&name, network, &browser));
    let again = |(status, told): (StatusCode, String)| page(&app, &visit, (status, Some(told), &next));
    let method = match whose.look(&app, typed(&password, &code)).await? {
        Looked::Right(method) => method,
        Looked::Wrong => return again(wrong()),
        Looked::Waits(seconds) => return again(waits(seconds)),
    };
    // INVARIANT: only an account gives a method.
    let Some(account) = &whose.account else { return again(wrong()) };
    let person = account.person();
    match open(&app, (before, network), Recognised { person, method, spent: None }).await {
        Ok(secret) => {
            whose.right(&app);
            remember(&app, account, enter(see(ours(&next)), &secret))
        }
        // That it was right but used before would say that the password is right.
        Err(rejected) if rejected.status().is_client_error() => {
            meter::sign_in_refused("refused");
            again(wrong())
        }
        Err(rejected) => Err(rejected),
    }
}

/// One text for whatever was wrong.
fn wrong() -> (StatusCode, String) {
    let told = "Name, password and code do not sign in together. A code works once: if all was right, wait for the next one.";
    (StatusCode::UNAUTHORIZED, told.to_owned())
}

fn waits(seconds: u32) -> (StatusCode, String) {
    let told = format!(
        "There were too many wrong passwords or codes. Wait {seconds} seconds before the next; until then none is looked at. A passkey is never kept waiting."
    );
    (StatusCode::TOO_MANY_REQUESTS, told)
}
