//! Permits: single-use leave to execute one action now. Reserve, start, then succeeded, failed or, in silence, unknown.
//!
//! Everything is checked again at reservation, and consuming the approval is the same step. A reserved permit that is never started
//! lapses; a started one that is never reported becomes unknown and opens an incident, and no late report flips it.

use alloc::vec::Vec;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::approval::{self, Approval, Status as ApprovalStatus};
use crate::context::Context;
use crate::digest::Digest;
use crate::domain::{self, Event, Fact};
use crate::freeze::{self, Verdict};
use crate::id::{ApprovalId, BreakGlassId, CorrelationId, PermitId, PersonId, RotationId, TokenId};
use crate::incident::{self, Cause, Setting};
use crate::person::Person;
use crate::policy::{Consent, Requirement};
use crate::sabotage::{self, Sabotage};
use crate::state::{State, Subject};
use crate::time::Time;

mod at_once;
mod heartbeat;
mod reconcile;
mod refusal;
#[cfg(test)]
mod tests;

pub(crate) use at_once::AtOnce;
pub use heartbeat::Heartbeat;
pub(crate) use heartbeat::beat;
pub(crate) use reconcile::reconcile;
pub use reconcile::{Reconcile, Reconciled, Reconciliation};
pub use refusal::Refusal;

/// Reserves a permit.
#[derive(Clone, Debug)]
pub struct Reserve {
    /// What is to be done.
    pub action: Action,
    /// SHA-256 of the canonical parameters under the approval's salt, or under a fresh one where there is no approval.
    pub parameters_sha256: Digest,
    /// The approval to consume.
    pub approval: Option<ApprovalId>,
    /// Exceptions from the freezes that hold the action, to be used up with it.
    pub exceptions: Vec<freeze::Exception>,
}

/// Says how the work ended.
#[derive(Clone, Copy, Debug)]
pub struct Finish {
    /// The permit.
    pub permit: PermitId,
    /// How.
    pub outcome: Outcome,
}

/// How the work ended, as its executor says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was done.
    Succeeded,
    /// It was not done, or was undone.
    Failed,
}

/// `permit.reserved`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserved {
    /// What may be done.
    pub action: Action,
    /// Salted SHA-256 of the canonical parameters.
    pub parameters_sha256: Digest,
    /// Identifies what the rules demanded.
    pub requirement_sha256: Digest,
    /// The approval it consumed.
    pub approval: Option<ApprovalId>,
    /// The breaking of the glass that it came with, instead of an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BreakGlassId>,
    /// Until when it may be started.
    pub start_by: Time,
    /// How long the work may take once started, seconds.
    pub work_seconds: u32,
    /// How often its executor must say that the work goes on, seconds; not at all unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_seconds: Option<NonZeroU32>,
    /// What the freezes about the action said, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freezes: Option<Verdict>,
    /// Whose token reserved it, where a token did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<PersonId>,
}

/// `permit.started`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Until when the outcome must be reported.
    pub finish_by: Time,
    /// The rotation it was started for.
    pub rotation: Option<RotationId>,
    /// Until when its executor must say that the work goes on, where the rules ask for that. A rotation reports its tasks instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_by: Option<Time>,
    /// What the freezes about the action said, if there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freezes: Option<Verdict>,
}

/// `permit.released`, `permit.lapsed`, `permit.succeeded`, `permit.failed`, `permit.unknown`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {}

/// `permit.reported_late`: evidence for reconciliation; the permit stays unknown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedLate {
    /// What the executor says.
    pub outcome: Outcome,
}

/// The state of a permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// May be started.
    Reserved,
    /// The work is under way.
    Started,
    /// Given back before it was started.
    Released,
    /// Not started in time.
    Lapsed,
    /// The work was done.
    Succeeded,
    /// The work was not done, or was undone.
    Failed,
    /// Nobody said in time how the work ended.
    Unknown,
}

impl Status {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Started => "started",
            Self::Released => "released",
            Self::Lapsed => "lapsed",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// A permit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permit {
    /// The id.
    pub id: PermitId,
    /// Who holds it, by themselves or by a token of theirs whose scopes mean the action.
    pub executor: PersonId,
    /// The token that reserved it, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenId>,
    /// What may be done.
    pub action: Action,
    /// Salted SHA-256 of the canonical parameters.
    pub parameters_sha256: Digest,
    /// The approval it consumed.
    pub approval: Option<ApprovalId>,
    /// The breaking of the glass that it came with, instead of an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BreakGlassId>,
    /// What it belongs to.
    pub correlation: CorrelationId,
    /// When it was reserved.
    pub reserved_at: Time,
    /// Until when it may be started.
    pub start_by: Time,
    /// How long the work may take once started, seconds.
    pub work_seconds: u32,
    /// When it was started, and until when the outcome must be reported.
    pub started: Option<(Time, Time)>,
    /// The rotation it was started for.
    pub rotation: Option<RotationId>,
    /// The state as stored.
    pub status: Status,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// What its executor said too late.
    pub late: Option<Outcome>,
    /// How often its executor must say that the work goes on, seconds; not at all unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_seconds: Option<NonZeroU32>,
    /// Until when its executor must say so again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_by: Option<Time>,
    /// What somebody else found out, once it was unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconciled: Option<Reconciliation>,
    /// What the freezes about the action said when it was reserved, if there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freezes: Option<Verdict>,
}

impl Permit {
    /// The state as stored: deadlines are not looked at.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// The state at `now`: silence past a deadline has its own words.
    #[must_use]
    pub fn status_at(&self, now: Time) -> Status {
        match (self.status, self.deadline()) {
            (Status::Reserved, Some(deadline)) if now >= deadline => Status::Lapsed,
            (Status::Started, Some(deadline)) if now >= deadline => Status::Unknown,
            (status, _) => status,
        }
    }

    /// When silence will change its state.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        match self.status {
            Status::Reserved => Some(self.start_by),
            Status::Started => {
                self.started.map(|(_, finish_by)| self.next_by.unwrap_or(finish_by).min(finish_by))
            }
            _ => None,
        }
    }

    pub(crate) fn is_finished(&self) -> bool {
        !matches!(self.status, Status::Reserved | Status::Started)
    }

    pub(crate) fn event(&self, cx: &Context, fact: Fact) -> Event {
        Event::new(cx, self.correlation, Some(&self.action.environment), fact)
    }

    /// What was used up with it: its approval, and its exceptions in the order of their freezes.
    pub(crate) fn used_up(&self) -> Vec<ApprovalId> {
        let excepted = self.freezes.iter().flat_map(|verdict| verdict.excepted.values());
        self.approval.iter().chain(excepted).copied().collect()
    }

    fn held_by(&self, state: &State, cx: &Context) -> Result<(), Refusal> {
        if state.principal(cx.actor) == Some(self.executor) { Ok(()) } else { Err(Refusal::NotTheExecutor) }
    }
}

/// What is demanded of a policy and an approval at the moment of use.
pub(crate) struct Demand<'a> {
    pub action: &'a Action,
    pub parameters_sha256: Digest,
    pub approval: Option<ApprovalId>,
    pub exceptions: &'a [freeze::Exception],
}

/// A demand that was met.
pub(crate) struct Checked {
    pub requirement: Requirement,
    pub correlation: CorrelationId,
    pub freezes: Option<Verdict>,
}

/// Checks everything again: executor, rules, the approval with its binding, state, deadline and quorum as of now, and freezes.
pub(crate) fn check(state: &State, cx: &Context, demand: &Demand<'_>) -> Result<Checked, Refusal> {
    let (requirement, correlation) = agreed(state, cx, demand)?;
    let freezes = freeze::pass(state, cx, demand)?;
    Ok(Checked { requirement, correlation, freezes })
}

/// What rules and people say to a demand: what is demanded, and the correlation it belongs to.
pub(crate) fn agreed(
    state: &State,
    cx: &Context,
    demand: &Demand<'_>,
) -> Result<(Requirement, CorrelationId), Refusal> {
    let executor = state.principal(cx.actor).ok_or(Refusal::NotAPerson)?;
    let in_force = state.policy().ok_or(Refusal::NoRule)?;
    let requirement = in_force.policy.requirement(demand.action).ok_or(Refusal::NoRule)?;
    let active = state.person(executor).is_some_and(Person::is_active);
    if !(active && requirement.may_execute(&in_force.policy, executor)) {
        return Err(Refusal::NotAnExecutor);
    }
    let correlation = match (demand.approval, requirement.approval) {
        (Some(id), _) => {
            let approval = state.approval(id).ok_or(Refusal::ApprovalNotFound)?;
            check_approval(state, cx, &Use { approval, demand, requirement: &requirement })?;
            approval.correlation
        }
        (None, Consent::Required) => {
            return Err(Refusal::ApprovalRequired(approval::wanted(state, &requirement, executor)));
        }
        (None, Consent::NotRequired) => cx.correlation,
    };
    Ok((requirement, correlation))
}

/// An approval about to be used.
struct Use<'a> {
    approval: &'a Approval,
    demand: &'a Demand<'a>,
    requirement: &'a Requirement,
}

fn check_approval(state: &State, cx: &Context, used: &Use<'_>) -> Result<(), Refusal> {
    let Use { approval, demand, requirement } = used;
    if &approval.action != demand.action {
        return Err(Refusal::ActionMismatch);
    }
    if approval.parameters_sha256 != demand.parameters_sha256 {
        return Err(Refusal::ParametersMismatch);
    }
    match approval.status_at(cx.now) {
        ApprovalStatus::Consumed if sabotage::is_active(Sabotage::DoubleConsume) => return Ok(()),
        ApprovalStatus::Consumed => return Err(Refusal::ApprovalConsumed),
        ApprovalStatus::Denied => return Err(Refusal::ApprovalDenied),
        ApprovalStatus::Withdrawn => return Err(Refusal::ApprovalWithdrawn),
        ApprovalStatus::Expired if sabotage::is_active(Sabotage::ExpiredApproval) => {}
        ApprovalStatus::Expired => return Err(Refusal::ApprovalExpired),
        ApprovalStatus::Pending | ApprovalStatus::Approved => {}
    }
    if !approval.has_requester(state) {
        return Err(Refusal::RequesterGone);
    }
    let asked_under_these = requirement.digest() == approval.requirement_sha256;
    if !asked_under_these && !sabotage::is_active(Sabotage::ForgottenPolicy) {
        return Err(Refusal::PolicyChanged);
    }
    let policy = state.policy().ok_or(Refusal::NoRule)?;
    let missing = approval.missing(state, policy, requirement);
    if missing.is_empty() || sabotage::is_active(Sabotage::ShortQuorum) {
        Ok(())
    } else {
        Err(Refusal::ApprovalPending(missing))
    }
}

pub(crate) fn reserve(state: &State, cx: &Context, command: &Reserve) -> Result<Vec<Event>, domain::Refusal> {
    let Reserve { action, parameters_sha256, approval, exceptions } = command;
    let demand = Demand { action, parameters_sha256: *parameters_sha256, approval: *approval, exceptions };
    let Checked { requirement, correlation, freezes } = check(state, cx, &demand)?;
    if freeze::is_exception(action) {
        return Err(Refusal::UseException.into());
    }
    let id = PermitId(cx.first());
    let event = |fact| Event::new(cx, correlation, Some(&action.environment), fact);
    let mut events = freeze::used_up(state, cx, (freezes.as_ref(), id));
    if let Some(approval) = approval {
        events.push(event(Fact::ApprovalConsumed(*approval, approval::Consumed { permit: Some(id) })));
    }
    let reserved = Reserved {
        action: action.clone(),
        parameters_sha256: *parameters_sha256,
        requirement_sha256: requirement.digest(),
        approval: *approval,
        break_glass: None,
        start_by: cx.now.plus_seconds(requirement.start_seconds.get()),
        work_seconds: requirement.work_seconds.get(),
        heartbeat_seconds: requirement.heartbeat_seconds,
        freezes,
        owner: cx.actor.token().and_then(|_| state.principal(cx.actor)),
    };
    events.push(event(Fact::PermitReserved(id, reserved)));
    Ok(events)
}

/// The checks for starting, whether by hand or by a rotation.
pub(crate) fn startable<'a>(state: &'a State, cx: &Context, id: PermitId) -> Result<&'a Permit, Refusal> {
    let permit = state.permit(id).ok_or(Refusal::NotFound)?;
    permit.held_by(state, cx)?;
    match permit.status_at(cx.now) {
        Status::Reserved => Ok(permit),
        Status::Started => Err(Refusal::AlreadyStarted),
        ended => Err(Refusal::of_ended(ended)),
    }
}

/// `permit.started` as of now.
pub(crate) fn started(
    permit: &Permit,
    cx: &Context,
    (rotation, freezes): (Option<RotationId>, Option<Verdict>),
) -> Event {
    let finish_by = cx.now.plus_seconds(permit.work_seconds);
    let beats = permit.heartbeat_seconds.filter(|_| rotation.is_none());
    let next_by = beats.map(|seconds| cx.now.plus_seconds(seconds.get()));
    permit.event(cx, Fact::PermitStarted(permit.id, Started { finish_by, rotation, next_by, freezes }))
}

/// Whether the action is the rotation of a governed secret, which has its own executor.
fn is_rotation(state: &State, action: &Action) -> bool {
    let governed = |policy: &crate::log::PolicyInForce| {
        policy.policy.secret(&action.resource, &action.environment).is_some()
    };
    action.verb.as_str() == "rotate" && state.policy().is_some_and(governed)
}

pub(crate) fn start(state: &State, cx: &Context, id: PermitId) -> Result<Vec<Event>, Refusal> {
    let permit = startable(state, cx, id)?;
    if is_rotation(state, &permit.action) {
        return Err(Refusal::UseRotation);
    }
    let freezes = freeze::start(state, cx, permit)?;
    Ok(Vec::from([started(permit, cx, (None, freezes))]))
}

pub(crate) fn release(state: &State, cx: &Context, id: PermitId) -> Result<Vec<Event>, Refusal> {
    let permit = startable(state, cx, id)?;
    let mut events = Vec::from([permit.event(cx, Fact::PermitReleased(id, Ended {}))]);
    if let Some(approval) = permit.approval {
        events.push(permit.event(cx, Fact::ApprovalRestored(approval, approval::Restored { permit: id })));
    }
    events.extend(freeze::given_back(state, cx, permit));
    Ok(events)
}

pub(crate) fn finish(state: &State, cx: &Context, command: &Finish) -> Result<Vec<Event>, Refusal> {
    let permit = state.permit(command.permit).ok_or(Refusal::NotFound)?;
    permit.held_by(state, cx)?;
    if permit.rotation.is_some() {
        return Err(Refusal::UseRotation);
    }
    conclude(permit, cx, command.outcome)
}

/// Writes down an outcome, or, past the deadline, that it came late.
pub(crate) fn conclude(permit: &Permit, cx: &Context, outcome: Outcome) -> Result<Vec<Event>, Refusal> {
    let id = permit.id;
    match permit.status_at(cx.now) {
        Status::Started => Ok(Vec::from([permit.event(
            cx,
            match outcome {
                Outcome::Succeeded => Fact::PermitSucceeded(id, Ended {}),
                Outcome::Failed => Fact::PermitFailed(id, Ended {}),
            },
        )])),
        Status::Unknown => {
            let mut events = overdue(permit, cx);
            events.push(permit.event(cx, Fact::PermitReportedLate(id, ReportedLate { outcome })));
            Ok(events)
        }
        Status::Reserved => Err(Refusal::NotStarted),
        ended => Err(Refusal::of_ended(ended)),
    }
}

/// What silence past the deadline means, unless it is written down already.
fn overdue(permit: &Permit, cx: &Context) -> Vec<Event> {
    match (permit.status, permit.status_at(cx.now)) {
        (Status::Reserved, Status::Lapsed) => {
            Vec::from([permit.event(cx, Fact::PermitLapsed(permit.id, Ended {}))])
        }
        (Status::Started, Status::Unknown) if sabotage::is_active(Sabotage::UnknownSucceeds) => {
            Vec::from([permit.event(cx, Fact::PermitSucceeded(permit.id, Ended {}))])
        }
        (Status::Started, Status::Unknown) => {
            let setting =
                Setting { correlation: permit.correlation, environment: Some(&permit.action.environment) };
            Vec::from([
                permit.event(cx, Fact::PermitUnknown(permit.id, Ended {})),
                incident::open(cx, &setting, Cause::PermitUnknown, Subject::Permit(permit.id)),
            ])
        }
        _ => Vec::new(),
    }
}

pub(crate) fn elapse(state: &State, cx: &Context, id: PermitId) -> Vec<Event> {
    state.permit(id).map(|permit| overdue(permit, cx)).unwrap_or_default()
}

pub(crate) fn apply(state: &mut State, event: &Event) {
    match &event.fact {
        Fact::PermitReserved(id, reserved) => reserved_by(state, event, (*id, reserved)),
        Fact::PermitStarted(id, Started { finish_by, rotation, next_by, .. }) => {
            state.change::<Permit>(id, |permit| {
                permit.status = Status::Started;
                permit.started = Some((event.at, *finish_by));
                permit.rotation = *rotation;
                permit.next_by = *next_by;
            });
            settle(state, *id);
        }
        Fact::PermitReleased(id, _) => end(state, event, (*id, Status::Released)),
        Fact::PermitLapsed(id, _) => end(state, event, (*id, Status::Lapsed)),
        Fact::PermitSucceeded(id, _) => end(state, event, (*id, Status::Succeeded)),
        Fact::PermitFailed(id, _) => end(state, event, (*id, Status::Failed)),
        Fact::PermitUnknown(id, _) => end(state, event, (*id, Status::Unknown)),
        Fact::PermitReportedLate(id, ReportedLate { outcome }) => {
            state.change::<Permit>(id, |permit| permit.late = Some(*outcome));
        }
        Fact::PermitHeartbeat(id, Heartbeat { next_by }) => {
            state.change::<Permit>(id, |permit| permit.next_by = Some(*next_by));
        }
        Fact::PermitReconciled(id, Reconciled { outcome }) => {
            let Some(by) = event.actor.person() else { return };
            let reconciliation = Reconciliation { outcome: *outcome, by, at: event.at };
            state.change::<Permit>(id, |permit| permit.reconciled = Some(reconciliation));
        }
        _ => {}
    }
}

fn reserved_by(state: &mut State, event: &Event, (id, reserved): (PermitId, &Reserved)) {
    let Some(executor) = event.actor.person().or(reserved.owner) else { return };
    let permit = Permit {
        id,
        executor,
        token: event.actor.token(),
        action: reserved.action.clone(),
        parameters_sha256: reserved.parameters_sha256,
        approval: reserved.approval,
        break_glass: reserved.break_glass,
        correlation: event.correlation,
        reserved_at: event.at,
        start_by: reserved.start_by,
        work_seconds: reserved.work_seconds,
        started: None,
        rotation: None,
        status: Status::Reserved,
        ended_at: None,
        late: None,
        heartbeat_seconds: reserved.heartbeat_seconds,
        next_by: None,
        reconciled: None,
        freezes: reserved.freezes.clone(),
    };
    state.put(id, permit);
}

fn end(state: &mut State, event: &Event, (id, status): (PermitId, Status)) {
    state.change::<Permit>(&id, |permit| {
        permit.status = status;
        permit.ended_at = Some(event.at);
    });
    if status != Status::Released {
        settle(state, id);
    }
}

/// From here on the permit cannot give back what was used up with it, so that can be retired.
fn settle(state: &mut State, id: PermitId) {
    for approval in state.permit(id).map(Permit::used_up).unwrap_or_default() {
        state.change::<Approval>(&approval, |approval| approval.settled = true);
    }
}
