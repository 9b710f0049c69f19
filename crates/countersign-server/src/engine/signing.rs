//! Signs checkpoints on a thread of its own, because a key may live behind a network: the writer hands over a head and goes on.
//!
//! One head at a time is under way, and the next one handed over is always the newest, so checkpoints are never out of order and a slow
//! signer only makes them rarer. Each is kept in the file outside the database before it comes back here, so nothing is shown that could
//! be forgotten. A signer that fails is asked again, ever more slowly, and the trouble shows in the metrics and in `/readyz`.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use countersign_ledger::checkpoint::{Checkpoint, CheckpointError};
use countersign_ledger::note::{NoteError, SignError, VerifierKey};

use super::keys::Signers;
use crate::clock::Moment;
use crate::durable;
use crate::store::StoredCheckpoint;

/// A grown log gets a new checkpoint at most this often.
const EVERY: Duration = Duration::from_millis(200);

/// How soon the writer looks again while a signature is under way.
const SOON: Duration = Duration::from_millis(5);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How often a failing signer is asked again when the engine stops.
const LAST_TRIES: u32 = 3;

/// How long the engine waits for a signature when it stops. What is not signed then is signed at the next start.
const LAST_PATIENCE: Duration = Duration::from_secs(10);

/// A head that is to be signed, and the key that the log names for it.
#[derive(Clone, Debug)]
pub(super) struct Unsigned {
    pub checkpoint: Checkpoint,
    pub key: VerifierKey,
}

/// Why a checkpoint was not signed and kept; the word is for metrics.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum SigningError {
    #[error("{0}")]
    Signer(#[from] SignError),
    #[error("the log is signed by `{0}`, which is not configured")]
    NoSigner(String),
    #[error("{0}")]
    Checkpoint(CheckpointError),
    #[error("`{}`: {why}", path.display())]
    Anchor { path: PathBuf, why: String },
    #[error("{0}")]
    Store(String),
    #[error("the signing thread is gone")]
    Gone,
}

impl SigningError {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Signer(SignError::Unavailable(_)) => "signer-unavailable",
            Self::Signer(SignError::Refused(_)) => "signer-refuses",
            Self::NoSigner(_) => "no-signer",
            Self::Checkpoint(_) => "bad-signature",
            Self::Anchor { .. } => "checkpoint-file",
            Self::Store(_) => "store",
            Self::Gone => "gone",
        }
    }
}

/// That checkpoints are not signed at present.
#[derive(Clone, Debug)]
pub struct SigningTrouble {
    /// Why, in one word.
    pub word: &'static str,
    /// How often in a row.
    pub failures: u32,
    /// Since when.
    pub since: Instant,
}

type Outcome = Result<StoredCheckpoint, SigningError>;

/// Who signs.
enum Hand {
    /// A thread, which is told here and answers there.
    Thread(Sender<Unsigned>, Receiver<Outcome>),
    /// The writer itself, at once; the outcome waits here until it is asked for.
    #[cfg(feature = "simulation")]
    Own(Desk, Option<Outcome>),
}

/// Who may sign, and the file that keeps the last signed checkpoint.
pub(super) type Desk = (Signers, Option<PathBuf>);

/// The writer's side of signing.
pub(super) struct Signing {
    hand: Hand,
    under_way: bool,
    next: Moment,
    trouble: Option<SigningTrouble>,
}

impl Signing {
    /// Signs on a thread of its own.
    pub(super) fn start((signers, file): Desk, now: Moment) -> std::io::Result<Self> {
        let (work, heads) = channel::<Unsigned>();
        let (outcomes, done) = channel();
        let body = move || {
            for head in heads {
                let begun = Instant::now();
                let outcome = sign(&signers, file.as_ref(), &head);
                metrics::histogram!("countersign_checkpoint_seconds").record(begun.elapsed().as_secs_f64());
                if outcomes.send(outcome).is_err() {
                    return;
                }
            }
        };
        // Not joined: a signer that hangs must not keep the engine from stopping. The thread ends when `work` is dropped.
        thread::Builder::new().name("signing".into()).spawn(body)?;
        Ok(Self::by(Hand::Thread(work, done), now))
    }

    /// Signs at once, on the writer's own thread.
    #[cfg(feature = "simulation")]
    pub(super) fn own(desk: Desk, now: Moment) -> Self {
        Self::by(Hand::Own(desk, None), now)
    }

    fn by(hand: Hand, now: Moment) -> Self {
        Self { hand, under_way: false, next: now + EVERY, trouble: None }
    }

    /// How long the writer may wait for a command before it looks here again.
    pub(super) fn patience(&self) -> Duration {
        if self.under_way { SOON } else { EVERY }
    }

    /// Whether it is time to hand over another head.
    pub(super) fn is_due(&self, now: Moment) -> bool {
        !self.under_way && now >= self.next
    }

    /// Hands a head over.
    pub(super) fn begin(&mut self, head: Unsigned, now: Moment) {
        match &mut self.hand {
            // If the thread is gone, so is its sender of outcomes, and `ended` says so.
            Hand::Thread(work, _) => drop(work.send(head)),
            #[cfg(feature = "simulation")]
            Hand::Own((signers, file), outcome) => *outcome = Some(sign(signers, file.as_ref(), &head)),
        }
        self.under_way = true;
        self.next = now + EVERY;
    }

    /// What became of the head under way, if that is known.
    pub(super) fn ended(&mut self) -> Option<Outcome> {
        if !self.under_way {
            return None;
        }
        let ended = match &mut self.hand {
            Hand::Thread(_, done) => done.try_recv(),
            #[cfg(feature = "simulation")]
            Hand::Own(_, outcome) => outcome.take().ok_or(TryRecvError::Disconnected),
        };
        match ended {
            Ok(outcome) => self.end(Ok(outcome)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => self.end(Err(())),
        }
    }

    fn end(&mut self, outcome: Result<Outcome, ()>) -> Option<Outcome> {
        self.under_way = false;
        Some(outcome.unwrap_or(Err(SigningError::Gone)))
    }

    /// A checkpoint is signed, kept and stored.
    pub(super) fn succeeded(&mut self) {
        if let Some(trouble) = self.trouble.take() {
            tracing::info!(failures = trouble.failures, "checkpoints are signed again");
        }
    }

    /// It is not: the next attempt comes later than the one before.
    pub(super) fn failed(&mut self, error: &SigningError, now: Moment) -> SigningTrouble {
        let (word, before) = (error.word(), self.trouble.take());
        let failures = before.as_ref().map_or(0, |before| before.failures).saturating_add(1);
        let pause = LONGEST_PAUSE.min(EVERY * 2_u32.saturating_pow(failures.min(16)));
        tracing::error!(%error, failures, pause_ms = pause.as_millis(), "the checkpoint could not be signed and kept");
        metrics::counter!("countersign_checkpoint_failures_total", "why" => word).increment(1);
        self.next = now + pause;
        let since = before.map_or_else(Instant::now, |before| before.since);
        let trouble = SigningTrouble { word, failures, since };
        self.trouble = Some(trouble.clone());
        trouble
    }

    /// Waits for what is under way; `None` if that takes too long.
    pub(super) fn wait(&mut self, patience: Duration) -> Option<Outcome> {
        let ended = match &mut self.hand {
            Hand::Thread(_, done) => done.recv_timeout(patience),
            #[cfg(feature = "simulation")]
            Hand::Own(_, outcome) => outcome.take().ok_or(RecvTimeoutError::Disconnected),
        };
        match ended {
            Ok(outcome) => self.end(Ok(outcome)),
            Err(RecvTimeoutError::Disconnected) => self.end(Err(())),
            Err(RecvTimeoutError::Timeout) => None,
        }
    }

    /// Waits until the signer may be asked again, when nothing else is left to do.
    pub(super) fn pause(&self, (now, until): (Moment, Moment)) {
        let pause = self.next.min(until).since(now);
        match &self.hand {
            // Nothing is under way, so nothing comes: the wait is the point.
            Hand::Thread(_, done) if !self.under_way => drop(done.recv_timeout(pause)),
            _ => {}
        }
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.under_way
    }

    /// How long the engine waits when it stops, and how often it asks a signer that fails again.
    pub(super) fn last_patience() -> (Duration, u32) {
        (LAST_PATIENCE, LAST_TRIES)
    }
}

/// Signs a head and keeps it in the file.
fn sign(signers: &Signers, file: Option<&PathBuf>, head: &Unsigned) -> Outcome {
    let Unsigned { checkpoint, key } = head;
    let signer = signers.of(key).ok_or_else(|| SigningError::NoSigner(key.to_string()))?;
    let note = checkpoint.sign(&[signer.as_ref()]).map_err(|error| match error {
        CheckpointError::Note(NoteError::Signer(error)) => SigningError::Signer(error),
        error => SigningError::Checkpoint(error),
    })?;
    // It may come from far away, and once it is kept a wrong one would stop the next start.
    Checkpoint::open(&note, std::slice::from_ref(key)).map_err(SigningError::Checkpoint)?;
    if let Some(path) = file {
        let failed =
            |error: std::io::Error| SigningError::Anchor { path: path.clone(), why: error.to_string() };
        durable::save(path, &note).map_err(failed)?;
    }
    Ok(StoredCheckpoint { size: checkpoint.size, note })
}
