//! What writer and reader of leaves accept: names and times.

use super::{EntryError, MAX_NAME};

/// Checks a name: visible ASCII that JSON need not escape, so that readers can borrow it and people can read it.
pub(crate) fn check_name(member: &'static str, name: &str) -> Result<(), EntryError> {
    let plain = name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
    if plain && (1..=MAX_NAME).contains(&name.len()) { Ok(()) } else { Err(EntryError::Name { member }) }
}

/// Checks a time: `2026-11-23T10:00:00.123Z`, an instant of the proleptic Gregorian calendar without leap seconds.
///
/// One fixed form makes the order of texts the order of times.
pub(super) fn check_time(time: &str) -> Result<(), EntryError> {
    let form = b"0000-00-00T00:00:00.000Z";
    let fits = |(byte, form): (u8, &u8)| if *form == b'0' { byte.is_ascii_digit() } else { byte == *form };
    let valid = time.len() == form.len() && time.bytes().zip(form).all(fits) && is_instant(time);
    if valid { Ok(()) } else { Err(EntryError::Time) }
}

fn is_instant(time: &str) -> bool {
    let number = |from: usize, to: usize| time.get(from..to).and_then(|digits| digits.parse::<u32>().ok());
    let (Some(year), Some(month), Some(day)) = (number(0, 4), number(5, 7), number(8, 10)) else {
        return false;
    };
    let (Some(hour), Some(minute), Some(second)) = (number(11, 13), number(14, 16), number(17, 19)) else {
        return false;
    };
    let leap_year = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap_year => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day) && hour < 24 && minute < 60 && second < 60
}

#[cfg(test)]
mod tests {
    use super::{check_name, check_time};

    #[test]
    fn one_form_of_time() {
        for good in ["2026-11-23T10:00:00.123Z", "2024-02-29T23:59:59.999Z", "2000-02-29T00:00:00.000Z"] {
            assert!(check_time(good).is_ok(), "{good}");
        }
        for bad in [
            "2026-11-23T10:00:00Z",
            "2026-11-23T10:00:00.1234Z",
            "2026-11-23T10:00:00.123+00:00",
            "2026-11-23t10:00:00.123z",
            "2026-11-23 10:00:00.123Z",
            "2026-13-23T10:00:00.123Z",
            "2026-00-23T10:00:00.123Z",
            "2026-02-29T10:00:00.123Z",
            "1900-02-29T10:00:00.123Z",
            "2026-04-31T10:00:00.123Z",
            "2026-11-00T10:00:00.123Z",
            "2026-11-23T24:00:00.000Z",
            "2026-11-23T10:60:00.000Z",
            "2026-12-31T23:59:60.000Z",
            "2026-11-23T10:00:00.+23Z",
            "",
        ] {
            assert!(check_time(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_visible_ascii() {
        assert!(check_name("subject", "webhook-signing/stripe").is_ok());
        for bad in ["", "a b", "a\"b", "a\\b", "a\nb", "ä", "\u{7f}"] {
            assert!(check_name("subject", bad).is_err(), "{bad:?}");
        }
        assert!(check_name("subject", &"a".repeat(255)).is_ok());
        assert!(check_name("subject", &"a".repeat(256)).is_err());
    }
}
