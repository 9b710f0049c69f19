//! Passwords with one-time codes, for where there is neither a passkey nor a provider: off unless the policy says otherwise.
//!
//! What verifies a password and its codes is sealed by the node and never here; an entry binds it by its SHA-256. Here is what takes memory: that a
//! code of the clock is newer than the last one that was used, and that a recovery code was not used before. Another password ends
//! the sessions that the one before opened.

use alloc::collections::BTreeSet;
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
use crate::session::{self, Method};
use crate::state::State;
use crate::time::Time;

/// How many recovery codes somebody has when they are fresh.
pub const RECOVERY_CODES: usize = 10;

/// How long a one-time code is shown (RFC 6238): 30 seconds, in milliseconds.
pub const STEP_MILLIS: i64 = 30_000;

/// By how many steps the clocks of the node and of whoever shows a code may differ.
pub const STEPS_APART: i64 = 2;

/// A password, as it is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPassword {
    /// SHA-256 of each recovery code; [`RECOVERY_CODES`] of them.
    pub recovery: BTreeSet<Digest>,
    /// SHA-256 of what the node sealed to verify password and codes.
    pub verifier_sha256: Digest,
}

/// Gives whoever asks a password with fresh recovery codes, in place of one they have. Through a session in which they proved themselves within the
/// last ten minutes.
#[derive(Clone, Debug)]
pub struct SetPassword {
    /// The password.
    pub password: NewPassword,
}

/// Takes one's password out of force, and ends the sessions that it opened. Through such a session.
#[derive(Clone, Copy, Debug)]
pub struct RemovePassword;

/// Replaces one's recovery codes, used ones and others. Through such a session.
#[derive(Clone, Debug)]
pub struct RenewRecoveryCodes {
    /// SHA-256 of each; [`RECOVERY_CODES`] of them.
    pub recovery: BTreeSet<Digest>,
}

/// `person.password_set`; also what a claim names that is made with a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordSet {
    /// SHA-256 of each recovery code.
    pub recovery: BTreeSet<Digest>,
    /// The session by which it was set; none as part of a claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// SHA-256 of what the node sealed to verify password and codes.
    pub verifier_sha256: Digest,
}

/// `person.password_removed`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordRemoved {
    /// The session by which it was removed.
    pub session: SessionId,
}

/// `person.recovery_codes_renewed`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryCodesRenewed {
    /// SHA-256 of each.
    pub recovery: BTreeSet<Digest>,
    /// The session by which they were renewed.
    pub session: SessionId,
}

/// A password of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Password {
    /// Since when it is in force.
    pub set_at: Time,
    /// SHA-256 of what the node sealed to verify password and codes.
    pub verifier_sha256: Digest,
}

/// What of somebody's codes was used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Codes {
    /// The last code of the clock that was used, in steps since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_step: Option<u32>,
    /// SHA-256 of each recovery code that is left.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub recovery: BTreeSet<Digest>,
}

/// Why a password or recovery codes are not set or removed, in order of precedence, after everything that is asked of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The policy takes no passwords.
    NotTaken,
    /// The person has no password.
    NotSet,
    /// There are not as many recovery codes as there must be.
    WrongCodes,
    /// Without it they could not sign in any more.
    Last,
}

listed! { Refusal: NotTaken, NotSet, WrongCodes, Last, }

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotTaken => "password_not_taken",
            Self::NotSet => "password_not_set",
            Self::WrongCodes => "recovery_codes_wrong",
            Self::Last => "password_is_last",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotTaken => "sign in with a passkey; `[sign_in]` of the policy says what it takes",
            Self::NotSet => "set a password first",
            Self::WrongCodes => "draw ten recovery codes, each another one",
            Self::Last => "first add a passkey",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotTaken => "the policy takes no passwords",
            Self::NotSet => "you have no password",
            Self::WrongCodes => return write!(f, "there must be {RECOVERY_CODES} recovery codes"),
            Self::Last => "without this password you could not sign in any more",
        })
    }
}

/// Whether somebody can have this password, and how that is written down.
pub(crate) fn chosen(terms: &SignIn, new: &NewPassword) -> Result<PasswordSet, Refusal> {
    if !terms.password {
        return Err(Refusal::NotTaken);
    }
    is_complete(&new.recovery)?;
    let NewPassword { recovery, verifier_sha256 } = new.clone();
    Ok(PasswordSet { recovery, session: None, verifier_sha256 })
}

fn is_complete(recovery: &BTreeSet<Digest>) -> Result<(), Refusal> {
    if recovery.len() == RECOVERY_CODES { Ok(()) } else { Err(Refusal::WrongCodes) }
}

pub(crate) fn set(state: &State, cx: &Context, command: &SetPassword) -> Result<Vec<Event>, domain::Refusal> {
    let session = session::recently_proved(state, cx)?;
    let set = chosen(&session::terms(state), &command.password)?;
    let set = PasswordSet { session: Some(session.id), ..set };
    let fact = Fact::PersonPasswordSet(session.person, set);
    Ok(Vec::from([Event::new(cx, cx.correlation, None, fact)]))
}

pub(crate) fn remove(state: &State, cx: &Context) -> Result<Vec<Event>, domain::Refusal> {
    let session = session::recently_proved(state, cx)?;
    let person = state.person(session.person).ok_or(session::Refusal::NotActive)?;
    person.password.as_ref().ok_or(Refusal::NotSet)?;
    let without = Person { password: None, ..person.clone() };
    if !without.can_sign_in(&session::terms(state)) {
        return Err(Refusal::Last.into());
    }
    let fact = Fact::PersonPasswordRemoved(session.person, PasswordRemoved { session: session.id });
    Ok(Vec::from([Event::new(cx, cx.correlation, None, fact)]))
}

pub(crate) fn renew(
    state: &State,
    cx: &Context,
    command: &RenewRecoveryCodes,
) -> Result<Vec<Event>, domain::Refusal> {
    let session = session::recently_proved(state, cx)?;
    let person = state.person(session.person).ok_or(session::Refusal::NotActive)?;
    person.password.as_ref().ok_or(Refusal::NotSet)?;
    is_complete(&command.recovery)?;
    let renewed = RecoveryCodesRenewed { recovery: command.recovery.clone(), session: session.id };
    let fact = Fact::PersonRecoveryCodesRenewed(session.person, renewed);
    Ok(Vec::from([Event::new(cx, cx.correlation, None, fact)]))
}

/// Whether a code of this step may be shown at this time.
#[must_use]
pub fn is_of_now(step: u32, now: Time) -> bool {
    (now.as_millis() / STEP_MILLIS - i64::from(step)).abs() <= STEPS_APART
}

/// The code that was shown is one of now and was not used, nor one after it; or is a recovery code that is left.
pub(crate) fn is_unused(
    state: &State,
    now: Time,
    (person, method): (PersonId, &Method),
) -> Result<(), session::Refusal> {
    let codes = state.codes(person);
    match method {
        Method::Password { totp_step } if !is_of_now(*totp_step, now) => Err(session::Refusal::CodeNotOfNow),
        Method::Password { totp_step } => {
            let used = codes.and_then(|codes| codes.last_step).is_some_and(|last| *totp_step <= last);
            if used { Err(session::Refusal::CodeUsed) } else { Ok(()) }
        }
        Method::RecoveryCode { code_sha256 } => {
            let left = codes.is_some_and(|codes| codes.recovery.contains(code_sha256));
            if left { Ok(()) } else { Err(session::Refusal::CodeUsed) }
        }
        _ => Ok(()),
    }
}

/// Uses up the code that was shown.
pub(crate) fn use_up(state: &mut State, person: PersonId, method: &Method) {
    match method {
        Method::Password { totp_step } => {
            state.change_codes(person, |codes| codes.last_step = Some(*totp_step));
        }
        Method::RecoveryCode { code_sha256 } => {
            state.change_codes(person, |codes| {
                codes.recovery.remove(code_sha256);
            });
        }
        _ => {}
    }
}

/// The person has this password from now on. Codes of the clock are those of another secret then.
pub(crate) fn keep(state: &mut State, (id, set): (PersonId, &PasswordSet), set_at: Time) {
    let password = Password { set_at, verifier_sha256: set.verifier_sha256 };
    state.change::<Person>(&id, |person| person.password = Some(password));
    let fresh = Codes { last_step: None, recovery: set.recovery.clone() };
    state.change_codes(id, |codes| *codes = fresh);
}

pub(crate) fn apply(state: &mut State, event: &Event) {
    match &event.fact {
        Fact::PersonPasswordSet(id, set) => keep(state, (*id, set), event.at),
        Fact::PersonPasswordRemoved(id, _) => {
            state.change::<Person>(id, |person| person.password = None);
            state.change_codes(*id, |codes| *codes = Codes::default());
        }
        Fact::PersonRecoveryCodesRenewed(id, renewed) => {
            state.change_codes(*id, |codes| codes.recovery = renewed.recovery.clone());
        }
        _ => {}
    }
}
