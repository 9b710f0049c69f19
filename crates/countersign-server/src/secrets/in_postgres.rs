//! Rows of secrets in the PostgreSQL of the ledger, on a session of its own. One node changes them at a time; deleted rows are sealed,
//! and go when the server cleans up.

use countersign_core::secret::SecretKey;
use tokio_postgres::Row;

use super::SecretError;
use super::rows::{Rows, Stored};
use super::sealing::{SealedValue, Slot};
use crate::store::StoreError;
use crate::store::postgres::Beside;

/// Changes are rare and short, so they take turns; whoever only reads is not kept waiting.
const BEGIN: &str = "BEGIN; LOCK TABLE countersign.secrets IN SHARE ROW EXCLUSIVE MODE";
const INSERT: &str = "INSERT INTO countersign.secrets (name, environment, version, stage, rotation, nonce, sealed) \
     VALUES ($1, $2, $3, $4, $5, $6, $7)";
const SELECT: &str = "SELECT version, stage, rotation, nonce, sealed FROM countersign.secrets \
     WHERE name = $1 AND environment = $2 ORDER BY version";
const NAMES: &str = "SELECT DISTINCT name FROM countersign.secrets \
     WHERE name >= $1 AND name < $2 AND environment = $3 ORDER BY name";
const DELETE_ALL: &str =
    "DELETE FROM countersign.secrets WHERE name = $1 AND environment = $2 RETURNING version";
const RESTAGE: &str = "UPDATE countersign.secrets SET stage = $4, nonce = $5, sealed = $6 \
     WHERE name = $1 AND environment = $2 AND version = $3 RETURNING version";
const DELETE: &str = "DELETE FROM countersign.secrets \
     WHERE name = $1 AND environment = $2 AND version = $3 AND stage = $4 RETURNING version";

#[derive(Debug)]
pub(super) struct InPostgres(Beside);

impl InPostgres {
    pub(super) fn on(session: Beside) -> Self {
        Self(session)
    }
}

impl Rows for InPostgres {
    fn begin(&mut self) -> Result<(), SecretError> {
        Ok(self.0.begin(BEGIN)?)
    }

    fn commit(&mut self) -> Result<(), SecretError> {
        Ok(self.0.commit()?)
    }

    fn undo(&mut self) {
        self.0.undo();
    }

    fn load(&mut self, key: &SecretKey) -> Result<Vec<Stored>, SecretError> {
        let rows = self.0.rows(SELECT, &[&key.resource.as_str(), &key.environment.as_str()])?;
        rows.iter().map(|row| decode(key, row)).collect()
    }

    fn insert(
        &mut self,
        Slot { key, version, stage }: Slot<'_>,
        rotation: Option<&str>,
        value: &SealedValue,
    ) -> Result<(), SecretError> {
        let (name, environment) = (key.resource.as_str(), key.environment.as_str());
        let (version, nonce) = (i64::from(version), &value.nonce[..]);
        self.0.rows(
            INSERT,
            &[&name, &environment, &version, &stage.as_str(), &rotation, &nonce, &value.sealed],
        )?;
        Ok(())
    }

    fn restage(
        &mut self,
        Slot { key, version, stage }: Slot<'_>,
        value: &SealedValue,
    ) -> Result<u64, SecretError> {
        let (name, environment) = (key.resource.as_str(), key.environment.as_str());
        let (version, nonce) = (i64::from(version), &value.nonce[..]);
        count(
            &self
                .0
                .rows(RESTAGE, &[&name, &environment, &version, &stage.as_str(), &nonce, &value.sealed])?,
        )
    }

    fn delete(&mut self, Slot { key, version, stage }: Slot<'_>) -> Result<u64, SecretError> {
        let (name, environment) = (key.resource.as_str(), key.environment.as_str());
        count(&self.0.rows(DELETE, &[&name, &environment, &i64::from(version), &stage.as_str()])?)
    }

    fn delete_all(&mut self, key: &SecretKey) -> Result<u64, SecretError> {
        count(&self.0.rows(DELETE_ALL, &[&key.resource.as_str(), &key.environment.as_str()])?)
    }

    fn names(&mut self, [first, end]: [&str; 2], environment: &str) -> Result<Vec<String>, SecretError> {
        let rows = self.0.rows(NAMES, &[&first, &end, &environment])?;
        rows.iter().map(|row| row.try_get(0).map_err(|_| unreadable())).collect()
    }

    /// The server's own vacuum frees them.
    fn clean(&mut self) {}
}

fn count(rows: &[Row]) -> Result<u64, SecretError> {
    Ok(u64::try_from(rows.len()).unwrap_or(u64::MAX))
}

fn decode(key: &SecretKey, row: &Row) -> Result<Stored, SecretError> {
    let version = row.try_get(0).ok().and_then(|version: i64| u32::try_from(version).ok());
    let stage: &str = row.try_get(1).map_err(|_| unreadable())?;
    let rotation = row.try_get(2).map_err(|_| unreadable())?;
    let nonce = row.try_get(3).ok().and_then(|nonce: &[u8]| nonce.try_into().ok());
    let sealed = row.try_get(4).map_err(|_| unreadable())?;
    let value = SealedValue { nonce: nonce.ok_or_else(unreadable)?, sealed };
    Stored::read(key, (version.ok_or_else(unreadable)?, stage, rotation), value)
}

fn unreadable() -> SecretError {
    StoreError::Corrupt("a stored secret cannot be read".to_owned()).into()
}
