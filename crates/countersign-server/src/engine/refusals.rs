//! What people were refused, counted in memory until a window closes; then one entry per person, action and code says how often.
//!
//! A refusal changes no state, so counting loses nothing that is decided upon; a crash loses the counts of one window at most.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::num::NonZeroU32;
use std::time::Duration;

use countersign_core::action::Action;
use countersign_core::id::PersonId;
use countersign_core::person::NoteRefusals;
use countersign_core::time::Time;

use crate::clock::Moment;

/// How long refusals are counted before they are written down.
const WINDOW: Duration = Duration::from_secs(60);

/// Kinds told apart within a window; beyond that the action is left out, so that nobody can make them grow without bound.
const KINDS: usize = 1_024;

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    pub person: PersonId,
    pub action: Option<Action>,
    pub code: &'static str,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    count: NonZeroU32,
    from: Time,
    until: Time,
}

/// The refusals of the present window.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    counts: BTreeMap<Kind, Count>,
    since: Option<Moment>,
}

impl Refusals {
    /// Counts one more.
    pub(super) fn note(&mut self, kind: Kind, (at, now): (Time, Moment)) {
        let told_apart = self.counts.contains_key(&kind) || self.counts.len() < KINDS;
        let kind = if told_apart { kind } else { Kind { action: None, ..kind } };
        self.add(kind, Count { count: NonZeroU32::MIN, from: at, until: at }, now);
    }

    /// Counts again what could not be written down.
    pub(super) fn put_back(&mut self, note: NoteRefusals, now: Moment) {
        let NoteRefusals { person, action, code, count, from, until } = note;
        self.add(Kind { person, action, code }, Count { count, from, until }, now);
    }

    fn add(&mut self, kind: Kind, more: Count, now: Moment) {
        self.since.get_or_insert(now);
        match self.counts.entry(kind) {
            Entry::Vacant(place) => {
                place.insert(more);
            }
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.count = known.count.saturating_add(more.count.get());
                known.from = known.from.min(more.from);
                known.until = known.until.max(more.until);
            }
        }
    }

    /// Whether the window has closed.
    pub(super) fn is_due(&self, now: Moment) -> bool {
        self.since.is_some_and(|since| now.since(since) >= WINDOW)
    }

    /// Everything counted so far; a new window begins with the next refusal.
    pub(super) fn take(&mut self) -> Vec<NoteRefusals> {
        self.since = None;
        let counts = std::mem::take(&mut self.counts).into_iter();
        counts
            .map(|(Kind { person, action, code }, Count { count, from, until })| NoteRefusals {
                person,
                action,
                code,
                count,
                from,
                until,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment::at(WINDOW);

    fn kind(person: u128, action: Option<Action>) -> Kind {
        Kind { person: PersonId(person), action, code: "self_approval" }
    }

    fn action(number: usize) -> Action {
        let resource = format!("payout/number-{number}").parse().unwrap();
        Action { verb: "override".parse().unwrap(), resource, environment: "production".parse().unwrap() }
    }

    #[test]
    fn the_same_kind_is_counted_and_what_was_taken_is_gone_unless_it_is_put_back() {
        let mut refusals = Refusals::default();
        for at in [5, 3, 9] {
            refusals.note(kind(1, None), (Time::from_millis(at), NOW));
        }
        let taken = refusals.take();
        let seen: Vec<_> = taken
            .iter()
            .map(|note| (note.count.get(), note.from.as_millis(), note.until.as_millis()))
            .collect();
        assert_eq!(seen, [(3, 3, 9)]);
        assert!(refusals.take().is_empty());
        taken.into_iter().for_each(|note| refusals.put_back(note, NOW));
        refusals.note(kind(1, None), (Time::from_millis(10), NOW));
        assert!(!refusals.is_due(NOW) && refusals.is_due(NOW + WINDOW));
        assert_eq!(refusals.take().first().map(|note| note.count.get()), Some(4));
    }

    #[test]
    fn inventing_resources_does_not_make_the_counts_grow_without_bound() {
        let mut refusals = Refusals::default();
        for number in 0..3 * KINDS {
            refusals.note(kind(1, Some(action(number))), (Time::from_millis(1), NOW));
        }
        let taken = refusals.take();
        assert_eq!(taken.len(), KINDS + 1);
        let total: u32 = taken.iter().map(|note| note.count.get()).sum();
        assert_eq!(usize::try_from(total), Ok(3 * KINDS));
    }
}
