//! Who is in which group, and which accounts are one human, read off the policy's text.

use alloc::collections::BTreeSet;

use crate::id::PersonId;
use crate::policy::Policy;
use crate::text::Name;

/// Every group the person is in: those that name them, those into which one of these is nested, and so on, until none is added.
pub(super) fn groups_of(policy: &Policy, person: PersonId) -> BTreeSet<&Name> {
    let naming = policy.groups.iter().filter(|(_, members)| members.contains(&person));
    let mut theirs: BTreeSet<&Name> = naming.map(|(group, _)| group).collect();
    loop {
        let outer =
            policy.nested.iter().filter(|(_, inner)| inner.iter().any(|group| theirs.contains(group)));
        let more: BTreeSet<&Name> =
            outer.map(|(group, _)| group).filter(|group| !theirs.contains(group)).collect();
        if more.is_empty() {
            return theirs;
        }
        theirs.extend(more);
    }
}

/// The account that stands for the human: of those linked to this one the least, itself among them.
pub(super) fn human(policy: &Policy, person: PersonId) -> PersonId {
    let together = policy.linked.iter().filter(|accounts| accounts.contains(&person));
    together.flatten().copied().min().unwrap_or(person)
}

/// Whether the two accounts are one human's.
pub(super) fn are_one(policy: &Policy, one: PersonId, other: PersonId) -> bool {
    human(policy, one) == human(policy, other)
}

/// Everybody whom the policy names.
pub(super) fn everybody(policy: &Policy) -> BTreeSet<PersonId> {
    let owners = policy.workloads.iter().map(|workload| workload.owner);
    policy.groups.values().chain(policy.linked.iter()).flatten().copied().chain(owners).collect()
}
