//! The store in one SQLite file: the embedded default.
//!
//! WAL with `synchronous=FULL`: a commit that returned is on the disk. One process writes, held to that by an operating-system
//! lock on `<database>.lock`; any number of readers look through connections of their own. What SQLite reports is sorted into
//! the store's three errors in `errors`; no decision is made here.
//!
//! # Layout
//! - `files`: creating, locking and recognising the files
//! - `schema`: tables, format version, settings of a connection
//! - `append`: the one transaction that writes a batch
//! - `scrub`: deleting details so that no file holds them any more
//! - `read`: every question
//! - `inspect`: every row as it is stored, for `fsck`
//! - `whole`: everything listed, for a ledger that is moved

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

use self::files::WriteLock;
use super::{Batch, Reader, Snapshot, Store, StoreError, StoredCheckpoint};

mod append;
mod errors;
pub(crate) mod files;
pub(crate) mod inspect;
mod read;
pub(crate) mod schema;
mod scrub;
mod whole;

/// Pages the writer keeps in memory, KiB.
const WRITER_CACHE_KIB: i64 = 16 * 1024;

/// One connection to a ledger database. `Role` is what the connection holds beside it: a writer holds the lock.
#[derive(Debug)]
pub struct Sqlite<Role> {
    // Declared before the lock, so that the connection is closed before another writer may start.
    connection: Connection,
    path: PathBuf,
    /// Whether the write-ahead log may still hold details that were deleted.
    uncut: bool,
    #[expect(dead_code, reason = "held for its drop: a writer's role keeps the lock")]
    role: Role,
}

/// A connection that only looks.
pub type SqliteReader = Sqlite<()>;

/// The one writer of a database.
pub type SqliteStore = Sqlite<WriteLock>;

impl SqliteStore {
    /// Opens the database at `path` for writing and creates it, readable by its owner only, if there is none.
    ///
    /// # Errors
    /// `Unavailable` when another process writes it or the folder cannot be written; `Corrupt` when the file is not a
    /// Countersign database or has a format that this version does not know.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path.as_ref(), schema::Sync::Full)
    }

    /// Opens the database without waiting for the disk, so that a test can prove that the power-cut check notices.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    #[cfg(feature = "sabotage")]
    pub fn open_unsynced(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path.as_ref(), schema::Sync::Off)
    }

    /// Opens the database at `path` for looking only, for example to verify a copy or the file of a running server. It must
    /// exist. SQLite needs to create its shared-memory file beside it, so the folder of a copy must be writable.
    ///
    /// # Errors
    /// As [`SqliteStore::open`], except that a running writer does not disturb.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(SqliteReader::open(path.as_ref())?))
    }

    /// Opens the database at `path` for looking at every row, as `fsck` does.
    pub(crate) fn look(path: &Path) -> Result<SqliteReader, StoreError> {
        SqliteReader::open(path)
    }

    /// Opens the database at `path` for writing if there is one.
    pub(crate) fn open_existing(path: &Path) -> Result<Self, StoreError> {
        Self::look(path)?;
        Self::open(path)
    }

    /// Copies a database, also that of a running server, as of one moment and without what was deleted from it. The target must not
    /// exist; only its owner can read it.
    ///
    /// # Errors
    /// As [`SqliteStore::open_read_only`], and `Unavailable` when the target exists or cannot be written.
    pub fn copy(path: impl AsRef<Path>, target: impl AsRef<Path>) -> Result<(), StoreError> {
        files::create_fresh(target.as_ref())?;
        let reader = SqliteReader::open(path.as_ref())?;
        // SQLite writes into an existing file only if it is empty.
        let target = target.as_ref().to_string_lossy();
        reader.connection.execute("VACUUM INTO ?1", [target])?;
        Ok(())
    }

    fn open_with(path: &Path, sync: schema::Sync) -> Result<Self, StoreError> {
        let role = WriteLock::take(path)?;
        files::create_private(path)?;
        let mut connection = files::connect(path, files::Access::ReadWrite)?;
        schema::prepare(&mut connection, path)?;
        schema::set_durability(&connection, sync)?;
        // The ends of six trees are written at once; with SQLite's default of 2 MiB it keeps reading them back.
        connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
        // Whoever wrote here before may have stopped between deleting details and cutting off the log that still holds them.
        let mut store = Self { connection, path: path.to_owned(), uncut: true, role };
        store.cut_log(Duration::ZERO);
        Ok(store)
    }

    /// Cuts off the write-ahead log if it may hold deleted details. What cannot be done now is tried again whenever a checkpoint is
    /// kept, which is soon after every append; a backup under way must not hold up the writer each time, so only the first try waits.
    fn cut_log(&mut self, patience: Duration) {
        if !self.uncut {
            return;
        }
        match scrub::cut_log(&self.connection, patience) {
            Ok(true) => self.uncut = false,
            Ok(false) => tracing::warn!(
                "somebody reads an older state of the database: what was deleted stays in its log until they have finished"
            ),
            Err(error) => {
                tracing::warn!(%error, "the database's log could not be cut off: it may hold what was deleted");
            }
        }
    }
}

/// Opens a second connection that writes to tables of its own in an existing database; SQLite lets one transaction write at a
/// time and the other wait. The log stays the writer's alone.
pub(crate) fn beside_the_log(path: &Path) -> Result<Connection, StoreError> {
    let connection = files::connect(path, files::Access::ReadWrite)?;
    schema::recognise(&connection, path)?;
    schema::set_durability(&connection, schema::Sync::Full)?;
    Ok(connection)
}

impl SqliteReader {
    fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = files::connect(path, files::Access::ReadOnly)?;
        schema::recognise(&connection, path)?;
        Ok(Self { connection, path: path.to_owned(), uncut: false, role: () })
    }
}

impl Store for SqliteStore {
    fn append(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let appended = append::append(&mut self.connection, batch);
        if !batch.redactions.is_empty() {
            self.uncut = true;
            self.cut_log(scrub::PATIENCE);
        }
        appended
    }

    fn save_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), StoreError> {
        append::save_snapshot(&self.connection, snapshot)
    }

    fn save_checkpoint(&mut self, checkpoint: &StoredCheckpoint) -> Result<(), StoreError> {
        append::save_checkpoint(&self.connection, checkpoint)?;
        self.cut_log(Duration::ZERO);
        Ok(())
    }

    fn forget_idempotency(&mut self, before_ms: i64) -> Result<(), StoreError> {
        append::forget_idempotency(&self.connection, before_ms)
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(SqliteReader::open(&self.path)?))
    }
}
