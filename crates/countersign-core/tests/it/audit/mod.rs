//! The auditor against forgers: who can write any log and hash it correctly still cannot make it mean what it must not.
//!
//! Histories that the core writes are followed by the auditor wherever a [`crate::book::Book`] is kept; here they are forged first.
//!
//! # Layout
//! - `forgery`: how a history is changed
//! - `kinds` (with `life`): for each kind of event, lies that must be named
//! - `freezes`: lies about freezes
//! - `mutations`: every field of every event of the golden history changed, every event left out, doubled and moved

use std::collections::BTreeMap;

use countersign_core::{Auditor, Event, Subject, Violation};

mod forgery;
mod freezes;
mod kinds;
mod life;
mod membership;
mod mutations;
mod passwords;
mod sessions;
mod sign_ins;
mod tokens;
mod workloads;

/// An auditor that also knows which number each event has among those of its subject: a forger counts anew.
#[derive(Clone, Default)]
struct Followed {
    auditor: Auditor,
    counts: BTreeMap<Subject, u32>,
}

impl Followed {
    fn follow(&mut self, event: &Event) -> Result<(), Violation> {
        let count = self.counts.entry(event.fact.subject()).or_default();
        *count += 1;
        self.auditor.follow_numbered(event, *count)
    }

    /// Follows the rest, to its end.
    fn follow_all(mut self, events: &[Event]) -> Result<(), Violation> {
        events.iter().try_for_each(|event| self.follow(event))?;
        self.auditor.finish()
    }
}

#[test]
fn an_empty_log_shows_nothing() {
    assert_eq!(Auditor::default().finish().map_err(|violation| violation.code()), Err("no_genesis"));
}

#[test]
fn a_log_that_ends_within_a_decision_is_not_finished() {
    let events = crate::script::everything().events;
    let mut followed = Followed::default();
    let mut unfinished = 0;
    for (event, next) in events.iter().zip(events.iter().skip(1)) {
        followed.follow(event).unwrap();
        let Err(violation) = followed.auditor.finish() else { continue };
        unfinished += 1;
        assert_eq!(violation.code(), "missing");
        // An exception from a freeze belongs to another correlation than what it excepts.
        let one_decision = |event: &Event| (event.at, event.actor);
        assert_eq!(one_decision(event), one_decision(next));
    }
    assert!(unfinished > 50, "{unfinished}");
}

#[test]
fn a_violation_stays() {
    let events = crate::script::everything().events;
    let mut auditor = Auditor::default();
    assert_eq!(auditor.follow(&events[1]).map_err(|violation| violation.code()), Err("no_genesis"));
    assert_eq!(auditor.follow(&events[0]).map_err(|violation| violation.code()), Err("no_genesis"));
    assert_eq!(auditor.finish().map_err(|violation| violation.code()), Err("no_genesis"));
}

/// What is finished is begun again: nothing in the books says so any more, the number does.
#[test]
fn what_has_ended_is_not_begun_again() {
    let mut events = crate::script::everything().events;
    let request = events.iter().find(|event| event.fact.kind() == "approval.requested").cloned().unwrap();
    events.insert(16, request.clone());
    assert!(matches!(events[15].fact, countersign_core::Fact::ApprovalWithdrawn(..)));
    let code = Followed::default().follow_all(&events).map_err(|violation| violation.code());
    assert_eq!(code, Err("misplaced_beginning"));
}

#[test]
fn the_books_do_not_grow_with_the_log() {
    let mut book = crate::book::Book::begun();
    let mut most = 0;
    for _ in 0..50 {
        let permit = crate::script::prepared(&mut book, crate::stage::PAYOUT);
        book.must(crate::stage::ANA, &countersign_core::Command::StartPermit(permit));
        let outcome = countersign_core::permit::Outcome::Succeeded;
        crate::script::finished(&mut book, (crate::stage::ANA, permit), outcome);
        book.commit();
        most = most.max(book.auditor.under_way());
    }
    assert_eq!(most, 0);
}
