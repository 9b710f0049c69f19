//! Whoever votes in a trial proves who they are, where the rules want that: a case is about the policy, not about passkeys.

use alloc::format;

use super::Trial;
use crate::digest::Digest;
use crate::domain::Command;
use crate::id::PersonId;
use crate::once::Spent;
use crate::passkey::{AddPasskey, NewPasskey};
use crate::session::{Method, Open, StepUp};
use crate::state::Subject;
use crate::time::Time;
use crate::{Actor, Via};

impl Trial {
    /// By which session the command comes, if it is a vote that must be fresh.
    pub(super) fn proved(&mut self, now: Time, (actor, command): (Actor, &Command)) -> Option<Via> {
        let Command::Approve(ballot) = command else { return None };
        let action = &self.state.approval(ballot.approval)?.action;
        let requirement = self.state.policy()?.policy.requirement(action)?;
        let person = actor.person().filter(|_| requirement.fresh_seconds.is_some())?;
        self.stepped_up(now, person)
    }

    fn stepped_up(&mut self, now: Time, person: PersonId) -> Option<Via> {
        let digest = |what: &str, number: u128| Digest::of(format!("trial {what} {number}").as_bytes());
        let number = self.fresh;
        let open = Open {
            person,
            method: Method::Credential {},
            session_sha256: digest("session", number),
            replaces: None,
            spent: None,
        };
        let events = self.submit(now, Actor::Person(person), &Command::OpenSession(open)).ok()?;
        let Subject::Session(session) = Command::principal(&events)?.fact.subject() else { return None };
        let via = Via { session, request_sha256: digest("request", number) };
        let key_sha256 = digest("passkey", person.0);
        if self.state.person(person)?.passkey(&key_sha256).is_none() {
            let public_key_sha256 = digest("public key", person.0);
            let passkey = NewPasskey { key: "trial".into(), key_sha256, public_key_sha256, synced: false };
            let add = Command::AddPasskey(AddPasskey { passkey });
            self.submit_via(now, (Actor::Person(person), Some(via)), &add).ok()?;
        }
        let step_up = StepUp {
            method: Method::Passkey { key_sha256 },
            request_sha256: via.request_sha256,
            spent: Some(Spent { sha256: digest("challenge", number), until: now.plus_seconds(60) }),
        };
        self.submit_via(now, (Actor::Person(person), Some(via)), &Command::StepUp(step_up)).ok()?;
        Some(via)
    }
}
