//! One request, one reservation and one kind of refusal, under another policy than the one they were decided under.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

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
struct Changes(Vec<Change>);

impl Changes {
    fn compare(&mut self, what: &'static str, then: &dyn fmt::Display, now: &dyn fmt::Display) {
        let (then, now) = (then.to_string(), now.to_string());
        if then != now {
            self.0.push(Change { what, then, now });
        }
    }
}

const ALLOWED: &str = "allowed";

/// Why the person could not ask for the action, or what is demanded: whoever is in a group is taken to have a credential.
fn asks(policy: &Policy, action: &Action, person: PersonId) -> Result<Requirement, approval::Refusal> {
    explain::asks(policy, (action, &policy.everybody()), person)
}

/// When the votes that were given meet the quorum, if they do in time.
fn met(policy: &Policy, requirement: &Requirement, request: &Request) -> Option<Time> {
    let until = request.at.plus_seconds(requirement.pending_seconds.get());
    let mut voters = BTreeSet::new();
    for (person, at) in request.votes.iter().filter(|(_, at)| *at < until) {
        if !policy.are_one(*person, request.requester) {
            voters.insert(*person);
        }
        if requirement.unfilled(policy, &voters).is_empty() {
            return Some(*at);
        }
    }
    None
}

fn seconds(from: Time, until: Time) -> i64 {
    (until.as_millis() - from.as_millis()) / 1000
}

fn names(rules: &BTreeSet<Name>) -> String {
    rules.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}

pub(super) fn request(policy: &Policy, request: &Request) -> Vec<Change> {
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
    let spoken = |at: Option<Time>| at.map_or_else(|| "not met".to_string(), |at| format!("met at {at}"));
    let now = met(policy, &requirement, request);
    changes.compare("quorum", &spoken(request.completed.map(|(at, _)| at)), &spoken(now));
    if let Some((at, until)) = request.completed {
        changes.compare("approved_seconds", &seconds(at, until), &requirement.approved_seconds);
    }
    changes.0
}

/// The request is that of the approval it consumed, if that is known.
pub(super) fn reservation(policy: &Policy, (it, request): (&Reservation, Option<&Request>)) -> Vec<Change> {
    let mut changes = Changes::default();
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
        (Some(_), Some(request)) => used(policy, (&requirement, request), it.at),
    };
    changes.compare("reservation", &ALLOWED, &refusal.unwrap_or(ALLOWED));
    changes.compare("start_seconds", &seconds(it.at, it.start_by), &requirement.start_seconds);
    changes.compare("work_seconds", &it.work_seconds, &requirement.work_seconds);
    changes.0
}

/// Why the request could not have been used then, if so.
fn used(policy: &Policy, (requirement, request): (&Requirement, &Request), at: Time) -> Option<&'static str> {
    match asks(policy, &request.action, request.requester) {
        // What needs no approval is not kept from happening by having one.
        Err(approval::Refusal::NotNeeded) => return None,
        Err(refusal) => return Some(refusal.code()),
        Ok(_) => {}
    }
    match met(policy, requirement, request) {
        None => Some(permit::Refusal::ApprovalPending(Vec::new()).code()),
        Some(met) if at >= met.plus_seconds(requirement.approved_seconds.get()) => {
            Some(permit::Refusal::ApprovalExpired.code())
        }
        Some(_) => None,
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
