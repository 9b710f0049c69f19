//! The world outside: consumers, the signer and the secret store, which do what they are told if they hear of it, once or twice, now or
//! later. Like every receiver of hooks they refuse orders from the past by their fence.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::rotation::{Due, Failure, FailureCode, Step};
use countersign_core::text::Name;

use crate::dice::Dice;

/// How long the runner waits for an answer, microseconds.
const PATIENCE: u64 = 15_000_000;

/// The version of every secret at the beginning.
const FIRST_VERSION: u32 = 1;

/// Somebody who accepts signatures, or signs.
#[derive(Clone, Debug)]
struct Receiver {
    accepts: BTreeSet<u32>,
    signs_with: u32,
    fence: u64,
}

/// Where the values are.
#[derive(Clone, Debug)]
struct Vault {
    versions: BTreeSet<u32>,
    current: u32,
    fence: u64,
}

/// An order on its way.
struct Order {
    /// Microseconds since the beginning.
    arrives: u64,
    due: Due,
}

/// How a call ended, and when the runner knows.
pub(crate) struct Outcome {
    /// What it says.
    pub result: Result<(), Failure>,
    /// Microseconds it took.
    pub took: u64,
}

/// Everybody outside.
pub(crate) struct Outside {
    dice: Dice,
    /// Calls that go wrong, in a thousand.
    pub trouble: u64,
    receivers: BTreeMap<Name, Receiver>,
    vault: Vault,
    underway: Vec<Order>,
}

fn failure(code: FailureCode) -> Failure {
    Failure { code, status: None }
}

impl Outside {
    /// Everybody uses the first version.
    pub(crate) fn new(dice: Dice) -> Self {
        let vault = Vault { versions: [FIRST_VERSION].into(), current: FIRST_VERSION, fence: 0 };
        Self { dice, trouble: 0, receivers: BTreeMap::new(), vault, underway: Vec::new() }
    }

    /// Calls whoever the task is for.
    pub(crate) fn call(&mut self, due: &Due, now: u64) -> Outcome {
        let took = 500 + self.dice.below(300_000);
        if !self.dice.in_a_thousand(self.trouble) {
            return Outcome { result: self.obey(due), took };
        }
        let unreachable = Err(failure(FailureCode::Unreachable));
        let later = now + 1_000_000 + self.dice.below(40_000_000);
        match self.dice.below(8) {
            // Nobody hears it.
            0 => Outcome { result: unreachable, took },
            // It is heard, and the answer is lost.
            1 => {
                let _ = self.obey(due);
                Outcome { result: unreachable, took: PATIENCE }
            }
            // It is heard when nobody waits any more.
            2..=4 => {
                self.underway.push(Order { arrives: later, due: due.clone() });
                Outcome { result: unreachable, took: PATIENCE }
            }
            // It is heard twice.
            5 => {
                self.underway.push(Order { arrives: later, due: due.clone() });
                Outcome { result: self.obey(due), took }
            }
            // The answer is neither yes nor no.
            _ => {
                Outcome { result: Err(Failure { code: FailureCode::Inconclusive, status: Some(503) }), took }
            }
        }
    }

    /// Lets those orders arrive whose time has come.
    pub(crate) fn arrive(&mut self, now: u64) {
        let arrived: Vec<Order> = self.underway.extract_if(.., |it| it.arrives <= now).collect();
        for Order { due, .. } in arrived {
            // Whoever sent it has long stopped listening.
            let _ = self.obey(&due);
        }
    }

    fn obey(&mut self, due: &Due) -> Result<(), Failure> {
        let (from, to) = (due.from_version, due.to_version);
        let Some(target) = &due.task.target else { return self.keep(due) };
        let receiver = self.receivers.entry(target.clone()).or_insert_with(|| Receiver {
            accepts: [FIRST_VERSION].into(),
            signs_with: FIRST_VERSION,
            fence: 0,
        });
        let probe = matches!(due.task.step, Step::Test | Step::ProveRefused);
        if !probe && due.fence < receiver.fence {
            return Err(Failure { code: FailureCode::Refused, status: Some(409) });
        }
        if !probe {
            receiver.fence = due.fence;
        }
        match due.task.step {
            Step::Distribute => drop(receiver.accepts.insert(to)),
            Step::RevokeOld => drop(receiver.accepts.remove(&from)),
            Step::WithdrawNew => drop(receiver.accepts.remove(&to)),
            Step::Switch => receiver.signs_with = to,
            Step::SwitchBack => receiver.signs_with = from,
            Step::Test | Step::ProveRefused if !receiver.accepts.contains(&to) => {
                return Err(failure(FailureCode::NewRefused));
            }
            Step::ProveRefused if receiver.accepts.contains(&from) => {
                return Err(failure(FailureCode::OldAccepted));
            }
            _ => {}
        }
        Ok(())
    }

    /// What is done in the secret store.
    fn keep(&mut self, due: &Due) -> Result<(), Failure> {
        let (from, to) = (due.from_version, due.to_version);
        if due.fence < self.vault.fence {
            return Err(failure(FailureCode::Store));
        }
        self.vault.fence = due.fence;
        match due.task.step {
            Step::CreatePending => drop(self.vault.versions.insert(to)),
            Step::Promote if self.vault.versions.contains(&to) => self.vault.current = to,
            Step::Demote => self.vault.current = from,
            Step::DestroyOld => drop(self.vault.versions.remove(&from)),
            Step::DeleteNew => drop(self.vault.versions.remove(&to)),
            _ => return Err(failure(FailureCode::Store)),
        }
        Ok(())
    }

    /// Whether everybody uses the one version and nothing is left of the other.
    ///
    /// # Errors
    /// Who does not.
    pub(crate) fn all_use(&self, (version, other): (u32, u32)) -> Result<(), String> {
        let Vault { versions, current, .. } = &self.vault;
        if *current != version || !versions.contains(&version) || versions.contains(&other) {
            return Err(format!(
                "the secret store has version {current} of {versions:?}, not {version} alone"
            ));
        }
        for (name, Receiver { accepts, signs_with, .. }) in &self.receivers {
            // The signer accepts nothing and the consumers do not sign; neither is ever told otherwise.
            let is_signer = name.as_str() == "provider";
            let right = if is_signer {
                *signs_with == version
            } else {
                accepts.contains(&version) && !accepts.contains(&other)
            };
            if !right {
                return Err(format!(
                    "`{name}` accepts {accepts:?} and signs with {signs_with}, not with {version}"
                ));
            }
        }
        Ok(())
    }
}
