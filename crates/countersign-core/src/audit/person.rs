//! People: enrolled by genesis, active from the moment they replaced their claim, refused only by the node's word, and in whose place
//! somebody else may agree for a while only by their own.

use super::owed::Owed;
use super::violation::Breach;
use super::{Auditor, Verdict, by_node, is_of, is_of_none, must};
use crate::context::Actor;
use crate::delegation::{Delegated, Ended};
use crate::domain::{Event, Fact};
use crate::id::PersonId;
use crate::person::Refused;

/// Longest code of a refusal.
const LONGEST_CODE: usize = 64;

/// 90 days.
const LONGEST_DELEGATION_MILLIS: i64 = 90 * 24 * 60 * 60 * 1_000;

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
            Fact::PersonDelegated(id, delegated) => self.delegated(event, (*id, delegated)),
            Fact::PersonDelegationEnded(id, ended) => self.delegation_ended(event, (*id, ended)),
            Fact::PersonRefused(id, refused) => self.refused(event, (*id, refused)),
            _ => Err(Breach::Unprompted),
        }
    }

    fn delegated(&mut self, event: &Event, (id, delegated): (PersonId, &Delegated)) -> Verdict {
        must(event.actor == Actor::Person(id), Breach::DelegatedByAnother)?;
        is_of_none(event)?;
        must(self.is_active(delegated.to), Breach::UnknownPerson)?;
        must(delegated.to != id, Breach::DelegatedToOneself)?;
        let [at, from, until] = [event.at, delegated.from, delegated.until].map(crate::time::Time::as_millis);
        must(at <= from && from < until && until - from <= LONGEST_DELEGATION_MILLIS, Breach::WrongPeriod)?;
        let before = self.delegations.insert(id, *delegated);
        must(before.is_none_or(|before| before.until.as_millis() <= at), Breach::BegunTwice)
    }

    fn delegation_ended(&mut self, event: &Event, (id, ended): (PersonId, &Ended)) -> Verdict {
        is_of_none(event)?;
        let delegated = self.delegations.remove(&id).ok_or(Breach::Unknown)?;
        must(ended.to == delegated.to, Breach::OtherDelegate)?;
        match event.actor {
            Actor::Node => must(event.at >= delegated.until, Breach::TooEarly),
            Actor::Person(by) => {
                must(by == id, Breach::DelegatedByAnother)?;
                must(event.at < delegated.until, Breach::TooLate)
            }
        }
    }

    /// Whether the one may agree in the other's place at the time of the event: because of that other's own word, never through a third.
    pub(super) fn stands_in(&self, event: &Event, (delegate, person): (PersonId, PersonId)) -> bool {
        let delegated = self.delegations.get(&person).filter(|delegated| delegated.to == delegate);
        delegated.is_some_and(|delegated| (delegated.from..delegated.until).contains(&event.at))
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
