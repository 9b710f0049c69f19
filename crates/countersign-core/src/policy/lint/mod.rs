//! What is suspicious about a policy that could be put in force: beyond the flaws, which cannot.
//!
//! Rules are judged by what they come to together. For that the actions are found at which different rules meet: of every rule and of
//! every two that overlap, one. Findings say where, what, and what would be right; nothing here refuses anything.
//!
//! # Layout
//! - `meet`: one action for every way in which rules meet
//! - `demand`: what rules that meet come to for the people there are
//! - `rule`: a rule by itself: patterns, lifetimes, and whether it changes anything
//! - `workload`: what is suspicious about workloads

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::Serialize;

use super::{Policy, flaw};
use crate::id::PersonId;
use crate::text::Name;

mod demand;
mod meet;
mod rule;
#[cfg(test)]
mod tests;
mod workload;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// It works, but hardly as it is meant.
    Warning,
    /// It cannot work, or cannot be put in force.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Something suspicious about a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of finding it is; stable.
    pub code: &'static str,
    /// Where: `rules.rotate-stripe.quorum`; of several rules together, `rules.first+second.quorum`.
    pub place: String,
    /// What is suspicious.
    pub what: String,
    /// What would be right.
    pub right: String,
    /// Whom it is about.
    pub people: Vec<PersonId>,
}

/// Findings under way.
struct Found<'a> {
    policy: &'a Policy,
    findings: Vec<Finding>,
}

/// What a finding says.
struct Words<'a> {
    code: &'static str,
    what: String,
    right: &'a str,
}

impl Found<'_> {
    /// Adds a finding, once.
    fn add(&mut self, severity: Severity, place: String, words: Words<'_>) {
        self.add_about(severity, place, (words, Vec::new()));
    }

    fn add_about(&mut self, severity: Severity, place: String, (words, people): (Words<'_>, Vec<PersonId>)) {
        let Words { code, what, right } = words;
        let finding = Finding { severity, code, place, what, right: right.into(), people };
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}

/// Everything suspicious, the worst first; `enrolled` are the people there are, where that is known.
pub(super) fn findings(policy: &Policy, enrolled: Option<&BTreeSet<PersonId>>) -> Vec<Finding> {
    let mut found = Found { policy, findings: Vec::new() };
    for flaw in flaw::flaws(policy) {
        let words = Words {
            code: "flaw",
            what: flaw.what,
            right: "correct it: a flawed policy cannot be put in force",
        };
        found.add(Severity::Error, flaw.place, words);
    }
    found.groups();
    if let Some(enrolled) = enrolled {
        found.people(enrolled);
    }
    for rule in &policy.rules {
        found.rule(rule);
    }
    for (rules, action) in meet::meetings(&policy.rules) {
        found.demand(&rules, &action);
    }
    found.first_keys();
    found.sessions();
    for workload in &policy.workloads {
        found.workload(workload);
    }
    let mut findings = found.findings;
    findings.sort_by_key(|finding| core::cmp::Reverse(finding.severity));
    findings
}

impl Found<'_> {
    /// Sessions that outlive a day's work, or rest while somebody is away.
    fn sessions(&mut self) {
        let terms = &self.policy.sign_in;
        let long = [
            ("idle_seconds", terms.idle_seconds.get(), 4 * 3_600, "whoever comes by acts by it"),
            (
                "lifetime_seconds",
                terms.lifetime_seconds.get(),
                24 * 3_600,
                "a stolen one is good for as long",
            ),
        ];
        for (field, seconds, most, why) in long {
            if seconds > most {
                let (what, right) = (format!("{seconds} s is long: {why}"), format!("{most} or less"));
                let words = Words { code: "long_lifetime", what, right: &right };
                self.add(Severity::Warning, format!("sign_in.{field}"), words);
            }
        }
    }

    fn groups(&mut self) {
        let used = self.policy.used_groups();
        let unused: Vec<Name> =
            self.policy.groups.keys().filter(|group| !used.contains(*group)).cloned().collect();
        for group in unused {
            let what = "nothing in the policy names the group".into();
            let right = "remove it, or name it where it is meant";
            self.add(
                Severity::Warning,
                format!("groups.{group}"),
                Words { code: "unused_group", what, right },
            );
        }
    }

    fn people(&mut self, enrolled: &BTreeSet<PersonId>) {
        let members = self.policy.everybody();
        for (group, people) in &self.policy.groups {
            let strangers: Vec<PersonId> = people.difference(enrolled).copied().collect();
            if !strangers.is_empty() {
                let what = format!("{} of its members are not among the people there are", strangers.len());
                let words = Words { code: "unknown_person", what, right: "enrol them first, or remove them" };
                self.add_about(Severity::Error, format!("groups.{group}"), (words, strangers));
            }
        }
        let outside: Vec<PersonId> = enrolled.difference(&members).copied().collect();
        if !outside.is_empty() {
            let what = format!("{} of the people there are in no group", outside.len());
            let words =
                Words { code: "no_group", what, right: "whoever is in no group can do and see nothing" };
            self.add_about(Severity::Note, "groups".into(), (words, outside));
        }
    }
}
