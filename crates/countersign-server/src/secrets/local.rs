//! The local secret store: sealed rows in the server's own database, on a connection of its own.
//!
//! A change of stage seals the value anew, because the stage is part of what the seal binds. Deleted rows are overwritten
//! (`secure_delete`) and the write-ahead log is emptied after them. Whoever holds the sealing key and the file has the secrets;
//! whoever has only the file does not.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_core::action::ResourceError;
use countersign_core::secret::SecretKey;
use countersign_core::text::Name;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params};

use super::sealing::{self, SealedValue, SealingKey, Slot};
use super::{SecretError, SecretStore, SecretValue, Stage};
use crate::store::{StoreError, sqlite};

const INSERT: &str = "INSERT INTO secrets (name, environment, version, stage, rotation, nonce, sealed) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const SELECT: &str = "SELECT version, stage, rotation, nonce, sealed FROM secrets \
     WHERE name = ?1 AND environment = ?2 ORDER BY version";
const NAMES: &str =
    "SELECT DISTINCT name FROM secrets WHERE name >= ?1 AND name < ?2 AND environment = ?3 ORDER BY name";
const FORGET: &str = "DELETE FROM secrets WHERE name = ?1 AND environment = ?2";
const RESTAGE: &str = "UPDATE secrets SET stage = ?4, nonce = ?5, sealed = ?6 \
     WHERE name = ?1 AND environment = ?2 AND version = ?3";
const DELETE: &str =
    "DELETE FROM secrets WHERE name = ?1 AND environment = ?2 AND version = ?3 AND stage = ?4";

/// Secrets in the server's own database.
#[derive(Debug)]
pub struct LocalSecrets {
    connection: Mutex<Connection>,
    sealing: SealingKey,
}

/// One row, still sealed.
struct Stored {
    version: u32,
    stage: Stage,
    rotation: Option<String>,
    value: SealedValue,
}

impl LocalSecrets {
    /// Opens the secrets of an existing ledger database.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be opened, `Corrupt` if it is not a ledger database.
    pub fn open(database: impl AsRef<Path>, sealing: SealingKey) -> Result<Self, SecretError> {
        Self::on(sqlite::beside_the_log(database.as_ref())?, sealing)
    }

    /// A store that lives as long as this value, for tests.
    ///
    /// # Errors
    /// `Unavailable` if there is no memory for it.
    pub fn in_memory(sealing: SealingKey) -> Result<Self, SecretError> {
        let connection = Connection::open_in_memory()?;
        connection.execute_batch(sqlite::schema::SECRETS)?;
        Self::on(connection, sealing)
    }

    fn on(connection: Connection, sealing: SealingKey) -> Result<Self, SecretError> {
        connection.pragma_update(None, "secure_delete", true)?;
        Ok(Self { connection: Mutex::new(connection), sealing })
    }

    // A transaction that a panic interrupted was rolled back when it was dropped, so the connection is usable.
    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one change with all versions of the secret before it; nothing is kept if it fails.
    fn change<T>(
        &self,
        key: &SecretKey,
        change: impl FnOnce(&Rows<'_>) -> Result<T, SecretError>,
    ) -> Result<T, SecretError> {
        let mut connection = self.connection();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let stored = load(&transaction, key)?;
        let rows = Rows { transaction: &transaction, sealing: &self.sealing, key, stored };
        let answer = change(&rows)?;
        transaction.commit()?;
        Ok(answer)
    }

    fn remove(&self, key: &SecretKey, version: u32, stage: Stage) -> Result<(), SecretError> {
        self.change(key, |rows| rows.remove(version, stage))?;
        self.empty_write_ahead_log();
        Ok(())
    }

    /// The write-ahead log may still hold the page as it was. A reader in the middle of a transaction can keep it from being
    /// emptied; then the next checkpoint does it, and until then only ciphertext remains: no reason to call the removal failed.
    fn empty_write_ahead_log(&self) {
        let emptied = self.connection().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        match emptied {
            Ok(0_i64) => {}
            Ok(_) => tracing::warn!("a reader keeps a removed ciphertext in the write-ahead log for now"),
            Err(error) => tracing::warn!(%error, "a removed ciphertext stays in the write-ahead log for now"),
        }
    }
}

impl SecretStore for LocalSecrets {
    fn adopt(&self, key: &SecretKey, version: u32, value: &SecretValue) -> Result<(), SecretError> {
        self.change(key, |rows| match rows.find(version) {
            Some(found) if found.stage == Stage::Current && rows.open(found)?.matches(value) => Ok(()),
            Some(found) => Err(SecretError::Refused(format!(
                "version {version} of {key} is already known, as {} and perhaps with another value",
                found.stage
            ))),
            None => rows.insert(Slot { key, version, stage: Stage::Current }, None, value),
        })
    }

    fn create_pending(
        &self,
        key: &SecretKey,
        version: u32,
        rotation: &str,
        fresh: &SecretValue,
    ) -> Result<SecretValue, SecretError> {
        self.change(key, |rows| {
            let made = rows.stored.iter().find(|row| row.rotation.as_deref() == Some(rotation));
            match made {
                Some(made) if made.version == version => rows.open(made),
                Some(made) => Err(SecretError::Refused(format!(
                    "rotation `{rotation}` already made version {} of {key}, not version {version}",
                    made.version
                ))),
                None => {
                    rows.insert(Slot { key, version, stage: Stage::Pending }, Some(rotation), fresh)?;
                    Ok(fresh.clone())
                }
            }
        })
    }

    fn promote(&self, key: &SecretKey, version: u32) -> Result<(), SecretError> {
        self.change(key, |rows| rows.make_current(version, Stage::Pending, Stage::Previous))
    }

    fn swap_back(&self, key: &SecretKey, version_to_restore: u32) -> Result<(), SecretError> {
        self.change(key, |rows| rows.make_current(version_to_restore, Stage::Previous, Stage::Pending))
    }

    fn delete_pending(&self, key: &SecretKey, version: u32) -> Result<(), SecretError> {
        self.remove(key, version, Stage::Pending)
    }

    fn destroy_previous(&self, key: &SecretKey, version: u32) -> Result<(), SecretError> {
        self.remove(key, version, Stage::Previous)
    }

    fn read(&self, key: &SecretKey, version: u32) -> Result<Option<SecretValue>, SecretError> {
        let stored = load(&self.connection(), key)?;
        let found = stored.iter().find(|row| row.version == version);
        found.map(|row| sealing::open(&self.sealing, slot(key, row), &row.value)).transpose()
    }

    fn versions(&self, key: &SecretKey) -> Result<Vec<(u32, Stage)>, SecretError> {
        Ok(load(&self.connection(), key)?.iter().map(|row| (row.version, row.stage)).collect())
    }

    fn of_type(&self, kind: &Name, environment: &Name) -> Result<Vec<SecretKey>, SecretError> {
        // `0` is what follows `/`.
        let bounds = [format!("{kind}/"), format!("{kind}0")];
        let connection = self.connection();
        let mut statement = connection.prepare_cached(NAMES)?;
        let rows =
            statement.query_map(params![bounds[0], bounds[1], environment.as_str()], |row| row.get(0))?;
        let key = |name: Result<String, rusqlite::Error>| {
            let resource =
                name?.parse().map_err(|error: ResourceError| SecretError::Corrupt(error.to_string()))?;
            Ok(SecretKey { resource, environment: environment.clone() })
        };
        rows.map(key).collect()
    }

    fn forget(&self, key: &SecretKey) -> Result<(), SecretError> {
        self.change(key, forget)?;
        self.empty_write_ahead_log();
        Ok(())
    }
}

/// All versions of one secret inside one transaction.
struct Rows<'a> {
    transaction: &'a Transaction<'a>,
    sealing: &'a SealingKey,
    key: &'a SecretKey,
    stored: Vec<Stored>,
}

impl Rows<'_> {
    fn find(&self, version: u32) -> Option<&Stored> {
        self.stored.iter().find(|row| row.version == version)
    }

    fn open(&self, row: &Stored) -> Result<SecretValue, SecretError> {
        sealing::open(self.sealing, slot(self.key, row), &row.value)
    }

    fn insert(&self, slot: Slot<'_>, rotation: Option<&str>, value: &SecretValue) -> Result<(), SecretError> {
        let Slot { key, version, stage } = slot;
        let current = self.stored.iter().find(|row| row.stage == Stage::Current && stage == Stage::Current);
        if let Some(current) = current {
            let what = format!("{key} already has a current version, {}", current.version);
            return Err(SecretError::Refused(what));
        }
        if let Some(found) = self.find(version) {
            let what = format!("version {version} of {key} already exists as {}", found.stage);
            return Err(SecretError::Refused(what));
        }
        let sealed = sealing::seal(self.sealing, slot, value)?;
        let row = params![
            key.resource.as_str(),
            key.environment.as_str(),
            version,
            stage.as_str(),
            rotation,
            sealed.nonce,
            sealed.sealed
        ];
        self.transaction.execute(INSERT, row)?;
        Ok(())
    }

    /// Moves `version` from stage `from` to current and what was current to `retired`.
    fn make_current(&self, version: u32, from: Stage, retired: Stage) -> Result<(), SecretError> {
        let row = self.find(version).ok_or_else(|| self.wrong_stage(version, "missing", from))?;
        if row.stage == Stage::Current {
            return Ok(());
        }
        if row.stage != from {
            return Err(self.wrong_stage(version, row.stage.as_str(), from));
        }
        // The old one first: the table holds one current version per secret at every moment.
        for current in self.stored.iter().filter(|row| row.stage == Stage::Current) {
            self.restage(current, retired)?;
        }
        self.restage(row, Stage::Current)
    }

    fn restage(&self, row: &Stored, stage: Stage) -> Result<(), SecretError> {
        let (key, version) = (self.key, row.version);
        let sealed = sealing::seal(self.sealing, Slot { key, version, stage }, &self.open(row)?)?;
        let values = params![
            key.resource.as_str(),
            key.environment.as_str(),
            version,
            stage.as_str(),
            sealed.nonce,
            sealed.sealed
        ];
        self.changed(self.transaction.execute(RESTAGE, values)?)
    }

    fn remove(&self, version: u32, stage: Stage) -> Result<(), SecretError> {
        let Some(row) = self.find(version) else { return Ok(()) };
        if row.stage != stage {
            return Err(self.wrong_stage(version, row.stage.as_str(), stage));
        }
        let key = self.key;
        let values = params![key.resource.as_str(), key.environment.as_str(), version, stage.as_str()];
        self.changed(self.transaction.execute(DELETE, values)?)
    }

    fn wrong_stage(&self, version: u32, is: &str, wanted: Stage) -> SecretError {
        SecretError::Refused(format!("version {version} of {} is {is}, not {wanted}", self.key))
    }

    fn changed(&self, rows: usize) -> Result<(), SecretError> {
        if rows == 1 {
            Ok(())
        } else {
            Err(SecretError::Corrupt(format!("{rows} rows of {} changed, not 1", self.key)))
        }
    }
}

fn forget(rows: &Rows<'_>) -> Result<(), SecretError> {
    let Rows { key, stored, .. } = rows;
    if let Some(row) = stored.iter().find(|row| row.rotation.is_some()) {
        let what = format!("a rotation made version {} of {key}: only one takes it away", row.version);
        return Err(SecretError::Refused(what));
    }
    let removed =
        rows.transaction.execute(FORGET, params![key.resource.as_str(), key.environment.as_str()])?;
    if removed == stored.len() {
        Ok(())
    } else {
        let what = format!("{removed} rows of {key} were removed, not {}", stored.len());
        Err(SecretError::Corrupt(what))
    }
}

fn slot<'a>(key: &'a SecretKey, row: &Stored) -> Slot<'a> {
    Slot { key, version: row.version, stage: row.stage }
}

fn load(connection: &Connection, key: &SecretKey) -> Result<Vec<Stored>, SecretError> {
    let mut statement = connection.prepare_cached(SELECT)?;
    let mut rows = statement.query(params![key.resource.as_str(), key.environment.as_str()])?;
    let mut stored = Vec::new();
    while let Some(row) = rows.next()? {
        stored.push(decode(key, row)?);
    }
    Ok(stored)
}

fn decode(key: &SecretKey, row: &Row<'_>) -> Result<Stored, SecretError> {
    let word: String = row.get(1)?;
    let stage = Stage::parse(&word)
        .ok_or_else(|| SecretError::Corrupt(format!("a version of {key} has the unknown stage `{word}`")))?;
    let value = SealedValue { nonce: row.get(3)?, sealed: row.get(4)? };
    Ok(Stored { version: row.get(0)?, stage, rotation: row.get(2)?, value })
}

impl From<StoreError> for SecretError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(what) => Self::Unavailable(what),
            StoreError::Corrupt(what) => Self::Corrupt(what),
            error @ StoreError::Unknown(_) => Self::Unavailable(error.to_string()),
            error @ StoreError::Conflict { .. } => Self::Corrupt(error.to_string()),
        }
    }
}

impl From<rusqlite::Error> for SecretError {
    fn from(error: rusqlite::Error) -> Self {
        StoreError::from(error).into()
    }
}
