//! A store whose appends fail when told to, in the two ways that matter: nothing was written, or all of it was and the caller
//! is told otherwise; and which can be cut off altogether. Everything else passes through.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use countersign_ledger::census::Row;
use countersign_ledger::hash::Hash;
use countersign_server::store::copy::{SealedRow, Target, Whole};
use countersign_server::store::{
    Batch, Details, Head, Idempotency, Reader, Record, RecordQuery, Redaction, Snapshot, Store, StoreError,
    StoredCheckpoint, StoredEntry,
};

/// What happens to one append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Reported `Unavailable`, nothing written.
    BeforePersisting,
    /// Reported `Unknown`, everything written.
    AfterPersisting,
    /// Reported `Unknown`, nothing written.
    Lost,
    /// The same, and the store does not answer any more.
    AfterPersistingAndCutOff,
}

/// Which appends fail; shared with the test, which may add faults while an engine owns the store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    plan: Arc<Mutex<Plan>>,
}

#[derive(Debug, Default)]
struct Plan {
    appends: u64,
    faults: BTreeMap<u64, Fault>,
    cut_off: bool,
    refuses_writes: bool,
}

impl Faults {
    /// The `nth` append from now on fails, counted from 0.
    pub(crate) fn fail(&self, nth: u64, fault: Fault) {
        let mut plan = self.plan.lock().unwrap();
        let at = plan.appends + nth;
        plan.faults.insert(at, fault);
    }

    /// How many appends were asked for, failed ones included.
    pub(crate) fn appends(&self) -> u64 {
        self.plan.lock().unwrap().appends
    }

    /// From now on the store does not answer at all, until it does again. Readers that are open already are not concerned.
    pub(crate) fn cut_off(&self, cut_off: bool) {
        self.plan.lock().unwrap().cut_off = cut_off;
    }

    /// From now on nothing is written, until it is again.
    pub(crate) fn refuse_writes(&self, refuse: bool) {
        self.plan.lock().unwrap().refuses_writes = refuse;
    }

    fn take(&self) -> Result<(), StoreError> {
        self.reach()?;
        if self.plan.lock().unwrap().refuses_writes {
            Err(StoreError::Unavailable("nothing is taken".to_owned()))
        } else {
            Ok(())
        }
    }

    fn reach(&self) -> Result<(), StoreError> {
        if self.plan.lock().unwrap().cut_off {
            Err(StoreError::Unavailable("cut off".to_owned()))
        } else {
            Ok(())
        }
    }

    fn next(&self) -> Option<Fault> {
        let mut plan = self.plan.lock().unwrap();
        let at = plan.appends;
        plan.appends += 1;
        plan.faults.remove(&at)
    }
}

/// A store with planned faults.
pub(crate) struct FaultyStore<S> {
    inner: S,
    faults: Faults,
}

impl<S: Store> FaultyStore<S> {
    pub(crate) fn new(inner: S, faults: &Faults) -> Self {
        Self { inner, faults: faults.clone() }
    }
}

impl<S: Store> Store for FaultyStore<S> {
    fn append(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let fault = self.faults.next();
        self.faults.take()?;
        if !matches!(fault, Some(Fault::BeforePersisting | Fault::Lost)) {
            self.inner.append(batch)?;
        }
        if fault == Some(Fault::AfterPersistingAndCutOff) {
            self.faults.cut_off(true);
        }
        match fault {
            None => Ok(()),
            Some(Fault::BeforePersisting) => Err(StoreError::Unavailable("a planned fault".to_owned())),
            Some(fault) => Err(StoreError::Unknown(format!("a planned fault: {fault:?}"))),
        }
    }

    fn save_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), StoreError> {
        self.faults.take()?;
        self.inner.save_snapshot(snapshot)
    }

    fn save_checkpoint(&mut self, checkpoint: &StoredCheckpoint) -> Result<(), StoreError> {
        self.faults.take()?;
        self.inner.save_checkpoint(checkpoint)
    }

    fn forget_idempotency(&mut self, before_ms: i64) -> Result<(), StoreError> {
        self.faults.take()?;
        self.inner.forget_idempotency(before_ms)
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.inner.reader()
    }
}

impl<S: Store> Reader for FaultyStore<S> {
    fn head(&mut self) -> Result<Head, StoreError> {
        self.faults.reach()?;
        self.inner.head()
    }

    fn entries(&mut self, from: u64, limit: usize) -> Result<Vec<StoredEntry>, StoreError> {
        self.faults.reach()?;
        self.inner.entries(from, limit)
    }

    fn entries_of(
        &mut self,
        subject: &str,
        after_seq: u32,
        limit: usize,
    ) -> Result<Vec<StoredEntry>, StoreError> {
        self.inner.entries_of(subject, after_seq, limit)
    }

    fn subjects(&mut self, size: u64, after: &str, limit: usize) -> Result<Vec<Row>, StoreError> {
        self.inner.subjects(size, after, limit)
    }

    fn details(&mut self, index: u64) -> Result<Option<Details>, StoreError> {
        self.inner.details(index)
    }

    fn details_in(&mut self, range: Range<u64>) -> Result<Vec<(u64, Details)>, StoreError> {
        self.inner.details_in(range)
    }

    fn redactions_in(&mut self, range: Range<u64>) -> Result<Vec<Redaction>, StoreError> {
        self.inner.redactions_in(range)
    }

    fn blob(&mut self, sha256: &Hash) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.blob(sha256)
    }

    fn record(&mut self, kind: &'static str, id: &str) -> Result<Option<Record>, StoreError> {
        self.faults.reach()?;
        self.inner.record(kind, id)
    }

    fn records(&mut self, query: &RecordQuery) -> Result<Vec<Record>, StoreError> {
        self.faults.reach()?;
        self.inner.records(query)
    }

    fn idempotency(&mut self, actor: &str, key: &str) -> Result<Option<Idempotency>, StoreError> {
        self.faults.reach()?;
        self.inner.idempotency(actor, key)
    }

    fn snapshot(&mut self) -> Result<Option<Snapshot>, StoreError> {
        self.faults.reach()?;
        self.inner.snapshot()
    }

    fn checkpoints(&mut self, after: u64, limit: usize) -> Result<Vec<StoredCheckpoint>, StoreError> {
        self.inner.checkpoints(after, limit)
    }

    fn latest_checkpoint(&mut self) -> Result<Option<StoredCheckpoint>, StoreError> {
        self.inner.latest_checkpoint()
    }

    fn hashes(&mut self, level: u8, range: Range<u64>) -> Result<Vec<Hash>, StoreError> {
        self.inner.hashes(level, range)
    }
}

impl<S: Target> Whole for FaultyStore<S> {
    fn blobs_after(&mut self, after: Option<Hash>, limit: usize) -> Result<Vec<(Hash, Vec<u8>)>, StoreError> {
        self.inner.blobs_after(after, limit)
    }

    fn records_after(&mut self, after: (&str, &str), limit: usize) -> Result<Vec<Record>, StoreError> {
        self.inner.records_after(after, limit)
    }

    fn answers_after(&mut self, after: (&str, &str), limit: usize) -> Result<Vec<Idempotency>, StoreError> {
        self.inner.answers_after(after, limit)
    }

    fn sealed(&mut self) -> Result<Vec<SealedRow>, StoreError> {
        self.inner.sealed()
    }
}

impl<S: Target> Target for FaultyStore<S> {
    fn replace_sealed(&mut self, rows: &[SealedRow]) -> Result<(), StoreError> {
        self.faults.take()?;
        self.inner.replace_sealed(rows)
    }
}
