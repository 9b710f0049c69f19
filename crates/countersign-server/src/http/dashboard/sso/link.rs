//! One's identities at providers: linked and taken away by oneself, in a session in which one has just proved who one is.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::digest::Digest;
use countersign_core::id::SessionId;
use countersign_core::identity::{self, LinkIdentity, UnlinkIdentity};
use countersign_core::session::{Method, Refusal};
use countersign_core::text::Name;
use countersign_core::{Command, Refusal as Refused};
use serde::Deserialize;
use serde_json::json;

use super::super::super::App;
use super::super::super::attempts::Network;
use super::super::super::problem::{Rejected, Words};
use super::super::account;
use super::super::form::{Nothing, Posted};
use super::super::page::see;
use super::super::visit::{Asked, SignedIn, Visit, drawn};
use super::flow::{Flow, Wish};
use super::{Came, holder, live, onward, signed_in};
use crate::issuers::{Provider, SignedInAs};

/// An identity as its owner sees it.
pub(in super::super) struct Linked {
    pub title: String,
    pub since: String,
    pub current: bool,
    pub identity_sha256: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unlinked {
    once: String,
    identity: String,
}

/// What somebody has linked.
pub(in super::super) fn linked(app: &App, me: SignedIn) -> Vec<Linked> {
    let state = app.engine.state();
    let opened_by = state.session(me.session).and_then(|session| match &session.method {
        Method::Sso { identity_sha256, .. } => Some(*identity_sha256),
        _ => None,
    });
    let theirs = state.person(me.me).into_iter().flat_map(|person| &person.identities);
    let shown = theirs.map(|identity| Linked {
        title: app
            .providers
            .get(&identity.provider)
            .map_or_else(|| identity.provider.to_string(), |provider| provider.title().to_owned()),
        since: identity.linked_at.to_string(),
        current: opened_by == Some(identity.identity_sha256),
        identity_sha256: identity.identity_sha256.to_string(),
    });
    shown.collect()
}

/// Sends them to the provider, to come back as what it calls them.
pub(in super::super) async fn begin(
    State(app): State<App>,
    Path(name): Path<String>,
    me: SignedIn,
    posted: Posted,
) -> Result<Response, Rejected> {
    let Nothing {} = posted.read(&app, &me.holder())?;
    if !me.proved_recently(&app) {
        let rejected = Rejected::refused(&Refused::Session(Refusal::NotRecent), &*app.known().await);
        return account::again(&app, me, rejected).await;
    }
    onward(&app, (&name, Wish::Link { session: me.session })).await
}

/// Sends them to the provider, to prove once more who they are.
pub(in super::super) async fn prove(
    State(app): State<App>,
    Path(name): Path<String>,
    me: SignedIn,
    posted: Posted,
) -> Result<Response, Rejected> {
    let Nothing {} = posted.read(&app, &me.holder())?;
    onward(&app, (&name, Wish::Again { session: me.session })).await
}

/// Hands in what the provider calls whoever went there by this session.
pub(super) async fn link(
    app: &App,
    (name, provider): (&Name, &Provider),
    (flow, session, who): (&Flow, SessionId, &SignedInAs),
) -> Result<Response, Rejected> {
    let me = live(app, session).ok_or_else(gone)?;
    let command = Command::LinkIdentity(LinkIdentity {
        identity_sha256: identity::sha256(provider.issuer(), &who.subject),
        provider: name.clone(),
        spent: flow.spent(),
    });
    let (body, once) = (json!({ "provider": name }), drawn::<16>()?);
    let asked = Asked { path: "/account/identities", body: &body, once: &once };
    app.submit(me.submission(command, &asked)?).await?;
    Ok(see("/account"))
}

/// Signs them in once more, who must be who they were.
pub(super) async fn proved(
    app: &App,
    from: (&Visit, Network),
    came: Came<'_>,
    (word, session): ((SignedInAs, String), SessionId),
) -> Result<Response, Rejected> {
    let me = live(app, session).ok_or_else(gone)?;
    let issuer = app.providers.get(came.name).map(Provider::issuer).unwrap_or_default();
    if holder(app, (came.name, &identity::sha256(issuer, &word.0.subject))) != Some(me.me) {
        return Err(another());
    }
    signed_in(app, from, came, (word, Some(session))).await
}

/// Takes one away.
pub(in super::super) async fn unlink(
    State(app): State<App>,
    me: SignedIn,
    posted: Posted,
) -> Result<Response, Rejected> {
    let form: Unlinked = posted.read(&app, &me.holder())?;
    let identity_sha256: Digest = form.identity.parse().map_err(Rejected::malformed)?;
    let body = json!({ "identity": form.identity });
    let asked = Asked { path: "/account/identities/remove", body: &body, once: &form.once };
    let submission = me.submission(Command::UnlinkIdentity(UnlinkIdentity { identity_sha256 }), &asked)?;
    account::done(&app, me, app.submit(submission).await).await
}

fn gone() -> Rejected {
    let words = Words {
        code: "session_ended",
        detail: "the session from which you went to the provider is over".into(),
        hint: "sign in and begin once more",
    };
    Rejected::new(StatusCode::FORBIDDEN, words)
}

fn another() -> Rejected {
    let words = Words {
        code: "identity_of_another",
        detail: "the provider says that you are somebody else than who is signed in here, or whom nobody here has linked".into(),
        hint: "sign out at the provider, and prove yourself there as who you are here",
    };
    Rejected::new(StatusCode::FORBIDDEN, words)
}
