//! The wall clock and the freshness rule of both signature schemes.
//!
//! The schemes themselves take the time as an argument; only request handlers and the delivery log read this
//! clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// How far a signed time may lie from the receiver's clock, both ways and inclusive, in seconds.
///
/// Stripe and Standard Webhooks both name five minutes.
pub(crate) const TOLERANCE_SECONDS: u64 = 300;

/// Milliseconds since 1970. A clock before 1970 reads as 0, so that every signed time is out of tolerance.
pub(crate) fn now_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// Seconds since 1970, with the same reading of an impossible clock as [`now_ms`].
pub(crate) fn now_seconds() -> u64 {
    now_ms() / 1000
}

/// Parses a signed time in its one accepted spelling: 1 to 12 digits, no sign, no separator, no leading zero.
///
/// One spelling only, because lenient parsers disagree with one another about `+1`, `1_0` and `01`.
pub(crate) fn parse_seconds(text: &str) -> Option<u64> {
    let well_formed = (1..=12).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && !text.starts_with('0');
    if well_formed { text.parse().ok() } else { None }
}

/// Whether a signed time is fresh enough to be considered at all.
pub(crate) fn within_tolerance(signed: u64, now: u64) -> bool {
    signed.abs_diff(now) <= TOLERANCE_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_one_spelling() {
        assert_eq!(parse_seconds("1614265330"), Some(1_614_265_330));
        for text in
            ["", "0", "01", "+1", "-1", "1_0", "1.0", "1e9", " 1", "1 ", "0x1", "1234567890123", "\u{661}"]
        {
            assert_eq!(parse_seconds(text), None, "{text:?}");
        }
    }

    #[test]
    fn tolerance_is_inclusive_and_reaches_both_ways() {
        for (signed, fresh) in [(699, false), (700, true), (1000, true), (1300, true), (1301, false)] {
            assert_eq!(within_tolerance(signed, 1000), fresh, "{signed}");
        }
    }
}
