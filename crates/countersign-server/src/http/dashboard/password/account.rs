//! One's own password: set, replaced, taken away; recovery codes; proving by it that one is still there.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::Command;
use countersign_core::digest::Digest;
use countersign_core::password::{RemovePassword, RenewRecoveryCodes, SetPassword};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::super::super::App;
use super::super::super::attempts::Network;
use super::super::super::problem::{Rejected, Words};
use super::super::account::{again, proof};
use super::super::filters;
use super::super::form::{self, Posted};
use super::super::page::{Shell, html, part, see};
use super::super::visit::{Asked, SignedIn, drawn};
use super::choose::{self, Chosen, For, forget};
use super::{are_taken, is_held, step_up, verifiers};

/// Where a password is chosen.
const SET: &str = "/account/password";
/// Where fresh recovery codes are asked for.
const RENEW: &str = "/account/password/codes";
/// Where it is taken away.
const REMOVE: &str = "/account/password/remove";
/// Where one proves oneself by it.
const PROVE: &str = "/account/prove/password";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Set {
    once: String,
    challenge: String,
    password: Zeroizing<String>,
    code: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Once {
    once: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proved {
    password: Zeroizing<String>,
    code: String,
}

#[derive(Template)]
#[template(path = "password/section.html")]
struct Section {
    taken: bool,
    since: Option<String>,
    left: usize,
    may_change: bool,
    can_prove: bool,
    once: String,
    renew: String,
    remove: String,
    prove: String,
}

#[derive(Template)]
#[template(path = "password/set.html")]
struct Page {
    shell: Shell,
    replaces: bool,
    form: String,
}

/// What the page of one's account says about it; nothing where there is none and none is taken.
pub(in super::super) fn section(app: &App, me: SignedIn) -> Result<Option<String>, Rejected> {
    let (state, taken) = (app.engine.state(), are_taken(app));
    let since =
        state.person(me.me).and_then(|person| person.password.as_ref()).map(|it| it.set_at.to_string());
    if !taken && since.is_none() {
        return Ok(None);
    }
    let holder = me.holder();
    let token = |path: &str| form::token(app, &holder, path);
    let section = Section {
        taken,
        since,
        left: state.codes(me.me).map_or(0, |codes| codes.recovery.len()),
        may_change: me.proved_recently(app),
        can_prove: is_held(app, me.me),
        once: drawn::<16>()?,
        renew: token(RENEW),
        remove: token(REMOVE),
        prove: token(PROVE),
    };
    part(&section).map(Some)
}

/// What verifies the password that they have.
fn verifier(app: &App, me: SignedIn) -> Option<Digest> {
    app.engine.state().person(me.me).and_then(|it| it.password.as_ref()).map(|it| it.verifier_sha256)
}

/// Asks for a password.
pub(in super::super) async fn show(State(app): State<App>, me: SignedIn) -> Result<Response, Rejected> {
    if !are_taken(&app) || !me.proved_recently(&app) {
        return Ok(see("/account#password"));
    }
    let once = drawn::<16>()?;
    let it = Mine::of(&app, (me, once)).await;
    let form = it.asks(|it| choose::form(&app, it))?;
    page(&app, me, (StatusCode::OK, form)).await
}

async fn page(app: &App, me: SignedIn, (status, form): (StatusCode, String)) -> Result<Response, Rejected> {
    let replaces = is_held(app, me.me);
    let shell = me.shell(app, "A password").await;
    Ok(html(status, &Page { shell, replaces, form }))
}

/// Whoever is signed in chooses.
struct Mine {
    holder: String,
    name: String,
    token: String,
    once: String,
}

impl Mine {
    async fn of(app: &App, (me, once): (SignedIn, String)) -> Self {
        let holder = me.holder();
        Self { token: form::token(app, &holder, SET), name: me.name(app).await, holder, once }
    }

    fn asks<T>(&self, ask: impl FnOnce(&For<'_>) -> T) -> T {
        ask(&For {
            holder: &self.holder,
            name: &self.name,
            action: SET,
            token: self.token.clone(),
            hidden: &[("once", &self.once)],
            button: "Set this password",
        })
    }
}

/// Gives whoever is signed in the password that they chose. It is sealed first and named by an entry afterwards; the one before goes last.
pub(in super::super) async fn set(
    State(app): State<App>,
    me: SignedIn,
    posted: Posted,
) -> Result<Response, Rejected> {
    let Set { once, challenge, password, code } = posted.read(&app, &me.holder())?;
    verifiers(&app)?;
    // Nothing is hashed for whoever would be refused afterwards.
    if !me.proved_recently(&app) {
        return Ok(see("/account#password"));
    }
    let it = Mine::of(&app, (me, once)).await;
    let chosen = Chosen { challenge, password, code };
    chosen.challenge(&app, &it.holder)?;
    let sealed = match chosen.seal(&app, (me.me, &it.name)).await {
        Ok(sealed) => sealed,
        Err(why) if why.status().is_client_error() => {
            let form = it.asks(|it| choose::again(&app, it, (&chosen.challenge, why)))?;
            return page(&app, me, (StatusCode::UNPROCESSABLE_ENTITY, form)).await;
        }
        Err(why) => return Err(why),
    };
    let before = verifier(&app, me);
    let command = Command::SetPassword(SetPassword { password: sealed.new.clone() });
    let asked = Asked { path: SET, body: &json!({ "challenge": chosen.challenge }), once: &it.once };
    let outcome = app.submit(me.submission(command, &asked)?).await;
    match sealed.settle(&app, outcome).await {
        Ok((committed, _)) if committed.replayed => {
            forget(&app, sealed.new.verifier_sha256).await;
            again(&app, me, shown_before()).await
        }
        Ok(_) => {
            if let Some(before) = before.filter(|before| verifier(&app, me) != Some(*before)) {
                forget(&app, before).await;
            }
            codes(&app, me, &sealed.codes).await
        }
        Err(rejected) => again(&app, me, rejected).await,
    }
}

/// Replaces recovery codes.
pub(in super::super) async fn renew(
    State(app): State<App>,
    me: SignedIn,
    posted: Posted,
) -> Result<Response, Rejected> {
    let Once { once } = posted.read(&app, &me.holder())?;
    let drawn = choose::draw()?;
    let recovery = drawn.iter().map(|code| code.sha256(me.me)).collect();
    let command = Command::RenewRecoveryCodes(RenewRecoveryCodes { recovery });
    let asked = Asked { path: RENEW, body: &Value::Null, once: &once };
    match app.submit(me.submission(command, &asked)?).await {
        Ok((committed, _)) if committed.replayed => again(&app, me, shown_before()).await,
        Ok(_) => codes(&app, me, &drawn).await,
        Err(rejected) => again(&app, me, rejected).await,
    }
}

/// Takes the password away, and what verified it.
pub(in super::super) async fn remove(
    State(app): State<App>,
    me: SignedIn,
    posted: Posted,
) -> Result<Response, Rejected> {
    let Once { once } = posted.read(&app, &me.holder())?;
    let before = verifier(&app, me);
    let asked = Asked { path: REMOVE, body: &Value::Null, once: &once };
    match app.submit(me.submission(Command::RemovePassword(RemovePassword), &asked)?).await {
        Ok((committed, _)) => {
            if let Some(before) = before.filter(|_| !committed.replayed) {
                forget(&app, before).await;
            }
            Ok(see("/account"))
        }
        Err(rejected) => again(&app, me, rejected).await,
    }
}

/// Proves by password and code that it is still them.
pub(in super::super) async fn prove(
    State(app): State<App>,
    me: SignedIn,
    network: Network,
    posted: Posted,
) -> Result<Response, Rejected> {
    let Proved { password, code } = posted.read(&app, &me.holder())?;
    match step_up(&app, (me, network), (&proof(), &password, &code)).await {
        Ok(()) => Ok(see("/account#password")),
        Err(rejected) => again(&app, me, rejected).await,
    }
}

/// Fresh codes, this once. Another password ends the sessions that the one before opened, so this may be one of them.
async fn codes(
    app: &App,
    me: SignedIn,
    codes: &[crate::sign_in::recovery::RecoveryCode],
) -> Result<Response, Rejected> {
    let is_over = app.engine.state().live_session(me.session, app.engine.now()).is_err();
    let shell =
        if is_over { Shell::new("Recovery codes", None) } else { me.shell(app, "Recovery codes").await };
    Ok(choose::codes(shell, codes, is_over))
}

fn shown_before() -> Rejected {
    let words = Words {
        code: "already_issued",
        detail: "this was done already, and its recovery codes were shown then".into(),
        hint: "if you did not keep them, ask for fresh ones",
    };
    Rejected::new(StatusCode::CONFLICT, words)
}
