//! Freezes as a policy speaks of them: over which actions, and when.
//!
//! Either once, between two moments, or again and again, from each firing of a cron expression in a time zone on. A recurring window is
//! so many seconds of real time, whatever the clocks do meanwhile. What a freeze stops, and what excepts from it, is in [`crate::freeze`].

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use serde::{Deserialize, Deserializer, Serialize};

use super::flaw::Flaw;
use super::{ActionPattern, NamePattern, ResourcePattern};
use crate::action::Action;
use crate::calendar::{self, Cron, MOST_SECONDS, Schedule, Zone};
use crate::log::activation;
use crate::text::Name;
use crate::time::Time;

/// How many windows that touch or overlap are told as one.
const MOST_JOINED: usize = 100;

/// A span of time in which some actions are not begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// What the freeze is called; exceptions and refusals name it.
    pub name: Name,
    /// Verb it applies to, or `*`.
    pub verb: NamePattern,
    /// Resource it applies to, or `type/*`, or `*`.
    pub resource: ResourcePattern,
    /// Environment it applies to, or `*`.
    pub environment: NamePattern,
    /// Must be true for a freeze that uses `*`: no pattern by accident.
    #[serde(default)]
    pub patterns: bool,
    /// From when on, for a freeze that comes once. Any RFC 3339 time.
    #[serde(default, deserialize_with = "rfc3339", skip_serializing_if = "Option::is_none")]
    pub from: Option<Time>,
    /// Until when; at this moment it is over. Any RFC 3339 time.
    #[serde(default, deserialize_with = "rfc3339", skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// When a window begins, for a freeze that comes again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<Cron>,
    /// How long each window is, seconds, at most 31 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<NonZeroU32>,
    /// Where the clock stands that the expression speaks of: a name of the IANA time zone database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

/// When a freeze holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// From this moment on.
    pub from: Time,
    /// Until just before this one.
    pub until: Time,
}

/// How a freeze stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does not hold.
    Inactive,
    /// It holds.
    Active(Window),
    /// Nobody can say, because this build does not know its time zone, or it has no form at all: so it holds.
    Unclear,
}

/// The two forms of a freeze.
enum Form<'a> {
    Once(Window),
    Recurring { cron: &'a Cron, seconds: NonZeroU32, time_zone: &'a str },
}

fn rfc3339<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Time>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Time::parse_rfc3339(&text).map(Some).map_err(serde::de::Error::custom)
}

impl Freeze {
    /// Whether the freeze applies to the action.
    #[must_use]
    pub fn matches(&self, action: &Action) -> bool {
        self.pattern().matches(action)
    }

    fn pattern(&self) -> ActionPattern<'_> {
        ActionPattern { verb: &self.verb, resource: &self.resource, environment: &self.environment }
    }

    /// Whether it comes again, and so depends on the time zone database.
    #[must_use]
    pub fn is_recurring(&self) -> bool {
        self.cron.is_some()
    }

    fn form(&self) -> Option<Form<'_>> {
        match (self.from, self.until, &self.cron, self.duration_seconds, &self.time_zone) {
            (Some(from), Some(until), None, None, None) => Some(Form::Once(Window { from, until })),
            (None, None, Some(cron), Some(seconds), Some(time_zone)) => {
                Some(Form::Recurring { cron, seconds, time_zone })
            }
            _ => None,
        }
    }

    /// How it stands at a moment. Windows that touch or overlap are one, as far as the first hundred.
    #[must_use]
    pub fn standing(&self, at: Time) -> Standing {
        let (cron, seconds, time_zone) = match self.form() {
            Some(Form::Once(window)) if at < window.from || at >= window.until => return Standing::Inactive,
            Some(Form::Once(window)) => return Standing::Active(window),
            Some(Form::Recurring { cron, seconds, time_zone }) => (cron, seconds.get(), time_zone),
            None => return Standing::Unclear,
        };
        let Some(zone) = Zone::named(time_zone) else { return Standing::Unclear };
        let schedule = Schedule { cron, zone: &zone };
        match schedule.last(at, seconds) {
            None => Standing::Inactive,
            Some(from) => Standing::Active(joined(schedule, from, seconds)),
        }
    }

    /// The first window that begins after a moment, unless there is none within eight years.
    #[must_use]
    pub fn next(&self, after: Time) -> Option<Window> {
        match self.form()? {
            Form::Once(window) => Some(window).filter(|window| window.from > after),
            Form::Recurring { cron, seconds, time_zone } => {
                let zone = Zone::named(time_zone)?;
                let schedule = Schedule { cron, zone: &zone };
                Some(joined(schedule, schedule.next(after)?, seconds.get()))
            }
        }
    }
}

/// The window from a firing on, and those that go on from it without a gap.
fn joined(schedule: Schedule<'_>, from: Time, seconds: u32) -> Window {
    let mut until = from.plus_seconds(seconds);
    for _ in 0..MOST_JOINED {
        match schedule.last(until, seconds).map(|from| from.plus_seconds(seconds)) {
            Some(later) if later > until => until = later,
            _ => break,
        }
    }
    Window { from, until }
}

/// What is wrong with one freeze, in the order of its fields.
pub(super) fn flaws(freeze: &Freeze) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let mut add = |field: &str, what: String| {
        flaws.push(Flaw { place: format!("freezes.{}.{field}", freeze.name), what });
    };
    if freeze.pattern().is_open() && !freeze.patterns {
        add("patterns", "the freeze uses `*`: write `patterns = true` if that is meant".into());
    }
    match freeze.form() {
        None => add("from", without_form(freeze).into()),
        Some(Form::Once(Window { from, until })) if until <= from => {
            add("until", format!("`{until}` is not after `{from}`, so the freeze never holds"));
        }
        Some(Form::Once(_)) => {}
        Some(Form::Recurring { cron, seconds, time_zone }) => {
            if !cron.ever_fires() {
                add("cron", format!("`{cron}` never fires: none of its months has such a day"));
            }
            if seconds.get() > MOST_SECONDS {
                add("duration_seconds", format!("{seconds} is more than 31 days, which are {MOST_SECONDS}"));
            }
            if Zone::named(time_zone).is_none() {
                add("time_zone", calendar::complaint(time_zone));
            }
        }
    }
    if activation().is_some_and(|action| freeze.matches(&action)) {
        let what = "the freeze holds replacing the policy too, and so ending it early: name other environments than `control`";
        add("environment", what.into());
    }
    flaws
}

/// Why a freeze has neither form, or both.
fn without_form(freeze: &Freeze) -> &'static str {
    let once = freeze.from.is_some() || freeze.until.is_some();
    let recurring = freeze.cron.is_some() || freeze.duration_seconds.is_some() || freeze.time_zone.is_some();
    match (once, recurring) {
        (false, false) => {
            "the freeze does not say when: name `from` and `until`, or `cron`, `duration_seconds` and `time_zone`"
        }
        (true, true) => {
            "a freeze comes once (`from`, `until`) or again (`cron`, `duration_seconds`, `time_zone`), not both: make it two"
        }
        (true, false) => "a freeze that comes once has both `from` and `until`",
        (false, true) => "a freeze that comes again has all of `cron`, `duration_seconds` and `time_zone`",
    }
}
