//! What the log says of itself after genesis: counts of its entries, and who watches it.
//!
//! Whether a count is true is for whoever has all entries to say; here it must come from the node and go forward. Whether a witness was
//! gone nobody can tell from the log; here it is gone once, in nobody's silence, before it is back.

use super::owed::Owed;
use super::violation::Breach;
use super::{Auditor, Verdict, by_node, is_of_none, is_part_of, must};
use crate::domain::{Event, Fact};
use crate::incident::Cause;
use crate::state::Subject;

impl Auditor {
    pub(super) fn log(&mut self, event: &Event) -> Verdict {
        match &event.fact {
            Fact::LogCensusTaken(_, taken) => {
                by_node(event)?;
                is_of_none(event)?;
                must(taken.size > self.counted, Breach::CensusNotNewer)?;
                must((1..=taken.size).contains(&taken.subjects), Breach::WrongCount)?;
                self.counted = taken.size;
                Ok(())
            }
            Fact::LogWitnessLost(_, lost) => {
                self.owed.push(Owed::Incident {
                    cause: Cause::WitnessLost,
                    about: Subject::Log,
                    environment: None,
                });
                by_node(event)?;
                is_of_none(event)?;
                let before = self.lost_witnesses.insert(lost.witness.clone(), event.correlation);
                must(before.is_none(), Breach::BegunTwice)?;
                must(lost.since <= event.at, Breach::TooEarly)
            }
            Fact::LogWitnessRegained(_, regained) => {
                by_node(event)?;
                is_of_none(event)?;
                let correlation = self.lost_witnesses.remove(&regained.witness).ok_or(Breach::Unknown)?;
                is_part_of(event, correlation)
            }
            _ => Err(Breach::Unprompted),
        }
    }
}
