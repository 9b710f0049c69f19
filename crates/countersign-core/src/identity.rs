//! Identities at `OpenID` providers that people link to themselves, to sign in by them.
//!
//! An identity is an issuer and what it calls somebody, for good (`sub`); on record is their SHA-256, so that no address and no name at another
//! place gets into the ledger. It belongs to one person at a time. Whether a provider's word is genuine is for the node to verify.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::catalogue::listed;
use crate::context::Context;
use crate::digest::Digest;
use crate::domain::{self, Event, Fact};
use crate::id::SessionId;
use crate::once::Spent;
use crate::person::Person;
use crate::session;
use crate::state::State;
use crate::text::Name;
use crate::time::Time;

/// Most identities of one person.
pub const MOST_IDENTITIES: usize = 8;

/// SHA-256 of `issuer LF sub`.
#[must_use]
pub fn sha256(issuer: &str, sub: &str) -> Digest {
    Digest::of(alloc::format!("{issuer}\n{sub}").as_bytes())
}

/// Links an identity to whoever asks. Through a session in which they proved themselves within the last ten minutes, once the node has verified the provider's
/// word.
#[derive(Clone, Debug)]
pub struct LinkIdentity {
    /// SHA-256 of issuer and subject, as [`sha256`] gives it.
    pub identity_sha256: Digest,
    /// The provider, as the policy and the node's configuration call it.
    pub provider: Name,
    /// What the provider's word was bound to, which is used once.
    pub spent: Spent,
}

/// Takes one of one's identities away, and ends the sessions that it opened. Through such a session.
#[derive(Clone, Copy, Debug)]
pub struct UnlinkIdentity {
    /// Which.
    pub identity_sha256: Digest,
}

/// `person.identity_linked`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityLinked {
    /// SHA-256 of issuer and subject.
    pub identity_sha256: Digest,
    /// The provider.
    pub provider: Name,
    /// The session by which it was linked.
    pub session: SessionId,
    /// What was used up for it.
    pub spent: Spent,
}

/// `person.identity_unlinked`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentityUnlinked {
    /// Which.
    pub identity_sha256: Digest,
    /// The session by which it was taken away.
    pub session: SessionId,
}

/// An identity of a person at a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// SHA-256 of issuer and subject.
    pub identity_sha256: Digest,
    /// Since when it is theirs.
    pub linked_at: Time,
    /// The provider.
    pub provider: Name,
}

/// Why an identity is not linked or taken away, in order of precedence, after everything that is asked of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The policy does not let this provider sign people in.
    NotTaken,
    /// Somebody has this identity.
    InUse,
    /// The person has as many as are possible.
    TooMany,
    /// The person has no such identity.
    NotFound,
    /// Without it they could not sign in any more.
    Last,
}

listed! { Refusal: NotTaken, InUse, TooMany, NotFound, Last, }

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotTaken => "provider_not_taken",
            Self::InUse => "identity_in_use",
            Self::TooMany => "too_many_identities",
            Self::NotFound => "identity_not_found",
            Self::Last => "identity_is_last",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotTaken => "`sso` in `[sign_in]` of the policy names the providers that sign people in",
            Self::InUse => "whoever has it takes it away first",
            Self::TooMany => "take one away first",
            Self::NotFound => "list your identities on the page of your account",
            Self::Last => "first add a passkey",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotTaken => "the policy does not let this provider sign people in",
            Self::InUse => "somebody has this identity",
            Self::TooMany => return write!(f, "a person has at most {MOST_IDENTITIES} identities"),
            Self::NotFound => "you have no such identity",
            Self::Last => "without this identity you could not sign in any more",
        })
    }
}

pub(crate) fn link(
    state: &State,
    cx: &Context,
    command: &LinkIdentity,
) -> Result<Vec<Event>, domain::Refusal> {
    let LinkIdentity { identity_sha256, provider, spent } = command.clone();
    let session = session::recently_proved(state, cx)?;
    if !session::terms(state).sso.contains(&provider) {
        return Err(Refusal::NotTaken.into());
    }
    session::is_unspent(state, cx, spent)?;
    if state.people().any(|(_, person)| person.identity(&identity_sha256).is_some()) {
        return Err(Refusal::InUse.into());
    }
    if state.person(session.person).is_some_and(|person| person.identities.len() >= MOST_IDENTITIES) {
        return Err(Refusal::TooMany.into());
    }
    let linked = IdentityLinked { identity_sha256, provider, session: session.id, spent };
    let fact = Fact::PersonIdentityLinked(session.person, linked);
    Ok(Vec::from([Event::new(cx, cx.correlation, None, fact)]))
}

pub(crate) fn unlink(
    state: &State,
    cx: &Context,
    command: &UnlinkIdentity,
) -> Result<Vec<Event>, domain::Refusal> {
    let UnlinkIdentity { identity_sha256 } = *command;
    let session = session::recently_proved(state, cx)?;
    let mut person = state.person(session.person).cloned().ok_or(session::Refusal::NotActive)?;
    person.identity(&identity_sha256).ok_or(Refusal::NotFound)?;
    person.identities.retain(|identity| identity.identity_sha256 != identity_sha256);
    if !person.can_sign_in(&session::terms(state)) {
        return Err(Refusal::Last.into());
    }
    let unlinked = IdentityUnlinked { identity_sha256, session: session.id };
    let fact = Fact::PersonIdentityUnlinked(session.person, unlinked);
    Ok(Vec::from([Event::new(cx, cx.correlation, None, fact)]))
}

impl Person {
    /// The identity of this digest, if it is theirs.
    #[must_use]
    pub fn identity(&self, identity_sha256: &Digest) -> Option<&Identity> {
        self.identities.iter().find(|identity| identity.identity_sha256 == *identity_sha256)
    }
}

pub(crate) fn apply(state: &mut State, event: &Event) {
    match &event.fact {
        Fact::PersonIdentityLinked(id, linked) => {
            let IdentityLinked { identity_sha256, provider, spent, .. } = linked.clone();
            let identity = Identity { identity_sha256, linked_at: event.at, provider };
            state.change::<Person>(id, |person| person.identities.push(identity));
            state.spend(spent, event.at);
        }
        Fact::PersonIdentityUnlinked(id, unlinked) => state.change::<Person>(id, |person| {
            person.identities.retain(|identity| identity.identity_sha256 != unlinked.identity_sha256);
        }),
        _ => {}
    }
}
