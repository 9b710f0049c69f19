//! Reading: every question is one statement over committed rows.
//!
//! Entries and nodes never change once written, so an answer put together from two statements is still of one state. A row
//! that cannot be decoded is `Corrupt`, never skipped.

use std::ops::Range;

use countersign_ledger::census::Row as Counted;
use countersign_ledger::hash::Hash;
use countersign_ledger::tree::CompactRange;
use rusqlite::{OptionalExtension, Row, ToSql, params};

use super::Sqlite;
use super::errors::unreadable;
use crate::store::fence::integer;
use crate::store::{
    Details, Head, Idempotency, Reader, Record, RecordQuery, Redaction, Snapshot, StoreError,
    StoredCheckpoint, StoredEntry,
};

const ENTRIES: &str = "SELECT idx, leaf_hash, subject, subject_seq, leaf FROM entries \
     WHERE idx >= ?1 ORDER BY idx LIMIT ?2";
const ENTRIES_OF: &str = "SELECT idx, leaf_hash, subject, subject_seq, leaf FROM entries \
     WHERE subject = ?1 AND subject_seq > ?2 ORDER BY subject_seq LIMIT ?3";
// The index of (subject, subject_seq) has all three columns, since the index of the entry is its row id.
const SUBJECTS: &str = "SELECT subject, count(*), max(idx) FROM entries \
     WHERE subject > ?1 AND idx < ?2 GROUP BY subject ORDER BY subject LIMIT ?3";
const DETAILS: &str = "SELECT salt, body FROM details WHERE idx = ?1 AND redacted_by IS NULL";
const DETAILS_IN: &str = "SELECT idx, salt, body FROM details \
     WHERE idx >= ?1 AND idx < ?2 AND redacted_by IS NULL ORDER BY idx";
const REDACTIONS_IN: &str = "SELECT idx, redacted_by FROM details \
     WHERE idx >= ?1 AND idx < ?2 AND redacted_by IS NOT NULL ORDER BY idx";
const LEAF_HASHES: &str = "SELECT leaf_hash FROM entries WHERE idx >= ?1 AND idx < ?2 ORDER BY idx";
const NODE_HASHES: &str = "SELECT hash FROM nodes WHERE level = ?3 AND idx >= ?1 AND idx < ?2 ORDER BY idx";
const IDEMPOTENCY: &str = "SELECT body_sha256, first_idx, entry_count, time_ms FROM idempotency \
     WHERE actor = ?1 AND key = ?2";
const RECORD: &str = "SELECT id, seq, status, body FROM records WHERE kind = ?1 AND id = ?2";
// No id sorts above U+10FFFF, so it stands for "from the newest". Two statements, because only then does the index by status
// serve the one and the primary key the other.
const RECORDS: &str = "SELECT id, seq, status, body FROM records \
     WHERE kind = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
const RECORDS_IN: &str = "SELECT id, seq, status, body FROM records \
     WHERE kind = ?1 AND id < ?2 AND status = ?4 ORDER BY id DESC LIMIT ?3";
const FROM_THE_NEWEST: &str = "\u{10FFFF}";

impl<Role: Send> Sqlite<Role> {
    fn one<T>(
        &self,
        sql: &str,
        values: &[&dyn ToSql],
        decode: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let row = statement.query_row(values, |row| Ok(decode(row))).optional()?;
        row.transpose()
    }

    pub(super) fn all<T>(
        &self,
        sql: &str,
        values: &[&dyn ToSql],
        decode: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(values)?;
        let mut decoded = Vec::new();
        while let Some(row) = rows.next()? {
            decoded.push(decode(row)?);
        }
        Ok(decoded)
    }
}

impl<Role: Send> Reader for Sqlite<Role> {
    fn head(&mut self) -> Result<Head, StoreError> {
        self.one("SELECT size, time_ms, frontier FROM head WHERE id = 0", params![], decode_head)?
            .ok_or_else(|| unreadable("head"))
    }

    fn entries(&mut self, from: u64, limit: usize) -> Result<Vec<StoredEntry>, StoreError> {
        let Ok(from) = i64::try_from(from) else { return Ok(Vec::new()) };
        self.all(ENTRIES, params![from, bound(limit)], decode_entry)
    }

    fn entries_of(
        &mut self,
        subject: &str,
        after_seq: u32,
        limit: usize,
    ) -> Result<Vec<StoredEntry>, StoreError> {
        self.all(ENTRIES_OF, params![subject, after_seq, bound(limit)], decode_entry)
    }

    fn subjects(&mut self, size: u64, after: &str, limit: usize) -> Result<Vec<Counted>, StoreError> {
        self.all(SUBJECTS, params![after, integer(size)?, bound(limit)], |row| {
            Ok(Counted { subject: row.get(0)?, count: row.get(1)?, last: unsigned(row, 2)? })
        })
    }

    fn details(&mut self, index: u64) -> Result<Option<Details>, StoreError> {
        let index = integer(index)?;
        self.one(DETAILS, params![index], |row| Ok(Details { salt: row.get(0)?, body: row.get(1)? }))
    }

    fn details_in(&mut self, range: Range<u64>) -> Result<Vec<(u64, Details)>, StoreError> {
        let (from, until) = (integer(range.start)?, integer(range.end)?);
        self.all(DETAILS_IN, params![from, until], |row| {
            let index = u64::try_from(row.get::<_, i64>(0)?).map_err(|_| unreadable("details"))?;
            Ok((index, Details { salt: row.get(1)?, body: row.get(2)? }))
        })
    }

    fn redactions_in(&mut self, range: Range<u64>) -> Result<Vec<Redaction>, StoreError> {
        let (from, until) = (integer(range.start)?, integer(range.end)?);
        self.all(REDACTIONS_IN, params![from, until], |row| {
            Ok(Redaction { index: unsigned(row, 0)?, by: unsigned(row, 1)? })
        })
    }

    fn blob(&mut self, sha256: &Hash) -> Result<Option<Vec<u8>>, StoreError> {
        self.one("SELECT body FROM blobs WHERE sha256 = ?1", params![sha256.0], |row| Ok(row.get(0)?))
    }

    fn record(&mut self, kind: &'static str, id: &str) -> Result<Option<Record>, StoreError> {
        self.one(RECORD, params![kind, id], |row| decode_record(kind, row))
    }

    fn records(&mut self, query: &RecordQuery) -> Result<Vec<Record>, StoreError> {
        let before = query.before.as_deref().unwrap_or(FROM_THE_NEWEST);
        let limit = bound(query.limit);
        let decode = |row: &Row<'_>| decode_record(query.kind, row);
        match &query.status {
            None => self.all(RECORDS, params![query.kind, before, limit], decode),
            Some(status) => self.all(RECORDS_IN, params![query.kind, before, limit, status], decode),
        }
    }

    fn idempotency(&mut self, actor: &str, key: &str) -> Result<Option<Idempotency>, StoreError> {
        self.one(IDEMPOTENCY, params![actor, key], |row| {
            Ok(Idempotency {
                actor: actor.to_owned(),
                key: key.to_owned(),
                body_sha256: Hash(row.get(0)?),
                first: unsigned(row, 1)?,
                count: row.get(2)?,
                time_ms: row.get(3)?,
            })
        })
    }

    fn snapshot(&mut self) -> Result<Option<Snapshot>, StoreError> {
        self.one("SELECT size, root, state FROM snapshot WHERE id = 0", params![], |row| {
            Ok(Snapshot { size: unsigned(row, 0)?, root: Hash(row.get(1)?), state: row.get(2)? })
        })
    }

    fn checkpoints(&mut self, after: u64, limit: usize) -> Result<Vec<StoredCheckpoint>, StoreError> {
        let sql = "SELECT size, note FROM checkpoints WHERE size > ?1 ORDER BY size LIMIT ?2";
        let Ok(after) = i64::try_from(after) else { return Ok(Vec::new()) };
        self.all(sql, params![after, bound(limit)], decode_checkpoint)
    }

    fn latest_checkpoint(&mut self) -> Result<Option<StoredCheckpoint>, StoreError> {
        self.one(
            "SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1",
            params![],
            decode_checkpoint,
        )
    }

    fn hashes(&mut self, level: u8, range: Range<u64>) -> Result<Vec<Hash>, StoreError> {
        let (from, until) = (integer(range.start)?, integer(range.end)?);
        let decode = |row: &Row<'_>| Ok(Hash(row.get(0)?));
        if level == 0 {
            self.all(LEAF_HASHES, params![from, until], decode)
        } else {
            self.all(NODE_HASHES, params![from, until, level], decode)
        }
    }
}

fn decode_head(row: &Row<'_>) -> Result<Head, StoreError> {
    let frontier: Vec<u8> = row.get(2)?;
    let (hashes, rest) = frontier.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(unreadable("head"));
    }
    let hashes = hashes.iter().copied().map(Hash).collect();
    let tree = CompactRange::from_parts(unsigned(row, 0)?, hashes).map_err(|_| unreadable("head"))?;
    Ok(Head { tree, time_ms: row.get(1)? })
}

fn decode_entry(row: &Row<'_>) -> Result<StoredEntry, StoreError> {
    Ok(StoredEntry {
        index: unsigned(row, 0)?,
        leaf_hash: Hash(row.get(1)?),
        subject: row.get(2)?,
        subject_seq: row.get(3)?,
        leaf: row.get(4)?,
    })
}

fn decode_record(kind: &'static str, row: &Row<'_>) -> Result<Record, StoreError> {
    Ok(Record { kind, id: row.get(0)?, seq: row.get(1)?, status: row.get(2)?, body: row.get(3)? })
}

fn decode_checkpoint(row: &Row<'_>) -> Result<StoredCheckpoint, StoreError> {
    Ok(StoredCheckpoint { size: unsigned(row, 0)?, note: row.get(1)? })
}

fn unsigned(row: &Row<'_>, column: usize) -> Result<u64, StoreError> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| unreadable("number"))
}

fn bound(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;

    /// A census reads the index of the whole log: it must neither sort nor touch the leaves.
    #[test]
    fn subjects_are_counted_from_the_index_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let mut connection = rusqlite::Connection::open(&path).unwrap();
        schema::prepare(&mut connection, &path).unwrap();
        let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {SUBJECTS}")).unwrap();
        let steps = plan.query_map(params!["", 1, 1], |row| row.get::<_, String>(3)).unwrap();
        let steps: Vec<String> = steps.map(Result::unwrap).collect();
        assert!(matches!(&steps[..], [step] if step.contains("USING COVERING INDEX")), "{steps:?}");
    }
}
