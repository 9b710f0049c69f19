//! Sessions: each opened by what the person may show, for as long as the policy says, and worth nothing from its end on, nor from that of its person or
//! of the passkey that opened it.
//!
//! That the person really showed it is the node's word, and so is that they used it.

use alloc::collections::{BTreeMap, BTreeSet};

use super::owed::Owed;
use super::register::Register;
use super::violation::Breach;
use super::{Auditor, Moment, Verdict, by_node, is_of_none, must};
use crate::approval::Voted;
use crate::context::Actor;
use crate::digest::Digest;
use crate::domain::{Event, Fact};
use crate::id::{PersonId, SessionId};
use crate::once::Spent;
use crate::session::{Ended, Extended, How, Method, Opened, SteppedUp};
use crate::time::Time;

/// 10 minutes.
const RECENT_MILLIS: i64 = 10 * 60 * 1_000;

/// An hour.
const LONGEST_CHALLENGE_MILLIS: i64 = 60 * 60 * 1_000;

/// A session that is not on record as ended.
#[derive(Clone, Debug)]
struct Session {
    person: PersonId,
    digest: Digest,
    method: Method,
    opened_at: Time,
    idle_seconds: u32,
    idle_until: Time,
    expires_at: Time,
    /// When the person last proved themselves in it.
    proved_at: Time,
    /// When and for which request they last did for one alone, unless a vote has used that.
    proof: Option<(Time, Digest)>,
}

/// Sessions that are not on record as ended, their digests, and what was used once and could be used again.
#[derive(Clone, Debug, Default)]
pub(super) struct Sessions {
    each: BTreeMap<SessionId, Session>,
    digests: BTreeSet<Digest>,
    spent: Register,
    /// Who has just claimed, and signs in with that.
    claimed: Option<PersonId>,
}

impl Sessions {
    pub(super) fn holds(&self, secret: &Digest) -> bool {
        self.digests.contains(secret)
    }

    pub(super) fn claimed_by(&mut self, person: PersonId) {
        self.claimed = Some(person);
    }

    /// Uses something up.
    pub(super) fn spend(&mut self, at: Time, spent: Spent) -> Verdict {
        let open = spent.until.as_millis() - at.as_millis();
        must((1..=LONGEST_CHALLENGE_MILLIS).contains(&open), Breach::ChallengeMissing)?;
        must(self.spent.is_first(at, spent), Breach::ChallengeUsed)
    }
}

fn millis_since(later: Time, earlier: Time) -> i64 {
    later.as_millis() - earlier.as_millis()
}

/// Somebody does this themselves, and it concerns no environment.
fn by(event: &Event, person: PersonId) -> Verdict {
    must(event.actor == Actor::Person(person), Breach::SessionByAnother)?;
    is_of_none(event)
}

impl Auditor {
    pub(super) fn session(&mut self, event: &Event, owed: Option<&Owed>) -> Verdict {
        match &event.fact {
            Fact::SessionOpened(id, opened) => self.opened(event, (*id, opened)),
            Fact::SessionExtended(id, extended) => self.extended(event, (*id, extended)),
            Fact::SessionSteppedUp(id, stepped_up) => self.stepped_up(event, (*id, stepped_up)),
            Fact::SessionEnded(id, ended) => self.session_ended(event, owed, (*id, ended)),
            _ => Err(Breach::Unprompted),
        }
    }

    /// The session of this person, if it is worth something at the time of the event.
    fn live(&self, event: &Event, id: SessionId) -> Verdict<&Session> {
        let session = self.sessions.each.get(&id).ok_or(Breach::SessionNotLive)?;
        let in_time = event.at < session.idle_until && event.at < session.expires_at;
        let opens = self.still_opens(session.person, (&session.method, session.opened_at));
        let stands = in_time && opens && self.is_active(session.person);
        if stands { Ok(session) } else { Err(Breach::SessionNotLive) }
    }

    /// The person changes how they sign in, by a session in which they have just proved themselves.
    pub(super) fn by_recent(&self, event: &Event, (person, session): (PersonId, SessionId)) -> Verdict {
        by(event, person)?;
        let session = self.live(event, session)?;
        must(session.person == person, Breach::SessionNotLive)?;
        must(millis_since(event.at, session.proved_at) < RECENT_MILLIS, Breach::ProofNotRecent)
    }

    fn opened(&mut self, event: &Event, (id, opened): (SessionId, &Opened)) -> Verdict {
        let claimed = self.sessions.claimed.take();
        let person = opened.person;
        by(event, person)?;
        match &opened.method {
            Method::Claim {} => {
                let at_once = self.last == Some(Moment::of(event));
                must(at_once && claimed == Some(person), Breach::SessionWithoutClaim)?;
            }
            Method::HandedOn { session } => {
                self.by_recent(event, (person, *session))?;
                let from = self.live(event, *session)?;
                must(!matches!(from.method, Method::HandedOn { .. }), Breach::MethodNotTaken)?;
            }
            method => self.is_taken(person, method)?,
        }
        let other = opened.replaces.filter(|before| self.sessions.each.contains_key(before));
        must(other.is_none(), Breach::SessionNotReplaced)?;
        let terms = &self.in_force()?.policy.sign_in;
        must(opened.idle_seconds == terms.idle_seconds, Breach::WrongDeadline)?;
        must(
            opened.expires_at == event.at.plus_seconds(terms.lifetime_seconds.get()),
            Breach::WrongDeadline,
        )?;
        let idle_until = event.at.plus_seconds(terms.idle_seconds.get()).min(opened.expires_at);
        must(opened.idle_until == idle_until, Breach::WrongDeadline)?;
        must(!self.is_secret_of_somebody(&opened.session_sha256), Breach::SessionInUse)?;
        self.uses_up(event, (&opened.method, opened.spent))?;
        self.code_used(event, (person, &opened.method))?;
        self.sessions.digests.insert(opened.session_sha256);
        let session = Session {
            person,
            digest: opened.session_sha256,
            method: opened.method.clone(),
            opened_at: event.at,
            idle_seconds: opened.idle_seconds.get(),
            idle_until,
            expires_at: opened.expires_at,
            proved_at: event.at,
            proof: None,
        };
        must(self.sessions.each.insert(id, session).is_none(), Breach::BegunTwice)
    }

    /// Whether a credential, a token or a session has this digest.
    pub(super) fn is_secret_of_somebody(&self, secret: &Digest) -> bool {
        self.sessions.holds(secret) || self.tokens.holds(secret) || self.is_credential(secret)
    }

    fn uses_up(&mut self, event: &Event, (method, spent): (&Method, Option<Spent>)) -> Verdict {
        match (spent, method) {
            (Some(spent), _) => self.sessions.spend(event.at, spent),
            (None, Method::Passkey { .. } | Method::Sso { .. }) => Err(Breach::ChallengeMissing),
            (None, _) => Ok(()),
        }
    }

    /// By the node's word, to the time that its use gives it, and not each time.
    fn extended(&mut self, event: &Event, (id, extended): (SessionId, &Extended)) -> Verdict {
        by_node(event)?;
        is_of_none(event)?;
        let session = self.live(event, id)?;
        let until = event.at.plus_seconds(session.idle_seconds).min(session.expires_at);
        must(extended.idle_until == until, Breach::WrongDeadline)?;
        let gained = millis_since(until, session.idle_until);
        let quarter = i64::from(session.idle_seconds) * 250;
        let last = until == session.expires_at && gained > 0;
        must(gained >= quarter || last, Breach::ExtendedTooSoon)?;
        if let Some(session) = self.sessions.each.get_mut(&id) {
            session.idle_until = until;
        }
        Ok(())
    }

    fn stepped_up(&mut self, event: &Event, (id, stepped_up): (SessionId, &SteppedUp)) -> Verdict {
        let session = self.live(event, id)?;
        let person = session.person;
        by(event, person)?;
        must(
            matches!(stepped_up.method, Method::Passkey { .. } | Method::Password { .. }),
            Breach::NotAProof,
        )?;
        self.is_taken(person, &stepped_up.method)?;
        self.uses_up(event, (&stepped_up.method, stepped_up.spent))?;
        self.code_used(event, (person, &stepped_up.method))?;
        if let Some(session) = self.sessions.each.get_mut(&id) {
            session.proved_at = event.at;
            session.proof = Some((event.at, stepped_up.request_sha256));
        }
        Ok(())
    }

    /// The vote is by somebody who has just proved that they are there, where the rules want that; and says so only there.
    pub(super) fn is_fresh(
        &self,
        event: &Event,
        (voter, voted): (PersonId, &Voted),
        (demanded, keys): (Option<u32>, &BTreeSet<Digest>),
    ) -> Verdict {
        let (seconds, fresh) = match (demanded, &voted.fresh) {
            (None, None) => return Ok(()),
            (None, Some(_)) => return Err(Breach::NotFresh),
            (Some(_), None) => {
                let signed = voted.signature.as_ref().map(|signature| signature.key_sha256);
                let once = signed.filter(|key| !keys.contains(key));
                return must(
                    once.is_some_and(|key| self.is_by_somebody_present(voter, &key)),
                    Breach::NotFresh,
                );
            }
            (Some(seconds), Some(fresh)) => (seconds, fresh),
        };
        let session = self.live(event, fresh.session)?;
        must(session.person == voter, Breach::SessionNotLive)?;
        let (at, request) = session.proof.ok_or(Breach::NotFresh)?;
        must(request == fresh.request_sha256, Breach::NotFresh)?;
        must(event.at < at.plus_seconds(seconds), Breach::NotFresh)
    }

    pub(super) fn proof_used(&mut self, session: Option<SessionId>) {
        if let Some(session) = session.and_then(|id| self.sessions.each.get_mut(&id)) {
            session.proof = None;
        }
    }

    /// By whose it is; by others with consent; by the node once it is over.
    fn session_ended(
        &mut self,
        event: &Event,
        owed: Option<&Owed>,
        (id, ended): (SessionId, &Ended),
    ) -> Verdict {
        let session = self.sessions.each.get(&id).ok_or(Breach::Unknown)?;
        must(ended.person == session.person, Breach::SessionByAnother)?;
        let themselves = event.actor == Actor::Person(session.person) && ended.approval.is_none();
        match ended.how {
            How::Expired => {
                by_node(event)?;
                is_of_none(event)?;
                must(ended.approval.is_none(), Breach::Unprompted)?;
                let over = event.at >= session.idle_until || event.at >= session.expires_at;
                must(over, Breach::TooEarly)?;
            }
            How::Revoked if !themselves => {
                self.is_consented(event, owed)?;
                self.live(event, id)?;
            }
            How::SignedOut | How::Replaced | How::Revoked => {
                by(event, session.person)?;
                must(ended.approval.is_none(), Breach::Unprompted)?;
                self.live(event, id)?;
            }
        }
        let ended = self.sessions.each.remove(&id).ok_or(Breach::Unknown)?;
        self.sessions.digests.remove(&ended.digest);
        Ok(())
    }
}
