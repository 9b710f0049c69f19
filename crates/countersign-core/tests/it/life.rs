//! Flaws of delegation and of taking things back, by the name of their class, and what the outlook of a request says.

use countersign_core::{Actor, Command, Event};

use crate::book::Book;
use crate::script::life::{delegating, in_place_of};
use crate::script::{activation, approved, requested};
use crate::stage::{self, ACTIVATE, ANA, AUD, BEN, CHLOE, DAN, EVE, PAYOUT, ROTATE};

/// What a command comes to: the kinds of its events, or the refusal's code.
fn says(book: &mut Book, actor: impl Into<Actor>, command: &Command) -> String {
    match book.submit(actor, command) {
        Ok(events) => events.iter().map(|event: &Event| event.fact.kind()).collect::<Vec<_>>().join(" "),
        Err(refusal) => refusal.code().to_owned(),
    }
}

/// Who could still agree, whatever the group, and whether nothing can come of it.
fn outlook(book: &Book, id: countersign_core::id::ApprovalId) -> (Vec<countersign_core::id::PersonId>, bool) {
    let outlook = book.whole.approval(id).unwrap().outlook(&book.whole, book.now);
    let mut could: Vec<_> = outlook.missing.iter().flat_map(|place| place.could.clone()).collect();
    could.sort();
    could.dedup();
    (could, outlook.is_stuck())
}

/// Nobody takes back what another asked for, agreed to or entrusted.
#[test]
fn unauthenticated_cancel() {
    let mut book = Book::begun();
    book.must(BEN, &delegating(&book, (AUD, 0, 600)));
    let id = requested(&mut book, PAYOUT);
    book.must(CHLOE, &Command::Approve(id.into()));
    for stranger in [Actor::Node, AUD.into(), DAN.into(), BEN.into()] {
        let withdrawn = says(&mut book, stranger, &Command::Withdraw(id));
        assert!(matches!(withdrawn.as_str(), "not_a_person" | "not_the_requester"), "{withdrawn}");
        let revoked = says(&mut book, stranger, &Command::RevokeVote(id));
        assert!(matches!(revoked.as_str(), "not_a_person" | "not_voted"), "{revoked}");
    }
    for stranger in [Actor::Node, AUD.into(), ANA.into()] {
        let ended = says(&mut book, stranger, &Command::EndDelegation);
        assert!(matches!(ended.as_str(), "not_a_person" | "not_delegated"), "{ended}");
    }
    assert!(book.whole.is_delegate(AUD, (BEN, book.now)));
}

/// The requester does not count through a delegate either: not as the one who votes, nor as the one in whose place, nor by whoever stands
/// in for them.
#[test]
fn requester_counts_delegate() {
    let mut book = Book::begun();
    let id = requested(&mut book, ROTATE);
    book.must(BEN, &delegating(&book, (ANA, 0, 600)));
    assert_eq!(says(&mut book, ANA, &in_place_of(BEN, id)), "self_approval");
    book.must(ANA, &delegating(&book, (CHLOE, 0, 600)));
    assert_eq!(says(&mut book, CHLOE, &in_place_of(ANA, id)), "self_approval");
    assert_eq!(says(&mut book, CHLOE, &Command::Approve(id.into())), "delegate_of_requester");
    assert_eq!(outlook(&book, id), (vec![BEN], true), "Chloe is barred and Eve has not claimed");
    assert_eq!(says(&mut book, BEN, &Command::Approve(id.into())), "unsatisfiable");
    assert_eq!(says(&mut book, CHLOE, &Command::Deny(id)), "approval.denied", "nobody is silenced by it");
}

/// A human counts once, in whichever role and in whatever order.
#[test]
fn duplicate_signer_delegate() {
    let mut book = Book::begun();
    book.must(Actor::Node, &stage::claiming(EVE));
    book.must(BEN, &delegating(&book, (CHLOE, 0, 600)));
    book.must(CHLOE, &delegating(&book, (EVE, 0, 600)));
    let id = requested(&mut book, ROTATE);
    assert_eq!(outlook(&book, id), (vec![BEN, CHLOE, EVE], false));
    assert_eq!(says(&mut book, CHLOE, &in_place_of(BEN, id)), "approval.granted");
    for again in [
        (CHLOE, Command::Approve(id.into())),
        (BEN, Command::Approve(id.into())),
        (EVE, in_place_of(CHLOE, id)),
    ] {
        assert_eq!(says(&mut book, again.0, &again.1), "already_voted");
    }
    assert_eq!(outlook(&book, id), (vec![EVE], false));
    assert_eq!(says(&mut book, EVE, &Command::Approve(id.into())), "approval.granted approval.completed");
}

/// A delegation counts from its first moment up to, and not including, its last; what was agreed in between stands.
#[test]
fn a_delegation_holds_for_its_period() {
    let mut book = Book::begun();
    book.must(BEN, &delegating(&book, (AUD, 60, 120)));
    let (early, late) = (requested(&mut book, ROTATE), requested(&mut book, ROTATE));
    let begun = book.now;
    let at = |book: &mut Book, millis: i64| book.now = begun.plus_millis(millis);
    at(&mut book, 59_999);
    assert_eq!(says(&mut book, AUD, &in_place_of(BEN, early)), "not_a_delegate");
    at(&mut book, 60_000);
    assert_eq!(says(&mut book, AUD, &in_place_of(BEN, early)), "approval.granted");
    at(&mut book, 120_000);
    assert_eq!(says(&mut book, AUD, &in_place_of(BEN, late)), "not_a_delegate");
    book.commit();
    assert_eq!(says(&mut book, Actor::Node, &Command::Elapse(BEN.into())), "person.delegation_ended");
    assert_eq!(
        says(&mut book, CHLOE, &Command::Approve(early.into())),
        "approval.granted approval.completed"
    );
}

/// A vote in somebody's place counts as long as both count: who has left the group takes it with them.
#[test]
fn a_vote_in_place_of_somebody_who_left_does_not_count() {
    let mut book = Book::begun();
    book.must(BEN, &delegating(&book, (AUD, 0, 3_000)));
    let id = requested(&mut book, ROTATE);
    book.must(AUD, &in_place_of(BEN, id));
    book.must(CHLOE, &Command::Approve(id.into()));
    let approval = approved(&mut book, ACTIVATE);
    let [_, _, without_ben, ..] = stage::policies();
    book.must(ANA, &activation(without_ben, approval));
    let (could, stuck) = outlook(&book, id);
    assert!(could.is_empty() && stuck, "{could:?}");
}
