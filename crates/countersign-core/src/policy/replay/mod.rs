//! What happened, judged again under another policy: which requests, quorums and permits would have been decided differently.
//!
//! What is on record is compared with what the other policy demands for the same action, people and times. Everybody who acted had a
//! credential, and everybody who agreed then is taken to agree again; who would have agreed in addition nobody knows. Looking
//! changes nothing.
//!
//! # Layout
//! - `judge`: one request, one reservation, one kind of refusal under the other policy

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Serialize;

use super::Policy;
use crate::action::Action;
use crate::domain::{Event, Fact};
use crate::id::{ApprovalId, PermitId, PersonId};
use crate::state::Subject;
use crate::text::Name;
use crate::time::Time;

mod judge;
#[cfg(test)]
mod tests;

/// What happened in some time, as far as a policy decides it.
#[derive(Clone, Debug)]
pub struct Past {
    since: Time,
    requests: BTreeMap<ApprovalId, Request>,
    reservations: BTreeMap<PermitId, Reservation>,
    refusals: Vec<Refused>,
}

/// A request that was made.
#[derive(Clone, Debug)]
struct Request {
    requester: PersonId,
    action: Action,
    rules: BTreeSet<Name>,
    at: Time,
    pending_until: Time,
    votes: Vec<(PersonId, Time)>,
    /// When its quorum was first met, and until when it could be used.
    completed: Option<(Time, Time)>,
}

/// A permit that was reserved.
#[derive(Clone, Debug)]
struct Reservation {
    executor: PersonId,
    action: Action,
    approval: Option<ApprovalId>,
    at: Time,
    start_by: Time,
    work_seconds: u32,
}

/// What somebody was refused, some times.
#[derive(Clone, Debug)]
struct Refused {
    person: PersonId,
    action: Action,
    code: String,
    count: u32,
    at: Time,
}

/// Something that would have been decided differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// When it was decided.
    pub at: Time,
    /// What it is about: a request, a permit, or the person who was refused.
    pub subject: String,
    /// Who asked, executed, or was refused.
    pub person: PersonId,
    /// The action.
    pub action: String,
    /// What differs: `request`, `rules`, `quorum`, `reservation`, `pending_seconds`, `approved_seconds`, `start_seconds`, `work_seconds`
    /// or `refusal`.
    pub what: &'static str,
    /// How it was.
    pub then: String,
    /// How it would have been.
    pub now: String,
}

/// How many there were of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// Requests for approval.
    pub requests: usize,
    /// Reserved permits.
    pub reservations: usize,
    /// Kinds of refusals: of one person, for one action, with one code, within a minute.
    pub refusals: usize,
}

impl Past {
    /// Nothing has happened since then.
    #[must_use]
    pub fn since(since: Time) -> Self {
        Self { since, requests: BTreeMap::new(), reservations: BTreeMap::new(), refusals: Vec::new() }
    }

    /// Sees the next event; what is of no interest is ignored, so events may be left out and entries about different things may come in any order.
    pub fn see(&mut self, event: &Event) {
        if let Fact::PersonRefused(person, refused) = &event.fact {
            let Some(action) = refused.action.clone().filter(|_| refused.until >= self.since) else { return };
            let (code, count, at) = (refused.code.clone(), refused.count.get(), refused.from);
            self.refusals.push(Refused { person: *person, action, code, count, at });
            return;
        }
        let Some(person) = event.actor.person() else { return };
        match &event.fact {
            Fact::ApprovalRequested(id, requested) if event.at >= self.since => {
                let request = Request {
                    requester: person,
                    action: requested.action.clone(),
                    rules: requested.rules.clone(),
                    at: event.at,
                    pending_until: requested.pending_until,
                    votes: Vec::new(),
                    completed: None,
                };
                self.requests.insert(*id, request);
            }
            Fact::ApprovalGranted(id, _) => self.of(*id, |request| request.votes.push((person, event.at))),
            Fact::ApprovalCompleted(id, completed) => self.of(*id, |request| {
                request.completed.get_or_insert((event.at, completed.approved_until));
            }),
            Fact::PermitReserved(id, reserved) if event.at >= self.since => {
                let reservation = Reservation {
                    executor: person,
                    action: reserved.action.clone(),
                    approval: reserved.approval,
                    at: event.at,
                    start_by: reserved.start_by,
                    work_seconds: reserved.work_seconds,
                };
                self.reservations.insert(*id, reservation);
            }
            _ => {}
        }
    }

    fn of(&mut self, id: ApprovalId, change: impl FnOnce(&mut Request)) {
        if let Some(request) = self.requests.get_mut(&id) {
            change(request);
        }
    }

    /// How much there is to judge.
    #[must_use]
    pub fn replayed(&self) -> Replayed {
        Replayed {
            requests: self.requests.len(),
            reservations: self.reservations.len(),
            refusals: self.refusals.len(),
        }
    }

    /// What would have been decided differently under the policy, in the order in which it was decided.
    #[must_use]
    pub fn differences(&self, policy: &Policy) -> Vec<Difference> {
        let mut found = Vec::new();
        for (id, request) in &self.requests {
            let about = About {
                at: request.at,
                subject: Subject::Approval(*id).to_string(),
                person: request.requester,
            };
            for change in judge::request(policy, request) {
                found.push(about.difference(&request.action, change));
            }
        }
        for (id, it) in &self.reservations {
            let about = About { at: it.at, subject: Subject::Permit(*id).to_string(), person: it.executor };
            let request = it.approval.and_then(|id| self.requests.get(&id));
            for change in judge::reservation(policy, (it, request)) {
                found.push(about.difference(&it.action, change));
            }
        }
        for it in &self.refusals {
            let about = About { at: it.at, subject: it.person.to_string(), person: it.person };
            found.extend(judge::refused(policy, it).map(|change| about.difference(&it.action, change)));
        }
        found.sort_by_key(|difference| difference.at);
        found
    }
}

/// What a difference is about.
struct About {
    at: Time,
    subject: String,
    person: PersonId,
}

impl About {
    fn difference(&self, action: &Action, change: judge::Change) -> Difference {
        let Self { at, subject, person } = self;
        let judge::Change { what, then, now } = change;
        Difference {
            at: *at,
            subject: subject.clone(),
            person: *person,
            action: action.to_string(),
            what,
            then,
            now,
        }
    }
}
