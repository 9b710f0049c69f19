//! What SQLite reports, sorted into the store's three errors with a sentence a person can act on.
//!
//! Anything that may pass (a full disk, a lock, a missing file) is `Unavailable`. Anything that means the bytes or our own
//! statements contradict what was promised is `Corrupt`, also what we did not expect: stopping is the safe answer.

use rusqlite::{Error, ErrorCode};

use crate::store::StoreError;

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        let Some(code) = error.sqlite_error_code() else {
            return Self::Corrupt(format!("a stored row cannot be read: {error}"));
        };
        match code {
            ErrorCode::DiskFull => {
                Self::Unavailable("the disk is full: free space for the data folder".to_owned())
            }
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
                Self::Unavailable("another connection holds the database: try again".to_owned())
            }
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Self::Unavailable(
                "the database cannot be written: check the permissions of the data folder".to_owned(),
            ),
            ErrorCode::CannotOpen => {
                Self::Unavailable("the database files cannot be opened: check the data folder".to_owned())
            }
            ErrorCode::SystemIoFailure => {
                Self::Unavailable(format!("reading or writing the disk failed: {error}"))
            }
            ErrorCode::OutOfMemory | ErrorCode::OperationInterrupted => {
                Self::Unavailable(format!("the database gave up: {error}"))
            }
            ErrorCode::NotADatabase => Self::Corrupt("the file is not a database".to_owned()),
            ErrorCode::DatabaseCorrupt => Self::Corrupt(format!("the database file is damaged: {error}")),
            ErrorCode::ConstraintViolation => {
                Self::Corrupt(format!("a row contradicts one already stored: {error}"))
            }
            _ => Self::Corrupt(format!("the database refused a statement: {error}")),
        }
    }
}

/// The error of a stored value that no version of ours writes.
pub(super) fn unreadable(what: &str) -> StoreError {
    StoreError::Corrupt(format!("the stored {what} cannot be read"))
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    fn mapped(code: i32) -> StoreError {
        Error::SqliteFailure(ffi::Error::new(code), Some("as sqlite says".to_owned())).into()
    }

    #[test]
    fn what_may_pass_is_unavailable() {
        let passing =
            [ffi::SQLITE_FULL, ffi::SQLITE_IOERR, ffi::SQLITE_BUSY, ffi::SQLITE_LOCKED, ffi::SQLITE_CANTOPEN];
        for code in passing.into_iter().chain([ffi::SQLITE_READONLY, ffi::SQLITE_PERM, ffi::SQLITE_NOMEM]) {
            assert!(matches!(mapped(code), StoreError::Unavailable(_)), "code {code}");
        }
        assert!(mapped(ffi::SQLITE_FULL).to_string().contains("the disk is full"));
    }

    #[test]
    fn what_contradicts_itself_is_corrupt() {
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB, ffi::SQLITE_CONSTRAINT, ffi::SQLITE_MISUSE] {
            assert!(matches!(mapped(code), StoreError::Corrupt(_)), "code {code}");
        }
        assert!(matches!(Error::QueryReturnedNoRows.into(), StoreError::Corrupt(_)));
    }
}
