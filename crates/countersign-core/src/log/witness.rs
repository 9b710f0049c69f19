//! Witnesses that cosign the log's checkpoints: that one was lost, and that it is back, is part of the log they watch.
//!
//! Who the witnesses are, their keys and their links are the node's configuration; here they are names. A lost witness changes no
//! right: it is an incident, because from then on fewer people could tell if the log were forked.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::catalogue::listed;
use crate::context::{Actor, Context};
use crate::domain::{self, Event, Fact};
use crate::id::CorrelationId;
use crate::incident::{self, Cause, Setting};
use crate::log;
use crate::state::{LogSubject, State, Subject};
use crate::text::Name;
use crate::time::Time;

/// The node says how a witness fares.
#[derive(Clone, Debug)]
pub struct ReportWitness {
    /// Which.
    pub witness: Name,
    /// How.
    pub standing: Standing,
}

/// How a witness fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has not cosigned for longer than the node allows.
    Lost {
        /// Size of the last checkpoint it is known to have cosigned; 0 if none.
        cosigned: u64,
        /// Since when it was asked in vain.
        since: Time,
    },
    /// It cosigns again.
    Regained {
        /// Size of the checkpoint it cosigned.
        cosigned: u64,
    },
}

/// `log.witness_lost`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Which.
    pub witness: Name,
    /// Size of the last checkpoint it is known to have cosigned; 0 if none.
    pub cosigned: u64,
    /// Since when it was asked in vain.
    pub since: Time,
}

/// `log.witness_regained`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Regained {
    /// Which.
    pub witness: Name,
    /// Size of the checkpoint it cosigned.
    pub cosigned: u64,
}

/// A witness that was lost and is not back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// When the log said so.
    pub lost_at: Time,
    /// What it belongs to; that it is back belongs there too.
    pub correlation: CorrelationId,
}

/// Why a report is refused, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Only the node asks witnesses.
    NotTheNode,
    /// It was not asked in vain before now.
    NotYet,
    /// The log says already that it is lost.
    AlreadyLost,
    /// The log does not say that it was lost.
    NotLost,
}

listed! { Refusal:
    NotTheNode, NotYet, AlreadyLost, NotLost,
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotTheNode => "not_the_node",
            Self::NotYet => "witness_not_overdue",
            Self::AlreadyLost => "witness_already_lost",
            Self::NotLost => "witness_not_lost",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotTheNode | Self::NotYet => "the node does it by itself",
            Self::AlreadyLost | Self::NotLost => "`countersign ledger witnesses` shows how each fares",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotTheNode => "only the node says how a witness fares",
            Self::NotYet => "a witness cannot have been asked in vain since the future",
            Self::AlreadyLost => "the witness is lost already",
            Self::NotLost => "the witness was not lost",
        })
    }
}

pub(crate) fn report(
    state: &State,
    cx: &Context,
    command: &ReportWitness,
) -> Result<Vec<Event>, domain::Refusal> {
    if cx.actor != Actor::Node {
        return Err(Refusal::NotTheNode.into());
    }
    let log = state.log().ok_or(log::Refusal::NotInitialised)?;
    let witness = command.witness.clone();
    let missing = log.lost_witnesses.get(&witness);
    match (command.standing, missing) {
        (Standing::Lost { since, .. }, _) if since > cx.now => Err(Refusal::NotYet.into()),
        (Standing::Lost { .. }, Some(_)) => Err(Refusal::AlreadyLost.into()),
        (Standing::Lost { cosigned, since }, None) => {
            let setting = Setting { correlation: cx.correlation, environment: None };
            let lost = Fact::LogWitnessLost(LogSubject, Lost { witness, cosigned, since });
            let lost = Event::new(cx, cx.correlation, None, lost);
            Ok(Vec::from([lost, incident::open(cx, &setting, Cause::WitnessLost, Subject::Log)]))
        }
        (Standing::Regained { .. }, None) => Err(Refusal::NotLost.into()),
        (Standing::Regained { cosigned }, Some(missing)) => {
            let regained = Fact::LogWitnessRegained(LogSubject, Regained { witness, cosigned });
            Ok(Vec::from([Event::new(cx, missing.correlation, None, regained)]))
        }
    }
}

pub(super) fn apply(state: &mut State, event: &Event) {
    let Some(mut log) = state.log().cloned() else { return };
    match &event.fact {
        Fact::LogWitnessLost(_, lost) => {
            let missing = Missing { lost_at: event.at, correlation: event.correlation };
            log.lost_witnesses.insert(lost.witness.clone(), missing);
        }
        Fact::LogWitnessRegained(_, regained) => {
            log.lost_witnesses.remove(&regained.witness);
        }
        _ => return,
    }
    state.set_log(log);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Command;
    use crate::testing::{ANA, World};

    #[test]
    fn a_witness_is_lost_once_and_regained_once() {
        let mut world = World::new();
        let name = || "harbour".parse::<Name>().unwrap();
        let report = |standing| Command::ReportWitness(ReportWitness { witness: name(), standing });
        let lost = |since| report(Standing::Lost { cosigned: 7, since });
        let regained = report(Standing::Regained { cosigned: 9 });
        let now = world.now;
        assert_eq!(world.says(ANA, &lost(now)), "not_the_node");
        assert_eq!(world.says(Actor::Node, &lost(now.plus_millis(1_000_000))), "witness_not_overdue");
        assert_eq!(world.says(Actor::Node, &regained), "witness_not_lost");
        assert_eq!(world.says(Actor::Node, &lost(now)), "log.witness_lost incident.opened");
        assert!(world.state.log().unwrap().lost_witnesses.contains_key(&name()));
        assert_eq!(world.says(Actor::Node, &lost(now)), "witness_already_lost");
        assert_eq!(world.says(Actor::Node, &regained), "log.witness_regained");
        assert_eq!(world.says(Actor::Node, &regained), "witness_not_lost");
        assert!(world.state.log().unwrap().lost_witnesses.is_empty());
        world.assert_replays();
    }
}
