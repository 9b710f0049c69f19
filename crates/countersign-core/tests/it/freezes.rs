//! Freezes: what they stop, what they let pass, and exceptions that are good for one use. The book's auditor watches each step.

use countersign_core::digest::Digest;
use countersign_core::freeze::Exception;
use countersign_core::id::{ApprovalId, PermitId};
use countersign_core::permit::{self, Finish, Outcome, Reserve};
use countersign_core::policy::Policy;
use countersign_core::time::Time;
use countersign_core::{Actor, Command, Event, Fact, Refusal};
use proptest::prelude::*;

use crate::book::Book;
use crate::script::{
    activation, approved, excepted, prepared, redaction, requested, reservation, reserved, rotating, start,
};
use crate::stage::{self, ACTIVATE, ANA, CHLOE, DAN, EXCEPT_FRIDAY, EXCEPT_HOLIDAYS, PAYOUT, REDACT, ROTATE};

const PING: &str = "ping probe/any production";

/// The freeze over the end of the year.
const WINTER: [&str; 2] = ["2026-12-19T00:00:00+01:00", "2027-01-07T00:00:00+01:00"];

fn at(text: &str) -> Time {
    Time::parse_rfc3339(text).unwrap()
}

/// A history under the policy with freezes, at a time.
fn under_freezes(now: &str) -> Book {
    let mut book = Book::begun_with_policy(stage::frozen());
    goto(&mut book, now);
    book
}

fn goto(book: &mut Book, now: &str) {
    book.commit();
    book.now = at(now);
}

#[track_caller]
fn refused(book: &mut Book, command: &Command) -> Refusal {
    book.submit(ANA, command).expect_err("it is refused")
}

#[track_caller]
fn says(book: &mut Book, command: &Command) -> &'static str {
    refused(book, command).code()
}

fn permit_of(events: &[Event]) -> (PermitId, permit::Reserved) {
    let reserved = events.iter().find_map(|event| match &event.fact {
        Fact::PermitReserved(id, reserved) => Some((*id, reserved.clone())),
        _ => None,
    });
    reserved.expect("a permit")
}

#[test]
fn a_freeze_holds_from_its_first_moment_to_its_last_and_says_so() {
    let [from, until] = WINTER;
    let ping = reservation(PING, None, &[]);
    let mut book = under_freezes(from);
    let refusal = refused(&mut book, &ping);
    assert_eq!(
        (refusal.code(), refusal.to_string().as_str()),
        ("frozen", "this action is frozen by `holidays` until 2027-01-06T23:00:00.000Z")
    );
    assert!(refusal.hint().contains("except freeze/NAME ENVIRONMENT"), "{}", refusal.hint());
    book.now = at(until).plus_millis(-1);
    assert_eq!(says(&mut book, &ping), "frozen");
    book.now = at(until);
    book.must(ANA, &ping);
    let mut book = under_freezes("2026-12-18T22:59:59.999Z");
    let (_, reserved) = permit_of(&book.must(ANA, &ping));
    assert_eq!(serde_json::to_value(reserved.freezes).unwrap(), serde_json::json!({ "active": [] }));
}

#[test]
fn only_what_the_pattern_covers_is_held() {
    let mut book = under_freezes("2026-12-25T12:00:00Z");
    let replacement = approved(&mut book, ACTIVATE);
    book.must(ANA, &activation(stage::frozen(), replacement));
    let record = approved(&mut book, REDACT);
    let index = book.first_of(&record.into());
    assert_eq!(says(&mut book, &redaction(&[index], record)), "frozen", "what needs no permit is held too");
}

/// Requests and votes go on: what is agreed within the freeze can be used when it is over.
#[test]
fn people_still_ask_and_agree_within_a_freeze() {
    let mut book = under_freezes("2027-01-06T22:55:00Z");
    let approval = approved(&mut book, PAYOUT);
    assert_eq!(says(&mut book, &reservation(PAYOUT, Some(approval), &[])), "frozen");
    goto(&mut book, "2027-01-06T23:00:00Z");
    book.must(ANA, &reservation(PAYOUT, Some(approval), &[]));
}

/// argo-cd#25361: what was started before the window must not be stuck in it.
#[test]
fn what_was_started_before_the_window_is_finished_within_it() {
    let mut book = under_freezes("2026-12-18T16:59:00Z");
    let done = prepared(&mut book, PAYOUT);
    let rotation = rotating(&mut book);
    book.must(ANA, &Command::StartPermit(done));
    goto(&mut book, "2026-12-18T16:59:59.999Z");
    let last = prepared(&mut book, PAYOUT);
    book.must(ANA, &Command::StartPermit(last));
    goto(&mut book, "2026-12-18T17:00:00Z");
    for id in [done, last] {
        book.must(ANA, &Command::FinishPermit(Finish { permit: id, outcome: Outcome::Succeeded }));
    }
    assert!(!book.whole.rotation(rotation).unwrap().is_finished(), "it is under way");
    crate::script::work(&mut book, |book| book.whole.rotation(rotation).unwrap().is_finished());
    // What was only reserved is not begun, but can be given back.
    let mut book = under_freezes("2026-12-18T16:59:59Z");
    let waits = prepared(&mut book, PAYOUT);
    goto(&mut book, "2026-12-18T17:00:00Z");
    assert_eq!(says(&mut book, &Command::StartPermit(waits)), "frozen");
    book.must(ANA, &Command::ReleasePermit(waits));
}

#[test]
fn a_rotation_is_not_begun_within_a_freeze() {
    let mut book = under_freezes("2026-12-18T22:59:59Z");
    let permit = prepared(&mut book, ROTATE);
    goto(&mut book, "2026-12-18T23:00:00Z");
    assert_eq!(says(&mut book, &start(permit)), "frozen");
    let approval = approved(&mut book, ROTATE);
    let exception = excepted(&mut book, EXCEPT_HOLIDAYS);
    let events = book.must(ANA, &reservation(ROTATE, Some(approval), &[exception]));
    book.must(ANA, &start(permit_of(&events).0));
}

/// argo-cd#29558: the people at the incident pass, while everything else stays held.
#[test]
fn an_exception_is_for_one_action_once() {
    let mut book = under_freezes("2026-12-25T12:00:00Z");
    let (urgent, other) = (approved(&mut book, PAYOUT), approved(&mut book, PAYOUT));
    let exception = excepted(&mut book, EXCEPT_HOLIDAYS);
    let events = book.must(ANA, &reservation(PAYOUT, Some(urgent), &[exception]));
    let (id, reserved) = permit_of(&events);
    assert_eq!(
        serde_json::to_value(reserved.freezes).unwrap(),
        serde_json::json!({
            "active": ["holidays"], "excepted": { "holidays": exception }, "tzdb": countersign_core::calendar::tzdb(),
        })
    );
    assert_eq!(says(&mut book, &reservation(PAYOUT, Some(other), &[exception])), "exception_ended");
    assert_eq!(says(&mut book, &reservation(PAYOUT, Some(other), &[])), "frozen");
    assert_eq!(says(&mut book, &reservation(PING, None, &[])), "frozen");
    book.must(ANA, &Command::StartPermit(id));
    book.must(ANA, &Command::FinishPermit(Finish { permit: id, outcome: Outcome::Succeeded }));
    book.commit();
    book.assert_replays();
}

#[test]
fn a_permit_given_back_unstarted_gives_back_everything_that_was_used_up_with_it() {
    let mut book = under_freezes("2026-12-25T20:00:00Z");
    let approval = approved(&mut book, PAYOUT);
    let exceptions = [EXCEPT_FRIDAY, EXCEPT_HOLIDAYS].map(|action| excepted(&mut book, action));
    let reserve = reservation(PAYOUT, Some(approval), &exceptions);
    let events = book.must(ANA, &reserve);
    book.commit();
    let restored = |events: &[Event]| -> Vec<ApprovalId> {
        let of = |event: &Event| match event.fact {
            Fact::ApprovalRestored(id, _) => Some(id),
            _ => None,
        };
        events.iter().filter_map(of).collect()
    };
    let released = book.must(ANA, &Command::ReleasePermit(permit_of(&events).0));
    assert_eq!(restored(&released), [approval, exceptions[0], exceptions[1]]);
    // Once, for the same use, and no longer than it would have been good for.
    let events = book.must(ANA, &reserve);
    let other = approved(&mut book, PAYOUT);
    assert_eq!(says(&mut book, &reservation(PAYOUT, Some(other), &exceptions)), "exception_ended");
    book.must(ANA, &Command::ReleasePermit(permit_of(&events).0));
    book.commit();
    book.now = book.now.plus_seconds(600);
    let fresh = approved(&mut book, PAYOUT);
    let late = refused(&mut book, &reservation(PAYOUT, Some(fresh), &exceptions));
    assert_eq!(late.to_string(), format!("the exception `{}` has expired", exceptions[0]));
    book.commit();
    book.assert_replays();
}

#[test]
fn what_lapsed_or_was_started_gives_no_exception_back() {
    for started in [false, true] {
        let mut book = under_freezes("2026-12-25T12:00:00Z");
        let approval = approved(&mut book, PAYOUT);
        let exception = excepted(&mut book, EXCEPT_HOLIDAYS);
        let (id, reserved) = permit_of(&book.must(ANA, &reservation(PAYOUT, Some(approval), &[exception])));
        if started {
            book.must(ANA, &Command::StartPermit(id));
        } else {
            book.commit();
            book.now = reserved.start_by;
            book.must(Actor::Node, &Command::Elapse(id.into()));
        }
        let refusal = refused(&mut book, &Command::ReleasePermit(id)).code();
        assert_eq!(refusal, if started { "permit_already_started" } else { "permit_lapsed" });
        let other = approved(&mut book, PAYOUT);
        assert_eq!(says(&mut book, &reservation(PAYOUT, Some(other), &[exception])), "exception_ended");
        book.commit();
        book.assert_replays();
    }
}

#[test]
fn two_freezes_at_once_need_an_exception_from_each() {
    let mut book = under_freezes("2026-12-25T20:00:00Z");
    let approval = approved(&mut book, PAYOUT);
    let (winter, friday) = (excepted(&mut book, EXCEPT_HOLIDAYS), excepted(&mut book, EXCEPT_FRIDAY));
    let with = |exceptions: &[ApprovalId]| reservation(PAYOUT, Some(approval), exceptions);
    let refusal = refused(&mut book, &with(&[winter]));
    assert_eq!(
        refusal.to_string(),
        "this action is frozen by `friday` until 2026-12-28T07:00:00.000Z",
        "62 hours from Friday 18:00 in Berlin"
    );
    assert_eq!(says(&mut book, &with(&[friday])), "frozen");
    assert_eq!(says(&mut book, &with(&[winter, winter, friday])), "exception_unused");
    let (_, reserved) = permit_of(&book.must(ANA, &with(&[friday, winter])));
    assert_eq!(reserved.freezes.unwrap().excepted.len(), 2);
    // A permit that was excepted from one freeze is not started within another.
    let mut book = under_freezes("2026-12-25T16:59:59Z");
    let approval = approved(&mut book, PAYOUT);
    let winter = excepted(&mut book, EXCEPT_HOLIDAYS);
    let events = book.must(ANA, &reservation(PAYOUT, Some(approval), &[winter]));
    goto(&mut book, "2026-12-25T17:00:00Z");
    assert_eq!(says(&mut book, &Command::StartPermit(permit_of(&events).0)), "frozen");
}

#[test]
fn an_exception_is_checked_like_any_approval() {
    let mut book = under_freezes("2026-12-25T12:00:00Z");
    let approval = approved(&mut book, PAYOUT);
    let with = |exception: ApprovalId| reservation(PAYOUT, Some(approval), &[exception]);
    assert_eq!(says(&mut book, &with(ApprovalId(9))), "exception_not_found");
    assert_eq!(says(&mut book, &with(approval)), "exception_unused", "an approval of the payout is none");
    let elsewhere = requested(&mut book, "except freeze/holidays staging");
    assert_eq!(says(&mut book, &with(elsewhere)), "exception_unused");
    let inactive = excepted(&mut book, EXCEPT_FRIDAY);
    assert_eq!(says(&mut book, &with(inactive)), "exception_unused");
    let pending = requested(&mut book, EXCEPT_HOLIDAYS);
    assert_eq!(says(&mut book, &with(pending)), "exception_pending");
    book.must(CHLOE, &Command::Approve(pending.into()));
    let (parameters_sha256, other) = (stage::parameters(), Digest::of(b"another approval"));
    let exceptions = vec![Exception { approval: pending, parameters_sha256: other }];
    let reserve =
        Reserve { action: stage::action(PAYOUT), parameters_sha256, approval: Some(approval), exceptions };
    assert_eq!(says(&mut book, &Command::ReservePermit(reserve)), "exception_mismatch");
    let denied = requested(&mut book, EXCEPT_HOLIDAYS);
    book.must(CHLOE, &Command::Deny(denied));
    assert_eq!(refused(&mut book, &with(denied)).to_string(), format!("the exception `{denied}` was denied"));
    let withdrawn = excepted(&mut book, EXCEPT_HOLIDAYS);
    book.must(ANA, &Command::Withdraw(withdrawn));
    assert!(refused(&mut book, &with(withdrawn)).to_string().ends_with("was withdrawn"));
    book.commit();
    book.now = book.now.plus_seconds(599);
    let fresh = approved(&mut book, PAYOUT);
    book.now = book.now.plus_seconds(1);
    let late = reservation(PAYOUT, Some(fresh), &[pending]);
    assert_eq!(refused(&mut book, &late).to_string(), format!("the exception `{pending}` has expired"));
}

#[test]
fn nothing_is_excepted_from_what_does_not_hold() {
    let mut book = under_freezes("2026-11-23T12:00:00Z");
    let approval = approved(&mut book, PAYOUT);
    let exception = excepted(&mut book, EXCEPT_HOLIDAYS);
    assert_eq!(says(&mut book, &reservation(PAYOUT, Some(approval), &[exception])), "exception_unused");
    book.must(ANA, &reservation(PAYOUT, Some(approval), &[]));
    // Nor is an exception work of its own.
    assert_eq!(says(&mut book, &reservation(EXCEPT_HOLIDAYS, Some(exception), &[])), "use_exception");
}

/// Who may use an exception is for its own rule to say.
#[test]
fn the_rule_for_exceptions_says_who_uses_them() {
    let mut policy = stage::frozen();
    policy.rules.last_mut().unwrap().executors = ["security".parse().unwrap()].into();
    let mut book = Book::begun_with_policy(policy);
    goto(&mut book, "2026-12-25T12:00:00Z");
    let approval = approved(&mut book, PAYOUT);
    let exception = excepted(&mut book, EXCEPT_HOLIDAYS);
    assert_eq!(says(&mut book, &reservation(PAYOUT, Some(approval), &[exception])), "exception_not_yours");
}

/// Another window of the same freeze is not what was excepted from, but a permit does not live that long.
#[test]
fn a_policy_without_the_freeze_lets_go_at_once() {
    let mut book = under_freezes("2026-12-25T12:00:00Z");
    let approval = approved(&mut book, PAYOUT);
    assert_eq!(says(&mut book, &reservation(PAYOUT, Some(approval), &[])), "frozen");
    let replacement = approved(&mut book, ACTIVATE);
    book.must(ANA, &activation(stage::policy(), replacement));
    let events = book.must(ANA, &reservation(PAYOUT, Some(approval), &[]));
    assert_eq!(permit_of(&events).1.freezes, None, "no freeze is about it any more");
    // And one that comes with a policy holds what was reserved before.
    let permit = reserved(&mut book, (DAN, PING), None);
    let replacement = approved(&mut book, ACTIVATE);
    book.must(ANA, &activation(stage::frozen(), replacement));
    assert_eq!(book.submit(DAN, &Command::StartPermit(permit)).unwrap_err().code(), "frozen");
}

fn freeze() -> impl Strategy<Value = serde_json::Value> {
    let verb = prop::sample::select(vec!["*", "ping", "override"]);
    let resource = prop::sample::select(vec!["*", "probe/*", "probe/any", "payout/*"]);
    let environment = prop::sample::select(vec!["*", "production", "staging"]);
    let hours = 1..40_i64;
    let once = (0..48_i64, hours.clone()).prop_map(|(from, hours)| {
        let from = stage::BEGINNING.plus_millis((from - 24) * 3_600_000);
        let until = from.plus_millis(hours * 3_600_000);
        serde_json::json!({ "from": from, "until": until })
    });
    let again = (0..24_u8, hours).prop_map(|(hour, hours)| {
        let cron = format!("0 {hour} * * *");
        serde_json::json!({ "cron": cron, "duration_seconds": hours * 3_600, "time_zone": "America/New_York" })
    });
    (verb, resource, environment, prop_oneof![once, again]).prop_map(
        |(verb, resource, environment, mut form)| {
            let fields = form.as_object_mut().unwrap();
            for (field, value) in [("verb", verb), ("resource", resource), ("environment", environment)] {
                fields.insert(field.into(), value.into());
            }
            fields.insert("patterns".into(), true.into());
            form
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The strictest wins: one freeze that holds is enough, whatever others say and wherever they stand.
    #[test]
    fn an_action_passes_only_if_no_freeze_holds_it(freezes in prop::collection::vec(freeze(), 1..5)) {
        let mut policy: Policy = stage::policy();
        for (number, mut freeze) in freezes.into_iter().enumerate() {
            freeze["name"] = format!("freeze-{number}").into();
            policy.freezes.push(serde_json::from_value(freeze).unwrap());
        }
        let alone = |freeze: &countersign_core::policy::Freeze| {
            let mut policy = stage::policy();
            policy.freezes.push(freeze.clone());
            passes(policy)
        };
        let each = policy.freezes.iter().all(alone);
        let mut turned = policy.clone();
        turned.freezes.reverse();
        prop_assert_eq!(passes(policy), each);
        prop_assert_eq!(passes(turned), each);
    }
}

/// Whether a ping passes. Genesis refuses nothing here: a freeze of everything is flawed, but holds all the same.
fn passes(policy: Policy) -> bool {
    let mut policy = policy;
    policy.freezes.retain(|freeze| !freeze.matches(&stage::action(ACTIVATE)));
    let mut book = Book::begun_with_policy(policy);
    match book.submit(ANA, &reservation(PING, None, &[])) {
        Ok(_) => true,
        Err(refusal) => {
            assert_eq!(refusal.code(), "frozen");
            false
        }
    }
}
