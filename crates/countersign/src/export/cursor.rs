//! How far an export is: a small file that is replaced whole, after the receiver has what it speaks of.
//!
//! It remembers the log, not only a number: the checkpoint that was seen, the last entry that went out and, where everything does,
//! the tree over all of it. So a log that went back or was replaced is noticed instead of skipped over.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use countersign_api::ledger::EntryListing;
use countersign_ledger::hash::Hash;
use countersign_ledger::tree::CompactRange;
use countersign_server::durable;
use serde::{Deserialize, Serialize};

use super::Asked;
use super::format::Format;
use crate::failure::{Failure, Kind};

/// A checkpoint that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seen {
    pub(crate) size: u64,
    pub(crate) root: Hash,
}

/// The last entry that went out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Last {
    pub(crate) index: u64,
    pub(crate) leaf_hash: Hash,
}

/// How far an export is, and what it is an export of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The log; none before the first checkpoint was seen.
    pub(crate) origin: Option<String>,
    pub(crate) format: Format,
    pub(crate) filters: EntryListing,
    /// Where to go on.
    pub(crate) next: u64,
    /// Entries that went out.
    pub(crate) exported: u64,
    /// Bytes that arrived, where that is known.
    pub(crate) bytes: Option<u64>,
    pub(crate) last: Option<Last>,
    pub(crate) seen: Option<Seen>,
    /// The tree over everything before `next`, if everything goes out.
    pub(crate) tree: Option<CompactRange>,
}

/// The cursor as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    v: u32,
    origin: Option<String>,
    format: Format,
    filters: EntryListing,
    next: u64,
    exported: u64,
    bytes: Option<u64>,
    last: Option<Last>,
    seen: Option<Seen>,
    frontier: Option<Vec<Hash>>,
}

/// The form this version reads and writes.
const VERSION: u32 = 1;

impl Cursor {
    /// The beginning of an export. `from` is the first index that is looked at.
    pub(crate) fn new(asked: Asked, from: u64) -> Self {
        let Asked { format, filters } = asked;
        let whole = from == 0 && filters == EntryListing::default();
        Self {
            origin: None,
            format,
            filters,
            next: from,
            exported: 0,
            bytes: None,
            last: None,
            seen: None,
            tree: whole.then(CompactRange::new),
        }
    }

    /// Whether every entry goes out, so that each must follow the one before it.
    pub(crate) fn is_whole(&self) -> bool {
        self.filters == EntryListing::default()
    }

    fn read(text: &str) -> Result<Self, String> {
        let written: Written = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if written.v != VERSION {
            return Err(format!(
                "it has version {}, this version of countersign knows only {VERSION}",
                written.v
            ));
        }
        let next = written.next;
        let tree = written.frontier.map(|hashes| CompactRange::from_parts(next, hashes)).transpose();
        Ok(Self {
            origin: written.origin,
            format: written.format,
            filters: written.filters,
            next,
            exported: written.exported,
            bytes: written.bytes,
            last: written.last,
            seen: written.seen,
            tree: tree.map_err(|error| error.to_string())?,
        })
    }

    fn write(&self) -> Result<String, serde_json::Error> {
        let Self { origin, format, filters, next, exported, bytes, last, seen, tree } = self.clone();
        let frontier = tree.map(|tree| tree.hashes().to_vec());
        let v = VERSION;
        serde_json::to_string(&Written {
            v,
            origin,
            format,
            filters,
            next,
            exported,
            bytes,
            last,
            seen,
            frontier,
        })
    }
}

/// Keeps a cursor in its file, or nowhere.
#[derive(Debug)]
pub(crate) struct Keeper {
    path: Option<PathBuf>,
    #[expect(dead_code, reason = "closing the file releases the lock")]
    lock: Option<File>,
}

impl Keeper {
    /// A cursor that ends with this run.
    pub(crate) fn nowhere() -> Self {
        Self { path: None, lock: None }
    }

    /// Takes the file for this export alone and reads what is in it, if there is one.
    pub(crate) fn open(path: &Path) -> anyhow::Result<(Self, Option<Cursor>)> {
        let shown = path.display();
        let lock = durable::beside(path, "lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&lock);
        let file = file.with_context(|| format!("opening `{}`", lock.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let what = format!("another export works with the cursor `{shown}`");
                return Err(Failure::new(Kind::Unavailable, what).into());
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking `{}`", lock.display()));
            }
        }
        let cursor = match fs::read_to_string(path) {
            Ok(text) => Some(Cursor::read(&text).map_err(|why| {
                let hint = "restore it, or begin again without it: everything is then exported once more";
                Failure::new(Kind::Malformed, format!("`{shown}` is not a cursor: {why}")).hint(hint)
            })?),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("reading `{shown}`")),
        };
        Ok((Self { path: Some(path.to_owned()), lock: Some(file) }, cursor))
    }

    /// Replaces the file; durable when it returns.
    pub(crate) fn save(&self, cursor: &Cursor) -> anyhow::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let text = cursor.write()?;
        durable::save(path, &(text + "\n"))
            .with_context(|| format!("writing the cursor `{}`", path.display()))
    }
}
