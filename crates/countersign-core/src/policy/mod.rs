//! The policy: groups, rules, governed secrets and freezes, as activated into the ledger.
//!
//! Here is what a policy says and what is wrong with it. How several matching rules become one demand is in `requirement`.
//! Reading the file is the server's business; people are named by id only.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::action::{Action, Resource};
use crate::id::PersonId;
use crate::sabotage::{self, Sabotage};
use crate::signature::Signing;
use crate::text::Name;

mod break_glass;
mod derived;
mod escalate;
pub mod explain;
mod flaw;
mod freeze;
pub mod lint;
mod pattern;
pub mod replay;
mod requirement;
mod rules;
mod sign_in;
#[cfg(test)]
mod tests;
mod token;
mod workload;

pub use break_glass::{BreakGlass, Breakable};
pub use derived::{Derived, Linked, Nested, Source};
pub use escalate::Escalate;
pub use flaw::Flaw;
pub use freeze::{Freeze, Standing, Window};
use pattern::ActionPattern;
pub use pattern::{NamePattern, ResourcePattern};
pub(crate) use requirement::unfilled;
pub use requirement::{Missing, Requirement};
pub use rules::Rules;
pub use sign_in::SignIn;
pub use token::{DEFAULT_LIFETIME_SECONDS, Issuable, LONGEST_LIFETIME_SECONDS, TokenTerms};
pub use workload::{Claim, Claims, Workload};

/// How many people of which groups; every group is required.
pub type Quorum = BTreeMap<Name, NonZeroU32>;

/// Everything that is governed, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What the policy is called.
    pub name: Name,
    /// Groups of people, by id.
    pub groups: BTreeMap<Name, BTreeSet<PersonId>>,
    /// Groups whose members are also members of a group, and so on. A person is in a group if they are named in it or in any that it
    /// leads to.
    #[serde(default, skip_serializing_if = "Policy::is_flat")]
    pub nested: Nested,
    /// Accounts that belong to one human, each human a set. Whatever counts people counts these as one.
    #[serde(default, skip_serializing_if = "Policy::is_unlinked")]
    pub linked: Linked,
    /// Who may look.
    pub access: Access,
    /// Who may do what, with whose consent.
    #[serde(default)]
    pub rules: Rules,
    /// How people sign in, and for how long.
    #[serde(default, skip_serializing_if = "SignIn::is_default")]
    pub sign_in: SignIn,
    /// Secrets that are rotated under this policy.
    #[serde(default)]
    pub secrets: Vec<GovernedSecret>,
    /// How far apart two agreements of two people to each other's requests may be to be reported as reciprocal, seconds; 30 days unless
    /// given. It changes no decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reciprocal_window_seconds: Option<NonZeroU32>,
    /// When some actions are not begun.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freezes: Vec<Freeze>,
    /// Whose tokens, of which issuer, are exchanged for which service tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<Workload>,
}

/// The window in which reciprocal agreements are reported, unless the policy gives another: 30 days, in seconds.
pub const RECIPROCAL_WINDOW_SECONDS: u32 = 30 * 24 * 3_600;

/// Who may read the ledger and the records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Groups whose members may read.
    pub read: BTreeSet<Name>,
}

/// Whether people must agree. There is no default: the word must be written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consent {
    /// A credential of an executor suffices.
    NotRequired,
    /// A quorum of other people must agree.
    Required,
}

/// Whether people must say why they agree. Who disagrees always must.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Comment {
    /// They may.
    #[default]
    Optional,
    /// They must.
    Required,
}

impl Comment {
    fn is_optional(&self) -> bool {
        *self == Self::Optional
    }
}

/// Who may request, approve and execute an action, how many of whom, and within which time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What the rule is called; refusals name it.
    pub name: Name,
    /// Verb it applies to, or `*`.
    pub verb: NamePattern,
    /// Resource it applies to, or `type/*`, or `*`.
    pub resource: ResourcePattern,
    /// Environment it applies to, or `*`.
    pub environment: NamePattern,
    /// Must be true for a rule that uses `*`: no pattern by accident.
    #[serde(default)]
    pub patterns: bool,
    /// Groups whose members may ask.
    pub requesters: BTreeSet<Name>,
    /// Groups whose members may execute.
    pub executors: BTreeSet<Name>,
    /// Whether people must agree.
    pub approval: Consent,
    /// How many of whom, when people must agree.
    #[serde(default)]
    pub quorum: Quorum,
    /// How many people must disagree to end a request.
    #[serde(default = "Rule::one", skip_serializing_if = "Rule::is_one")]
    pub denials: NonZeroU32,
    /// Whether people must say why they agree.
    #[serde(default, skip_serializing_if = "Comment::is_optional")]
    pub comment: Comment,
    /// Whether the agreement of the person does not count who asked for the policy that last changed this rule.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub independent_of_author: bool,
    /// How long a request waits for its quorum, seconds.
    pub pending_seconds: NonZeroU32,
    /// How long a complete approval waits to be used, seconds.
    pub approved_seconds: NonZeroU32,
    /// How long a reserved permit waits to be started, seconds.
    pub start_seconds: NonZeroU32,
    /// How long the work may take once started, seconds.
    pub work_seconds: NonZeroU32,
    /// How people must sign what they agree to.
    #[serde(default, skip_serializing_if = "Signing::is_not_required")]
    pub signature: Signing,
    /// Who else is told when nobody votes in time; nobody unless it is written out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate: Option<Escalate>,
    /// How often the executor must say that the work goes on, seconds; not at all unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_seconds: Option<NonZeroU32>,
    /// How long ago a voter may have proved who they are for exactly this vote, seconds, at most an hour; nobody must unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fresh_seconds: Option<NonZeroU32>,
    /// Who may act without anybody's consent, and who reviews that; nobody unless it is written out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BreakGlass>,
    /// What a service token may do that is issued under the rule, and for how long; only for `issue service-token/…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenTerms>,
}

/// A secret that is rotated under the policy, and everything its rotation touches. Endpoints are named, never spelled out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GovernedSecret {
    /// The secret: `webhook-signing/stripe`.
    pub resource: Resource,
    /// Where it is used.
    pub environment: Name,
    /// How requests are signed with it, for the probes.
    pub scheme: Scheme,
    /// Endpoints that verify with it: told of new keys, told to drop old ones, probed.
    pub consumers: BTreeSet<Name>,
    /// The endpoint that signs with it.
    pub signer: Name,
    /// Shortest time for which old and new are both accepted, seconds.
    pub min_overlap_seconds: NonZeroU32,
    /// How long each stage rests before the next begins, milliseconds.
    pub dwell_ms: u32,
    /// How often a task is tried before the rotation turns back, or, where there is no way back, before an incident is opened.
    pub attempts: NonZeroU32,
    /// Template of the link to the runbook. `{rotation}`, `{secret}` and `{environment}` are filled in.
    pub runbook: String,
    /// Template of the link to the dashboard; also `{from_ms}` and `{to_ms}`, the rotation's own window in Unix milliseconds.
    pub dashboard: String,
}

/// How requests are signed with a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// `Stripe-Signature: t=…,v1=…`, HMAC-SHA256 over `t.body`.
    Stripe,
}

impl Policy {
    fn is_flat(nested: &Nested) -> bool {
        nested.is_empty()
    }

    fn is_unlinked(linked: &Linked) -> bool {
        linked.is_empty()
    }

    /// Whether the person is a member of the group, named in it or in a group that it leads to.
    #[must_use]
    pub fn is_member(&self, group: &Name, person: PersonId) -> bool {
        let named = |group: &Name| self.groups.get(group).is_some_and(|members| members.contains(&person));
        named(group) || self.nested.within(group).into_iter().any(named)
    }

    /// Everybody who is a member of the group.
    #[must_use]
    pub fn members(&self, group: &Name) -> BTreeSet<PersonId> {
        let groups = [group].into_iter().chain(self.nested.within(group));
        groups.filter_map(|group| self.groups.get(group)).flatten().copied().collect()
    }

    /// Everybody the policy names, some more than once.
    pub fn named(&self) -> impl Iterator<Item = PersonId> + Clone {
        let owners = self.workloads.iter().map(|workload| workload.owner);
        self.groups.values().chain(self.linked.iter()).flatten().copied().chain(owners)
    }

    /// All accounts of the human behind one of them.
    #[must_use]
    pub fn accounts(&self, person: PersonId) -> BTreeSet<PersonId> {
        self.linked.accounts(person).cloned().unwrap_or_else(|| BTreeSet::from([person]))
    }

    /// The human behind an account, by the first of their accounts.
    #[must_use]
    pub fn human(&self, person: PersonId) -> PersonId {
        if sabotage::is_active(Sabotage::LinkedTwice) {
            return person;
        }
        self.linked.human(person)
    }

    /// Whether two accounts are one human's.
    #[must_use]
    pub fn are_one(&self, one: PersonId, other: PersonId) -> bool {
        self.human(one) == self.human(other)
    }

    /// The window in which reciprocal agreements are reported, seconds.
    #[must_use]
    pub fn reciprocal_window(&self) -> u32 {
        self.reciprocal_window_seconds.map_or(RECIPROCAL_WINDOW_SECONDS, NonZeroU32::get)
    }

    /// Whether the person may read.
    #[must_use]
    pub fn may_read(&self, person: PersonId) -> bool {
        self.access.read.iter().any(|group| self.is_member(group, person))
    }

    /// The governed secret that this action would rotate.
    #[must_use]
    pub fn secret(&self, resource: &Resource, environment: &Name) -> Option<&GovernedSecret> {
        self.secrets.iter().find(|secret| &secret.resource == resource && &secret.environment == environment)
    }

    /// What all rules that match the action demand together, or `None` if no rule does.
    #[must_use]
    pub fn requirement(&self, action: &Action) -> Option<Requirement> {
        Requirement::merge(self.rules.matching(action).into_iter())
    }

    /// Everybody who is in a group.
    #[must_use]
    pub fn everybody(&self) -> BTreeSet<PersonId> {
        self.groups.values().flatten().copied().collect()
    }

    /// The groups that something in the policy names.
    fn used_groups(&self) -> BTreeSet<&Name> {
        let mut used: BTreeSet<&Name> = self.access.read.iter().collect();
        for rule in &self.rules {
            used.extend(rule.requesters.iter().chain(&rule.executors).chain(rule.quorum.keys()));
            used.extend(rule.escalate.iter().flat_map(|escalate| &escalate.to));
            if let Some(offer) = &rule.break_glass {
                used.extend(offer.by.iter().chain(offer.review.keys()));
            }
        }
        // Whoever is in a group inside a used one is asked as a member of that one.
        let inner: Vec<&Name> = used.iter().flat_map(|group| self.nested.within(group)).collect();
        used.extend(inner);
        used
    }

    /// Everything suspicious about the policy, the worst first; `enrolled` are the people there are, where that is known.
    #[must_use]
    pub fn findings(&self, enrolled: Option<&BTreeSet<PersonId>>) -> Vec<lint::Finding> {
        lint::findings(self, enrolled)
    }

    /// Everything that is wrong with the policy by itself, in the order of the file.
    #[must_use]
    pub fn flaws(&self) -> Vec<Flaw> {
        flaw::flaws(self)
    }
}

impl Rule {
    fn one() -> NonZeroU32 {
        NonZeroU32::MIN
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes what it asks about by reference")]
    fn is_one(count: &NonZeroU32) -> bool {
        *count == NonZeroU32::MIN
    }

    /// Whether the rule applies to the action.
    #[must_use]
    pub fn matches(&self, action: &Action) -> bool {
        self.pattern().matches(action)
    }

    fn pattern(&self) -> ActionPattern<'_> {
        ActionPattern { verb: &self.verb, resource: &self.resource, environment: &self.environment }
    }
}

impl fmt::Display for Consent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotRequired => "not-required",
            Self::Required => "required",
        })
    }
}
