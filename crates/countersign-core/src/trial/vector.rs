//! A published vector: a policy, what people do, and what an implementation must show for it.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Observed, Stage, Step, Trial, Unplayable};
use crate::id::PersonId;
use crate::policy::Policy;
use crate::time::Time;

/// When the clock stands before the first step, unless a step says otherwise.
const BEGINNING: Time = Time::from_millis(1_795_428_000_000);

/// A vector.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    /// What it is called: the name of its file.
    pub name: String,
    /// What it shows, in a sentence.
    pub about: String,
    /// Where the rule comes from, or the flaw that it would have found.
    pub source: String,
    /// People by name.
    pub people: BTreeMap<String, PersonId>,
    /// Those of them who have no credential yet.
    #[serde(default)]
    pub unclaimed: BTreeSet<String>,
    /// The policy in force from the start.
    pub policy: Given,
    /// Other policies, by name.
    #[serde(default)]
    pub policies: BTreeMap<String, Policy>,
    /// Why the policy must be rejected, where it must: then there are no steps.
    #[serde(default)]
    pub rejected: Option<Rejected>,
    /// What happens, in order of time.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// The states of what was named, at the time of the last step.
    #[serde(default)]
    pub statuses: BTreeMap<String, String>,
}

/// A policy, or what does not even read as one.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Given {
    /// It reads as a policy; it may still be flawed.
    Policy(Box<Policy>),
    /// It does not.
    Unreadable(serde::de::IgnoredAny),
}

/// Why a policy is rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rejected {
    /// It is malformed: a value that cannot be written.
    Malformed,
    /// It is flawed at these places.
    Flawed(Vec<String>),
    /// It cannot be put in force: the code of the refusal.
    Refused(String),
}

/// What an implementation shows for a vector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Why the policy is rejected, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Rejected>,
    /// What each step came to.
    #[serde(default)]
    pub steps: Vec<Observed>,
    /// The states at the end.
    #[serde(default)]
    pub statuses: BTreeMap<String, String>,
}

impl Vector {
    /// Plays the vector with the rules of this crate.
    ///
    /// # Errors
    /// A step cannot be played: the vector is wrong, whatever the rules.
    pub fn play(&self) -> Result<Outcome, Unplayable> {
        let policy = match &self.policy {
            Given::Policy(policy) => policy,
            Given::Unreadable(_) => return Ok(Outcome::rejected(Rejected::Malformed)),
        };
        let flaws = policy.flaws();
        if !flaws.is_empty() {
            let places = flaws.into_iter().map(|flaw| flaw.place).collect();
            return Ok(Outcome::rejected(Rejected::Flawed(places)));
        }
        let stage = Stage {
            people: self.people.clone(),
            unclaimed: self.unclaimed.clone(),
            policies: self.policies.clone(),
        };
        let begins = self.steps.first().map_or(BEGINNING, |step| step.at);
        let mut trial = match Trial::begin(policy, stage, begins) {
            Ok(trial) => trial,
            Err(refusal) => return Ok(Outcome::rejected(Rejected::Refused(refusal.code().to_string()))),
        };
        let mut steps = Vec::with_capacity(self.steps.len());
        for (number, step) in self.steps.iter().enumerate() {
            let seen =
                trial.play(step).map_err(|Unplayable(what)| Unplayable(format!("step {number}: {what}")))?;
            steps.push(seen);
        }
        let ends = self.steps.last().map_or(BEGINNING, |step| step.at);
        Ok(Outcome { rejected: None, steps, statuses: trial.statuses(ends) })
    }

    /// How what was shown differs from what must be, a line each; none if it does not.
    #[must_use]
    pub fn differences(&self, shown: &Outcome) -> Vec<String> {
        let mut differences = Vec::new();
        if shown.rejected != self.rejected {
            differences.push(format!("the policy: {:?}, not {:?}", shown.rejected, self.rejected));
        }
        if shown.steps.len() != self.steps.len() {
            differences.push(format!("{} steps, not {}", shown.steps.len(), self.steps.len()));
        }
        for (number, (step, seen)) in self.steps.iter().zip(&shown.steps).enumerate() {
            if *seen != step.expect {
                let (who, command) = (&step.who, step.command);
                differences
                    .push(format!("step {number}, {who} {command:?}: {seen:?}, not {:?}", step.expect));
            }
        }
        for (label, status) in &self.statuses {
            let seen = shown.statuses.get(label);
            if seen != Some(status) {
                differences.push(format!("`{label}` is {seen:?}, not {status:?}"));
            }
        }
        differences
    }
}

impl Outcome {
    fn rejected(why: Rejected) -> Self {
        Self { rejected: Some(why), ..Self::default() }
    }
}
