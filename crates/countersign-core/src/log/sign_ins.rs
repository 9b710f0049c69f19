//! Sign-ins that failed too often: one entry per account or network and window, and an incident; never one entry per attempt.
//!
//! Nobody who fails to sign in is known, so what the node counted is all there is. Here it is bounded: how much is enough to be told of, how often the same
//! account is told of, how many entries an hour takes, and that the first of a day is an incident to which those after it belong. A network is named in the
//! details alone, which can be redacted; that each is told of once in a window is for the node to keep, the bound on the hour holds for all of them.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::catalogue::listed;
use crate::context::{Actor, Context};
use crate::domain::{self, Event, Fact};
use crate::id::{CorrelationId, PersonId};
use crate::incident::{self, Cause, Setting};
use crate::log;
use crate::state::{LogSubject, State, Subject};
use crate::time::Time;

/// How long the failures of one account or network are counted together, and how long after an entry the next one about the same comes, seconds.
pub const WINDOW_SECONDS: u32 = 900;

/// Failures of one account within a window that are told of. Whoever mistypes does so less often.
pub const ACCOUNT_FAILURES: u32 = 20;

/// Failures from one network within a window that are told of.
pub const NETWORK_FAILURES: u32 = 50;

/// Failures within a window that are told of though no account and no network had enough of them.
pub const OTHER_FAILURES: u32 = 500;

/// Entries about accounts and networks within any hour; what is beyond them is told of in one more.
pub const MOST_PER_HOUR: usize = 12;

/// For how long what follows an incident about the same belongs to it, seconds.
pub const SERIES_SECONDS: u32 = 86_400;

const HOUR_SECONDS: u32 = 3_600;

/// The node says that sign-ins failed.
pub type NoteFailures = Failed;

/// Whose sign-ins failed, or from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum About {
    /// Those of one person, wherever they came from.
    Account {
        /// Whose.
        person: PersonId,
    },
    /// Those that came from one network, whosoever they were to be.
    Network {},
    /// What no entry of its own is about.
    Others {
        /// Accounts and networks that had enough for an entry of their own, of which the hour had no more.
        left_out: u32,
    },
}

impl About {
    /// What an incident about it is about.
    fn subject(self) -> Subject {
        match self {
            Self::Account { person } => Subject::Person(person),
            Self::Network {} | Self::Others { .. } => Subject::Log,
        }
    }

    /// How many failures are enough.
    fn enough(self) -> u32 {
        match self {
            Self::Account { .. } => ACCOUNT_FAILURES,
            Self::Network {} => NETWORK_FAILURES,
            Self::Others { left_out: 0 } => OTHER_FAILURES,
            Self::Others { .. } => 1,
        }
    }

    fn is_others(self) -> bool {
        matches!(self, Self::Others { .. })
    }
}

/// How often what was shown was wrong, by what it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Passkeys.
    pub passkey: u32,
    /// Passwords, and the codes with them.
    pub password: u32,
    /// What came back from `OpenID` providers.
    pub sso: u32,
    /// One-time claims.
    pub claim: u32,
}

impl Counts {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u32 {
        let Self { passkey, password, sso, claim } = *self;
        [password, sso, claim].into_iter().fold(passkey, u32::saturating_add)
    }

    /// These and those.
    #[must_use]
    pub fn plus(&self, more: &Self) -> Self {
        Self {
            passkey: self.passkey.saturating_add(more.passkey),
            password: self.password.saturating_add(more.password),
            sso: self.sso.saturating_add(more.sso),
            claim: self.claim.saturating_add(more.claim),
        }
    }
}

/// `log.sign_ins_failed`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Whose, or from where.
    pub about: About,
    /// How often, since the entry before about the same.
    pub failures: Counts,
    /// The first of them.
    pub from: Time,
    /// The last of them, or when somebody signed in after them.
    pub until: Time,
    /// When somebody signed in to that account or from that network after there had been enough failures.
    pub succeeded_at: Option<Time>,
}

/// An incident about failures, and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// About what.
    pub about: Subject,
    /// When it began.
    pub began_at: Time,
    /// What belongs to it has this correlation.
    pub correlation: CorrelationId,
    /// The last entry of it.
    pub last_at: Time,
    /// When somebody signed in after the failures, if anybody did.
    pub succeeded_at: Option<Time>,
}

/// What was told of failures lately.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// What goes on.
    pub series: Vec<Series>,
    /// When entries about accounts and networks were written within the last hour.
    pub recent: Vec<Time>,
    /// When the last one about all others was.
    pub others_at: Option<Time>,
}

impl Told {
    /// Whether there is nothing to remember.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The series that what happens now about this belongs to.
    fn running(&self, about: &Subject, now: Time) -> Option<&Series> {
        let runs = |series: &&Series| now < series.began_at.plus_seconds(SERIES_SECONDS);
        self.series.iter().filter(runs).find(|series| series.about == *about)
    }

    /// Whether the hour has room for one more.
    fn has_room(&self, about: About, now: Time) -> bool {
        let lately = |at: &Time| now < at.plus_seconds(HOUR_SECONDS);
        match about {
            About::Others { .. } => !self.others_at.as_ref().is_some_and(lately),
            _ => self.recent.iter().filter(|at| lately(at)).count() < MOST_PER_HOUR,
        }
    }
}

/// Why a count is refused, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Only the node counts them.
    NotTheNode,
    /// There is nobody of this id.
    UnknownPerson,
    /// Its times are not in order.
    WrongWindow,
    /// There were not enough.
    TooFew,
    /// The same account was told of just before.
    TooSoon,
    /// The hour has as many entries as it takes.
    TooMany,
}

listed! { Refusal:
    NotTheNode, UnknownPerson, WrongWindow, TooFew, TooSoon, TooMany,
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotTheNode => "not_the_node",
            Self::UnknownPerson => "unknown_person",
            Self::WrongWindow => "failures_wrong_window",
            Self::TooFew => "failures_too_few",
            Self::TooSoon => "failures_told_already",
            Self::TooMany => "failures_hour_full",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TooSoon | Self::TooMany => "the node counts on and tells of it later",
            _ => "the node does it by itself",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotTheNode => "only the node says how often sign-ins failed",
            Self::UnknownPerson => "there is nobody of this id",
            Self::WrongWindow => "sign-ins cannot have failed before they began or after now",
            Self::TooFew => "too few sign-ins failed to be told of",
            Self::TooSoon => "failures of this account were told of just before",
            Self::TooMany => "the hour has as many entries about failed sign-ins as it takes",
        })
    }
}

pub(crate) fn note(state: &State, cx: &Context, note: &NoteFailures) -> Result<Vec<Event>, domain::Refusal> {
    if cx.actor != Actor::Node {
        return Err(Refusal::NotTheNode.into());
    }
    let told = &state.log().ok_or(log::Refusal::NotInitialised)?.sign_ins;
    if let About::Account { person } = note.about {
        state.person(person).ok_or(Refusal::UnknownPerson)?;
    }
    let Failed { about, failures, from, until, succeeded_at } = *note;
    let within = succeeded_at.is_none_or(|at| from <= at && at <= until && !about.is_others());
    if from > until || until > cx.now || !within {
        return Err(Refusal::WrongWindow.into());
    }
    let subject = about.subject();
    let running = told.running(&subject, cx.now);
    // That somebody got in after all is worth an entry of its own, once in a series.
    let gets_in = succeeded_at.is_some() && running.is_none_or(|series| series.succeeded_at.is_none());
    let follows = gets_in && running.is_some();
    if failures.total() < about.enough() && !follows {
        return Err(Refusal::TooFew.into());
    }
    let rests = |series: &Series| cx.now >= series.last_at.plus_seconds(WINDOW_SECONDS);
    if matches!(about, About::Account { .. }) && !gets_in && !running.is_none_or(rests) {
        return Err(Refusal::TooSoon.into());
    }
    if !told.has_room(about, cx.now) {
        return Err(Refusal::TooMany.into());
    }
    let correlation = running.map_or(cx.correlation, |series| series.correlation);
    let failed = Event::new(cx, correlation, None, Fact::LogSignInsFailed(LogSubject, *note));
    let cause = match (gets_in, running) {
        (true, _) => Cause::SignInAfterFailures,
        (false, None) => Cause::SignInFailures,
        (false, Some(_)) => return Ok(Vec::from([failed])),
    };
    let setting = Setting { correlation, environment: None };
    Ok(Vec::from([failed, incident::open(cx, &setting, cause, subject)]))
}

pub(super) fn apply(state: &mut State, event: &Event) {
    let Fact::LogSignInsFailed(_, failed) = &event.fact else { return };
    let Some(mut log) = state.log().cloned() else { return };
    let (told, now, about) = (&mut log.sign_ins, event.at, failed.about.subject());
    told.series.retain(|series| now < series.began_at.plus_seconds(SERIES_SECONDS));
    told.recent.retain(|at| now < at.plus_seconds(HOUR_SECONDS));
    if failed.about.is_others() {
        told.others_at = Some(now);
    } else {
        told.recent.push(now);
    }
    match told.series.iter_mut().find(|series| series.about == about) {
        Some(series) => {
            series.last_at = now;
            series.succeeded_at = series.succeeded_at.or(failed.succeeded_at);
        }
        None => told.series.push(Series {
            about,
            began_at: now,
            correlation: event.correlation,
            last_at: now,
            succeeded_at: failed.succeeded_at,
        }),
    }
    state.set_log(log);
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;
    use crate::Command;
    use crate::testing::{ANA, BEN, World};

    const ANAS: About = About::Account { person: ANA };

    fn note(world: &World, about: About, passkey: u32) -> NoteFailures {
        let failures = Counts { passkey, ..Counts::default() };
        Failed { about, failures, from: world.now, until: world.now, succeeded_at: None }
    }

    fn says(world: &mut World, note: NoteFailures) -> String {
        world.says(Actor::Node, &Command::NoteFailedSignIns(note))
    }

    fn told(world: &mut World, about: About, passkey: u32) -> String {
        let note = note(world, about, passkey);
        says(world, note)
    }

    #[test]
    fn one_account_is_told_of_once_in_a_window_and_its_day_is_one_incident() {
        let mut world = World::new();
        let by_her = note(&world, ANAS, ACCOUNT_FAILURES);
        assert_eq!(world.says(ANA, &Command::NoteFailedSignIns(by_her)), "not_the_node");
        assert_eq!(told(&mut world, ANAS, ACCOUNT_FAILURES - 1), "failures_too_few");
        assert_eq!(told(&mut world, ANAS, ACCOUNT_FAILURES), "log.sign_ins_failed incident.opened");
        assert_eq!(told(&mut world, ANAS, 10_000), "failures_told_already");
        let bens = About::Account { person: BEN };
        assert_eq!(told(&mut world, bens, ACCOUNT_FAILURES), "log.sign_ins_failed incident.opened");
        world.now = world.now.plus_seconds(WINDOW_SECONDS);
        assert_eq!(told(&mut world, ANAS, 10_000), "log.sign_ins_failed");
        world.now = world.now.plus_seconds(SERIES_SECONDS - WINDOW_SECONDS);
        assert_eq!(told(&mut world, ANAS, ACCOUNT_FAILURES), "log.sign_ins_failed incident.opened");
        world.assert_replays();
    }

    #[test]
    fn that_somebody_got_in_is_an_incident_of_its_own_and_only_once() {
        let mut world = World::new();
        let got_in = |world: &World, passkey| {
            let now = world.now;
            Failed { until: now, succeeded_at: Some(now), ..note(world, ANAS, passkey) }
        };
        let alone = got_in(&world, 0);
        assert_eq!(says(&mut world, alone), "failures_too_few", "nothing was wrong before");
        assert_eq!(told(&mut world, ANAS, ACCOUNT_FAILURES), "log.sign_ins_failed incident.opened");
        let then = got_in(&world, 0);
        assert_eq!(says(&mut world, then), "log.sign_ins_failed incident.opened", "at once");
        assert_eq!(says(&mut world, then), "failures_too_few", "once");
        world.now = world.now.plus_seconds(WINDOW_SECONDS);
        let again = got_in(&world, ACCOUNT_FAILURES);
        assert_eq!(says(&mut world, again), "log.sign_ins_failed");
        world.assert_replays();
    }

    #[test]
    fn an_hour_takes_so_many_and_one_for_the_others() {
        let mut world = World::new();
        let others = |left_out| About::Others { left_out };
        for number in 0..MOST_PER_HOUR {
            let expected =
                if number == 0 { "log.sign_ins_failed incident.opened" } else { "log.sign_ins_failed" };
            assert_eq!(told(&mut world, About::Network {}, NETWORK_FAILURES), expected);
        }
        assert_eq!(told(&mut world, About::Network {}, NETWORK_FAILURES), "failures_hour_full");
        assert_eq!(told(&mut world, ANAS, ACCOUNT_FAILURES), "failures_hour_full");
        assert_eq!(told(&mut world, others(0), OTHER_FAILURES - 1), "failures_too_few");
        assert_eq!(told(&mut world, others(7), 1), "log.sign_ins_failed");
        assert_eq!(told(&mut world, others(7), 1), "failures_hour_full");
        world.now = world.now.plus_seconds(HOUR_SECONDS);
        assert_eq!(told(&mut world, others(0), OTHER_FAILURES), "log.sign_ins_failed");
        assert_eq!(told(&mut world, ANAS, ACCOUNT_FAILURES), "log.sign_ins_failed incident.opened");
        world.assert_replays();
    }

    #[test]
    fn times_are_in_order_and_people_are_known() {
        let mut world = World::new();
        let now = world.now;
        let fine = note(&world, ANAS, ACCOUNT_FAILURES);
        let nobody = About::Account { person: PersonId(99) };
        assert_eq!(told(&mut world, nobody, 10_000), "unknown_person");
        let (before, after) = (now.plus_millis(-1), now.plus_millis(1));
        for wrong in [
            Failed { until: before, ..fine },
            Failed { until: after, ..fine },
            Failed { succeeded_at: Some(before), ..fine },
            Failed { succeeded_at: Some(after), ..fine },
            Failed { succeeded_at: Some(now), about: About::Others { left_out: 1 }, ..fine },
        ] {
            assert_eq!(says(&mut world, wrong), "failures_wrong_window", "{wrong:?}");
        }
    }
}
