//! The schema and how it changes: numbered files, each applied once, in order, by whoever comes first.
//!
//! Forward only. What was applied is on record with its SHA-256, so that a file that was changed afterwards, or a database that belongs
//! to a newer version, is noticed before anything is read. One at a time: an advisory lock, which unlike a lock on a table exists before
//! there is a table, and which ends with the transaction whatever happens.

use countersign_ledger::hash::{Hash, sha256};

use super::connection::Connection;
use super::errors::unreadable;
use crate::store::StoreError;

/// Every migration there is, in order.
const MIGRATIONS: [(&str, &str); 1] = [("ledger", include_str!("migrations/0001-ledger.sql"))];

/// `CSGN` twice in ASCII, as a number: whom the advisory lock belongs to.
const LOCK: &str = "SELECT pg_advisory_xact_lock(4851001886478878542)";

// Asked of the catalogue's rows, each time anew: what a session remembers of names may be older than the lock.
const IS_THERE: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n \
     ON n.oid = c.relnamespace WHERE n.nspname = 'countersign' AND c.relname = 'migrations')";
const APPLIED: &str = "SELECT number, sha256 FROM countersign.migrations ORDER BY number";
const BEGIN: &str = "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '30s'; \
     SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL enable_seqscan = on";
const FIRST: &str = "CREATE SCHEMA IF NOT EXISTS countersign; \
     CREATE TABLE countersign.migrations (number integer PRIMARY KEY, name text NOT NULL, sha256 bytea NOT NULL, \
     applied_at timestamptz NOT NULL DEFAULT now())";
const RECORD: &str = "INSERT INTO countersign.migrations (number, name, sha256) VALUES ($1, $2, $3)";

/// Whether the database holds a ledger of ours, of whatever version.
pub(super) fn is_ours(connection: &mut Connection) -> Result<bool, StoreError> {
    let rows = connection.rows(IS_THERE, &[])?;
    rows.first().and_then(|row| row.try_get(0).ok()).ok_or_else(|| unreadable("schema"))
}

/// Brings the schema to what this version needs; refuses one that it does not know.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    if is_ours(connection)? && pending(connection)? == MIGRATIONS.len() {
        return Ok(());
    }
    connection.run(BEGIN)?;
    let applied = apply(connection);
    let ended = connection.run(if applied.is_ok() { "COMMIT" } else { "ROLLBACK" });
    // Plans and settings of before would outlive it.
    connection.cut();
    applied?;
    Ok(ended?)
}

fn apply(connection: &mut Connection) -> Result<(), StoreError> {
    connection.once(LOCK, &[])?;
    // Looked at again: somebody may have been faster.
    if !is_ours(connection)? {
        connection.run(FIRST)?;
    }
    for (number, (name, text)) in (1_i32..).zip(MIGRATIONS).skip(pending(connection)?) {
        tracing::info!(number, name, "the database's schema is brought forward");
        connection.run(text)?;
        connection.once(RECORD, &[&number, &name, &&sha256(text.as_bytes()).0[..]])?;
    }
    Ok(())
}

/// The place of the first migration that was not applied.
fn pending(connection: &mut Connection) -> Result<usize, StoreError> {
    let rows = connection.rows(APPLIED, &[])?;
    for (place, row) in rows.iter().enumerate() {
        let number: i32 = row.try_get(0).map_err(|_| unreadable("schema"))?;
        let applied: &[u8] = row.try_get(1).map_err(|_| unreadable("schema"))?;
        let Some((name, text)) = MIGRATIONS.get(place) else {
            return Err(StoreError::Corrupt(format!(
                "the database has schema {}, this version of countersign knows only up to {}: use the newer version",
                rows.len(),
                MIGRATIONS.len()
            )));
        };
        let expected = i32::try_from(place + 1).ok() == Some(number);
        let Hash(ours) = sha256(text.as_bytes());
        if !expected || applied != ours {
            return Err(StoreError::Corrupt(format!(
                "migration {number} of the database is not `{name}` as this version knows it"
            )));
        }
    }
    Ok(rows.len())
}
