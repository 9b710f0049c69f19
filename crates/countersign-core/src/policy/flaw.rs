//! What can be wrong with a policy by itself, each with the place it stands and what would be right.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use super::{BreakGlass, Consent, Policy, ResourcePattern, Rule, TokenTerms, derived, workload};
use crate::log::activation;
use crate::session::LONGEST_FRESH_SECONDS;
use crate::text::Name;
use crate::token;

/// Most rules in a policy: all that is decided is decided in memory.
const MOST_RULES: usize = 16_384;

/// Most rules that could apply to one action, most consumers of a secret, and most freezes: an entry names those that matter to it, and an entry has a
/// largest size.
const MOST_TOGETHER: usize = 256;
const MOST_CONSUMERS: usize = 64;
const MOST_FREEZES: usize = 64;

/// Something wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Where: `rules.rotate-stripe.quorum`.
    pub place: String,
    /// What is wrong and what would be right.
    pub what: String,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

impl core::error::Error for Flaw {}

pub(super) fn flaws(policy: &Policy) -> Vec<Flaw> {
    let mut found = Found { policy, flaws: Vec::new() };
    let nested = policy.nested.values().map(BTreeSet::len).sum();
    found.at_most("nested", nested, derived::MOST_NESTED);
    if nested > derived::MOST_NESTED {
        // Everything else would be a walk through all of them.
        return found.flaws;
    }
    for group in policy.groups.keys() {
        if policy.members(group).is_empty() {
            found.add(format!("groups.{group}"), "the group has no members".into());
        }
    }
    found.nested();
    found.linked();
    found.groups("access.read", &policy.access.read);
    found.at_most("rules", policy.rules.len(), MOST_RULES);
    found.together();
    let mut names = BTreeSet::new();
    for rule in &policy.rules {
        if !names.insert(&rule.name) {
            found.add(format!("rules.{}", rule.name), "a second rule of this name".into());
        }
        found.rule(rule);
    }
    found.activation();
    for (field, what) in policy.sign_in.flaws() {
        found.add(format!("sign_in.{field}"), what);
    }
    found.secrets();
    found.freezes();
    found.workloads();
    found.flaws
}

struct Found<'a> {
    policy: &'a Policy,
    flaws: Vec<Flaw>,
}

impl Found<'_> {
    fn add(&mut self, place: String, what: String) {
        self.flaws.push(Flaw { place, what });
    }

    fn at_most(&mut self, place: &str, count: usize, most: usize) {
        if count > most {
            self.add(place.into(), format!("names {count}; at most {most} are possible"));
        }
    }

    /// Of the rules without a pattern only those for the same action meet; of the others it is supposed that all could.
    fn together(&mut self) {
        let mut exact = BTreeMap::<_, usize>::new();
        let mut open = 0_usize;
        for rule in &self.policy.rules {
            if rule.pattern().is_open() {
                open += 1;
            } else {
                *exact.entry((&rule.verb, &rule.resource, &rule.environment)).or_default() += 1;
            }
        }
        let most = open + exact.into_values().max().unwrap_or(0);
        if most > MOST_TOGETHER {
            let what = format!("{most} could apply to one action; at most {MOST_TOGETHER} are possible");
            self.add("rules".into(), what);
        }
    }

    fn groups<'b>(&mut self, place: &str, groups: impl IntoIterator<Item = &'b Name>) {
        let mut none = true;
        for group in groups {
            none = false;
            if !self.policy.groups.contains_key(group) {
                let known: Vec<&str> = self.policy.groups.keys().map(Name::as_str).collect();
                self.add(
                    place.into(),
                    format!("unknown group `{group}`; the groups are {}", known.join(", ")),
                );
            }
        }
        if none {
            self.add(place.into(), "names no group".into());
        }
    }

    /// Groups in groups must exist, and none may lead back to itself: who is in it could not be read off any more.
    fn nested(&mut self) {
        for (group, inner) in self.policy.nested.iter() {
            let place = format!("nested.{group}");
            self.groups(&place, [group].into_iter().chain(inner));
            if self.policy.nested.within(group).contains(&group) {
                self.add(place, "the group leads back to itself".into());
            }
        }
    }

    /// A human's accounts stand in one set.
    fn linked(&mut self) {
        let mut seen = BTreeSet::new();
        for (number, accounts) in self.policy.linked.iter().enumerate() {
            let place = format!("linked.{number}");
            if accounts.len() < 2 {
                self.add(place.clone(), "links an account to no other".into());
            }
            if let Some(twice) = accounts.iter().find(|account| !seen.insert(**account)) {
                self.add(
                    place,
                    format!("`{twice}` is linked already: name all accounts of a human together"),
                );
            }
        }
    }

    fn rule(&mut self, rule: &Rule) {
        let place = |field: &str| format!("rules.{}.{field}", rule.name);
        self.groups(&place("requesters"), &rule.requesters);
        self.groups(&place("executors"), &rule.executors);
        if rule.pattern().is_open() && !rule.patterns {
            self.add(place("patterns"), "the rule uses `*`: write `patterns = true` if that is meant".into());
        }
        match (rule.approval, rule.quorum.is_empty()) {
            (Consent::Required, true) => {
                self.add(
                    place("quorum"),
                    "approval is required, so name a quorum, as in `{ approvers = 2 }`".into(),
                );
            }
            (Consent::NotRequired, false) => {
                self.add(place("quorum"), "approval is not required, so a quorum means nothing".into());
            }
            (Consent::NotRequired, true) => {}
            (Consent::Required, false) => self.groups(&place("quorum"), rule.quorum.keys()),
        }
        if rule.approval == Consent::NotRequired && !rule.signature.is_not_required() {
            self.add(place("signature"), "approval is not required, so nobody signs anything".into());
        }
        if let Some(seconds) = rule.fresh_seconds {
            if rule.approval == Consent::NotRequired {
                self.add(place("fresh_seconds"), "approval is not required, so nobody votes".into());
            } else if seconds.get() > LONGEST_FRESH_SECONDS {
                let what = format!("a proof is good for at most {LONGEST_FRESH_SECONDS} seconds, an hour");
                self.add(place("fresh_seconds"), what);
            }
        }
        if let Some(escalate) = &rule.escalate {
            self.groups(&place("escalate.to"), &escalate.to);
            if rule.approval == Consent::NotRequired {
                self.add(place("escalate"), "approval is not required, so nobody waits for a vote".into());
            } else if escalate.after_seconds >= rule.pending_seconds {
                self.add(place("escalate.after_seconds"), "the request has expired by then".into());
            }
        }
        rule.break_glass.iter().for_each(|offer| self.break_glass(rule, offer));
        rule.tokens.iter().for_each(|terms| self.tokens(rule, terms));
    }

    /// What is offered for tokens must be where tokens are issued.
    fn tokens(&mut self, rule: &Rule, terms: &TokenTerms) {
        let place = |field: &str| format!("rules.{}.tokens.{field}", rule.name);
        let verb = token::ISSUE.parse().is_ok_and(|verb| rule.verb.matches(&verb));
        let resource = match &rule.resource {
            ResourcePattern::Any => true,
            ResourcePattern::OfType(kind) => kind.as_str() == token::KIND,
            ResourcePattern::Exactly(resource) => token::is_named(resource),
        };
        if !(verb && resource) {
            let what = "tokens are issued under rules for the verb `issue` and a resource `service-token/…`";
            self.add(format!("rules.{}.tokens", rule.name), what.into());
        }
        for (field, what) in terms.flaws() {
            self.add(place(field), what);
        }
    }

    /// What is done without anybody's consent must at least be looked at by somebody who exists.
    fn break_glass(&mut self, rule: &Rule, offer: &BreakGlass) {
        let place = |field: &str| format!("rules.{}.break_glass.{field}", rule.name);
        self.groups(&place("by"), &offer.by);
        if offer.review.is_empty() {
            let what = "break-glass is reviewed by somebody, so name a quorum, as in `{ security = 1 }`";
            self.add(place("review"), what.into());
        } else {
            self.groups(&place("review"), offer.review.keys());
        }
    }

    /// A policy that nobody could ever replace would be in force for good.
    fn activation(&mut self) {
        let Some(requirement) = activation().and_then(|action| self.policy.requirement(&action)) else {
            return;
        };
        let rules = requirement.rules.iter().map(Name::as_str).collect::<Vec<_>>().join("+");
        if requirement.approval == Consent::NotRequired {
            let what = "replacing the policy passes through a quorum: write `approval = \"required\"`";
            self.add(format!("rules.{rules}.approval"), what.into());
        }
        let mut members = self.policy.named();
        if !members.any(|person| requirement.may_execute(self.policy, person)) {
            let what = "nobody is in an executor group of each rule for replacing the policy";
            self.add(format!("rules.{rules}.executors"), what.into());
        }
    }

    fn secrets(&mut self) {
        let mut seen = BTreeSet::new();
        for secret in &self.policy.secrets {
            let place = format!("secrets.{}@{}", secret.resource, secret.environment);
            if !seen.insert((&secret.resource, &secret.environment)) {
                self.add(place.clone(), "a second secret of this name and environment".into());
            }
            self.at_most(&format!("{place}.consumers"), secret.consumers.len(), MOST_CONSUMERS);
            if secret.consumers.is_empty() {
                self.add(format!("{place}.consumers"), "names no endpoint".into());
            }
            if secret.consumers.contains(&secret.signer) {
                self.add(format!("{place}.signer"), "the signer cannot be a consumer too".into());
            }
            for (field, template) in [("runbook", &secret.runbook), ("dashboard", &secret.dashboard)] {
                if !template.starts_with("https://") && !template.starts_with("http://") {
                    self.add(format!("{place}.{field}"), "is not a template of an http or https link".into());
                }
            }
        }
    }

    fn workloads(&mut self) {
        self.at_most("workloads", self.policy.workloads.len(), workload::MOST_WORKLOADS);
        let mut names = BTreeSet::new();
        for workload in &self.policy.workloads {
            if !names.insert(&workload.name) {
                self.add(format!("workloads.{}", workload.name), "a second workload of this name".into());
            }
            for (field, what) in workload.flaws() {
                self.add(format!("workloads.{}.{field}", workload.name), what);
            }
        }
    }

    fn freezes(&mut self) {
        self.at_most("freezes", self.policy.freezes.len(), MOST_FREEZES);
        let mut names = BTreeSet::new();
        for freeze in &self.policy.freezes {
            if !names.insert(&freeze.name) {
                self.add(format!("freezes.{}", freeze.name), "a second freeze of this name".into());
            }
            self.flaws.extend(super::freeze::flaws(freeze));
        }
    }
}
