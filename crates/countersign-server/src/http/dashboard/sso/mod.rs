//! Signing in through an OpenID provider: there, and back with its word on who it is.
//!
//! Somebody is signed in only by an identity (an issuer, and what it calls them for good) that they linked themselves; addresses and names are not looked
//! at. The provider's answer is the one GET that acts, and it does so only in the browser in which it was asked for, once.
//!
//! # Layout
//! - `flow`: somebody on their way
//! - `link`: one's identities, on the page of one's account
//! - `leaving`: out of the provider, too

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use countersign_core::digest::Digest;
use countersign_core::id::{PersonId, SessionId};
use countersign_core::identity;
use countersign_core::session::Method;
use countersign_core::text::Name;
use serde::Deserialize;

use super::super::attempts::Network;
use super::super::failures::Shown;
use super::super::problem::{Rejected, Words};
use super::super::{App, meter};
use super::form::{self, Posted};
use super::page::{Shell, html, see, sentence};
use super::sign_in::{self, Recognised, ours};
use super::visit::{SignedIn, Visit, enter};
use crate::issuers::{Answered, Asked, Failed, Provider, SignedInAs};

mod flow;
mod leaving;
mod link;

use flow::{Flow, Wish};
pub(super) use leaving::left;
pub(super) use link::{Linked, begin as begin_link, linked, prove, unlink};

/// Longest code of a provider, bytes.
const LONGEST_CODE: usize = 4_096;

/// A provider that one may go to.
pub(super) struct Offer {
    pub title: String,
    /// Where the form is sent.
    pub action: String,
    pub token: String,
}

/// The providers that sign people in here: the policy and the configuration both name them.
pub(super) fn offers(app: &App, holder: &str, under: &str) -> Vec<Offer> {
    let state = app.engine.state();
    let Some(in_force) = state.policy() else { return Vec::new() };
    let taken = app.providers.iter().filter(|(name, _)| in_force.policy.sign_in.sso.contains(*name));
    let offer = |(name, provider): (&Name, &Provider)| {
        let action = format!("{under}/{name}");
        Offer { title: provider.title().to_owned(), token: form::token(app, holder, &action), action }
    };
    taken.map(offer).collect()
}

/// The provider of this name, if it signs people in here.
fn taken<'a>(app: &'a App, name: &str) -> Result<(Name, &'a Provider), Rejected> {
    let state = app.engine.state();
    let known = name.parse().ok().and_then(|name: Name| Some((app.providers.get(&name)?, name)));
    let is_taken =
        |name: &Name| state.policy().is_some_and(|in_force| in_force.policy.sign_in.sso.contains(name));
    let (provider, name) =
        known.filter(|(_, name)| is_taken(name)).ok_or_else(|| Rejected::not_found("provider", name))?;
    Ok((name, provider))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Begin {
    #[serde(default)]
    next: String,
}

#[derive(Template)]
#[template(path = "onward.html")]
struct Onward<'a> {
    shell: Shell,
    what: String,
    to: &'a str,
}

/// Sends whoever is not signed in to the provider.
pub(super) async fn begin(
    State(app): State<App>,
    Path(name): Path<String>,
    (visit, before): (Visit, Option<SignedIn>),
    posted: Posted,
) -> Result<Response, Rejected> {
    let Begin { next } = posted.read(&app, &visit.holder())?;
    let before = before.map(|before| before.session);
    onward(&app, (&name, Wish::SignIn { before, next: ours(&next).to_owned() })).await
}

/// A page that goes on to the provider by itself: our pages' forms are answered by us alone, so browsers follow no redirect of one.
async fn onward(app: &App, (name, wish): (&str, Wish)) -> Result<Response, Rejected> {
    let (name, provider) = taken(app, name)?;
    let (site, now) = (app.site()?, app.engine.now());
    let flow = Flow::begin(site, (name.clone(), wish), now)?;
    let back = callback(app, &name)?;
    let to = provider.begin(&asked(&flow, &back), now).await.map_err(|why| unusable(provider, &why))?;
    let what = format!("Going on to {}", provider.title());
    let page = Onward { shell: Shell::new(&what, None), what, to: to.as_str() };
    Ok(flow.keep(html(StatusCode::OK, &page)))
}

fn callback(app: &App, name: &Name) -> Result<String, Rejected> {
    Ok(format!("{}/sign-in/sso/{name}/callback", app.site()?.origin()))
}

fn asked<'a>(flow: &'a Flow, redirect_uri: &'a str) -> Asked<'a> {
    let anew = matches!(flow.wish(), Wish::Again { .. });
    Asked {
        redirect_uri,
        state: &flow.state,
        nonce: &flow.nonce,
        verifier: &flow.verifier,
        anew_since: anew.then(|| flow.began_at()),
    }
}

/// What the provider's answer says, each thing once.
struct Answer(BTreeMap<String, String>);

impl Answer {
    fn read(query: Option<&str>) -> Result<Self, Rejected> {
        let mut each = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if each.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                return Err(Rejected::malformed(format!("`{name}` is there twice")));
            }
        }
        Ok(Self(each))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// Whoever comes back from the provider.
pub(super) async fn back(
    State(app): State<App>,
    Path(name): Path<String>,
    (visit, network, headers): (Visit, Network, HeaderMap),
    RawQuery(query): RawQuery,
) -> Result<Response, Rejected> {
    let (name, provider) = taken(&app, &name)?;
    let answer = Answer::read(query.as_deref())?;
    let state = answer.get("state").unwrap_or_default();
    let flow = Flow::returned(app.site()?, (&headers, &name, state), app.engine.now());
    let Some(flow) = flow else {
        let told =
            "This sign-in was not begun in this browser, or more than ten minutes ago. Begin once more.";
        return refused(&app, (&visit, network), ("stale", StatusCode::FORBIDDEN, told.to_owned()));
    };
    let outcome = word(&app, (&name, provider), (&flow, &answer)).await;
    let response = match (outcome, flow.wish()) {
        (Ok(word), Wish::SignIn { before, next }) => {
            let came = Came { name: &name, flow: &flow, next };
            signed_in(&app, (&visit, network), came, (word, *before)).await
        }
        (Ok(word), Wish::Again { session }) => {
            let came = Came { name: &name, flow: &flow, next: "/account" };
            link::proved(&app, (&visit, network), came, (word, *session)).await
        }
        (Ok((who, _)), Wish::Link { session }) => {
            link::link(&app, (&name, provider), (&flow, *session, &who)).await
        }
        (Err(why), Wish::SignIn { .. }) => {
            let (status, told) = explained(provider, &why);
            refused(&app, (&visit, network), ("provider", status, told))
        }
        (Err(why), Wish::Again { .. } | Wish::Link { .. }) => Err(unusable(provider, &why)),
    };
    Ok(flow::over(response.unwrap_or_else(axum::response::IntoResponse::into_response)))
}

/// Who came back, and from where.
struct Came<'a> {
    name: &'a Name,
    flow: &'a Flow,
    /// Where they go on to.
    next: &'a str,
}

/// The provider's word on who they are, and the token that has it.
async fn word(
    app: &App,
    (name, provider): (&Name, &Provider),
    (flow, answer): (&Flow, &Answer),
) -> Result<(SignedInAs, String), Failed> {
    let now = app.engine.now();
    if !provider.is_its_own(answer.get("iss"), now).await? {
        return Err(Failed::Refused("an answer of another provider".to_owned()));
    }
    if let Some(error) = answer.get("error") {
        let known = error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') && error.len() <= 64;
        return Err(Failed::Refused(if known { error } else { "an error of its own" }.to_owned()));
    }
    let code = answer.get("code").filter(|code| !code.is_empty() && code.len() <= LONGEST_CODE);
    let code = code.ok_or_else(|| Failed::Refused("no code".to_owned()))?;
    let back = callback(app, name).map_err(|_| Failed::Unavailable("there are no pages".to_owned()))?;
    provider.finish(&Answered { asked: asked(flow, &back), code }, now).await
}

/// Signs in whoever linked this identity, if somebody did.
async fn signed_in(
    app: &App,
    (visit, network): (&Visit, Network),
    came: Came<'_>,
    ((who, id_token), before): ((SignedInAs, String), Option<SessionId>),
) -> Result<Response, Rejected> {
    let Came { name, flow, next } = came;
    let provider = app.providers.get(name).ok_or_else(|| Rejected::not_found("provider", name.as_str()))?;
    let identity_sha256 = identity::sha256(provider.issuer(), &who.subject);
    let Some(person) = holder(app, (name, &identity_sha256)) else {
        return Ok(stranger(app, network, provider));
    };
    let method = Method::Sso { identity_sha256, provider: name.clone() };
    let recognised = Recognised { person, method, spent: Some(flow.spent()) };
    let before = before.and_then(|before| live(app, before));
    match sign_in::open(app, (before, network), recognised).await {
        Ok(secret) => {
            let session = app.engine.state().session_holder(&Digest::of(secret.as_bytes()));
            if let Some(session) = session {
                app.providers.remember(session, id_token);
            }
            Ok(enter(see(ours(next)), &secret))
        }
        Err(rejected) => sign_in::refused_by_rules(app, visit, (rejected, next)),
    }
}

/// Which active person has this identity.
fn holder(app: &App, (name, identity_sha256): (&Name, &Digest)) -> Option<PersonId> {
    let state = app.engine.state();
    let mut people = state.people().filter(|(_, person)| person.is_active());
    let theirs =
        people.find(|(_, person)| person.identity(identity_sha256).is_some_and(|it| it.provider == *name));
    theirs.map(|(id, _)| *id)
}

/// The session, if it is still worth something.
fn live(app: &App, session: SessionId) -> Option<SignedIn> {
    let state = app.engine.state();
    let session = state.live_session(session, app.engine.now()).ok()?;
    Some(SignedIn { me: session.person, session: session.id })
}

#[derive(Template)]
#[template(path = "stranger.html")]
struct Stranger<'a> {
    shell: Shell,
    title: &'a str,
}

/// One page for whoever is known to the provider and not to us, whether they have an account here without this identity, had one, or never did.
fn stranger(app: &App, network: Network, provider: &Provider) -> Response {
    counted(app, network, "unknown-identity");
    let page = Stranger { shell: Shell::new("Nobody is signed in", None), title: provider.title() };
    html(StatusCode::FORBIDDEN, &page)
}

fn counted(app: &App, network: Network, why: &'static str) {
    let waits = app.failed(Shown::Sso, (network, None));
    meter::sign_in_refused(if waits.is_ok() { why } else { "too-many" });
}

fn refused(
    app: &App,
    (visit, network): (&Visit, Network),
    (why, status, told): (&'static str, StatusCode, String),
) -> Result<Response, Rejected> {
    counted(app, network, why);
    sign_in::page(app, visit, (status, Some(told), "/"))
}

/// What came of it, in words; whether the provider is at fault, by the status.
fn explained(provider: &Provider, why: &Failed) -> (StatusCode, String) {
    tracing::warn!(provider = provider.issuer(), %why, "nobody was signed in through a provider");
    let status = match why {
        Failed::Unavailable(_) | Failed::Busy => StatusCode::SERVICE_UNAVAILABLE,
        Failed::Refused(_) | Failed::Unbelieved(_) => StatusCode::FORBIDDEN,
    };
    (status, format!("{} did not sign you in: {}", provider.title(), sentence(&why.to_string())))
}

fn unusable(provider: &Provider, why: &Failed) -> Rejected {
    let (status, detail) = explained(provider, why);
    let words = Words {
        code: "provider_failed",
        detail,
        hint: "nothing was changed; try again, or sign in with a passkey; the node's log says more",
    };
    Rejected::new(status, words)
}
