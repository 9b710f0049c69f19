//! Cron expressions: what is read is written the same, and fires when a second reader, who tries every minute, says that it does.

use std::ops::RangeInclusive;

use countersign_core::calendar::{Cron, Schedule, Zone};
use countersign_core::time::Time;

use crate::ground::{bytes, text};

const MINUTE: i64 = 60_000;

/// How far back is looked.
const SECONDS: u32 = 2 * 86_400;

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let expressions = [
        "0 18 * * fri",
        "*/7 0-6,22-23 1,15,31 feb-apr,12 *",
        "59 23 29 2 *",
        "0 0 13 * 5-7",
        "1-59/2 *\t* * 0",
    ];
    bytes(expressions.map(String::from))
}

pub(crate) fn check(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let Ok(cron) = text.parse::<Cron>() else { return };
    assert_eq!(cron.to_string(), text);
    let zone = Zone::named("UTC").unwrap();
    let schedule = Schedule { cron: &cron, zone: &zone };
    // Some moment of the four hundred years after 1970, always the same for one input.
    let number = input.iter().fold(7_i64, |sum, byte| (sum * 131 + i64::from(*byte)) % 12_622_780_800);
    let at = number * 1000 + 999;
    let fired = schedule.last(Time::from_millis(at), SECONDS).map(Time::as_millis);
    let earliest = at - i64::from(SECONDS) * 1000;
    let minutes =
        (0..).map(|back| (at.div_euclid(MINUTE) - back) * MINUTE).take_while(|minute| *minute > earliest);
    let fields: Vec<&str> = text.split_ascii_whitespace().collect();
    let expected = minutes.into_iter().find(|minute| fires(&fields, minute.div_euclid(MINUTE)));
    assert_eq!(fired, expected, "`{text}` at {at}");
}

/// Whether the expression means this minute of UTC, counted from 1970.
fn fires(fields: &[&str], minute: i64) -> bool {
    let day = minute.div_euclid(1440);
    let (month, of_month) = date(day);
    let weekday = (day + 4).rem_euclid(7);
    let names = |text: &'static str| text.split(' ').collect::<Vec<_>>();
    let months = names("jan feb mar apr may jun jul aug sep oct nov dec");
    let weekdays = names("sun mon tue wed thu fri sat");
    let on_day = names_it(fields[2], (1..=31, &[]), of_month);
    // The week has its Sunday at either end.
    let on_weekday = names_it(fields[4], (0..=7, &weekdays), weekday)
        || weekday == 0 && names_it(fields[4], (0..=7, &weekdays), 7);
    let on = match (fields[2].starts_with('*'), fields[4].starts_with('*')) {
        (false, false) => on_day || on_weekday,
        _ => on_day && on_weekday,
    };
    on && names_it(fields[0], (0..=59, &[]), minute.rem_euclid(60))
        && names_it(fields[1], (0..=23, &[]), minute.div_euclid(60).rem_euclid(24))
        && names_it(fields[3], (1..=12, &months), month)
}

/// Whether one field names the value.
fn names_it(field: &str, (range, names): (RangeInclusive<i64>, &[&str]), value: i64) -> bool {
    let number = |text: &str, is_last: bool| {
        let named = names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let number =
            named.map_or_else(|| text.parse().unwrap(), |at| i64::try_from(at).unwrap() + range.start());
        if is_last && names.len() == 7 && text.eq_ignore_ascii_case("sun") { 7 } else { number }
    };
    field.split(',').any(|part| {
        let (span, step) = part.split_once('/').unwrap_or((part, "1"));
        let (first, last) = match span.split_once('-') {
            _ if span == "*" => (*range.start(), *range.end()),
            Some((first, last)) => (number(first, false), number(last, true)),
            None => (number(span, false), number(span, false)),
        };
        (first..=last).contains(&value) && (value - first) % step.parse::<i64>().unwrap() == 0
    })
}

/// Month and day of a day after 1970, by walking through the years.
fn date(mut day: i64) -> (i64, i64) {
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut year = 1970;
    while day >= 365 + i64::from(leap(year)) {
        day -= 365 + i64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    for (month, length) in (1..).zip(lengths) {
        if day < length {
            return (month, day + 1);
        }
        day -= length;
    }
    unreachable!("a year has twelve months")
}
