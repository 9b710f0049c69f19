//! Writing: one statement per batch, and the three small writes beside it.
//!
//! The batch goes to the server as columns, and a function there writes it if the log is where the batch expects it; the migration says
//! how. Alone that is a transaction of its own, one round trip. After a lost race the head is held first, and then it is two.

use countersign_core::time::Time;
use countersign_ledger::hash::Hash;

use super::connection::{Connection, Failure};
use super::errors::unreadable;
use crate::store::fence::{self, integer};
use crate::store::{Batch, Snapshot, StoreError, StoredCheckpoint};

const APPEND: &str = "SELECT countersign.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
     $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29)";

/// Holds the head until the transaction ends. Who waits for it is served in turn, which comparing and trying again is not.
pub(super) const HOLD_HEAD: &str = "SELECT size FROM countersign.head WHERE id = 0 FOR UPDATE";

// An older one never replaces a newer: several nodes save.
const SAVE_SNAPSHOT: &str = "INSERT INTO countersign.snapshot AS kept (id, size, root, state) VALUES (0, $1, $2, $3) \
     ON CONFLICT (id) DO UPDATE SET size = excluded.size, root = excluded.root, state = excluded.state \
     WHERE excluded.size >= kept.size";
// One of a size already kept replaces it if it says as much: the same statement with more signatures, never with fewer.
const SAVE_CHECKPOINT: &str = "INSERT INTO countersign.checkpoints AS kept (size, note) VALUES ($1, $2) \
     ON CONFLICT (size) DO UPDATE SET note = excluded.note \
     WHERE octet_length(excluded.note) >= octet_length(kept.note)";
const TIME: &str = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
const FORGET_IDEMPOTENCY: &str = "DELETE FROM countersign.idempotency WHERE time_ms < $1";

/// Frees what was emptied, so that it is overwritten by what comes; a role that may not is told so by the server and nothing else happens.
const CLEAN: &str = "VACUUM (INDEX_CLEANUP OFF, TRUNCATE OFF) countersign.details";

pub(super) fn append(connection: &mut Connection, batch: &Batch) -> Result<(), StoreError> {
    fence::well_formed(batch)?;
    let claimed = connection.is_claimed();
    let found = match write(connection, batch) {
        Ok(found) => found,
        // Its transaction was open: it is undone.
        Err(Failure::Lost(error)) if claimed => return Err(error),
        Err(Failure::Lost(error)) => return Err(StoreError::Unknown(error.to_string())),
        Err(failure) => {
            connection.release();
            return Err(failure.into());
        }
    };
    if found != batch.expected_size {
        connection.release();
        return Err(StoreError::Conflict { expected: batch.expected_size, found });
    }
    if claimed {
        match connection.commit() {
            Ok(()) => {}
            Err(Failure::Lost(error)) => return Err(StoreError::Unknown(error.to_string())),
            Err(failure) => return Err(failure.into()),
        }
    }
    if !batch.redactions.is_empty()
        && let Err(failure) = connection.run(CLEAN)
    {
        let error = StoreError::from(failure);
        tracing::warn!(%error, "what was redacted is not freed yet; the server's own vacuum does it later");
    }
    Ok(())
}

/// Sends the batch and gives back the size the log was found at.
fn write(connection: &mut Connection, batch: &Batch) -> Result<u64, Failure> {
    let numbers = Numbers::of(batch).map_err(Failure::NotSent)?;
    let frontier: Vec<u8> = batch.head.tree.hashes().iter().flat_map(|hash| hash.0).collect();
    let Batch { entries, nodes, blobs, records, idempotency, .. } = batch;
    let detailed: Vec<_> = entries.iter().filter_map(|entry| entry.details.as_ref()).collect();
    let rows = connection.once(
        APPEND,
        &[
            &numbers.expected,
            &numbers.size,
            &batch.head.time_ms,
            &frontier,
            &column(entries, |entry| &entry.leaf_hash.0[..]),
            &column(entries, |entry| entry.subject.as_str()),
            &column(entries, |entry| i64::from(entry.subject_seq)),
            &column(entries, |entry| entry.leaf.as_slice()),
            &numbers.detailed,
            &column(&detailed, |details| &details.salt[..]),
            &column(&detailed, |details| details.body.as_slice()),
            &numbers.redacted,
            &numbers.redacted_by,
            &column(nodes, |node| i16::from(node.level)),
            &numbers.nodes,
            &column(nodes, |node| &node.hash.0[..]),
            &column(blobs, |(Hash(sha256), _)| &sha256[..]),
            &column(blobs, |(_, body)| body.as_slice()),
            &column(records, |record| record.kind),
            &column(records, |record| record.id.as_str()),
            &column(records, |record| i64::from(record.seq)),
            &column(records, |record| record.status.as_str()),
            &column(records, |record| record.body.as_slice()),
            &column(idempotency, |row| row.actor.as_str()),
            &column(idempotency, |row| row.key.as_str()),
            &column(idempotency, |row| &row.body_sha256.0[..]),
            &numbers.firsts,
            &column(idempotency, |row| i64::from(row.count)),
            &column(idempotency, |row| row.time_ms),
        ],
    )?;
    let found = rows.first().and_then(|row| row.try_get::<_, i64>(0).ok());
    let found = found.and_then(|found| u64::try_from(found).ok());
    found.ok_or_else(|| Failure::Said(unreadable("head")))
}

fn column<'a, T, C>(rows: &'a [T], cell: impl Fn(&'a T) -> C) -> Vec<C> {
    rows.iter().map(cell).collect()
}

/// What is numbered without a sign here and with one there.
struct Numbers {
    expected: i64,
    size: i64,
    detailed: Vec<i64>,
    redacted: Vec<i64>,
    redacted_by: Vec<i64>,
    nodes: Vec<i64>,
    firsts: Vec<i64>,
}

impl Numbers {
    fn of(batch: &Batch) -> Result<Self, StoreError> {
        let places = (batch.expected_size..).zip(&batch.entries);
        let detailed = places.filter(|(_, entry)| entry.details.is_some());
        Ok(Self {
            expected: integer(batch.expected_size)?,
            size: integer(batch.head.size())?,
            detailed: detailed.map(|(index, _)| integer(index)).collect::<Result<_, _>>()?,
            redacted: integers(batch.redactions.iter().map(|it| it.index))?,
            redacted_by: integers(batch.redactions.iter().map(|it| it.by))?,
            nodes: integers(batch.nodes.iter().map(|it| it.index))?,
            firsts: integers(batch.idempotency.iter().map(|it| it.first))?,
        })
    }
}

fn integers(numbers: impl Iterator<Item = u64>) -> Result<Vec<i64>, StoreError> {
    numbers.map(integer).collect()
}

pub(super) fn save_snapshot(connection: &mut Connection, snapshot: &Snapshot) -> Result<(), StoreError> {
    let Snapshot { size, root, state } = snapshot;
    connection.rows(SAVE_SNAPSHOT, &[&integer(*size)?, &&root.0[..], state])?;
    Ok(())
}

pub(super) fn save_checkpoint(
    connection: &mut Connection,
    checkpoint: &StoredCheckpoint,
) -> Result<(), StoreError> {
    connection.rows(SAVE_CHECKPOINT, &[&integer(checkpoint.size)?, &checkpoint.note])?;
    Ok(())
}

pub(super) fn forget_idempotency(connection: &mut Connection, before_ms: i64) -> Result<(), StoreError> {
    connection.rows(FORGET_IDEMPOTENCY, &[&before_ms])?;
    Ok(())
}

pub(super) fn time(connection: &mut Connection) -> Result<Time, StoreError> {
    let rows = connection.rows(TIME, &[])?;
    let millis = rows.first().and_then(|row| row.try_get(0).ok());
    millis.map(Time::from_millis).ok_or_else(|| StoreError::Unavailable("the database tells no time".into()))
}
