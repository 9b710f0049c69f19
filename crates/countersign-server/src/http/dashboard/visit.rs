//! Who comes to a page: a stranger, whom a cookie that says nothing tells from others, or somebody who is signed in.
//!
//! Both cookies are for this host alone, travel encrypted (or on this machine), are read by no script, and come with no request that another site
//! begins (`SameSite=Strict`). Whoever follows a link from elsewhere would therefore look like a stranger; a page without anything on it lets their
//! browser come again by itself.

use askama::Template;
use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::digest::Digest;
use countersign_core::id::{PersonId, SessionId};
use countersign_core::session::RECENT_SECONDS;
use countersign_core::{Actor, Command, Via};
use countersign_ledger::hash::Hash;

use super::super::gate::{self, Caller};
use super::super::problem::Rejected;
use super::super::{App, random};
use super::form;
use super::page::{Shell, Who, html, name, see};
use crate::engine::{IdempotencyKey, Submission};

const SESSION: &str = "__Host-countersign-session";
const VISIT: &str = "__Host-countersign-visit";

/// What stands before the secret of a session.
const PREFIX: &str = "css_";

/// What every cookie of ours is.
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";

/// Somebody who may be anybody, told from others by a number that says nothing.
pub(super) struct Visit {
    number: String,
    is_new: bool,
}

/// Somebody who is signed in.
#[derive(Clone, Copy)]
pub(super) struct SignedIn {
    pub me: PersonId,
    pub session: SessionId,
}

/// Something that a form asks for, and the number that makes sending it twice harmless.
pub(super) struct Asked<'a> {
    /// The route of the API that does the same.
    pub path: &'a str,
    /// The body it would have.
    pub body: &'a serde_json::Value,
    pub once: &'a str,
}

impl Visit {
    /// Whose form it is.
    pub(super) fn holder(&self) -> String {
        format!("visit {}", self.number)
    }

    /// The answer, with the cookie where there was none.
    pub(super) fn keep(&self, mut response: Response) -> Response {
        if self.is_new {
            add(&mut response, &format!("{VISIT}={}; {ATTRIBUTES}", self.number));
        }
        response
    }
}

impl FromRequestParts<App> for Visit {
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Rejected> {
        let number = cookie(&parts.headers, VISIT).filter(|number| bits::<16>(number).is_some());
        match number {
            Some(number) => Ok(Self { number: number.to_owned(), is_new: false }),
            None => Ok(Self { number: drawn::<16>()?, is_new: true }),
        }
    }
}

impl SignedIn {
    /// Whose form it is.
    pub(super) fn holder(&self) -> String {
        format!("session {}", self.session)
    }

    /// As whoever calls the API by this session.
    pub(super) fn caller(&self) -> Caller {
        Caller { person: self.me, token: None, session: Some(self.session) }
    }

    /// The command as theirs, asked for by this form.
    pub(super) fn submission(&self, command: Command, asked: &Asked<'_>) -> Result<Submission, Rejected> {
        let request = asked.sha256();
        let via = Via { session: self.session, request_sha256: Digest(request.0) };
        bits::<16>(asked.once).ok_or_else(form::stale)?;
        let idempotency = IdempotencyKey { key: format!("page-{}", asked.once), body_sha256: request };
        Ok(Submission::new(Actor::Person(self.me), command).via(Some(via)).with_idempotency(idempotency))
    }

    /// Whether they have just proved who they are, as whoever changes how they sign in must have.
    pub(super) fn proved_recently(&self, app: &App) -> bool {
        let (state, now) = (app.engine.state(), app.engine.now());
        state.session(self.session).is_some_and(|session| session.proved_within(RECENT_SECONDS, now))
    }

    /// The frame around their page.
    pub(super) async fn shell(&self, app: &App, title: &str) -> Shell {
        let name = self.name(app).await;
        let sign_out = form::token(app, &self.holder(), "/sign-out");
        Shell::new(title, Some(Who { name, sign_out }))
    }

    /// What they are called.
    pub(super) async fn name(&self, app: &App) -> String {
        name(self.me, &*app.known().await)
    }
}

impl Asked<'_> {
    /// What a step-up is good for.
    pub(super) fn sha256(&self) -> Hash {
        gate::request_sha256(("POST", self.path), self.body.to_string().as_bytes())
    }
}

impl OptionalFromRequestParts<App> for SignedIn {
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Option<Self>, Rejected> {
        let Some(secret) = cookie(&parts.headers, SESSION) else { return Ok(None) };
        let state = app.engine.state();
        let Some(id) = state.session_holder(&Digest::of(secret.as_bytes())) else { return Ok(None) };
        let Ok(session) = state.live_session(id, app.engine.now()) else { return Ok(None) };
        app.uses.note(&app.engine, session);
        Ok(Some(Self { me: session.person, session: id }))
    }
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let found = <Self as OptionalFromRequestParts<App>>::from_request_parts(parts, app).await;
        if let Some(signed_in) = found.map_err(Rejected::into_response)? {
            return Ok(signed_in);
        }
        let to = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        if parts.method != Method::GET {
            return Err(see("/sign-in"));
        }
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        if cookie(&parts.headers, SESSION).is_none() && header("sec-fetch-site") == Some("cross-site") {
            return Err(html(StatusCode::OK, &Bounce { to }));
        }
        Err(see(&format!("/sign-in?next={}", encoded(to))))
    }
}

/// Lets a browser come again by itself, which then brings its cookies.
#[derive(Template)]
#[template(path = "bounce.html")]
struct Bounce<'a> {
    to: &'a str,
}

/// Everything but letters and digits as browsers escape it.
fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}

/// The secret of a fresh session.
pub(super) fn draw() -> Result<String, Rejected> {
    Ok(format!("{PREFIX}{}", drawn::<32>()?))
}

/// Random bytes as text.
pub(super) fn drawn<const N: usize>() -> Result<String, Rejected> {
    Ok(URL_SAFE_NO_PAD.encode(*random::bytes::<N>()?))
}

/// So many bytes in base64url, in the one form.
pub(super) fn bits<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// The answer to whoever signed in just now.
pub(super) fn enter(mut response: Response, secret: &str) -> Response {
    add(&mut response, &format!("{SESSION}={secret}; {ATTRIBUTES}"));
    response
}

/// The answer, with a cookie of ours that is kept for so many seconds.
pub(super) fn keep(mut response: Response, (name, value): (&str, &str), seconds: u32) -> Response {
    add(&mut response, &format!("{name}={value}; Max-Age={seconds}; {ATTRIBUTES}"));
    response
}

/// The answer to whoever signed out just now.
pub(super) fn leave(mut response: Response) -> Response {
    add(&mut response, &format!("{SESSION}=; Max-Age=0; {ATTRIBUTES}"));
    response
}

pub(super) fn add(response: &mut Response, cookie: &str) {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// The one cookie of this name; none if there are several, which no browser sends.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split("; ")).filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
    let first = values.next();
    first.filter(|_| values.next().is_none())
}
