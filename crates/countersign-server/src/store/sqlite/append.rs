//! Writing: one transaction per batch, and the three small writes beside it.
//!
//! The head row is moved first and only if it stands where the batch expects it, so a writer that lost the race writes
//! nothing. Every later statement says how many rows it must change; anything else undoes the whole batch.

use countersign_ledger::hash::Hash;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::scrub;
use crate::store::fence::{self, integer};
use crate::store::{Batch, Snapshot, StoreError, StoredCheckpoint};

const ADVANCE_HEAD: &str =
    "UPDATE head SET size = ?1, time_ms = ?2, frontier = ?3 WHERE id = 0 AND size = ?4";
// The entry before it must exist, unless it is the subject's first: a gap cannot be written. A duplicate meets the UNIQUE.
const INSERT_ENTRY: &str = "INSERT INTO entries (idx, leaf_hash, subject, subject_seq, leaf) SELECT ?1, ?2, ?3, ?4, ?5 \
     WHERE ?4 = 1 OR EXISTS (SELECT 1 FROM entries WHERE subject = ?3 AND subject_seq = ?4 - 1)";
const INSERT_DETAILS: &str = "INSERT INTO details (idx, salt, body) VALUES (?1, ?2, ?3)";
const INSERT_NODE: &str = "INSERT INTO nodes (level, idx, hash) VALUES (?1, ?2, ?3)";
const UPSERT_RECORD: &str = "INSERT INTO records (kind, id, seq, status, body) VALUES (?1, ?2, ?3, ?4, ?5) \
     ON CONFLICT (kind, id) DO UPDATE SET seq = excluded.seq, status = excluded.status, body = excluded.body";
const INSERT_BLOB: &str = "INSERT INTO blobs (sha256, body) VALUES (?1, ?2) ON CONFLICT (sha256) DO NOTHING";
const INSERT_IDEMPOTENCY: &str = "INSERT INTO idempotency \
     (actor, key, body_sha256, first_idx, entry_count, time_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

pub(super) fn append(connection: &mut Connection, batch: &Batch) -> Result<(), StoreError> {
    fence::well_formed(batch)?;
    if batch.redactions.is_empty() {
        return write(connection, batch);
    }
    scrub::begin(connection)?;
    let written = write(connection, batch);
    scrub::keep_clean(connection)?;
    written
}

fn write(connection: &mut Connection, batch: &Batch) -> Result<(), StoreError> {
    // IMMEDIATE takes the write lock at once, so the comparison and the writes see the same state.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    advance_head(&transaction, batch)?;
    insert_entries(&transaction, batch)?;
    scrub::redact(&transaction, &batch.redactions)?;
    insert_nodes(&transaction, batch)?;
    insert_blobs(&transaction, batch)?;
    upsert_records(&transaction, batch)?;
    insert_idempotency(&transaction, batch)?;
    transaction.commit()?;
    Ok(())
}

fn advance_head(transaction: &Transaction<'_>, batch: &Batch) -> Result<(), StoreError> {
    let frontier: Vec<u8> = batch.head.tree.hashes().iter().flat_map(|hash| hash.0).collect();
    let sizes = (integer(batch.head.size())?, integer(batch.expected_size)?);
    let moved = transaction.prepare_cached(ADVANCE_HEAD)?.execute(params![
        sizes.0,
        batch.head.time_ms,
        frontier,
        sizes.1
    ])?;
    if moved == 1 {
        return Ok(());
    }
    let found: i64 = transaction.query_row("SELECT size FROM head WHERE id = 0", [], |row| row.get(0))?;
    let found = u64::try_from(found).map_err(|_| super::errors::unreadable("head"))?;
    Err(StoreError::Conflict { expected: batch.expected_size, found })
}

fn insert_entries(transaction: &Transaction<'_>, batch: &Batch) -> Result<(), StoreError> {
    let mut insert_entry = transaction.prepare_cached(INSERT_ENTRY)?;
    let mut insert_details = transaction.prepare_cached(INSERT_DETAILS)?;
    for (index, entry) in (batch.expected_size..).zip(&batch.entries) {
        let index = integer(index)?;
        let row = params![index, entry.leaf_hash.0, entry.subject, entry.subject_seq, entry.leaf];
        if insert_entry.execute(row)? != 1 {
            return Err(fence::out_of_sequence(&entry.subject, entry.subject_seq));
        }
        if let Some(details) = &entry.details {
            insert_details.execute(params![index, details.salt, details.body])?;
        }
    }
    Ok(())
}

fn insert_nodes(transaction: &Transaction<'_>, batch: &Batch) -> Result<(), StoreError> {
    let mut insert = transaction.prepare_cached(INSERT_NODE)?;
    for node in &batch.nodes {
        insert.execute(params![node.level, integer(node.index)?, node.hash.0])?;
    }
    Ok(())
}

fn insert_blobs(transaction: &Transaction<'_>, batch: &Batch) -> Result<(), StoreError> {
    let mut insert = transaction.prepare_cached(INSERT_BLOB)?;
    for (Hash(sha256), body) in &batch.blobs {
        insert.execute(params![sha256, body])?;
    }
    Ok(())
}

fn upsert_records(transaction: &Transaction<'_>, batch: &Batch) -> Result<(), StoreError> {
    let mut upsert = transaction.prepare_cached(UPSERT_RECORD)?;
    for record in &batch.records {
        upsert.execute(params![record.kind, record.id, record.seq, record.status, record.body])?;
    }
    Ok(())
}

fn insert_idempotency(transaction: &Transaction<'_>, batch: &Batch) -> Result<(), StoreError> {
    let mut insert = transaction.prepare_cached(INSERT_IDEMPOTENCY)?;
    for row in &batch.idempotency {
        let first = integer(row.first)?;
        insert.execute(params![row.actor, row.key, row.body_sha256.0, first, row.count, row.time_ms])?;
    }
    Ok(())
}

pub(super) fn save_snapshot(connection: &Connection, snapshot: &Snapshot) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO snapshot (id, size, root, state) VALUES (0, ?1, ?2, ?3)")?
        .execute(params![integer(snapshot.size)?, snapshot.root.0, snapshot.state])?;
    Ok(())
}

/// A checkpoint of a size already kept replaces it: the same statement with more signatures.
pub(super) fn save_checkpoint(
    connection: &Connection,
    checkpoint: &StoredCheckpoint,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO checkpoints (size, note) VALUES (?1, ?2)")?
        .execute(params![integer(checkpoint.size)?, checkpoint.note])?;
    Ok(())
}

pub(super) fn forget_idempotency(connection: &Connection, before_ms: i64) -> Result<(), StoreError> {
    connection.prepare_cached("DELETE FROM idempotency WHERE time_ms < ?1")?.execute(params![before_ms])?;
    Ok(())
}
