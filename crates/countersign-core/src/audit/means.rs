//! By what else people sign in: passwords with codes that are each used once, and identities at providers, each one person's. Changed by themselves when
//! they have just proved who they are, and never the last means taken away.
//!
//! That a password or a provider's word is genuine is the node's to say.

use alloc::collections::{BTreeMap, BTreeSet};

use super::violation::Breach;
use super::{Auditor, Verdict, must};
use crate::digest::Digest;
use crate::domain::{Event, Fact};
use crate::id::PersonId;
use crate::session::Method;
use crate::text::Name;
use crate::time::Time;

const RECOVERY_CODES: usize = 10;

const MOST_IDENTITIES: usize = 8;

const STEP_MILLIS: i64 = 30_000;

/// By how many steps clocks may differ.
const APART: u32 = 2;

#[derive(Clone, Debug)]
struct Password {
    since: Time,
    last_step: Option<u32>,
    recovery: BTreeSet<Digest>,
}

#[derive(Clone, Debug)]
struct Identity {
    owner: PersonId,
    provider: Name,
    since: Time,
}

/// Passwords by whose they are, and identities by their digest.
#[derive(Clone, Debug, Default)]
pub(super) struct Means {
    passwords: BTreeMap<PersonId, Password>,
    identities: BTreeMap<Digest, Identity>,
}

impl Auditor {
    pub(super) fn means(&mut self, event: &Event) -> Verdict {
        match &event.fact {
            Fact::PersonPasswordSet(person, set) => {
                let session = set.session.ok_or(Breach::SessionNotLive)?;
                self.by_recent(event, (*person, session))?;
                self.password_set(event, (*person, &set.recovery))
            }
            Fact::PersonPasswordRemoved(person, removed) => {
                self.by_recent(event, (*person, removed.session))?;
                self.means.passwords.remove(person).ok_or(Breach::NoPassword)?;
                must(self.can_sign_in(*person)?, Breach::LastMeans)
            }
            Fact::PersonRecoveryCodesRenewed(person, renewed) => {
                self.by_recent(event, (*person, renewed.session))?;
                must(renewed.recovery.len() == RECOVERY_CODES, Breach::WrongCodes)?;
                let password = self.means.passwords.get_mut(person).ok_or(Breach::NoPassword)?;
                password.recovery.clone_from(&renewed.recovery);
                Ok(())
            }
            Fact::PersonIdentityLinked(person, linked) => {
                self.by_recent(event, (*person, linked.session))?;
                must(self.in_force()?.policy.sign_in.sso.contains(&linked.provider), Breach::MethodNotTaken)?;
                self.sessions.spend(event.at, linked.spent)?;
                let theirs = self.means.identities.values().filter(|it| it.owner == *person).count();
                must(theirs < MOST_IDENTITIES, Breach::TooManyIdentities)?;
                let identity =
                    Identity { owner: *person, provider: linked.provider.clone(), since: event.at };
                let before = self.means.identities.insert(linked.identity_sha256, identity);
                must(before.is_none(), Breach::IdentityInUse)
            }
            Fact::PersonIdentityUnlinked(person, unlinked) => {
                self.by_recent(event, (*person, unlinked.session))?;
                let identity = self.means.identities.remove(&unlinked.identity_sha256);
                must(identity.is_some_and(|it| it.owner == *person), Breach::IdentityNotTheirs)?;
                must(self.can_sign_in(*person)?, Breach::LastMeans)
            }
            _ => Err(Breach::Unprompted),
        }
    }

    /// As part of a claim, or by a session.
    pub(super) fn password_set(
        &mut self,
        event: &Event,
        (person, recovery): (PersonId, &BTreeSet<Digest>),
    ) -> Verdict {
        must(self.in_force()?.policy.sign_in.password, Breach::MethodNotTaken)?;
        must(recovery.len() == RECOVERY_CODES, Breach::WrongCodes)?;
        let password = Password { since: event.at, last_step: None, recovery: recovery.clone() };
        self.means.passwords.insert(person, password);
        Ok(())
    }

    /// Whether the person has something by which the policy lets people sign in, or a credential.
    pub(super) fn can_sign_in(&self, person: PersonId) -> Verdict<bool> {
        let terms = &self.in_force()?.policy.sign_in;
        let mut identities = self.means.identities.values();
        Ok(self.has_credential(person)
            || self.has_passkey(person, terms.synced_passkeys)
            || terms.password && self.means.passwords.contains_key(&person)
            || identities.any(|it| it.owner == person && terms.sso.contains(&it.provider)))
    }

    /// Whether what opened a session at that time is still the person's.
    pub(super) fn still_opens(&self, person: PersonId, (method, opened): (&Method, Time)) -> bool {
        match method {
            Method::Passkey { key_sha256 } => self.signs_in_with(person, key_sha256).is_some(),
            Method::Password { .. } | Method::RecoveryCode { .. } => {
                self.means.passwords.get(&person).is_some_and(|it| it.since <= opened)
            }
            Method::Sso { identity_sha256, .. } => {
                let identity = self.means.identities.get(identity_sha256);
                identity.is_some_and(|it| it.owner == person && it.since <= opened)
            }
            Method::Claim {} | Method::HandedOn { .. } | Method::Credential {} => true,
        }
    }

    /// What is shown is the person's, and the policy takes it.
    pub(super) fn is_taken(&self, person: PersonId, method: &Method) -> Verdict {
        let terms = &self.in_force()?.policy.sign_in;
        let taken = match method {
            Method::Passkey { key_sha256 } => {
                self.signs_in_with(person, key_sha256).is_some_and(|synced| !synced || terms.synced_passkeys)
            }
            Method::Password { .. } | Method::RecoveryCode { .. } => {
                terms.password && self.means.passwords.contains_key(&person)
            }
            Method::Sso { identity_sha256, provider } => {
                let identity = self.means.identities.get(identity_sha256);
                let theirs = identity.is_some_and(|it| it.owner == person && it.provider == *provider);
                theirs && terms.sso.contains(provider)
            }
            Method::Credential {} => self.has_credential(person),
            Method::Claim {} | Method::HandedOn { .. } => false,
        };
        must(taken, Breach::MethodNotTaken)
    }

    /// The code that is shown is of its time and newer than any before it, or is a recovery code that is left.
    pub(super) fn code_used(&mut self, event: &Event, (person, method): (PersonId, &Method)) -> Verdict {
        let Some(password) = self.means.passwords.get_mut(&person) else { return Ok(()) };
        match method {
            Method::Password { totp_step } => {
                let now = u32::try_from(event.at.as_millis() / STEP_MILLIS).unwrap_or(u32::MAX);
                must(now.abs_diff(*totp_step) <= APART, Breach::CodeNotOfNow)?;
                must(password.last_step.is_none_or(|last| *totp_step > last), Breach::CodeUsed)?;
                password.last_step = Some(*totp_step);
                Ok(())
            }
            Method::RecoveryCode { code_sha256 } => {
                must(password.recovery.remove(code_sha256), Breach::CodeUsed)
            }
            _ => Ok(()),
        }
    }
}
