//! Whose agreement counts for a request: people who are active, and neither the requester nor an author the rules exclude, whichever of
//! their accounts they use. Which groups they must be in is the requirement's to say.

use alloc::collections::BTreeSet;

use super::Vote;
use crate::id::PersonId;
use crate::log::PolicyInForce;
use crate::person::Person;
use crate::policy::{Policy, Requirement};
use crate::sabotage::{self, Sabotage};
use crate::signature::Signing;
use crate::state::State;
use crate::time::Time;

/// Those whose agreement counts.
pub(super) struct Electorate<'a> {
    state: &'a State,
    policy: &'a Policy,
    /// The humans behind the requester and behind the authors of rules that are independent of theirs.
    requester: PersonId,
    authors: BTreeSet<PersonId>,
    signing: Signing,
}

impl<'a> Electorate<'a> {
    /// For a request of this person under what is demanded.
    pub(super) fn new(
        state: &'a State,
        in_force: &'a PolicyInForce,
        (requester, requirement): (PersonId, &Requirement),
    ) -> Self {
        let policy = &in_force.policy;
        let authors =
            in_force.authors_of(requirement).into_iter().map(|author| policy.human(author)).collect();
        Self { state, policy, requester: policy.human(requester), authors, signing: requirement.signature }
    }

    /// Whether the person is the author of a rule for which their agreement does not count.
    pub(super) fn is_author(&self, person: PersonId) -> bool {
        self.authors.contains(&self.policy.human(person))
    }

    /// Whether the person's agreement counts.
    pub(super) fn counts(&self, person: PersonId) -> bool {
        let other =
            self.policy.human(person) != self.requester || sabotage::is_active(Sabotage::SelfApproval);
        other && !self.is_author(person) && self.state.person(person).is_some_and(Person::is_claimed)
    }

    /// Whether the person's agreement would count if they gave it: they also have a key to sign with, where that is demanded.
    pub(super) fn could_count(&self, person: PersonId) -> bool {
        self.counts(person) && self.state.person(person).is_some_and(|person| person.can_sign(self.signing))
    }

    /// Everybody whose agreement would count if they gave it at `now`, nobody's delegates but their own.
    pub(super) fn everybody(&self, now: Time) -> BTreeSet<PersonId> {
        let could =
            |person: &PersonId| self.could_count(*person) && !self.stands_in_for_requester(*person, now);
        self.state.people().map(|(id, _)| *id).filter(could).collect()
    }

    /// Whether the person stands in for the requester at `now`.
    pub(super) fn stands_in_for_requester(&self, person: PersonId, now: Time) -> bool {
        let accounts = self.policy.accounts(self.requester);
        accounts.into_iter().any(|account| self.state.is_delegate(person, (account, now)))
    }

    /// Who may agree in the person's place at `now`.
    pub(super) fn delegate_of(&self, person: PersonId, now: Time) -> Option<PersonId> {
        self.state.delegate_of(person, now)
    }

    /// Whether the vote counts now: whoever gave it, whoever it was given for, and the signature.
    pub(super) fn lets_stand(&self, vote: &Vote) -> bool {
        self.counts(vote.person) && self.counts(vote.seat()) && self.is_well_signed(vote)
    }

    /// Whether the vote is signed as the rules say, with a key that is in force.
    pub(super) fn is_well_signed(&self, vote: &Vote) -> bool {
        vote.is_well_signed(self.state, self.signing)
    }

    /// Whether the human gave the vote, or it was given in their place, by whatever account.
    pub(super) fn is_part_of(&self, person: PersonId, vote: &Vote) -> bool {
        let human = self.policy.human(person);
        [vote.person, vote.seat()].into_iter().any(|other| self.policy.human(other) == human)
    }
}
