//! Counts of entries per subject, taken from time to time and written down, so that an export can be shown to leave nothing out.
//!
//! Counting is the node's work: the core knows neither the log's size nor its entries. It only sees to it that censuses go forward. That
//! one is true is found out by whoever verifies the log and counts again.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::catalogue::listed;
use crate::context::{Actor, Context};
use crate::digest::Digest;
use crate::domain::{Event, Fact};
use crate::state::{LogSubject, State, Subject};

/// Writes a census down.
#[derive(Clone, Copy, Debug)]
pub struct TakeCensus {
    /// The size of the log at which entries were counted.
    pub size: u64,
    /// How many subjects have an entry below it.
    pub subjects: u64,
    /// The RFC 6962 root over the rows, one per subject.
    pub root_sha256: Digest,
}

/// `log.census_taken`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The size of the log at which entries were counted: those with an index below it.
    pub size: u64,
    /// How many subjects have an entry below it.
    pub subjects: u64,
    /// The RFC 6962 root over the rows, one per subject.
    pub root_sha256: Digest,
}

/// The last census, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastCensus {
    /// The size of the log at which entries were counted.
    pub size: u64,
    /// The number of its entry among the log's own.
    pub subject_seq: u32,
}

/// Why a census is not written down, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Only the node takes censuses.
    NotTheNode,
    /// There is no genesis yet.
    NotInitialised,
    /// There is a census of as many entries or more.
    NotNewer,
}

listed! { Refusal:
    NotTheNode, NotInitialised, NotNewer,
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotTheNode => "not_the_node",
            Self::NotInitialised => "not_initialised",
            Self::NotNewer => "census_not_newer",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotTheNode => "the node does it by itself",
            Self::NotInitialised => "run `countersign init` first",
            Self::NotNewer => "nothing: what was counted is on record already",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotTheNode => "only the node takes censuses",
            Self::NotInitialised => "the log has no genesis yet",
            Self::NotNewer => "a census of as many entries is on record already",
        })
    }
}

pub(crate) fn take(state: &State, cx: &Context, command: &TakeCensus) -> Result<Vec<Event>, Refusal> {
    if cx.actor != Actor::Node {
        return Err(Refusal::NotTheNode);
    }
    let log = state.log().ok_or(Refusal::NotInitialised)?;
    if command.size <= log.census.map_or(0, |last| last.size) {
        return Err(Refusal::NotNewer);
    }
    let TakeCensus { size, subjects, root_sha256 } = *command;
    let taken = Fact::LogCensusTaken(LogSubject, Taken { size, subjects, root_sha256 });
    Ok(Vec::from([Event::new(cx, cx.correlation, None, taken)]))
}

pub(super) fn apply(state: &mut State, taken: Taken) {
    let subject_seq = state.entries_of(&Subject::Log);
    if let Some(log) = state.log().cloned() {
        let census = Some(LastCensus { size: taken.size, subject_seq });
        state.set_log(super::Log { census, ..log });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Command;
    use crate::testing::{ANA, World};

    fn census(size: u64) -> Command {
        Command::TakeCensus(TakeCensus { size, subjects: 3, root_sha256: Digest::of(b"rows") })
    }

    #[test]
    fn censuses_are_the_nodes_and_go_forward() {
        let mut world = World::new();
        let last = |world: &World| world.state.log().and_then(|log| log.census);
        assert_eq!(world.says(ANA, &census(9)), "not_the_node");
        assert_eq!(world.says(Actor::Node, &census(0)), "census_not_newer");
        assert_eq!(world.says(Actor::Node, &census(9)), "log.census_taken");
        assert_eq!(last(&world), Some(LastCensus { size: 9, subject_seq: 2 }));
        for size in [8, 9] {
            assert_eq!(world.says(Actor::Node, &census(size)), "census_not_newer");
        }
        assert_eq!(world.says(Actor::Node, &census(10)), "log.census_taken");
        assert_eq!(last(&world), Some(LastCensus { size: 10, subject_seq: 3 }));
        world.assert_replays();
    }
}
