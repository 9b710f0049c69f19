//! Break-glass: somebody acts without anybody's consent, and owes an explanation for it.
//!
//! Whoever may, says why and signs with a voting key of their own; they get a permit at once, an incident tells everybody, and a debt is
//! open until people who had no part in it have reviewed it. While the review of any is overdue, nobody breaks the glass again.
//!
//! Here is what is on record and how it folds; `decide` says what may happen.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::context::Context;
use crate::digest::Digest;
use crate::domain::{Event, Fact};
use crate::id::{BreakGlassId, CorrelationId, PermitId, PersonId};
use crate::policy::Quorum;
use crate::signature::Signature;
use crate::state::State;
use crate::time::Time;

mod decide;
mod refusal;
#[cfg(test)]
mod tests;

pub(crate) use decide::{elapse, open, review};
pub use refusal::Refusal;

/// How far the time in a signed statement may be from that of the decision, milliseconds. Whoever finds an old statement cannot use it.
pub const STATEMENT_TOLERANCE_MS: i64 = 300_000;

/// Whether people who read it later will find words. The words are details; here it counts that there are some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There is a reason beside the entry.
    Given,
    /// There is none.
    Missing,
}

/// Breaks the glass.
#[derive(Clone, Debug)]
pub struct Open {
    /// What is to be done.
    pub action: Action,
    /// Salted SHA-256 of the canonical parameters.
    pub parameters_sha256: Digest,
    /// The time in the statement that was signed.
    pub signed_at: Time,
    /// The signature over the statement, verified already.
    pub signature: Signature,
    /// Whether a reason is given.
    pub reason: Reason,
}

/// Says whether it was right.
#[derive(Clone, Copy, Debug)]
pub struct Review {
    /// What is reviewed.
    pub break_glass: BreakGlassId,
    /// Whether it was right.
    pub verdict: Verdict,
    /// Whether a reason is given.
    pub reason: Reason,
}

/// Whether it was right to break the glass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It was.
    Justified,
    /// It was not. One such word is the verdict of the whole review.
    Unjustified,
}

impl Verdict {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Justified => "justified",
            Self::Unjustified => "unjustified",
        }
    }
}

/// Whether the last review that was needed came in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timeliness {
    /// Before the deadline.
    InTime,
    /// At the deadline or after it.
    Late,
}

impl Timeliness {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InTime => "in-time",
            Self::Late => "late",
        }
    }
}

/// `break_glass.opened`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// What is to be done.
    pub action: Action,
    /// Salted SHA-256 of the canonical parameters.
    pub parameters_sha256: Digest,
    /// The permit it gave.
    pub permit: PermitId,
    /// The time in the statement that was signed.
    pub signed_at: Time,
    /// The signature over the statement.
    pub signature: Signature,
    /// How many of whom must review it.
    pub review: Quorum,
    /// Until when.
    pub review_until: Time,
}

/// `break_glass.reviewed`: the actor of the entry said so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reviewed {
    /// Whether it was right.
    pub verdict: Verdict,
}

/// `break_glass.settled`: enough people have reviewed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// What they said together.
    pub verdict: Verdict,
    /// Whether the last of them came in time.
    pub timeliness: Timeliness,
}

/// `break_glass.overdue`: the deadline of the review passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overdue {
    /// The deadline.
    pub review_until: Time,
}

/// The state of a debt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Waits for its review.
    Open,
    /// Was not reviewed in time.
    Overdue,
    /// Reviewed by enough people.
    Settled,
}

impl Status {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Overdue => "overdue",
            Self::Settled => "settled",
        }
    }
}

/// One person's word on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opinion {
    /// Who.
    pub person: PersonId,
    /// When.
    pub at: Time,
    /// Whether it was right.
    pub verdict: Verdict,
}

/// One breaking of the glass, and the debt it leaves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakGlass {
    /// The id.
    pub id: BreakGlassId,
    /// Who did it.
    pub person: PersonId,
    /// What is to be done.
    pub action: Action,
    /// Salted SHA-256 of the canonical parameters.
    pub parameters_sha256: Digest,
    /// The permit it gave.
    pub permit: PermitId,
    /// What it belongs to.
    pub correlation: CorrelationId,
    /// When.
    pub opened_at: Time,
    /// The signature over the statement.
    pub signature: Signature,
    /// How many of whom must review it.
    pub review: Quorum,
    /// Until when.
    pub review_until: Time,
    /// What people said, in order.
    pub opinions: Vec<Opinion>,
    /// When it was written down that the review is overdue.
    pub overdue_at: Option<Time>,
    /// When enough people had reviewed it, and what they said.
    pub settled: Option<(Time, Settled)>,
}

impl BreakGlass {
    /// The state as stored: deadlines are not looked at.
    #[must_use]
    pub fn status(&self) -> Status {
        match (&self.settled, self.overdue_at) {
            (Some(_), _) => Status::Settled,
            (None, Some(_)) => Status::Overdue,
            (None, None) => Status::Open,
        }
    }

    /// The state at `now`: what was not reviewed in time is overdue.
    #[must_use]
    pub fn status_at(&self, now: Time) -> Status {
        match self.status() {
            Status::Open if now >= self.review_until => Status::Overdue,
            status => status,
        }
    }

    /// When silence will change its state.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        (self.status() == Status::Open).then_some(self.review_until)
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.settled.is_some()
    }

    pub(crate) fn event(&self, cx: &Context, fact: Fact) -> Event {
        Event::new(cx, self.correlation, Some(&self.action.environment), fact)
    }
}

pub(crate) fn apply(state: &mut State, event: &Event) {
    match &event.fact {
        Fact::BreakGlassOpened(id, opened) => opened_by(state, event, (*id, opened)),
        Fact::BreakGlassReviewed(id, Reviewed { verdict }) => {
            if let Some(person) = event.actor.person() {
                let opinion = Opinion { person, at: event.at, verdict: *verdict };
                state.change::<BreakGlass>(id, |it| it.opinions.push(opinion));
            }
        }
        Fact::BreakGlassSettled(id, settled) => {
            state.change::<BreakGlass>(id, |it| it.settled = Some((event.at, settled.clone())));
        }
        Fact::BreakGlassOverdue(id, _) => {
            state.change::<BreakGlass>(id, |it| it.overdue_at = Some(event.at));
        }
        _ => {}
    }
}

fn opened_by(state: &mut State, event: &Event, (id, opened): (BreakGlassId, &Opened)) {
    let Some(person) = event.actor.person() else { return };
    let it = BreakGlass {
        id,
        person,
        action: opened.action.clone(),
        parameters_sha256: opened.parameters_sha256,
        permit: opened.permit,
        correlation: event.correlation,
        opened_at: event.at,
        signature: opened.signature.clone(),
        review: opened.review.clone(),
        review_until: opened.review_until,
        opinions: Vec::new(),
        overdue_at: None,
        settled: None,
    };
    state.put(id, it);
    state.set_last_statement(person, opened.signed_at);
}
