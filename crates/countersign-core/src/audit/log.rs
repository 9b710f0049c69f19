//! What the log says of itself after genesis: counts of its entries, who watches it, and which entries lost their details.
//!
//! Whether a count is true is for whoever has all entries to say; here it must come from the node and go forward. Whether a witness was
//! gone nobody can tell from the log; here it is gone once, in nobody's silence, before it is back. Whether details are gone shows
//! beside the leaves; here each is deleted once, under an approval of a redaction.

use super::owed::Owed;
use super::violation::Breach;
use super::{Auditor, Verdict, by_node, is_of_none, is_part_of, must};
use crate::action::Action;
use crate::domain::{Event, Fact};
use crate::incident::Cause;
use crate::state::Subject;

/// What details are deleted under.
const REDACT: [&str; 3] = ["redact", "ledger/details", "control"];

/// Whether the action is the deletion of details.
pub(super) fn is_redaction(action: &Action) -> bool {
    [action.verb.as_str(), action.resource.as_str(), action.environment.as_str()] == REDACT
}

impl Auditor {
    pub(super) fn log(&mut self, event: &Event, owed: Option<&Owed>) -> Verdict {
        match &event.fact {
            Fact::LogDetailsRedacted(_, redacted) => {
                must(owed.is_some(), Breach::Unprompted)?;
                let [.., environment] = REDACT;
                let named = event.environment.as_ref().map(crate::text::Name::as_str);
                must(named == Some(environment), Breach::WrongEnvironment)?;
                let anew = redacted.entries.iter().all(|index| self.redacted.insert(index));
                must(anew, Breach::RedactedTwice)
            }
            Fact::LogCensusTaken(_, taken) => {
                by_node(event)?;
                is_of_none(event)?;
                must(taken.size > self.counted, Breach::CensusNotNewer)?;
                must((1..=taken.size).contains(&taken.subjects), Breach::WrongCount)?;
                self.counted = taken.size;
                Ok(())
            }
            Fact::LogPermitKeyNamed(_, named) => {
                by_node(event)?;
                is_of_none(event)?;
                must(self.permit_key.as_ref() != Some(&named.key), Breach::PermitKeyRepeated)?;
                self.permit_key = Some(named.key.clone());
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
