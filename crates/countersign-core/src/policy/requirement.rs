//! What all matching rules demand together: the strictest of each, whatever their order.
//!
//! Requesters and executors intersect, quorums accumulate, lifetimes take the minimum, *required* beats *not-required*
//! (design, section 4, "Merging rules").

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{Breakable, Comment, Consent, Escalate, Issuable, Policy, Quorum, Rule};
use crate::digest::Digest;
use crate::id::PersonId;
use crate::signature::Signing;
use crate::text::Name;

/// What an action demands under the policy in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The rules that matched, by name.
    pub rules: BTreeSet<Name>,
    /// A requester must be in at least one group of each set.
    pub requesters: BTreeSet<BTreeSet<Name>>,
    /// An executor must be in at least one group of each set.
    pub executors: BTreeSet<BTreeSet<Name>>,
    /// Whether people must agree.
    pub approval: Consent,
    /// How many of whom.
    pub quorum: Quorum,
    /// How many people must disagree to end a request.
    pub denials: NonZeroU32,
    /// Whether people must say why they agree.
    pub comment: Comment,
    /// Those of the rules for which their author's agreement does not count.
    pub independent: BTreeSet<Name>,
    /// How long a request waits for its quorum, seconds.
    pub pending_seconds: NonZeroU32,
    /// How long a complete approval waits to be used, seconds.
    pub approved_seconds: NonZeroU32,
    /// How long a reserved permit waits to be started, seconds.
    pub start_seconds: NonZeroU32,
    /// How long the work may take once started, seconds.
    pub work_seconds: NonZeroU32,
    /// How people must sign what they agree to.
    pub signature: Signing,
    /// Who else is told when nobody votes in time.
    pub escalate: Option<Escalate>,
    /// How often the executor must say that the work goes on, seconds; not at all unless given.
    pub heartbeat_seconds: Option<NonZeroU32>,
    /// How long ago a voter may have proved who they are for exactly this vote, seconds; nobody must unless given.
    pub fresh_seconds: Option<NonZeroU32>,
    /// Who may act without anybody's consent, if all rules offer that.
    pub break_glass: Option<Breakable>,
    /// What a service token may do that is issued under it, if all rules offer that.
    pub tokens: Option<Issuable>,
}

/// A group that has not yet agreed enough, and who of it still could.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The group.
    pub group: Name,
    /// How many more of its members are needed, at least 1.
    pub needed: u32,
    /// Who could still agree.
    pub could: Vec<PersonId>,
}

impl Requirement {
    pub(super) fn merge<'a>(rules: impl Iterator<Item = &'a Rule>) -> Option<Self> {
        rules.map(Self::of).reduce(Self::and)
    }

    fn of(rule: &Rule) -> Self {
        Self {
            rules: BTreeSet::from([rule.name.clone()]),
            requesters: BTreeSet::from([rule.requesters.clone()]),
            executors: BTreeSet::from([rule.executors.clone()]),
            approval: rule.approval,
            quorum: rule.quorum.clone(),
            denials: rule.denials,
            comment: rule.comment,
            independent: rule.independent_of_author.then(|| rule.name.clone()).into_iter().collect(),
            pending_seconds: rule.pending_seconds,
            approved_seconds: rule.approved_seconds,
            start_seconds: rule.start_seconds,
            work_seconds: rule.work_seconds,
            signature: rule.signature,
            escalate: rule.escalate.clone(),
            heartbeat_seconds: rule.heartbeat_seconds,
            fresh_seconds: rule.fresh_seconds,
            break_glass: rule.break_glass.as_ref().map(Breakable::of),
            tokens: rule.tokens.as_ref().map(Issuable::of),
        }
    }

    fn and(mut self, other: Self) -> Self {
        self.rules.extend(other.rules);
        self.requesters.extend(other.requesters);
        self.executors.extend(other.executors);
        self.independent.extend(other.independent);
        for (group, count) in other.quorum {
            self.quorum.entry(group).and_modify(|mine| *mine = (*mine).max(count)).or_insert(count);
        }
        Self {
            approval: self.approval.max(other.approval),
            denials: self.denials.min(other.denials),
            comment: self.comment.max(other.comment),
            pending_seconds: self.pending_seconds.min(other.pending_seconds),
            approved_seconds: self.approved_seconds.min(other.approved_seconds),
            start_seconds: self.start_seconds.min(other.start_seconds),
            work_seconds: self.work_seconds.min(other.work_seconds),
            signature: self.signature.max(other.signature),
            escalate: Escalate::both(self.escalate, other.escalate),
            heartbeat_seconds: self.heartbeat_seconds.into_iter().chain(other.heartbeat_seconds).min(),
            fresh_seconds: self.fresh_seconds.into_iter().chain(other.fresh_seconds).min(),
            break_glass: Breakable::both(self.break_glass, other.break_glass),
            tokens: Issuable::both(self.tokens, other.tokens),
            ..self
        }
    }

    /// Identifies the demand: two requirements have the same digest exactly if they demand the same.
    ///
    /// SHA-256 of a line per fact; names cannot contain the separators. Who is a member is not part of it: that is checked at each use.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut text = String::with_capacity(256);
        text.push_str("countersign/requirement/v1\n");
        push_line(&mut text, "rule", &self.rules);
        self.requesters.iter().for_each(|set| push_line(&mut text, "request", set));
        self.executors.iter().for_each(|set| push_line(&mut text, "execute", set));
        for (group, count) in &self.quorum {
            text.push_str(&format!("quorum {group}:{count}\n"));
        }
        let Self { approval, pending_seconds, approved_seconds, start_seconds, work_seconds, .. } = self;
        text.push_str(&format!(
            "approval {approval}\nseconds {pending_seconds} {approved_seconds} {start_seconds} {work_seconds}\n"
        ));
        if self.denials > NonZeroU32::MIN {
            text.push_str(&format!("denials {}\n", self.denials));
        }
        if self.comment == Comment::Required {
            text.push_str("comment required\n");
        }
        if !self.signature.is_not_required() {
            text.push_str(&format!("signature {}\n", self.signature));
        }
        if !self.independent.is_empty() {
            push_line(&mut text, "independent-of-author", &self.independent);
        }
        self.escalate.iter().for_each(|escalate| text.push_str(&escalate.line()));
        if let Some(seconds) = self.heartbeat_seconds {
            text.push_str(&format!("heartbeat {seconds}\n"));
        }
        if let Some(seconds) = self.fresh_seconds {
            text.push_str(&format!("fresh {seconds}\n"));
        }
        self.break_glass.iter().for_each(|offer| text.push_str(&offer.line()));
        self.tokens.iter().for_each(|offer| text.push_str(&offer.line()));
        Digest::of(text.as_bytes())
    }

    /// Whether the person may ask.
    #[must_use]
    pub fn may_request(&self, policy: &Policy, person: PersonId) -> bool {
        in_each(&self.requesters, policy, person)
    }

    /// Whether the person may execute.
    #[must_use]
    pub fn may_execute(&self, policy: &Policy, person: PersonId) -> bool {
        in_each(&self.executors, policy, person)
    }

    /// Whether the person is in a group whose agreement is demanded.
    #[must_use]
    pub fn may_approve(&self, policy: &Policy, person: PersonId) -> bool {
        self.quorum.keys().any(|group| policy.is_member(group, person))
    }

    /// The places of the quorum that `voters` leave empty; none if the quorum is met. `could` is left empty.
    #[must_use]
    pub fn unfilled(&self, policy: &Policy, voters: &BTreeSet<PersonId>) -> Vec<Missing> {
        unfilled(policy, &self.quorum, voters)
    }
}

/// The places of a quorum that `voters` leave empty; none if it is met. `could` is left empty.
///
/// A human fills one place only, however many groups they are in and accounts they have. Places are assigned by augmenting paths
/// (maximum bipartite matching), so nobody is wasted on a group that somebody else could fill.
pub(crate) fn unfilled(policy: &Policy, quorum: &Quorum, voters: &BTreeSet<PersonId>) -> Vec<Missing> {
    let places: Vec<&Name> =
        quorum.iter().flat_map(|(group, count)| (0..count.get()).map(move |_| group)).collect();
    let humans = |group: &Name| {
        voters
            .iter()
            .filter(|voter| policy.is_member(group, **voter))
            .map(|voter| policy.human(*voter))
            .collect()
    };
    let voters = quorum.keys().map(|group| (group, humans(group))).collect();
    let seating = Seating { places: &places, voters };
    let mut seated: BTreeMap<PersonId, usize> = BTreeMap::new();
    let mut missing: BTreeMap<&Name, u32> = BTreeMap::new();
    for (place, &group) in places.iter().enumerate() {
        if !seat(&seating, place, &mut seated, &mut BTreeSet::new()) {
            *missing.entry(group).or_default() += 1;
        }
    }
    missing
        .into_iter()
        .map(|(group, needed)| Missing { group: group.clone(), needed, could: Vec::new() })
        .collect()
}

/// One fact of the text whose digest identifies a requirement: a word and names.
fn push_line(text: &mut String, word: &str, names: &BTreeSet<Name>) {
    text.push_str(word);
    for (position, name) in names.iter().enumerate() {
        text.push(if position == 0 { ' ' } else { ',' });
        text.push_str(name.as_str());
    }
    if names.is_empty() {
        text.push(' ');
    }
    text.push('\n');
}

fn in_each(sets: &BTreeSet<BTreeSet<Name>>, policy: &Policy, person: PersonId) -> bool {
    sets.iter().all(|groups| groups.iter().any(|group| policy.is_member(group, person)))
}

struct Seating<'a> {
    places: &'a [&'a Name],
    /// The humans of each group who agree.
    voters: BTreeMap<&'a Name, BTreeSet<PersonId>>,
}

/// Seats somebody at `place`, moving others to another place of theirs where that helps.
fn seat(
    seating: &Seating<'_>,
    place: usize,
    seated: &mut BTreeMap<PersonId, usize>,
    asked: &mut BTreeSet<PersonId>,
) -> bool {
    let Some(group) = seating.places.get(place) else { return false };
    for &voter in seating.voters.get(group).into_iter().flatten() {
        if !asked.insert(voter) {
            continue;
        }
        let free = match seated.get(&voter).copied() {
            None => true,
            Some(held) => seat(seating, held, seated, asked),
        };
        if free {
            seated.insert(voter, place);
            return true;
        }
    }
    false
}
