//! People and their credentials, first part: genesis enrols them with a one-time claim, which each replaces by a credential of
//! their own. The credential is drawn by the client and never leaves it except to authenticate; here is only its SHA-256.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::digest::Digest;
use crate::domain::{Event, Fact};
use crate::id::PersonId;
use crate::state::State;
use crate::time::Time;

/// Replaces a claim by a credential.
#[derive(Clone, Debug)]
pub struct ClaimCredential {
    /// SHA-256 of the one-time claim.
    pub claim_sha256: Digest,
    /// SHA-256 of the credential that replaces it.
    pub credential_sha256: Digest,
}

/// `person.enrolled`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// SHA-256 of the one-time claim.
    pub claim_sha256: Digest,
    /// Whether genesis did it.
    pub bootstrap: bool,
}

/// `person.claimed`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimed {
    /// SHA-256 of the credential.
    pub credential_sha256: Digest,
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The id.
    pub id: PersonId,
    /// SHA-256 of the one-time claim, as long as it is open.
    pub claim_sha256: Option<Digest>,
    /// SHA-256 of the credential, once there is one.
    pub credential_sha256: Option<Digest>,
    /// When they were enrolled.
    pub enrolled_at: Time,
    /// Whether genesis did it.
    pub bootstrap: bool,
}

impl Person {
    /// Whether the person can act: only a claimed credential can.
    #[must_use]
    pub fn is_claimed(&self) -> bool {
        self.credential_sha256.is_some()
    }

    /// The state in one word.
    #[must_use]
    pub fn status(&self) -> &'static str {
        if self.is_claimed() { "active" } else { "invited" }
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        None
    }

    pub(crate) fn is_finished(&self) -> bool {
        false
    }
}

/// Why a claim is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody has this claim open: it never existed, or it was replaced already.
    UnknownClaim,
    /// Somebody holds this very credential.
    CredentialInUse,
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownClaim => "unknown_claim",
            Self::CredentialInUse => "credential_in_use",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::UnknownClaim => {
                "a claim works once; if you did not use it yourself, tell the security engineers now"
            }
            Self::CredentialInUse => "draw a fresh credential",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownClaim => "no open claim matches",
            Self::CredentialInUse => "this credential is in use",
        })
    }
}

pub(crate) fn claim(state: &State, cx: &Context, command: &ClaimCredential) -> Result<Vec<Event>, Refusal> {
    let holder = state.people().find(|(_, person)| person.claim_sha256 == Some(command.claim_sha256));
    let (&person, _) = holder.ok_or(Refusal::UnknownClaim)?;
    if state.holder(&command.credential_sha256).is_some() {
        return Err(Refusal::CredentialInUse);
    }
    let claimed = Claimed { credential_sha256: command.credential_sha256 };
    let event = Event::new(cx, cx.correlation, None, Fact::PersonClaimed(person, claimed));
    Ok(Vec::from([Event { actor: crate::Actor::Person(person), ..event }]))
}

pub(crate) fn apply(state: &mut State, event: &Event) {
    match &event.fact {
        Fact::PersonEnrolled(id, Enrolled { claim_sha256, bootstrap }) => state.put(
            *id,
            Person {
                id: *id,
                claim_sha256: Some(*claim_sha256),
                credential_sha256: None,
                enrolled_at: event.at,
                bootstrap: *bootstrap,
            },
        ),
        Fact::PersonClaimed(id, Claimed { credential_sha256 }) => {
            state.change::<Person>(id, |person| {
                person.claim_sha256 = None;
                person.credential_sha256 = Some(*credential_sha256);
            });
            state.set_holder(*credential_sha256, *id);
        }
        _ => {}
    }
}
