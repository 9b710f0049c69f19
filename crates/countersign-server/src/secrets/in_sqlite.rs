//! Rows of secrets in the file of the embedded store, on a connection of its own. Deleted rows are overwritten (`secure_delete`) and the
//! write-ahead log is emptied after them.

use countersign_core::secret::SecretKey;
use rusqlite::{Connection, Row, params};

use super::SecretError;
use super::rows::{Rows, Stored};
use super::sealing::{SealedValue, Slot};
use crate::store::StoreError;

const INSERT: &str = "INSERT INTO secrets (name, environment, version, stage, rotation, nonce, sealed) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const SELECT: &str = "SELECT version, stage, rotation, nonce, sealed FROM secrets \
     WHERE name = ?1 AND environment = ?2 ORDER BY version";
const NAMES: &str =
    "SELECT DISTINCT name FROM secrets WHERE name >= ?1 AND name < ?2 AND environment = ?3 ORDER BY name";
const DELETE_ALL: &str = "DELETE FROM secrets WHERE name = ?1 AND environment = ?2";
const RESTAGE: &str = "UPDATE secrets SET stage = ?4, nonce = ?5, sealed = ?6 \
     WHERE name = ?1 AND environment = ?2 AND version = ?3";
const DELETE: &str =
    "DELETE FROM secrets WHERE name = ?1 AND environment = ?2 AND version = ?3 AND stage = ?4";

#[derive(Debug)]
pub(super) struct InSqlite(Connection);

impl InSqlite {
    pub(super) fn on(connection: Connection) -> Result<Self, SecretError> {
        connection.pragma_update(None, "secure_delete", true)?;
        Ok(Self(connection))
    }
}

impl Rows for InSqlite {
    fn begin(&mut self) -> Result<(), SecretError> {
        if !self.0.is_autocommit() {
            self.0.execute_batch("ROLLBACK")?;
        }
        Ok(self.0.execute_batch("BEGIN IMMEDIATE")?)
    }

    fn commit(&mut self) -> Result<(), SecretError> {
        Ok(self.0.execute_batch("COMMIT")?)
    }

    fn undo(&mut self) {
        if let Err(error) = self.0.execute_batch("ROLLBACK") {
            tracing::debug!(%error, "there was nothing to undo");
        }
    }

    fn load(&mut self, key: &SecretKey) -> Result<Vec<Stored>, SecretError> {
        let mut statement = self.0.prepare_cached(SELECT)?;
        let mut rows = statement.query(params![key.resource.as_str(), key.environment.as_str()])?;
        let mut stored = Vec::new();
        while let Some(row) = rows.next()? {
            stored.push(decode(key, row)?);
        }
        Ok(stored)
    }

    fn insert(
        &mut self,
        Slot { key, version, stage }: Slot<'_>,
        rotation: Option<&str>,
        value: &SealedValue,
    ) -> Result<(), SecretError> {
        let (name, environment) = (key.resource.as_str(), key.environment.as_str());
        let SealedValue { nonce, sealed } = value;
        let row = params![name, environment, version, stage.as_str(), rotation, nonce, sealed];
        self.0.execute(INSERT, row)?;
        Ok(())
    }

    fn restage(
        &mut self,
        Slot { key, version, stage }: Slot<'_>,
        value: &SealedValue,
    ) -> Result<u64, SecretError> {
        let (name, environment) = (key.resource.as_str(), key.environment.as_str());
        let row = params![name, environment, version, stage.as_str(), value.nonce, value.sealed];
        Ok(count(self.0.execute(RESTAGE, row)?))
    }

    fn delete(&mut self, Slot { key, version, stage }: Slot<'_>) -> Result<u64, SecretError> {
        let row = params![key.resource.as_str(), key.environment.as_str(), version, stage.as_str()];
        Ok(count(self.0.execute(DELETE, row)?))
    }

    fn delete_all(&mut self, key: &SecretKey) -> Result<u64, SecretError> {
        let row = params![key.resource.as_str(), key.environment.as_str()];
        Ok(count(self.0.execute(DELETE_ALL, row)?))
    }

    fn names(&mut self, [first, end]: [&str; 2], environment: &str) -> Result<Vec<String>, SecretError> {
        let mut statement = self.0.prepare_cached(NAMES)?;
        let names = statement.query_map(params![first, end, environment], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    }

    /// The write-ahead log may still hold the page as it was. A reader in the middle of a transaction can keep it from being
    /// emptied; then the next checkpoint does it, and until then only ciphertext remains.
    fn clean(&mut self) {
        let emptied = self.0.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        match emptied {
            Ok(0_i64) => {}
            Ok(_) => tracing::warn!("a reader keeps a removed ciphertext in the write-ahead log for now"),
            Err(error) => tracing::warn!(%error, "a removed ciphertext stays in the write-ahead log for now"),
        }
    }
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}

fn decode(key: &SecretKey, row: &Row<'_>) -> Result<Stored, SecretError> {
    let (stage, value): (String, _) = (row.get(1)?, SealedValue { nonce: row.get(3)?, sealed: row.get(4)? });
    Stored::read(key, (row.get(0)?, &stage, row.get(2)?), value)
}

impl From<rusqlite::Error> for SecretError {
    fn from(error: rusqlite::Error) -> Self {
        StoreError::from(error).into()
    }
}
