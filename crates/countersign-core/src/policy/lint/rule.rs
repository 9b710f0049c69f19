//! A rule by itself: whether it changes anything, how much it applies to, and how long things may take.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use super::{Found, Severity, Words, meet};
use crate::policy::{Consent, Requirement, Rule};
use crate::text::Name;

/// A lifetime that is suspicious: the field, from how many seconds on, and why.
type Long = (&'static str, fn(&Rule) -> NonZeroU32, u32, &'static str);

const DAY: u32 = 86_400;

const LONG: [Long; 4] = [
    (
        "pending_seconds",
        |rule| rule.pending_seconds,
        30 * DAY,
        "who agrees so late hardly knows what it was about",
    ),
    (
        "approved_seconds",
        |rule| rule.approved_seconds,
        DAY,
        "what was agreed to may not be what is right by then",
    ),
    ("start_seconds", |rule| rule.start_seconds, DAY, "a permit is leave to do it now"),
    ("work_seconds", |rule| rule.work_seconds, 7 * DAY, "silence is noticed only when this has passed"),
];

impl Found<'_> {
    pub(super) fn rule(&mut self, rule: &Rule) {
        self.shadowed(rule);
        self.breadth(rule);
        for (field, of, most, why) in LONG {
            let seconds = of(rule).get();
            if seconds > most {
                let what = format!("{seconds} s is long: {why}");
                let right = format!("{most} or less");
                let words = Words { code: "long_lifetime", what, right: &right };
                self.add(Severity::Warning, format!("rules.{}.{field}", rule.name), words);
            }
        }
        self.freshness(rule);
        if rule.approval == Consent::Required && rule.pending_seconds.get() < 60 {
            let what = format!("{} s is short: nobody will have read the request", rule.pending_seconds);
            let words = Words { code: "short_lifetime", what, right: "minutes, or hours" };
            self.add(Severity::Warning, format!("rules.{}.pending_seconds", rule.name), words);
        }
    }

    /// Nobody proves who they are within some seconds, and somebody who did so long ago may have left.
    fn freshness(&mut self, rule: &Rule) {
        let Some(seconds) = rule.fresh_seconds else { return };
        let (code, why, right) = match seconds.get() {
            0..30 => ("short_lifetime", "short: nobody reads and agrees so fast", "a minute, or some"),
            901.. => {
                ("long_lifetime", "long: whoever proved who they are may have left by then", "900 or less")
            }
            _ => return,
        };
        let words = Words { code, what: format!("{seconds} s is {why}"), right };
        self.add(Severity::Warning, format!("rules.{}.fresh_seconds", rule.name), words);
    }

    /// Whether those rules that apply wherever this one does demand all that it demands.
    fn shadowed(&mut self, rule: &Rule) {
        let covering: Vec<&Rule> = self
            .policy
            .rules
            .iter()
            .filter(|other| other.name != rule.name && meet::covers(other, rule))
            .collect();
        let Some(without) = Requirement::merge(covering.iter().copied()) else { return };
        let Some(with) = Requirement::merge(covering.iter().copied().chain([rule])) else { return };
        if plain(with) != plain(without) {
            return;
        }
        let names: Vec<&str> = covering.iter().map(|rule| rule.name.as_str()).collect();
        let what = format!("the rule changes nothing: all it demands is demanded by {}", names.join(" and "));
        let words = Words { code: "shadowed", what, right: "remove it, or make it stricter than these" };
        self.add(Severity::Warning, format!("rules.{}", rule.name), words);
    }

    fn breadth(&mut self, rule: &Rule) {
        let (verb, resource, environment) =
            (rule.verb.is_open(), rule.resource.is_open(), rule.environment.is_open());
        let place = || format!("rules.{}", rule.name);
        if rule.approval == Consent::NotRequired && (verb || resource || environment) {
            let what = "a pattern lets actions pass without approval that nobody has thought of yet".into();
            let right = "name each action that needs no approval";
            self.add(Severity::Warning, place(), Words { code: "broad_and_free", what, right });
        } else if verb && resource && environment {
            let what = "the rule applies to every action, the replacement of the policy included".into();
            let right = "fine as a floor under all other rules; otherwise name what is meant";
            self.add(Severity::Note, place(), Words { code: "broad", what, right });
        }
    }
}

/// The demand without the names of its rules, and without sets of groups that another set implies.
fn plain(requirement: Requirement) -> Requirement {
    let least = |sets: &BTreeSet<BTreeSet<Name>>| {
        let implied = |set: &&BTreeSet<Name>| !sets.iter().any(|other| other != *set && other.is_subset(set));
        sets.iter().filter(implied).cloned().collect()
    };
    let (requesters, executors) = (least(&requirement.requesters), least(&requirement.executors));
    // What is independent of its author stays, name and all: each rule has an author of its own.
    Requirement { rules: BTreeSet::new(), requesters, executors, ..requirement }
}
