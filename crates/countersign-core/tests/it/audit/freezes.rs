//! Lies about freezes, and what the auditor calls them: windows are computed again, exceptions are counted.

use countersign_core::time::Time;
use countersign_core::{Command, Event, Fact};

use super::forgery::Lie::{self, Change, Drop, Set};
use super::forgery::forged;
use super::kinds::{code, joined, verdict};
use crate::book::Book;
use crate::script::{self, approved};
use crate::stage::{self, ACTIVATE, ANA, EXCEPT_FRIDAY, EXCEPT_HOLIDAYS, PAYOUT};

const DAN: &str = "per_00000000000000000000000000000005";
const APPROVAL: &str = "apr_00000000000000000000000000000099";
const CORRELATION: &str = "cor_00000000000000000000000000000099";
const PERMIT: &str = "prm_00000000000000000000000000000099";

/// A kind of event, which of those that carry a verdict on freezes, what is changed so many events from it, and what must be found.
type Forgery = (&'static str, usize, &'static [(isize, Lie)], &'static str);

#[rustfmt::skip]
const FORGERIES: &[Forgery] = &[
    ("permit.reserved", 0, &[(0, Set("/data/freezes", "null"))], "other_freezes"),
    ("permit.reserved", 0, &[(0, Set("/data/freezes", "{\"active\":[\"friday\"],\"tzdb\":\"2026f\"}"))], "other_freezes"),
    ("permit.reserved", 1, &[(0, Set("/data/freezes/active", "[]"))], "other_freezes"),
    ("permit.reserved", 1, &[(0, Set("/data/freezes/tzdb", "1999z")), (0, Set("/data/freezes/active", "[]"))], "other_calendar"),
    ("permit.reserved", 1, &[(0, Set("/data/freezes/excepted", "{}"))], "other_freezes"),
    ("permit.reserved", 1, &[(0, Set("/data/freezes/excepted/friday", APPROVAL))], "other_freezes"),
    ("permit.reserved", 1, &[(-2, Drop), (-1, Set("/data/freezes/excepted", "{}"))], "frozen"),
    ("permit.reserved", 2, &[(-2, Drop), (-1, Change(excepted_from_friday))], "frozen"),
    ("permit.reserved", 2, &[(0, Set("/data/freezes/active", "[\"friday\"]"))], "other_freezes"),
    ("permit.reserved", 2, &[(-2, Set("/data/permit", PERMIT))], "missing"),
    ("permit.reserved", 2, &[(-2, Set("/environment", "staging"))], "wrong_environment"),
    ("permit.reserved", 2, &[(-2, Set("/actor", DAN))], "missing"),
    ("permit.reserved", 2, &[(-2, Set("/data/permit", "null"))], "missing"),
    ("permit.reserved", 2, &[(-1, Drop), (-1, Drop)], "missing"),
    ("permit.reserved", 3, &[(0, Change(by_a_calendar))], "other_freezes"),
    ("permit.reserved", 3, &[(-1, Drop)], "other_freezes"),
    ("permit.started", 1, &[(0, Set("/data/freezes", "null"))], "other_freezes"),
    ("permit.started", 2, &[(0, Set("/data/freezes/excepted", "{}"))], "other_freezes"),
];

fn excepted_from_friday(event: &mut Event) {
    if let Fact::PermitReserved(_, reserved) = &mut event.fact {
        reserved.freezes.as_mut().unwrap().excepted.retain(|name, _| name.as_str() == "friday");
    }
}

fn by_a_calendar(event: &mut Event) {
    if let Fact::PermitReserved(_, reserved) = &mut event.fact {
        reserved.freezes.as_mut().unwrap().tzdb = Some(countersign_core::calendar::tzdb().into());
    }
}

/// What is changed so many events from the release of a permit that had exceptions, and what must be found.
#[rustfmt::skip]
const RELEASES: &[(&[(isize, Lie)], &str)] = &[
    (&[(3, Drop)], "missing"),
    (&[(2, Drop)], "missing"),
    (&[(1, Drop)], "missing"),
    (&[(2, Set("/data/permit", PERMIT))], "missing"),
    (&[(2, Set("/subject", APPROVAL))], "missing"),
    (&[(3, Set("/actor", DAN))], "missing"),
    (&[(3, Set("/environment", "staging"))], "wrong_environment"),
    (&[(3, Set("/correlation", CORRELATION))], "wrong_correlation"),
];

#[test]
fn every_lie_about_exceptions_that_are_given_back_is_called_by_its_name() {
    let mut book = Book::begun_with_policy(stage::frozen());
    book.now = Time::parse_rfc3339("2026-12-25T20:00:00Z").unwrap();
    let approval = approved(&mut book, PAYOUT);
    let exceptions = [EXCEPT_HOLIDAYS, EXCEPT_FRIDAY].map(|action| script::excepted(&mut book, action));
    let events = book.must(ANA, &script::reservation(PAYOUT, Some(approval), &exceptions));
    let Some(Fact::PermitReserved(permit, _)) = events.last().map(|event| &event.fact) else {
        panic!("{events:?}")
    };
    let released = book.events.len();
    book.must(ANA, &Command::ReleasePermit(*permit));
    assert_eq!(verdict(&book.events), Ok(()));
    for (number, (lies, expected)) in RELEASES.iter().enumerate() {
        let found = code(&forged(book.events.clone(), released, lies));
        assert_eq!(found, *expected, "lie {number}");
    }
}

#[test]
fn every_lie_about_a_freeze_is_called_by_its_name() {
    let history = script::everything().events;
    assert_eq!(verdict(&history), Ok(()));
    let mut wrong = Vec::new();
    for (kind, nth, lies, expected) in FORGERIES {
        let of_kind = |(_, event): &(usize, &Event)| {
            let data = serde_json::to_value(&event.fact).unwrap();
            event.fact.kind() == *kind && data.get("freezes").is_some()
        };
        let (index, _) = history.iter().enumerate().filter(of_kind).nth(*nth).expect(kind);
        let found = code(&forged(history.clone(), index, lies));
        if found != *expected {
            wrong.push(format!("{kind} {nth} at {index}: {found} instead of {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a freeze holds is not begun: neither by a permit that was reserved before it came, nor without one.
#[test]
fn nothing_is_begun_within_a_freeze() {
    let mut book = Book::begun();
    book.now = "2026-12-25T12:00:00.000Z".parse().unwrap();
    let permit = script::reserved(&mut book, (stage::ANA, stage::ACTIONS[3]), None);
    let record = approved(&mut book, stage::REDACT);
    let first = book.first_of(&record.into());
    let replacement = approved(&mut book, ACTIVATE);
    let freeze =
        |book: &mut Book| drop(book.must(stage::ANA, &script::activation(stage::frozen(), replacement)));
    let start = |book: &mut Book| drop(book.must(stage::ANA, &Command::StartPermit(permit)));
    assert_eq!(code(&joined(&book, start, freeze)), "nothing");
    let mut events = joined(&book, freeze, start);
    assert_eq!(code(&events), "other_freezes");
    let Some(Event { fact: Fact::PermitStarted(_, started), .. }) = events.last_mut() else { panic!() };
    started.freezes = Some(serde_json::from_str(r#"{ "active": ["holidays"] }"#).unwrap());
    assert_eq!(code(&events), "frozen");
    let redact = |book: &mut Book| drop(book.must(stage::ANA, &script::redaction(&[first + 1], record)));
    assert_eq!(code(&joined(&book, redact, freeze)), "nothing");
    assert_eq!(code(&joined(&book, freeze, redact)), "frozen");
}
