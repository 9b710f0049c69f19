//! Whose agreement counts for a request: people who are active, and neither the requester nor an author the rules exclude, whichever of
//! their accounts they use. Which groups they must be in is the requirement's to say.

use alloc::collections::BTreeSet;

use super::Vote;
use crate::id::PersonId;
use crate::log::PolicyInForce;
use crate::person::Person;
use crate::policy::{Policy, Requirement};
use crate::sabotage::{self, Sabotage};
use crate::state::State;
use crate::time::Time;

/// Those whose agreement counts.
pub(super) struct Electorate<'a> {
    state: &'a State,
    pub(super) policy: &'a Policy,
    pub(super) requirement: &'a Requirement,
    /// The humans behind the requester and behind the authors of rules that are independent of theirs.
    requester: PersonId,
    authors: BTreeSet<PersonId>,
}

impl<'a> Electorate<'a> {
    /// For a request of this person under what is demanded.
    pub(super) fn new(
        state: &'a State,
        in_force: &'a PolicyInForce,
        (requester, requirement): (PersonId, &'a Requirement),
    ) -> Self {
        let policy = &in_force.policy;
        let authors =
            in_force.authors_of(requirement).into_iter().map(|author| policy.human(author)).collect();
        Self { state, policy, requirement, requester: policy.human(requester), authors }
    }

    /// Whether the person is the author of a rule for which their agreement does not count.
    pub(super) fn is_author(&self, person: PersonId) -> bool {
        self.authors.contains(&self.policy.human(person))
    }

    /// Whether the person's agreement counts.
    pub(super) fn counts(&self, person: PersonId) -> bool {
        let other =
            self.policy.human(person) != self.requester || sabotage::is_active(Sabotage::SelfApproval);
        let active = self.state.person(person).is_some_and(Person::is_active);
        other && !self.is_author(person) && (active || sabotage::is_active(Sabotage::DeactivatedVotes))
    }

    /// Whether the person's agreement would count if they gave it: they also have a key to sign with, where that is demanded.
    pub(super) fn could_count(&self, person: PersonId) -> bool {
        self.counts(person)
            && self.state.person(person).is_some_and(|person| person.can_sign(self.requirement.signature))
    }

    /// Everybody whose agreement would count if they gave it at `now`, nobody's delegates but their own.
    pub(super) fn everybody(&self, now: Time) -> BTreeSet<PersonId> {
        let barred = self.stand_ins(now);
        let could = |person: &PersonId| self.could_count(*person) && !barred.contains(person);
        self.state.people().map(|(id, _)| *id).filter(could).collect()
    }

    /// Whoever stands in for the requester at `now`.
    pub(super) fn stand_ins(&self, now: Time) -> BTreeSet<PersonId> {
        let accounts = self.policy.accounts(self.requester);
        accounts.into_iter().filter_map(|account| self.state.delegate_of(account, now)).collect()
    }

    /// Whether the vote counts now: whoever gave it, whoever it was given for, and the signature.
    pub(super) fn lets_stand(&self, vote: &Vote) -> bool {
        self.counts(vote.person) && self.counts(vote.seat()) && self.is_well_signed(vote)
    }

    /// Whether the vote is signed as the rules say, with a key that is in force.
    pub(super) fn is_well_signed(&self, vote: &Vote) -> bool {
        vote.is_well_signed(self.state, self.requirement.signature)
    }

    /// Whether the human gave the vote, or it was given in their place, by whatever account.
    pub(super) fn is_part_of(&self, person: PersonId, vote: &Vote) -> bool {
        [vote.person, vote.seat()].into_iter().any(|other| self.policy.are_one(other, person))
    }
}
