//! The last cosigned checkpoint of each log: the cosigned note itself, in a file named by the SHA-256 of the log's origin.
//!
//! Replaced as a whole and on the disk before anything is answered. An operating-system lock keeps the folder to one witness: two
//! with one key and two memories could be led to cosign a fork.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use countersign_ledger::hash::sha256;

use crate::durable;

/// Where a witness remembers. A trait, so that a test can stop a witness between remembering and answering.
pub trait Memory: Send + Sync {
    /// The note that was cosigned last for this log.
    ///
    /// # Errors
    /// It cannot be read.
    fn recall(&self, origin: &str) -> Result<Option<String>, MemoryError>;

    /// Remembers a cosigned note in place of the one before; durable when it returns.
    ///
    /// # Errors
    /// It may not be durable.
    fn remember(&self, origin: &str, note: &str) -> Result<(), MemoryError>;

    /// Keeps the first proof that the log forked, beside what is remembered.
    ///
    /// # Errors
    /// It cannot be written.
    fn keep_proof(&self, origin: &str, proof: &str) -> Result<(), MemoryError>;
}

/// What is remembered cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("what this witness remembers of the log `{origin}` cannot be used: {why}")]
pub struct MemoryError {
    origin: String,
    why: String,
}

impl MemoryError {
    pub(super) fn damaged(origin: &str, why: &dyn fmt::Display) -> Self {
        Self { origin: origin.to_owned(), why: why.to_string() }
    }
}

/// A folder that one witness has to itself.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    #[expect(dead_code, reason = "closing the file releases the lock")]
    lock: File,
}

impl Folder {
    /// Takes the folder, making it if there is none.
    ///
    /// # Errors
    /// It cannot be made or written, or another witness has it.
    pub fn take(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let mut options = OpenOptions::new();
        let lock = options.write(true).create(true).truncate(false).mode(0o600).open(path.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), lock }),
            Err(TryLockError::WouldBlock) => {
                Err(io::Error::new(io::ErrorKind::ResourceBusy, "another witness already uses it"))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    fn file(&self, origin: &str) -> PathBuf {
        self.path.join(format!("{}.checkpoint", sha256(origin.as_bytes())))
    }
}

impl Memory for Folder {
    fn recall(&self, origin: &str) -> Result<Option<String>, MemoryError> {
        durable::load(&self.file(origin)).map_err(|error| MemoryError::damaged(origin, &error))
    }

    fn remember(&self, origin: &str, note: &str) -> Result<(), MemoryError> {
        durable::save(&self.file(origin), note).map_err(|error| MemoryError::damaged(origin, &error))
    }

    fn keep_proof(&self, origin: &str, proof: &str) -> Result<(), MemoryError> {
        let path = durable::beside(&self.file(origin), "fork");
        let damaged = |error: io::Error| MemoryError::damaged(origin, &error);
        match durable::load(&path).map_err(damaged)? {
            Some(_) => Ok(()),
            None => durable::save(&path, proof).map_err(damaged),
        }
    }
}
