//! What PostgreSQL reports, sorted into the store's errors with a sentence a person can act on.
//!
//! What may pass (a lost connection, a full disk, a lock, a standby, a wrong password that somebody will set right) is `Unavailable`. What
//! means that the rows or our own statements contradict what was promised is `Corrupt`, also what we did not expect: stopping is the
//! safe answer. Whether something that failed was kept all the same is for the caller to say, who knows what had been sent.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use crate::store::StoreError;

/// What our own function raises: the batch contradicts the log.
const CONTRADICTION: &str = "CS001";

pub(super) fn sorted(error: &Error) -> StoreError {
    match error.as_db_error() {
        Some(said) => by_state(said),
        None => StoreError::Unavailable(in_words(error)),
    }
}

/// Whether the session is gone with it, so that another one may be tried.
pub(super) fn ends_session(error: &Error) -> bool {
    match error.as_db_error().map(|said| said.code().code()) {
        // 57P: the server goes down; 08: the connection; 25P02, 25P03: a transaction that nothing good comes of any more.
        Some(code) => code.starts_with("57P") || code.starts_with("08") || code == "25P02" || code == "25P03",
        None => true,
    }
}

/// The error of a stored value that no version of ours writes.
pub(super) fn unreadable(what: &str) -> StoreError {
    StoreError::Corrupt(format!("the stored {what} cannot be read"))
}

fn by_state(said: &DbError) -> StoreError {
    let (code, message) = (said.code().code(), said.message());
    let passing =
        |advice: &str| StoreError::Unavailable(format!("PostgreSQL says: {message} ({code}): {advice}"));
    if code == CONTRADICTION {
        return StoreError::Corrupt(message.to_owned());
    }
    match *said.code() {
        SqlState::DISK_FULL => return passing("free space for the database"),
        SqlState::TOO_MANY_CONNECTIONS => return passing("raise `max_connections`; a node takes up to 15"),
        SqlState::READ_ONLY_SQL_TRANSACTION => {
            return passing("this is a standby or read-only: name the primary, or all hosts");
        }
        SqlState::INSUFFICIENT_PRIVILEGE => return passing("grant the node's role what the guide names"),
        SqlState::INVALID_CATALOG_NAME => return passing("create the database first"),
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => {
            return StoreError::Corrupt(format!("the database is damaged: {message} ({code})"));
        }
        _ => {}
    }
    match code.get(..2) {
        Some("28") => passing("check the role, its password and `pg_hba.conf`"),
        Some("08" | "40" | "53" | "55" | "57" | "58") => passing("try again"),
        Some("25") => passing("the transaction is over: try again"),
        Some("23") => {
            StoreError::Corrupt(format!("a row contradicts one already stored: {message} ({code})"))
        }
        _ => StoreError::Corrupt(format!("the database refused a statement: {message} ({code})")),
    }
}

/// An error of the connection, with its causes.
fn in_words(error: &Error) -> String {
    let mut words = format!("the connection to PostgreSQL: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(&format!(": {error}"));
        cause = error.source();
    }
    words
}
