//! What else happens to requests: somebody is away, a vote is taken back, and nobody reacts.

use countersign_core::approval::Ballot;
use countersign_core::delegation::Delegate;
use countersign_core::id::{ApprovalId, PersonId};
use countersign_core::{Command, Subject};

use super::{activation, approved, elapsed, requested};
use crate::book::Book;
use crate::stage::{self, ACTIVATE, ANA, AUD, BEN, CHLOE, PAYOUT};

/// Everything about it, under a policy that tells others when nobody votes.
pub(super) fn life(book: &mut Book) {
    let approval = approved(book, ACTIVATE);
    book.must(ANA, &activation(stage::escalating(), approval));
    somebody_is_away(book);
    votes_are_taken_back(book);
    nobody_votes(book);
}

/// Ben lets Aud agree in his place, and comes back early; Chloe will be away, and is until the end.
fn somebody_is_away(book: &mut Book) {
    book.must(BEN, &delegating(book, (AUD, 0, 3_600)));
    let asked = requested(book, PAYOUT);
    book.must(AUD, &in_place_of(BEN, asked));
    book.must(AUD, &Command::RevokeVote(asked));
    book.must(AUD, &in_place_of(BEN, asked));
    book.must(CHLOE, &Command::Approve(asked.into()));
    book.must(ANA, &Command::Withdraw(asked));
    book.must(BEN, &Command::EndDelegation);
    book.must(CHLOE, &delegating(book, (AUD, 60, 120)));
    elapsed(book, Subject::Person(CHLOE));
}

fn votes_are_taken_back(book: &mut Book) {
    let asked = approved(book, PAYOUT);
    book.must(CHLOE, &Command::RevokeVote(asked));
    book.must(CHLOE, &Command::Approve(asked.into()));
    book.must(ANA, &Command::Withdraw(asked));
}

fn nobody_votes(book: &mut Book) {
    let asked = requested(book, PAYOUT);
    elapsed(book, Subject::Approval(asked));
    elapsed(book, Subject::Approval(asked));
}

/// A delegation to somebody, from and until so many seconds from now.
pub(crate) fn delegating(book: &Book, (to, from, until): (PersonId, u32, u32)) -> Command {
    let at = |seconds| book.now.plus_seconds(seconds);
    Command::Delegate(Delegate { to, from: (from > 0).then(|| at(from)), until: at(until) })
}

/// A vote in somebody else's place.
pub(crate) fn in_place_of(person: PersonId, approval: ApprovalId) -> Command {
    Command::Approve(Ballot { on_behalf: Some(person), ..Ballot::from(approval) })
}
