//! Opening a SQLite file so that a commit is on the disk when it returns.
//!
//! Write-ahead log with `synchronous=FULL`; freed pages are overwritten, because dropped keys lived in them;
//! one process per file, because each program publishes the keys it read to its own memory.

use std::{
    io,
    path::{Path, PathBuf},
};

use rusqlite::Connection;

const PRAGMAS: &str = "
PRAGMA busy_timeout = 1000;
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA secure_delete = ON;";

/// Opens, or creates, a database file and brings it to its schema, which must be idempotent.
pub(crate) fn open(path: &Path, schema: &str) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch(PRAGMAS)?;
    connection.execute_batch(schema)?;
    Ok(connection)
}

/// Makes the data folder, readable by its owner only: the keys in use are stored in it.
pub(crate) fn prepare_folder(folder: &Path) -> io::Result<PathBuf> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    Ok(folder.to_owned())
}
