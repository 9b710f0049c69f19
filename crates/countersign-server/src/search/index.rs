//! The index itself: one SQLite database that says which entries hold which terms and words, and how far it goes.
//!
//! Everything in it can be made again from the log, so it need not survive: a file that is damaged, of another format or of another
//! log is thrown away. It knows nothing of time, order of appends or people.
//!
//! Terms and words are two columns of one FTS5 table, so that a question with several filters is one merge of sorted lists, in either
//! direction, from any index on. Redacted words leave the disk: `secure-delete` takes them out of the lists, `secure_delete`
//! overwrites what the database frees, and the write-ahead log is emptied afterwards.

use std::fs;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use countersign_ledger::hash::Hash;
use countersign_ledger::tree::CompactRange;
use rusqlite::{Connection, OpenFlags, params};

use super::Direction;
use crate::store::StoreError;
use crate::store::sqlite::files;

/// `CSGS` in ASCII, written to the database header.
const APPLICATION_ID: i64 = 0x4353_4753;

/// Raised with every change of the tables, the terms or the words: an older index is made again.
const FORMAT: i64 = 1;

/// How long a connection waits for another one of ours.
const BUSY: Duration = Duration::from_secs(5);

/// Pages in the write-ahead log before they are moved into the database: 64 MiB.
const CHECKPOINT_PAGES: i64 = 16_384;

/// Pages the writer keeps in memory, KiB.
const CACHE_KIB: i64 = 16 * 1024;

const FOUND: &str = "
CREATE VIRTUAL TABLE found USING fts5(terms, words, columnsize = 0, tokenize = 'unicode61 remove_diacritics 2');
INSERT INTO found (found, rank) VALUES ('secure-delete', 1);
";

const COVERED: &str = "
CREATE TABLE covered (id INTEGER PRIMARY KEY CHECK (id = 0), size INTEGER NOT NULL, frontier BLOB NOT NULL) STRICT;
INSERT INTO covered (id, size, frontier) VALUES (0, 0, x'');
";

const UPWARDS: &str =
    "SELECT rowid FROM found WHERE found MATCH ?1 AND rowid >= ?2 AND rowid < ?3 ORDER BY rowid LIMIT ?4";
const DOWNWARDS: &str = "SELECT rowid FROM found WHERE found MATCH ?1 AND rowid >= ?2 AND rowid < ?3 ORDER BY rowid DESC LIMIT ?4";

/// Why the index does not answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IndexError {
    /// It must be made again.
    #[error("the search index is damaged: {0}")]
    Damaged(String),
    /// It may answer later.
    #[error("the search index is unavailable: {0}")]
    Unavailable(String),
}

impl From<rusqlite::Error> for IndexError {
    fn from(error: rusqlite::Error) -> Self {
        Self::from(StoreError::from(error))
    }
}

impl From<StoreError> for IndexError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt(what) => Self::Damaged(what),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

/// Where an index is kept.
#[derive(Clone, Debug)]
pub enum Place {
    /// In a file of its own, beside the database.
    File(PathBuf),
    /// In this process only, under a name that connections share.
    Memory(u64),
}

impl Place {
    /// A place in memory that no other index has.
    #[must_use]
    pub fn memory() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self::Memory(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    fn connect(&self) -> Result<Connection, IndexError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match self {
            Self::File(path) => Connection::open_with_flags(path, flags)?,
            // The `memdb` file system shares a database among connections, which private memory does not.
            Self::Memory(number) => Connection::open_with_flags(
                format!("file:/countersign-search-{number}?vfs=memdb"),
                flags | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_URI,
            )?,
        };
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        Ok(connection)
    }
}

/// One entry, as the index holds it.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) index: u64,
    pub(super) terms: String,
    pub(super) words: String,
}

/// What one transaction changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Change {
    /// Entries that follow those already covered.
    pub(super) rows: Vec<Row>,
    /// Entries whose words go.
    pub(super) redacted: Vec<u64>,
}

/// The writing side. There is one per index.
#[derive(Debug)]
pub(super) struct Index {
    connection: Connection,
    covered: CompactRange,
    /// Redacted words may still stand in the write-ahead log.
    unclean: bool,
}

impl Index {
    /// Opens the index, or makes an empty one if there is none that can be used.
    pub(super) fn open(place: &Place) -> Result<Self, IndexError> {
        if let Place::File(path) = place {
            if !path.exists() {
                // What a former file left in its write-ahead log would come back to life in a new one.
                remove(path)?;
            }
            files::create_private(path)?;
        }
        match Self::existing(place) {
            Err(IndexError::Damaged(why)) => {
                tracing::warn!(why, "the search index cannot be used and is made again");
                Self::fresh(place)
            }
            opened => opened,
        }
    }

    /// Throws away what is there and makes an empty index.
    pub(super) fn fresh(place: &Place) -> Result<Self, IndexError> {
        if let Place::File(path) = place {
            remove(path)?;
            files::create_private(path)?;
        }
        let mut index = Self::prepared(place.connect()?)?;
        if index.covered.size() > 0 {
            // In memory nothing can be removed, only emptied.
            index.clear()?;
            index.write(&Change::default(), CompactRange::new())?;
        }
        Ok(index)
    }

    fn existing(place: &Place) -> Result<Self, IndexError> {
        let connection = place.connect()?;
        let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        let marks = (pragma(&connection, "application_id")?, pragma(&connection, "user_version")?);
        if tables > 0 && marks != (APPLICATION_ID, FORMAT) {
            return Err(IndexError::Damaged("it is no index of this version".to_owned()));
        }
        Self::prepared(connection)
    }

    fn prepared(mut connection: Connection) -> Result<Self, IndexError> {
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        // What a power cut takes is indexed again: only the file's consistency matters, not its last transactions.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        // Each checkpoint waits for the disk that the ledger's own appends wait for, so they are rare; and merging lists reads back
        // more than the default cache holds.
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
        let transaction = connection.transaction()?;
        let empty: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if empty == 0 {
            transaction.execute_batch(FOUND)?;
            transaction.execute_batch(COVERED)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", FORMAT)?;
        }
        transaction.commit()?;
        let covered = covered(&connection)?;
        // A redaction may have been the last thing before an end in a hurry.
        Ok(Self { connection, covered, unclean: true })
    }

    /// The tree over the entries it holds.
    pub(super) fn covered(&self) -> &CompactRange {
        &self.covered
    }

    /// Writes a change and the tree it leads to, together.
    pub(super) fn write(&mut self, change: &Change, covered: CompactRange) -> Result<(), IndexError> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert =
                transaction.prepare_cached("INSERT INTO found (rowid, terms, words) VALUES (?1, ?2, ?3)")?;
            for row in &change.rows {
                insert.execute(params![integer(row.index)?, row.terms, row.words])?;
            }
            let mut redact = transaction.prepare_cached("UPDATE found SET words = '' WHERE rowid = ?1")?;
            for index in &change.redacted {
                redact.execute(params![integer(*index)?])?;
            }
            let frontier: Vec<u8> = covered.hashes().iter().flat_map(|hash| hash.0).collect();
            transaction
                .prepare_cached("UPDATE covered SET size = ?1, frontier = ?2 WHERE id = 0")?
                .execute(params![integer(covered.size())?, frontier])?;
        }
        transaction.commit()?;
        self.covered = covered;
        self.unclean |= !change.redacted.is_empty();
        Ok(())
    }

    /// Empties the write-ahead log if redacted words may stand in it. Readers can be in the way; then it is tried again.
    pub(super) fn clean(&mut self) -> Result<(), IndexError> {
        if self.unclean {
            let busy: i64 =
                self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
            self.unclean = busy != 0;
        }
        Ok(())
    }

    /// The entries that an expression finds.
    pub(super) fn find(&self, expression: &str, wanted: &Wanted) -> Result<Vec<u64>, IndexError> {
        find(&self.connection, expression, wanted)
    }

    /// Forgets all entries. Dropping the table is much faster than deleting what it holds.
    pub(super) fn clear(&mut self) -> Result<(), IndexError> {
        self.connection.execute_batch("DROP TABLE found")?;
        self.connection.execute_batch(FOUND)?;
        Ok(())
    }
}

/// Which of the entries found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) span: Range<u64>,
    pub(super) direction: Direction,
    pub(super) limit: usize,
}

/// A connection that only asks.
#[derive(Debug)]
pub(super) struct IndexReader(Connection);

impl IndexReader {
    pub(super) fn open(place: &Place) -> Result<Self, IndexError> {
        let connection = place.connect()?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(Self(connection))
    }

    /// The entries that an expression finds.
    pub(super) fn find(&self, expression: &str, wanted: &Wanted) -> Result<Vec<u64>, IndexError> {
        find(&self.0, expression, wanted)
    }
}

fn find(connection: &Connection, expression: &str, wanted: &Wanted) -> Result<Vec<u64>, IndexError> {
    let Wanted { span, direction, limit } = wanted;
    let mut statement = connection.prepare_cached(match direction {
        Direction::Oldest => UPWARDS,
        Direction::Newest => DOWNWARDS,
    })?;
    let bounds = [span.start, span.end].map(|bound| i64::try_from(bound).unwrap_or(i64::MAX));
    let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
    let rows =
        statement.query_map(params![expression, bounds[0], bounds[1], limit], |row| row.get::<_, i64>(0))?;
    rows.map(|row| u64::try_from(row?).map_err(|_| IndexError::Damaged("an index below 0".to_owned())))
        .collect()
}

fn covered(connection: &Connection) -> Result<CompactRange, IndexError> {
    let (size, frontier): (i64, Vec<u8>) =
        connection.query_row("SELECT size, frontier FROM covered WHERE id = 0", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let (hashes, rest) = frontier.as_chunks::<32>();
    let size = u64::try_from(size).ok().filter(|_| rest.is_empty());
    let hashes = hashes.iter().copied().map(Hash).collect();
    size.and_then(|size| CompactRange::from_parts(size, hashes).ok())
        .ok_or_else(|| IndexError::Damaged("it does not say how far it goes".to_owned()))
}

fn pragma(connection: &Connection, name: &str) -> Result<i64, IndexError> {
    Ok(connection.pragma_query_value(None, name, |row| row.get(0))?)
}

fn integer(number: u64) -> Result<i64, IndexError> {
    i64::try_from(number).map_err(|_| IndexError::Damaged(format!("{number} is beyond what it can number")))
}

/// Removes the file and what SQLite keeps beside it.
fn remove(path: &Path) -> Result<(), IndexError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                let why = format!("`{}` cannot be removed: {error}", Path::new(&name).display());
                return Err(IndexError::Unavailable(why));
            }
            _ => {}
        }
    }
    Ok(())
}
