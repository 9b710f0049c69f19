//! One request, one reservation and one kind of refusal, under another policy than the one they were decided under.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::words::{Hearing, Keys, Outcome};
use super::{Refused, Request, Reservation};
use crate::action::Action;
use crate::id::PersonId;
use crate::policy::explain::{self, executes};
use crate::policy::{Consent, Policy, Requirement};
use crate::text::Name;
use crate::time::Time;
use crate::{approval, permit};

/// How something was and would have been.
pub(super) struct Change {
    pub what: &'static str,
    pub then: String,
    pub now: String,
}

/// Collects what differs.
#[derive(Default)]
pub(super) struct Changes(pub Vec<Change>);

impl Changes {
    pub(super) fn compare(&mut self, what: &'static str, then: &dyn fmt::Display, now: &dyn fmt::Display) {
        let (then, now) = (then.to_string(), now.to_string());
        if then != now {
            self.0.push(Change { what, then, now });
        }
    }
}

pub(super) const ALLOWED: &str = "allowed";

/// Why the person could not ask for the action, or what is demanded: whoever is in a group is taken to have a credential.
fn asks(policy: &Policy, action: &Action, person: PersonId) -> Result<Requirement, approval::Refusal> {
    explain::asks(policy, (action, &policy.everybody()), person)
}

pub(super) fn seconds(from: Time, until: Time) -> i64 {
    (until.as_millis() - from.as_millis()) / 1000
}

fn names(rules: &BTreeSet<Name>) -> String {
    rules.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}

fn spoken(outcome: Outcome) -> String {
    match outcome {
        Outcome::Unmet => "not met".to_string(),
        Outcome::Met(at) => format!("met at {at}"),
        Outcome::Denied(at) => format!("denied at {at}"),
    }
}

pub(super) fn request(policy: &Policy, (request, keys): (&Request, &Keys)) -> Vec<Change> {
    let mut changes = Changes::default();
    let requirement = match asks(policy, &request.action, request.requester) {
        Ok(requirement) => requirement,
        Err(refusal) => {
            changes.compare("request", &ALLOWED, &refusal.code());
            return changes.0;
        }
    };
    changes.compare("rules", &names(&request.rules), &names(&requirement.rules));
    let pending = seconds(request.at, request.pending_until);
    changes.compare("pending_seconds", &pending, &requirement.pending_seconds);
    let hearing = Hearing { policy, requirement: &requirement, keys };
    let now = hearing.outcome(request, None);
    changes.compare("quorum", &spoken(request.outcome), &spoken(now));
    if let (Outcome::Met(at), Some(until)) = (request.outcome, request.approved_until) {
        changes.compare("approved_seconds", &seconds(at, until), &requirement.approved_seconds);
    }
    changes.0
}

/// What of the request nobody can judge under the policy.
pub(super) fn unknown(policy: &Policy, (request, keys): (&Request, &Keys)) -> Vec<&'static str> {
    asks(policy, &request.action, request.requester).map_or_else(
        |_| Vec::new(),
        |requirement| Hearing { policy, requirement: &requirement, keys }.unknown(request),
    )
}

/// The request is that of the approval it consumed, if that is known.
pub(super) fn reservation(
    policy: &Policy,
    (it, request): (&Reservation, Option<&Request>),
    keys: &Keys,
) -> Vec<Change> {
    let mut changes = Changes::default();
    if it.through_glass {
        // Whether there would have been one is told of the opening.
        through_glass(policy, it, &mut changes);
        return changes.0;
    }
    let requirement = match executes(policy, &it.action, it.executor) {
        Ok(requirement) => requirement,
        Err(refusal) => {
            changes.compare("reservation", &ALLOWED, &refusal.code());
            return changes.0;
        }
    };
    let refusal = match (it.approval, request) {
        (None, _) => (requirement.approval == Consent::Required)
            .then(|| permit::Refusal::ApprovalRequired(Vec::new()).code()),
        // It was asked for before the time that is looked at.
        (Some(_), None) => None,
        (Some(_), Some(request)) => used(Hearing { policy, requirement: &requirement, keys }, request, it.at),
    };
    changes.compare("reservation", &ALLOWED, &refusal.unwrap_or(ALLOWED));
    changes.compare("start_seconds", &seconds(it.at, it.start_by), &requirement.start_seconds);
    changes.compare("work_seconds", &it.work_seconds, &requirement.work_seconds);
    changes.0
}

fn through_glass(policy: &Policy, it: &Reservation, changes: &mut Changes) {
    let Some(requirement) = policy.requirement(&it.action) else { return };
    let Some(offer) = &requirement.break_glass else { return };
    let most = offer.lifetime_seconds;
    changes.compare("start_seconds", &seconds(it.at, it.start_by), &requirement.start_seconds.min(most));
    changes.compare("work_seconds", &it.work_seconds, &requirement.work_seconds.min(most));
}

/// Why the request could not have been used then, if so.
fn used(hearing: Hearing<'_>, request: &Request, at: Time) -> Option<&'static str> {
    match asks(hearing.policy, &request.action, request.requester) {
        // What needs no approval is not kept from happening by having one.
        Err(approval::Refusal::NotNeeded) => return None,
        Err(refusal) => return Some(refusal.code()),
        Ok(_) => {}
    }
    match hearing.outcome(request, Some(at)) {
        Outcome::Unmet => Some(permit::Refusal::ApprovalPending(Vec::new()).code()),
        Outcome::Denied(_) => Some(permit::Refusal::ApprovalDenied.code()),
        Outcome::Met(met) if at >= met.plus_seconds(hearing.requirement.approved_seconds.get()) => {
            Some(permit::Refusal::ApprovalExpired.code())
        }
        Outcome::Met(_) => None,
    }
}

/// What would have become of what was refused, where the policy alone decides that.
pub(super) fn refused(policy: &Policy, it: &Refused) -> Option<Change> {
    use approval::Refusal::{NoRule, NotARequester, NotAnApprover, NotNeeded, Unsatisfiable};
    let asking = [NotARequester, NotNeeded, Unsatisfiable(Vec::new())];
    let now = if asking.iter().any(|refusal| refusal.code() == it.code) {
        asks(policy, &it.action, it.person).map_or_else(|refusal| refusal.code(), |_| ALLOWED)
    } else if it.code == permit::Refusal::NotAnExecutor.code() {
        executes(policy, &it.action, it.person).map_or_else(|refusal| refusal.code(), |_| ALLOWED)
    } else if it.code == permit::Refusal::ApprovalRequired(Vec::new()).code() {
        match executes(policy, &it.action, it.person) {
            Ok(requirement) if requirement.approval == Consent::Required => it.code.as_str(),
            Ok(_) => ALLOWED,
            Err(refusal) => refusal.code(),
        }
    } else if it.code == NotAnApprover.code() {
        match policy.requirement(&it.action) {
            Some(requirement) if requirement.may_approve(policy, it.person) => ALLOWED,
            Some(_) => it.code.as_str(),
            None => NoRule.code(),
        }
    } else if it.code == NoRule.code() {
        if policy.requirement(&it.action).is_some() { "governed by a rule" } else { it.code.as_str() }
    } else {
        return None;
    };
    let times = if it.count == 1 { String::new() } else { format!(", {} times", it.count) };
    (now != it.code).then(|| Change {
        what: "refusal",
        then: format!("{}{times}", it.code),
        now: now.to_string(),
    })
}
