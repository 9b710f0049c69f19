//! The store that all nodes share: the contract's own in memory, behind everything that goes wrong with a database and the way to it.
//!
//! What is acknowledged is kept. An append that is not acknowledged was lost, or was kept all the same, or is still on its way and arrives
//! seconds later, if the log has not grown meanwhile. Mostly nobody can tell which.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use countersign_core::time::Time;
use countersign_ledger::census::Row;
use countersign_ledger::hash::Hash;
use countersign_server::store::memory::MemoryStore;
use countersign_server::store::{
    Batch, Details, Head, Idempotency, Reader, Record, RecordQuery, Redaction, Snapshot, Store, StoreError,
    StoredCheckpoint, StoredEntry,
};

use crate::dice::Dice;
use crate::time::Timeline;

/// How often what goes wrong, in a thousand appends or reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weather {
    /// Appends that are lost.
    pub lost: u64,
    /// Appends that are kept, but nobody learns of it.
    pub unheard: u64,
    /// Appends that arrive later.
    pub late: u64,
    /// Appends and reads that take their time.
    pub slow: u64,
    /// Reads that fail.
    pub unreadable: u64,
}

impl Weather {
    /// Nothing goes wrong.
    pub(crate) const FAIR: Self = Self { lost: 0, unheard: 0, late: 0, slow: 0, unreadable: 0 };
}

/// An append on its way.
struct Underway {
    /// Microseconds since the beginning.
    arrives: u64,
    batch: Batch,
}

struct Way {
    dice: Dice,
    weather: Weather,
    underway: Vec<Underway>,
}

/// What becomes of an append.
enum Fate {
    Kept,
    NotSent,
    Lost,
    Late,
    Unheard,
}

impl Way {
    fn is_slow(&mut self) -> bool {
        self.dice.in_a_thousand(self.weather.slow)
    }

    fn fate(&mut self) -> Fate {
        let Weather { lost, unheard, late, .. } = self.weather;
        let rolled = self.dice.below(1_000);
        if rolled < lost / 2 {
            Fate::NotSent
        } else if rolled < lost {
            Fate::Lost
        } else if rolled < lost + late {
            Fate::Late
        } else if rolled < lost + late + unheard {
            Fate::Unheard
        } else {
            Fate::Kept
        }
    }
}

/// The disk itself.
#[derive(Clone)]
pub(crate) struct Disk {
    kept: MemoryStore,
    way: Arc<Mutex<Way>>,
    timeline: Timeline,
}

impl Disk {
    /// An empty one, in fair weather.
    pub(crate) fn new(dice: Dice, timeline: Timeline) -> Self {
        let way = Way { dice, weather: Weather::FAIR, underway: Vec::new() };
        Self { kept: MemoryStore::new(), way: Arc::new(Mutex::new(way)), timeline }
    }

    /// What is really kept.
    pub(crate) fn kept(&self) -> MemoryStore {
        self.kept.clone()
    }

    /// A node's way to it.
    pub(crate) fn handle(&self) -> Handle {
        Handle { disk: self.clone(), cut_until: Arc::default() }
    }

    /// Changes the weather.
    pub(crate) fn set(&self, weather: Weather) {
        self.way().weather = weather;
    }

    /// Lets those appends arrive whose time has come.
    pub(crate) fn arrive(&self) {
        let now = self.timeline.micros();
        let arrived: Vec<Underway> = self.way().underway.extract_if(.., |it| it.arrives <= now).collect();
        for Underway { batch, .. } in arrived {
            // A log that has grown meanwhile takes it no more, and whoever sent it has long stopped listening.
            drop(self.kept.clone().append(&batch));
        }
    }

    fn way(&self) -> MutexGuard<'_, Way> {
        self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A node's way to the disk.
#[derive(Clone)]
pub(crate) struct Handle {
    disk: Disk,
    /// Microseconds since the beginning.
    cut_until: Arc<AtomicU64>,
}

impl Handle {
    /// Cuts the node off until then, microseconds since the beginning.
    pub(crate) fn cut(&self, until: u64) {
        self.cut_until.store(until, Ordering::Relaxed);
    }

    fn is_cut(&self) -> bool {
        self.disk.timeline.micros() < self.cut_until.load(Ordering::Relaxed)
    }

    fn unavailable<T>() -> Result<T, StoreError> {
        Err(StoreError::Unavailable("there is no connection".into()))
    }

    /// Nobody says what became of it, and sometimes nobody says anything for a while.
    fn unknown<T>(&self) -> Result<T, StoreError> {
        let mut way = self.disk.way();
        if way.dice.in_a_thousand(250) {
            self.cut(self.disk.timeline.micros() + way.dice.below(10_000_000));
        }
        Err(StoreError::Unknown("the connection was lost before there was an answer".into()))
    }

    /// What every question meets on its way.
    fn ask<T>(&self, ask: impl FnOnce(&mut MemoryStore) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.is_cut() {
            return Self::unavailable();
        }
        self.disk.arrive();
        let fails = {
            let mut way = self.disk.way();
            let unreadable = way.weather.unreadable;
            if way.is_slow() {
                let millis = 1 + way.dice.below(40);
                self.disk.timeline.pass(Duration::from_millis(millis));
            }
            way.dice.in_a_thousand(unreadable)
        };
        if fails { Self::unavailable() } else { ask(&mut self.disk.kept.clone()) }
    }
}

impl Reader for Handle {
    fn head(&mut self) -> Result<Head, StoreError> {
        self.ask(Reader::head)
    }

    fn entries(&mut self, from: u64, limit: usize) -> Result<Vec<StoredEntry>, StoreError> {
        self.ask(|kept| kept.entries(from, limit))
    }

    fn entries_of(
        &mut self,
        subject: &str,
        after_seq: u32,
        limit: usize,
    ) -> Result<Vec<StoredEntry>, StoreError> {
        self.ask(|kept| kept.entries_of(subject, after_seq, limit))
    }

    fn subjects(&mut self, size: u64, after: &str, limit: usize) -> Result<Vec<Row>, StoreError> {
        self.ask(|kept| kept.subjects(size, after, limit))
    }

    fn details(&mut self, index: u64) -> Result<Option<Details>, StoreError> {
        self.ask(|kept| kept.details(index))
    }

    fn details_in(&mut self, range: Range<u64>) -> Result<Vec<(u64, Details)>, StoreError> {
        self.ask(|kept| kept.details_in(range))
    }

    fn redactions_in(&mut self, range: Range<u64>) -> Result<Vec<Redaction>, StoreError> {
        self.ask(|kept| kept.redactions_in(range))
    }

    fn blob(&mut self, sha256: &Hash) -> Result<Option<Vec<u8>>, StoreError> {
        self.ask(|kept| kept.blob(sha256))
    }

    fn record(&mut self, kind: &'static str, id: &str) -> Result<Option<Record>, StoreError> {
        self.ask(|kept| kept.record(kind, id))
    }

    fn records(&mut self, query: &RecordQuery) -> Result<Vec<Record>, StoreError> {
        self.ask(|kept| kept.records(query))
    }

    fn idempotency(&mut self, actor: &str, key: &str) -> Result<Option<Idempotency>, StoreError> {
        self.ask(|kept| kept.idempotency(actor, key))
    }

    fn snapshot(&mut self) -> Result<Option<Snapshot>, StoreError> {
        self.ask(Reader::snapshot)
    }

    fn checkpoints(&mut self, after: u64, limit: usize) -> Result<Vec<StoredCheckpoint>, StoreError> {
        self.ask(|kept| kept.checkpoints(after, limit))
    }

    fn latest_checkpoint(&mut self) -> Result<Option<StoredCheckpoint>, StoreError> {
        self.ask(Reader::latest_checkpoint)
    }

    fn hashes(&mut self, level: u8, range: Range<u64>) -> Result<Vec<Hash>, StoreError> {
        self.ask(|kept| kept.hashes(level, range))
    }
}

impl Store for Handle {
    fn append(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if self.is_cut() {
            return Self::unavailable();
        }
        self.disk.arrive();
        let fate = {
            let mut way = self.disk.way();
            if way.is_slow() {
                let millis = 1 + way.dice.below(1_500);
                self.disk.timeline.pass(Duration::from_millis(millis));
            }
            way.fate()
        };
        match fate {
            Fate::Kept => self.disk.kept.append(batch),
            Fate::NotSent => Self::unavailable(),
            Fate::Lost => self.unknown(),
            Fate::Late => {
                let mut way = self.disk.way();
                let arrives = self.disk.timeline.micros() + way.dice.below(12_000_000);
                way.underway.push(Underway { arrives, batch: batch.clone() });
                drop(way);
                self.unknown()
            }
            Fate::Unheard => {
                // Even that it was refused is not heard.
                drop(self.disk.kept.append(batch));
                self.unknown()
            }
        }
    }

    fn save_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), StoreError> {
        self.ask(|kept| kept.save_snapshot(snapshot))
    }

    fn save_checkpoint(&mut self, checkpoint: &StoredCheckpoint) -> Result<(), StoreError> {
        self.ask(|kept| kept.save_checkpoint(checkpoint))
    }

    fn time(&mut self) -> Result<Option<Time>, StoreError> {
        let now = self.disk.timeline.now();
        self.ask(|_| Ok(Some(now)))
    }

    fn forget_idempotency(&mut self, before_ms: i64) -> Result<(), StoreError> {
        self.ask(|kept| kept.forget_idempotency(before_ms))
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(self.clone()))
    }
}
