//! A terminal asks to be signed in: `countersign login` shows a code, and whoever is signed in types it here and proves that it is them.
//!
//! The code is in no link, so nobody lets a stranger's terminal in by clicking.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::super::App;
use super::super::attempts::Network;
use super::super::problem::Rejected;
use super::super::terminals::{self, Answer};
use super::account::step_up;
use super::ceremony::{self, Asserted};
use super::challenge::{self, Purpose};
use super::form::{self, Posted};
use super::page::{Shell, html, sentence};
use super::password;
use super::visit::{Asked, SignedIn, drawn};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    code: String,
}

/// By a passkey, or by a password and a code.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirmed {
    once: String,
    code: String,
    #[serde(default)]
    password: Zeroizing<String>,
    #[serde(default)]
    one_time_code: String,
    #[serde(default)]
    challenge: String,
    #[serde(default)]
    credential_id: String,
    #[serde(default)]
    authenticator_data: String,
    #[serde(default)]
    client_data_json: String,
    #[serde(default)]
    signature: String,
    #[serde(default)]
    user_handle: String,
}

#[derive(Template)]
#[template(path = "device.html")]
struct Page<'a> {
    shell: Shell,
    told: Option<String>,
    name: String,
    rp: &'a str,
    token: String,
    step: Step,
}

/// How far it is.
enum Step {
    Typing,
    Asking(Asking),
    Done { said: &'static str },
}

struct Asking {
    code: String,
    terminal: String,
    address: Option<String>,
    challenge: String,
    allow: String,
    by_password: bool,
    once: String,
    let_in: String,
    turn_away: String,
}

/// Asks for the code.
pub(super) async fn show(State(app): State<App>, me: SignedIn) -> Result<Response, Rejected> {
    page(&app, me, (StatusCode::OK, None, Step::Typing)).await
}

async fn page(
    app: &App,
    me: SignedIn,
    (status, told, step): (StatusCode, Option<String>, Step),
) -> Result<Response, Rejected> {
    let page = Page {
        shell: me.shell(app, "Sign a terminal in").await,
        told,
        name: me.name(app).await,
        rp: app.site()?.host(),
        token: form::token(app, &me.holder(), "/device"),
        step,
    };
    Ok(html(status, &page))
}

/// What letting the terminal of this code in would be as a request.
fn request(code: &str) -> serde_json::Value {
    json!({ "code": code })
}

/// Shows the terminal that waits under the code, and asks whether it is theirs.
pub(super) async fn look(
    State(app): State<App>,
    me: SignedIn,
    network: Network,
    posted: Posted,
) -> Result<Response, Rejected> {
    let form: Typed = posted.read(&app, &me.holder())?;
    let (code, waiting) = match terminals::found(&app, (network, me.caller()), &form.code) {
        Ok(found) => found,
        Err(rejected) => {
            let status = rejected.status();
            let problem = rejected.into_problem();
            let told = format!("{} Codes are good for ten minutes.", sentence(&problem.detail));
            return page(&app, me, (status, Some(told), Step::Typing)).await;
        }
    };
    let (holder, code) = (me.holder(), code.text());
    let body = request(&code);
    let asked = Asked { path: "/device/let-in", body: &body, once: "" }.sha256();
    let asking = Asking {
        challenge: challenge::issue(app.site()?, Purpose::StepUp(&holder, &asked.0), app.engine.now())?,
        allow: ceremony::held(&app.engine.state(), me.me),
        by_password: password::is_held(&app, me.me),
        terminal: waiting.terminal,
        address: waiting.address.map(|address| address.to_string()),
        once: drawn::<16>()?,
        let_in: form::token(&app, &holder, "/device/let-in"),
        turn_away: form::token(&app, &holder, "/device/turn-away"),
        code,
    };
    page(&app, me, (StatusCode::OK, None, Step::Asking(asking))).await
}

/// It is theirs, and so are they.
pub(super) async fn let_in(
    State(app): State<App>,
    me: SignedIn,
    network: Network,
    posted: Posted,
) -> Result<Response, Rejected> {
    let form: Confirmed = posted.read(&app, &me.holder())?;
    let (code, waiting) = terminals::found(&app, (network, me.caller()), &form.code)?;
    let body = request(&code.text());
    let asked = Asked { path: "/device/let-in", body: &body, once: &form.once };
    if form.password.is_empty() {
        let Confirmed { challenge, credential_id, authenticator_data, client_data_json, .. } = form;
        let (signature, user_handle) = (form.signature, form.user_handle);
        let asserted =
            Asserted { credential_id, authenticator_data, client_data_json, signature, user_handle };
        step_up(&app, me, (&asked, &challenge, &asserted)).await?;
    } else {
        password::step_up(&app, (me, network), (&asked, &form.password, &form.one_time_code)).await?;
    }
    let command = waiting.admission((me.me, me.session));
    app.submit(me.submission(command, &asked)?.with_details(waiting.details()?)).await?;
    app.terminals.answer(&code, Answer::Admitted);
    page(&app, me, (StatusCode::OK, None, Step::Done { said: "The terminal is signed in" })).await
}

/// It is not.
pub(super) async fn turn_away(
    State(app): State<App>,
    me: SignedIn,
    network: Network,
    posted: Posted,
) -> Result<Response, Rejected> {
    let form: Typed = posted.read(&app, &me.holder())?;
    let (code, _) = terminals::found(&app, (network, me.caller()), &form.code)?;
    app.terminals.answer(&code, Answer::TurnedAway);
    page(&app, me, (StatusCode::OK, None, Step::Done { said: "The terminal is turned away" })).await
}
