//! Listing everything, and taking sealed secrets over from another store: for a ledger that is moved.

use countersign_ledger::hash::Hash;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::connection::{Connection, Failure};
use super::errors::unreadable;
use super::{Postgres, PostgresStore};
use crate::store::copy::{self, SealedRow, Target, Whole};
use crate::store::{Idempotency, Record, StoreError};

// No name is empty, so nothing stands for "from the first".
const BLOBS: &str = "SELECT sha256, body FROM countersign.blobs WHERE sha256 > $1 ORDER BY sha256 LIMIT $2";
const RECORDS: &str = "SELECT kind, id, seq, status, body FROM countersign.records \
     WHERE (kind, id) > ($1, $2) ORDER BY kind, id LIMIT $3";
const ANSWERS: &str = "SELECT actor, key, body_sha256, first_idx, entry_count, time_ms FROM countersign.idempotency \
     WHERE (actor, key) > ($1, $2) ORDER BY actor, key LIMIT $3";
const SEALED: &str = "SELECT name, environment, version, stage, rotation, nonce, sealed FROM countersign.secrets \
     ORDER BY name, environment, version";
const BEGIN: &str = "BEGIN; LOCK TABLE countersign.secrets IN SHARE ROW EXCLUSIVE MODE";
const CLEAR: &str = "DELETE FROM countersign.secrets";
const SEAL: &str = "INSERT INTO countersign.secrets (name, environment, version, stage, rotation, nonce, sealed) \
     VALUES ($1, $2, $3, $4, $5, $6, $7)";

impl<Role: Send> Whole for Postgres<Role> {
    fn blobs_after(&mut self, after: Option<Hash>, limit: usize) -> Result<Vec<(Hash, Vec<u8>)>, StoreError> {
        let after = after.map(|Hash(name)| name.to_vec()).unwrap_or_default();
        let rows = self.connection.rows(BLOBS, &[&after, &bound(limit)])?;
        rows.iter().map(|row| Ok((Hash(bytes(row, 0)?), cell(row, 1)?))).collect()
    }

    fn records_after(&mut self, (kind, id): (&str, &str), limit: usize) -> Result<Vec<Record>, StoreError> {
        let rows = self.connection.rows(RECORDS, &[&kind, &id, &bound(limit)])?;
        let record = |row: &Row| {
            Ok(Record {
                kind: copy::kind(cell(row, 0)?)?,
                id: cell(row, 1)?,
                seq: number(row, 2)?,
                status: cell(row, 3)?,
                body: cell(row, 4)?,
            })
        };
        rows.iter().map(record).collect()
    }

    fn answers_after(
        &mut self,
        (actor, key): (&str, &str),
        limit: usize,
    ) -> Result<Vec<Idempotency>, StoreError> {
        let rows = self.connection.rows(ANSWERS, &[&actor, &key, &bound(limit)])?;
        let answer = |row: &Row| {
            Ok(Idempotency {
                actor: cell(row, 0)?,
                key: cell(row, 1)?,
                body_sha256: Hash(bytes(row, 2)?),
                first: number(row, 3)?,
                count: number(row, 4)?,
                time_ms: cell(row, 5)?,
            })
        };
        rows.iter().map(answer).collect()
    }

    fn sealed(&mut self) -> Result<Vec<SealedRow>, StoreError> {
        let rows = self.connection.rows(SEALED, &[])?;
        let row = |row: &Row| {
            Ok(SealedRow {
                name: cell(row, 0)?,
                environment: cell(row, 1)?,
                version: cell(row, 2)?,
                stage: cell(row, 3)?,
                rotation: cell(row, 4)?,
                nonce: cell(row, 5)?,
                sealed: cell(row, 6)?,
            })
        };
        rows.iter().map(row).collect()
    }
}

impl Target for PostgresStore {
    fn replace_sealed(&mut self, rows: &[SealedRow]) -> Result<(), StoreError> {
        self.connection.begin(BEGIN)?;
        if let Err(error) = replace(&mut self.connection, rows) {
            self.connection.release();
            return Err(error);
        }
        match self.connection.commit() {
            Err(Failure::Lost(error)) => Err(StoreError::Unknown(error.to_string())),
            ended => Ok(ended?),
        }
    }
}

fn replace(connection: &mut Connection, rows: &[SealedRow]) -> Result<(), StoreError> {
    connection.rows(CLEAR, &[])?;
    for SealedRow { name, environment, version, stage, rotation, nonce, sealed } in rows {
        connection.rows(SEAL, &[name, environment, version, stage, rotation, nonce, sealed])?;
    }
    Ok(())
}

fn cell<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, StoreError> {
    row.try_get(column).map_err(|_| unreadable("row"))
}

fn bytes<const N: usize>(row: &Row, column: usize) -> Result<[u8; N], StoreError> {
    let bytes: &[u8] = cell(row, column)?;
    bytes.try_into().map_err(|_| unreadable("row"))
}

fn number<T: TryFrom<i64>>(row: &Row, column: usize) -> Result<T, StoreError> {
    T::try_from(cell::<i64>(row, column)?).map_err(|_| unreadable("number"))
}

fn bound(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
