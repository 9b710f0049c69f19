//! What else happens to a request before it is used: a vote is taken back, nobody reacts, and nobody can agree any more.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Approval, Electorate, Refusal, Status};
use crate::context::Context;
use crate::domain::{Event, Fact};
use crate::id::{ApprovalId, PersonId};
use crate::policy::{Missing, Requirement};
use crate::state::State;
use crate::text::Name;
use crate::time::Time;

/// When somebody else is told of a request on which nobody votes, and who.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// From when on.
    pub at: Time,
    /// Groups whose members are told.
    pub to: BTreeSet<Name>,
}

impl Escalation {
    pub(super) fn of(requirement: &Requirement, now: Time) -> Option<Self> {
        let escalate = requirement.escalate.as_ref()?;
        Some(Self { at: now.plus_seconds(escalate.after_seconds.get()), to: escalate.to.clone() })
    }
}

/// `approval.vote_revoked`: the actor of the entry took their vote back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoteRevoked {
    /// Whether the quorum was complete and is lost with it, so that the request waits for votes again.
    pub reopened: bool,
}

/// `approval.escalated`: nobody voted in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalated {
    /// Groups whose members are told.
    pub to: BTreeSet<Name>,
}

impl Approval {
    /// When time alone will next change something about it.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Time> {
        let deadline = self.deadline()?;
        Some(self.escalates().map_or(deadline, |escalation| escalation.at.min(deadline)))
    }

    /// The escalation that is still to come, as long as nobody votes.
    fn escalates(&self) -> Option<&Escalation> {
        let waits = self.status() == Status::Pending && self.escalated_at.is_none();
        let waits = waits && self.votes.is_empty() && self.objections.is_empty();
        self.escalation.as_ref().filter(|_| waits)
    }

    /// Nobody voted in time.
    pub(super) fn escalated(&self, cx: &Context) -> Option<Event> {
        let escalation = self.escalates().filter(|escalation| cx.now >= escalation.at)?;
        Some(self.event(cx, Fact::ApprovalEscalated(self.id, Escalated { to: escalation.to.clone() })))
    }
}

/// What is to be said about a request that has not ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Whose agreement is still missing, and who could give it now, delegates among them.
    pub missing: Vec<Missing>,
    /// Places of the quorum that nobody there is could fill. As long as there are any, nothing can come of the request.
    pub unfillable: Vec<Missing>,
    /// Whether the rules demand something else now, or nothing at all, so that nothing can come of it either.
    pub policy_changed: bool,
}

impl Outlook {
    /// Whether nothing can come of the request as things are.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.policy_changed || !self.unfillable.is_empty()
    }
}

impl Approval {
    /// What is still missing at `now`, who could supply it, and whether anybody can.
    #[must_use]
    pub fn outlook(&self, state: &State, now: Time) -> Outlook {
        if self.ended.is_some() || self.deadline().is_some_and(|deadline| now >= deadline) {
            return Outlook::default();
        }
        let Some(in_force) = state.policy() else { return Outlook::default() };
        let changed = Outlook { policy_changed: true, ..Outlook::default() };
        let Some(requirement) = in_force.policy.requirement(&self.action) else { return changed };
        let electorate = Electorate::new(state, in_force, (self.requester, &requirement));
        let mut missing = self.lacking(&electorate);
        let barred = electorate.stand_ins(now);
        let could = |delegate: &PersonId| {
            electorate.could_count(*delegate)
                && !barred.contains(delegate)
                && !self.is_involved(&electorate, *delegate)
        };
        for place in &mut missing {
            place.could.retain(|person| !barred.contains(person));
            let delegates = place.could.iter().filter_map(|person| state.delegate_of(*person, now));
            let delegates: Vec<PersonId> = delegates.filter(could).collect();
            place.could.extend(delegates);
            place.could.sort_unstable();
            place.could.dedup();
        }
        let unfillable = self.unfillable(&electorate, now);
        Outlook { missing, unfillable, policy_changed: requirement.digest() != self.requirement_sha256 }
    }

    /// Whether the request waits for this person's vote at `now`, in their own place or in that of somebody who delegated it.
    #[must_use]
    pub fn waits_for(&self, state: &State, (person, now): (PersonId, Time)) -> bool {
        let outlook = self.outlook(state, now);
        !outlook.is_stuck() && outlook.missing.iter().any(|place| place.could.contains(&person))
    }

    /// Places of the quorum that would stay empty if everybody who can agree did.
    pub(super) fn unfillable(&self, electorate: &Electorate<'_>, now: Time) -> Vec<Missing> {
        if self.unfilled(electorate).is_empty() {
            return Vec::new();
        }
        let mut best = electorate.everybody(now);
        best.retain(|person| !self.is_involved(electorate, *person));
        best.extend(self.seated(electorate));
        electorate.requirement.unfilled(electorate.policy, &best)
    }
}

/// Whoever voted takes it back, also when the rules or the groups have changed since: it only ever makes less happen.
pub(crate) fn revoke_vote(state: &State, cx: &Context, id: ApprovalId) -> Result<Vec<Event>, Refusal> {
    let approval = state.approval(id).ok_or(Refusal::NotFound)?;
    let voter = cx.actor.person().ok_or(Refusal::NotAPerson)?;
    if !approval.votes.iter().any(|vote| vote.person == voter) {
        return Err(Refusal::NotVoted);
    }
    if let Some(refusal) = approval.ended_refusal(cx.now) {
        return Err(refusal);
    }
    let mut after = approval.clone();
    after.votes.retain(|vote| vote.person != voter);
    let enough = state.policy().is_some_and(|in_force| {
        let requirement = in_force.policy.requirement(&approval.action);
        requirement.is_some_and(|requirement| after.missing(state, in_force, &requirement).is_empty())
    });
    let reopened = approval.approved.is_some() && !enough;
    Ok(Vec::from([approval.event(cx, Fact::ApprovalVoteRevoked(id, VoteRevoked { reopened }))]))
}

pub(super) fn apply(state: &mut State, event: &Event) {
    match &event.fact {
        Fact::ApprovalVoteRevoked(id, VoteRevoked { reopened }) => {
            let Some(voter) = event.actor.person() else { return };
            state.change::<Approval>(id, |approval| {
                approval.drop_votes(|vote| vote.person == voter);
                approval.approved = approval.approved.filter(|_| !reopened);
            });
        }
        Fact::ApprovalEscalated(id, _) => {
            state.change::<Approval>(id, |approval| approval.escalated_at = Some(event.at));
        }
        _ => {}
    }
}
