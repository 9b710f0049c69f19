//! The files of a SQLite store: who may create, lock and open them.
//!
//! Everything that can go wrong with a data folder before SQLite is asked goes wrong here, so that the message can name the
//! path. Unix only: files are created with mode 0600.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::store::StoreError;

/// How long a connection waits for a lock that another connection of ours holds for the time of one transaction.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Enough for every statement of this store, so that none is ever compiled twice.
const CACHED_STATEMENTS: usize = 64;

/// The operating system's lock on `<database>.lock`; released when dropped, also by a crash.
#[derive(Debug)]
pub struct WriteLock {
    #[expect(dead_code, reason = "closing the file releases the lock")]
    file: File,
}

impl WriteLock {
    /// Takes the lock or says who has it. The database itself is not locked: readers come and go.
    pub(super) fn take(database: &Path) -> Result<Self, StoreError> {
        let path = beside(database, ".lock");
        let file =
            private().create(true).truncate(false).open(&path).map_err(|error| unwritable(&path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Unavailable(format!(
                "another server already writes `{}`: stop it or choose another data folder",
                database.display()
            ))),
            Err(TryLockError::Error(error)) => Err(unwritable(&path, &error)),
        }
    }
}

/// Creates an empty database file that only its owner can read. An existing file is left alone.
///
/// SQLite gives its `-wal` and `-shm` the mode of the database. It does not sync the folder for a new database, so we do:
/// otherwise a power cut could take the file away after its content was acknowledged.
pub(crate) fn create_private(path: &Path) -> Result<(), StoreError> {
    match private().create_new(true).open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(unwritable(path, &error)),
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| unwritable(folder, &error))
}

/// Creates an empty file that only its owner can read, in a place where there is none.
pub(super) fn create_fresh(path: &Path) -> Result<(), StoreError> {
    private().create_new(true).open(path).map(drop).map_err(|error| unwritable(path, &error))
}

/// What a connection may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    ReadWrite,
    ReadOnly,
}

/// Opens an existing database file.
pub(super) fn connect(path: &Path, access: Access) -> Result<Connection, StoreError> {
    let mode = match access {
        Access::ReadWrite => OpenFlags::SQLITE_OPEN_READ_WRITE,
        Access::ReadOnly => OpenFlags::SQLITE_OPEN_READ_ONLY,
    };
    // A connection never leaves its thread while it is used, so SQLite's own mutex buys nothing.
    let connection =
        Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(|error| {
            StoreError::Unavailable(format!("cannot open the database `{}`: {error}", path.display()))
        })?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(connection)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn unwritable(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Unavailable(format!("cannot write `{}`: {error}: check the data folder", path.display()))
}
