//! What people said of a request, heard again in its order: who agreed, took that back, or disagreed, and what it comes to.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::Request;
use crate::digest::Digest;
use crate::id::PersonId;
use crate::policy::{Comment, Policy, Requirement};
use crate::signature::{Algorithm, Signing};
use crate::time::Time;

/// Something that was said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    pub person: PersonId,
    pub at: Time,
    pub said: Said,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Said {
    /// In whose place, whether with a reason, with which key, if it was signed, and whether they had just proved who they are.
    Agreed { seat: PersonId, commented: bool, key: Option<Digest>, fresh: bool },
    /// What they agreed to before.
    TookBack,
    /// Whether or not that ended it.
    Disagreed,
}

/// Voting keys as they were enrolled.
pub(super) type Keys = BTreeMap<Digest, Algorithm>;

/// What was said comes to this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Unmet,
    Met(Time),
    Denied(Time),
}

/// Who agrees, in whose place, and who disagrees.
#[derive(Clone, Debug, Default)]
pub(super) struct Voices {
    votes: BTreeMap<PersonId, PersonId>,
    against: BTreeSet<PersonId>,
}

impl Voices {
    /// Whether votes were lost by it.
    pub(super) fn disagree(&mut self, person: PersonId) -> bool {
        let before = self.votes.len();
        self.votes.retain(|voter, seat| *voter != person && *seat != person);
        self.against.insert(person);
        self.votes.len() < before
    }

    pub(super) fn agree(&mut self, (person, seat): (PersonId, PersonId)) {
        self.against.remove(&person);
        self.votes
            .retain(|voter, theirs| ![person, seat].contains(voter) && ![person, seat].contains(theirs));
        self.votes.insert(person, seat);
    }

    pub(super) fn take_back(&mut self, person: PersonId) {
        self.votes.remove(&person);
    }

    fn seats(&self) -> BTreeSet<PersonId> {
        self.votes.values().copied().collect()
    }

    /// Whether somebody else acts for one of these humans already.
    fn are_taken(&self, policy: &Policy, (person, seat): (PersonId, PersonId)) -> bool {
        let meets = |other: PersonId| policy.are_one(other, person) || policy.are_one(other, seat);
        self.votes.iter().any(|(voter, theirs)| *voter != person && (meets(*voter) || meets(*theirs)))
    }
}

/// Hears again, under a policy and what it demands.
#[derive(Clone, Copy)]
pub(super) struct Hearing<'a> {
    pub policy: &'a Policy,
    pub requirement: &'a Requirement,
    pub keys: &'a Keys,
}

impl Hearing<'_> {
    /// What was said until then, that moment included, comes to this. What is said after the end is not heard.
    pub(super) fn outcome(self, request: &Request, until: Option<Time>) -> Outcome {
        let Self { policy, requirement, .. } = self;
        let pending_until = request.at.plus_seconds(requirement.pending_seconds.get());
        let (mut voices, mut met) = (Voices::default(), None::<Time>);
        for word in request.words.iter().filter(|word| until.is_none_or(|until| word.at <= until)) {
            let approved_until = met.map(|met| met.plus_seconds(requirement.approved_seconds.get()));
            if word.at >= approved_until.unwrap_or(pending_until) {
                break;
            }
            match word.said {
                Said::Agreed { seat, .. } => {
                    let pair = (word.person, seat);
                    if self.counts(request, word) && !voices.are_taken(policy, pair) {
                        voices.agree(pair);
                    }
                }
                Said::TookBack => voices.take_back(word.person),
                Said::Disagreed => {
                    if !self.is_asked(request, word.person) {
                        continue;
                    }
                    let lost = voices.disagree(word.person);
                    let humans = voices.against.iter().map(|person| policy.human(*person));
                    let humans = humans.collect::<BTreeSet<_>>().len();
                    if u32::try_from(humans).is_ok_and(|humans| humans >= requirement.denials.get()) {
                        return Outcome::Denied(word.at);
                    }
                    // Whoever loses a vote by disagreement waits for its quorum anew.
                    met = met.filter(|_| !lost);
                }
            }
            let enough = requirement.unfilled(policy, &voices.seats()).is_empty();
            met = if enough { met.or(Some(word.at)) } else { None };
        }
        met.map_or(Outcome::Unmet, Outcome::Met)
    }

    fn is_asked(self, request: &Request, person: PersonId) -> bool {
        !self.policy.are_one(person, request.requester) && self.requirement.may_approve(self.policy, person)
    }

    /// Whether the agreement would have been taken.
    fn counts(self, request: &Request, word: &Word) -> bool {
        let Said::Agreed { seat, commented, key, .. } = word.said else { return false };
        let Self { policy, requirement, .. } = self;
        self.is_asked(request, seat)
            && !policy.are_one(word.person, request.requester)
            && (commented || requirement.comment == Comment::Optional)
            && self.is_signed(key)
    }

    /// A signature by a key of which nothing is known is taken for good, and said to be unknown.
    fn is_signed(self, key: Option<Digest>) -> bool {
        match (self.requirement.signature, key) {
            (Signing::NotRequired, _) => true,
            (_, None) => false,
            (demanded, Some(key)) => {
                self.keys.get(&key).is_none_or(|algorithm| demanded.is_met_by(Some(*algorithm)))
            }
        }
    }

    /// What nobody can say of the request from what is on record.
    pub(super) fn unknown(self, request: &Request) -> Vec<&'static str> {
        let mut unknown = Vec::new();
        let keys = request.words.iter().filter_map(|word| match word.said {
            Said::Agreed { key, .. } => key,
            _ => None,
        });
        let mut strange = keys.filter(|key| !self.keys.contains_key(key));
        if self.requirement.signature == Signing::Hardware && strange.next().is_some() {
            unknown.push("whether those who signed did so in hardware: their keys were enrolled before");
        }
        let stale = |word: &Word| matches!(word.said, Said::Agreed { fresh: false, .. });
        if self.requirement.fresh_seconds.is_some() && request.words.iter().any(stale) {
            unknown.push("whether those who agreed had just proved who they are: nobody asked");
        }
        let agreed = request.words.iter().any(|word| matches!(word.said, Said::Agreed { .. }));
        if agreed && !self.requirement.independent.is_empty() {
            unknown.push("whether those who agreed are authors of the rules: these are not in force yet");
        }
        unknown
    }
}
