//! What the policy in force demands for an action, read from its rules: whoever reads the policy's text can check it by hand.
//!
//! Several rules may govern an action. All apply, the strictest value wins (design, section 4, "Merging rules"). The text whose digest
//! identifies the demand is described in `docs/concepts/approval.md`.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::offer::Offer;
use super::violation::Breach;
use super::{Verdict, must, quorum, roster};
use crate::action::Action;
use crate::digest::Digest;
use crate::id::PersonId;
use crate::policy::{Comment, Consent, NamePattern, Policy, ResourcePattern, Rule, TokenTerms};
use crate::signature::Signing;
use crate::text::Name;

/// The policy and those of its rules that govern an action; at least one.
pub(super) struct Demand<'a> {
    policy: &'a Policy,
    rules: Vec<&'a Rule>,
}

/// The shortest lifetimes that the rules give, seconds.
pub(super) struct Seconds {
    pub pending: u32,
    pub approved: u32,
    pub start: u32,
    pub work: u32,
    /// How often the executor must say that the work goes on, where a rule asks for that.
    pub heartbeat: Option<u32>,
}

pub(super) fn means(pattern: &NamePattern, name: &Name) -> bool {
    match pattern {
        NamePattern::Any => true,
        NamePattern::Exactly(exactly) => exactly.as_str() == name.as_str(),
    }
}

fn governs(rule: &Rule, action: &Action) -> bool {
    let resource = action.resource.as_str();
    let resource = match &rule.resource {
        ResourcePattern::Any => true,
        ResourcePattern::OfType(kind) => {
            resource.strip_prefix(kind.as_str()).is_some_and(|rest| rest.starts_with('/'))
        }
        ResourcePattern::Exactly(exactly) => exactly.as_str() == resource,
    };
    resource && means(&rule.verb, &action.verb) && means(&rule.environment, &action.environment)
}

impl<'a> Demand<'a> {
    pub(super) fn new(policy: &'a Policy, action: &Action) -> Verdict<Self> {
        let rules: Vec<&Rule> = policy.rules.iter().filter(|rule| governs(rule, action)).collect();
        must(!rules.is_empty(), Breach::NoRule)?;
        Ok(Self { policy, rules })
    }

    fn is_in_each(&self, person: PersonId, groups: impl Fn(&Rule) -> &BTreeSet<Name>) -> bool {
        let theirs = roster::groups_of(self.policy, person);
        self.rules.iter().all(|rule| groups(rule).iter().any(|group| theirs.contains(group)))
    }

    /// Whether the person may ask.
    pub(super) fn may_request(&self, person: PersonId) -> bool {
        self.is_in_each(person, |rule| &rule.requesters)
    }

    /// Whether the person may execute.
    pub(super) fn may_execute(&self, person: PersonId) -> bool {
        self.is_in_each(person, |rule| &rule.executors)
    }

    /// Whether people must agree.
    pub(super) fn needs_consent(&self) -> bool {
        self.rules.iter().any(|rule| rule.approval == Consent::Required)
    }

    fn quorum(&self) -> BTreeMap<&'a Name, u32> {
        let mut quorum = BTreeMap::new();
        for (group, count) in self.rules.iter().flat_map(|rule| &rule.quorum) {
            let most: &mut u32 = quorum.entry(group).or_default();
            *most = count.get().max(*most);
        }
        quorum
    }

    /// Whether the person's agreement is asked for.
    pub(super) fn is_asked(&self, person: PersonId) -> bool {
        let theirs = roster::groups_of(self.policy, person);
        self.quorum().keys().any(|group| theirs.contains(group))
    }

    /// How many humans must disagree to end a request: of several rules the least.
    pub(super) fn denials(&self) -> u32 {
        self.rules.iter().map(|rule| rule.denials.get()).min().unwrap_or(1)
    }

    /// How long ago a voter may have proved who they are, seconds, where a rule asks for that: of several the least.
    pub(super) fn fresh(&self) -> Option<u32> {
        self.rules.iter().filter_map(|rule| rule.fresh_seconds).map(core::num::NonZero::get).min()
    }

    /// Whether people must say why they agree.
    pub(super) fn wants_comment(&self) -> bool {
        self.rules.iter().any(|rule| rule.comment == Comment::Required)
    }

    /// The rules for which their author's agreement does not count.
    pub(super) fn independent(&self) -> BTreeSet<&'a Name> {
        self.rules.iter().filter(|rule| rule.independent_of_author).map(|rule| &rule.name).collect()
    }

    /// Whether these people are enough.
    pub(super) fn is_met(&self, people: &BTreeSet<PersonId>) -> bool {
        quorum::is_met(self.policy, &self.quorum(), people)
    }

    /// How votes must be signed: as the most demanding rule says.
    pub(super) fn signing(&self) -> Signing {
        self.rules.iter().map(|rule| rule.signature).max().unwrap_or_default()
    }

    /// Who is told when nobody votes in time, and after how many seconds.
    pub(super) fn escalation(&self) -> Option<(u32, BTreeSet<Name>)> {
        let asked = || self.rules.iter().filter_map(|rule| rule.escalate.as_ref());
        let after = asked().map(|escalate| escalate.after_seconds.get()).min()?;
        Some((after, asked().flat_map(|escalate| escalate.to.iter().cloned()).collect()))
    }

    /// What the rules offer for breaking the glass, if they do.
    pub(super) fn break_glass(&self) -> Option<Offer<'a>> {
        let offers: Vec<_> = self.rules.iter().map(|rule| rule.break_glass.as_ref()).collect();
        Offer::new(self.policy, &offers)
    }

    /// What the rules offer for service tokens; something only if every one does.
    pub(super) fn tokens(&self) -> Option<Vec<&'a TokenTerms>> {
        self.rules.iter().map(|rule| rule.tokens.as_ref()).collect()
    }

    /// The names of the rules.
    pub(super) fn names(&self) -> BTreeSet<Name> {
        self.rules.iter().map(|rule| rule.name.clone()).collect()
    }

    pub(super) fn seconds(&self) -> Seconds {
        let least = |of: fn(&Rule) -> u32| self.rules.iter().map(|rule| of(rule)).min().unwrap_or(0);
        Seconds {
            pending: least(|rule| rule.pending_seconds.get()),
            approved: least(|rule| rule.approved_seconds.get()),
            start: least(|rule| rule.start_seconds.get()),
            work: least(|rule| rule.work_seconds.get()),
            heartbeat: self
                .rules
                .iter()
                .filter_map(|rule| rule.heartbeat_seconds)
                .map(core::num::NonZero::get)
                .min(),
        }
    }

    /// SHA-256 of the demand's text.
    pub(super) fn digest(&self) -> Digest {
        fn line<'n>(text: &mut String, word: &str, names: impl Iterator<Item = &'n Name>) {
            let names: Vec<&str> = names.map(Name::as_str).collect();
            text.push_str(&format!("{word} {}\n", names.join(",")));
        }
        let names: BTreeSet<&Name> = self.rules.iter().map(|rule| &rule.name).collect();
        let requesters: BTreeSet<&BTreeSet<Name>> = self.rules.iter().map(|rule| &rule.requesters).collect();
        let executors: BTreeSet<&BTreeSet<Name>> = self.rules.iter().map(|rule| &rule.executors).collect();
        let mut text = String::from("countersign/requirement/v1\n");
        line(&mut text, "rule", names.into_iter());
        requesters.into_iter().for_each(|groups| line(&mut text, "request", groups.iter()));
        executors.into_iter().for_each(|groups| line(&mut text, "execute", groups.iter()));
        for (group, count) in self.quorum() {
            text.push_str(&format!("quorum {group}:{count}\n"));
        }
        text.push_str(if self.needs_consent() { "approval required\n" } else { "approval not-required\n" });
        let Seconds { pending, approved, start, work, heartbeat } = self.seconds();
        text.push_str(&format!("seconds {pending} {approved} {start} {work}\n"));
        if self.denials() != 1 {
            text.push_str(&format!("denials {}\n", self.denials()));
        }
        if self.wants_comment() {
            text.push_str("comment required\n");
        }
        text.push_str(match self.signing() {
            Signing::NotRequired => "",
            Signing::Required => "signature required\n",
            Signing::Hardware => "signature hardware\n",
        });
        let independent = self.independent();
        if !independent.is_empty() {
            line(&mut text, "independent-of-author", independent.into_iter());
        }
        if let Some((after, groups)) = self.escalation() {
            line(&mut text, &format!("escalate {after}"), groups.iter());
        }
        if let Some(heartbeat) = heartbeat {
            text.push_str(&format!("heartbeat {heartbeat}\n"));
        }
        if let Some(fresh) = self.fresh() {
            text.push_str(&format!("fresh {fresh}\n"));
        }
        if let Some(offered) = self.break_glass() {
            text.push_str(&offered.written());
        }
        if let Some(terms) = self.tokens() {
            text.push_str(&tokens_written(&terms));
        }
        Digest::of(text.as_bytes())
    }
}

/// The line of the demand's text that says what tokens may be issued.
fn tokens_written(terms: &[&TokenTerms]) -> String {
    let sets: BTreeSet<Vec<String>> =
        terms.iter().map(|it| it.scopes.iter().map(|scope| format!("{scope}")).collect()).collect();
    let sets: Vec<String> = sets.iter().map(|scopes| scopes.join(",")).collect();
    let patterns = if terms.iter().all(|it| it.patterns) { "patterns" } else { "exact" };
    let seconds = terms.iter().map(|it| it.max_lifetime_seconds.get()).min().unwrap_or(0);
    format!("tokens {} / {patterns} {seconds}\n", sets.join(" & "))
}
