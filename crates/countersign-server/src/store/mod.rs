//! What the engine asks of a place that keeps the ledger.
//!
//! One writer appends batches conditionally on the size it believes in; any number of readers look. A store keeps bytes: it
//! neither decides nor hashes, and it does not know what an approval is.
//!
//! # Layout
//! - `memory`: everything in one process, for tests and property checks
//! - `tree`: the stored tree, for proofs
//! - `sqlite`: one file, WAL, `synchronous=FULL`: the embedded default
//! - `postgres`: one database that several nodes share
//! - `copy`: a ledger moved from one to another

use std::fmt;
use std::ops::Range;
use std::path::Path;

use countersign_core::time::Time;
use countersign_ledger::census::Row;
use countersign_ledger::hash::Hash;
use countersign_ledger::tree::CompactRange;

pub mod copy;
mod fence;
pub mod memory;
pub mod postgres;
pub mod sqlite;
mod tree;

pub use tree::Tree;

/// Why a store could not do what it was asked. Four kinds, because callers do four things.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The log is not at the expected size: catch up, decide again.
    #[error("the log is at size {found}, the append expected {expected}")]
    Conflict {
        /// The size the batch was built on.
        expected: u64,
        /// The size the store is at.
        found: u64,
    },
    /// The store cannot answer now (disk full, locked, gone): retry, then refuse.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// Whether the append was kept cannot be told: find out, before anybody is told anything. No other operation fails like this.
    #[error("it is not known whether the store kept it: {0}")]
    Unknown(String),
    /// What is stored contradicts itself: stop.
    #[error("the store is corrupt: {0}")]
    Corrupt(String),
}

/// The end of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The tree over all entries; its size is the log's size.
    pub tree: CompactRange,
    /// Time of the last entry, milliseconds since the Unix epoch; 0 for an empty log.
    pub time_ms: i64,
}

impl Head {
    /// The head of an empty log.
    #[must_use]
    pub fn empty() -> Self {
        Self { tree: CompactRange::new(), time_ms: 0 }
    }

    /// Number of entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.tree.size()
    }
}

/// Salted text kept beside a leaf and bound by its `details_sha256`.
#[derive(Clone, PartialEq, Eq)]
pub struct Details {
    /// 32 random bytes, so that the commitment tells nothing about short details.
    pub salt: [u8; 32],
    /// A strict JSON object, canonical form.
    pub body: Vec<u8>,
}

impl fmt::Debug for Details {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Details").field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}

/// An entry about to be appended. Its index is the batch's expected size plus its position.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// The exact bytes that were hashed.
    pub leaf: Vec<u8>,
    /// RFC 6962 leaf hash of `leaf`.
    pub leaf_hash: Hash,
    /// The subject the entry is about (`apr_…`).
    pub subject: String,
    /// Its number among the subject's entries, from 1, without a gap.
    pub subject_seq: u32,
    /// What is kept beside the leaf.
    pub details: Option<Details>,
}

/// An entry as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// Position in the log, from 0.
    pub index: u64,
    /// The subject under which it is found. The leaf names it too; verification compares them.
    pub subject: String,
    /// Its number under which it is found.
    pub subject_seq: u32,
    /// The exact bytes that were hashed.
    pub leaf: Vec<u8>,
    /// The leaf hash as stored (verification recomputes it).
    pub leaf_hash: Hash,
}

/// A perfect subtree that the batch completed; only levels that are a positive multiple of 8 are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredNode {
    /// Height above the leaves.
    pub level: u8,
    /// Position among the nodes of that level.
    pub index: u64,
    /// Its hash.
    pub hash: Hash,
}

/// Details that were deleted, or are to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redaction {
    /// The entry that loses them.
    pub index: u64,
    /// The entry that says so.
    pub by: u64,
}

/// One document of the read model: the latest state of one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The capability: `approval`, `permit`, `rotation`, ….
    pub kind: &'static str,
    /// The subject's id. Ids are time-ordered, so ordering by id is ordering by creation.
    pub id: String,
    /// Number of entries of the subject that this document reflects.
    pub seq: u32,
    /// The stored state word (`pending`, `approved`, …), for filtering.
    pub status: String,
    /// The document, JSON.
    pub body: Vec<u8>,
}

/// Which records to list: newest first, keyset pagination by id.
#[derive(Clone, Debug)]
pub struct RecordQuery {
    /// The capability.
    pub kind: &'static str,
    /// Only this stored state.
    pub status: Option<String>,
    /// Only ids below this one (the last id of the page before).
    pub before: Option<String>,
    /// At most this many.
    pub limit: usize,
}

/// The answer given once to an `Idempotency-Key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// Who sent it.
    pub actor: String,
    /// The key they chose.
    pub key: String,
    /// SHA-256 of method, path and body, bound by the salts of the details it led to.
    pub body_sha256: Hash,
    /// Index of the first entry the command appended.
    pub first: u64,
    /// How many entries it appended, at least 1.
    pub count: u32,
    /// When, milliseconds since the Unix epoch.
    pub time_ms: i64,
}

/// Everything one commit writes, atomically.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The size the log must have for the batch to be appended.
    pub expected_size: u64,
    /// The entries, in order.
    pub entries: Vec<NewEntry>,
    /// Details beside earlier entries that go away with this commit, salts and all.
    pub redactions: Vec<Redaction>,
    /// Perfect subtrees completed by them.
    pub nodes: Vec<StoredNode>,
    /// The head after them.
    pub head: Head,
    /// Read-model documents to insert or replace.
    pub records: Vec<Record>,
    /// Blobs the entries refer to, with their SHA-256; already present ones are left alone.
    pub blobs: Vec<(Hash, Vec<u8>)>,
    /// Idempotency keys answered by these entries.
    pub idempotency: Vec<Idempotency>,
}

impl Batch {
    /// A batch without entries: what is put beside a log that stands at `head`.
    #[must_use]
    pub fn beside(head: &Head) -> Self {
        Self {
            expected_size: head.size(),
            entries: Vec::new(),
            redactions: Vec::new(),
            nodes: Vec::new(),
            head: head.clone(),
            records: Vec::new(),
            blobs: Vec::new(),
            idempotency: Vec::new(),
        }
    }
}

/// The live state at one size, so that start-up need not replay from the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The log's size the state belongs to.
    pub size: u64,
    /// Root of the tree at that size.
    pub root: Hash,
    /// The encoded state.
    pub state: Vec<u8>,
}

/// A signed checkpoint as text (a C2SP signed note) and the size it signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// Tree size.
    pub size: u64,
    /// The signed note.
    pub note: String,
}

/// Reading. A reader sees a committed state, never half a batch.
pub trait Reader: Send {
    /// The end of the log.
    fn head(&mut self) -> Result<Head, StoreError>;
    /// Entries from index `from`, at most `limit`, in order.
    fn entries(&mut self, from: u64, limit: usize) -> Result<Vec<StoredEntry>, StoreError>;
    /// Entries of one subject with a sequence above `after_seq`, at most `limit`, in order.
    fn entries_of(
        &mut self,
        subject: &str,
        after_seq: u32,
        limit: usize,
    ) -> Result<Vec<StoredEntry>, StoreError>;
    /// How many entries with an index below `size` each subject has: of subjects above `after`, at most `limit`, in byte order. All
    /// pages together are the rows of a census.
    fn subjects(&mut self, size: u64, after: &str, limit: usize) -> Result<Vec<Row>, StoreError>;
    /// The details beside the entry at `index`, if it has any.
    fn details(&mut self, index: u64) -> Result<Option<Details>, StoreError>;
    /// The details beside the entries of a range of indices, as far as they have any, in order, each with its index.
    fn details_in(&mut self, range: Range<u64>) -> Result<Vec<(u64, Details)>, StoreError>;
    /// The redactions of the entries of a range of indices, in the order of those.
    fn redactions_in(&mut self, range: Range<u64>) -> Result<Vec<Redaction>, StoreError>;
    /// A blob by its SHA-256.
    fn blob(&mut self, sha256: &Hash) -> Result<Option<Vec<u8>>, StoreError>;
    /// One document.
    fn record(&mut self, kind: &'static str, id: &str) -> Result<Option<Record>, StoreError>;
    /// A page of documents.
    fn records(&mut self, query: &RecordQuery) -> Result<Vec<Record>, StoreError>;
    /// What an idempotency key was answered with.
    fn idempotency(&mut self, actor: &str, key: &str) -> Result<Option<Idempotency>, StoreError>;
    /// The latest snapshot.
    fn snapshot(&mut self) -> Result<Option<Snapshot>, StoreError>;
    /// All stored checkpoints with a size above `after`, ascending, at most `limit`.
    fn checkpoints(&mut self, after: u64, limit: usize) -> Result<Vec<StoredCheckpoint>, StoreError>;
    /// The checkpoint with the largest size.
    fn latest_checkpoint(&mut self) -> Result<Option<StoredCheckpoint>, StoreError>;
    /// Hashes of consecutive perfect subtrees of a stored level (0, 8, 16, …): those of a range of indices, in order, as far as they
    /// exist. One question, whatever the range, so that a tile costs one.
    fn hashes(&mut self, level: u8, range: Range<u64>) -> Result<Vec<Hash>, StoreError>;
    /// The hash of the perfect subtree at (`level`, `index`), all of whose leaves exist.
    fn node(&mut self, level: u8, index: u64) -> Result<Hash, StoreError> {
        let span = fence::NodeSpan::of(level, index)?;
        let hashes = self.hashes(span.level, span.first..span.first.saturating_add(span.count))?;
        if u64::try_from(hashes.len()) != Ok(span.count) {
            return Err(fence::missing_node(level, index));
        }
        fence::fold(hashes).ok_or_else(|| fence::missing_node(level, index))
    }
}

/// What is called when the log grew, with its size.
pub type Heard = Box<dyn Fn(u64) + Send + Sync>;

/// Writing: one writer, which also reads.
pub trait Store: Reader {
    /// Appends the batch if the log is at its expected size. `Ok` means durable, and that the details it deletes cannot be found in
    /// the store's files any more; only where somebody still reads an older state, they go with a later write. What a database server
    /// keeps of overwritten rows is its own affair: its documentation, and ours, say for how long.
    fn append(&mut self, batch: &Batch) -> Result<(), StoreError>;
    /// Whether others append to it too, so that what is known may be old.
    fn is_shared(&self) -> bool {
        false
    }
    /// Keeps other writers waiting until the next append or [`Store::release`], so that whoever lost a race does not lose the next.
    /// Nothing to do where there is one writer.
    ///
    /// # Errors
    /// `Unavailable`; an append may be tried all the same.
    fn claim(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
    /// Lets other writers go on, if they were kept waiting.
    fn release(&mut self) {}
    /// Replaces the snapshot. Derived data: losing it costs time, nothing else.
    fn save_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), StoreError>;
    /// Keeps a signed checkpoint.
    fn save_checkpoint(&mut self, checkpoint: &StoredCheckpoint) -> Result<(), StoreError>;
    /// What time it is where the log is kept; nothing if that is this machine, whose clock the node has anyway.
    fn time(&mut self) -> Result<Option<Time>, StoreError> {
        Ok(None)
    }
    /// Forgets idempotency keys older than `before_ms`.
    fn forget_idempotency(&mut self, before_ms: i64) -> Result<(), StoreError>;
    /// Has `heard` called with the log's size, on some thread, when another writer made it grow; until the store and its readers are
    /// gone. A hint: calls may be missing or late, so whoever relies on the log looks from time to time. Nothing to do where nobody else writes.
    ///
    /// # Errors
    /// `Unavailable`.
    fn watch(&self, heard: Heard) -> Result<(), StoreError> {
        drop(heard);
        Ok(())
    }
    /// Another reader of the same store, for another thread.
    fn reader(&self) -> Result<Box<dyn Reader>, StoreError>;
}

/// Opens a ledger for looking only: the file of an embedded store, or `postgresql://role@host/database`, signed in to with what `PGPASSWORD`
/// holds and trusting the certificates in the file that `PGSSLROOTCERT` names, as PostgreSQL's own programs do. A standby will do.
///
/// # Errors
/// As [`sqlite::SqliteStore::open_read_only`] and [`postgres::PostgresStore::open`].
pub fn look(place: &Path) -> Result<Box<dyn Reader>, StoreError> {
    let text = place.to_string_lossy();
    if text.starts_with("postgresql://") || text.starts_with("postgres://") {
        postgres::look(&text)
    } else {
        sqlite::SqliteStore::open_read_only(place)
    }
}
