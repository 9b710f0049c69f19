//! Delegation: somebody who is away lets one other person agree in their place, for a dated period.
//!
//! A delegate fills the seat of the person who is away and counts once as a human (see `approval`). Nothing else passes over: a delegate
//! neither requests nor executes for anybody, and cannot pass on what was entrusted to them. Nobody has more than one delegation at a
//! time; what was agreed under one stands when it ends, as any other vote of the past does.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::catalogue::listed;
use crate::context::Context;
use crate::domain::{Event, Fact};
use crate::id::PersonId;
use crate::person::Person;
use crate::state::State;
use crate::time::Time;

/// Longest period of one delegation: who is away for longer has another role.
pub const LONGEST_DAYS: u32 = 90;

const DAY_MILLIS: i64 = 86_400_000;

/// Lets somebody else agree in one's place.
#[derive(Clone, Copy, Debug)]
pub struct Delegate {
    /// Who will.
    pub to: PersonId,
    /// From when on; at once if it is not said or has passed.
    pub from: Option<Time>,
    /// Until when.
    pub until: Time,
}

/// `person.delegated`: of the person it is about, by that person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegated {
    /// Who may agree in their place.
    pub to: PersonId,
    /// From when on.
    pub from: Time,
    /// Until when; the moment itself is too late.
    pub until: Time,
}

impl Delegated {
    /// Whether it holds at `now`.
    #[must_use]
    pub fn is_active(&self, now: Time) -> bool {
        self.from <= now && now < self.until
    }
}

/// `person.delegation_ended`: by the person, or by the node when its time has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Who could agree in their place.
    pub to: PersonId,
}

/// Why delegating is refused, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Only people delegate.
    NotAPerson,
    /// The person has not claimed a credential.
    Unclaimed,
    /// There is nobody of this id who has claimed a credential.
    UnknownDelegate,
    /// The delegate is the person themselves.
    ToOneself,
    /// The period is empty, over, or too long.
    WrongPeriod,
    /// A delegation is under way already.
    AlreadyDelegated,
    /// There is none to end.
    NotDelegated,
}

listed! { Refusal:
    NotAPerson, Unclaimed, UnknownDelegate, ToOneself, WrongPeriod, AlreadyDelegated, NotDelegated,
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAPerson => "not_a_person",
            Self::Unclaimed => "unclaimed",
            Self::UnknownDelegate => "unknown_delegate",
            Self::ToOneself => "delegated_to_oneself",
            Self::WrongPeriod => "wrong_period",
            Self::AlreadyDelegated => "already_delegated",
            Self::NotDelegated => "not_delegated",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotAPerson => "sign in as a person",
            Self::Unclaimed => "claim your credential first",
            Self::UnknownDelegate => "name somebody who has claimed their credential, by their id",
            Self::ToOneself => "name somebody else",
            Self::WrongPeriod => "name an end that is to come, after the beginning and within 90 days of it",
            Self::AlreadyDelegated => "end it first with `countersign approval undelegate`",
            Self::NotDelegated => "list delegations with `countersign approval delegations`",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAPerson => "only people delegate",
            Self::Unclaimed => "who has no credential yet cannot delegate",
            Self::UnknownDelegate => "there is nobody of this id who could agree",
            Self::ToOneself => "nobody is their own delegate",
            Self::WrongPeriod => "this is no period in which somebody could agree in your place",
            Self::AlreadyDelegated => "you have delegated already",
            Self::NotDelegated => "you have not delegated",
        })
    }
}

fn delegator<'a>(state: &'a State, cx: &Context) -> Result<&'a Person, Refusal> {
    let id = cx.actor.person().ok_or(Refusal::NotAPerson)?;
    state.person(id).filter(|person| person.is_active()).ok_or(Refusal::Unclaimed)
}

pub(crate) fn delegate(state: &State, cx: &Context, command: &Delegate) -> Result<Vec<Event>, Refusal> {
    let person = delegator(state, cx)?;
    let Delegate { to, from, until } = *command;
    if !state.person(to).is_some_and(Person::is_active) {
        return Err(Refusal::UnknownDelegate);
    }
    if to == person.id {
        return Err(Refusal::ToOneself);
    }
    let from = from.unwrap_or(cx.now).max(cx.now);
    let longest = i64::from(LONGEST_DAYS) * DAY_MILLIS;
    if until <= from || until > from.plus_millis(longest) {
        return Err(Refusal::WrongPeriod);
    }
    if person.delegated.is_some_and(|before| cx.now < before.until) {
        return Err(Refusal::AlreadyDelegated);
    }
    let fact = Fact::PersonDelegated(person.id, Delegated { to, from, until });
    Ok(Vec::from([Event::new(cx, cx.correlation, None, fact)]))
}

pub(crate) fn end(state: &State, cx: &Context) -> Result<Vec<Event>, Refusal> {
    let person = delegator(state, cx)?;
    let under_way = person.delegated.filter(|delegated| cx.now < delegated.until);
    let delegated = under_way.ok_or(Refusal::NotDelegated)?;
    Ok(Vec::from([ended(cx, person.id, delegated.to)]))
}

/// What follows from time having passed.
pub(crate) fn elapse(state: &State, cx: &Context, id: PersonId) -> Vec<Event> {
    let delegated = state.person(id).and_then(|person| person.delegated);
    let over = delegated.filter(|delegated| cx.now >= delegated.until);
    over.map(|delegated| ended(cx, id, delegated.to)).into_iter().collect()
}

fn ended(cx: &Context, person: PersonId, to: PersonId) -> Event {
    Event::new(cx, cx.correlation, None, Fact::PersonDelegationEnded(person, Ended { to }))
}

pub(crate) fn apply(state: &mut State, event: &Event) {
    match &event.fact {
        Fact::PersonDelegated(id, delegated) => {
            state.change::<Person>(id, |person| person.delegated = Some(*delegated));
        }
        Fact::PersonDelegationEnded(id, _) => state.change::<Person>(id, |person| person.delegated = None),
        _ => {}
    }
}

impl State {
    /// Whether `delegate` may agree in place of `person` at `now`. What was delegated to somebody they cannot pass on, so this is asked
    /// of the two alone.
    #[must_use]
    pub fn is_delegate(&self, delegate: PersonId, (person, now): (PersonId, Time)) -> bool {
        let delegated = self.person(person).and_then(|person| person.delegated);
        delegated.is_some_and(|delegated| delegated.to == delegate && delegated.is_active(now))
    }

    /// Who may agree in place of `person` at `now`.
    #[must_use]
    pub fn delegate_of(&self, person: PersonId, now: Time) -> Option<PersonId> {
        let delegated = self.person(person).and_then(|person| person.delegated);
        delegated.filter(|delegated| delegated.is_active(now)).map(|delegated| delegated.to)
    }
}
