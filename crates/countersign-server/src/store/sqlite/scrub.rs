//! Deleting details so that no file of the store holds them any more.
//!
//! SQLite forgets lazily: a deleted row stays on its page, a freed page keeps its content, an old page stays in the write-ahead log, and
//! rows that move when pages are merged or split leave copies behind. So the row is emptied in place and not removed: a shrinking
//! update moves no other row, and rows of `details` only ever come in at the end, which moves none either. What the update frees
//! is overwritten with zeros, and the log is brought into the database and cut off. What the file system or the disk keeps of
//! overwritten blocks is beyond us.

use std::time::Duration;

use rusqlite::{Connection, Transaction, params};

use super::files;
use crate::store::fence::{self, integer};
use crate::store::{Redaction, StoreError};

/// How long a redaction waits for those who read an older state. A look takes milliseconds; a copy under way takes longer than anybody
/// would wait.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

const EMPTY: &str = "UPDATE details SET redacted_by = ?2, salt = NULL, body = NULL \
     WHERE idx = ?1 AND redacted_by IS NULL";

/// Zeros for whatever is freed, as far as it costs no further writing: also the copy that is left when a table gets its second page.
pub(super) fn keep_clean(connection: &Connection) -> Result<(), StoreError> {
    secure_delete(connection, "FAST")
}

/// Zeros for whatever is freed, whole pages included: large details have pages of their own.
pub(super) fn begin(connection: &Connection) -> Result<(), StoreError> {
    secure_delete(connection, "ON")
}

fn secure_delete(connection: &Connection, word: &str) -> Result<(), StoreError> {
    // It answers with the new setting, so it is not an update to SQLite's library.
    connection.pragma_update_and_check(None, "secure_delete", word, |_| Ok(()))?;
    Ok(())
}

/// Empties the rows of the details.
pub(super) fn redact(transaction: &Transaction<'_>, redactions: &[Redaction]) -> Result<(), StoreError> {
    let mut empty = transaction.prepare_cached(EMPTY)?;
    for Redaction { index, by } in redactions {
        if empty.execute(params![integer(*index)?, integer(*by)?])? != 1 {
            return Err(fence::nothing_to_redact(*index));
        }
    }
    Ok(())
}

/// Brings the write-ahead log into the database and cuts it off. False if somebody reads an older state for longer than we wait.
pub(super) fn cut_log(connection: &Connection, patience: Duration) -> Result<bool, StoreError> {
    connection.busy_timeout(patience)?;
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    connection.busy_timeout(files::BUSY_TIMEOUT)?;
    Ok(busy? == 0)
}
