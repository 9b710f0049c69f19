//! One request, shown from the very bytes that are signed, and the decision on it.
//!
//! A rule may want a signature by a voting passkey, which signs those bytes; or a fresh proof that it is the person, for this decision alone. The
//! core says when it is the latter: the decision is then shown once more, and proved.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_api::approval::PasskeySignature;
use countersign_core::approval::{self, Ballot as Vote};
use countersign_core::id::{ApprovalId, PersonId};
use countersign_core::policy::Comment;
use countersign_core::{Command, Item, Subject};
use countersign_ledger::display::{self, Field, visible};
use countersign_ledger::hash::sha256;
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::super::address::Named;
use super::super::approvals::{parse, sees};
use super::super::attempts::Network;
use super::super::names::{self, Known};
use super::super::parameters::{Bound, reason};
use super::super::problem::Rejected;
use super::super::statements::{self, Given};
use super::super::{App, lists, passkeys};
use super::account::step_up;
use super::ceremony::{self, Asserted};
use super::challenge::{self, Purpose};
use super::filters;
use super::form::{self, Posted, filled};
use super::inbox::spoken;
use super::page::{Shell, explained, html, name, see};
use super::password;
use super::visit::{Asked, SignedIn, drawn};

/// By this the core says that a fresh proof would do.
const NOT_FRESH: &str = "not_fresh";

#[derive(Template)]
#[template(path = "approval.html")]
struct Page<'a> {
    shell: Shell,
    told: Option<String>,
    id: String,
    rp: &'a str,
    status: &'static str,
    action: String,
    requester: String,
    requested_at: String,
    until: Option<String>,
    stuck: Option<&'static str>,
    rules: String,
    reason: Option<String>,
    statement: Option<Statement>,
    votes: Vec<Agreed>,
    objections: Vec<String>,
    missing: Vec<Place>,
    ballot: Ballot,
}

/// Every field of the statement: first what people decide about, then what binds it.
struct Statement {
    about: Vec<Field>,
    binding: Vec<Field>,
    digest: String,
}

struct Agreed {
    who: String,
    at: String,
    on_behalf: Option<String>,
    signed: bool,
}

struct Place {
    needed: u32,
    group: String,
    could: String,
}

/// Whether, and how, whoever looks can decide here.
enum Ballot {
    Here(Form),
    Elsewhere,
    None,
}

struct Form {
    approve: String,
    deny: String,
    once: String,
    signing: bool,
    challenge: String,
    allow: String,
    comment: bool,
    reason: String,
    /// In whose place: ids with names, oneself first; empty where there is no choice.
    places: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct Confirm<'a> {
    shell: Shell,
    id: String,
    rp: &'a str,
    action: String,
    digest: String,
    on_behalf: &'a str,
    on_behalf_name: Option<String>,
    reason: &'a str,
    shown_reason: String,
    once: &'a str,
    challenge: String,
    allow: String,
    by_password: bool,
    token: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Approve {
    once: String,
    on_behalf: String,
    reason: String,
    challenge: String,
    credential_id: String,
    authenticator_data: String,
    client_data_json: String,
    signature: String,
    user_handle: String,
    password: Zeroizing<String>,
    code: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deny {
    once: String,
    reason: String,
}

/// What a page is made of.
struct Seen {
    approval: approval::Approval,
    statement: Option<Vec<u8>>,
    /// Why, in the words of whoever asked.
    reason: Option<String>,
}

impl Seen {
    async fn by(app: &App, me: SignedIn, id: &str) -> Result<Self, Rejected> {
        let approval = parse(id)?;
        let caller = me.caller();
        let Some(Item::Approval(approval)) = lists::one(app, Subject::Approval(approval)).await? else {
            return Err(caller.misses(app, ("approval", id)));
        };
        sees(app, &caller, &approval)?;
        let statement = statements::of(&app.engine, approval.id).await?;
        let reason = Bound::of(&app.engine, id.to_owned()).await?.and_then(|bound| bound.reason);
        Ok(Self { approval, statement, reason })
    }
}

/// The page.
pub(super) async fn show(
    State(app): State<App>,
    me: SignedIn,
    Named(id): Named<String>,
) -> Result<Response, Rejected> {
    let seen = Seen::by(&app, me, &id).await?;
    page(&app, me, (&seen, StatusCode::OK, None, "")).await
}

async fn page(
    app: &App,
    me: SignedIn,
    (seen, status, told, typed): (&Seen, StatusCode, Option<String>, &str),
) -> Result<Response, Rejected> {
    let (state, now, known) = (app.engine.state(), app.engine.now(), app.known().await);
    let approval = &seen.approval;
    let outlook = approval.outlook(&state, now);
    let statement = seen.statement.as_deref().map(statement).transpose()?;
    let stuck = match &outlook {
        approval::Outlook { policy_changed: true, .. } => Some(
            "Nothing can come of this: the rules demand something else now. It has to be asked for again.",
        ),
        outlook if outlook.is_stuck() => {
            Some("Nothing can come of this as things are: there is nobody who could give what is missing.")
        }
        _ => None,
    };
    let page = Page {
        shell: me.shell(app, &spoken(&approval.action)).await,
        told,
        id: approval.id.to_string(),
        rp: app.site()?.host(),
        status: approval.status_at(now).as_str(),
        action: spoken(&approval.action),
        requester: name(approval.requester, &known),
        requested_at: approval.requested_at.to_string(),
        until: approval.deadline().map(|deadline| deadline.to_string()),
        stuck,
        rules: approval.rules.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        reason: seen.reason.as_deref().map(visible),
        statement,
        votes: approval.votes.iter().map(|vote| agreed(vote, &known)).collect(),
        objections: approval.objections.iter().map(|id| name(*id, &known)).collect(),
        missing: names::missing(&outlook.missing, &known).into_iter().map(place).collect(),
        ballot: ballot(app, me, (seen, &known, typed))?,
    };
    Ok(html(status, &page))
}

/// Every field of the bytes that are signed, with nothing that hides or reorders.
fn statement(bytes: &[u8]) -> Result<Statement, Rejected> {
    let unreadable = |error| Rejected::unavailable(format!("the statement cannot be read: {error}"));
    let fields = display::fields(bytes).map_err(unreadable)?;
    let says_what = |field: &Field| {
        let first = field.path.split(['.', '[']).next();
        matches!(first, Some("action" | "parameters"))
    };
    let (about, binding) = fields.into_iter().partition(says_what);
    Ok(Statement { about, binding, digest: display::short_digest(bytes) })
}

fn agreed(vote: &approval::Vote, known: &Known) -> Agreed {
    Agreed {
        who: name(vote.person, known),
        at: vote.at.to_string(),
        on_behalf: vote.on_behalf.map(|id| name(id, known)),
        signed: vote.signature.is_some(),
    }
}

fn place(missing: countersign_api::problem::Missing) -> Place {
    let could = missing.could.iter().map(|person| visible(person.name.as_deref().unwrap_or(&person.id)));
    let could = could.collect::<Vec<_>>().join(", ");
    Place { needed: missing.needed, group: missing.group, could }
}

fn ballot(app: &App, me: SignedIn, (seen, known, typed): (&Seen, &Known, &str)) -> Result<Ballot, Rejected> {
    let (state, now, holder) = (app.engine.state(), app.engine.now(), me.holder());
    let approval = &seen.approval;
    let (true, Some(bytes)) = (approval.waits_for(&state, (me.me, now)), &seen.statement) else {
        return Ok(Ballot::None);
    };
    let Some(in_force) = state.policy() else { return Ok(Ballot::None) };
    let Some(requirement) = in_force.policy.requirement(&approval.action) else { return Ok(Ballot::None) };
    let signing = !requirement.signature.is_not_required();
    let voting = passkeys::voting(&state, (me.me, app.site()?.origin()));
    if signing && voting.is_empty() {
        return Ok(Ballot::Elsewhere);
    }
    let may = |person: PersonId| requirement.may_approve(&in_force.policy, person);
    let away =
        state.people().map(|(id, _)| *id).filter(|id| state.is_delegate(me.me, (*id, now)) && may(*id));
    let mut places: Vec<_> =
        away.map(|id| (id.to_string(), format!("in place of {}", name(id, known)))).collect();
    if !places.is_empty() && may(me.me) {
        places.insert(0, (String::new(), "in my own".to_owned()));
    }
    let token = |verb: &str| form::token(app, &holder, &format!("/approvals/{}/{verb}", approval.id));
    Ok(Ballot::Here(Form {
        approve: token("approve"),
        deny: token("deny"),
        once: drawn::<16>()?,
        signing,
        challenge: URL_SAFE_NO_PAD.encode(sha256(bytes).0),
        allow: voting.join(" "),
        comment: matches!(requirement.comment, Comment::Required),
        reason: typed.to_owned(),
        places,
    }))
}

/// Agrees.
pub(super) async fn approve(
    State(app): State<App>,
    (me, network): (SignedIn, Network),
    Named(id): Named<String>,
    posted: Posted,
) -> Result<Response, Rejected> {
    let form: Approve = posted.read(&app, &me.holder())?;
    let seen = Seen::by(&app, me, &id).await?;
    match agree(&app, (me, network), (seen.approval.id, &form)).await {
        Ok(()) => Ok(see(&format!("/approvals/{id}"))),
        Err(rejected) if rejected.code() == NOT_FRESH && !form.is_proved() => {
            confirm(&app, me, (&seen, &form)).await
        }
        Err(rejected) => again(&app, me, (&seen, rejected, &form.reason)).await,
    }
}

/// The body that the API's own route would have.
fn body(form: &Approve) -> Value {
    let mut body = json!({});
    for (key, value) in [("on_behalf", &form.on_behalf), ("reason", &form.reason)] {
        if let Some(value) = filled(value) {
            body[key] = json!(value);
        }
    }
    body
}

impl Approve {
    /// Whether it brings what proves who sends it.
    fn is_proved(&self) -> bool {
        !self.challenge.is_empty() || !self.password.is_empty()
    }
}

async fn agree(
    app: &App,
    (me, network): (SignedIn, Network),
    (id, form): (ApprovalId, &Approve),
) -> Result<(), Rejected> {
    let (path, body) = (format!("/admin/approvals/{id}/approve"), body(form));
    let asked = Asked { path: &path, body: &body, once: &form.once };
    let given = if form.signature.is_empty() || !form.challenge.is_empty() {
        Given::Nothing
    } else {
        Given::Passkey(
            me.me,
            PasskeySignature {
                credential_id: form.credential_id.clone(),
                authenticator_data: form.authenticator_data.clone(),
                client_data_json: form.client_data_json.clone(),
                signature: form.signature.clone(),
            },
        )
    };
    if !form.challenge.is_empty() {
        let asserted = Asserted {
            credential_id: form.credential_id.clone(),
            authenticator_data: form.authenticator_data.clone(),
            client_data_json: form.client_data_json.clone(),
            signature: form.signature.clone(),
            user_handle: form.user_handle.clone(),
        };
        step_up(app, me, (&asked, &form.challenge, &asserted)).await?;
    }
    if !form.password.is_empty() {
        password::step_up(app, (me, network), (&asked, &form.password, &form.code)).await?;
    }
    let signature = statements::signed(&app.engine, id, given).await?;
    let on_behalf = filled(&form.on_behalf).map(|id| id.parse().map_err(Rejected::malformed)).transpose()?;
    let commented = filled(&form.reason).is_some();
    let command = Command::Approve(Vote { commented, on_behalf, signature, ..id.into() });
    let submission = me.submission(command, &asked)?.with_optional_details(reason(filled(&form.reason))?);
    app.submit(submission).await.map(drop)
}

/// Shows the decision once more, to be proved.
async fn confirm(app: &App, me: SignedIn, (seen, form): (&Seen, &Approve)) -> Result<Response, Rejected> {
    let (site, holder, known) = (app.site()?, me.holder(), app.known().await);
    let id = seen.approval.id.to_string();
    let (path, body) = (format!("/admin/approvals/{id}/approve"), body(form));
    let request = Asked { path: &path, body: &body, once: &form.once }.sha256();
    let on_behalf: Option<PersonId> = filled(&form.on_behalf).and_then(|id| id.parse().ok());
    let page = Confirm {
        shell: me.shell(app, "Prove that it is you").await,
        rp: site.host(),
        action: spoken(&seen.approval.action),
        digest: seen.statement.as_deref().map(display::short_digest).unwrap_or_default(),
        on_behalf: &form.on_behalf,
        on_behalf_name: on_behalf.map(|id| name(id, &known)),
        reason: &form.reason,
        shown_reason: visible(&form.reason),
        once: &form.once,
        challenge: challenge::issue(site, Purpose::StepUp(&holder, &request.0), app.engine.now())?,
        allow: ceremony::held(&app.engine.state(), me.me),
        by_password: password::is_held(app, me.me),
        token: form::token(app, &holder, &format!("/approvals/{id}/approve")),
        id,
    };
    Ok(html(StatusCode::OK, &page))
}

/// Disagrees.
pub(super) async fn deny(
    State(app): State<App>,
    me: SignedIn,
    Named(id): Named<String>,
    posted: Posted,
) -> Result<Response, Rejected> {
    let form: Deny = posted.read(&app, &me.holder())?;
    let seen = Seen::by(&app, me, &id).await?;
    let Some(why) = filled(&form.reason) else {
        return again(&app, me, (&seen, Rejected::malformed("say why you disagree"), "")).await;
    };
    let (path, body) = (format!("/admin/approvals/{}/deny", seen.approval.id), json!({ "reason": why }));
    let asked = Asked { path: &path, body: &body, once: &form.once };
    let submission = me.submission(Command::Deny(seen.approval.id), &asked)?;
    match app.submit(submission.with_optional_details(reason(Some(why))?)).await {
        Ok(_) => Ok(see(&format!("/approvals/{id}"))),
        Err(rejected) => again(&app, me, (&seen, rejected, "")).await,
    }
}

/// The page once more, with why nothing was decided.
async fn again(
    app: &App,
    me: SignedIn,
    (seen, rejected, typed): (&Seen, Rejected, &str),
) -> Result<Response, Rejected> {
    if !rejected.status().is_client_error() {
        return Err(rejected);
    }
    let status = rejected.status();
    let told = explained(&rejected.into_problem());
    page(app, me, (seen, status, Some(told), typed)).await
}
