//! What may happen to the glass: who breaks it, who reviews that, and what silence means.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::{
    BreakGlass, Open, Opened, Opinion, Overdue, Reason, Refusal, Review, Reviewed, STATEMENT_TOLERANCE_MS,
    Settled, Status, Timeliness, Verdict,
};
use crate::context::Context;
use crate::domain::{Event, Fact};
use crate::id::{BreakGlassId, PermitId, PersonId};
use crate::incident::{self, Cause, Setting};
use crate::permit;
use crate::person::Person;
use crate::policy::{self, Breakable, Missing, Policy, Quorum, Requirement};
use crate::sabotage::{self, Sabotage};
use crate::signature::{Signature, Signing};
use crate::state::{State, Subject};

/// Works without any approval and through every freeze: that is what it is for.
pub(crate) fn open(state: &State, cx: &Context, command: &Open) -> Result<Vec<Event>, Refusal> {
    let person = cx.actor.person().ok_or(Refusal::NotAPerson)?;
    let policy = &state.policy().ok_or(Refusal::NoRule)?.policy;
    let requirement = policy.requirement(&command.action).ok_or(Refusal::NoRule)?;
    let offer = requirement.break_glass.as_ref().ok_or(Refusal::NotOffered)?;
    if !offer.may_break(policy, person) {
        return Err(Refusal::NotAllowed);
    }
    is_strong(state, (person, &command.signature), requirement.signature)?;
    if command.reason == Reason::Missing {
        return Err(Refusal::ReasonRequired);
    }
    is_fresh(state, cx, (person, command))?;
    has_no_debt(state, cx, policy)?;
    let everybody_else =
        state.people().filter(|(id, other)| !policy.are_one(**id, person) && other.is_active());
    let lacking = policy::unfilled(policy, &offer.review, &everybody_else.map(|(id, _)| *id).collect());
    if !lacking.is_empty() {
        return Err(Refusal::Unreviewable(lacking));
    }
    Ok(broken(cx, command, (&requirement, offer)))
}

/// What happens: the glass is broken, there is a permit, and everybody is told.
fn broken(cx: &Context, command: &Open, (requirement, offer): (&Requirement, &Breakable)) -> Vec<Event> {
    // Both begin in this decision, so one number can name both.
    let (id, permit) = (BreakGlassId(cx.first()), PermitId(cx.first()));
    let Open { action, parameters_sha256, signed_at, signature, .. } = command;
    let event = |fact| Event::new(cx, cx.correlation, Some(&action.environment), fact);
    let opened = Opened {
        action: action.clone(),
        parameters_sha256: *parameters_sha256,
        permit,
        signed_at: *signed_at,
        signature: signature.clone(),
        review: offer.review.clone(),
        review_until: cx.now.plus_seconds(offer.review_seconds.get()),
    };
    let reserved = permit::Reserved {
        action: action.clone(),
        parameters_sha256: *parameters_sha256,
        requirement_sha256: requirement.digest(),
        approval: None,
        break_glass: Some(id),
        start_by: cx.now.plus_seconds(offer.lifetime_seconds.min(requirement.start_seconds).get()),
        work_seconds: offer.lifetime_seconds.min(requirement.work_seconds).get(),
        heartbeat_seconds: requirement.heartbeat_seconds,
        freezes: None,
        owner: None,
    };
    let setting = Setting { correlation: cx.correlation, environment: Some(&action.environment) };
    Vec::from([
        event(Fact::BreakGlassOpened(id, opened)),
        event(Fact::PermitReserved(permit, reserved)),
        incident::open(cx, &setting, Cause::BreakGlass, Subject::BreakGlass(id)),
    ])
}

/// While the review of any is overdue, nobody breaks the glass: whose debt it is does not matter.
fn has_no_debt(state: &State, cx: &Context, policy: &Policy) -> Result<(), Refusal> {
    let is_overdue = |it: &&BreakGlass| it.status_at(cx.now) == Status::Overdue;
    let overdue: Vec<&BreakGlass> = state.break_glasses().filter(is_overdue).collect();
    if overdue.is_empty() || sabotage::is_active(Sabotage::ForgottenDebt) {
        return Ok(());
    }
    let debts = overdue.iter().map(|it| it.id).collect();
    Err(Refusal::Overdue {
        debts,
        missing: overdue.iter().flat_map(|it| missing(state, policy, it)).collect(),
    })
}

/// A credential that was stolen from a file does not suffice: a key that is enrolled as the person's own must have signed.
fn is_strong(
    state: &State,
    (person, signature): (PersonId, &Signature),
    demanded: Signing,
) -> Result<(), Refusal> {
    let key = state.person(person).and_then(|person| person.voting_key(&signature.key_sha256));
    let key = key.ok_or(Refusal::KeyNotInForce)?;
    if demanded.is_met_by(Some(key.algorithm)) { Ok(()) } else { Err(Refusal::HardwareKeyRequired) }
}

/// A statement works once, and soon after it was signed. Each must be newer than the last of the same person.
fn is_fresh(state: &State, cx: &Context, (person, command): (PersonId, &Open)) -> Result<(), Refusal> {
    let age = cx.now.as_millis().abs_diff(command.signed_at.as_millis());
    if age > STATEMENT_TOLERANCE_MS.unsigned_abs() {
        return Err(Refusal::StatementStale);
    }
    match state.last_statement(person) {
        Some(last) if command.signed_at <= last => Err(Refusal::StatementUsed),
        _ => Ok(()),
    }
}

/// The places of the review that nobody has filled yet, and who could.
#[must_use]
pub(crate) fn missing(state: &State, policy: &Policy, it: &BreakGlass) -> Vec<Missing> {
    let opinions: BTreeSet<PersonId> = it.opinions.iter().map(|opinion| opinion.person).collect();
    let counts = |person: &PersonId| {
        let other = !policy.are_one(*person, it.person) || sabotage::is_active(Sabotage::SelfReview);
        other && state.person(*person).is_some_and(Person::is_active)
    };
    let counted = opinions.iter().copied().filter(counts).collect();
    let mut missing = policy::unfilled(policy, &it.review, &counted);
    for place in &mut missing {
        let has_spoken = |person: &PersonId| opinions.iter().any(|other| policy.are_one(*other, *person));
        let members = policy.members(&place.group).into_iter();
        place.could = members.filter(|person| counts(person) && !has_spoken(person)).collect();
    }
    missing
}

impl BreakGlass {
    /// The places of the review that are still empty, and who could fill them; none once it is settled.
    #[must_use]
    pub fn missing(&self, state: &State) -> Vec<Missing> {
        let policy = state.policy().filter(|_| self.settled.is_none());
        policy.map(|in_force| missing(state, &in_force.policy, self)).unwrap_or_default()
    }
}

pub(crate) fn review(state: &State, cx: &Context, command: &Review) -> Result<Vec<Event>, Refusal> {
    let it = state.break_glass(command.break_glass).ok_or(Refusal::NotFound)?;
    let person = cx.actor.person().ok_or(Refusal::NotAPerson)?;
    let policy = &state.policy().ok_or(Refusal::NoRule)?.policy;
    // Whoever stands in for them, by whatever account they are away, may not review it in their favour either.
    let mut accounts = policy.accounts(it.person).into_iter();
    let own = policy.are_one(person, it.person) || accounts.any(|it| state.is_delegate(person, (it, cx.now)));
    if own && !sabotage::is_active(Sabotage::SelfReview) {
        return Err(Refusal::SelfReview);
    }
    let active = state.person(person).is_some_and(Person::is_active);
    if !(active && is_asked(policy, &it.review, person)) {
        return Err(Refusal::NotAReviewer);
    }
    if it.settled.is_some() {
        return Err(Refusal::Settled);
    }
    if it.opinions.iter().any(|opinion| policy.are_one(opinion.person, person)) {
        return Err(Refusal::AlreadyReviewed);
    }
    if command.reason == Reason::Missing {
        return Err(Refusal::ReasonRequired);
    }
    let mut events = overdue(it, cx);
    events.push(it.event(cx, Fact::BreakGlassReviewed(it.id, Reviewed { verdict: command.verdict })));
    let mut after = it.clone();
    after.opinions.push(Opinion { person, at: cx.now, verdict: command.verdict });
    if missing(state, policy, &after).is_empty() {
        let verdicts = after.opinions.iter().map(|opinion| opinion.verdict);
        let verdict = verdicts.max().unwrap_or(Verdict::Unjustified);
        let late = cx.now >= it.review_until;
        let timeliness = if late { Timeliness::Late } else { Timeliness::InTime };
        events.push(it.event(cx, Fact::BreakGlassSettled(it.id, Settled { verdict, timeliness })));
    }
    Ok(events)
}

fn is_asked(policy: &Policy, review: &Quorum, person: PersonId) -> bool {
    review.keys().any(|group| policy.is_member(group, person))
}

/// What silence past the deadline means, unless it is written down already.
fn overdue(it: &BreakGlass, cx: &Context) -> Vec<Event> {
    if it.deadline().is_none_or(|deadline| cx.now < deadline) {
        return Vec::new();
    }
    let setting = Setting { correlation: it.correlation, environment: Some(&it.action.environment) };
    let fact = Fact::BreakGlassOverdue(it.id, Overdue { review_until: it.review_until });
    Vec::from([
        it.event(cx, fact),
        incident::open(cx, &setting, Cause::BreakGlassOverdue, Subject::BreakGlass(it.id)),
    ])
}

pub(crate) fn elapse(state: &State, cx: &Context, id: BreakGlassId) -> Vec<Event> {
    state.break_glass(id).map(|it| overdue(it, cx)).unwrap_or_default()
}
