//! Breaking the glass: opened with a signature, listed with its debts, reviewed by others.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use countersign_api::Page;
use countersign_api::break_glass::{BreakGlass, OpenBreakGlass, Opinion, ReviewBreakGlass, Verdict};
use countersign_core::break_glass::{self, Reason};
use countersign_core::id::BreakGlassId;
use countersign_core::signature::Signature;
use countersign_core::{Command, Item, Subject};
use countersign_evidence::votes;
use countersign_ledger::break_glass::{NAMESPACE, Statement};
use countersign_ledger::hash::Hash;
use countersign_ledger::json;

use super::address::{Asked, Named};
use super::approvals::{parse_action, show_action};
use super::gate::{Caller, Post, Viewer};
use super::names::{Known, missing, person};
use super::parameters::{Bound, reason};
use super::problem::{Rejected, Words};
use super::{App, lists};
use crate::engine::EngineError;

const LISTED: lists::Kind = lists::Kind { name: "break-glass", states: &["open", "overdue", "settled"] };

/// Act without anybody's consent, and owe an explanation.
#[utoipa::path(post, path = "/admin/break-glass", tag = "break-glass", request_body = OpenBreakGlass, responses((status = 201, body = BreakGlass)))]
pub(super) async fn open(
    State(app): State<App>,
    post: Post<OpenBreakGlass>,
) -> Result<(StatusCode, Json<BreakGlass>), Rejected> {
    let Post { sender, body } = post;
    let action = parse_action(&body.action)?;
    let salt: Hash = body.parameters_salt.parse().map_err(Rejected::malformed)?;
    let signed_at = body.time.parse().map_err(Rejected::malformed)?;
    let why = Some(body.reason.clone()).filter(|reason| !reason.trim().is_empty());
    let given = if why.is_some() { Reason::Given } else { Reason::Missing };
    let bound = Bound::under(salt, body.parameters, why)?;
    let parameters_sha256 = bound.digest()?;
    let log = app.engine.state().log().map(|log| log.origin.clone()).unwrap_or_default();
    let statement = Statement {
        action: [action.verb.to_string(), action.resource.to_string(), action.environment.to_string()],
        log,
        parameters: parsed(&bound.parameters)?,
        parameters_salt: salt,
        person: sender.actor().to_string(),
        reason: body.reason,
        time: body.time,
    };
    let signature = verified(&body.signature, &statement.to_bytes())?;
    let open = break_glass::Open { action, parameters_sha256, signed_at, signature, reason: given };
    let submission = sender.submission(Command::BreakGlass(open)).with_details(bound.details()?);
    let (committed, known) = app.submit(submission).await?;
    Ok((StatusCode::CREATED, answer(&app, &known, (committed.item, Some(bound)))?))
}

/// The parameters as the statement has them.
fn parsed(parameters: &serde_json::Value) -> Result<json::Value, Rejected> {
    let canonical = json::to_canonical(parameters).map_err(Rejected::malformed)?;
    json::parse(&canonical).map_err(Rejected::malformed)
}

/// The signature, if it is one of these bytes. Whose key it is, and whether that is in force, is for the core to say.
fn verified(armor: &str, bytes: &[u8]) -> Result<Signature, Rejected> {
    votes::signature(armor, NAMESPACE, bytes).map_err(|error| invalid(error.to_string()))
}

fn invalid(detail: String) -> Rejected {
    let words = Words {
        code: "signature_invalid",
        detail,
        hint: "sign the statement of exactly this action, these parameters and this reason, for this log, as yourself",
    };
    Rejected::new(StatusCode::UNPROCESSABLE_ENTITY, words)
}

/// Every breaking of the glass, newest first: those that are not settled are debts.
#[utoipa::path(get, path = "/admin/break-glass", tag = "break-glass", params(lists::Query), responses((status = 200, body = Page<BreakGlass>)))]
pub(super) async fn list(
    State(app): State<App>,
    _: Viewer,
    Asked(query): Asked<lists::Query>,
) -> Result<Json<Page<BreakGlass>>, Rejected> {
    let (items, next) = lists::page(&app, &LISTED, query).await?;
    let known = app.known().await;
    let shown = |item| match item {
        Item::BreakGlass(it) => Some(show_one(&app, &known, (&it, None))),
        _ => None,
    };
    Ok(Json(Page { items: items.into_iter().filter_map(shown).collect(), next }))
}

/// One breaking of the glass, with its parameters and its reason. Also for who did it and for whoever may review it.
#[utoipa::path(get, path = "/admin/break-glass/{id}", tag = "break-glass", params(("id" = String, Path)), responses((status = 200, body = BreakGlass)))]
pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<BreakGlass>, Rejected> {
    let Some(Item::BreakGlass(it)) = lists::one(&app, Subject::BreakGlass(parse(&id)?)).await? else {
        return Err(caller.misses(&app, ("break_glass", &id)));
    };
    caller.sees(&app, |policy, me| {
        it.person == me || it.review.keys().any(|group| policy.is_member(group, me))
    })?;
    let bound = Bound::of(&app.engine, id).await?;
    let known = app.known().await;
    Ok(Json(show_one(&app, &known, (&it, bound))))
}

/// Say whether it was right to break the glass.
#[utoipa::path(post, path = "/admin/break-glass/{id}/review", tag = "break-glass", params(("id" = String, Path)), request_body = ReviewBreakGlass, responses((status = 200, body = BreakGlass)))]
pub(super) async fn review(
    State(app): State<App>,
    Named(id): Named<String>,
    post: Post<ReviewBreakGlass>,
) -> Result<Json<BreakGlass>, Rejected> {
    let ReviewBreakGlass { verdict, reason: why } = post.body;
    let why = Some(why.as_str()).filter(|reason| !reason.trim().is_empty());
    let given = if why.is_some() { Reason::Given } else { Reason::Missing };
    let verdict = match verdict {
        Verdict::Justified => break_glass::Verdict::Justified,
        Verdict::Unjustified => break_glass::Verdict::Unjustified,
    };
    let review = break_glass::Review { break_glass: parse(&id)?, verdict, reason: given };
    let submission = post.sender.submission(Command::ReviewBreakGlass(review));
    let (committed, known) = app.submit(submission.with_optional_details(reason(why)?)).await?;
    answer(&app, &known, (committed.item, None))
}

fn answer(
    app: &App,
    known: &Known,
    (item, bound): (Option<Item>, Option<Bound>),
) -> Result<Json<BreakGlass>, Rejected> {
    match item {
        Some(Item::BreakGlass(it)) => Ok(Json(show_one(app, known, (&it, bound)))),
        _ => Err(EngineError::Stopped.into()),
    }
}

fn parse(id: &str) -> Result<BreakGlassId, Rejected> {
    id.parse().map_err(Rejected::malformed)
}

fn shown(verdict: break_glass::Verdict) -> Verdict {
    match verdict {
        break_glass::Verdict::Justified => Verdict::Justified,
        break_glass::Verdict::Unjustified => Verdict::Unjustified,
    }
}

fn show_one(app: &App, known: &Known, (it, bound): (&break_glass::BreakGlass, Option<Bound>)) -> BreakGlass {
    let (parameters, reason) = bound.map_or((None, None), |bound| (Some(bound.parameters), bound.reason));
    let opinion = |opinion: &break_glass::Opinion| Opinion {
        person: person(opinion.person, known),
        at: opinion.at.to_string(),
        verdict: shown(opinion.verdict),
    };
    let settled = it.settled.as_ref();
    BreakGlass {
        id: it.id.to_string(),
        status: it.status_at(app.engine.now()).as_str().to_owned(),
        action: show_action(&it.action),
        parameters,
        parameters_sha256: it.parameters_sha256.to_string(),
        reason,
        person: person(it.person, known),
        key_sha256: it.signature.key_sha256.to_string(),
        permit: it.permit.to_string(),
        opened_at: it.opened_at.to_string(),
        review_until: it.review_until.to_string(),
        opinions: it.opinions.iter().map(opinion).collect(),
        missing: missing(&it.missing(&app.engine.state()), known),
        settled_at: settled.map(|(at, _)| at.to_string()),
        verdict: settled.map(|(_, settled)| shown(settled.verdict)),
        timeliness: settled.map(|(_, settled)| settled.timeliness.as_str().to_owned()),
        correlation: it.correlation.to_string(),
    }
}
