//! Tables, format version and durability of a SQLite store.
//!
//! `application_id` tells a Countersign database from any other, `user_version` is the format. A format this code does not
//! know is refused, never guessed at. Columns are in reading order: short ones before the long ones that spill into overflow
//! pages.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::scrub;
use crate::store::StoreError;

/// `CSGN` in ASCII, written to the database header.
const APPLICATION_ID: i64 = 0x4353_474E;

/// The format this code reads and writes.
const FORMAT: i64 = 1;

/// `UNIQUE (subject, subject_seq)` is the fence against two entries with one number; the insert itself refuses a gap.
/// `records` is keyed by what it is listed by. `head` and `snapshot` have one row. A row of `details` outlives what it held, and says
/// who deleted it: see `scrub` for why it is emptied and not removed.
const TABLES: &str = "
CREATE TABLE entries (
    idx INTEGER PRIMARY KEY, leaf_hash BLOB NOT NULL, subject TEXT NOT NULL, subject_seq INTEGER NOT NULL,
    leaf BLOB NOT NULL, UNIQUE (subject, subject_seq)
) STRICT;
CREATE TABLE details (
    idx INTEGER PRIMARY KEY, redacted_by INTEGER, salt BLOB, body BLOB,
    CHECK ((redacted_by IS NULL) = (salt IS NOT NULL) AND (redacted_by IS NULL) = (body IS NOT NULL))
) STRICT;
CREATE TABLE blobs (sha256 BLOB PRIMARY KEY NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE nodes (
    level INTEGER NOT NULL, idx INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID;
CREATE TABLE head (
    id INTEGER PRIMARY KEY CHECK (id = 0), size INTEGER NOT NULL, time_ms INTEGER NOT NULL, frontier BLOB NOT NULL
) STRICT;
INSERT INTO head (id, size, time_ms, frontier) VALUES (0, 0, 0, x'');
CREATE TABLE records (
    kind TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, status TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX records_by_status ON records (kind, status, id);
CREATE TABLE idempotency (
    actor TEXT NOT NULL, key TEXT NOT NULL, body_sha256 BLOB NOT NULL, first_idx INTEGER NOT NULL,
    entry_count INTEGER NOT NULL, time_ms INTEGER NOT NULL, PRIMARY KEY (actor, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_time ON idempotency (time_ms);
CREATE TABLE snapshot (
    id INTEGER PRIMARY KEY CHECK (id = 0), size INTEGER NOT NULL, root BLOB NOT NULL, state BLOB NOT NULL
) STRICT;
CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;
";

/// The table of `crate::secrets`, which shares the file so that one backup holds both. Insert-if-absent by rotation and "one
/// current value" are indexes here, not only code there.
pub(crate) const SECRETS: &str = "
CREATE TABLE secrets (
    name TEXT NOT NULL, environment TEXT NOT NULL, version INTEGER NOT NULL, stage TEXT NOT NULL, rotation TEXT,
    nonce BLOB NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (name, environment, version)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX secrets_by_rotation ON secrets (name, environment, rotation) WHERE rotation IS NOT NULL;
CREATE UNIQUE INDEX secrets_current ON secrets (name, environment) WHERE stage = 'current';
";

/// When a commit returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sync {
    /// After the disk has it.
    Full,
    /// Before: only for the test that shows what would be lost.
    #[cfg(feature = "sabotage")]
    Off,
}

/// Makes an empty file a database of ours, or checks that it is one.
pub(super) fn prepare(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    if !is_empty(connection).map_err(|error| name(path, error))? {
        return recognise(connection, path);
    }
    switch_to_wal(connection)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(TABLES)?;
    transaction.execute_batch(SECRETS)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()?;
    Ok(())
}

/// Refuses a file that is not a database, a database of something else, and a format from the future.
pub(super) fn recognise(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let application = pragma(connection, "application_id").map_err(|error| name(path, error))?;
    if application != APPLICATION_ID {
        let what = format!("`{}` is a database, but not one of countersign", path.display());
        return Err(StoreError::Corrupt(what));
    }
    let format = pragma(connection, "user_version")?;
    if format != FORMAT {
        return Err(StoreError::Corrupt(format!(
            "`{}` has format {format}, this version of countersign knows only format {FORMAT}",
            path.display()
        )));
    }
    Ok(())
}

/// Decides what a commit waits for. WAL with FULL syncs the log on every commit; checkpoints stay at SQLite's default of 1,000
/// pages, since larger ones raised the worst append fivefold for 7 % more throughput.
pub(super) fn set_durability(connection: &Connection, sync: Sync) -> Result<(), StoreError> {
    switch_to_wal(connection)?;
    let word = match sync {
        Sync::Full => "FULL",
        #[cfg(feature = "sabotage")]
        Sync::Off => "OFF",
    };
    connection.pragma_update(None, "synchronous", word)?;
    scrub::keep_clean(connection)
}

fn switch_to_wal(connection: &Connection) -> Result<(), StoreError> {
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode == "wal" {
        return Ok(());
    }
    Err(StoreError::Unavailable(format!(
        "the database stays in journal mode `{mode}`: its file system cannot do WAL"
    )))
}

fn is_empty(connection: &Connection) -> Result<bool, StoreError> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0 && pragma(connection, "user_version")? == 0)
}

fn pragma(connection: &Connection, pragma: &str) -> Result<i64, StoreError> {
    Ok(connection.pragma_query_value(None, pragma, |row| row.get(0))?)
}

/// Says which file an error is about: at start-up that is the first question.
fn name(path: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(what) => StoreError::Unavailable(format!("`{}`: {what}", path.display())),
        StoreError::Corrupt(what) => StoreError::Corrupt(format!("`{}`: {what}", path.display())),
        error @ (StoreError::Conflict { .. } | StoreError::Unknown(_)) => error,
    }
}
