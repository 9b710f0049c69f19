//! Sessions: somebody who signed in, for as long as they are there and no longer than the policy says.
//!
//! A session is a subject of the ledger, so that every node knows of its end as soon as it follows the log, and the auditor sees by what somebody
//! was let in. The secret is drawn elsewhere; here is only its SHA-256. A session opens by the node's word that it verified what the person showed;
//! everything that takes memory is checked here: whose passkey it is, whether a challenge was used before, whether the person is there.
//!
//! # Layout
//! - `method`: what somebody shows when they sign in, and what is a proof anew
//! - `decide`: opening, extending, stepping up, ending
//! - `refusal`: why not

use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::digest::Digest;
use crate::domain::{Event, Fact};
use crate::id::{ApprovalId, PersonId, SessionId};
use crate::once::Spent;
use crate::password;
use crate::person::Person;
use crate::state::State;
use crate::time::Time;

mod decide;
mod method;
mod refusal;
#[cfg(test)]
mod tests;

pub use decide::{End, Extend, Open, StepUp};
pub(crate) use decide::{
    elapse, end, extend, is_live, is_unspent, open, opened_with, recently_proved, step_up, terms,
};
pub use method::Method;
pub use refusal::Refusal;

/// How long ago somebody may have proved themselves who changes how they sign in: 10 minutes, in seconds.
pub const RECENT_SECONDS: u32 = 10 * 60;

/// How long a challenge may be open at most: an hour, in seconds.
pub const LONGEST_CHALLENGE_SECONDS: u32 = 3_600;

/// How long ago a step-up may be on which a vote rests, whatever the rules say: an hour, in seconds.
pub const LONGEST_FRESH_SECONDS: u32 = 3_600;

/// The verb under which others than whose they are end sessions.
pub const REVOKE: &str = "revoke";

/// `session.opened`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// From when on it is worth nothing, however much it is used.
    pub expires_at: Time,
    /// After how long without use it ends, seconds.
    pub idle_seconds: NonZeroU32,
    /// Until when it lives if it is not used.
    pub idle_until: Time,
    /// What the person showed.
    pub method: Method,
    /// Whose it is.
    pub person: PersonId,
    /// The session of the same person whose place it takes; its end is an entry of its own, just before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<SessionId>,
    /// SHA-256 of the secret.
    pub session_sha256: Digest,
    /// What was used up for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Spent>,
}

/// `session.extended`: it was used, so it lives longer. Not an entry per use: only when a quarter of its idle time has passed since the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extended {
    /// Until when it lives if it is not used again.
    pub idle_until: Time,
}

/// `session.stepped_up`: the person proved themselves again, for one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SteppedUp {
    /// What they showed.
    pub method: Method,
    /// SHA-256 of the request that this is for.
    pub request_sha256: Digest,
    /// What was used up for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Spent>,
}

/// `session.ended`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The approval it rests on; none where the person did it, time, or the rules demand none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalId>,
    /// How.
    pub how: How,
    /// Whose it was.
    pub person: PersonId,
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// By itself: whoever held it signed out.
    SignedOut,
    /// From elsewhere: by another session of the person, their credential, or somebody whom the rules let.
    Revoked,
    /// The person signed in again where it was.
    Replaced,
    /// It was not used for too long, or its time was over.
    Expired,
}

impl How {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignedOut => "signed-out",
            Self::Revoked => "revoked",
            Self::Replaced => "replaced",
            Self::Expired => "expired",
        }
    }
}

/// Somebody who is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The id.
    pub id: SessionId,
    /// Whose it is.
    pub person: PersonId,
    /// What they showed.
    pub method: Method,
    /// SHA-256 of the secret.
    pub session_sha256: Digest,
    /// When they signed in.
    pub opened_at: Time,
    /// From when on it is worth nothing.
    pub expires_at: Time,
    /// After how long without use it ends, seconds.
    pub idle_seconds: NonZeroU32,
    /// Until when it lives if it is not used.
    pub idle_until: Time,
    /// When they last proved themselves in it.
    pub proved_at: Time,
    /// The last proof for one request; whether it was used, the register of what is used once says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// How it ended, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<(How, Time)>,
}

/// That somebody proved themselves for one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// When.
    pub at: Time,
    /// What they showed.
    pub method: Method,
    /// SHA-256 of the request.
    pub request_sha256: Digest,
}

impl Session {
    /// The state as stored, in one word: neither its deadline nor what it rests on is looked at.
    #[must_use]
    pub fn status(&self) -> &'static str {
        self.ended.map_or("open", |(how, _)| how.as_str())
    }

    /// When it ends by itself, unless it has ended.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.ended.is_none().then(|| self.idle_until.min(self.expires_at))
    }

    /// Until when it lives if it is used at `now`, where that is worth an entry: a quarter of the idle time after the last, and once more for what is
    /// left at the end.
    #[must_use]
    pub fn extended(&self, now: Time) -> Option<Time> {
        let idle = self.idle_seconds.get();
        let until = now.plus_seconds(idle).min(self.expires_at);
        let gained = until.as_millis() - self.idle_until.as_millis();
        let enough = gained * 4 >= i64::from(idle) * 1_000;
        (gained > 0 && (enough || until == self.expires_at)).then_some(until)
    }

    /// What the last proof for one request is used up as, if there is one.
    #[must_use]
    pub fn proof_spent(&self) -> Option<Spent> {
        let at = self.proof.as_ref()?.at;
        let named = alloc::format!("countersign-step-up-v1\n{}\n{at}", self.id);
        Some(Spent { sha256: Digest::of(named.as_bytes()), until: at.plus_seconds(LONGEST_FRESH_SECONDS) })
    }

    /// Whether the person proved themselves in it within so many seconds.
    #[must_use]
    pub fn proved_within(&self, seconds: u32, now: Time) -> bool {
        now < self.proved_at.plus_seconds(seconds)
    }

    /// Whether what opened it is still the person's, and was not taken away in between.
    fn is_still_opened(&self, person: &Person) -> bool {
        match &self.method {
            Method::Passkey { key_sha256 } => person.passkey(key_sha256).is_some(),
            Method::Password { .. } | Method::RecoveryCode { .. } => {
                person.password.as_ref().is_some_and(|password| password.set_at <= self.opened_at)
            }
            Method::Sso { identity_sha256, .. } => {
                person.identity(identity_sha256).is_some_and(|identity| identity.linked_at <= self.opened_at)
            }
            Method::Claim {} | Method::HandedOn { .. } | Method::Credential {} => true,
        }
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.ended.is_some()
    }
}

/// The action under which others end somebody's sessions: `revoke session/per_… control`.
#[must_use]
pub fn revocation(person: PersonId) -> Option<Action> {
    Action::of([REVOKE, &alloc::format!("session/{person}"), "control"])
}

impl State {
    /// The session, if it is worth something at `now`.
    ///
    /// What has ended is not in memory for long, so nothing is made of how it ended.
    ///
    /// # Errors
    /// It has ended, its person was deactivated, or what opened it was taken away: the passkey, the password, the identity.
    pub fn live_session(&self, id: SessionId, now: Time) -> Result<&Session, Refusal> {
        let is_live = |session: &&Session| session.deadline().is_some_and(|deadline| now < deadline);
        let session = self.session(id).filter(is_live).ok_or(Refusal::Ended)?;
        let person = self.person(session.person).filter(|person| person.is_active()).ok_or(Refusal::Ended)?;
        if session.is_still_opened(person) { Ok(session) } else { Err(Refusal::Ended) }
    }
}

pub(crate) fn apply(state: &mut State, event: &Event) {
    match &event.fact {
        Fact::SessionOpened(id, opened) => {
            let Opened { expires_at, idle_seconds, idle_until, method, person, session_sha256, .. } =
                opened.clone();
            let session = Session {
                id: *id,
                person,
                method,
                session_sha256,
                opened_at: event.at,
                expires_at,
                idle_seconds,
                idle_until,
                proved_at: event.at,
                proof: None,
                ended: None,
            };
            state.set_session_holder(session_sha256, *id);
            state.put(*id, session);
            password::use_up(state, opened.person, &opened.method);
            spend(state, event, opened.spent);
        }
        Fact::SessionExtended(id, extended) => {
            state.change::<Session>(id, |session| session.idle_until = extended.idle_until);
        }
        Fact::SessionSteppedUp(id, SteppedUp { method, request_sha256, spent }) => {
            let proof = Proof { at: event.at, method: method.clone(), request_sha256: *request_sha256 };
            if let Some(person) = state.session(*id).map(|session| session.person) {
                password::use_up(state, person, method);
            }
            state.change::<Session>(id, |session| {
                session.proved_at = event.at;
                session.proof = Some(proof);
            });
            spend(state, event, *spent);
        }
        Fact::SessionEnded(id, ended) => {
            if let Some(session_sha256) = state.session(*id).map(|session| session.session_sha256) {
                state.remove_session_holder(&session_sha256);
            }
            state.change::<Session>(id, |session| {
                session.proof = None;
                session.ended = Some((ended.how, event.at));
            });
        }
        _ => {}
    }
}

fn spend(state: &mut State, event: &Event, spent: Option<Spent>) {
    if let Some(spent) = spent {
        state.spend(spent, event.at);
    }
}
