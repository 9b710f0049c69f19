//! Which counts of failed sign-ins are not taken.

use std::collections::BTreeSet;

use countersign_core::Actor;
use countersign_core::log::sign_ins::{
    ACCOUNT_FAILURES, About, MOST_PER_HOUR, NETWORK_FAILURES, NoteFailures, WINDOW_SECONDS,
};

use super::Walk;
use crate::book::Book;
use crate::failures::{noted, noting, of};
use crate::stage::{ANA, BEN};

const NOBODY: countersign_core::id::PersonId = countersign_core::id::PersonId(99);

pub(super) fn note_failures() -> Walk {
    let mut walk = Walk { book: Book::empty(), met: BTreeSet::new() };
    let now = walk.book.now;
    let early = NoteFailures { until: now.plus_millis(-1), ..noted(of(NOBODY), 1, now) };
    walk.refused(ANA, &noting(early), "sign_ins/not_the_node");
    walk.refused(Actor::Node, &noting(early), "log/not_initialised");
    walk.book = Book::begun();
    walk.refused(Actor::Node, &noting(early), "sign_ins/unknown_person");
    let of_ana = |count| noted(of(ANA), count, now);
    walk.happens(Actor::Node, &noting(of_ana(ACCOUNT_FAILURES)));
    let early = NoteFailures { about: of(ANA), ..early };
    walk.refused(Actor::Node, &noting(early), "sign_ins/failures_wrong_window");
    walk.refused(Actor::Node, &noting(of_ana(ACCOUNT_FAILURES - 1)), "sign_ins/failures_too_few");
    for _ in 1..MOST_PER_HOUR {
        walk.happens(Actor::Node, &noting(noted(About::Network {}, NETWORK_FAILURES, now)));
    }
    walk.refused(Actor::Node, &noting(of_ana(ACCOUNT_FAILURES)), "sign_ins/failures_told_already");
    let of_ben = noted(of(BEN), ACCOUNT_FAILURES, now);
    walk.refused(Actor::Node, &noting(of_ben), "sign_ins/failures_hour_full");
    walk.book.now = walk.book.now.plus_seconds(WINDOW_SECONDS);
    walk.refused(Actor::Node, &noting(of_ana(ACCOUNT_FAILURES)), "sign_ins/failures_hour_full");
    walk.happens(Actor::Node, &noting(noted(About::Others { left_out: 2 }, 1, now)));
    walk.refused(
        Actor::Node,
        &noting(noted(About::Others { left_out: 2 }, 1, now)),
        "sign_ins/failures_hour_full",
    );
    walk.book.now = walk.book.now.plus_seconds(3_600 - WINDOW_SECONDS);
    walk.happens(Actor::Node, &noting(of_ben));
    walk
}
