//! What every request passes before its handler: the credential, the right to read, the idempotency key.
//!
//! Readers (`access.read` of the policy) see everything. Everybody else may still act on what their role allows, and see the one
//! thing they are concerned by; they cannot list, nor learn whether something else exists. A service token sees no more than what concerns
//! its owner and is within its scopes, whatever its owner may read.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName, StatusCode, header};
use countersign_core::action::Action;
use countersign_core::digest::Digest;
use countersign_core::id::{PersonId, SessionId, TokenId};
use countersign_core::person::Person;
use countersign_core::policy::Policy;
use countersign_core::token::Token;
use countersign_core::{Actor, Command, Via};
use countersign_ledger::hash::{Hash, sha256};
use serde::de::DeserializeOwned;

use super::possession::Line;
use super::problem::{Rejected, Words};
use super::{App, attempts, body, possession};
use crate::engine::{IdempotencyKey, Submission};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Somebody with a credential, signed in, or their token.
#[derive(Clone, Copy)]
pub(super) struct Caller {
    /// Who it is, or whose token.
    pub person: PersonId,
    /// The token, where it is one.
    pub token: Option<TokenId>,
    /// The session, where they act by one.
    pub session: Option<SessionId>,
}

/// Somebody who may read everything.
pub(super) struct Viewer;

/// Who wants something to happen, and the key that makes repeating it harmless.
pub(super) struct Sender {
    caller: Caller,
    idempotency: IdempotencyKey,
}

/// A request that wants something to happen.
pub(super) struct Post<T> {
    pub sender: Sender,
    pub body: T,
}

/// A strict JSON body, from anybody.
pub(super) struct Open<T>(pub T);

impl Sender {
    /// Whose credential it is.
    pub(super) fn caller(&self) -> PersonId {
        self.caller.person
    }

    /// Whoever sends it, with what they act by.
    pub(super) fn whole_caller(&self) -> Caller {
        self.caller
    }

    /// Who it is.
    pub(super) fn actor(&self) -> Actor {
        self.caller.actor()
    }

    /// By which session, if by one.
    pub(super) fn session(&self) -> Option<SessionId> {
        self.caller.session
    }

    /// The command as the sender's own.
    pub(super) fn submission(self, command: Command) -> Submission {
        let request_sha256 = Digest(self.idempotency.body_sha256.0);
        let via = self.caller.session.map(|session| Via { session, request_sha256 });
        Submission::new(self.actor(), command).via(via).with_idempotency(self.idempotency)
    }
}

impl Caller {
    /// Whether the caller still belongs: whoever watches may be deactivated meanwhile, and tokens end.
    pub(super) fn is_there(&self, app: &App) -> bool {
        let (state, now) = (app.engine.state(), app.engine.now());
        match (self.token, self.session) {
            (Some(token), _) => state.live_token(token, now).is_ok(),
            (None, Some(session)) => state.live_session(session, now).is_ok(),
            (None, None) => state.person(self.person).is_some_and(Person::is_active),
        }
    }

    /// As what they act.
    pub(super) fn actor(self) -> Actor {
        self.token.map_or(Actor::Person(self.person), Actor::Token)
    }

    /// The person, unless it is a token.
    pub(super) fn in_person(self) -> Result<PersonId, Rejected> {
        if self.token.is_some() { Err(not_for_tokens()) } else { Ok(self.person) }
    }

    /// Lets readers pass, and those whom the thing asked for, which is about an action, concerns: their tokens too, for that action.
    pub(super) fn sees_of(
        &self,
        app: &App,
        action: &Action,
        concerned: impl FnOnce(&Policy, PersonId) -> bool,
    ) -> Result<(), Rejected> {
        let Some(token) = self.token else { return self.sees(app, concerned) };
        let state = app.engine.state();
        let token = state.live_token(token, app.engine.now()).map_err(|_| unauthenticated())?;
        let policy = state.policy().map(|in_force| &in_force.policy);
        if token.may(action) && policy.is_some_and(|policy| concerned(policy, self.person)) {
            return Ok(());
        }
        Err(not_for_tokens())
    }

    /// Lets readers pass, and those whom the thing asked for concerns. No token does.
    pub(super) fn sees(
        &self,
        app: &App,
        concerned: impl FnOnce(&Policy, PersonId) -> bool,
    ) -> Result<(), Rejected> {
        let me = self.in_person()?;
        let state = app.engine.state();
        let policy = state.policy().map(|in_force| &in_force.policy);
        if policy.is_some_and(|policy| policy.may_read(me) || concerned(policy, me)) {
            return Ok(());
        }
        let words = Words {
            code: "not_a_reader",
            detail: "you may not read this".into(),
            hint: "the policy in force names the groups that may, under `access.read`",
        };
        Err(Rejected::new(StatusCode::FORBIDDEN, words))
    }

    /// What was asked for does not exist, which is only for readers to know.
    pub(super) fn misses(&self, app: &App, (kind, id): (&str, &str)) -> Rejected {
        match self.sees(app, |_, _| false) {
            Ok(()) => Rejected::not_found(kind, id),
            Err(rejected) => rejected,
        }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Rejected> {
        authenticate((line(parts), &parts.extensions), app)
    }
}

impl FromRequestParts<App> for Viewer {
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Rejected> {
        authenticate((line(parts), &parts.extensions), app)?.sees(app, |_, _| false).map(|()| Self)
    }
}

impl<T: DeserializeOwned> FromRequest<App> for Post<T> {
    type Rejection = Rejected;

    async fn from_request(request: Request, app: &App) -> Result<Self, Rejected> {
        let line = Line { method: request.method(), uri: request.uri(), headers: request.headers() };
        let caller = authenticate((line, request.extensions()), app)?;
        let key = idempotency_key(request.headers())?;
        without_query(&request)?;
        let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
        let bytes = body::read(request).await?;
        let body_sha256 = request_sha256((&method, &path), &bytes);
        let idempotency = IdempotencyKey { key, body_sha256 };
        Ok(Self { sender: Sender { caller, idempotency }, body: body::strict(&bytes)? })
    }
}

impl<T: DeserializeOwned> FromRequest<App> for Open<T> {
    type Rejection = Rejected;

    async fn from_request(request: Request, _: &App) -> Result<Self, Rejected> {
        without_query(&request)?;
        body::strict(&body::read(request).await?).map(Self)
    }
}

/// What a repetition is compared by, and what a step-up is good for: exactly this request.
pub(super) fn request_sha256((method, path): (&str, &str), body: &[u8]) -> Hash {
    let mut bytes = format!("countersign-request-v1\n{method} {path}\n").into_bytes();
    bytes.extend_from_slice(body);
    sha256(&bytes)
}

/// The only value of a header; none if it is missing, given twice or not plain text.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().filter(|_| values.next().is_none());
    first.and_then(|value| value.to_str().ok())
}

/// The person whose credential this is, whose session or whose token.
///
/// What is looked up is the SHA-256 of what was sent. How long the look-up takes depends on that digest only, which nobody can steer
/// towards a stored one without inverting SHA-256, so the time it takes tells nothing about a credential. Claims are no credentials:
/// who has not replaced theirs holds nothing. Whether anybody was revoked, a node that cannot show that its state is the log's does not know, and
/// lets nobody in. A session and a token are worth something while everything that they rest on is, and a token comes from its networks.
fn authenticate((line, extensions): (Line<'_>, &Extensions), app: &App) -> Result<Caller, Rejected> {
    app.engine.fresh()?;
    let (scheme, credential) = only(line.headers, &header::AUTHORIZATION)
        .and_then(|value| value.split_once(' '))
        .map(|(scheme, credential)| (scheme, credential.trim_start_matches(' ')))
        .ok_or_else(unauthenticated)?;
    let shown = match scheme {
        _ if scheme.eq_ignore_ascii_case("bearer") => Shown::Bare,
        _ if scheme.eq_ignore_ascii_case("dpop") => Shown::WithProof(line),
        _ => return Err(unauthenticated()),
    };
    holder((credential, shown), extensions, app)
}

fn line(parts: &Parts) -> Line<'_> {
    Line { method: &parts.method, uri: &parts.uri, headers: &parts.headers }
}

/// How a credential was sent.
#[derive(Clone, Copy)]
pub(super) enum Shown<'a> {
    /// By itself: who has it may use it.
    Bare,
    /// With the proof of a key, about this request and this credential.
    WithProof(Line<'a>),
    /// In the body of this request, which may come with a proof.
    InBody(Line<'a>),
}

impl Shown<'_> {
    /// Lets a token be used that is not bound to a key, or whose key is shown.
    fn lets_use(self, token: &Token, credential: &str, app: &App) -> Result<(), Rejected> {
        let proof = match (self, token.cnf_jkt) {
            (Self::Bare | Self::InBody(_), None) => return Ok(()),
            // Whoever asks for a token to be checked like this is let down if it is not.
            (Self::WithProof(_), None) => return Err(unauthenticated()),
            (Self::Bare, Some(_)) => return Err(possession::needed()),
            (Self::WithProof(line), Some(_)) => line.proven(Some(credential), app)?,
            (Self::InBody(line), Some(_)) => line.proven(None, app)?,
        };
        if Some(proof.jkt) != token.cnf_jkt {
            return Err(possession::other_key());
        }
        app.proofs.spend(&proof, (token.id, app.engine.now()))
    }
}

/// The person whose credential this is, or whose token, wherever it was sent.
pub(super) fn holder(
    (credential, shown): (&str, Shown<'_>),
    extensions: &Extensions,
    app: &App,
) -> Result<Caller, Rejected> {
    // Nothing but tokens is bound to a key.
    let bare = !matches!(shown, Shown::WithProof(_));
    let sha256 = Digest::of(credential.as_bytes());
    let state = app.engine.glimpse();
    if let Some(person) = state.holder(&sha256).filter(|_| bare) {
        return Ok(Caller { person, token: None, session: None });
    }
    if let Some(id) = state.session_holder(&sha256).filter(|_| bare) {
        let session = state.live_session(id, app.engine.now()).map_err(|_| unauthenticated())?;
        app.uses.note(&app.engine, session);
        return Ok(Caller { person: session.person, token: None, session: Some(id) });
    }
    let id = state.token_holder(&sha256).ok_or_else(unauthenticated)?;
    let now = app.engine.now();
    let token = state.live_token(id, now).map_err(|_| unauthenticated())?;
    let from = attempts::peer(extensions);
    let is_near = from.is_some_and(|from| token.networks.iter().any(|network| network.contains(from)));
    if token.networks.is_empty() || is_near {
        shown.lets_use(token, credential, app)?;
        app.engine.count_use(id, (now, from));
        Ok(Caller { person: token.owner, token: Some(id), session: None })
    } else {
        Err(elsewhere())
    }
}

fn unauthenticated() -> Rejected {
    let words = Words {
        code: "unauthenticated",
        detail: "no credential, several, or one that nobody holds; sessions and tokens end".into(),
        hint: "send one `Authorization: Bearer` with your credential; `countersign claim` gets you one",
    };
    Rejected::new(StatusCode::UNAUTHORIZED, words)
}

fn elsewhere() -> Rejected {
    let words = Words {
        code: "token_from_elsewhere",
        detail: "the token may not be used from this network".into(),
        hint: "its networks were named when it was issued; issue another for where you are",
    };
    Rejected::new(StatusCode::FORBIDDEN, words)
}

fn not_for_tokens() -> Rejected {
    let words = Words {
        code: "not_for_tokens",
        detail: "a token may not read this".into(),
        hint: "tokens read what they asked for and hold; a person reads the rest with their own credential",
    };
    Rejected::new(StatusCode::FORBIDDEN, words)
}

fn idempotency_key(headers: &HeaderMap) -> Result<String, Rejected> {
    let key = only(headers, &IDEMPOTENCY_KEY).unwrap_or_default();
    if (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(key.to_owned());
    }
    let words = Words {
        code: "idempotency_key_required",
        detail: "the request does not have one `Idempotency-Key` of 1 to 255 visible ASCII characters".into(),
        hint: "draw a fresh one per request and send the same one again when you repeat it",
    };
    Err(Rejected::new(StatusCode::BAD_REQUEST, words))
}

/// What is posted is in the body; a query would silently do nothing.
fn without_query(request: &Request) -> Result<(), Rejected> {
    match request.uri().query() {
        None | Some("") => Ok(()),
        Some(_) => Err(Rejected::malformed("this route takes no query parameters")),
    }
}
