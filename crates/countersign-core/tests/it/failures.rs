//! Sign-ins that fail, on the stage: what the node notes of them, and what happens to such notes at least once.

use countersign_core::id::PersonId;
use countersign_core::log::sign_ins::{About, Counts, NoteFailures, WINDOW_SECONDS};
use countersign_core::time::Time;
use countersign_core::{Actor, Command};

use crate::book::Book;
use crate::stage::ANA;

pub(crate) fn of(person: PersonId) -> About {
    About::Account { person }
}

/// So many passkeys were wrong, all at one time.
pub(crate) fn noted(about: About, passkey: u32, now: Time) -> NoteFailures {
    let failures = Counts { passkey, ..Counts::default() };
    NoteFailures { about, failures, from: now, until: now, succeeded_at: None }
}

/// Of the person of this number, from a network for 0, or of others; and whether somebody then got in.
pub(crate) fn any(whose: Option<u128>, (count, got_in): (u32, bool), now: Time) -> NoteFailures {
    let about = match whose {
        None => About::Others { left_out: count % 3 },
        Some(0) => About::Network {},
        Some(person) => of(PersonId(person)),
    };
    NoteFailures { succeeded_at: got_in.then_some(now), ..noted(about, count, now) }
}

pub(crate) fn noting(note: NoteFailures) -> Command {
    Command::NoteFailedSignIns(note)
}

/// One account is tried until somebody gets in, and goes on being tried; then networks are, and others.
pub(crate) fn failures(book: &mut Book) {
    let tell = |book: &mut Book, note: NoteFailures| {
        book.must(Actor::Node, &noting(note));
    };
    let begun = book.now;
    book.now = book.now.plus_seconds(60);
    tell(book, NoteFailures { from: begun, ..noted(of(ANA), 20, book.now) });
    book.now = book.now.plus_seconds(60);
    let (from, succeeded_at) = (book.now.plus_millis(-5_000), Some(book.now.plus_millis(-2_000)));
    tell(book, NoteFailures { from, succeeded_at, ..noted(of(ANA), 3, book.now) });
    let between = book.now;
    book.now = book.now.plus_seconds(WINDOW_SECONDS);
    let failures = Counts { passkey: 7, password: 900, sso: 5, claim: 0 };
    tell(book, NoteFailures { from: between, failures, ..noted(of(ANA), 0, book.now) });
    let claims = |claim| Counts { claim, ..Counts::default() };
    tell(book, NoteFailures { failures: claims(50), ..noted(About::Network {}, 0, book.now) });
    book.now = book.now.plus_seconds(1);
    tell(book, NoteFailures { failures: claims(70), ..noted(About::Network {}, 0, book.now) });
    book.now = book.now.plus_seconds(1);
    tell(book, noted(About::Others { left_out: 2 }, 5, book.now));
}
