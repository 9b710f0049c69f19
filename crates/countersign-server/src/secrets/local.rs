//! The local secret store: sealed rows in the ledger's own database, embedded or PostgreSQL.
//!
//! Whoever holds the sealing key and the database has the secrets; whoever has only the database does not. The rules are in `rows`, the
//! statements with each database.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use countersign_core::action::ResourceError;
use countersign_core::secret::SecretKey;
use countersign_core::text::Name;
use rusqlite::Connection;

use super::in_postgres::InPostgres;
use super::in_sqlite::InSqlite;
use super::rows::{Rows, Versions, open};
use super::sealing::SealingKey;
use super::{SecretError, SecretStore, SecretValue, Stage};
use crate::store::postgres::PostgresStore;
use crate::store::{StoreError, sqlite};

/// Secrets in the ledger's own database.
#[derive(Debug)]
pub struct LocalSecrets {
    rows: Mutex<Box<dyn Rows>>,
    sealing: SealingKey,
}

impl LocalSecrets {
    /// Opens the secrets of an existing ledger database.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be opened, `Corrupt` if it is not a ledger database.
    pub fn open(database: impl AsRef<Path>, sealing: SealingKey) -> Result<Self, SecretError> {
        Self::in_sqlite(sqlite::beside_the_log(database.as_ref())?, sealing)
    }

    /// A store that lives as long as this value, for tests.
    ///
    /// # Errors
    /// `Unavailable` if there is no memory for it.
    pub fn in_memory(sealing: SealingKey) -> Result<Self, SecretError> {
        let connection = Connection::open_in_memory()?;
        connection.execute_batch(sqlite::schema::SECRETS)?;
        Self::in_sqlite(connection, sealing)
    }

    /// The secrets beside a ledger in PostgreSQL, shared by its nodes.
    #[must_use]
    pub fn beside(store: &PostgresStore, sealing: SealingKey) -> Self {
        Self { rows: Mutex::new(Box::new(InPostgres::on(store.beside()))), sealing }
    }

    fn in_sqlite(connection: Connection, sealing: SealingKey) -> Result<Self, SecretError> {
        Ok(Self { rows: Mutex::new(Box::new(InSqlite::on(connection)?)), sealing })
    }

    // A change that a panic interrupted is undone before the next one begins, so the rows are usable.
    fn rows(&self) -> MutexGuard<'_, Box<dyn Rows>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one change with all versions of the secret before it; nothing is kept if it fails.
    fn change<T>(
        &self,
        key: &SecretKey,
        change: impl FnOnce(&mut Versions<'_>) -> Result<T, SecretError>,
    ) -> Result<T, SecretError> {
        let mut rows = self.rows();
        rows.begin()?;
        let changed = rows.load(key).and_then(|stored| {
            let rows = rows.as_mut();
            change(&mut Versions { rows, sealing: &self.sealing, key, stored })
        });
        match changed {
            Ok(answer) => rows.commit().map(|()| answer),
            Err(error) => {
                rows.undo();
                Err(error)
            }
        }
    }

    fn remove(&self, key: &SecretKey, version: u32, stage: Stage) -> Result<(), SecretError> {
        self.change(key, |rows| rows.remove(version, stage))?;
        self.rows().clean();
        Ok(())
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
            None => rows.insert((version, Stage::Current), None, value),
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
                    rows.insert((version, Stage::Pending), Some(rotation), fresh)?;
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
        let stored = self.rows().load(key)?;
        let found = stored.iter().find(|row| row.version == version);
        found.map(|row| open(&self.sealing, key, row)).transpose()
    }

    fn versions(&self, key: &SecretKey) -> Result<Vec<(u32, Stage)>, SecretError> {
        Ok(self.rows().load(key)?.iter().map(|row| (row.version, row.stage)).collect())
    }

    fn of_type(&self, kind: &Name, environment: &Name) -> Result<Vec<SecretKey>, SecretError> {
        // `0` is what follows `/`.
        let bounds = [format!("{kind}/"), format!("{kind}0")];
        let names = self.rows().names([&bounds[0], &bounds[1]], environment.as_str())?;
        let key = |name: String| {
            let resource =
                name.parse().map_err(|error: ResourceError| SecretError::Corrupt(error.to_string()))?;
            Ok(SecretKey { resource, environment: environment.clone() })
        };
        names.into_iter().map(key).collect()
    }

    fn forget(&self, key: &SecretKey) -> Result<(), SecretError> {
        self.change(key, forget)?;
        self.rows().clean();
        Ok(())
    }
}

fn forget(versions: &mut Versions<'_>) -> Result<(), SecretError> {
    versions.forget()
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
