//! Voting keys: public keys by which people sign what they agree to, each enrolled under a quorum of its own and in force until revoked.
//!
//! A key belongs to one person, and one that was revoked never comes back: a signature must always mean the same human. Revoking is a
//! governed action too, but whoever lost a key revokes it alone and at once. Whether a text is a public key is for
//! `countersign_ledger`'s `sshsig` and `webauthn` to say; here are its kind, its bytes and their digest.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::catalogue::listed;
use crate::context::{Actor, Context};
use crate::digest::Digest;
use crate::domain::{self, Event, Fact};
use crate::id::{ApprovalId, PersonId};
use crate::permit::{self, AtOnce};
use crate::person::Person;
use crate::signature::Algorithm;
use crate::state::State;
use crate::time::Time;

/// A public key, as it is enrolled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// Its kind.
    pub algorithm: Algorithm,
    /// Its SSH wire form, base64; of a passkey its canonical JSON.
    pub key: String,
    /// SHA-256 of the wire form, or of the JSON.
    pub key_sha256: Digest,
    /// Of a passkey, SHA-256 of its public key alone, in the form of COSE: it must not come back in another text.
    pub public_key_sha256: Option<Digest>,
}

/// Gives a person a voting key.
#[derive(Clone, Debug)]
pub struct EnrollKey {
    /// Whose it is.
    pub person: PersonId,
    /// The key.
    pub key: PublicKey,
    /// The approval of exactly this key.
    pub approval: ApprovalId,
    /// Digest of the approved parameters, salted as the approval's are.
    pub parameters_sha256: Digest,
}

/// Takes a voting key out of force, for good.
#[derive(Clone, Debug)]
pub struct RevokeKey {
    /// Whose it is.
    pub person: PersonId,
    /// Which.
    pub key_sha256: Digest,
    /// The approval and the digest of its parameters; whose key it is needs none.
    pub under: Option<(ApprovalId, Digest)>,
}

/// `person.key_enrolled`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyEnrolled {
    /// Its kind.
    pub algorithm: Algorithm,
    /// The approval it rests on.
    pub approval: ApprovalId,
    /// Its SSH wire form, base64; of a passkey its canonical JSON.
    pub key: String,
    /// SHA-256 of the wire form, or of the JSON.
    pub key_sha256: Digest,
    /// Of a passkey, SHA-256 of its public key alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key_sha256: Option<Digest>,
}

/// `person.key_revoked`: votes signed with it count no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRevoked {
    /// The approval it rests on; none where the person did it.
    pub approval: Option<ApprovalId>,
    /// Which.
    pub key_sha256: Digest,
}

/// A voting key of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VotingKey {
    /// Its kind.
    pub algorithm: Algorithm,
    /// The approval it rests on.
    pub approval: ApprovalId,
    /// Since when it is in force.
    pub enrolled_at: Time,
    /// Its SSH wire form, base64; of a passkey its canonical JSON.
    pub key: String,
    /// SHA-256 of the wire form, or of the JSON.
    pub key_sha256: Digest,
    /// Of a passkey, SHA-256 of its public key alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key_sha256: Option<Digest>,
    /// When it was revoked.
    pub revoked_at: Option<Time>,
}

impl VotingKey {
    /// Whether signatures by it count.
    #[must_use]
    pub fn is_in_force(&self) -> bool {
        self.revoked_at.is_none()
    }
}

/// Why a voting key is not enrolled or revoked, in order of precedence, after everything that is asked of its approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Without an approval, only whose key it is revokes it.
    NotTheOwner,
    /// There is nobody of this id.
    UnknownPerson,
    /// Somebody has or had this key.
    InUse,
    /// The person has no such key.
    NotFound,
    /// The key was revoked before.
    Revoked,
}

listed! { Refusal:
    NotTheOwner, UnknownPerson, InUse, NotFound, Revoked,
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotTheOwner => "not_the_owner",
            Self::UnknownPerson => "unknown_person",
            Self::InUse => "voting_key_in_use",
            Self::NotFound => "voting_key_not_found",
            Self::Revoked => "voting_key_revoked",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotTheOwner => "ask for approval of `revoke voting-key/per_… control`, and name it",
            Self::UnknownPerson => "name enrolled people by their ids, as `GET /admin/people` lists them",
            Self::InUse => "make a fresh key with `ssh-keygen` and ask for its approval",
            Self::NotFound => "list the person's keys with `countersign person key list`",
            Self::Revoked => "nothing: signatures by it count no more",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotTheOwner => "without an approval, only the person revokes their key",
            Self::UnknownPerson => "there is nobody of this id",
            Self::InUse => "somebody has or had this key, and a key belongs to one person",
            Self::NotFound => "the person has no such key",
            Self::Revoked => "the key was revoked before",
        })
    }
}

fn action(verb: &str, person: PersonId) -> Option<Action> {
    Action::of([verb, &alloc::format!("voting-key/{person}"), "control"])
}

/// The action under which a person gets a key: `enroll voting-key/per_… control`.
#[must_use]
pub fn enrolment(person: PersonId) -> Option<Action> {
    action("enroll", person)
}

/// The action under which others revoke a person's key: `revoke voting-key/per_… control`.
#[must_use]
pub fn revocation(person: PersonId) -> Option<Action> {
    action("revoke", person)
}

pub(crate) fn enroll(
    state: &State,
    cx: &Context,
    command: &EnrollKey,
) -> Result<Vec<Event>, domain::Refusal> {
    let EnrollKey { person, key, approval, parameters_sha256 } = command;
    let action = enrolment(*person).ok_or(permit::Refusal::NoRule)?;
    let used = AtOnce::check(state, cx, action, (*approval, *parameters_sha256))?;
    state.person(*person).ok_or(Refusal::UnknownPerson)?;
    let public = key.public_key_sha256.as_ref();
    if state.people().any(|(_, person)| person.has_or_had(&key.key_sha256, public)) {
        return Err(Refusal::InUse.into());
    }
    let PublicKey { algorithm, key, key_sha256, public_key_sha256 } = key.clone();
    let enrolled = KeyEnrolled { algorithm, approval: *approval, key, key_sha256, public_key_sha256 };
    Ok(used.events(cx, Fact::PersonKeyEnrolled(*person, enrolled)))
}

pub(crate) fn revoke(
    state: &State,
    cx: &Context,
    command: &RevokeKey,
) -> Result<Vec<Event>, domain::Refusal> {
    let RevokeKey { person, key_sha256, under } = command;
    let action = revocation(*person).ok_or(permit::Refusal::NoRule)?;
    let used = match under {
        Some(under) => AtOnce::check(state, cx, action, *under)?,
        None if cx.actor == Actor::Person(*person) => AtOnce::by_right(cx, action),
        None => return Err(Refusal::NotTheOwner.into()),
    };
    let owner = state.person(*person).ok_or(Refusal::UnknownPerson)?;
    let held = owner.keys.iter().find(|key| key.key_sha256 == *key_sha256).ok_or(Refusal::NotFound)?;
    if !held.is_in_force() {
        return Err(Refusal::Revoked.into());
    }
    let approval = under.map(|(approval, _)| approval);
    let fact = Fact::PersonKeyRevoked(*person, KeyRevoked { approval, key_sha256: *key_sha256 });
    Ok(used.events(cx, fact))
}

pub(crate) fn apply(state: &mut State, event: &Event) {
    match &event.fact {
        Fact::PersonKeyEnrolled(id, enrolled) => {
            let KeyEnrolled { algorithm, approval, key, key_sha256, public_key_sha256 } = enrolled.clone();
            let (enrolled_at, revoked_at) = (event.at, None);
            let key = VotingKey {
                algorithm,
                approval,
                enrolled_at,
                key,
                key_sha256,
                public_key_sha256,
                revoked_at,
            };
            state.change::<Person>(id, |person| person.keys.push(key));
        }
        Fact::PersonKeyRevoked(id, revoked) => state.change::<Person>(id, |person| {
            let held = person.keys.iter_mut().find(|key| key.key_sha256 == revoked.key_sha256);
            held.into_iter().for_each(|key| key.revoked_at = Some(event.at));
        }),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
