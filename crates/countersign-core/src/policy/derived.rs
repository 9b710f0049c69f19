//! Parts of a policy with what follows from them, worked out once when the policy is read or put in force: no question has to walk
//! through groups in groups, or search through everybody's accounts.
//!
//! What follows is neither written nor compared. Whoever changes such a part loses it, and questions are then answered by walking.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;
use core::ops::{Deref, DerefMut};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::PersonId;
use crate::text::Name;

/// Most groups named inside others: whoever sends a policy must not make the server work out more than that before it is refused.
pub(super) const MOST_NESTED: usize = 1024;

/// Groups, and the groups whose members are members of theirs too.
pub type Nested = Derived<BTreeMap<Name, BTreeSet<Name>>>;

/// Accounts that belong to one human, each human a set.
pub type Linked = Derived<Vec<BTreeSet<PersonId>>>;

/// Something from which something else follows.
pub trait Source {
    /// What follows.
    type Derived: Clone;

    /// Works it out, unless that would be too much.
    fn derive(&self) -> Option<Self::Derived>;
}

/// A part of a policy, with what follows from it.
///
/// Behind a pointer, so that a policy, and every command that carries one, is no larger for it.
#[derive(Clone)]
pub struct Derived<T: Source>(Box<Parts<T>>);

#[derive(Clone)]
struct Parts<T: Source> {
    written: T,
    derived: Option<T::Derived>,
}

impl Source for BTreeMap<Name, BTreeSet<Name>> {
    /// Every group that a group leads to.
    type Derived = BTreeMap<Name, Vec<Name>>;

    fn derive(&self) -> Option<Self::Derived> {
        let few = self.values().map(BTreeSet::len).sum::<usize>() <= MOST_NESTED;
        let within = |group: &Name| (group.clone(), walk(self, group).into_iter().cloned().collect());
        few.then(|| self.keys().map(within).collect())
    }
}

impl Source for Vec<BTreeSet<PersonId>> {
    /// Where the accounts of the same human stand.
    type Derived = BTreeMap<PersonId, usize>;

    fn derive(&self) -> Option<Self::Derived> {
        let mut positions = BTreeMap::new();
        for (position, accounts) in self.iter().enumerate() {
            for account in accounts {
                positions.entry(*account).or_insert(position);
            }
        }
        Some(positions)
    }
}

/// The groups that a group leads to, each once, whatever circles there are.
fn walk<'a>(nested: &'a BTreeMap<Name, BTreeSet<Name>>, group: &Name) -> BTreeSet<&'a Name> {
    let mut found = BTreeSet::new();
    let mut open = Vec::from([group]);
    while let Some(next) = open.pop() {
        for inner in nested.get(next).into_iter().flatten() {
            if found.insert(inner) {
                open.push(inner);
            }
        }
    }
    found
}

impl Nested {
    /// The groups that a group leads to, itself only if it is in a circle.
    pub(super) fn within(&self, group: &Name) -> Vec<&Name> {
        match &self.0.derived {
            Some(within) => within.get(group).into_iter().flatten().collect(),
            None => walk(&self.0.written, group).into_iter().collect(),
        }
    }
}

impl Linked {
    /// All accounts of the human, if there are several.
    pub(super) fn accounts(&self, person: PersonId) -> Option<&BTreeSet<PersonId>> {
        match &self.0.derived {
            Some(positions) => self.0.written.get(*positions.get(&person)?),
            None => self.0.written.iter().find(|accounts| accounts.contains(&person)),
        }
    }

    /// The human behind an account, by the first of their accounts.
    pub(super) fn human(&self, person: PersonId) -> PersonId {
        self.accounts(person).and_then(BTreeSet::first).copied().unwrap_or(person)
    }
}

impl<T: Source> From<T> for Derived<T> {
    fn from(written: T) -> Self {
        let derived = written.derive();
        Self(Box::new(Parts { written, derived }))
    }
}

impl<T: Source + Default> Default for Derived<T> {
    fn default() -> Self {
        T::default().into()
    }
}

impl<T: Source> Deref for Derived<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.written
    }
}

impl<T: Source> DerefMut for Derived<T> {
    fn deref_mut(&mut self) -> &mut T {
        // Whatever is changed now, what was worked out would not know of it.
        self.0.derived = None;
        &mut self.0.written
    }
}

impl<T: Source + PartialEq> PartialEq for Derived<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.written == other.0.written
    }
}

impl<T: Source + Eq> Eq for Derived<T> {}

impl<T: Source + fmt::Debug> fmt::Debug for Derived<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.written.fmt(f)
    }
}

impl<T: Source + Serialize> Serialize for Derived<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.written.serialize(serializer)
    }
}

impl<'de, T: Source + Deserialize<'de>> Deserialize<'de> for Derived<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A changed part answers as one that was read with the change in it.
    #[test]
    fn what_follows_is_what_walking_finds() {
        let names: Vec<Name> = ["a", "b", "c", "d"].iter().map(|name| name.parse().unwrap()).collect();
        for drawn in 0..1_u32 << 12 {
            let mut written: BTreeMap<Name, BTreeSet<Name>> = BTreeMap::new();
            let pairs = (0..4).flat_map(|outer| (0..4).map(move |inner| (outer, inner)));
            for (bit, (outer, inner)) in pairs.filter(|(outer, inner)| outer != inner).enumerate() {
                if drawn >> bit & 1 == 1 {
                    written.entry(names[outer].clone()).or_default().insert(names[inner].clone());
                }
            }
            let read = Nested::from(written.clone());
            let mut changed = Nested::default();
            *changed = written;
            assert!(read.0.derived.is_some() && changed.0.derived.is_none());
            for group in &names {
                assert_eq!(read.within(group), changed.within(group), "{read:?}");
            }
        }
    }

    #[test]
    fn an_account_stands_for_its_human_either_way() {
        let read = Linked::from(Vec::from([[2, 3].map(PersonId).into(), [5, 4].map(PersonId).into()]));
        let mut changed = Linked::default();
        changed.extend(read.iter().cloned());
        for (person, human) in [(1, 1), (2, 2), (3, 2), (4, 4), (5, 4)] {
            assert_eq!(read.human(PersonId(person)), PersonId(human));
            assert_eq!(changed.human(PersonId(person)), PersonId(human));
        }
    }

    #[test]
    fn too_much_is_not_worked_out() {
        let name = |number: usize| -> Name { alloc::format!("group-{number}").parse().unwrap() };
        let chain = |length: usize| -> BTreeMap<Name, BTreeSet<Name>> {
            (0..length).map(|at| (name(at), [name(at + 1)].into())).collect()
        };
        assert!(Nested::from(chain(MOST_NESTED)).0.derived.is_some());
        assert!(Nested::from(chain(MOST_NESTED + 1)).0.derived.is_none());
    }
}
