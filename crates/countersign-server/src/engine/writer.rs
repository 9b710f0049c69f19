//! The writer's thread: takes what waits, commits once, then answers. Also has checkpoints signed and snapshots saved.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use countersign_core::sabotage::{self, Sabotage};
use countersign_core::time::Time;
use countersign_core::token::NoteUse;
use countersign_core::{Actor, Command, State};
use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::keys::KeyHistory;
use tokio::sync::oneshot;

use super::clocks::Clocks;
use super::doubt::{Doubts, unless_known};
use super::entropy::Entropy;
use super::failures;
use super::freshness::{self, LOOK};
use super::keys::Signers;
use super::recover::{Followed, Recovered, replay};
use super::refusals::{Kind, Refusals};
use super::signing::{Signing, SigningError, Unsigned};
use super::snapshots::{By, Snapshots};
use super::stage::{Stage, Staged, World};
use super::uses::{Noted, Pace};
use super::{Cosignature, EngineError, Options, Order, Request, Shared, Submission};
use crate::clock::Moment;
use crate::store::{Head, Store, StoreError, StoredCheckpoint};

/// Most commands decided for one commit.
pub(super) const BATCH: usize = 512;

/// How often a batch is decided again after a conflict or a failed append.
const TRIES: u32 = 4;

/// Idempotency keys are kept this long, milliseconds (design: 24 h).
const IDEMPOTENCY_MS: i64 = 24 * 60 * 60 * 1_000;

pub(super) struct Writer {
    store: Box<dyn Store>,
    options: Options,
    shared: Arc<Shared>,
    state: State,
    head: Head,
    keys: KeyHistory,
    signed_size: u64,
    signing: Signing,
    snapshots: Snapshots,
    entropy: Entropy,
    refusals: Refusals,
    uses: Pace,
    failures: failures::Pace,
    clocks: Clocks,
    /// Whether the store took the last commit, or a look has shown that it takes one again.
    writes: bool,
    /// Whether something was committed since the last look.
    committed: bool,
    /// Whether the store said that others appended.
    told: bool,
}

/// The store contradicts itself: nothing more may be written.
#[derive(Debug)]
pub(super) struct Fatal;

/// Who does what the writer does not do itself.
pub(super) enum Hands {
    /// Signing and encoding have threads of their own, and randomness comes from the operating system.
    Threads,
    /// The writer does it all, at once, and randomness comes from here.
    #[cfg(feature = "simulation")]
    Own(Entropy),
}

impl Writer {
    pub(super) fn new(
        (store, options): (Box<dyn Store>, Options),
        (recovered, shared): (Recovered, Arc<Shared>),
        (signers, hands): (&Signers, Hands),
    ) -> std::io::Result<Self> {
        let now = options.clock.moment();
        let desk = (signers.clone(), options.anchor.clone());
        let (signing, by, entropy) = match hands {
            Hands::Threads => (Signing::start(desk, now)?, By::Thread, Entropy::of_the_system()),
            #[cfg(feature = "simulation")]
            Hands::Own(entropy) => (Signing::own(desk, now), By::Writer, entropy),
        };
        let Recovered { state, head, keys, snapshot_size, checkpoint } = recovered;
        let signed_size = checkpoint.map_or(0, |checkpoint| checkpoint.size);
        let mut writer = Self {
            store,
            options,
            shared,
            state,
            head,
            keys,
            signed_size,
            signing,
            snapshots: Snapshots::new(snapshot_size, by),
            entropy,
            refusals: Refusals::default(),
            uses: Pace::new(now),
            failures: failures::Pace::new(now),
            clocks: Clocks::default(),
            writes: true,
            committed: false,
            told: false,
        };
        // Before anybody is let do anything.
        writer.compare_clocks();
        Ok(writer)
    }

    /// Compares the node's clock with that of the place where the log is kept, now and then.
    fn compare_clocks(&mut self) {
        if let Some(ahead_ms) = self.clocks.compare(self.store.as_mut(), self.options.clock.as_ref()) {
            self.shared.ahead_ms.store(ahead_ms, Ordering::Release);
        }
    }

    /// Works until every handle is gone.
    pub(super) fn run(mut self, queue: &Receiver<Order>) {
        loop {
            let orders: Vec<Order> = match queue.recv_timeout(self.signing.patience().min(LOOK)) {
                Ok(first) => std::iter::once(first).chain(queue.try_iter()).take(BATCH).collect(),
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if self.round(orders).is_err() {
                tracing::error!("the engine stops: a damaged ledger must not go on");
                return;
            }
        }
        self.finish();
    }

    /// Obeys, proves that the state shown is the log's, and does what else is due. Never waits.
    pub(super) fn round(&mut self, orders: Vec<Order>) -> Result<(), Fatal> {
        self.compare_clocks();
        let as_of = served_until(&orders, self.moment());
        self.obey(orders)?;
        self.prove(as_of)?;
        if self.refusals.is_due(self.moment()) {
            self.note_refusals()?;
        }
        let due = self.uses.due(&self.shared.uses, BATCH, self.moment());
        self.note_uses(due)?;
        if self.failures.is_due(&self.shared.failures, self.moment()) {
            self.note_failures()?;
        }
        self.sign();
        self.snapshots.step(self.store.as_mut(), (&self.state, &self.head));
        Ok(())
    }

    /// Writes down what is only in memory.
    pub(super) fn finish(mut self) {
        let left = self.shared.uses.older_than(Duration::ZERO, usize::MAX, self.moment());
        if self.note_refusals().is_err() || self.note_uses(left).is_err() || self.note_failures().is_err() {
            return;
        }
        self.sign_last();
        self.snapshots.finish(self.store.as_mut(), (&self.state, &self.head));
    }

    fn moment(&self) -> Moment {
        self.options.clock.moment()
    }

    /// Commands first: what a witness said can wait for a commit, never a commit for it.
    fn obey(&mut self, orders: Vec<Order>) -> Result<(), Fatal> {
        let (mut requests, mut kept, mut heard) = (Vec::new(), Vec::new(), 0);
        for order in orders {
            match order {
                Order::Decide(request) => requests.push(*request),
                Order::Keep(cosignature, reply) => kept.push((*cosignature, reply)),
                Order::Look(size) => heard = heard.max(size),
            }
        }
        self.commit(requests)?;
        // Of what this node did itself it hears too.
        self.told |= heard > self.head.size();
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
    fn commit_once(&mut self, requests: Vec<Request>) -> Result<Vec<Request>, Fatal> {
        let left = self.decide_until_known(requests);
        // Whoever lost a race may still hold the head, although there was nothing to append in the end.
        self.store.release();
        left
    }

    /// Decides and appends until it is known what became of it: a few times, and longer only while an append is in doubt.
    fn decide_until_known(&mut self, mut requests: Vec<Request>) -> Result<Vec<Request>, Fatal> {
        let mut doubts = Doubts::begun(self.moment());
        let mut last = String::new();
        for attempt in 0_u32.. {
            if attempt >= TRIES && !doubts.are_worth_a_pause(self.options.clock.as_ref()) {
                break;
            }
            let now = match self.now() {
                Ok(now) => now,
                Err(why) => return Ok(refuse(requests, (&doubts, &why))),
            };
            let world = World {
                store: self.store.as_mut(),
                entropy: &mut self.entropy,
                keys: &self.keys,
                uses: &self.shared.uses,
                now,
            };
            let staged = Stage::new(world, (&self.state, &self.head)).decide(&requests);
            if attempt + 1 < TRIES && staged.as_ref().is_ok_and(Staged::only_refuses) && self.learns_more()? {
                continue;
            }
            if let (true, Ok(staged)) = (sabotage::is_active(Sabotage::EarlyAcknowledge), &staged) {
                answer_early(&mut requests, &staged.answers);
            }
            match staged.and_then(|staged| self.append(staged, (now, &mut doubts))) {
                Ok(answers) => {
                    tell_of_revocations((&requests, &answers), (attempt, self.moment()));
                    return Ok(answer(requests, answers));
                }
                Err(StoreError::Corrupt(why)) => {
                    tracing::error!(%why, "the store is corrupt");
                    answer_all(requests, &EngineError::Stopped);
                    return Err(Fatal);
                }
                Err(error) => {
                    last = error.to_string();
                    if let Some(answers) = self.learn(&error, (now, &mut doubts))? {
                        tell_of_revocations((&requests, &answers), (attempt, self.moment()));
                        return Ok(answer(requests, answers));
                    }
                }
            }
        }
        tracing::warn!(why = last, "commands are refused: the store does not take them");
        self.writes = false;
        Ok(refuse(requests, (&doubts, &last)))
    }

    /// Whether others appended meanwhile, which is followed. What is appended is checked by the append; what is refused would be refused for what
    /// somebody did a moment ago at another node.
    fn learns_more(&mut self) -> Result<bool, Fatal> {
        let behind =
            self.store.is_shared() && self.store.head().is_ok_and(|head| head.size() > self.head.size());
        Ok(behind && self.catch_up()?)
    }

    /// Looks, before anything is decided again, what became of what was decided before: the answers, if it was kept.
    fn learn(
        &mut self,
        error: &StoreError,
        (now, doubts): (Time, &mut Doubts),
    ) -> Result<Option<Vec<Option<super::stage::Answer>>>, Fatal> {
        if matches!(error, StoreError::Conflict { .. })
            && let Err(error) = self.store.claim()
        {
            tracing::debug!(%error, "the head could not be held; the race goes on");
        }
        self.catch_up()?;
        match doubts.find_out(self.store.as_mut()) {
            Ok(None)
            | Err(StoreError::Unavailable(_) | StoreError::Conflict { .. } | StoreError::Unknown(_)) => {
                Ok(None)
            }
            Ok(Some(kept)) => {
                tracing::info!("an append of which nobody said whether it was kept is in the log");
                metrics::counter!("countersign_doubtful_appends_total", "outcome" => "kept").increment(1);
                // It may have come between following the log and finding it there.
                self.catch_up()?;
                self.count((&kept.noted, kept.refused), now);
                Ok(Some(kept.answers))
            }
            Err(StoreError::Corrupt(why)) => {
                tracing::error!(%why, "the store is corrupt");
                Err(Fatal)
            }
        }
    }

    fn append(
        &mut self,
        staged: Staged,
        (now, doubts): (Time, &mut Doubts),
    ) -> Result<Vec<Option<super::stage::Answer>>, StoreError> {
        let appended = !staged.batch.entries.is_empty();
        let outcome = if appended { self.store.append(&staged.batch) } else { Ok(()) };
        let Staged { state, keys, batch, answers, refused, noted } = unless_known(outcome, staged, doubts)?;
        if appended {
            let decided = u32::try_from(answers.len()).unwrap_or(u32::MAX);
            metrics::histogram!("countersign_engine_batch_commands").record(f64::from(decided));
            self.state = state;
            self.keys = keys;
            self.head = batch.head;
            self.publish();
            (self.writes, self.committed) = (true, true);
        }
        self.count((&noted, refused), now);
        Ok(answers)
    }

    /// Forgets the uses that a batch wrote down, and counts what it refused.
    fn count(&mut self, (noted, refused): (&[NoteUse], Vec<Kind>), now: Time) {
        let moment = self.moment();
        noted.iter().for_each(|note| self.shared.uses.settle(note, moment));
        refused.into_iter().for_each(|kind| self.refusals.note(kind, (now, moment)));
    }

    /// Writes down what people were refused; what cannot be written is counted again.
    fn note_refusals(&mut self) -> Result<(), Fatal> {
        let notes = self.refusals.take();
        let commands = notes.iter().map(|note| (Command::NoteRefusals(note.clone()), None)).collect();
        for (note, answer) in notes.into_iter().zip(self.write_down(commands)?) {
            if !matches!(answer, Some(Ok(_))) {
                self.refusals.put_back(note, self.options.clock.moment());
            }
        }
        Ok(())
    }

    /// Writes down that tokens were used; what cannot be written stays counted, unless the token has ended.
    fn note_uses(&mut self, due: Vec<Noted>) -> Result<(), Fatal> {
        let (notes, commands): (Vec<_>, Vec<_>) =
            due.into_iter().map(|Noted { note, details }| (note, (Command::NoteUse(note), details))).unzip();
        for (note, answer) in notes.iter().zip(self.write_down(commands)?) {
            match answer {
                Some(Ok(_)) => self.shared.uses.settle(note, self.moment()),
                Some(Err(EngineError::Refused(_))) => self.shared.uses.forget(note.token),
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes down that sign-ins failed too often; what cannot be written stays counted.
    fn note_failures(&mut self) -> Result<(), Fatal> {
        let Ok(now) = self.now() else { return Ok(()) };
        let told = self.shared.failures.take(now);
        let commands =
            told.iter().map(|told| (Command::NoteFailedSignIns(told.note), told.details.clone())).collect();
        for (told, answer) in told.into_iter().zip(self.write_down(commands)?) {
            match answer {
                Some(Ok(_)) => told.counted(),
                Some(Err(error)) => self.shared.failures.put_back(told, &error),
                None => self.shared.failures.put_back(told, &EngineError::Stopped),
            }
        }
        Ok(())
    }

    /// Commits what the node itself has to say, each with its details, and gives back what became of it.
    fn write_down(
        &mut self,
        commands: Vec<(Command, Option<Vec<u8>>)>,
    ) -> Result<Vec<Option<super::stage::Answer>>, Fatal> {
        let arrived = self.moment();
        let (requests, answers): (Vec<_>, Vec<_>) = commands
            .into_iter()
            .map(|(command, details)| {
                let (reply, answer) = oneshot::channel();
                let submission = Submission::new(Actor::Node, command).with_optional_details(details);
                (Request { submission, arrived, reply }, answer)
            })
            .unzip();
        self.commit(requests)?;
        Ok(answers.into_iter().map(|mut answer| answer.try_recv().ok()).collect())
    }

    fn publish(&self) {
        if self.shared.keys.load().tenures().len() != self.keys.tenures().len() {
            self.shared.keys.store(Arc::new(self.keys.clone()));
        }
        let state = Arc::new(self.state.clone());
        self.shared.shown.store(Arc::new((self.head.size(), Arc::clone(&state))));
        self.shared.state.store(state);
        self.shared.head_ms.store(self.head.time_ms, Ordering::Release);
        self.shared.size.send_replace(self.head.size());
    }

    /// Renews the proof that the state shown is the log's, with everything in it that was handed in before `as_of`: a commit shows it,
    /// and so does a look, if there was none. A store that does not take or tell anything shows nothing.
    fn prove(&mut self, as_of: Moment) -> Result<(), Fatal> {
        let committed = std::mem::take(&mut self.committed);
        let due = !committed && self.shared.freshness.age(self.moment()) >= LOOK;
        if due && self.looks_right()? || self.writes && committed {
            self.shared.freshness.prove(as_of);
        }
        Ok(())
    }

    /// Whether the store can be read, holds the log as it is shown, followed to its end if need be, and takes writes.
    fn looks_right(&mut self) -> Result<bool, Fatal> {
        match self.store.head() {
            Ok(head) if head == self.head => {}
            // Others append too: what they did is followed, and then the log is shown as it was when this began.
            Ok(_) | Err(StoreError::Corrupt(_)) => {
                if !self.catch_up()? {
                    return Ok(false);
                }
            }
            Err(_) => return Ok(false),
        }
        if !self.writes {
            // What is there is written once more: that a store which failed takes writes again, only a write can tell.
            let again = self.shared.checkpoint.load_full().map(|known| self.store.save_checkpoint(&known));
            self.writes = again.is_none_or(|written| written.is_ok());
        }
        Ok(self.writes)
    }

    /// Follows the log to where the store says it is, and says whether it got there.
    fn catch_up(&mut self) -> Result<bool, Fatal> {
        let caught = self.store.head().and_then(|head| {
            if sabotage::is_active(Sabotage::UnfollowedLog) {
                return Ok(head);
            }
            let mut tree = self.head.tree.clone();
            let followed = Followed { state: &mut self.state, tree: &mut tree, keys: &mut self.keys };
            replay(self.store.as_mut(), followed, head.size())?;
            if tree.root() == head.tree.root() {
                Ok(head)
            } else {
                Err(StoreError::Corrupt("the log forked".into()))
            }
        });
        match caught {
            Ok(head) => {
                if head != self.head {
                    self.head = head;
                    self.publish();
                }
                Ok(true)
            }
            Err(StoreError::Corrupt(why)) => {
                tracing::error!(%why, "the store is corrupt");
                Err(Fatal)
            }
            Err(_) => Ok(false),
        }
    }

    /// The time of the next entry: never before the last one's, and never guessed.
    fn now(&self) -> Result<Time, String> {
        let now = self.options.clock.now().map_err(|jumped| jumped.to_string())?;
        if sabotage::is_active(Sabotage::UnwatchedClock) {
            return Ok(now);
        }
        self.shared.trusts(now)?;
        Ok(now.max(Time::from_millis(self.head.time_ms)))
    }

    /// Takes what was signed, and has the head signed if it has grown. Never waits.
    fn sign(&mut self) {
        if let Some(outcome) = self.signing.ended() {
            self.take(outcome);
        }
        if self.signing.is_due(self.moment()) {
            self.begin();
        }
    }

    fn begin(&mut self) {
        let Some(unsigned) = self.unsigned().filter(|head| head.checkpoint.size != self.signed_size) else {
            return;
        };
        self.signing.begin(unsigned, self.moment());
        let before = self.head.time_ms - IDEMPOTENCY_MS;
        if let Err(error) = self.store.forget_idempotency(before) {
            tracing::warn!(%error, "old idempotency keys could not be forgotten");
        }
    }

    /// The head as it is to be signed; none before genesis.
    fn unsigned(&self) -> Option<Unsigned> {
        let (log, key) = (self.state.log()?, self.keys.current()?);
        let checkpoint = Checkpoint {
            origin: log.origin.clone(),
            size: self.head.size(),
            root: self.head.tree.root(),
            extensions: Vec::new(),
        };
        Some(Unsigned { checkpoint, key: key.clone() })
    }

    /// Stores a checkpoint that is signed and kept outside the database, and only then shows it.
    fn take(&mut self, outcome: Result<StoredCheckpoint, SigningError>) {
        let stored = outcome.and_then(|checkpoint| {
            let saved = self.store.save_checkpoint(&checkpoint);
            saved.map(|()| checkpoint).map_err(|error| SigningError::Store(error.to_string()))
        });
        match stored {
            Ok(checkpoint) => {
                self.signing.succeeded();
                self.shared.trouble.store(None);
                self.signed_size = checkpoint.size;
                self.shared.checkpoint.store(Some(Arc::new(checkpoint)));
                self.shared.signed.send_replace(self.signed_size);
            }
            Err(error) => {
                let trouble = self.signing.failed(&error, self.options.clock.moment());
                self.shared.trouble.store(Some(Arc::new(trouble)));
            }
        }
    }

    /// Has the last head signed before the engine ends, as far as the signer lets it; the next start goes on where this ends.
    fn sign_last(&mut self) {
        let (patience, tries) = Signing::last_patience();
        let until = self.moment() + patience;
        for _ in 0..=tries {
            if self.signing.is_under_way() {
                match self.signing.wait(until.since(self.moment())) {
                    Some(outcome) => self.take(outcome),
                    None => break,
                }
            }
            if self.head.size() == self.signed_size || self.moment() >= until {
                break;
            }
            self.signing.pause((self.moment(), until));
            self.begin();
        }
        if self.head.size() != self.signed_size && self.state.log().is_some() {
            let (entries, signed) = (self.head.size(), self.signed_size);
            tracing::error!(entries, signed, "the last entries are not signed; the next start signs them");
        }
    }
}

/// Up to when everything that was handed in is among these orders: now, unless more may be waiting than were taken.
fn served_until(orders: &[Order], now: Moment) -> Moment {
    let arrived = |order: &Order| match order {
        Order::Decide(request) => Some(request.arrived),
        Order::Keep(..) | Order::Look(_) => None,
    };
    let last = (orders.len() >= BATCH).then(|| orders.iter().rev().find_map(arrived));
    last.flatten().unwrap_or(now)
}

/// What was decided in an earlier round had effect then; a repeated request is told of once, unless the round before did not know that it had succeeded.
fn tell_of_revocations(
    (requests, answers): (&[Request], &[Option<super::stage::Answer>]),
    (attempt, now): (u32, Moment),
) {
    for (request, answer) in requests.iter().zip(answers) {
        if let Some(Ok(committed)) = answer
            && (!committed.replayed || attempt > 0)
        {
            freshness::tell(&committed.events, now.since(request.arrived));
        }
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

/// Tells everybody that the store does not take it, and those whose entries may be in the log all the same that nobody knows.
fn refuse(requests: Vec<Request>, (doubts, why): (&Doubts, &str)) -> Vec<Request> {
    for (number, request) in requests.into_iter().enumerate() {
        let error = if doubts.concern(number) && !sabotage::is_active(Sabotage::UnknownIsNothing) {
            metrics::counter!("countersign_doubtful_appends_total", "outcome" => "not-known").increment(1);
            EngineError::Unknown(why.to_owned())
        } else {
            EngineError::Unavailable(why.to_owned())
        };
        drop(request.reply.send(Err(error)));
    }
    Vec::new()
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
