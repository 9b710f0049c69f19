//! Cron expressions of five fields, as Vixie cron reads them: minute, hour, day of month, month, day of week.
//!
//! Lists, ranges, steps and the English names of months and weekdays. No `@daily`, no seconds, no `L`, `W` or `#`. A field that begins
//! with `*` restricts nothing; where both fields for days restrict, either of them suffices (crontab(5)). The text is kept as it was
//! written, because it is part of the policy that people agreed to.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text::FromStrVisitor;

/// A cron expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    text: String,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    /// Bit 0 is Sunday.
    weekdays: u64,
    /// Whether the field for days of the month begins with `*`.
    any_day: bool,
    /// Whether the field for days of the week does.
    any_weekday: bool,
}

/// A text is not a cron expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CronError {
    /// The field that is wrong, if it is one.
    field: Option<&'static str>,
    what: String,
}

impl fmt::Display for CronError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            Some(field) => write!(f, "the {field} of a cron expression: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl core::error::Error for CronError {}

/// What one field may say.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    /// Names of the values from `least` on.
    names: &'static [&'static str],
}

const MINUTES: Field = Field { name: "minute", least: 0, most: 59, names: &[] };
const HOURS: Field = Field { name: "hour", least: 0, most: 23, names: &[] };
const DAYS: Field = Field { name: "day of the month", least: 1, most: 31, names: &[] };
const MONTHS: Field = Field {
    name: "month",
    least: 1,
    most: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const WEEKDAYS: Field = Field {
    name: "day of the week",
    least: 0,
    most: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};
const SUNDAY: u64 = 1;
const SUNDAY_AS_7: u64 = 1 << 7;

impl Field {
    fn error(&self, what: String) -> CronError {
        CronError { field: Some(self.name), what }
    }

    /// The values as bits.
    fn parse(&self, text: &str) -> Result<u64, CronError> {
        text.split(',').try_fold(0, |bits, part| Ok(bits | self.part(part)?))
    }

    fn part(&self, part: &str) -> Result<u64, CronError> {
        let (range, step) = match part.split_once('/') {
            None => (part, None),
            Some((range, step)) => (range, Some(self.step(part, step)?)),
        };
        let (first, last) = match (range, range.split_once('-')) {
            ("*", _) => (self.least, self.most),
            (_, Some((first, last))) => (self.value(first)?, self.last(last)?),
            (one, None) if step.is_none() => (self.value(one)?, self.value(one)?),
            (one, None) => {
                let most = self.most;
                return Err(self.error(format!(
                    "`{}` has a step but no range: write `{one}-{most}/…` or `*/…`",
                    part.escape_debug()
                )));
            }
        };
        if first > last {
            let (most, least) = (self.most, self.least);
            return Err(self.error(format!(
                "`{}` runs backwards: write `{first}-{most},{least}-{last}` if that is meant",
                part.escape_debug()
            )));
        }
        // Of a day of the week that may be written as 0 or as 7, `*` means each once.
        Ok((first..=last).step_by(step.unwrap_or(1)).fold(0, |bits, value| bits | 1 << value))
    }

    fn step(&self, part: &str, step: &str) -> Result<usize, CronError> {
        let most = self.most.max(1);
        let parsed = number(step).filter(|step| (1..=most).contains(step));
        let parsed = parsed.and_then(|step| usize::try_from(step).ok());
        parsed.ok_or_else(|| {
            self.error(format!("the step of `{}` is not a number from 1 to {most}", part.escape_debug()))
        })
    }

    /// The end of a range: here a Sunday by name is the last day of a week, not the first.
    fn last(&self, text: &str) -> Result<u32, CronError> {
        if self.most == WEEKDAYS.most && text.eq_ignore_ascii_case("sun") {
            Ok(self.most)
        } else {
            self.value(text)
        }
    }

    fn value(&self, text: &str) -> Result<u32, CronError> {
        let named = self.names.iter().position(|name| text.eq_ignore_ascii_case(name));
        let named =
            named.and_then(|position| u32::try_from(position).ok()).map(|position| position + self.least);
        let value = named.or_else(|| number(text)).filter(|value| (self.least..=self.most).contains(value));
        value.ok_or_else(|| {
            let (least, most, text) = (self.least, self.most, text.escape_debug());
            let names = match self.names {
                [first, .., last] => format!(", or a name from `{first}` to `{last}`"),
                _ => String::new(),
            };
            self.error(format!("`{text}` is not a number from {least} to {most}{names}"))
        })
    }
}

/// A number of one or two digits: no sign, nothing else.
fn number(text: &str) -> Option<u32> {
    let digits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        let mut fields = text.split_ascii_whitespace();
        let fields = [(); 6].map(|()| fields.next());
        let [Some(minute), Some(hour), Some(day), Some(month), Some(weekday), None] = fields else {
            let what = format!(
                "`{}` is not a cron expression: it has five fields, minute, hour, day of the month, month and day of the week, as in `0 18 * * fri`",
                text.escape_debug()
            );
            return Err(CronError { field: None, what });
        };
        let weekdays = WEEKDAYS.parse(weekday)?;
        let weekdays = if weekdays & SUNDAY_AS_7 == 0 { weekdays } else { weekdays & !SUNDAY_AS_7 | SUNDAY };
        Ok(Self {
            text: text.to_string(),
            minutes: MINUTES.parse(minute)?,
            hours: HOURS.parse(hour)?,
            days: DAYS.parse(day)?,
            months: MONTHS.parse(month)?,
            weekdays,
            any_day: day.starts_with('*'),
            any_weekday: weekday.starts_with('*'),
        })
    }
}

fn values(bits: u64) -> impl DoubleEndedIterator<Item = i8> {
    (0..60_i8).filter(move |value| bits >> value & 1 == 1)
}

impl Cron {
    /// The minutes of each of its hours, ascending.
    pub(super) fn minutes(&self) -> impl DoubleEndedIterator<Item = i8> {
        values(self.minutes)
    }

    /// The hours of each of its days, ascending.
    pub(super) fn hours(&self) -> impl DoubleEndedIterator<Item = i8> {
        values(self.hours)
    }

    /// Whether the day is one of its days.
    pub(super) fn is_on(&self, date: Date) -> bool {
        let has = |bits: u64, value: i8| bits >> value & 1 == 1;
        let day = has(self.days, date.day());
        let weekday = has(self.weekdays, date.weekday().to_sunday_zero_offset());
        // A field that begins with `*` may still have a step, which then holds as well.
        let on = if self.any_day || self.any_weekday { day && weekday } else { day || weekday };
        on && has(self.months, date.month())
    }

    /// Whether there is a day on which it fires at all: there is no 30 February.
    #[must_use]
    pub fn ever_fires(&self) -> bool {
        let by_weekday = !self.any_day && !self.any_weekday;
        let longest = |month: i8| match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        by_weekday
            || values(self.months)
                .any(|month| values(self.days).next().is_some_and(|first| first <= longest(month)))
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Cron {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Cron {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(FromStrVisitor::new())
    }
}
