//! Sign-ins that failed, counted in memory until there were enough of them to be told of: one entry per account or network and window, however many came.
//!
//! Nobody who fails is known, so all that can grow here is bounded: accounts are those there are, networks are told apart up to a number, and what no entry
//! of its own will be about is counted together. A crash loses the counts of one window. Nothing is decided by it: whoever may sign in still may.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use countersign_core::Refusal;
use countersign_core::id::PersonId;
use countersign_core::log::sign_ins::{self, About, Counts, NoteFailures, WINDOW_SECONDS};
use countersign_core::time::Time;
use countersign_ledger::json;
use serde_json::{Value, json};

use super::EngineError;
use crate::clock::Moment;

/// How often it is looked which window has closed.
const LOOK: Duration = Duration::from_secs(1);

/// Accounts, and networks, that are told apart.
const MOST: usize = 4_096;

/// Networks that are named per account.
const NAMED: usize = 8;

/// What was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A passkey.
    Passkey,
    /// A password, or the code with it.
    Password,
    /// What came back from a provider.
    Sso,
    /// A one-time claim.
    Claim,
}

impl Shown {
    fn once(self) -> Counts {
        let mut counts = Counts::default();
        let of = match self {
            Self::Passkey => &mut counts.passkey,
            Self::Password => &mut counts.password,
            Self::Sso => &mut counts.sso,
            Self::Claim => &mut counts.claim,
        };
        *of = 1;
        counts
    }
}

/// Whose, or from where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    Account(PersonId),
    Network(String),
    Others,
}

impl Whose {
    fn enough(&self) -> u32 {
        match self {
            Self::Account(_) => sign_ins::ACCOUNT_FAILURES,
            Self::Network(_) => sign_ins::NETWORK_FAILURES,
            Self::Others => sign_ins::OTHER_FAILURES,
        }
    }
}

/// What is counted together since the last entry about it.
#[derive(Clone, Debug, Default)]
struct Tally {
    failures: Counts,
    from: Time,
    until: Time,
    /// Where those of an account came from, the first few.
    networks: BTreeMap<String, u32>,
    /// Whether they came from others too.
    more: bool,
    /// What has no entry of its own.
    left_out: u32,
    succeeded_at: Option<Time>,
    /// Until when no other entry comes, once there was one.
    rests_until: Option<Time>,
    /// Whether it was told within this rest that somebody got in.
    told_of_success: bool,
}

impl Tally {
    fn add(&mut self, failures: &Counts, (from, until): (Time, Time)) {
        if self.is_blank() {
            self.from = from;
        }
        self.failures = self.failures.plus(failures);
        (self.from, self.until) = (self.from.min(from), self.until.max(until));
    }

    fn come_from(&mut self, network: &str, count: u32) {
        if let Some(known) = self.networks.get_mut(network) {
            *known = known.saturating_add(count);
        } else if self.networks.len() < NAMED {
            self.networks.insert(network.to_owned(), count);
        } else {
            self.more = true;
        }
    }

    fn is_blank(&self) -> bool {
        self.failures == Counts::default() && self.succeeded_at.is_none() && self.left_out == 0
    }

    fn rests(&self, now: Time) -> bool {
        self.rests_until.is_some_and(|until| now < until)
    }

    fn is_enough(&self, whose: &Whose) -> bool {
        self.failures.total() >= whose.enough() || self.left_out > 0
    }

    /// Whether an entry is due: there was enough, and none lately; or somebody got in of whom that was not told yet.
    fn is_due(&self, whose: &Whose, now: Time) -> bool {
        let got_in = self.succeeded_at.is_some() && !self.told_of_success;
        got_in || self.is_enough(whose) && !self.rests(now)
    }

    /// Begins another window if this one is over without there having been enough; gives back what of it counts among the others.
    fn turned(&mut self, whose: &Whose, now: Time) -> Option<Self> {
        if !self.is_over(whose, now) {
            return None;
        }
        let Self { rests_until, told_of_success, .. } = *self;
        let over = std::mem::replace(self, Self { rests_until, told_of_success, ..Self::default() });
        matches!(whose, Whose::Network(_)).then_some(over)
    }

    /// Whether its window is over without there having been enough.
    fn is_over(&self, whose: &Whose, now: Time) -> bool {
        !self.is_blank()
            && !self.is_enough(whose)
            && self.succeeded_at.is_none()
            && now >= self.from.plus_seconds(WINDOW_SECONDS)
    }

    fn details(&self, whose: &Whose) -> Option<Vec<u8>> {
        let text = match whose {
            Whose::Network(network) => json!({ "network": network }),
            Whose::Account(_) if !self.networks.is_empty() => {
                let named = self.networks.iter();
                let named =
                    named.map(|(network, failures)| json!({ "failures": failures, "network": network }));
                let mut text = json!({ "networks": named.collect::<Vec<_>>() });
                if self.more {
                    text["more"] = Value::Bool(true);
                }
                text
            }
            Whose::Account(_) | Whose::Others => return None,
        };
        json::to_canonical(&text).ok()
    }
}

/// What is to be written down.
#[derive(Clone, Debug)]
pub(super) struct Told {
    whose: Whose,
    tally: Tally,
    pub note: NoteFailures,
    /// Which networks, canonical JSON.
    pub details: Option<Vec<u8>>,
}

impl Told {
    /// Counts the entry in the metrics.
    pub(super) fn counted(&self) {
        let about = match self.whose {
            Whose::Account(_) => "account",
            Whose::Network(_) => "network",
            Whose::Others => "others",
        };
        metrics::counter!("countersign_sign_in_alarms_total", "about" => about).increment(1);
    }
}

#[derive(Debug, Default)]
struct Books {
    tallies: BTreeMap<Whose, Tally>,
    accounts: usize,
    networks: usize,
}

impl Books {
    /// The tally of this, if there is room for it.
    fn tally(&mut self, whose: Whose) -> Option<&mut Tally> {
        let known = match whose {
            Whose::Account(_) => &mut self.accounts,
            Whose::Network(_) => &mut self.networks,
            Whose::Others => &mut 0,
        };
        if !self.tallies.contains_key(&whose) {
            if *known >= MOST {
                return None;
            }
            *known += 1;
        }
        Some(self.tallies.entry(whose).or_default())
    }

    /// Counts it there, and with all others if there is no room; says whether that is to be looked at now.
    fn count(&mut self, whose: Whose, failures: &Counts, at: Time) -> bool {
        let beside = matches!(whose, Whose::Network(_)).then_some(Whose::Others);
        for whose in [Some(whose), beside].into_iter().flatten() {
            let Some(tally) = self.tally(whose.clone()) else { continue };
            let left = tally.turned(&whose, at);
            tally.add(failures, (at, at));
            let due = tally.is_due(&whose, at);
            if let Some(left) = left {
                self.give_back(Whose::Others, &left);
            }
            return due;
        }
        false
    }

    /// Ends windows in which there was not enough. From many networks together there may have been.
    fn sweep(&mut self, now: Time) {
        let mut left = Tally::default();
        for (whose, tally) in &mut self.tallies {
            if let Some(over) = tally.turned(whose, now) {
                left.add(&over.failures, (over.from, over.until));
            }
            if !tally.rests(now) {
                tally.told_of_success = false;
            }
        }
        self.tallies.retain(|_, tally| !tally.is_blank() || tally.rests(now));
        let number = |is: fn(&Whose) -> bool| self.tallies.keys().filter(|whose| is(whose)).count();
        self.accounts = number(|whose| matches!(whose, Whose::Account(_)));
        self.networks = number(|whose| matches!(whose, Whose::Network(_)));
        if !left.is_blank() {
            self.give_back(Whose::Others, &left);
        }
    }

    /// Adds what was counted before.
    fn give_back(&mut self, whose: Whose, before: &Tally) {
        let tally = self.tallies.entry(whose).or_default();
        tally.add(&before.failures, (before.from, before.until));
        tally.left_out = tally.left_out.saturating_add(before.left_out);
        tally.succeeded_at = tally.succeeded_at.or(before.succeeded_at);
        tally.more |= before.more;
        before.networks.iter().for_each(|(network, count)| tally.come_from(network, *count));
    }
}

/// The failures that are not written down yet.
#[derive(Debug, Default)]
pub(super) struct Failures {
    books: Mutex<Books>,
    /// Whether something became due since the last look.
    due: AtomicBool,
}

impl Failures {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more, to the account of somebody there is, from this network.
    pub(super) fn count(&self, shown: Shown, (person, network): (Option<PersonId>, &str), at: Time) {
        let (mut books, once) = (self.books(), shown.once());
        let mut due = books.count(Whose::Network(network.to_owned()), &once, at);
        if let Some(person) = person {
            due |= books.count(Whose::Account(person), &once, at);
            if let Some(tally) = books.tallies.get_mut(&Whose::Account(person)) {
                tally.come_from(network, 1);
            }
        }
        if due {
            self.due.store(true, Ordering::Release);
        }
    }

    /// Somebody signed in: that matters where there had been enough failures before.
    pub(super) fn succeeded(&self, (person, network): (PersonId, &str), at: Time) {
        let mut books = self.books();
        for whose in [Whose::Account(person), Whose::Network(network.to_owned())] {
            let Some(tally) = books.tallies.get_mut(&whose) else { continue };
            let told = tally.rests(at) && !tally.told_of_success;
            if tally.succeeded_at.is_none() && (told || tally.is_enough(&whose)) {
                tally.add(&Counts::default(), (at, at));
                tally.succeeded_at = Some(at);
                self.due.store(true, Ordering::Release);
            }
        }
    }

    /// Takes what is to be written down.
    pub(super) fn take(&self, now: Time) -> Vec<Told> {
        self.due.store(false, Ordering::Release);
        let mut books = self.books();
        books.sweep(now);
        let due = books.tallies.iter_mut().filter(|(whose, tally)| tally.is_due(whose, now));
        due.map(|(whose, tally)| {
            let rests_until = Some(now.plus_seconds(WINDOW_SECONDS));
            let told_of_success = tally.told_of_success || tally.succeeded_at.is_some();
            let rested = Tally { rests_until, told_of_success, ..Tally::default() };
            let tally = std::mem::replace(tally, rested);
            let about = match *whose {
                Whose::Account(person) => About::Account { person },
                Whose::Network(_) => About::Network {},
                Whose::Others => About::Others { left_out: tally.left_out },
            };
            let Tally { failures, from, until, succeeded_at, .. } = tally;
            let note = NoteFailures { about, failures, from, until: until.min(now), succeeded_at };
            Told { whose: whose.clone(), details: tally.details(whose), tally, note }
        })
        .collect()
    }

    /// It could not be written down: it is counted on, by itself or with all others.
    pub(super) fn put_back(&self, told: Told, error: &EngineError) {
        let Told { whose, tally, .. } = told;
        let mut books = self.books();
        match error {
            EngineError::Refused(Refusal::SignIns(sign_ins::Refusal::TooMany)) if whose != Whose::Others => {
                let left_out = Tally { left_out: 1, succeeded_at: None, ..tally };
                books.give_back(Whose::Others, &Tally { networks: BTreeMap::new(), more: false, ..left_out });
            }
            EngineError::Refused(Refusal::SignIns(
                sign_ins::Refusal::TooMany | sign_ins::Refusal::TooSoon,
            )) => books.give_back(whose, &tally),
            EngineError::Refused(refusal) => {
                tracing::debug!(%refusal, "failed sign-ins are not told of");
            }
            // The store does not take it: the next look tries again.
            _ => {
                books.give_back(whose.clone(), &tally);
                if let Some(known) = books.tallies.get_mut(&whose) {
                    (known.rests_until, known.told_of_success) = (tally.rests_until, tally.told_of_success);
                }
            }
        }
    }
}

/// When it is time to look.
#[derive(Debug)]
pub(super) struct Pace(Moment);

impl Pace {
    pub(super) fn new(now: Moment) -> Self {
        Self(now)
    }

    /// Whether to look now: something has become due, or it was not looked for a while.
    pub(super) fn is_due(&mut self, failures: &Failures, now: Moment) -> bool {
        let looks = failures.due.load(Ordering::Acquire) || now.since(self.0) >= LOOK;
        if looks {
            self.0 = now;
        }
        looks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: PersonId = PersonId(1);

    fn at(seconds: i64) -> Time {
        Time::from_millis(seconds * 1_000)
    }

    fn wrong(failures: &Failures, number: u32, (person, network): (Option<PersonId>, &str), seconds: i64) {
        (0..number).for_each(|_| failures.count(Shown::Password, (person, network), at(seconds)));
    }

    fn told(failures: &Failures, seconds: i64) -> Vec<(About, u32, Option<Time>)> {
        let told = failures.take(at(seconds)).into_iter().map(|told| told.note);
        told.map(|note| (note.about, note.failures.total(), note.succeeded_at)).collect()
    }

    const ANAS: About = About::Account { person: ANA };
    const WINDOW: i64 = WINDOW_SECONDS as i64;

    #[test]
    fn an_account_is_told_of_when_there_was_enough_and_then_once_a_window() {
        let failures = Failures::default();
        wrong(&failures, 19, (Some(ANA), "here"), 0);
        assert_eq!(told(&failures, 0), []);
        assert!(!failures.due.load(Ordering::Acquire));
        wrong(&failures, 1, (Some(ANA), "there"), 1);
        assert!(failures.due.load(Ordering::Acquire), "the writer looks at once");
        let first = failures.take(at(1)).pop().unwrap();
        assert_eq!((first.note.about, first.note.failures.password), (ANAS, 20));
        let details = String::from_utf8(first.details.unwrap()).unwrap();
        assert_eq!(
            details,
            r#"{"networks":[{"failures":19,"network":"here"},{"failures":1,"network":"there"}]}"#
        );
        wrong(&failures, 9_980, (Some(ANA), "elsewhere"), 2);
        let network = told(&failures, 3);
        assert_eq!(network, [(About::Network {}, 9_980, None)], "the account was just told of");
        assert_eq!(told(&failures, WINDOW), []);
        assert_eq!(told(&failures, WINDOW + 1), [(ANAS, 9_980, None)]);
        assert_eq!(told(&failures, 10 * WINDOW), []);
        assert!(failures.books().tallies.is_empty(), "nothing is kept");
    }

    #[test]
    fn too_few_in_a_window_are_not_told_of_unless_many_networks_make_them() {
        let failures = Failures::default();
        for window in 0..5 {
            wrong(&failures, 19, (Some(ANA), "here"), window * WINDOW);
            assert_eq!(told(&failures, window * WINDOW), []);
        }
        let failures = Failures::default();
        for network in 0..20 {
            wrong(&failures, 49, (None, &format!("network {network}")), 0);
        }
        assert_eq!(told(&failures, WINDOW - 1), []);
        assert_eq!(told(&failures, WINDOW), [(About::Others { left_out: 0 }, 20 * 49, None)]);
    }

    #[test]
    fn that_somebody_gets_in_is_told_at_once_and_once() {
        let failures = Failures::default();
        wrong(&failures, 5, (Some(ANA), "here"), 0);
        failures.succeeded((ANA, "here"), at(0));
        assert_eq!(told(&failures, 0), [], "she mistyped");
        wrong(&failures, 15, (Some(ANA), "here"), 1);
        assert_eq!(told(&failures, 1), [(ANAS, 20, None)]);
        wrong(&failures, 2, (Some(ANA), "here"), 2);
        failures.succeeded((ANA, "home"), at(3));
        assert_eq!(told(&failures, 3), [(ANAS, 2, Some(at(3)))], "from wherever");
        failures.succeeded((ANA, "home"), at(4));
        assert_eq!(told(&failures, 4), []);
        wrong(&failures, 50, (None, "bar"), 5);
        failures.succeeded((ANA, "bar"), at(6));
        assert_eq!(told(&failures, 6), [(About::Network {}, 50, Some(at(6)))]);
    }

    #[test]
    fn what_an_hour_has_no_room_for_is_counted_with_the_others() {
        let failures = Failures::default();
        wrong(&failures, 60, (None, "here"), 0);
        wrong(&failures, 70, (None, "there"), 0);
        let refused = EngineError::Refused(sign_ins::Refusal::TooMany.into());
        for told in failures.take(at(0)) {
            failures.put_back(told, &refused);
        }
        let others = failures.take(at(0)).pop().unwrap();
        assert_eq!((others.note.about, others.note.failures.total()), (About::Others { left_out: 2 }, 130));
        failures.put_back(others, &refused);
        assert_eq!(told(&failures, 1), [], "it is not asked about every second");
        assert_eq!(told(&failures, WINDOW), [(About::Others { left_out: 2 }, 130, None)]);
    }

    #[test]
    fn what_the_store_did_not_take_is_tried_again_as_it_was() {
        let failures = Failures::default();
        wrong(&failures, 20, (Some(ANA), "here"), 0);
        let before = failures.take(at(0)).pop().unwrap();
        wrong(&failures, 1, (Some(ANA), "here"), 1);
        failures.put_back(before, &EngineError::Stopped);
        assert_eq!(told(&failures, 1), [(ANAS, 21, None)]);
    }

    #[test]
    fn inventing_networks_does_not_make_the_counts_grow_without_bound() {
        let failures = Failures::default();
        for network in 0..2 * MOST {
            wrong(&failures, 1, (Some(PersonId(network as u128)), &format!("network {network}")), 0);
        }
        assert_eq!(failures.books().tallies.len(), 2 * MOST + 1);
        assert_eq!(told(&failures, 0), [(About::Others { left_out: 0 }, u32::try_from(MOST).unwrap(), None)]);
        wrong(&failures, 20, (Some(ANA), "here"), 2 * WINDOW);
        assert_eq!(told(&failures, 2 * WINDOW).len(), 2, "the account, and what the networks before came to");
    }
}
