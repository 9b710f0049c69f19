//! Opening, extending, stepping up and ending.

use alloc::vec::Vec;

use super::{
    Ended, Extended, How, LONGEST_CHALLENGE_SECONDS, Method, Opened, RECENT_SECONDS, Refusal, Session,
    SteppedUp, revocation,
};
use crate::context::{Actor, Context};
use crate::digest::Digest;
use crate::domain::{self, Event, Fact};
use crate::id::{ApprovalId, PersonId, SessionId};
use crate::once::Spent;
use crate::password;
use crate::permit::{self, AtOnce};
use crate::person::Person;
use crate::policy::SignIn;
use crate::state::State;

/// Signs somebody in.
///
/// Submitted by the node, once it has verified what the person showed; by the person for [`Method::Credential`] (with their credential) and for
/// [`Method::HandedOn`] (through the session that is handed on). The entry's actor is the person.
#[derive(Clone, Debug)]
pub struct Open {
    /// Who.
    pub person: PersonId,
    /// What they showed.
    pub method: Method,
    /// SHA-256 of the session's secret.
    pub session_sha256: Digest,
    /// A live session of the same person that ends with this.
    pub replaces: Option<SessionId>,
    /// The challenge that was signed; a passkey must name one.
    pub spent: Option<Spent>,
}

/// Notes that a session was used. Submitted by the node, when [`Session::extended`] says that it is worth an entry.
#[derive(Clone, Copy, Debug)]
pub struct Extend {
    /// Which.
    pub session: SessionId,
}

/// Proves once more who acts, for one request. Submitted by the person through their session, once the node has verified what they showed.
#[derive(Clone, Debug)]
pub struct StepUp {
    /// What they showed.
    pub method: Method,
    /// SHA-256 of the request that this is for.
    pub request_sha256: Digest,
    /// The challenge that was signed, which names the request.
    pub spent: Option<Spent>,
}

/// Ends a session: one's own by right, somebody else's under `revoke session/per_… control`.
#[derive(Clone, Debug)]
pub struct End {
    /// Which.
    pub session: SessionId,
    /// The approval and the digest of its parameters, where others than whose it is do it and the rules demand one.
    pub under: Option<(ApprovalId, Digest)>,
}

/// Whoever acts by a session acts by one that is worth something, and theirs.
pub(crate) fn is_live(state: &State, cx: &Context) -> Result<(), Refusal> {
    let Some(via) = cx.session else { return Ok(()) };
    let session = state.live_session(via.session, cx.now)?;
    if cx.actor == Actor::Person(session.person) { Ok(()) } else { Err(Refusal::NotYours) }
}

/// The session by which somebody acts who proved themselves within the last minutes.
pub(crate) fn recently_proved<'a>(state: &'a State, cx: &Context) -> Result<&'a Session, Refusal> {
    let via = cx.session.ok_or(Refusal::NoSession)?;
    let session = state.live_session(via.session, cx.now)?;
    if session.proved_within(RECENT_SECONDS, cx.now) { Ok(session) } else { Err(Refusal::NotRecent) }
}

pub(crate) fn open(state: &State, cx: &Context, command: &Open) -> Result<Vec<Event>, Refusal> {
    let Open { person: id, method, replaces, .. } = command;
    is_submitted_rightly(cx, command)?;
    let person = state.person(*id).filter(|person| person.is_active()).ok_or(Refusal::NotActive)?;
    match method {
        Method::Claim {} => return Err(Refusal::OnlyByClaiming),
        Method::HandedOn { session } => {
            let from = state.live_session(*session, cx.now)?;
            if matches!(from.method, Method::HandedOn { .. }) {
                return Err(Refusal::NotToHandOn);
            }
            if !from.proved_within(RECENT_SECONDS, cx.now) {
                return Err(Refusal::NotRecent);
            }
        }
        Method::Credential {} if person.credential_sha256.is_none() => return Err(Refusal::NoCredential),
        Method::Credential {} => {}
        Method::Passkey { .. }
        | Method::Password { .. }
        | Method::RecoveryCode { .. }
        | Method::Sso { .. } => is_shown(state, person, method)?,
    }
    spends(state, cx, (method, command.spent))?;
    password::is_unused(state, cx.now, (*id, method))?;
    is_fresh(state, &command.session_sha256)?;
    let mut events = Vec::new();
    if let Some(before) = replaces {
        let before = state.live_session(*before, cx.now)?;
        if before.person != *id {
            return Err(Refusal::NotYours);
        }
        let ended = Ended { approval: None, how: How::Replaced, person: *id };
        events.push(Event::new(cx, cx.correlation, None, Fact::SessionEnded(before.id, ended)));
    }
    events.push(Event::new(cx, cx.correlation, None, opened(state, cx, command)));
    events.iter_mut().for_each(|event| event.actor = Actor::Person(*id));
    Ok(events)
}

/// By the node, or where the person shows what only they act by, by them.
fn is_submitted_rightly(cx: &Context, command: &Open) -> Result<(), Refusal> {
    let by_person = cx.actor == Actor::Person(command.person);
    let by = cx.session.map(|via| via.session);
    match &command.method {
        Method::Credential {} if by_person && by.is_none() => Ok(()),
        Method::HandedOn { session } if by_person && by == Some(*session) => Ok(()),
        Method::Credential {} | Method::HandedOn { .. } => Err(Refusal::NotYours),
        _ if cx.actor == Actor::Node => Ok(()),
        _ => Err(Refusal::NotTheNode),
    }
}

/// The session that opens with a claim.
pub(crate) fn opened_with(state: &State, cx: &Context, command: &Open) -> Result<Fact, Refusal> {
    spends(state, cx, (&command.method, command.spent))?;
    is_fresh(state, &command.session_sha256)?;
    Ok(opened(state, cx, command))
}

/// That a session begins, as long as the policy in force lets it.
fn opened(state: &State, cx: &Context, command: &Open) -> Fact {
    let SignIn { idle_seconds, lifetime_seconds, .. } = terms(state);
    let expires_at = cx.now.plus_seconds(lifetime_seconds.get());
    let opened = Opened {
        expires_at,
        idle_seconds,
        idle_until: cx.now.plus_seconds(idle_seconds.get()).min(expires_at),
        method: command.method.clone(),
        person: command.person,
        replaces: command.replaces,
        session_sha256: command.session_sha256,
        spent: command.spent,
    };
    Fact::SessionOpened(SessionId(cx.first()), opened)
}

/// How people sign in under the policy in force.
pub(crate) fn terms(state: &State) -> SignIn {
    state.policy().map(|in_force| in_force.policy.sign_in.clone()).unwrap_or_default()
}

/// What the node says it verified is the person's, in force, and of a kind that the policy takes.
fn is_shown(state: &State, person: &Person, method: &Method) -> Result<(), Refusal> {
    match method {
        Method::Passkey { key_sha256 } => {
            let passkey = person.passkey(key_sha256).ok_or(Refusal::UnknownPasskey)?;
            let taken = !passkey.synced || terms(state).synced_passkeys;
            if taken { Ok(()) } else { Err(Refusal::SyncedPasskey) }
        }
        Method::Password { .. } | Method::RecoveryCode { .. } if !terms(state).password => {
            Err(Refusal::NotTaken)
        }
        Method::Password { .. } | Method::RecoveryCode { .. } => {
            person.password.as_ref().map(|_| ()).ok_or(Refusal::UnknownPassword)
        }
        Method::Sso { provider, .. } if !terms(state).sso.contains(provider) => Err(Refusal::NotTaken),
        Method::Sso { identity_sha256, provider } => {
            let identity = person.identity(identity_sha256).filter(|it| it.provider == *provider);
            identity.map(|_| ()).ok_or(Refusal::UnknownIdentity)
        }
        Method::Claim {} | Method::HandedOn { .. } | Method::Credential {} => Ok(()),
    }
}

/// What is used once is named where it must be.
fn spends(state: &State, cx: &Context, (method, spent): (&Method, Option<Spent>)) -> Result<(), Refusal> {
    match spent {
        Some(spent) => is_unspent(state, cx, spent),
        None if method.spends() => Err(Refusal::ChallengeMissing),
        None => Ok(()),
    }
}

/// What is used once is named for a time that is possible, and was not used before.
pub(crate) fn is_unspent(state: &State, cx: &Context, spent: Spent) -> Result<(), Refusal> {
    let Spent { sha256, until } = spent;
    let possible = until > cx.now && until <= cx.now.plus_seconds(LONGEST_CHALLENGE_SECONDS);
    if !possible {
        return Err(Refusal::ChallengeMissing);
    }
    if state.is_spent(&sha256) { Err(Refusal::ChallengeUsed) } else { Ok(()) }
}

/// A secret belongs to one entry: another with the same digest could not be told from it.
fn is_fresh(state: &State, sha256: &Digest) -> Result<(), Refusal> {
    if state.is_held(sha256) { Err(Refusal::InUse) } else { Ok(()) }
}

pub(crate) fn extend(state: &State, cx: &Context, command: &Extend) -> Result<Vec<Event>, Refusal> {
    if cx.actor != Actor::Node {
        return Err(Refusal::NotTheNode);
    }
    let session = state.live_session(command.session, cx.now)?;
    let idle_until = session.extended(cx.now).ok_or(Refusal::ExtendedAlready)?;
    let fact = Fact::SessionExtended(session.id, Extended { idle_until });
    Ok(Vec::from([Event::new(cx, cx.correlation, None, fact)]))
}

pub(crate) fn step_up(state: &State, cx: &Context, command: &StepUp) -> Result<Vec<Event>, Refusal> {
    let StepUp { method, request_sha256, spent } = command.clone();
    let via = cx.session.ok_or(Refusal::NoSession)?;
    let session = state.live_session(via.session, cx.now)?;
    if !method.is_proof() {
        return Err(Refusal::NotAProof);
    }
    let person = state.person(session.person).ok_or(Refusal::NotActive)?;
    is_shown(state, person, &method)?;
    spends(state, cx, (&method, spent))?;
    password::is_unused(state, cx.now, (session.person, &method))?;
    let fact = Fact::SessionSteppedUp(session.id, SteppedUp { method, request_sha256, spent });
    Ok(Vec::from([Event::new(cx, cx.correlation, None, fact)]))
}

pub(crate) fn end(state: &State, cx: &Context, command: &End) -> Result<Vec<Event>, domain::Refusal> {
    let End { session: id, under } = command;
    state.session(*id).ok_or(Refusal::NotFound)?;
    let session = state.live_session(*id, cx.now)?;
    let person = session.person;
    if under.is_none() && cx.actor == Actor::Person(person) {
        let by_itself = cx.session.is_some_and(|via| via.session == *id);
        let how = if by_itself { How::SignedOut } else { How::Revoked };
        let fact = Fact::SessionEnded(*id, Ended { approval: None, how, person });
        return Ok(Vec::from([Event::new(cx, cx.correlation, None, fact)]));
    }
    let action = revocation(person).ok_or(permit::Refusal::NoRule)?;
    let used = AtOnce::check(state, cx, action, *under)?;
    let approval = under.map(|(approval, _)| approval);
    Ok(used.events(cx, Fact::SessionEnded(*id, Ended { approval, how: How::Revoked, person })))
}

pub(crate) fn elapse(state: &State, cx: &Context, id: SessionId) -> Vec<Event> {
    let over = |session: &&Session| session.deadline().is_some_and(|deadline| cx.now >= deadline);
    let expired = |session: &Session| {
        let ended = Ended { approval: None, how: How::Expired, person: session.person };
        Event::new(cx, cx.correlation, None, Fact::SessionEnded(id, ended))
    };
    state.session(id).filter(over).map(expired).into_iter().collect()
}
