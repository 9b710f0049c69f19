//! Reading: every question is one prepared statement over committed rows.
//!
//! Entries and nodes never change once written, so an answer put together from two statements is still of one state. A row that cannot
//! be decoded is `Corrupt`, never skipped.

use std::ops::Range;

use countersign_ledger::census::Row as Counted;
use countersign_ledger::hash::Hash;
use countersign_ledger::tree::CompactRange;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::Postgres;
use super::connection::Values;
use super::errors::unreadable;
use crate::store::fence::integer;
use crate::store::{
    Details, Head, Idempotency, Reader, Record, RecordQuery, Redaction, Snapshot, StoreError,
    StoredCheckpoint, StoredEntry,
};

const HEAD: &str = "SELECT size, time_ms, frontier FROM countersign.head WHERE id = 0";
const ENTRIES: &str = "SELECT idx, leaf_hash, subject, subject_seq, leaf FROM countersign.entries \
     WHERE idx >= $1 ORDER BY idx LIMIT $2";
const ENTRIES_OF: &str = "SELECT idx, leaf_hash, subject, subject_seq, leaf FROM countersign.entries \
     WHERE subject = $1 AND subject_seq > $2 ORDER BY subject_seq LIMIT $3";
// The index of (subject, subject_seq) carries the index of the entry, so no leaf is touched.
const SUBJECTS: &str = "SELECT subject, count(*), max(idx) FROM countersign.entries \
     WHERE subject > $1 AND idx < $2 GROUP BY subject ORDER BY subject LIMIT $3";
const DETAILS: &str = "SELECT salt, body FROM countersign.details WHERE idx = $1 AND redacted_by IS NULL";
const DETAILS_IN: &str = "SELECT idx, salt, body FROM countersign.details \
     WHERE idx >= $1 AND idx < $2 AND redacted_by IS NULL ORDER BY idx";
const REDACTIONS_IN: &str = "SELECT idx, redacted_by FROM countersign.details \
     WHERE idx >= $1 AND idx < $2 AND redacted_by IS NOT NULL ORDER BY idx";
const BLOB: &str = "SELECT body FROM countersign.blobs WHERE sha256 = $1";
const RECORD: &str = "SELECT id, seq, status, body FROM countersign.records WHERE kind = $1 AND id = $2";
// No id sorts above U+10FFFF, so it stands for "from the newest".
const RECORDS: &str = "SELECT id, seq, status, body FROM countersign.records \
     WHERE kind = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
const RECORDS_IN: &str = "SELECT id, seq, status, body FROM countersign.records \
     WHERE kind = $1 AND id < $2 AND status = $4 ORDER BY id DESC LIMIT $3";
const FROM_THE_NEWEST: &str = "\u{10FFFF}";
const IDEMPOTENCY: &str = "SELECT body_sha256, first_idx, entry_count, time_ms FROM countersign.idempotency \
     WHERE actor = $1 AND key = $2";
const SNAPSHOT: &str = "SELECT size, root, state FROM countersign.snapshot WHERE id = 0";
const CHECKPOINTS: &str =
    "SELECT size, note FROM countersign.checkpoints WHERE size > $1 ORDER BY size LIMIT $2";
const LATEST_CHECKPOINT: &str = "SELECT size, note FROM countersign.checkpoints ORDER BY size DESC LIMIT 1";
const LEAF_HASHES: &str =
    "SELECT leaf_hash FROM countersign.entries WHERE idx >= $1 AND idx < $2 ORDER BY idx";
const NODE_HASHES: &str =
    "SELECT hash FROM countersign.nodes WHERE level = $3 AND idx >= $1 AND idx < $2 ORDER BY idx";

impl<Role: Send> Postgres<Role> {
    fn one<T>(
        &mut self,
        sql: &'static str,
        values: Values<'_>,
        decode: impl FnOnce(&Row) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.connection.rows(sql, values)?.first().map(decode).transpose()
    }

    fn all<T>(
        &mut self,
        sql: &'static str,
        values: Values<'_>,
        decode: impl Fn(&Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.connection.rows(sql, values)?.iter().map(decode).collect()
    }
}

impl<Role: Send> Reader for Postgres<Role> {
    fn head(&mut self) -> Result<Head, StoreError> {
        self.one(HEAD, &[], decode_head)?.ok_or_else(|| unreadable("head"))
    }

    fn entries(&mut self, from: u64, limit: usize) -> Result<Vec<StoredEntry>, StoreError> {
        let Ok(from) = i64::try_from(from) else { return Ok(Vec::new()) };
        self.all(ENTRIES, &[&from, &bound(limit)], decode_entry)
    }

    fn entries_of(
        &mut self,
        subject: &str,
        after_seq: u32,
        limit: usize,
    ) -> Result<Vec<StoredEntry>, StoreError> {
        if !is_storable(subject) {
            return Ok(Vec::new());
        }
        self.all(ENTRIES_OF, &[&subject, &i64::from(after_seq), &bound(limit)], decode_entry)
    }

    fn subjects(&mut self, size: u64, after: &str, limit: usize) -> Result<Vec<Counted>, StoreError> {
        self.all(SUBJECTS, &[&after, &integer(size)?, &bound(limit)], |row| {
            let count = u32::try_from(unsigned(row, 1)?).map_err(|_| unreadable("count"))?;
            Ok(Counted { subject: cell(row, 0)?, count, last: unsigned(row, 2)? })
        })
    }

    fn details(&mut self, index: u64) -> Result<Option<Details>, StoreError> {
        self.one(DETAILS, &[&integer(index)?], |row| {
            Ok(Details { salt: bytes(row, 0)?, body: cell(row, 1)? })
        })
    }

    fn details_in(&mut self, range: Range<u64>) -> Result<Vec<(u64, Details)>, StoreError> {
        self.all(DETAILS_IN, &[&integer(range.start)?, &integer(range.end)?], |row| {
            Ok((unsigned(row, 0)?, Details { salt: bytes(row, 1)?, body: cell(row, 2)? }))
        })
    }

    fn redactions_in(&mut self, range: Range<u64>) -> Result<Vec<Redaction>, StoreError> {
        self.all(REDACTIONS_IN, &[&integer(range.start)?, &integer(range.end)?], |row| {
            Ok(Redaction { index: unsigned(row, 0)?, by: unsigned(row, 1)? })
        })
    }

    fn blob(&mut self, sha256: &Hash) -> Result<Option<Vec<u8>>, StoreError> {
        self.one(BLOB, &[&&sha256.0[..]], |row| cell(row, 0))
    }

    fn record(&mut self, kind: &'static str, id: &str) -> Result<Option<Record>, StoreError> {
        if !is_storable(id) {
            return Ok(None);
        }
        self.one(RECORD, &[&kind, &id], |row| decode_record(kind, row))
    }

    fn records(&mut self, query: &RecordQuery) -> Result<Vec<Record>, StoreError> {
        let RecordQuery { kind, status, before, limit } = query;
        let before = before.as_deref().unwrap_or(FROM_THE_NEWEST);
        // Nothing stored has a zero in it, so what sorts below is the same with and without.
        let (before, limit) = (before.split('\0').next().unwrap_or_default(), bound(*limit));
        let decode = |row: &Row| decode_record(kind, row);
        match status {
            None => self.all(RECORDS, &[kind, &before, &limit], decode),
            Some(status) if !is_storable(status) => Ok(Vec::new()),
            Some(status) => self.all(RECORDS_IN, &[kind, &before, &limit, status], decode),
        }
    }

    fn idempotency(&mut self, actor: &str, key: &str) -> Result<Option<Idempotency>, StoreError> {
        if !is_storable(actor) || !is_storable(key) {
            return Ok(None);
        }
        self.one(IDEMPOTENCY, &[&actor, &key], |row| {
            Ok(Idempotency {
                actor: actor.to_owned(),
                key: key.to_owned(),
                body_sha256: Hash(bytes(row, 0)?),
                first: unsigned(row, 1)?,
                count: u32::try_from(unsigned(row, 2)?).map_err(|_| unreadable("count"))?,
                time_ms: cell(row, 3)?,
            })
        })
    }

    fn snapshot(&mut self) -> Result<Option<Snapshot>, StoreError> {
        self.one(SNAPSHOT, &[], |row| {
            Ok(Snapshot { size: unsigned(row, 0)?, root: Hash(bytes(row, 1)?), state: cell(row, 2)? })
        })
    }

    fn checkpoints(&mut self, after: u64, limit: usize) -> Result<Vec<StoredCheckpoint>, StoreError> {
        let Ok(after) = i64::try_from(after) else { return Ok(Vec::new()) };
        self.all(CHECKPOINTS, &[&after, &bound(limit)], decode_checkpoint)
    }

    fn latest_checkpoint(&mut self) -> Result<Option<StoredCheckpoint>, StoreError> {
        self.one(LATEST_CHECKPOINT, &[], decode_checkpoint)
    }

    fn hashes(&mut self, level: u8, range: Range<u64>) -> Result<Vec<Hash>, StoreError> {
        let (from, until) = (integer(range.start)?, integer(range.end)?);
        let decode = |row: &Row| Ok(Hash(bytes(row, 0)?));
        if level == 0 {
            self.all(LEAF_HASHES, &[&from, &until], decode)
        } else {
            self.all(NODE_HASHES, &[&from, &until, &i16::from(level)], decode)
        }
    }
}

fn decode_head(row: &Row) -> Result<Head, StoreError> {
    let frontier: &[u8] = cell(row, 2)?;
    let (hashes, rest) = frontier.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(unreadable("head"));
    }
    let hashes = hashes.iter().copied().map(Hash).collect();
    let tree = CompactRange::from_parts(unsigned(row, 0)?, hashes).map_err(|_| unreadable("head"))?;
    Ok(Head { tree, time_ms: cell(row, 1)? })
}

fn decode_entry(row: &Row) -> Result<StoredEntry, StoreError> {
    Ok(StoredEntry {
        index: unsigned(row, 0)?,
        leaf_hash: Hash(bytes(row, 1)?),
        subject: cell(row, 2)?,
        subject_seq: u32::try_from(unsigned(row, 3)?).map_err(|_| unreadable("entry"))?,
        leaf: cell(row, 4)?,
    })
}

fn decode_record(kind: &'static str, row: &Row) -> Result<Record, StoreError> {
    let seq = u32::try_from(unsigned(row, 1)?).map_err(|_| unreadable("record"))?;
    Ok(Record { kind, id: cell(row, 0)?, seq, status: cell(row, 2)?, body: cell(row, 3)? })
}

fn decode_checkpoint(row: &Row) -> Result<StoredCheckpoint, StoreError> {
    Ok(StoredCheckpoint { size: unsigned(row, 0)?, note: cell(row, 1)? })
}

/// PostgreSQL's text holds no zero, so nothing that has one is stored.
fn is_storable(text: &str) -> bool {
    !text.contains('\0')
}

fn cell<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, StoreError> {
    row.try_get(column).map_err(|_| unreadable("row"))
}

fn bytes<const N: usize>(row: &Row, column: usize) -> Result<[u8; N], StoreError> {
    let bytes: &[u8] = cell(row, column)?;
    bytes.try_into().map_err(|_| unreadable("row"))
}

fn unsigned(row: &Row, column: usize) -> Result<u64, StoreError> {
    u64::try_from(cell::<i64>(row, column)?).map_err(|_| unreadable("number"))
}

fn bound(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
