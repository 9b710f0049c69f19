//! What the log says of itself after genesis: counts of its entries.
//!
//! Whether a count is true is for whoever has all entries to say; here it must come from the node and go forward.

use super::violation::Breach;
use super::{Auditor, Verdict, by_node, is_of_none, must};
use crate::domain::{Event, Fact};

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
            _ => Err(Breach::Unprompted),
        }
    }
}
