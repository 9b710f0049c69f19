//! Why something is refused, in the policy's own words: which rules govern the action, who is missing, who could do it instead. And the
//! same without a refusal: what the policy in force demands of an action and, of all there are, from whom.
//!
//! What is missing of a quorum comes with most refusals itself. Here is what the policy says beside it; nothing is decided here.

use axum::Json;
use axum::extract::State as Shared;
use countersign_api::PersonRef;
use countersign_api::explain::{Explanation, Lifetimes, Standing};
use countersign_core::action::Action;
use countersign_core::approval::Approval;
use countersign_core::id::PersonId;
use countersign_core::policy::explain::{Explained, explain};
use countersign_core::policy::{Missing, Policy, Requirement};
use countersign_core::{Command, Item, Refusal, State, Subject, action_of, approval, permit};
use serde::Deserialize;
use utoipa::IntoParams;

use super::address::Asked;
use super::approvals::{parse_action, show_action};
use super::gate::Caller;
use super::names::{Known, missing, person};
use super::problem::Rejected;
use super::{App, lists};

/// What a command is about, as far as the command itself says.
#[derive(Clone, Debug)]
pub(super) struct Topic {
    subject: Option<Subject>,
    action: Option<Action>,
    asking: Option<PersonId>,
}

impl Topic {
    /// What a command of this person speaks of.
    pub(super) fn of(app: &App, command: &Command, asking: Option<PersonId>) -> Self {
        let subject = match command {
            Command::Approve(approval::Ballot { approval: id, .. })
            | Command::Deny(id)
            | Command::RevokeVote(id)
            | Command::Withdraw(id) => Some(Subject::Approval(*id)),
            Command::StartPermit(id) | Command::ReleasePermit(id) | Command::KeepPermitAlive(id) => {
                Some(Subject::Permit(*id))
            }
            Command::FinishPermit(permit::Finish { permit, .. })
            | Command::ReconcilePermit(permit::Reconcile { permit, .. }) => Some(Subject::Permit(*permit)),
            _ => None,
        };
        let action = subject.is_none().then(|| action_of(&app.engine.state(), command)).flatten();
        Self { subject, action, asking }
    }
}

/// A refusal with its reasons. What it is about may have ended, and is then looked up in its record.
pub(super) async fn refused(app: &App, known: &Known, (refusal, topic): (&Refusal, Topic)) -> Rejected {
    let item = match topic.subject {
        // Without what it was about, a refusal has fewer reasons, and is still a refusal.
        Some(subject) => lists::one(app, subject).await.ok().flatten(),
        None => None,
    };
    let action = match &item {
        Some(Item::Approval(approval)) => Some(&approval.action),
        Some(Item::Permit(permit)) => Some(&permit.action),
        _ => topic.action.as_ref(),
    };
    let state = &app.engine.state();
    let rejected = Rejected::refused(refusal, known);
    let Some(policy) = state.policy().map(|in_force| &in_force.policy) else { return rejected };
    let requirement = action.and_then(|action| policy.requirement(action));
    let rules = requirement.iter().flat_map(|it| &it.rules).map(ToString::to_string).collect();
    let could = match (refusal, &item, &requirement) {
        (Refusal::Permit(permit::Refusal::NotTheExecutor), Some(Item::Permit(permit)), _) => {
            vec![permit.executor]
        }
        (Refusal::Approval(approval::Refusal::NotTheRequester), Some(Item::Approval(approval)), _) => {
            vec![approval.requester]
        }
        (_, _, Some(requirement)) => able(state, (policy, requirement), refusal),
        _ => Vec::new(),
    };
    let could =
        could.into_iter().filter(|it| Some(*it) != topic.asking).map(|it| person(it, known)).collect();
    let lacking = match (&item, &requirement) {
        (Some(Item::Approval(approval)), Some(requirement)) => {
            lacking(state, (approval, requirement), refusal)
        }
        _ => Vec::new(),
    };
    let rejected = rejected.with_reasons((rules, could));
    if lacking.is_empty() { rejected } else { rejected.with_missing(missing(&lacking, known)) }
}

/// Everybody who can act and whom the rules let do what was refused because of who asked.
fn able(state: &State, (policy, requirement): (&Policy, &Requirement), refusal: &Refusal) -> Vec<PersonId> {
    let may = |person: PersonId| match refusal {
        Refusal::Approval(approval::Refusal::NotARequester) => requirement.may_request(policy, person),
        Refusal::Permit(permit::Refusal::NotAnExecutor) => requirement.may_execute(policy, person),
        Refusal::Permit(permit::Refusal::NotAReconciler | permit::Refusal::SelfReconciliation) => {
            requirement.may_execute(policy, person) || requirement.may_approve(policy, person)
        }
        _ => false,
    };
    let claimed = state.people().filter(|(_, person)| person.is_active());
    claimed.map(|(id, _)| *id).filter(|id| may(*id)).collect()
}

/// Whose agreement is missing, where somebody was refused theirs because it is not that.
fn lacking(
    state: &State,
    (approval, requirement): (&Approval, &Requirement),
    refusal: &Refusal,
) -> Vec<Missing> {
    use approval::Refusal::{AlreadyVoted, NotAnApprover, SelfApproval};
    let wanted = matches!(refusal, Refusal::Approval(SelfApproval | NotAnApprover | AlreadyVoted));
    match state.policy().filter(|_| wanted && approval.ended.is_none()) {
        Some(in_force) => approval.missing(state, in_force, requirement),
        None => Vec::new(),
    }
}

/// An action, and for whom it is explained.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// What is to be done.
    pub verb: String,
    /// To what: `type/name`.
    pub resource: String,
    /// Where.
    pub environment: String,
    /// For whom: `per_…`; oneself, unless told otherwise. Only readers may ask about others.
    pub person: Option<String>,
}

/// What the policy in force demands of an action, who could supply it, and what a person could do.
#[utoipa::path(get, path = "/admin/explain", tag = "policy", params(Query), responses((status = 200, body = Explanation)))]
pub(super) async fn action(
    Shared(app): Shared<App>,
    caller: Caller,
    Asked(query): Asked<Query>,
) -> Result<Json<Explanation>, Rejected> {
    let Query { verb, resource, environment, person: whom } = query;
    let asked = parse_action(&countersign_api::Action { verb, resource, environment })?;
    let whom: Option<PersonId> = whom.as_deref().map(str::parse).transpose().map_err(Rejected::malformed)?;
    let whom = whom.unwrap_or(caller.in_person()?);
    let concerned = |policy: &Policy, me| {
        let acts = |it: Requirement| {
            it.may_request(policy, me) || it.may_approve(policy, me) || it.may_execute(policy, me)
        };
        whom == me && policy.requirement(&asked).is_some_and(acts)
    };
    caller.sees(&app, concerned)?;
    let state = app.engine.state();
    let Some(in_force) = state.policy() else { return Err(Rejected::not_found("policy", "main")) };
    let claimed = state.people().filter(|(_, person)| person.is_active()).map(|(id, _)| *id).collect();
    let known = app.known().await;
    Ok(Json(answer(&asked, &known, explain(&in_force.policy, (&asked, &claimed), whom))))
}

fn answer(action: &Action, known: &Known, explained: Explained) -> Explanation {
    let people = |ids: &[PersonId]| ids.iter().map(|id| person(*id, known)).collect::<Vec<PersonRef>>();
    let demanded = explained.requirement.as_ref();
    let standing = explained.standing;
    let refusal = |refusal: Option<(&'static str, String)>| {
        refusal.map(|(code, detail)| countersign_api::explain::Obstacle { code: code.to_owned(), detail })
    };
    Explanation {
        action: show_action(action),
        rules: demanded.iter().flat_map(|it| &it.rules).map(ToString::to_string).collect(),
        approval: demanded.map(|it| it.approval.to_string()),
        requirement_sha256: demanded.map(|it| it.digest().to_string()),
        requesters: people(&explained.requesters),
        quorum: missing(&explained.quorum, known),
        executors: people(&explained.executors),
        fresh_seconds: demanded.and_then(|it| it.fresh_seconds).map(std::num::NonZero::get),
        lifetimes: demanded.map(|it| Lifetimes {
            pending_seconds: it.pending_seconds.get(),
            approved_seconds: it.approved_seconds.get(),
            start_seconds: it.start_seconds.get(),
            work_seconds: it.work_seconds.get(),
        }),
        standing: Standing {
            person: person(standing.person, known),
            request: refusal(standing.request.map(|it| (it.code(), it.to_string()))),
            approve: refusal(standing.approve.map(|it| (it.code(), it.to_string()))),
            execute: refusal(standing.execute.map(|it| (it.code(), it.to_string()))),
        },
    }
}
