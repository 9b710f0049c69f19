//! Passkeys for signing in: each person has several, and changes them as long as they have just proved themselves.
//!
//! They are not those for voting, which are governed (ADR 18): one opens sessions, the other signs decisions. A public key belongs to one person and one
//! purpose, and one that was removed never comes back. Whether a text is a passkey is for `countersign_ledger`'s `webauthn` to say; its name is
//! kept beside the entry, as details.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::catalogue::listed;
use crate::context::Context;
use crate::digest::Digest;
use crate::domain::{self, Event, Fact};
use crate::id::{PersonId, SessionId};
use crate::person::Person;
use crate::policy::SignIn;
use crate::session;
use crate::state::State;
use crate::time::Time;

/// Most passkeys of one person, those removed among them: what is remembered of somebody has a bound.
pub const MOST_PASSKEYS: usize = 64;

/// A passkey, as it is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPasskey {
    /// Its canonical JSON.
    pub key: String,
    /// SHA-256 of that.
    pub key_sha256: Digest,
    /// SHA-256 of its public key alone, in the form of COSE: what no two passkeys may share.
    pub public_key_sha256: Digest,
    /// Whether it may be copied from device to device.
    pub synced: bool,
}

/// Gives whoever asks another passkey for signing in. Through a session in which they proved themselves within the last ten minutes.
#[derive(Clone, Debug)]
pub struct AddPasskey {
    /// The passkey.
    pub passkey: NewPasskey,
}

/// Takes one of one's passkeys out of force, and ends the sessions that it opened. Through a session in which one proved oneself within the last ten
/// minutes.
#[derive(Clone, Copy, Debug)]
pub struct RemovePasskey {
    /// Which.
    pub key_sha256: Digest,
}

/// `person.passkey_added`; also what a claim names that is made with a passkey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyAdded {
    /// Its canonical JSON.
    pub key: String,
    /// SHA-256 of that.
    pub key_sha256: Digest,
    /// SHA-256 of its public key alone.
    pub public_key_sha256: Digest,
    /// The session by which it was added; none as part of a claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Whether it may be copied from device to device.
    pub synced: bool,
}

/// `person.passkey_removed`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyRemoved {
    /// Which.
    pub key_sha256: Digest,
    /// The session by which it was removed.
    pub session: SessionId,
}

/// A passkey of a person, for signing in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    /// Since when it is in force.
    pub added_at: Time,
    /// Its canonical JSON.
    pub key: String,
    /// SHA-256 of that.
    pub key_sha256: Digest,
    /// SHA-256 of its public key alone.
    pub public_key_sha256: Digest,
    /// When it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_at: Option<Time>,
    /// Whether it may be copied from device to device.
    pub synced: bool,
}

impl Passkey {
    /// Whether it signs in.
    #[must_use]
    pub fn is_in_force(&self) -> bool {
        self.removed_at.is_none()
    }
}

/// Why a passkey for signing in is not added or removed, in order of precedence, after everything that is asked of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The policy takes no passkeys that may be copied.
    Synced,
    /// Somebody has or had this key, for signing in or for voting.
    InUse,
    /// The person has or had as many as are possible.
    TooMany,
    /// The person has no such passkey.
    NotFound,
    /// Without it they could not sign in any more.
    Last,
}

listed! { Refusal: Synced, InUse, TooMany, NotFound, Last, }

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Synced => "passkey_synced",
            Self::InUse => "passkey_in_use",
            Self::TooMany => "too_many_passkeys",
            Self::NotFound => "passkey_not_found",
            Self::Last => "passkey_is_last",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Synced => "register one that stays in its authenticator, such as a security key",
            Self::InUse => {
                "register a fresh one: passkeys for signing in and for voting are different ones, each somebody's"
            }
            Self::TooMany => "whoever needs more is invited again under another id",
            Self::NotFound => "list your passkeys on the page of your account",
            Self::Last => "first add another passkey",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Synced => "the policy takes no passkeys that may be copied from device to device",
            Self::InUse => "somebody has or had this passkey",
            Self::TooMany => return write!(f, "a person has and had at most {MOST_PASSKEYS} passkeys"),
            Self::NotFound => "you have no such passkey",
            Self::Last => "without this passkey you could not sign in any more",
        })
    }
}

/// Whether the passkey can be the person's, and how that is written down.
pub(crate) fn registered(state: &State, person: PersonId, new: &NewPasskey) -> Result<PasskeyAdded, Refusal> {
    let taken = state.policy().is_none_or(|in_force| in_force.policy.sign_in.synced_passkeys);
    if new.synced && !taken {
        return Err(Refusal::Synced);
    }
    if state.people().any(|(_, person)| person.has_or_had(&new.key_sha256, Some(&new.public_key_sha256))) {
        return Err(Refusal::InUse);
    }
    if state.person(person).is_some_and(|person| person.passkeys.len() >= MOST_PASSKEYS) {
        return Err(Refusal::TooMany);
    }
    let NewPasskey { key, key_sha256, public_key_sha256, synced } = new.clone();
    Ok(PasskeyAdded { key, key_sha256, public_key_sha256, session: None, synced })
}

pub(crate) fn add(state: &State, cx: &Context, command: &AddPasskey) -> Result<Vec<Event>, domain::Refusal> {
    let session = session::recently_proved(state, cx)?;
    let added = registered(state, session.person, &command.passkey)?;
    let added = PasskeyAdded { session: Some(session.id), ..added };
    let fact = Fact::PersonPasskeyAdded(session.person, added);
    Ok(Vec::from([Event::new(cx, cx.correlation, None, fact)]))
}

pub(crate) fn remove(
    state: &State,
    cx: &Context,
    command: &RemovePasskey,
) -> Result<Vec<Event>, domain::Refusal> {
    let RemovePasskey { key_sha256 } = *command;
    let session = session::recently_proved(state, cx)?;
    let mut person = state.person(session.person).cloned().ok_or(session::Refusal::NotActive)?;
    person.passkey(&key_sha256).ok_or(Refusal::NotFound)?;
    person.passkeys.retain(|passkey| passkey.key_sha256 != key_sha256);
    if !person.can_sign_in(&session::terms(state)) {
        return Err(Refusal::Last.into());
    }
    let removed = PasskeyRemoved { key_sha256, session: session.id };
    let fact = Fact::PersonPasskeyRemoved(session.person, removed);
    Ok(Vec::from([Event::new(cx, cx.correlation, None, fact)]))
}

impl Person {
    /// The passkey of this digest, if it is theirs and signs in.
    #[must_use]
    pub fn passkey(&self, key_sha256: &Digest) -> Option<&Passkey> {
        self.passkeys.iter().find(|passkey| passkey.key_sha256 == *key_sha256 && passkey.is_in_force())
    }

    /// Whether the person has something by which the policy lets people sign in, or a credential, which opens sessions for terminals.
    pub(crate) fn can_sign_in(&self, terms: &SignIn) -> bool {
        let mut passkeys = self.passkeys.iter().filter(|passkey| passkey.is_in_force());
        self.credential_sha256.is_some()
            || passkeys.any(|passkey| !passkey.synced || terms.synced_passkeys)
            || terms.password && self.password.is_some()
            || self.identities.iter().any(|identity| terms.sso.contains(&identity.provider))
    }

    /// Whether the person has or had a key of this digest, or this public key in another text, for signing in or for voting.
    pub(crate) fn has_or_had(&self, key_sha256: &Digest, public: Option<&Digest>) -> bool {
        let signs_in = self
            .passkeys
            .iter()
            .any(|it| it.key_sha256 == *key_sha256 || Some(&it.public_key_sha256) == public);
        let is_it = |sha256: &Option<Digest>| sha256.is_some() && sha256.as_ref() == public;
        signs_in || self.keys.iter().any(|it| it.key_sha256 == *key_sha256 || is_it(&it.public_key_sha256))
    }

    pub(crate) fn keep(&mut self, added: &PasskeyAdded, added_at: Time) {
        let PasskeyAdded { key, key_sha256, public_key_sha256, synced, .. } = added.clone();
        self.passkeys.push(Passkey {
            added_at,
            key,
            key_sha256,
            public_key_sha256,
            removed_at: None,
            synced,
        });
    }
}

pub(crate) fn apply(state: &mut State, event: &Event) {
    match &event.fact {
        Fact::PersonPasskeyAdded(id, added) => {
            state.change::<Person>(id, |person| person.keep(added, event.at));
        }
        Fact::PersonPasskeyRemoved(id, removed) => state.change::<Person>(id, |person| {
            let held = person.passkeys.iter_mut().find(|it| it.key_sha256 == removed.key_sha256);
            held.into_iter().for_each(|passkey| passkey.removed_at = Some(event.at));
        }),
        _ => {}
    }
}
