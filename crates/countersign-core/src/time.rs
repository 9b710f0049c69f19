//! Time as the ledger knows it: whole milliseconds, UTC, always written `2026-11-23T10:00:00.123Z`.
//!
//! There is no clock here. "Now" comes in through the context.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::text::FromStrVisitor;

/// Milliseconds since the Unix epoch, from year 1 to year 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(i64);

/// Last millisecond of the year 9999, so that every time prints in RFC 3339.
const LAST: i64 = 253_402_300_799_999;

const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

impl Time {
    /// `millis` since the Unix epoch, limited to the years 1970 to 9999.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(if millis < 0 {
            0
        } else if millis > LAST {
            LAST
        } else {
            millis
        })
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This time and `seconds` more.
    #[must_use]
    pub fn plus_seconds(self, seconds: u32) -> Self {
        self.plus_millis(i64::from(seconds) * 1000)
    }

    /// This time and `millis` more.
    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        Self::from_millis(self.0.saturating_add(millis))
    }
}

impl Time {
    /// Reads any RFC 3339 time, whatever its offset. A part of a millisecond counts as a whole one: the result is the first time of
    /// ours that is not before the one given, so that asking for what happened since then, or before it, asks for the same.
    ///
    /// # Errors
    /// It is not an RFC 3339 time of the years 1970 to 9999.
    pub fn parse_rfc3339(text: &str) -> Result<Self, TimeError> {
        let error = || TimeError(text.to_string());
        // The parser also takes other forms of ISO 8601.
        let form =
            text.as_bytes().get(10).is_some_and(|byte| matches!(byte, b'T' | b't')) && !text.contains('[');
        let timestamp: Timestamp = text.parse().map_err(|_| error())?;
        let nanoseconds = timestamp.as_nanosecond();
        let millis = nanoseconds.div_euclid(1_000_000) + i128::from(nanoseconds.rem_euclid(1_000_000) > 0);
        let millis = i64::try_from(millis).map_err(|_| error())?;
        if form && (0..=LAST).contains(&millis) { Ok(Self(millis)) } else { Err(error()) }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let timestamp = Timestamp::from_millisecond(self.0).map_err(|_| fmt::Error)?;
        f.write_str(&PRINTER.timestamp_to_string(&timestamp))
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text is not a time in the ledger's one form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeError(String);

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a time like `2026-11-23T10:00:00.123Z`", self.0.escape_debug())
    }
}

impl core::error::Error for TimeError {}

impl FromStr for Time {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let error = || TimeError(text.to_string());
        let timestamp: Timestamp = text.parse().map_err(|_| error())?;
        let time = Self::from_millis(timestamp.as_millisecond());
        if time.to_string() == text { Ok(time) } else { Err(error()) }
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(FromStrVisitor::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_reads_exactly_one_form() {
        let time = Time::from_millis(1_795_428_000_120);
        assert_eq!(time.to_string(), "2026-11-23T10:00:00.120Z");
        assert_eq!("2026-11-23T10:00:00.120Z".parse(), Ok(time));
        for odd in
            ["2026-11-23T10:00:00.12Z", "2026-11-23T11:00:00.120+01:00", "2026-11-23 10:00:00.120Z", ""]
        {
            assert!(odd.parse::<Time>().is_err(), "{odd}");
        }
    }

    #[test]
    fn any_rfc_3339_time_names_the_next_millisecond() {
        let time = Time::from_millis(1_795_428_000_120);
        for same in [
            "2026-11-23T10:00:00.12Z",
            "2026-11-23T11:00:00.120+01:00",
            "2026-11-23t10:00:00.1191z",
            "2026-11-23T10:00:00.120Z",
        ] {
            assert_eq!(Time::parse_rfc3339(same), Ok(time), "{same}");
        }
        for odd in [
            "",
            "2026-11-23",
            "2026-11-23 10:00:00Z",
            "2026-11-23T10:00:00",
            "2026-11-23T10:00:00Z[UTC]",
            "1969-12-31T23:59:59Z",
        ] {
            assert!(Time::parse_rfc3339(odd).is_err(), "{odd}");
        }
    }
}
