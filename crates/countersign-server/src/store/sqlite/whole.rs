//! Listing everything, and taking sealed secrets over from another store: for a ledger that is moved.

use countersign_ledger::hash::Hash;
use rusqlite::{TransactionBehavior, params};

use super::errors::unreadable;
use super::{Sqlite, SqliteStore};
use crate::store::copy::{self, SealedRow, Target, Whole};
use crate::store::{Idempotency, Record, StoreError};

// No name is empty, so nothing stands for "from the first".
const BLOBS: &str = "SELECT sha256, body FROM blobs WHERE sha256 > ?1 ORDER BY sha256 LIMIT ?2";
const RECORDS: &str = "SELECT kind, id, seq, status, body FROM records \
     WHERE (kind, id) > (?1, ?2) ORDER BY kind, id LIMIT ?3";
const ANSWERS: &str = "SELECT actor, key, body_sha256, first_idx, entry_count, time_ms FROM idempotency \
     WHERE (actor, key) > (?1, ?2) ORDER BY actor, key LIMIT ?3";
const SEALED: &str = "SELECT name, environment, version, stage, rotation, nonce, sealed FROM secrets \
     ORDER BY name, environment, version";
const SEAL: &str = "INSERT INTO secrets (name, environment, version, stage, rotation, nonce, sealed) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

impl<Role: Send> Whole for Sqlite<Role> {
    fn blobs_after(&mut self, after: Option<Hash>, limit: usize) -> Result<Vec<(Hash, Vec<u8>)>, StoreError> {
        let after = after.map(|Hash(name)| name.to_vec()).unwrap_or_default();
        self.all(BLOBS, params![after, bound(limit)], |row| Ok((Hash(row.get(0)?), row.get(1)?)))
    }

    fn records_after(&mut self, (kind, id): (&str, &str), limit: usize) -> Result<Vec<Record>, StoreError> {
        self.all(RECORDS, params![kind, id, bound(limit)], |row| {
            let kind = copy::kind(&row.get::<_, String>(0)?)?;
            Ok(Record { kind, id: row.get(1)?, seq: row.get(2)?, status: row.get(3)?, body: row.get(4)? })
        })
    }

    fn answers_after(
        &mut self,
        (actor, key): (&str, &str),
        limit: usize,
    ) -> Result<Vec<Idempotency>, StoreError> {
        self.all(ANSWERS, params![actor, key, bound(limit)], |row| {
            let first = u64::try_from(row.get::<_, i64>(3)?).map_err(|_| unreadable("number"))?;
            Ok(Idempotency {
                actor: row.get(0)?,
                key: row.get(1)?,
                body_sha256: Hash(row.get(2)?),
                first,
                count: row.get(4)?,
                time_ms: row.get(5)?,
            })
        })
    }

    fn sealed(&mut self) -> Result<Vec<SealedRow>, StoreError> {
        self.all(SEALED, params![], |row| {
            Ok(SealedRow {
                name: row.get(0)?,
                environment: row.get(1)?,
                version: row.get(2)?,
                stage: row.get(3)?,
                rotation: row.get(4)?,
                nonce: row.get(5)?,
                sealed: row.get(6)?,
            })
        })
    }
}

impl Target for SqliteStore {
    fn replace_sealed(&mut self, rows: &[SealedRow]) -> Result<(), StoreError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("DELETE FROM secrets", [])?;
        for SealedRow { name, environment, version, stage, rotation, nonce, sealed } in rows {
            let row = params![name, environment, version, stage, rotation, nonce, sealed];
            transaction.prepare_cached(SEAL)?.execute(row)?;
        }
        transaction.commit()?;
        Ok(())
    }
}

fn bound(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
