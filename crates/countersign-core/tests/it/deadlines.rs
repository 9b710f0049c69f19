//! Deadlines to the millisecond: the last moment before still counts, the moment itself does not, whether written down or not.

use countersign_core::permit::{Finish, Outcome, Reserve};
use countersign_core::{Actor, Command, Refusal, Subject};

use crate::book::Book;
use crate::script::{approved, prepared, requested, rotating};
use crate::stage::{self, ANA, BEN, CHLOE, PAYOUT};

/// What the command comes to when it is submitted by the subject's deadline, and how much earlier.
fn at(book: &Book, (subject, millis): (Subject, i64), (actor, command): (Actor, &Command)) -> String {
    let mut book = book.clone();
    book.commit();
    book.now = book.deadline(&subject).unwrap().plus_millis(-millis);
    let said = match book.submit(actor, command) {
        Ok(events) => events.iter().map(|event| event.fact.kind()).collect::<Vec<_>>().join(" "),
        Err(refusal) => Refusal::code(&refusal).to_owned(),
    };
    book.commit();
    book.assert_replays();
    said
}

/// What the command comes to one millisecond before the subject's deadline, and at the deadline.
fn around(book: &Book, subject: impl Into<Subject>, command: (Actor, &Command)) -> [String; 2] {
    let subject = subject.into();
    [1, 0].map(|earlier| at(book, (subject.clone(), earlier), command))
}

#[test]
fn a_vote_comes_in_time_or_not() {
    let mut book = Book::begun();
    let id = requested(&mut book, PAYOUT);
    let ben = Actor::Person(BEN);
    assert_eq!(
        around(&book, id, (ben, &Command::Approve(id.into()))),
        ["approval.granted", "approval_expired"]
    );
    assert_eq!(around(&book, id, (ben, &Command::Deny(id))), ["approval.denied", "approval_expired"]);
    let ana = Actor::Person(ANA);
    assert_eq!(around(&book, id, (ana, &Command::Withdraw(id))), ["approval.withdrawn", "approval_expired"]);
    let elapse = Command::Elapse(id.into());
    assert_eq!(around(&book, id, (Actor::Node, &elapse)), ["", "approval.expired"]);
}

#[test]
fn the_last_vote_gives_the_approval_a_time_of_its_own() {
    let mut book = Book::begun();
    let id = requested(&mut book, PAYOUT);
    book.must(BEN, &Command::Approve(id.into()));
    book.now = book.deadline(&id.into()).unwrap().plus_millis(-1);
    book.must(CHLOE, &Command::Approve(id.into()));
    assert_eq!(book.deadline(&id.into()), Some(book.now.plus_seconds(600)));
}

#[test]
fn an_approval_is_used_in_time_or_not() {
    let mut book = Book::begun();
    let id = approved(&mut book, PAYOUT);
    let (action, parameters_sha256) = (stage::action(PAYOUT), stage::parameters());
    let reserve = Command::ReservePermit(Reserve {
        action,
        parameters_sha256,
        approval: Some(id),
        exceptions: Vec::new(),
    });
    let told = around(&book, id, (ANA.into(), &reserve));
    assert_eq!(told, ["approval.consumed permit.reserved", "approval_expired"]);
}

#[test]
fn a_restored_approval_keeps_its_old_deadline() {
    let mut book = Book::begun();
    let id = approved(&mut book, PAYOUT);
    let until = book.deadline(&id.into());
    book.now = until.unwrap().plus_millis(-1);
    let (action, parameters_sha256) = (stage::action(PAYOUT), stage::parameters());
    let reserve = Command::ReservePermit(Reserve {
        action,
        parameters_sha256,
        approval: Some(id),
        exceptions: Vec::new(),
    });
    let reserved = book.must(ANA, &reserve);
    let Some(Subject::Permit(permit)) = reserved.last().map(|event| event.fact.subject()) else {
        panic!("no permit in {reserved:?}");
    };
    book.now = book.now.plus_millis(1);
    book.must(ANA, &Command::ReleasePermit(permit));
    assert_eq!(book.deadline(&id.into()), until);
    assert_eq!(book.submit(ANA, &reserve).map_err(|refusal| refusal.code()), Err("approval_expired"));
}

#[test]
fn a_permit_is_started_and_reported_in_time_or_not() {
    let mut book = Book::begun();
    let id = prepared(&mut book, PAYOUT);
    let ana = Actor::Person(ANA);
    assert_eq!(around(&book, id, (ana, &Command::StartPermit(id))), ["permit.started", "permit_lapsed"]);
    let told = around(&book, id, (ana, &Command::ReleasePermit(id)));
    assert_eq!(told, ["permit.released approval.restored", "permit_lapsed"]);
    assert_eq!(around(&book, id, (Actor::Node, &Command::Elapse(id.into()))), ["", "permit.lapsed"]);
    book.must(ANA, &Command::StartPermit(id));
    let finish = Command::FinishPermit(Finish { permit: id, outcome: Outcome::Succeeded });
    let late = "permit.unknown incident.opened permit.reported_late";
    assert_eq!(around(&book, id, (ana, &finish)), ["permit.succeeded", late]);
    let told = around(&book, id, (Actor::Node, &Command::Elapse(id.into())));
    assert_eq!(told, ["", "permit.unknown incident.opened"]);
}

#[test]
fn several_things_may_happen_in_the_same_millisecond() {
    let mut book = Book::begun();
    let before = book.now;
    let id = prepared(&mut book, PAYOUT);
    book.must(ANA, &Command::StartPermit(id));
    book.must(ANA, &Command::FinishPermit(Finish { permit: id, outcome: Outcome::Succeeded }));
    assert_eq!(book.now, before);
    book.commit();
    book.assert_replays();
}

#[test]
fn a_rotation_goes_on_although_its_permit_became_unknown() {
    let mut book = Book::begun();
    let rotation = rotating(&mut book);
    let permit = book.whole.rotation(rotation).unwrap().permit;
    crate::script::elapsed(&mut book, permit.into());
    let again = book.must(Actor::Node, &Command::Elapse(permit.into()));
    assert!(again.is_empty(), "silence is written down once");
    assert!(book.must(Actor::Node, &Command::Elapse(rotation.into())).is_empty(), "it still owes a task");
    let closed = |book: &Book| book.whole.rotation(rotation).unwrap().stage.is_last();
    crate::script::work(&mut book, closed);
    assert_eq!(book.whole.permit(permit).unwrap().status.as_str(), "unknown");
    assert_eq!(book.whole.permit(permit).unwrap().late, Some(Outcome::Succeeded));
    book.assert_replays();
}
