//! What happened, judged again under another policy: which requests, quorums and permits would have been decided differently.
//!
//! What is on record is compared with what the other policy demands for the same action, people and times. Everybody who acted had a
//! credential, and everybody who agreed, took that back or disagreed is taken to do so again; who would have agreed in addition nobody
//! knows. What else nobody can know from what is on record is said of each. Looking changes nothing.
//!
//! # Layout
//! - `judge`: one request, one reservation, one kind of refusal under the other policy
//! - `words`: what people said of a request, and what it comes to
//! - `glass`: one opening of the glass under the other policy

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Serialize;

use super::Policy;
use crate::action::Action;
use crate::domain::{Event, Fact};
use crate::id::{ApprovalId, BreakGlassId, PermitId, PersonId};
use crate::state::Subject;
use crate::text::Name;
use crate::time::Time;

mod glass;
mod judge;
#[cfg(test)]
mod tests;
mod words;

use glass::Opening;
use words::{Keys, Outcome, Said, Voices, Word};

/// What happened in some time, as far as a policy decides it.
#[derive(Clone, Debug)]
pub struct Past {
    since: Time,
    requests: BTreeMap<ApprovalId, Request>,
    reservations: BTreeMap<PermitId, Reservation>,
    refusals: Vec<Refused>,
    openings: BTreeMap<BreakGlassId, Opening>,
    keys: Keys,
}

/// A request that was made.
#[derive(Clone, Debug)]
struct Request {
    requester: PersonId,
    action: Action,
    rules: BTreeSet<Name>,
    at: Time,
    pending_until: Time,
    words: Vec<Word>,
    /// What became of it in the end, and until when it could be used.
    outcome: Outcome,
    approved_until: Option<Time>,
    voices: Voices,
}

/// A permit that was reserved.
#[derive(Clone, Debug)]
struct Reservation {
    executor: PersonId,
    action: Action,
    approval: Option<ApprovalId>,
    through_glass: bool,
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
    /// What differs: `request`, `rules`, `quorum`, `reservation`, `pending_seconds`, `approved_seconds`, `start_seconds`, `work_seconds`,
    /// `break_glass`, `review`, `review_seconds` or `refusal`.
    pub what: &'static str,
    /// How it was.
    pub then: String,
    /// How it would have been.
    pub now: String,
}

/// Something that cannot be judged from what is on record: what was found of it holds as far as this is as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unjudged {
    /// When it was decided.
    pub at: Time,
    /// What it is about: a request or a permit.
    pub subject: String,
    /// What nobody can say of it.
    pub what: &'static str,
}

/// How many there were of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// Requests for approval.
    pub requests: usize,
    /// Reserved permits.
    pub reservations: usize,
    /// Times the glass was broken.
    pub openings: usize,
    /// Kinds of refusals: of one person, for one action, with one code, within a minute.
    pub refusals: usize,
}

impl Past {
    /// Nothing has happened since then.
    #[must_use]
    pub fn since(since: Time) -> Self {
        Self {
            since,
            requests: BTreeMap::new(),
            reservations: BTreeMap::new(),
            refusals: Vec::new(),
            openings: BTreeMap::new(),
            keys: Keys::new(),
        }
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
                    words: Vec::new(),
                    outcome: Outcome::Unmet,
                    approved_until: None,
                    voices: Voices::default(),
                };
                self.requests.insert(*id, request);
            }
            Fact::ApprovalGranted(..)
            | Fact::ApprovalVoteRevoked(..)
            | Fact::ApprovalObjected(..)
            | Fact::ApprovalDenied(..) => self.word(event, person),
            Fact::ApprovalCompleted(id, completed) => self.of(*id, |request| {
                request.outcome = Outcome::Met(event.at);
                request.approved_until = Some(completed.approved_until);
            }),
            Fact::PersonKeyEnrolled(_, enrolled) => {
                self.keys.insert(enrolled.key_sha256, enrolled.algorithm);
            }
            Fact::BreakGlassOpened(id, opened) if event.at >= self.since => {
                let (action, review) = (opened.action.clone(), opened.review.clone());
                let opening =
                    Opening { person, action, at: event.at, review, review_until: opened.review_until };
                self.openings.insert(*id, opening);
            }
            Fact::PermitReserved(id, reserved) if event.at >= self.since => {
                let reservation = Reservation {
                    executor: person,
                    action: reserved.action.clone(),
                    approval: reserved.approval,
                    through_glass: reserved.break_glass.is_some(),
                    at: event.at,
                    start_by: reserved.start_by,
                    work_seconds: reserved.work_seconds,
                };
                self.reservations.insert(*id, reservation);
            }
            _ => {}
        }
    }

    /// Somebody said something of a request.
    fn word(&mut self, event: &Event, person: PersonId) {
        let at = event.at;
        match &event.fact {
            Fact::ApprovalGranted(id, voted) => self.of(*id, |request| {
                let seat = voted.on_behalf.unwrap_or(person);
                let key = voted.signature.as_ref().map(|signature| signature.key_sha256);
                request.voices.agree((person, seat));
                let (commented, fresh) = (voted.commented, voted.fresh.is_some());
                let said = Said::Agreed { seat, commented, key, fresh };
                request.words.push(Word { person, at, said });
            }),
            Fact::ApprovalVoteRevoked(id, revoked) => self.of(*id, |request| {
                request.voices.take_back(person);
                request.reopen_if(revoked.reopened);
                request.words.push(Word { person, at, said: Said::TookBack });
            }),
            Fact::ApprovalObjected(id, _) => self.of(*id, |request| {
                let lost = request.voices.disagree(person);
                request.reopen_if(lost);
                request.words.push(Word { person, at, said: Said::Disagreed });
            }),
            Fact::ApprovalDenied(id, _) => self.of(*id, |request| {
                request.outcome = Outcome::Denied(at);
                request.words.push(Word { person, at, said: Said::Disagreed });
            }),
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
            openings: self.openings.len(),
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
            for change in judge::request(policy, (request, &self.keys)) {
                found.push(about.difference(&request.action, change));
            }
        }
        for (id, it) in &self.reservations {
            let about = About { at: it.at, subject: Subject::Permit(*id).to_string(), person: it.executor };
            let request = it.approval.and_then(|id| self.requests.get(&id));
            for change in judge::reservation(policy, (it, request), &self.keys) {
                found.push(about.difference(&it.action, change));
            }
        }
        for (id, it) in &self.openings {
            let about = About { at: it.at, subject: Subject::BreakGlass(*id).to_string(), person: it.person };
            found.extend(
                glass::opening(policy, it).into_iter().map(|change| about.difference(&it.action, change)),
            );
        }
        for it in &self.refusals {
            let about = About { at: it.at, subject: it.person.to_string(), person: it.person };
            found.extend(judge::refused(policy, it).map(|change| about.difference(&it.action, change)));
        }
        found.sort_by_key(|difference| difference.at);
        found
    }

    /// What could not be judged under the policy, in the order in which it was decided.
    #[must_use]
    pub fn unjudged(&self, policy: &Policy) -> Vec<Unjudged> {
        let mut found = Vec::new();
        for (id, request) in &self.requests {
            let subject = || Subject::Approval(*id).to_string();
            let unknown = judge::unknown(policy, (request, &self.keys)).into_iter();
            found.extend(unknown.map(|what| Unjudged { at: request.at, subject: subject(), what }));
        }
        for (id, it) in &self.reservations {
            if it.approval.is_some_and(|id| !self.requests.contains_key(&id)) {
                let what = "whether its approval would have been given: that was asked for before";
                found.push(Unjudged { at: it.at, subject: Subject::Permit(*id).to_string(), what });
            }
        }
        found.sort_by_key(|unjudged| unjudged.at);
        found
    }
}

impl Request {
    /// The quorum was met and is not any more.
    fn reopen_if(&mut self, lost: bool) {
        if lost {
            (self.outcome, self.approved_until) = (Outcome::Unmet, None);
        }
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
