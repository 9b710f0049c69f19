//! What the policy lets whom do: each right of each rule, through each group, for each person.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::id::PersonId;
use countersign_core::policy::{Policy, Rule};
use countersign_core::text::Name;

use super::{Count, MOST_RIGHTS};

/// What somebody may do under a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Read the ledger and the records.
    Read,
    /// Ask for an approval.
    Request,
    /// Agree.
    Approve,
    /// Execute.
    Execute,
    /// Act without anybody's consent.
    BreakGlass,
    /// Say whether that was right.
    Review,
}

impl Right {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Request => "request",
            Self::Approve => "approve",
            Self::Execute => "execute",
            Self::BreakGlass => "break-glass",
            Self::Review => "review",
        }
    }

    /// Whether the log tells that it was used: who reads leaves no entry.
    #[must_use]
    pub fn is_on_record(self) -> bool {
        self != Self::Read
    }
}

/// A right that somebody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What.
    pub right: Right,
    /// Its rule; none for reading.
    pub rule: Option<Name>,
    /// The rule's verb, resource and environment.
    pub of: [String; 3],
    /// The group that the rule names.
    pub group: Name,
    /// Groups inside that one in which the person is named; none if they are named in it.
    pub through: Vec<Name>,
    /// Who has it.
    pub person: PersonId,
    /// How often it was used, where that is on record.
    pub used: Option<Count>,
}

/// Every right; nothing if there are too many.
pub(super) fn all(policy: &Policy, environment: Option<&Name>) -> Option<Vec<Held>> {
    let groups = Groups::of(policy);
    let mut all = Vec::new();
    for group in &policy.access.read {
        let of = ["*"; 3].map(ToOwned::to_owned);
        groups.give(&mut all, group, |group, person, through| Held {
            right: Right::Read,
            rule: None,
            of: of.clone(),
            group,
            through,
            person,
            used: None,
        })?;
    }
    for rule in &policy.rules {
        let of = [rule.verb.to_string(), rule.resource.to_string(), rule.environment.to_string()];
        let is_there = |environment: &Name| of[2] == "*" || of[2] == environment.as_str();
        if !environment.is_none_or(is_there) {
            continue;
        }
        for (right, group) in given(rule) {
            groups.give(&mut all, group, |group, person, through| Held {
                right,
                rule: Some(rule.name.clone()),
                of: of.clone(),
                group,
                through,
                person,
                used: None,
            })?;
        }
    }
    Some(all)
}

/// Which groups a rule gives which rights.
fn given(rule: &Rule) -> impl Iterator<Item = (Right, &Name)> {
    let glass = rule.break_glass.iter();
    let requesters = rule.requesters.iter().map(|group| (Right::Request, group));
    let approvers = rule.quorum.keys().map(|group| (Right::Approve, group));
    let executors = rule.executors.iter().map(|group| (Right::Execute, group));
    let by = glass.clone().flat_map(|it| &it.by).map(|group| (Right::BreakGlass, group));
    let reviewers = glass.flat_map(|it| it.review.keys()).map(|group| (Right::Review, group));
    requesters.chain(approvers).chain(executors).chain(by).chain(reviewers)
}

/// Who is in which group, and through which groups inside it.
struct Groups(BTreeMap<Name, BTreeMap<PersonId, Vec<Name>>>);

impl Groups {
    fn of(policy: &Policy) -> Self {
        let members = |group: &Name| {
            let inner = within(policy, group);
            let named = |group: &Name, person: PersonId| {
                policy.groups.get(group).is_some_and(|it| it.contains(&person))
            };
            let through = |person: PersonId| {
                let direct = named(group, person);
                let inner = inner.iter().filter(|inner| !direct && named(inner, person)).cloned();
                (person, inner.collect())
            };
            (group.clone(), policy.members(group).into_iter().map(through).collect())
        };
        Self(policy.groups.keys().chain(policy.nested.keys()).map(members).collect())
    }

    fn give(
        &self,
        all: &mut Vec<Held>,
        group: &Name,
        held: impl Fn(Name, PersonId, Vec<Name>) -> Held,
    ) -> Option<()> {
        let members = self.0.get(group).into_iter().flatten();
        for (person, through) in members {
            if all.len() >= MOST_RIGHTS {
                return None;
            }
            all.push(held(group.clone(), *person, through.clone()));
        }
        Some(())
    }
}

/// Every group that a group leads to, itself left out.
fn within(policy: &Policy, group: &Name) -> BTreeSet<Name> {
    let (mut found, mut open) = (BTreeSet::new(), vec![group]);
    while let Some(next) = open.pop() {
        for inner in policy.nested.get(next).into_iter().flatten() {
            if inner != group && found.insert(inner.clone()) {
                open.push(inner);
            }
        }
    }
    found
}
