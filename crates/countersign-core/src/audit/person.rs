//! People: enrolled by genesis or with consent, active from the moment they replaced their claim until they are deactivated, refused only
//! by the node's word, and in whose place somebody else may agree for a while only by their own.

use alloc::collections::BTreeSet;

use super::genesis::is_replaceable;
use super::owed::Owed;
use super::violation::Breach;
use super::{Auditor, Verdict, by_node, is_of, is_of_none, must};
use crate::context::Actor;
use crate::delegation::{Delegated, Ended};
use crate::digest::Digest;
use crate::domain::{Event, Fact};
use crate::id::PersonId;
use crate::person::{Claimed, Enrolled, Refused};
use crate::time::Time;

/// Longest code of a refusal.
const LONGEST_CODE: usize = 64;

/// 90 days.
const LONGEST_DELEGATION_MILLIS: i64 = 90 * 24 * 60 * 60 * 1_000;

/// 14 days.
const LONGEST_CLAIM_MILLIS: i64 = 14 * 24 * 60 * 60 * 1_000;

/// What somebody who was enrolled is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Has not replaced this claim yet, and may until then, or for good.
    Invited {
        claim: Digest,
        until: Option<Time>,
    },
    /// Has claimed; has this credential, if one.
    Active(Option<Digest>),
    Deactivated,
}

impl Auditor {
    pub(super) fn person(&mut self, event: &Event, owed: Option<&Owed>) -> Verdict {
        match &event.fact {
            Fact::PersonEnrolled(id, enrolled) => self.enrolled(event, owed, (*id, enrolled)),
            Fact::PersonClaimRenewed(id, renewed) => {
                self.is_consented(event, owed)?;
                let before = self.people.get(id).ok_or(Breach::UnknownPerson)?;
                must(matches!(before, Standing::Invited { .. }), Breach::EnrolledTwice)?;
                self.invited(event, *id, (renewed.claim_sha256, Some(renewed.claim_until)))
            }
            Fact::PersonClaimed(id, claimed) => self.claimed(event, (*id, claimed)),
            Fact::PersonDeactivated(id, _) => self.deactivated(event, owed, *id),
            Fact::PersonDelegated(id, delegated) => self.delegated(event, (*id, delegated)),
            Fact::PersonDelegationEnded(id, ended) => self.delegation_ended(event, (*id, ended)),
            Fact::PersonRefused(id, refused) => self.refused(event, (*id, refused)),
            _ => Err(Breach::Unprompted),
        }
    }

    /// By genesis, before there is a policy; afterwards with consent.
    fn enrolled(
        &mut self,
        event: &Event,
        owed: Option<&Owed>,
        (id, enrolled): (PersonId, &Enrolled),
    ) -> Verdict {
        let is_new = !self.people.contains_key(&id);
        if matches!(owed, Some(Owed::FirstPolicy)) {
            self.owed.push(Owed::FirstPolicy);
            by_node(event)?;
            is_of_none(event)?;
            must(enrolled.bootstrap, Breach::NotBootstrap)?;
            must(enrolled.approval.is_none() && enrolled.claim_until.is_none(), Breach::NotBootstrap)?;
        } else {
            must(self.policy.is_some(), Breach::Unprompted)?;
            must(!enrolled.bootstrap, Breach::NotBootstrap)?;
            self.is_consented(event, owed)?;
            must(enrolled.claim_until.is_some(), Breach::WrongPeriod)?;
        }
        must(is_new, Breach::EnrolledTwice)?;
        self.invited(event, id, (enrolled.claim_sha256, enrolled.claim_until))
    }

    /// Somebody has this claim, until then or for good; no two have the same, and the one before is worth nothing.
    fn invited(&mut self, event: &Event, id: PersonId, (claim, until): (Digest, Option<Time>)) -> Verdict {
        let open = until.map(|until| until.as_millis() - event.at.as_millis());
        must(open.is_none_or(|open| (1..=LONGEST_CLAIM_MILLIS).contains(&open)), Breach::WrongPeriod)?;
        let has_it = |it: &Standing| matches!(it, Standing::Invited { claim: held, .. } if *held == claim);
        must(!self.people.values().any(has_it), Breach::ClaimInUse)?;
        self.people.insert(id, Standing::Invited { claim, until });
        Ok(())
    }

    fn claimed(&mut self, event: &Event, (id, claimed): (PersonId, &Claimed)) -> Verdict {
        must(event.actor == Actor::Person(id), Breach::ClaimedByAnother)?;
        is_of_none(event)?;
        if let Claimed::CredentialSha256(credential) = claimed {
            must(!self.is_secret_of_somebody(credential), Breach::CredentialInUse)?;
        }
        let standing = self.people.get(&id).ok_or(Breach::UnknownPerson)?;
        let Standing::Invited { until, .. } = standing else { return Err(Breach::ClaimedTwice) };
        must(until.is_none_or(|until| event.at < until), Breach::TooLate)?;
        let credential = match claimed {
            Claimed::CredentialSha256(credential) => Some(*credential),
            Claimed::Passkey(added) => {
                must(added.session.is_none(), Breach::SessionNotLive)?;
                self.registered(id, added)?;
                self.sessions.claimed_by(id);
                None
            }
            Claimed::Password(set) => {
                must(set.session.is_none(), Breach::SessionNotLive)?;
                self.password_set(event, (id, &set.recovery))?;
                self.sessions.claimed_by(id);
                None
            }
        };
        self.people.insert(id, Standing::Active(credential));
        Ok(())
    }

    /// Nobody without whom the policy could never be replaced.
    fn deactivated(&mut self, event: &Event, owed: Option<&Owed>, id: PersonId) -> Verdict {
        self.is_consented(event, owed)?;
        let standing = *self.people.get(&id).ok_or(Breach::UnknownPerson)?;
        must(standing != Standing::Deactivated, Breach::DeactivatedTwice)?;
        let active = |without: Option<PersonId>| -> BTreeSet<PersonId> {
            self.people.keys().copied().filter(|it| Some(*it) != without && self.is_active(*it)).collect()
        };
        let policy = &self.in_force()?.policy;
        let needed = is_replaceable(policy, &active(None)) && !is_replaceable(policy, &active(Some(id)));
        must(!needed, Breach::StillNeeded)?;
        self.people.insert(id, Standing::Deactivated);
        self.delegations.remove(&id);
        Ok(())
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
            by => {
                must(by == Actor::Person(id), Breach::DelegatedByAnother)?;
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
