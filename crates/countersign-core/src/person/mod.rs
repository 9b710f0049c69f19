//! People and their credentials: genesis, later an invitation, enrols them with a one-time claim, which each replaces by a credential of
//! their own. The credential is drawn by the client and never leaves it except to authenticate; here is only its SHA-256.
//! What people were refused is on record too, counted by window, and changes nothing.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::catalogue::listed;
use crate::context::{Actor, Context};
use crate::delegation::Delegated;
use crate::digest::Digest;
use crate::domain::{self, Event, Fact};
use crate::id::{ApprovalId, PersonId};
use crate::identity::Identity;
use crate::once::Spent;
use crate::passkey::{self, NewPasskey, Passkey, PasskeyAdded};
use crate::password::{self, NewPassword, Password, PasswordSet};
use crate::session::{self, Method};
use crate::signature::Signing;
use crate::state::State;
use crate::time::Time;
use crate::voting_key::VotingKey;

mod membership;
#[cfg(test)]
mod tests;

pub use membership::{
    ClaimRenewed, Deactivate, Deactivated, Invite, LONGEST_CLAIM_SECONDS, deactivation, invitation,
};
pub(crate) use membership::{deactivate, invite};

/// Replaces a claim by a credential.
#[derive(Clone, Debug)]
pub struct ClaimCredential {
    /// SHA-256 of the one-time claim.
    pub claim_sha256: Digest,
    /// SHA-256 of the credential that replaces it.
    pub credential_sha256: Digest,
}

/// Replaces a claim by a way to sign in, and signs the person in at once. Submitted by the node, once it has verified the registration.
#[derive(Clone, Debug)]
pub struct ClaimBy {
    /// SHA-256 of the one-time claim.
    pub claim_sha256: Digest,
    /// By what the person will sign in.
    pub means: Means,
    /// SHA-256 of the secret of the session that opens.
    pub session_sha256: Digest,
    /// The challenge that was signed, if one was.
    pub spent: Option<Spent>,
}

/// By what somebody signs in who claims.
#[derive(Clone, Debug)]
pub enum Means {
    /// A passkey.
    Passkey(NewPasskey),
    /// A password with one-time codes.
    Password(NewPassword),
}

/// `person.enrolled`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// SHA-256 of the one-time claim.
    pub claim_sha256: Digest,
    /// Whether genesis did it.
    pub bootstrap: bool,
    /// The approval it rests on; none where genesis did it or the rules demand none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalId>,
    /// Until when the claim is open; for good where genesis did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_until: Option<Time>,
}

/// `person.claimed`: by exactly one of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claimed {
    /// A credential: its SHA-256.
    CredentialSha256(Digest),
    /// A passkey; a session opens in the same decision.
    Passkey(PasskeyAdded),
    /// A password; a session opens in the same decision.
    Password(PasswordSet),
}

/// What a person was refused, how often, in a window of time. A refusal changes nothing, so many of one kind make one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteRefusals {
    /// Who was refused.
    pub person: PersonId,
    /// What they wanted to do, where the command speaks of an action.
    pub action: Option<Action>,
    /// The refusal's stable code.
    pub code: &'static str,
    /// How often, at least 1.
    pub count: NonZeroU32,
    /// The first of them.
    pub from: Time,
    /// The last of them.
    pub until: Time,
}

/// `person.refused`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// What they wanted to do, where the command spoke of an action.
    pub action: Option<Action>,
    /// The refusal's stable code.
    pub code: String,
    /// How often.
    pub count: NonZeroU32,
    /// The first of them.
    pub from: Time,
    /// The last of them.
    pub until: Time,
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The id.
    pub id: PersonId,
    /// SHA-256 of the one-time claim, as long as it was not used.
    pub claim_sha256: Option<Digest>,
    /// Until when it can be, if not for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim_until: Option<Time>,
    /// SHA-256 of the credential, if they have one.
    pub credential_sha256: Option<Digest>,
    /// Their passkeys for signing in, removed ones too, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passkeys: Vec<Passkey>,
    /// Their password, if they have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Password>,
    /// Their identities at providers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<Identity>,
    /// When they were enrolled.
    pub enrolled_at: Time,
    /// Whether genesis did it.
    pub bootstrap: bool,
    /// Their voting keys, revoked ones too, in order of enrolment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<VotingKey>,
    /// Who may agree in their place, and when, if they delegated that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegated: Option<Delegated>,
    /// When they were deactivated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deactivated_at: Option<Time>,
}

impl Person {
    /// The key of this digest, if it is theirs and in force.
    #[must_use]
    pub fn voting_key(&self, key_sha256: &Digest) -> Option<&VotingKey> {
        self.keys.iter().find(|key| key.key_sha256 == *key_sha256 && key.is_in_force())
    }

    /// Whether they have a key that signs as strongly as this.
    #[must_use]
    pub fn can_sign(&self, signing: Signing) -> bool {
        let mut keys = self.keys.iter().filter(|key| key.is_in_force());
        signing.is_met_by(None) || keys.any(|key| signing.is_met_by(Some(key.algorithm)))
    }

    /// Whether the person can act: who has claimed, and was not deactivated.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.claim_sha256.is_none() && self.deactivated_at.is_none()
    }

    /// Whether they have not claimed yet.
    pub(crate) fn is_invited(&self) -> bool {
        self.claim_sha256.is_some()
    }

    /// The state in one word.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match (self.is_active(), self.is_invited()) {
            (true, _) => "active",
            (false, true) => "invited",
            (false, false) => "deactivated",
        }
    }

    /// When their delegation ends by itself.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.delegated.map(|delegated| delegated.until)
    }

    pub(crate) fn is_finished(&self) -> bool {
        false
    }
}

/// Why a claim or a note is refused, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Who acts was deactivated.
    Gone,
    /// Only the node notes refusals.
    NotTheNode,
    /// There is nobody of this id.
    UnknownPerson,
    /// The person is enrolled under this id, or was.
    AlreadyEnrolled,
    /// Another invitation has this very claim.
    ClaimInUse,
    /// The invitation would be open for too long.
    OpenTooLong,
    /// The person was deactivated before.
    Deactivated,
    /// Without the person the policy could never be replaced.
    StillNeeded,
    /// Nobody has this claim open: it never existed, or it was replaced already.
    UnknownClaim,
    /// The claim was not used in time.
    ClaimExpired,
    /// Somebody holds this very credential.
    CredentialInUse,
}

listed! { Refusal:
    Gone, NotTheNode, UnknownPerson, AlreadyEnrolled, ClaimInUse, OpenTooLong, Deactivated, StillNeeded, UnknownClaim, ClaimExpired,
    CredentialInUse,
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Gone => "deactivated",
            Self::NotTheNode => "not_the_node",
            Self::UnknownPerson => "unknown_person",
            Self::AlreadyEnrolled => "already_enrolled",
            Self::ClaimInUse => "claim_in_use",
            Self::OpenTooLong => "invitation_open_too_long",
            Self::Deactivated => "person_deactivated",
            Self::StillNeeded => "person_still_needed",
            Self::UnknownClaim => "unknown_claim",
            Self::ClaimExpired => "claim_expired",
            Self::CredentialInUse => "credential_in_use",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Gone => "who deactivated you can tell why; the entry names them",
            Self::NotTheNode => "the node does it by itself",
            Self::UnknownPerson => "name enrolled people by their ids, as `GET /admin/people` lists them",
            Self::UnknownClaim => {
                "a claim works once; if you did not use it yourself, tell the security engineers now"
            }
            Self::AlreadyEnrolled => "draw a fresh id; nobody gets one that somebody has or had",
            Self::ClaimInUse => "draw a fresh claim",
            Self::OpenTooLong => {
                "at most 14 days are possible; another invitation replaces one that was not claimed"
            }
            Self::Deactivated => "nothing: they can do nothing any more",
            Self::StillNeeded => {
                "first invite somebody else, and activate a policy whose own replacement does not need this person"
            }
            Self::ClaimExpired => "ask whoever invited you for another invitation",
            Self::CredentialInUse => "draw a fresh credential",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "you were deactivated",
            Self::NotTheNode => "only the node notes refusals",
            Self::UnknownPerson => "there is nobody of this id",
            Self::AlreadyEnrolled => "somebody is or was enrolled under this id",
            Self::ClaimInUse => "another invitation has this claim",
            Self::OpenTooLong => "an invitation is not open for so long",
            Self::Deactivated => "the person was deactivated before",
            Self::StillNeeded => "without this person nobody could ever replace the policy in force",
            Self::UnknownClaim => "no open claim matches",
            Self::ClaimExpired => "the invitation has expired",
            Self::CredentialInUse => "this credential is in use",
        })
    }
}

/// Who was deactivated does nothing any more, not even with what was under way.
pub(crate) fn is_there(state: &State, cx: &Context) -> Result<(), Refusal> {
    let person = cx.actor.person().and_then(|person| state.person(person));
    if person.is_some_and(|person| person.deactivated_at.is_some()) { Err(Refusal::Gone) } else { Ok(()) }
}

pub(crate) fn claim(state: &State, cx: &Context, command: &ClaimCredential) -> Result<Vec<Event>, Refusal> {
    let person = invited(state, cx, &command.claim_sha256)?;
    if state.is_held(&command.credential_sha256) {
        return Err(Refusal::CredentialInUse);
    }
    let claimed = Claimed::CredentialSha256(command.credential_sha256);
    let event = Event::new(cx, cx.correlation, None, Fact::PersonClaimed(person, claimed));
    Ok(Vec::from([Event { actor: Actor::Person(person), ..event }]))
}

pub(crate) fn claim_by(
    state: &State,
    cx: &Context,
    command: &ClaimBy,
) -> Result<Vec<Event>, domain::Refusal> {
    let ClaimBy { claim_sha256, means, session_sha256, spent } = command;
    let person = invited(state, cx, claim_sha256)?;
    let claimed = match means {
        Means::Passkey(new) => Claimed::Passkey(passkey::registered(state, person, new)?),
        Means::Password(new) => Claimed::Password(password::chosen(&session::terms(state), new)?),
    };
    let open = session::Open {
        person,
        method: Method::Claim {},
        session_sha256: *session_sha256,
        replaces: None,
        spent: *spent,
    };
    let facts = [Fact::PersonClaimed(person, claimed), session::opened_with(state, cx, &open)?];
    let event = |fact| Event { actor: Actor::Person(person), ..Event::new(cx, cx.correlation, None, fact) };
    Ok(facts.map(event).to_vec())
}

/// Whose claim this is, if it is open.
fn invited(state: &State, cx: &Context, claim_sha256: &Digest) -> Result<PersonId, Refusal> {
    let holder = state.people().find(|(_, person)| person.claim_sha256.as_ref() == Some(claim_sha256));
    let (&person, invited) = holder.ok_or(Refusal::UnknownClaim)?;
    if invited.claim_until.is_some_and(|until| cx.now >= until) {
        return Err(Refusal::ClaimExpired);
    }
    Ok(person)
}

pub(crate) fn note_refusals(state: &State, cx: &Context, note: &NoteRefusals) -> Result<Vec<Event>, Refusal> {
    if cx.actor != Actor::Node {
        return Err(Refusal::NotTheNode);
    }
    state.person(note.person).ok_or(Refusal::UnknownPerson)?;
    let NoteRefusals { action, count, from, until, .. } = note;
    let environment = action.as_ref().map(|action| &action.environment);
    let refused = Refused {
        action: action.clone(),
        code: note.code.to_owned(),
        count: *count,
        from: *from,
        until: *until,
    };
    Ok(Vec::from([Event::new(cx, cx.correlation, environment, Fact::PersonRefused(note.person, refused))]))
}

pub(crate) fn apply(state: &mut State, event: &Event) {
    match &event.fact {
        Fact::PersonEnrolled(id, Enrolled { claim_sha256, bootstrap, claim_until, .. }) => state.put(
            *id,
            Person {
                id: *id,
                claim_sha256: Some(*claim_sha256),
                claim_until: *claim_until,
                credential_sha256: None,
                passkeys: Vec::new(),
                password: None,
                identities: Vec::new(),
                enrolled_at: event.at,
                bootstrap: *bootstrap,
                keys: Vec::new(),
                delegated: None,
                deactivated_at: None,
            },
        ),
        Fact::PersonClaimRenewed(..) | Fact::PersonDeactivated(..) => membership::apply(state, event),
        Fact::PersonClaimed(id, claimed) => {
            state.change::<Person>(id, |person| {
                (person.claim_sha256, person.claim_until) = (None, None);
                match claimed {
                    Claimed::CredentialSha256(sha256) => person.credential_sha256 = Some(*sha256),
                    Claimed::Passkey(added) => person.keep(added, event.at),
                    Claimed::Password(_) => {}
                }
            });
            if let Claimed::Password(set) = claimed {
                password::keep(state, (*id, set), event.at);
            }
            if let Claimed::CredentialSha256(sha256) = claimed {
                state.set_holder(*sha256, *id);
            }
        }
        _ => {}
    }
}
