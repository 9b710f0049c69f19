//! Signing in: the page, and with a passkey. The passkey says itself whose it is, so nobody types a name that could be asked about.
//!
//! What was shown is always looked at, however much came before: whoever floods this keeps nobody out. Only wrong ones are counted.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::digest::Digest;
use countersign_core::id::PersonId;
use countersign_core::once::Spent;
use countersign_core::session::{self, Method};
use countersign_core::{Actor, Command};
use serde::Deserialize;

use super::super::attempts::Network;
use super::super::failures::Shown;
use super::super::problem::Rejected;
use super::super::{App, meter};
use super::account;
use super::ceremony::{self, Asserted};
use super::challenge::{self, Purpose};
use super::form::{self, Posted};
use super::page::{Shell, explained, html, see};
use super::password;
use super::sso::{self, Offer};
use super::visit::{SignedIn, Visit, draw, enter};
use crate::engine::Submission;

/// Where to go afterwards.
#[derive(Default, Deserialize)]
pub(super) struct Then {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    challenge: String,
    #[serde(default)]
    next: String,
    credential_id: String,
    authenticator_data: String,
    client_data_json: String,
    signature: String,
    user_handle: String,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Page<'a> {
    shell: Shell,
    origin: &'a str,
    rp: &'a str,
    told: Option<String>,
    challenge: String,
    token: String,
    next: &'a str,
    others: Vec<String>,
    providers: Vec<Offer>,
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    visit: Visit,
    signed_in: Option<SignedIn>,
    Query(Then { next }): Query<Then>,
) -> Result<Response, Rejected> {
    match signed_in {
        Some(_) => Ok(see(ours(&next))),
        None => page(&app, &visit, (StatusCode::OK, None, &next)),
    }
}

/// The page as it is shown to whoever is not signed in, with why they are not.
pub(super) fn page(
    app: &App,
    visit: &Visit,
    (status, told, next): (StatusCode, Option<String>, &str),
) -> Result<Response, Rejected> {
    let (site, holder) = (app.site()?, visit.holder());
    let page = Page {
        shell: Shell::new("Sign in", None),
        origin: site.origin(),
        rp: site.host(),
        told,
        challenge: challenge::issue(site, Purpose::SignIn(&holder), app.engine.now())?,
        token: form::token(app, &holder, "/sign-in"),
        next: ours(next),
        others: [password::sign_in::offer(app, visit, next)?].into_iter().flatten().collect(),
        providers: sso::offers(app, &holder, "/sign-in/sso"),
    };
    Ok(visit.keep(html(status, &page)))
}

/// What the passkey signed, looked at.
pub(super) async fn sign_in(
    State(app): State<App>,
    (visit, before): (Visit, Option<SignedIn>),
    network: Network,
    posted: Posted,
) -> Result<Response, Rejected> {
    let holder = visit.holder();
    let form: SignIn = posted.read(&app, &holder)?;
    let (site, now, state) = (app.site()?, app.engine.now(), app.engine.state());
    let challenge = challenge::open(site, Purpose::SignIn(&holder), (&form.challenge, now))?;
    let SignIn { next, credential_id, authenticator_data, client_data_json, signature, user_handle, .. } =
        form;
    let asserted = Asserted { credential_id, authenticator_data, client_data_json, signature, user_handle };
    let person = asserted.person();
    let shown = ceremony::shown(&state, (person, site), (&asserted, &challenge.bytes));
    let (Some(person), Some(key_sha256)) = (person, shown) else {
        let waits = app.failed(Shown::Passkey, (network, person));
        meter::sign_in_refused(if waits.is_ok() { "wrong" } else { "too-many" });
        let (status, told) = refused(waits);
        return page(&app, &visit, (status, Some(told), &next));
    };
    let method = Method::Passkey { key_sha256 };
    match open(&app, (before, network), Recognised { person, method, spent: Some(challenge.spent) }).await {
        Ok(secret) => Ok(enter(see(ours(&next)), &secret)),
        Err(rejected) => refused_by_rules(&app, &visit, (rejected, &next)),
    }
}

/// The page once more with why the rules let nobody in; a fault of ours is none of theirs.
pub(super) fn refused_by_rules(
    app: &App,
    visit: &Visit,
    (rejected, next): (Rejected, &str),
) -> Result<Response, Rejected> {
    if !rejected.status().is_client_error() {
        return Err(rejected);
    }
    meter::sign_in_refused("refused");
    let told = explained(&rejected.into_problem());
    page(app, visit, (StatusCode::FORBIDDEN, Some(told), next))
}

/// Somebody whom the node recognised, by what, and what was used up for it.
pub(super) struct Recognised {
    pub person: PersonId,
    pub method: Method,
    pub spent: Option<Spent>,
}

/// Opens their session and gives back its secret; the one by which this browser came ends, whosever it was, so nobody goes on under a
/// cookie that was there before.
pub(super) async fn open(
    app: &App,
    (before, network): (Option<SignedIn>, Network),
    Recognised { person, method, spent }: Recognised,
) -> Result<String, Rejected> {
    let secret = draw()?;
    let replaces = before.filter(|before| before.me == person).map(|before| before.session);
    let session_sha256 = Digest::of(secret.as_bytes());
    let command = Command::OpenSession(session::Open { person, method, session_sha256, replaces, spent });
    app.submit(Submission::new(Actor::Node, command)).await?;
    app.succeeded(person, network);
    if let Some(other) = before.filter(|before| before.me != person) {
        account::end_here(app, other).await?;
    }
    Ok(secret)
}

/// One text for whatever was wrong: whether there is such a person or passkey is nobody's to learn here.
fn refused(waits: Result<(), u32>) -> (StatusCode, String) {
    match waits {
        Ok(()) => {
            let told = "This passkey does not sign in here. Try another one, or ask to be invited.";
            (StatusCode::UNAUTHORIZED, told.to_owned())
        }
        Err(seconds) => {
            let told = format!(
                "This did not sign in, and there were too many such attempts. Wait {seconds} seconds before the next; a passkey that is right is never kept waiting."
            );
            (StatusCode::TOO_MANY_REQUESTS, told)
        }
    }
}

/// Only pages of ours are gone on to. `//` and `/\` begin other hosts.
pub(super) fn ours(next: &str) -> &str {
    let plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let is_ours = plain && next.starts_with('/') && !next.starts_with("//") && !next.starts_with("/sign-");
    if is_ours { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        for fine in ["/", "/account", "/approvals/apr_1?x=1", "/device?terminal=0f"] {
            assert_eq!(ours(fine), fine);
        }
        for odd in
            ["", "account", "//evil.example", "/\\evil.example", "https://evil.example", "/a b", "/sign-in"]
        {
            assert_eq!(ours(odd), "/", "{odd}");
        }
    }
}
