//! One action for every way in which rules meet: where only one applies, and where two or more do.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

use crate::action::{Action, Resource};
use crate::policy::{NamePattern, ResourcePattern, Rule};
use crate::text::Name;

/// A name that stands for all that no rule spells out.
const OTHER: &str = "any-other";

/// The different sets of rules that apply to some action, each with such an action.
///
/// Actions are drawn from every rule by itself and from every two that overlap. Where three meet and no two do so without
/// the third, that is one of these; other meetings of three or more at which nothing new comes together are found by chance only.
pub(super) fn meetings(rules: &[Rule]) -> Vec<(BTreeSet<Name>, Action)> {
    let mut met: BTreeMap<BTreeSet<Name>, Action> = BTreeMap::new();
    for (position, first) in rules.iter().enumerate() {
        for second in rules.iter().skip(position) {
            let Some(action) = common(first, second) else { continue };
            let names = rules.iter().filter(|rule| rule.matches(&action)).map(|rule| rule.name.clone());
            met.entry(names.collect()).or_insert(action);
        }
    }
    met.into_iter().collect()
}

/// An action to which both apply.
fn common(first: &Rule, second: &Rule) -> Option<Action> {
    Some(Action {
        verb: name(&first.verb, &second.verb)?,
        resource: resource(&first.resource, &second.resource)?,
        environment: name(&first.environment, &second.environment)?,
    })
}

fn name(first: &NamePattern, second: &NamePattern) -> Option<Name> {
    match (first, second) {
        (NamePattern::Any, NamePattern::Any) => OTHER.parse().ok(),
        (NamePattern::Exactly(one), other) | (other, NamePattern::Exactly(one)) => {
            other.matches(one).then(|| one.clone())
        }
    }
}

fn resource(first: &ResourcePattern, second: &ResourcePattern) -> Option<Resource> {
    use ResourcePattern::{Any, Exactly, OfType};
    match (first, second) {
        (Exactly(one), other) | (other, Exactly(one)) => other.matches(one).then(|| one.clone()),
        (OfType(one), OfType(other)) if one != other => None,
        (OfType(kind), _) | (_, OfType(kind)) => format!("{kind}/{OTHER}").parse().ok(),
        (Any, Any) => format!("{OTHER}/{OTHER}").parse().ok(),
    }
}

/// Whether `wide` applies to everything that `narrow` applies to.
pub(super) fn covers(wide: &Rule, narrow: &Rule) -> bool {
    let name = |wide: &NamePattern, narrow: &NamePattern| match narrow {
        NamePattern::Any => matches!(wide, NamePattern::Any),
        NamePattern::Exactly(name) => wide.matches(name),
    };
    let resource = match (&wide.resource, &narrow.resource) {
        (wide, ResourcePattern::Exactly(resource)) => wide.matches(resource),
        (ResourcePattern::Any, _) => true,
        (ResourcePattern::OfType(wide), ResourcePattern::OfType(narrow)) => wide == narrow,
        _ => false,
    };
    resource && name(&wide.verb, &narrow.verb) && name(&wide.environment, &narrow.environment)
}
