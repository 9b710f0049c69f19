//! The store in memory: ordered maps behind one lock.
//!
//! For tests, property checks and the model other stores are compared with. Nothing is durable, yet every rule of the
//! contract holds: a batch is written whole or not at all, and all conditions are checked before the first change.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, Range};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use countersign_core::sabotage::{self, Sabotage};
use countersign_ledger::census::Row;
use countersign_ledger::hash::Hash;

use super::copy::{SealedRow, Whole};
use super::fence;
use super::{
    Batch, Details, Head, Idempotency, Reader, Record, RecordQuery, Redaction, Snapshot, Store, StoreError,
    StoredCheckpoint, StoredEntry,
};

/// A store that lives as long as its last handle. A clone is another handle of the same store, which is how a test restarts
/// an engine without losing the log.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    shared: Arc<RwLock<Contents>>,
}

#[derive(Debug)]
struct Contents {
    head: Head,
    entries: Vec<StoredEntry>,
    details: BTreeMap<u64, Details>,
    redactions: BTreeMap<u64, u64>,
    subjects: BTreeMap<String, Vec<u64>>,
    nodes: BTreeMap<(u8, u64), Hash>,
    records: BTreeMap<(&'static str, String), Record>,
    blobs: BTreeMap<Hash, Vec<u8>>,
    idempotency: BTreeMap<(String, String), Idempotency>,
    snapshot: Option<Snapshot>,
    checkpoints: BTreeMap<u64, StoredCheckpoint>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        let contents = Contents {
            head: Head::empty(),
            entries: Vec::new(),
            details: BTreeMap::new(),
            redactions: BTreeMap::new(),
            subjects: BTreeMap::new(),
            nodes: BTreeMap::new(),
            records: BTreeMap::new(),
            blobs: BTreeMap::new(),
            idempotency: BTreeMap::new(),
            snapshot: None,
            checkpoints: BTreeMap::new(),
        };
        Self { shared: Arc::new(RwLock::new(contents)) }
    }

    // A thread that panicked while it held the lock was a test that failed: no change is ever left half done, because all
    // conditions are checked before the first one.
    fn read(&self) -> RwLockReadGuard<'_, Contents> {
        self.shared.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Contents> {
        self.shared.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl Contents {
    /// Checks everything that only the store can know, without changing anything.
    fn admits(&self, batch: &Batch) -> Result<(), StoreError> {
        let found = self.head.size();
        if found != batch.expected_size && !sabotage::is_active(Sabotage::UnfencedAppend) {
            return Err(StoreError::Conflict { expected: batch.expected_size, found });
        }
        let mut last: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in &batch.entries {
            let stored = self.subjects.get(&entry.subject).map_or(0, Vec::len);
            let seq = last.entry(&entry.subject).or_insert(stored);
            *seq += 1;
            if u32::try_from(*seq).ok() != Some(entry.subject_seq) {
                return Err(fence::out_of_sequence(&entry.subject, entry.subject_seq));
            }
        }
        let mut gone = BTreeSet::new();
        for Redaction { index, .. } in &batch.redactions {
            if !self.details.contains_key(index) || !gone.insert(index) {
                return Err(fence::nothing_to_redact(*index));
            }
        }
        for row in &batch.idempotency {
            if self.idempotency.contains_key(&(row.actor.clone(), row.key.clone())) {
                return Err(StoreError::Corrupt(format!(
                    "the idempotency key `{}` was answered before",
                    row.key
                )));
            }
        }
        Ok(())
    }

    fn write(&mut self, batch: &Batch) {
        for (index, entry) in (batch.expected_size..).zip(&batch.entries) {
            self.subjects.entry(entry.subject.clone()).or_default().push(index);
            if let Some(details) = &entry.details {
                self.details.insert(index, details.clone());
            }
            self.entries.push(StoredEntry {
                index,
                subject: entry.subject.clone(),
                subject_seq: entry.subject_seq,
                leaf: entry.leaf.clone(),
                leaf_hash: entry.leaf_hash,
            });
        }
        for Redaction { index, by } in &batch.redactions {
            self.details.remove(index);
            self.redactions.insert(*index, *by);
        }
        self.nodes.extend(batch.nodes.iter().map(|node| ((node.level, node.index), node.hash)));
        for record in &batch.records {
            self.records.insert((record.kind, record.id.clone()), record.clone());
        }
        for (sha256, body) in &batch.blobs {
            self.blobs.entry(*sha256).or_insert_with(|| body.clone());
        }
        for row in &batch.idempotency {
            self.idempotency.insert((row.actor.clone(), row.key.clone()), row.clone());
        }
        self.head = batch.head.clone();
    }

    fn entry(&self, index: u64) -> Option<&StoredEntry> {
        self.entries.get(usize::try_from(index).ok()?)
    }
}

impl Reader for MemoryStore {
    fn head(&mut self) -> Result<Head, StoreError> {
        Ok(self.read().head.clone())
    }

    fn entries(&mut self, from: u64, limit: usize) -> Result<Vec<StoredEntry>, StoreError> {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        Ok(self.read().entries.iter().skip(from).take(limit).cloned().collect())
    }

    fn entries_of(
        &mut self,
        subject: &str,
        after_seq: u32,
        limit: usize,
    ) -> Result<Vec<StoredEntry>, StoreError> {
        let contents = self.read();
        let indexes = contents.subjects.get(subject).map_or(&[][..], Vec::as_slice);
        let after = usize::try_from(after_seq).unwrap_or(usize::MAX);
        Ok(indexes
            .iter()
            .skip(after)
            .take(limit)
            .filter_map(|index| contents.entry(*index).cloned())
            .collect())
    }

    fn subjects(&mut self, size: u64, after: &str, limit: usize) -> Result<Vec<Row>, StoreError> {
        let contents = self.read();
        let above = (Bound::Excluded(after), Bound::Unbounded);
        let counted = contents.subjects.range::<str, _>(above).filter_map(|(subject, indexes)| {
            let below = indexes.partition_point(|index| *index < size);
            let last = *indexes.get(below.checked_sub(1)?)?;
            Some(Row { count: u32::try_from(below).ok()?, last, subject: subject.clone() })
        });
        Ok(counted.take(limit).collect())
    }

    fn details(&mut self, index: u64) -> Result<Option<Details>, StoreError> {
        Ok(self.read().details.get(&index).cloned())
    }

    fn details_in(&mut self, range: Range<u64>) -> Result<Vec<(u64, Details)>, StoreError> {
        Ok(self.read().details.range(range).map(|(index, details)| (*index, details.clone())).collect())
    }

    fn redactions_in(&mut self, range: Range<u64>) -> Result<Vec<Redaction>, StoreError> {
        let contents = self.read();
        Ok(contents.redactions.range(range).map(|(index, by)| Redaction { index: *index, by: *by }).collect())
    }

    fn blob(&mut self, sha256: &Hash) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.read().blobs.get(sha256).cloned())
    }

    fn record(&mut self, kind: &'static str, id: &str) -> Result<Option<Record>, StoreError> {
        Ok(self.read().records.get(&(kind, id.to_owned())).cloned())
    }

    fn records(&mut self, query: &RecordQuery) -> Result<Vec<Record>, StoreError> {
        let wanted = |record: &&Record| {
            record.kind == query.kind
                && query.status.as_ref().is_none_or(|status| *status == record.status)
                && query.before.as_ref().is_none_or(|before| record.id < *before)
        };
        Ok(self.read().records.values().rev().filter(wanted).take(query.limit).cloned().collect())
    }

    fn idempotency(&mut self, actor: &str, key: &str) -> Result<Option<Idempotency>, StoreError> {
        Ok(self.read().idempotency.get(&(actor.to_owned(), key.to_owned())).cloned())
    }

    fn snapshot(&mut self) -> Result<Option<Snapshot>, StoreError> {
        Ok(self.read().snapshot.clone())
    }

    fn checkpoints(&mut self, after: u64, limit: usize) -> Result<Vec<StoredCheckpoint>, StoreError> {
        let contents = self.read();
        Ok(contents.checkpoints.values().filter(|found| found.size > after).take(limit).cloned().collect())
    }

    fn latest_checkpoint(&mut self) -> Result<Option<StoredCheckpoint>, StoreError> {
        Ok(self.read().checkpoints.values().next_back().cloned())
    }

    fn hashes(&mut self, level: u8, range: Range<u64>) -> Result<Vec<Hash>, StoreError> {
        let contents = self.read();
        if level == 0 {
            let (from, until) = (range.start.min(contents.head.size()), range.end.min(contents.head.size()));
            return Ok((from..until).filter_map(|index| Some(contents.entry(index)?.leaf_hash)).collect());
        }
        Ok(contents.nodes.range((level, range.start)..(level, range.end)).map(|(_, hash)| *hash).collect())
    }
}

impl Store for MemoryStore {
    fn append(&mut self, batch: &Batch) -> Result<(), StoreError> {
        fence::well_formed(batch)?;
        let mut contents = self.write();
        contents.admits(batch)?;
        contents.write(batch);
        Ok(())
    }

    fn save_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), StoreError> {
        self.write().snapshot = Some(snapshot.clone());
        Ok(())
    }

    fn save_checkpoint(&mut self, checkpoint: &StoredCheckpoint) -> Result<(), StoreError> {
        self.write().checkpoints.insert(checkpoint.size, checkpoint.clone());
        Ok(())
    }

    fn forget_idempotency(&mut self, before_ms: i64) -> Result<(), StoreError> {
        self.write().idempotency.retain(|_, row| row.time_ms >= before_ms);
        Ok(())
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(self.clone()))
    }
}

impl Whole for MemoryStore {
    fn blobs_after(&mut self, after: Option<Hash>, limit: usize) -> Result<Vec<(Hash, Vec<u8>)>, StoreError> {
        let contents = self.read();
        let above = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        Ok(contents.blobs.range(above).take(limit).map(|(name, body)| (*name, body.clone())).collect())
    }

    fn records_after(&mut self, after: (&str, &str), limit: usize) -> Result<Vec<Record>, StoreError> {
        let above = |record: &&Record| (record.kind, record.id.as_str()) > after;
        Ok(self.read().records.values().filter(above).take(limit).cloned().collect())
    }

    fn answers_after(&mut self, after: (&str, &str), limit: usize) -> Result<Vec<Idempotency>, StoreError> {
        let above = |row: &&Idempotency| (row.actor.as_str(), row.key.as_str()) > after;
        Ok(self.read().idempotency.values().filter(above).take(limit).cloned().collect())
    }

    /// It keeps none.
    fn sealed(&mut self) -> Result<Vec<SealedRow>, StoreError> {
        Ok(Vec::new())
    }
}
