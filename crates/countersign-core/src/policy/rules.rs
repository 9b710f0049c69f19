//! The rules of a policy, and where those for an action stand among them: deciding must not take longer because there are many others.
//!
//! The index follows from the rules, so it is neither written nor compared. Whoever changes the rules loses it, and they are then read one
//! after another; a policy that was read or put in force always has it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use core::ops::{Deref, DerefMut};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{NamePattern, ResourcePattern, Rule};
use crate::action::Action;
use crate::text::Name;

/// Up to so many rules are as quickly read one after another.
const FEW: usize = 16;

/// Positions of rules by resource, then by verb and environment.
type Index = BTreeMap<ResourcePattern, BTreeMap<(NamePattern, NamePattern), Vec<usize>>>;

/// Rules in the order of the file.
#[derive(Clone, Default)]
pub struct Rules {
    each: Vec<Rule>,
    index: Option<Index>,
}

impl Rules {
    /// The rules that apply to the action, in the order of the file.
    pub(super) fn matching(&self, action: &Action) -> Vec<&Rule> {
        match &self.index {
            Some(index) => {
                let mut positions = positions(index, action);
                positions.sort_unstable();
                positions.into_iter().filter_map(|position| self.each.get(position)).collect()
            }
            None => self.each.iter().filter(|rule| rule.matches(action)).collect(),
        }
    }
}

/// Where the rules for an action stand: under the action's own words and under every pattern that means them.
fn positions(index: &Index, action: &Action) -> Vec<usize> {
    let kind = action.resource.as_str().split_once('/').and_then(|(kind, _)| kind.parse::<Name>().ok());
    let resources = [
        Some(ResourcePattern::Exactly(action.resource.clone())),
        kind.map(ResourcePattern::OfType),
        Some(ResourcePattern::Any),
    ];
    let either = |name: &Name| [NamePattern::Exactly(name.clone()), NamePattern::Any];
    let mut found = Vec::new();
    for named in resources.into_iter().flatten().filter_map(|resource| index.get(&resource)) {
        for verb in either(&action.verb) {
            for environment in either(&action.environment) {
                found.extend(named.get(&(verb.clone(), environment)).into_iter().flatten());
            }
        }
    }
    found
}

impl From<Vec<Rule>> for Rules {
    fn from(each: Vec<Rule>) -> Self {
        if each.len() <= FEW {
            return Self { each, index: None };
        }
        let mut index = Index::new();
        for (position, Rule { verb, resource, environment, .. }) in each.iter().enumerate() {
            let named = index.entry(resource.clone()).or_default();
            named.entry((verb.clone(), environment.clone())).or_default().push(position);
        }
        Self { each, index: Some(index) }
    }
}

impl Deref for Rules {
    type Target = Vec<Rule>;

    fn deref(&self) -> &Vec<Rule> {
        &self.each
    }
}

impl DerefMut for Rules {
    fn deref_mut(&mut self) -> &mut Vec<Rule> {
        // Whatever is changed now, the index would not know of it.
        self.index = None;
        &mut self.each
    }
}

impl<'a> IntoIterator for &'a Rules {
    type Item = &'a Rule;
    type IntoIter = core::slice::Iter<'a, Rule>;

    fn into_iter(self) -> Self::IntoIter {
        self.each.iter()
    }
}

impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        self.each == other.each
    }
}

impl Eq for Rules {}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.each.fmt(f)
    }
}

impl Serialize for Rules {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.each.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Rules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::from)
    }
}
