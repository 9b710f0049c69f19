//! The writer's thread: takes what waits, commits once, then answers. Also signs checkpoints and saves snapshots.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use countersign_core::sabotage::{self, Sabotage};
use countersign_core::time::Time;
use countersign_core::{Actor, Command, State};
use countersign_ledger::checkpoint::Checkpoint;
use tokio::sync::oneshot;

use super::entropy::Entropy;
use super::recover::{Recovered, replay};
use super::refusals::Refusals;
use super::snapshots::Snapshots;
use super::stage::{Stage, Staged, World};
use super::{Cosignature, EngineError, Options, Order, Request, Shared, Submission};
use crate::clock::TOLERANCE_MS;
use crate::durable;
use crate::store::{Head, Store, StoreError, StoredCheckpoint};

/// Most commands decided for one commit.
const BATCH: usize = 512;

/// How often a batch is decided again after a conflict or a failed append.
const TRIES: u32 = 4;

/// A grown log gets a new checkpoint at most this often.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(200);

/// Idempotency keys are kept this long, milliseconds (design: 24 h).
const IDEMPOTENCY_MS: i64 = 24 * 60 * 60 * 1_000;

pub(super) struct Writer {
    store: Box<dyn Store>,
    options: Options,
    shared: Arc<Shared>,
    state: State,
    head: Head,
    signed_size: u64,
    signed_at: Instant,
    snapshots: Snapshots,
    entropy: Entropy,
    refusals: Refusals,
}

/// The store contradicts itself: nothing more may be written.
struct Fatal;

impl Writer {
    pub(super) fn new(
        store: Box<dyn Store>,
        options: Options,
        (recovered, shared): (Recovered, Arc<Shared>),
    ) -> Self {
        let Recovered { state, head, snapshot_size, checkpoint } = recovered;
        let signed_size = checkpoint.map_or(0, |checkpoint| checkpoint.size);
        Self {
            store,
            options,
            shared,
            state,
            head,
            signed_size,
            signed_at: Instant::now(),
            snapshots: Snapshots::new(snapshot_size),
            entropy: Entropy::new(),
            refusals: Refusals::default(),
        }
    }

    /// Works until every handle is gone.
    pub(super) fn run(mut self, queue: &Receiver<Order>) {
        loop {
            match queue.recv_timeout(CHECKPOINT_EVERY) {
                Ok(first) => {
                    let orders = std::iter::once(first).chain(queue.try_iter()).take(BATCH);
                    if self.obey(orders).is_err() {
                        tracing::error!("the engine stops: a damaged ledger must not go on");
                        return;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.refusals.is_due() && self.note_refusals().is_err() {
                return;
            }
            if self.signed_at.elapsed() >= CHECKPOINT_EVERY {
                self.sign();
            }
            self.snapshots.step(self.store.as_mut(), (&self.state, &self.head));
        }
        if self.note_refusals().is_err() {
            return;
        }
        self.sign();
        self.snapshots.finish(self.store.as_mut(), (&self.state, &self.head));
    }

    /// Commands first: what a witness said can wait for a commit, never a commit for it.
    fn obey(&mut self, orders: impl Iterator<Item = Order>) -> Result<(), Fatal> {
        let (mut requests, mut kept) = (Vec::new(), Vec::new());
        for order in orders {
            match order {
                Order::Decide(request) => requests.push(request),
                Order::Keep(cosignature, reply) => kept.push((cosignature, reply)),
            }
        }
        self.commit(requests)?;
        for (cosignature, reply) in kept {
            // Whoever asked may have gone; what is kept is kept.
            drop(reply.send(self.keep(&cosignature)));
        }
        Ok(())
    }

    /// Adds a cosignature to its checkpoint: kept before it is shown.
    fn keep(&mut self, cosignature: &Cosignature) -> Result<Arc<StoredCheckpoint>, EngineError> {
        let kept = Arc::new(cosignature.merged(self.store.as_mut())?);
        self.store.save_checkpoint(&kept)?;
        if kept.size == self.signed_size {
            self.shared.checkpoint.store(Some(Arc::clone(&kept)));
        }
        Ok(kept)
    }

    /// Decides, appends, publishes and answers; again from the start when the store says so.
    fn commit(&mut self, mut requests: Vec<Request>) -> Result<(), Fatal> {
        while !requests.is_empty() {
            requests = self.commit_once(requests)?;
        }
        Ok(())
    }

    /// Returns the requests that have to wait for another batch.
    fn commit_once(&mut self, mut requests: Vec<Request>) -> Result<Vec<Request>, Fatal> {
        let mut last = String::new();
        for _ in 0..TRIES {
            let now = match self.now() {
                Ok(now) => now,
                Err(why) => return Ok(answer_all(requests, &EngineError::Unavailable(why))),
            };
            let world = World { store: self.store.as_mut(), entropy: &mut self.entropy, now };
            let staged = Stage::new(world, (&self.state, &self.head)).decide(&requests);
            if let (true, Ok(staged)) = (sabotage::is_active(Sabotage::EarlyAcknowledge), &staged) {
                answer_early(&mut requests, &staged.answers);
            }
            match staged.and_then(|staged| self.append(staged, now)) {
                Ok(answers) => return Ok(answer(requests, answers)),
                Err(StoreError::Corrupt(why)) => {
                    tracing::error!(%why, "the store is corrupt");
                    answer_all(requests, &EngineError::Stopped);
                    return Err(Fatal);
                }
                Err(error) => {
                    last = error.to_string();
                    // A failed append may have been persisted all the same: look before deciding again.
                    self.catch_up()?;
                }
            }
        }
        tracing::warn!(why = last, "commands are refused: the store does not take them");
        Ok(answer_all(requests, &EngineError::Unavailable(last)))
    }

    fn append(&mut self, staged: Staged, now: Time) -> Result<Vec<Option<super::stage::Answer>>, StoreError> {
        let Staged { state, batch, answers, refused } = staged;
        if !batch.entries.is_empty() {
            self.store.append(&batch)?;
            let decided = u32::try_from(answers.len()).unwrap_or(u32::MAX);
            metrics::histogram!("countersign_engine_batch_commands").record(f64::from(decided));
            self.state = state;
            self.head = batch.head;
            self.publish();
        }
        for kind in refused {
            self.refusals.note(kind, now);
        }
        Ok(answers)
    }

    /// Writes down what people were refused; what cannot be written is counted again.
    fn note_refusals(&mut self) -> Result<(), Fatal> {
        let notes = self.refusals.take();
        let (requests, answers): (Vec<_>, Vec<_>) = notes
            .iter()
            .map(|note| {
                let (reply, answer) = oneshot::channel();
                let command = Command::NoteRefusals(note.clone());
                (Request { submission: Submission::new(Actor::Node, command), reply }, answer)
            })
            .unzip();
        self.commit(requests)?;
        for (note, mut answer) in notes.into_iter().zip(answers) {
            if !matches!(answer.try_recv(), Ok(Ok(_))) {
                self.refusals.put_back(note);
            }
        }
        Ok(())
    }

    fn publish(&self) {
        self.shared.state.store(Arc::new(self.state.clone()));
        self.shared.size.send_replace(self.head.size());
    }

    /// Follows the log to where the store says it is.
    fn catch_up(&mut self) -> Result<(), Fatal> {
        let caught = self.store.head().and_then(|head| {
            let mut tree = self.head.tree.clone();
            replay(self.store.as_mut(), (&mut self.state, &mut tree), head.size())?;
            if tree.root() == head.tree.root() {
                Ok(head)
            } else {
                Err(StoreError::Corrupt("the log forked".into()))
            }
        });
        match caught {
            Ok(head) => {
                self.head = head;
                self.publish();
                Ok(())
            }
            Err(StoreError::Corrupt(why)) => {
                tracing::error!(%why, "the store is corrupt");
                Err(Fatal)
            }
            Err(_) => Ok(()),
        }
    }

    /// The time of the next entry: never before the last one's, and never guessed.
    fn now(&self) -> Result<Time, String> {
        let now = self.options.clock.now().map_err(|jumped| jumped.to_string())?;
        let behind = self.head.time_ms - now.as_millis();
        if behind > TOLERANCE_MS {
            return Err(format!("the clock is {behind} ms behind the last entry; set the clock right"));
        }
        Ok(now.max(Time::from_millis(self.head.time_ms)))
    }

    /// Signs the head if it has grown; the file outside the database first, so that nothing is shown that could be forgotten.
    fn sign(&mut self) {
        self.signed_at = Instant::now();
        if self.head.size() == self.signed_size {
            return;
        }
        match self.signed() {
            Ok(Some(checkpoint)) => {
                self.signed_size = checkpoint.size;
                self.shared.checkpoint.store(Some(Arc::new(checkpoint)));
                self.shared.signed.send_replace(self.signed_size);
            }
            Ok(None) => {}
            Err(why) => tracing::error!(%why, "the checkpoint could not be signed and kept"),
        }
        let before = self.head.time_ms - IDEMPOTENCY_MS;
        if let Err(error) = self.store.forget_idempotency(before) {
            tracing::warn!(%error, "old idempotency keys could not be forgotten");
        }
    }

    fn signed(&mut self) -> Result<Option<StoredCheckpoint>, String> {
        let Some(log) = self.state.log() else { return Ok(None) };
        let checkpoint = Checkpoint {
            origin: log.origin.clone(),
            size: self.head.size(),
            root: self.head.tree.root(),
            extensions: Vec::new(),
        };
        let note = checkpoint.sign(&[self.options.signer.as_ref()]).map_err(|error| error.to_string())?;
        if let Some(path) = &self.options.anchor {
            durable::save(path, &note).map_err(|error| format!("`{}`: {error}", path.display()))?;
        }
        let stored = StoredCheckpoint { size: checkpoint.size, note };
        self.store.save_checkpoint(&stored).map_err(|error| error.to_string())?;
        Ok(Some(stored))
    }
}

/// Answers those that were decided and returns the others.
fn answer(requests: Vec<Request>, answers: Vec<Option<super::stage::Answer>>) -> Vec<Request> {
    let mut waiting = Vec::new();
    for (request, answer) in requests.into_iter().zip(answers) {
        match answer {
            // Whoever asked may have gone; what happened happened.
            Some(answer) => drop(request.reply.send(answer)),
            None => waiting.push(request),
        }
    }
    waiting
}

fn answer_all(requests: Vec<Request>, error: &EngineError) -> Vec<Request> {
    for request in requests {
        drop(request.reply.send(Err(error.clone())));
    }
    Vec::new()
}

/// Test-only sabotage: answers before anything is durable, and puts unheard replies in place of the real ones.
fn answer_early(requests: &mut [Request], answers: &[Option<super::stage::Answer>]) {
    for (request, answer) in requests.iter_mut().zip(answers) {
        if let Some(answer) = answer {
            let (unheard, _) = oneshot::channel();
            drop(std::mem::replace(&mut request.reply, unheard).send(answer.clone()));
        }
    }
}
