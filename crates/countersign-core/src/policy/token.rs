//! Service tokens as a policy offers them: what a token that is issued under a rule may do, and for how long.
//!
//! Of several matching rules every one must offer it, and a scope must be within what each of them offers; the shortest lifetime counts.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::token::Scope;

/// Longest lifetime unless a rule gives another: 15 minutes, in seconds.
pub const DEFAULT_LIFETIME_SECONDS: NonZeroU32 = NonZeroU32::new(15 * 60).unwrap();

/// Longest lifetime a rule can give: 24 hours, in seconds.
pub const LONGEST_LIFETIME_SECONDS: u32 = 24 * 3_600;

/// What one rule offers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenTerms {
    /// What a token may do at most.
    pub scopes: BTreeSet<Scope>,
    /// Must be true for scopes that use `*`; a token may then have such a scope too.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub patterns: bool,
    /// How long a token may live at most, seconds.
    #[serde(default = "TokenTerms::default_lifetime")]
    pub max_lifetime_seconds: NonZeroU32,
}

impl TokenTerms {
    pub(super) fn default_lifetime() -> NonZeroU32 {
        DEFAULT_LIFETIME_SECONDS
    }

    /// Everything wrong with it, each with the field it stands in.
    pub(super) fn flaws(&self) -> Vec<(&'static str, String)> {
        let mut flaws = Vec::new();
        if self.scopes.is_empty() {
            flaws.push(("scopes", "names no scope, as in `deploy:release/nudgepay`".to_string()));
        }
        if !self.patterns && self.scopes.iter().any(Scope::is_open) {
            flaws
                .push(("patterns", "a scope uses `*`: write `patterns = true` if that is meant".to_string()));
        }
        if self.max_lifetime_seconds.get() > LONGEST_LIFETIME_SECONDS {
            let what = format!("a token lives for at most {LONGEST_LIFETIME_SECONDS} seconds, a day");
            flaws.push(("max_lifetime_seconds", what));
        }
        flaws
    }
}

/// What all matching rules offer together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuable {
    /// A scope must be within one of each set.
    pub scopes: BTreeSet<BTreeSet<Scope>>,
    /// Whether a scope may be a pattern.
    pub patterns: bool,
    /// How long a token may live at most, seconds.
    pub max_lifetime_seconds: NonZeroU32,
}

impl Issuable {
    pub(super) fn of(terms: &TokenTerms) -> Self {
        let TokenTerms { scopes, patterns, max_lifetime_seconds } = terms.clone();
        Self { scopes: BTreeSet::from([scopes]), patterns, max_lifetime_seconds }
    }

    /// What two rules offer together: nothing where one of them offers nothing.
    pub(super) fn both(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        let (mut both, other) = (one?, other?);
        both.scopes.extend(other.scopes);
        Some(Self {
            patterns: both.patterns && other.patterns,
            max_lifetime_seconds: both.max_lifetime_seconds.min(other.max_lifetime_seconds),
            ..both
        })
    }

    /// Whether a token may have this scope.
    #[must_use]
    pub fn offers(&self, scope: &Scope) -> bool {
        let within = |offered: &BTreeSet<Scope>| offered.iter().any(|it| it.covers(scope));
        (self.patterns || !scope.is_open()) && self.scopes.iter().all(within)
    }

    /// Its line of the text whose digest identifies a requirement: `tokens SCOPES / patterns LIFETIME`, sets apart by ` & `.
    pub(super) fn line(&self) -> String {
        let joined = |set: &BTreeSet<Scope>| set.iter().map(Scope::to_string).collect::<Vec<_>>().join(",");
        let scopes: Vec<String> = self.scopes.iter().map(joined).collect();
        let patterns = if self.patterns { "patterns" } else { "exact" };
        format!("tokens {} / {patterns} {}\n", scopes.join(" & "), self.max_lifetime_seconds)
    }
}
