//! People: enrolled by genesis, active from the moment they replaced their claim, and refused only by the node's word.

use super::owed::Owed;
use super::violation::Breach;
use super::{Auditor, Verdict, by_node, is_of, is_of_none, must};
use crate::context::Actor;
use crate::domain::{Event, Fact};
use crate::id::PersonId;
use crate::person::Refused;

/// Longest code of a refusal.
const LONGEST_CODE: usize = 64;

impl Auditor {
    pub(super) fn person(&mut self, event: &Event, owed: Option<&Owed>) -> Verdict {
        match &event.fact {
            Fact::PersonEnrolled(id, enrolled) => {
                must(matches!(owed, Some(Owed::FirstPolicy)), Breach::Unprompted)?;
                self.owed.push(Owed::FirstPolicy);
                by_node(event)?;
                is_of_none(event)?;
                must(enrolled.bootstrap, Breach::NotBootstrap)?;
                must(self.people.insert(*id, None).is_none(), Breach::EnrolledTwice)
            }
            Fact::PersonClaimed(id, claimed) => {
                must(event.actor == Actor::Person(*id), Breach::ClaimedByAnother)?;
                is_of_none(event)?;
                let credential = Some(claimed.credential_sha256);
                must(self.people.values().all(|held| *held != credential), Breach::CredentialInUse)?;
                let held = self.people.get_mut(id).ok_or(Breach::UnknownPerson)?;
                must(held.is_none(), Breach::ClaimedTwice)?;
                *held = credential;
                Ok(())
            }
            Fact::PersonRefused(id, refused) => self.refused(event, (*id, refused)),
            _ => Err(Breach::Unprompted),
        }
    }

    fn refused(&self, event: &Event, (id, refused): (PersonId, &Refused)) -> Verdict {
        by_node(event)?;
        must(self.people.contains_key(&id), Breach::UnknownPerson)?;
        match &refused.action {
            Some(action) => is_of(event, &action.environment)?,
            None => is_of_none(event)?,
        }
        must(refused.from <= refused.until && refused.until <= event.at, Breach::WrongWindow)?;
        let letters = refused.code.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        must(letters && (1..=LONGEST_CODE).contains(&refused.code.len()), Breach::NotACode)
    }
}
