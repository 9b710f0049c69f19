//! Requests for approval and the votes on them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use countersign_api::approval::{Approval, Approve, Escalation, RequestApproval, Stuck, Vote, VoteSignature};
use countersign_api::{Page, Reason};
use countersign_core::approval::{self, End, Outlook};
use countersign_core::id::{ApprovalId, PersonId};
use countersign_core::policy::{Policy, Requirement};
use countersign_core::signature::Proof;
use countersign_core::time::Time;
use countersign_core::{Command, Item, Subject};
use countersign_evidence::votes;
use countersign_ledger::hash::Hash;
use countersign_ledger::sshsig::{SshSignature, fingerprint};

use super::address::{Asked, Named};
use super::gate::{Caller, Post};
use super::names::{Known, missing, person};
use super::parameters::{Bound, reason};
use super::problem::Rejected;
use super::statements::{self, Given};
use super::{App, inbox, lists, passkeys};
use crate::engine::EngineError;

/// Ask for approval of one action with one set of parameters.
#[utoipa::path(post, path = "/admin/approvals", tag = "approvals", request_body = RequestApproval, responses((status = 201, body = Approval)))]
pub(super) async fn request(
    State(app): State<App>,
    post: Post<RequestApproval>,
) -> Result<(StatusCode, Json<Approval>), Rejected> {
    let RequestApproval { action, parameters, reason } = post.body;
    let action = parse_action(&action)?;
    let bound = Bound::fresh(parameters, reason)?;
    let command = Command::RequestApproval(approval::Request { action, parameters_sha256: bound.digest()? });
    let submission = post.sender.submission(command).with_details(bound.details()?);
    let (committed, known) = app.submit(submission).await?;
    let Some(Item::Approval(approval)) = committed.item else { return Err(EngineError::Stopped.into()) };
    // A repetition drew a salt of its own, but what counts is what the first request bound.
    let bound =
        if committed.replayed { Bound::of(&app.engine, approval.id.to_string()).await? } else { Some(bound) };
    Ok((StatusCode::CREATED, Json(show_approval(&app, &known, (&approval, bound)))))
}

/// Requests, newest first: all of them for readers; for everybody else those they made (`mine`) or that wait for their vote (`for_me`).
#[utoipa::path(get, path = "/admin/approvals", tag = "approvals", params(inbox::Query), responses((status = 200, body = Page<Approval>)))]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Asked(query): Asked<inbox::Query>,
) -> Result<Json<Page<Approval>>, Rejected> {
    let (items, next) = inbox::page(&app, &caller, query).await?;
    let known = app.known().await;
    let shown = |item| match item {
        Item::Approval(approval) => Some(show_approval(&app, &known, (&approval, None))),
        _ => None,
    };
    Ok(Json(Page { items: items.into_iter().filter_map(shown).collect(), next }))
}

/// One request, with its parameters. Also for its requester and for whoever may vote on it or execute it.
#[utoipa::path(get, path = "/admin/approvals/{id}", tag = "approvals", params(("id" = String, Path)), responses((status = 200, body = Approval)))]
pub(super) async fn show(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<Approval>, Rejected> {
    let subject = Subject::Approval(parse(&id)?);
    let Some(Item::Approval(approval)) = lists::one(&app, subject).await? else {
        return Err(caller.misses(&app, ("approval", &id)));
    };
    sees(&app, &caller, &approval)?;
    let bound = Bound::of(&app.engine, id).await?;
    let known = app.known().await;
    Ok(Json(show_approval(&app, &known, (&approval, bound))))
}

/// Agree, in one's own place or in that of somebody who delegated it. Some rules want to know why.
#[utoipa::path(post, path = "/admin/approvals/{id}/approve", tag = "approvals", params(("id" = String, Path)), request_body = Approve, responses((status = 200, body = Approval)))]
pub(super) async fn approve(
    State(app): State<App>,
    Named(id): Named<String>,
    post: Post<Approve>,
) -> Result<Json<Approval>, Rejected> {
    let Post { sender, body: Approve { on_behalf, reason, signature, passkey } } = post;
    let approval = parse(&id)?;
    let on_behalf = on_behalf.map(|person| person.parse().map_err(Rejected::malformed)).transpose()?;
    let given = match (signature, passkey) {
        (None, None) => Given::Nothing,
        (Some(armor), None) => Given::Armor(armor),
        (None, Some(sent)) => Given::Passkey(sender.caller(), sent),
        (Some(_), Some(_)) => {
            return Err(Rejected::malformed(
                "sign with an SSH key (`signature`) or with a passkey (`passkey`)",
            ));
        }
    };
    let signature = statements::signed(&app.engine, approval, given).await?;
    let commented = said(reason.as_deref()).is_some();
    let ballot = approval::Ballot { commented, on_behalf, signature, ..approval.into() };
    decide(&app, Command::Approve(ballot), Post { sender, body: Reason { reason } }).await
}

/// Take one's own vote back, until the request has ended.
#[utoipa::path(post, path = "/admin/approvals/{id}/revoke", tag = "approvals", params(("id" = String, Path)), request_body = Reason, responses((status = 200, body = Approval)))]
pub(super) async fn revoke(
    State(app): State<App>,
    Named(id): Named<String>,
    post: Post<Reason>,
) -> Result<Json<Approval>, Rejected> {
    decide(&app, Command::RevokeVote(parse(&id)?), post).await
}

/// Disagree, and say why. Whether that ends the request, the rules say.
#[utoipa::path(post, path = "/admin/approvals/{id}/deny", tag = "approvals", params(("id" = String, Path)), request_body = Reason, responses((status = 200, body = Approval)))]
pub(super) async fn deny(
    State(app): State<App>,
    Named(id): Named<String>,
    post: Post<Reason>,
) -> Result<Json<Approval>, Rejected> {
    said(post.body.reason.as_deref())
        .ok_or_else(|| Rejected::malformed("say under `reason` why you disagree"))?;
    decide(&app, Command::Deny(parse(&id)?), post).await
}

/// Take one's own request back.
#[utoipa::path(post, path = "/admin/approvals/{id}/withdraw", tag = "approvals", params(("id" = String, Path)), request_body = Reason, responses((status = 200, body = Approval)))]
pub(super) async fn withdraw(
    State(app): State<App>,
    Named(id): Named<String>,
    post: Post<Reason>,
) -> Result<Json<Approval>, Rejected> {
    decide(&app, Command::Withdraw(parse(&id)?), post).await
}

/// A reason that says something.
fn said(reason: Option<&str>) -> Option<&str> {
    reason.filter(|reason| !reason.trim().is_empty())
}

async fn decide(app: &App, command: Command, post: Post<Reason>) -> Result<Json<Approval>, Rejected> {
    let details = reason(post.body.reason.as_deref())?;
    let submission = post.sender.submission(command).with_optional_details(details);
    let (committed, known) = app.submit(submission).await?;
    match committed.item {
        Some(Item::Approval(approval)) => Ok(Json(show_approval(app, &known, (&approval, None)))),
        _ => Err(EngineError::Stopped.into()),
    }
}

/// Nobody should have to agree to, or to execute, what they may not read.
fn concerns(policy: &Policy, approval: &approval::Approval, person: PersonId) -> bool {
    let requirement = policy.requirement(&approval.action);
    let acts = |requirement: Requirement| {
        requirement.may_approve(policy, person) || requirement.may_execute(policy, person)
    };
    approval.requester == person || requirement.is_some_and(acts)
}

/// Lets readers pass, and those whom the request concerns.
pub(super) fn sees(app: &App, caller: &Caller, approval: &approval::Approval) -> Result<(), Rejected> {
    let (state, now) = (app.engine.state(), app.engine.now());
    caller.sees_of(app, &approval.action, |policy, me| {
        concerns(policy, approval, me) || stands_in(&state, approval, (me, now))
    })
}

/// Whoever may agree in somebody's place may see to what.
fn stands_in(
    state: &countersign_core::State,
    approval: &approval::Approval,
    (me, now): (PersonId, Time),
) -> bool {
    let Some(in_force) = state.policy() else { return false };
    let Some(requirement) = in_force.policy.requirement(&approval.action) else { return false };
    let mut away = state.people().map(|(id, _)| *id).filter(|person| state.is_delegate(me, (*person, now)));
    away.any(|person| requirement.may_approve(&in_force.policy, person))
}

pub(super) fn parse(id: &str) -> Result<ApprovalId, Rejected> {
    id.parse().map_err(Rejected::malformed)
}

/// The action in its one spelling.
pub(super) fn parse_action(
    given: &countersign_api::Action,
) -> Result<countersign_core::action::Action, Rejected> {
    Ok(countersign_core::action::Action {
        verb: given.verb.parse().map_err(Rejected::malformed)?,
        resource: given.resource.parse().map_err(Rejected::malformed)?,
        environment: given.environment.parse().map_err(Rejected::malformed)?,
    })
}

pub(super) fn show_action(action: &countersign_core::action::Action) -> countersign_api::Action {
    countersign_api::Action {
        verb: action.verb.to_string(),
        resource: action.resource.to_string(),
        environment: action.environment.to_string(),
    }
}

fn show_vote(vote: &approval::Vote, known: &Known) -> Vote {
    let signed = vote.signature.as_ref().map(|signature| {
        let (ssh, passkey) = match &signature.proof {
            Proof::Sshsig(blob) => (SshSignature::from_base64(blob).ok(), None),
            Proof::Webauthn(signed) => (None, passkeys::show(signed)),
        };
        VoteSignature {
            fingerprint: fingerprint(&Hash(signature.key_sha256.0)),
            allowed_signer: ssh.as_ref().map(|read| votes::allowed_signer(&vote.person.to_string(), read)),
            armor: ssh.as_ref().map(SshSignature::to_armor),
            passkey,
            statement_sha512: signature.statement_sha512.to_string(),
        }
    });
    let on_behalf = vote.on_behalf.map(|id| person(id, known));
    Vote { person: person(vote.person, known), at: vote.at.to_string(), on_behalf, signature: signed }
}

pub(super) fn show_approval(
    app: &App,
    known: &Known,
    (approval, bound): (&approval::Approval, Option<Bound>),
) -> Approval {
    let (state, now) = (app.engine.state(), app.engine.now());
    let outlook = approval.outlook(&state, now);
    let demanded = state.policy().filter(|_| approval.ended.is_none());
    let demanded = demanded.and_then(|in_force| in_force.policy.requirement(&approval.action));
    let fresh = demanded.as_ref().and_then(|requirement| requirement.fresh_seconds);
    let signing = demanded.map(|requirement| requirement.signature);
    let (parameters, reason) = bound.map_or((None, None), |bound| (Some(bound.parameters), bound.reason));
    Approval {
        id: approval.id.to_string(),
        status: approval.status_at(now).as_str().to_owned(),
        action: show_action(&approval.action),
        parameters,
        parameters_sha256: approval.parameters_sha256.to_string(),
        reason,
        requester: person(approval.requester, known),
        rules: approval.rules.iter().map(ToString::to_string).collect(),
        requested_at: approval.requested_at.to_string(),
        expires_at: approval.deadline().map(|deadline| deadline.to_string()),
        fresh_seconds: fresh.map(std::num::NonZero::get),
        signature: signing.filter(|signing| !signing.is_not_required()).map(|signing| signing.to_string()),
        votes: approval.votes.iter().map(|vote| show_vote(vote, known)).collect(),
        objections: approval.objections.iter().map(|id| person(*id, known)).collect(),
        missing: missing(&outlook.missing, known),
        stuck: stuck(&outlook, known),
        escalation: approval.escalation.as_ref().map(|escalation| Escalation {
            at: escalation.at.to_string(),
            to: escalation.to.iter().map(ToString::to_string).collect(),
            told_at: approval.escalated_at.map(|at| at.to_string()),
        }),
        permit: match approval.ended {
            Some((End::Consumed { permit: Some(permit) }, _)) => Some(permit.to_string()),
            _ => None,
        },
        correlation: approval.correlation.to_string(),
    }
}

fn stuck(outlook: &Outlook, known: &Known) -> Option<Stuck> {
    let code = match outlook {
        Outlook { policy_changed: true, .. } => "policy_changed",
        outlook if outlook.is_stuck() => "unsatisfiable",
        _ => return None,
    };
    Some(Stuck { code: code.to_owned(), missing: missing(&outlook.unfillable, known) })
}
