//! One's own: passkeys, identities and sessions. Whoever changes how they sign in proves first that it is them.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::Command;
use countersign_core::digest::Digest;
use countersign_core::id::{PersonId, SessionId};
use countersign_core::once::Spent;
use countersign_core::passkey::{AddPasskey, RemovePasskey};
use countersign_core::session::{End, Method, StepUp};
use countersign_ledger::display::visible;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::App;
use super::super::people;
use super::super::problem::Rejected;
use super::ceremony::{self, Asserted, Made};
use super::challenge::{self, Purpose};
use super::claim::named;
use super::filters;
use super::form::{self, Nothing, Posted};
use super::page::{Shell, explained, html, see};
use super::password;
use super::sso::{self, Linked, Offer};
use super::visit::{Asked, SignedIn, drawn, leave};
use crate::store::{Reader, StoreError};

/// Entries of a person read at once when the names of their passkeys are looked up.
const BATCH: usize = 200;

/// The request that proving oneself is good for: being let change how one signs in.
const PROVE: &str = "/account/prove";

#[derive(Template)]
#[template(path = "account.html")]
struct Page<'a> {
    shell: Shell,
    told: Option<String>,
    id: String,
    name: String,
    groups: String,
    rp: &'a str,
    may_change: bool,
    held: String,
    passkeys: Vec<Passkey>,
    identities: Vec<Linked>,
    providers: Vec<Offer>,
    /// Providers by which they can prove themselves.
    proving: Vec<Offer>,
    sessions: Vec<Session>,
    add_challenge: String,
    prove_challenge: String,
    others: Vec<String>,
    once: String,
    tokens: Tokens,
}

struct Passkey {
    name: String,
    since: String,
    synced: bool,
    current: bool,
    key_sha256: String,
}

struct Session {
    id: String,
    how: &'static str,
    opened_at: String,
    idle_until: String,
    expires_at: String,
    current: bool,
}

struct Tokens {
    add: String,
    remove: String,
    prove: String,
    unlink: String,
    end: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proved {
    challenge: String,
    credential_id: String,
    authenticator_data: String,
    client_data_json: String,
    signature: String,
    #[serde(default)]
    user_handle: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Added {
    once: String,
    challenge: String,
    name: String,
    attestation_object: String,
    client_data_json: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Removed {
    once: String,
    key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ended {
    once: String,
    session: String,
}

/// The page.
pub(super) async fn show(State(app): State<App>, me: SignedIn) -> Result<Response, Rejected> {
    page(&app, me, (StatusCode::OK, None)).await
}

async fn page(
    app: &App,
    me: SignedIn,
    (status, told): (StatusCode, Option<String>),
) -> Result<Response, Rejected> {
    let (state, now, site, holder) = (app.engine.state(), app.engine.now(), app.site()?, me.holder());
    let names = app.engine.read(move |reader| names(reader, me.me)).await?;
    let here = state.session(me.session);
    let opened_by = here.and_then(|session| match &session.method {
        Method::Passkey { key_sha256 } => Some(*key_sha256),
        _ => None,
    });
    let held = state.person(me.me).into_iter().flat_map(|person| &person.passkeys);
    let passkeys = held.filter(|passkey| passkey.is_in_force()).map(|passkey| Passkey {
        name: names
            .get(&passkey.key_sha256)
            .map_or_else(|| "Passkey without a name".to_owned(), |name| visible(name)),
        since: passkey.added_at.to_string(),
        synced: passkey.synced,
        current: opened_by == Some(passkey.key_sha256),
        key_sha256: passkey.key_sha256.to_string(),
    });
    let live = state.sessions_of(me.me).filter(|session| state.live_session(session.id, now).is_ok());
    let sessions = live.map(|session| Session {
        id: session.id.to_string(),
        how: how(&session.method),
        opened_at: session.opened_at.to_string(),
        idle_until: session.idle_until.to_string(),
        expires_at: session.expires_at.to_string(),
        current: session.id == me.session,
    });
    let token = |path: &str| form::token(app, &holder, path);
    let page = Page {
        shell: me.shell(app, "Your account").await,
        told,
        id: me.me.to_string(),
        name: me.name(app).await,
        groups: people::groups(app, me.me).join(", "),
        rp: site.host(),
        may_change: me.proved_recently(app),
        held: ceremony::held(&state, me.me),
        passkeys: passkeys.collect(),
        identities: sso::linked(app, me),
        providers: sso::offers(app, &holder, "/account/link"),
        proving: sso::offers(app, &holder, "/account/prove/sso"),
        sessions: sessions.collect::<Vec<_>>().into_iter().rev().collect(),
        add_challenge: challenge::issue(site, Purpose::Add(&holder), now)?,
        prove_challenge: challenge::issue(site, Purpose::StepUp(&holder, &proof().sha256().0), now)?,
        others: [password::account::section(app, me)?].into_iter().flatten().collect(),
        once: drawn::<16>()?,
        tokens: Tokens {
            add: token("/account/passkeys"),
            remove: token("/account/passkeys/remove"),
            prove: token(PROVE),
            unlink: token("/account/identities/remove"),
            end: token("/account/sessions/end"),
        },
    };
    Ok(html(status, &page))
}

pub(super) fn proof() -> Asked<'static> {
    Asked { path: PROVE, body: &Value::Null, once: "" }
}

fn how(method: &Method) -> &'static str {
    match method {
        Method::Passkey { .. } => "Signed in with a passkey",
        Method::Password { .. } => "Signed in with a password and a code",
        Method::RecoveryCode { .. } => "Signed in with a recovery code",
        Method::Sso { .. } => "Signed in through a provider",
        Method::Claim {} => "Signed in with a one-time link",
        Method::HandedOn { .. } => "A terminal, confirmed on this page",
        Method::Credential {} => "A terminal, with a credential",
    }
}

/// What people call their passkeys, as far as it was not redacted.
fn names(reader: &mut dyn Reader, person: PersonId) -> Result<BTreeMap<Digest, String>, StoreError> {
    let (mut found, mut after) = (BTreeMap::new(), 0);
    loop {
        let entries = reader.entries_of(&person.to_string(), after, BATCH)?;
        for entry in &entries {
            let leaf: Value = serde_json::from_slice(&entry.leaf).unwrap_or_default();
            after = leaf["subject_seq"].as_u64().and_then(|seq| u32::try_from(seq).ok()).unwrap_or(u32::MAX);
            let data = &leaf["data"];
            let key =
                [&data["key_sha256"], &data["passkey"]["key_sha256"]].into_iter().find_map(Value::as_str);
            let is_new = matches!(leaf["kind"].as_str(), Some("person.passkey_added" | "person.claimed"));
            let Some(key) = key.filter(|_| is_new).and_then(|key| key.parse().ok()) else { continue };
            let details = reader.details(entry.index)?;
            let details = details.and_then(|it| serde_json::from_slice::<Value>(&it.body).ok());
            if let Some(name) = details.as_ref().and_then(|details| details["name"].as_str()) {
                found.insert(key, name.to_owned());
            }
        }
        if entries.len() < BATCH {
            return Ok(found);
        }
    }
}

/// Proves that it is still them.
pub(super) async fn prove(
    State(app): State<App>,
    me: SignedIn,
    posted: Posted,
) -> Result<Response, Rejected> {
    let form: Proved = posted.read(&app, &me.holder())?;
    let Proved { challenge, credential_id, authenticator_data, client_data_json, signature, user_handle } =
        form;
    let asserted = Asserted { credential_id, authenticator_data, client_data_json, signature, user_handle };
    match step_up(&app, me, (&proof(), &challenge, &asserted)).await {
        Ok(()) => Ok(see("/account#passkeys")),
        Err(rejected) => again(&app, me, rejected).await,
    }
}

/// Hands in that the person proved themselves for one request, whatever number that has.
pub(super) async fn step_up(
    app: &App,
    me: SignedIn,
    (asked, challenge, asserted): (&Asked<'_>, &str, &Asserted),
) -> Result<(), Rejected> {
    let (state, now, site, request) = (app.engine.state(), app.engine.now(), app.site()?, asked.sha256());
    let holder = me.holder();
    let challenge = challenge::open(site, Purpose::StepUp(&holder, &request.0), (challenge, now))?;
    let shown = ceremony::shown(&state, (Some(me.me), site), (asserted, &challenge.bytes));
    let key_sha256 = shown.ok_or_else(not_shown)?;
    let method = Method::Passkey { key_sha256 };
    prove_by(app, me, (asked, method, Some(challenge.spent))).await
}

/// Hands in that the node recognised them once more, by this, for one request.
pub(super) async fn prove_by(
    app: &App,
    me: SignedIn,
    (asked, method, spent): (&Asked<'_>, Method, Option<Spent>),
) -> Result<(), Rejected> {
    let request_sha256 = Digest(asked.sha256().0);
    let command = Command::StepUp(StepUp { method, request_sha256, spent });
    // What was shown is used once, so this needs no other number.
    let once = drawn::<16>()?;
    app.submit(me.submission(command, &Asked { once: &once, ..*asked })?).await.map(drop)
}

fn not_shown() -> Rejected {
    let words = super::super::problem::Words {
        code: "not_proved",
        detail: "none of your passkeys signed this".into(),
        hint: "try again with a passkey by which you sign in",
    };
    Rejected::new(StatusCode::FORBIDDEN, words)
}

/// Gives whoever is signed in another passkey.
pub(super) async fn add(State(app): State<App>, me: SignedIn, posted: Posted) -> Result<Response, Rejected> {
    let holder = me.holder();
    let form: Added = posted.read(&app, &holder)?;
    let (site, now) = (app.site()?, app.engine.now());
    let challenge = challenge::open(site, Purpose::Add(&holder), (&form.challenge, now))?;
    let made =
        Made { attestation_object: &form.attestation_object, client_data_json: &form.client_data_json };
    let passkey = match ceremony::made(site, &made, &challenge.bytes) {
        Ok(passkey) => passkey,
        Err(rejected) => return again(&app, me, rejected).await,
    };
    let asked = Asked {
        path: "/account/passkeys",
        body: &json!({ "name": form.name, "passkey": passkey.key_sha256.to_string() }),
        once: &form.once,
    };
    let submission = me.submission(Command::AddPasskey(AddPasskey { passkey }), &asked)?;
    done(&app, me, app.submit(submission.with_optional_details(named(&form.name)?)).await).await
}

/// Takes one of them out of force.
pub(super) async fn remove(
    State(app): State<App>,
    me: SignedIn,
    posted: Posted,
) -> Result<Response, Rejected> {
    let form: Removed = posted.read(&app, &me.holder())?;
    let key_sha256: Digest = form.key.parse().map_err(Rejected::malformed)?;
    let body = json!({ "key": form.key });
    let asked = Asked { path: "/account/passkeys/remove", body: &body, once: &form.once };
    let submission = me.submission(Command::RemovePasskey(RemovePasskey { key_sha256 }), &asked)?;
    done(&app, me, app.submit(submission).await).await
}

/// Ends one of one's sessions.
pub(super) async fn end(State(app): State<App>, me: SignedIn, posted: Posted) -> Result<Response, Rejected> {
    let form: Ended = posted.read(&app, &me.holder())?;
    let session: SessionId = form.session.parse().map_err(Rejected::malformed)?;
    // Others' are ended through the API, under the rules for that.
    if app.engine.state().session(session).is_some_and(|session| session.person != me.me) {
        return Err(Rejected::not_found("session", &form.session));
    }
    let body = json!({ "session": form.session });
    let asked = Asked { path: "/account/sessions/end", body: &body, once: &form.once };
    let submission = me.submission(Command::EndSession(End { session, under: None }), &asked)?;
    let ended = app.submit(submission).await;
    if session == me.session && ended.is_ok() {
        return Ok(leave(see("/sign-in")));
    }
    done(&app, me, ended).await
}

/// Ends this session.
pub(super) async fn sign_out(
    State(app): State<App>,
    me: SignedIn,
    posted: Posted,
) -> Result<Response, Rejected> {
    let Nothing {} = posted.read(&app, &me.holder())?;
    let method = app.engine.state().session(me.session).map(|session| session.method.clone());
    end_here(&app, me).await?;
    Ok(leave(sso::left(&app, me, method).await?))
}

/// Ends the session by which somebody came, also because somebody else signs in where they were.
pub(super) async fn end_here(app: &App, me: SignedIn) -> Result<(), Rejected> {
    let once = drawn::<16>()?;
    let asked = Asked { path: "/sign-out", body: &Value::Null, once: &once };
    let command = Command::EndSession(End { session: me.session, under: None });
    app.submit(me.submission(command, &asked)?).await.map(drop)
}

pub(super) async fn done<T>(
    app: &App,
    me: SignedIn,
    outcome: Result<T, Rejected>,
) -> Result<Response, Rejected> {
    match outcome {
        Ok(_) => Ok(see("/account")),
        Err(rejected) => again(app, me, rejected).await,
    }
}

/// The page once more, with why nothing was changed.
pub(super) async fn again(app: &App, me: SignedIn, rejected: Rejected) -> Result<Response, Rejected> {
    if !rejected.status().is_client_error() {
        return Err(rejected);
    }
    let status = rejected.status();
    let told = explained(&rejected.into_problem());
    page(app, me, (status, Some(told))).await
}
