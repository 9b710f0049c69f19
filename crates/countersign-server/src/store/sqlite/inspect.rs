//! What `fsck` asks of a database beyond reading: every row as it is stored, also what no reader would find, and the few writes that put
//! derived rows right.
//!
//! Nothing is decoded here further than SQLite's own types, so that a damaged value is a row to report, not an error that hides the rows
//! after it.

use rusqlite::types::ValueRef;
use rusqlite::{Row, ToSql, params};

use super::Sqlite;
use super::append::save_snapshot;
use super::errors::unreadable;
use crate::store::fence::integer;
use crate::store::{Record, Snapshot, StoreError, StoredNode};

/// An entry, its details apart.
pub(crate) struct RawEntry {
    pub index: i64,
    pub leaf_hash: Vec<u8>,
    pub subject: String,
    pub subject_seq: i64,
    pub leaf: Vec<u8>,
    /// Whether no other entry of its subject has a higher number.
    pub last: bool,
}

/// The details of an entry.
pub(crate) struct RawDetails {
    pub index: i64,
    /// The entry that deleted them; then there is neither salt nor body.
    pub redacted_by: Option<i64>,
    pub salt: Vec<u8>,
    pub body: Vec<u8>,
}

/// Where the index by subject says an entry is.
pub(crate) struct RawPlace {
    pub subject: String,
    pub subject_seq: i64,
    pub index: i64,
}

/// A node of the tree.
pub(crate) struct RawNode {
    pub level: i64,
    pub index: i64,
    pub hash: Vec<u8>,
}

/// A document of the read model.
#[derive(PartialEq, Eq)]
pub(crate) struct RawRecord {
    pub kind: String,
    pub id: String,
    pub seq: i64,
    pub status: String,
    pub body: Vec<u8>,
}

/// An answered idempotency key.
pub(crate) struct RawIdempotency {
    pub actor: String,
    pub key: String,
    pub first: i64,
    pub count: i64,
    pub time_ms: i64,
}

/// A blob and its name, which had to be its SHA-256.
pub(crate) struct RawBlob {
    pub name: Vec<u8>,
    pub body: Vec<u8>,
}

/// The snapshot.
pub(crate) struct RawSnapshot {
    pub size: i64,
    pub root: Vec<u8>,
    pub state: Vec<u8>,
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Everything is seen as of one moment.
    Look,
    /// And can be put right.
    Mend,
}

const ENTRIES: &str = "SELECT idx, leaf_hash, subject, subject_seq, leaf, NOT EXISTS (SELECT 1 FROM entries AS later \
     WHERE later.subject = entries.subject AND later.subject_seq > entries.subject_seq) \
     FROM entries WHERE idx > ?1 ORDER BY idx LIMIT ?2";
const PLACES: &str = "SELECT subject, subject_seq, idx FROM entries WHERE (subject, subject_seq) > (?1, ?2) \
     ORDER BY subject, subject_seq LIMIT ?3";
const DETAILS: &str =
    "SELECT idx, redacted_by, salt, body FROM details WHERE idx > ?1 AND idx <= ?2 ORDER BY idx LIMIT ?3";
const NODES: &str = "SELECT level, idx, hash FROM nodes WHERE level = ?1 AND idx > ?2 ORDER BY idx LIMIT ?3";
const STRAY_NODES: &str =
    "SELECT level, idx, hash FROM nodes WHERE level % 8 <> 0 OR level NOT BETWEEN 8 AND 56 LIMIT ?1";
const RECORD: &str = "SELECT kind, id, seq, status, body FROM records WHERE kind = ?1 AND id = ?2";
const RECORD_KEYS: &str = "SELECT kind, id, EXISTS (SELECT 1 FROM entries WHERE subject = id) FROM records \
     WHERE (kind, id) > (?1, ?2) ORDER BY kind, id LIMIT ?3";
const IDEMPOTENCY: &str = "SELECT actor, key, first_idx, entry_count, time_ms FROM idempotency \
     WHERE (actor, key) > (?1, ?2) ORDER BY actor, key LIMIT ?3";
const PUT_RECORD: &str =
    "INSERT OR REPLACE INTO records (kind, id, seq, status, body) VALUES (?1, ?2, ?3, ?4, ?5)";

impl<Role: Send> Sqlite<Role> {
    /// Begins a transaction that ends with [`Sqlite::end`] or with the connection.
    pub(crate) fn begin(&self, purpose: Purpose) -> Result<(), StoreError> {
        let statement = match purpose {
            Purpose::Look => "BEGIN",
            Purpose::Mend => "BEGIN IMMEDIATE",
        };
        Ok(self.connection.execute_batch(statement)?)
    }

    /// Ends the transaction; `true` keeps what was written.
    pub(crate) fn end(&self, keep: bool) -> Result<(), StoreError> {
        Ok(self.connection.execute_batch(if keep { "COMMIT" } else { "ROLLBACK" })?)
    }

    /// The first complaints of SQLite's own check of pages, indexes and types.
    pub(crate) fn integrity(&self, limit: usize) -> Result<Vec<String>, StoreError> {
        let complaints = self.all(&format!("PRAGMA integrity_check({limit})"), &[], |row| text(row, 0))?;
        Ok(complaints.into_iter().filter(|complaint| complaint != "ok").collect())
    }

    /// The size the log has if its last entry is where it belongs.
    pub(crate) fn entries_end(&self) -> Result<u64, StoreError> {
        let last = self.all("SELECT coalesce(max(idx), -1) FROM entries", &[], |row| number(row, 0))?;
        Ok(last.first().and_then(|last| u64::try_from(*last + 1).ok()).unwrap_or(0))
    }

    pub(crate) fn raw_entries(&self, after: i64, limit: i64) -> Result<Vec<RawEntry>, StoreError> {
        self.all(ENTRIES, params![after, limit], |row| {
            Ok(RawEntry {
                index: number(row, 0)?,
                leaf_hash: bytes(row, 1)?,
                subject: text(row, 2)?,
                subject_seq: number(row, 3)?,
                leaf: bytes(row, 4)?,
                last: number(row, 5)? != 0,
            })
        })
    }

    pub(crate) fn raw_places(
        &self,
        (subject, seq): (&str, i64),
        limit: i64,
    ) -> Result<Vec<RawPlace>, StoreError> {
        self.all(PLACES, params![subject, seq, limit], |row| {
            Ok(RawPlace { subject: text(row, 0)?, subject_seq: number(row, 1)?, index: number(row, 2)? })
        })
    }

    /// Details with an index above `after`, up to `until`.
    pub(crate) fn raw_details(
        &self,
        (after, until): (i64, i64),
        limit: i64,
    ) -> Result<Vec<RawDetails>, StoreError> {
        self.all(DETAILS, params![after, until, limit], |row| {
            let redacted_by = row.get(1)?;
            let (salt, body) = match redacted_by {
                Some(_) => (Vec::new(), Vec::new()),
                None => (bytes(row, 2)?, bytes(row, 3)?),
            };
            Ok(RawDetails { index: number(row, 0)?, redacted_by, salt, body })
        })
    }

    pub(crate) fn raw_nodes(
        &self,
        (level, after): (u8, i64),
        limit: i64,
    ) -> Result<Vec<RawNode>, StoreError> {
        self.all(NODES, params![level, after, limit], node)
    }

    /// Nodes of levels that are not stored.
    pub(crate) fn stray_nodes(&self, limit: i64) -> Result<Vec<RawNode>, StoreError> {
        self.all(STRAY_NODES, params![limit], node)
    }

    pub(crate) fn raw_record(&self, kind: &str, id: &str) -> Result<Option<RawRecord>, StoreError> {
        let found = self.all(RECORD, params![kind, id], |row| {
            Ok(RawRecord {
                kind: text(row, 0)?,
                id: text(row, 1)?,
                seq: number(row, 2)?,
                status: text(row, 3)?,
                body: bytes(row, 4)?,
            })
        })?;
        Ok(found.into_iter().next())
    }

    /// Kind and id of records, and whether an entry is about that id.
    pub(crate) fn record_keys(
        &self,
        (kind, id): (&str, &str),
        limit: i64,
    ) -> Result<Vec<(String, String, bool)>, StoreError> {
        self.all(RECORD_KEYS, params![kind, id, limit], |row| {
            Ok((text(row, 0)?, text(row, 1)?, number(row, 2)? != 0))
        })
    }

    pub(crate) fn raw_idempotency(
        &self,
        (actor, key): (&str, &str),
        limit: i64,
    ) -> Result<Vec<RawIdempotency>, StoreError> {
        self.all(IDEMPOTENCY, params![actor, key, limit], |row| {
            Ok(RawIdempotency {
                actor: text(row, 0)?,
                key: text(row, 1)?,
                first: number(row, 2)?,
                count: number(row, 3)?,
                time_ms: number(row, 4)?,
            })
        })
    }

    /// Stored size and note of checkpoints.
    pub(crate) fn raw_checkpoints(&self, after: i64, limit: i64) -> Result<Vec<(i64, String)>, StoreError> {
        let sql = "SELECT size, note FROM checkpoints WHERE size > ?1 ORDER BY size LIMIT ?2";
        self.all(sql, params![after, limit], |row| Ok((number(row, 0)?, text(row, 1)?)))
    }

    /// The first blob whose name is above `after`; a page is one, because a blob may be large.
    pub(crate) fn next_blob(&self, after: &[u8]) -> Result<Option<RawBlob>, StoreError> {
        let sql = "SELECT sha256, body FROM blobs WHERE sha256 > ?1 ORDER BY sha256 LIMIT 1";
        let found =
            self.all(sql, params![after], |row| Ok(RawBlob { name: bytes(row, 0)?, body: bytes(row, 1)? }))?;
        Ok(found.into_iter().next())
    }

    pub(crate) fn put_record(&self, record: &Record) -> Result<(), StoreError> {
        let Record { kind, id, seq, status, body } = record;
        self.write(PUT_RECORD, params![kind, id, seq, status, body])
    }

    pub(crate) fn drop_record(&self, kind: &str, id: &str) -> Result<(), StoreError> {
        self.write("DELETE FROM records WHERE kind = ?1 AND id = ?2", params![kind, id])
    }

    pub(crate) fn put_node(&self, node: &StoredNode) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO nodes (level, idx, hash) VALUES (?1, ?2, ?3)";
        self.write(sql, params![node.level, integer(node.index)?, node.hash.0])
    }

    pub(crate) fn drop_node(&self, node: &RawNode) -> Result<(), StoreError> {
        self.write("DELETE FROM nodes WHERE level = ?1 AND idx = ?2", params![node.level, node.index])
    }

    pub(crate) fn put_snapshot(&self, snapshot: &Snapshot) -> Result<(), StoreError> {
        save_snapshot(&self.connection, snapshot)
    }

    pub(crate) fn drop_snapshot(&self) -> Result<(), StoreError> {
        self.write("DELETE FROM snapshot", params![])
    }

    /// The snapshot.
    pub(crate) fn raw_snapshot(&self) -> Result<Option<RawSnapshot>, StoreError> {
        let found = self.all("SELECT size, root, state FROM snapshot", &[], |row| {
            Ok(RawSnapshot { size: number(row, 0)?, root: bytes(row, 1)?, state: bytes(row, 2)? })
        })?;
        Ok(found.into_iter().next())
    }

    fn write(&self, sql: &str, values: &[&dyn ToSql]) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }
}

fn node(row: &Row<'_>) -> Result<RawNode, StoreError> {
    Ok(RawNode { level: number(row, 0)?, index: number(row, 1)?, hash: bytes(row, 2)? })
}

fn number(row: &Row<'_>, column: usize) -> Result<i64, StoreError> {
    match row.get_ref(column)? {
        ValueRef::Integer(number) => Ok(number),
        _ => Err(unreadable("number")),
    }
}

/// The bytes of a blob or text, whatever they are.
fn bytes(row: &Row<'_>, column: usize) -> Result<Vec<u8>, StoreError> {
    match row.get_ref(column)? {
        ValueRef::Blob(bytes) | ValueRef::Text(bytes) => Ok(bytes.to_vec()),
        _ => Err(unreadable("value")),
    }
}

/// A text; what is not UTF-8 in it is replaced, so that it differs from whatever it should be.
fn text(row: &Row<'_>, column: usize) -> Result<String, StoreError> {
    Ok(String::from_utf8_lossy(&bytes(row, column)?).into_owned())
}
