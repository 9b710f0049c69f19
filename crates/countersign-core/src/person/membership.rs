//! Who belongs: people are invited after genesis, and deactivated, each as a governed action.
//!
//! An invitation gives an id and a one-time claim that expires; until it is claimed, another invitation replaces it. Who is deactivated can do
//! nothing from that entry on: their credential, votes, requests and delegations count no more. They stay on record and never come back;
//! the same human is invited again under another id.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{Enrolled, Person, Refusal};
use crate::action::Action;
use crate::context::Context;
use crate::digest::Digest;
use crate::domain::{self, Event, Fact};
use crate::id::{ApprovalId, PersonId};
use crate::log;
use crate::permit::{self, AtOnce};
use crate::state::State;
use crate::time::Time;

/// Longest time for which an invitation may be open: 14 days, in seconds.
pub const LONGEST_CLAIM_SECONDS: u32 = 14 * 24 * 3_600;

/// Invites somebody.
#[derive(Clone, Debug)]
pub struct Invite {
    /// The id they get.
    pub person: PersonId,
    /// SHA-256 of the one-time claim.
    pub claim_sha256: Digest,
    /// How long the claim is open, seconds, at most [`LONGEST_CLAIM_SECONDS`].
    pub claim_seconds: NonZeroU32,
    /// The approval and the digest of its parameters, where the rules demand one.
    pub under: Option<(ApprovalId, Digest)>,
}

/// Ends that somebody belongs.
#[derive(Clone, Debug)]
pub struct Deactivate {
    /// Who.
    pub person: PersonId,
    /// The approval and the digest of its parameters, where the rules demand one.
    pub under: Option<(ApprovalId, Digest)>,
}

/// `person.claim_renewed`: somebody who has not claimed was invited again, and the claim before is worth nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRenewed {
    /// The approval it rests on; none where the rules demand none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalId>,
    /// SHA-256 of the one-time claim.
    pub claim_sha256: Digest,
    /// Until when it is open.
    pub claim_until: Time,
}

/// `person.deactivated`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deactivated {
    /// The approval it rests on; none where the rules demand none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalId>,
}

fn action(verb: &str, person: PersonId) -> Option<Action> {
    Action::of([verb, &format!("person/{person}"), "control"])
}

/// The action under which somebody is invited: `invite person/per_… control`.
#[must_use]
pub fn invitation(person: PersonId) -> Option<Action> {
    action("invite", person)
}

/// The action under which somebody is deactivated: `deactivate person/per_… control`.
#[must_use]
pub fn deactivation(person: PersonId) -> Option<Action> {
    action("deactivate", person)
}

pub(crate) fn invite(state: &State, cx: &Context, command: &Invite) -> Result<Vec<Event>, domain::Refusal> {
    let Invite { person, claim_sha256, claim_seconds, under } = command;
    let action = invitation(*person).ok_or(permit::Refusal::NoRule)?;
    let used = AtOnce::check(state, cx, action, *under)?;
    let before = state.person(*person);
    if before.is_some_and(|person| !person.is_invited()) {
        return Err(Refusal::AlreadyEnrolled.into());
    }
    if state.people().any(|(_, other)| other.claim_sha256 == Some(*claim_sha256)) {
        return Err(Refusal::ClaimInUse.into());
    }
    if claim_seconds.get() > LONGEST_CLAIM_SECONDS {
        return Err(Refusal::OpenTooLong.into());
    }
    let approval = under.map(|(approval, _)| approval);
    let (claim_sha256, until) = (*claim_sha256, cx.now.plus_seconds(claim_seconds.get()));
    let fact = if before.is_some() {
        Fact::PersonClaimRenewed(*person, ClaimRenewed { approval, claim_sha256, claim_until: until })
    } else {
        let claim_until = Some(until);
        Fact::PersonEnrolled(*person, Enrolled { claim_sha256, bootstrap: false, approval, claim_until })
    };
    Ok(used.events(cx, fact))
}

pub(crate) fn deactivate(
    state: &State,
    cx: &Context,
    command: &Deactivate,
) -> Result<Vec<Event>, domain::Refusal> {
    let Deactivate { person: id, under } = command;
    let action = deactivation(*id).ok_or(permit::Refusal::NoRule)?;
    let used = AtOnce::check(state, cx, action, *under)?;
    let person = state.person(*id).ok_or(Refusal::UnknownPerson)?;
    if person.deactivated_at.is_some() {
        return Err(Refusal::Deactivated.into());
    }
    if person.is_active() && is_needed(state, *id) {
        return Err(Refusal::StillNeeded.into());
    }
    let deactivated = Deactivated { approval: under.map(|(approval, _)| approval) };
    Ok(used.events(cx, Fact::PersonDeactivated(*id, deactivated)))
}

/// Whether the active people could replace the policy in force, and could not any more without this one.
fn is_needed(state: &State, person: PersonId) -> bool {
    let Some(in_force) = state.policy() else { return false };
    let active: BTreeSet<PersonId> =
        state.people().filter(|(_, person)| person.is_active()).map(|(id, _)| *id).collect();
    let others = active.iter().copied().filter(|it| *it != person).collect();
    log::is_replaceable(&in_force.policy, &active) && !log::is_replaceable(&in_force.policy, &others)
}

pub(crate) fn apply(state: &mut State, event: &Event) {
    match &event.fact {
        Fact::PersonClaimRenewed(id, renewed) => state.change::<Person>(id, |person| {
            person.claim_sha256 = Some(renewed.claim_sha256);
            person.claim_until = Some(renewed.claim_until);
        }),
        Fact::PersonDeactivated(id, _) => {
            let credential = state.person(*id).and_then(|person| person.credential_sha256);
            if let Some(credential) = credential {
                state.remove_holder(&credential);
            }
            state.change::<Person>(id, |person| {
                (person.claim_sha256, person.claim_until) = (None, None);
                person.credential_sha256 = None;
                person.delegated = None;
                person.deactivated_at = Some(event.at);
            });
        }
        _ => {}
    }
}
