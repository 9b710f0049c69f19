//! One's own voting keys: a passkey is made here, others agree to exactly that one, and it is put in force; and one's own are taken out of force.
//!
//! Nothing here goes around the rules: making one asks for the approval that the policy wants, in the words of the API's own routes.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use countersign_core::approval::{self, Status};
use countersign_core::digest::Digest;
use countersign_core::id::ApprovalId;
use countersign_core::voting_key::{self, enrolment};
use countersign_core::{Command, Fact};
use countersign_ledger::display::visible;
use countersign_ledger::hash::Hash;
use countersign_ledger::sshsig::fingerprint;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::App;
use super::super::parameters::Bound;
use super::super::problem::Rejected;
use super::super::{approvals, passkeys, voting_keys};
use super::ceremony::{self, Made};
use super::challenge::{self, Purpose};
use super::filters;
use super::form::{self, Posted};
use super::page::{Shell, explained, html, see};
use super::visit::{Asked, SignedIn, drawn};

const PATH: &str = "/account/voting-keys";
const ENROLL: &str = "/account/voting-keys/enroll";
const REVOKE: &str = "/account/voting-keys/revoke";

/// Requests that are shown at once.
const SHOWN: usize = 20;

#[derive(Template)]
#[template(path = "voting_keys.html")]
struct Page<'a> {
    shell: Shell,
    told: Option<String>,
    /// A key that was made and that somebody else has to ask for.
    made: Option<String>,
    id: String,
    name: String,
    rp: &'a str,
    keys: Vec<Key>,
    asked: Vec<Request>,
    challenge: String,
    exclude: String,
    once: String,
    tokens: Tokens,
}

struct Key {
    fingerprint: String,
    kind: &'static str,
    since: String,
    key_sha256: String,
}

struct Request {
    id: String,
    status: &'static str,
    is_approved: bool,
    fingerprint: String,
}

struct Tokens {
    make: String,
    enroll: String,
    revoke: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Begun {
    once: String,
    challenge: String,
    attestation_object: String,
    client_data_json: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enrolled {
    once: String,
    approval: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revoked {
    once: String,
    key: String,
}

/// What is told beside the page: why nothing was done, and a key that was made for nothing.
#[derive(Default)]
struct Told {
    why: Option<String>,
    made: Option<String>,
}

/// The page.
pub(super) async fn show(State(app): State<App>, me: SignedIn) -> Result<Response, Rejected> {
    page(&app, me, (StatusCode::OK, Told::default())).await
}

async fn page(app: &App, me: SignedIn, (status, told): (StatusCode, Told)) -> Result<Response, Rejected> {
    let (state, now, site, holder) = (app.engine.state(), app.engine.now(), app.site()?, me.holder());
    let held = state.person(me.me).into_iter().flat_map(|person| &person.keys);
    let keys = held.filter(|key| key.is_in_force()).map(|key| Key {
        fingerprint: fingerprint(&Hash(key.key_sha256.0)),
        kind: kind(key, site.origin()),
        since: key.enrolled_at.to_string(),
        key_sha256: key.key_sha256.to_string(),
    });
    let wish = enrolment(me.me);
    let is_mine = |it: &&approval::Approval| it.requester == me.me && Some(&it.action) == wish.as_ref();
    let open: Vec<_> = state
        .approvals_newest_first()
        .filter(is_mine)
        .map(|it| (it.id, it.status_at(now)))
        .filter(|(_, status)| matches!(status, Status::Pending | Status::Approved))
        .take(SHOWN)
        .collect();
    let mut asked = Vec::with_capacity(open.len());
    for (id, status) in open {
        asked.push(Request {
            id: id.to_string(),
            status: status.as_str(),
            is_approved: status == Status::Approved,
            fingerprint: wished(app, id).await?.map_or_else(String::new, |(_, fingerprint)| fingerprint),
        });
    }
    let token = |path: &str| form::token(app, &holder, path);
    let page = Page {
        shell: me.shell(app, "Your voting keys").await,
        told: told.why,
        made: told.made,
        id: me.me.to_string(),
        name: me.name(app).await,
        rp: site.host(),
        keys: keys.collect(),
        asked,
        challenge: challenge::issue(site, Purpose::Vote(&holder), now)?,
        exclude: passkeys::voting(&state, (me.me, site.origin())).join(" "),
        once: drawn::<16>()?,
        tokens: Tokens { make: token(PATH), enroll: token(ENROLL), revoke: token(REVOKE) },
    };
    Ok(html(status, &page))
}

/// What it is, in words.
fn kind(key: &voting_key::VotingKey, origin: &str) -> &'static str {
    match passkeys::passkey(&key.key) {
        Some(passkey) if passkey.origins.iter().any(|it| it == origin) => "a passkey, for these pages",
        Some(_) => "a passkey, for other pages",
        None if key.algorithm.is_hardware() => "an SSH key in hardware",
        None => "an SSH key",
    }
}

/// The key that a request is about, as it is enrolled, and its fingerprint; none if its details were redacted.
async fn wished(app: &App, approval: ApprovalId) -> Result<Option<(String, String)>, Rejected> {
    let Some(bound) = Bound::of(&app.engine, approval.to_string()).await? else { return Ok(None) };
    let text = match &bound.parameters["key"] {
        Value::String(line) => line.clone(),
        key => key.to_string(),
    };
    let read = countersign_evidence::votes::public_key(&text).ok();
    Ok(read.map(|key| (text, fingerprint(&Hash(key.key_sha256.0)))))
}

/// Looks at the passkey that was made, and asks for the approval of exactly that.
pub(super) async fn make(State(app): State<App>, me: SignedIn, posted: Posted) -> Result<Response, Rejected> {
    let holder = me.holder();
    let form: Begun = posted.read(&app, &holder)?;
    let (site, now) = (app.site()?, app.engine.now());
    let challenge = challenge::open(site, Purpose::Vote(&holder), (&form.challenge, now))?;
    let made =
        Made { attestation_object: &form.attestation_object, client_data_json: &form.client_data_json };
    let passkey = match ceremony::made(site, &made, &challenge.bytes) {
        Ok(passkey) => passkey,
        Err(rejected) => return again(&app, me, (rejected, None)).await,
    };
    match ask(&app, me, (&passkey.key, &form.once)).await {
        Ok(approval) => Ok(see(&format!("/approvals/{approval}"))),
        // Whoever may not ask hands it to somebody who may.
        Err(rejected) => again(&app, me, (rejected, Some(passkey.key))).await,
    }
}

async fn ask(app: &App, me: SignedIn, (key, once): (&str, &str)) -> Result<ApprovalId, Rejected> {
    let action = enrolment(me.me).ok_or_else(|| Rejected::malformed("nobody can have a voting key here"))?;
    let parameters = json!({ "key": serde_json::from_str::<Value>(key).map_err(Rejected::malformed)? });
    let asked = Asked { path: PATH, body: &parameters, once };
    let bound = Bound::fresh(parameters.clone(), None)?;
    let command = Command::RequestApproval(approval::Request { action, parameters_sha256: bound.digest()? });
    let submission = me.submission(command, &asked)?.with_details(bound.details()?);
    let (committed, _) = app.submit(submission).await?;
    let requested = committed.events.iter().find_map(|event| match event.fact {
        Fact::ApprovalRequested(id, _) => Some(id),
        _ => None,
    });
    requested.ok_or_else(|| Rejected::from(crate::engine::EngineError::Stopped))
}

/// Puts a key in force to which others agreed.
pub(super) async fn enroll(
    State(app): State<App>,
    me: SignedIn,
    posted: Posted,
) -> Result<Response, Rejected> {
    let form: Enrolled = posted.read(&app, &me.holder())?;
    let approval = approvals::parse(&form.approval)?;
    let Some((key, _)) = wished(&app, approval).await? else {
        return Err(Rejected::not_found("request for a voting key", &form.approval));
    };
    let body = json!({ "approval": form.approval });
    let asked = Asked { path: ENROLL, body: &body, once: &form.once };
    let command = voting_keys::enrolling(&app.engine, (me.me, approval), &key).await?;
    done(&app, me, app.submit(me.submission(command, &asked)?).await).await
}

/// Takes one of one's own out of force, for good.
pub(super) async fn revoke(
    State(app): State<App>,
    me: SignedIn,
    posted: Posted,
) -> Result<Response, Rejected> {
    let form: Revoked = posted.read(&app, &me.holder())?;
    let key_sha256: Digest = form.key.parse().map_err(Rejected::malformed)?;
    let body = json!({ "key": form.key });
    let asked = Asked { path: REVOKE, body: &body, once: &form.once };
    let command = Command::RevokeKey(voting_key::RevokeKey { person: me.me, key_sha256, under: None });
    done(&app, me, app.submit(me.submission(command, &asked)?).await).await
}

async fn done<T>(app: &App, me: SignedIn, outcome: Result<T, Rejected>) -> Result<Response, Rejected> {
    match outcome {
        Ok(_) => Ok(see(PATH)),
        Err(rejected) => again(app, me, (rejected, None)).await,
    }
}

/// The page once more, with why nothing was changed.
async fn again(
    app: &App,
    me: SignedIn,
    (rejected, made): (Rejected, Option<String>),
) -> Result<Response, Rejected> {
    if !rejected.status().is_client_error() {
        return Err(rejected);
    }
    let status = rejected.status();
    let why = Some(explained(&rejected.into_problem()));
    page(app, me, (status, Told { why, made: made.as_deref().map(visible) })).await
}
