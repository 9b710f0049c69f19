//! Asks the configured witnesses to cosign the log's checkpoints. It stands beside the runner and never in the writer's way.
//!
//! One task per witness, so that one who hangs, lies or is gone concerns nobody else; what a witness answers is believed only as far as
//! its key signed it. Appends never wait for a witness: a lost one is seen, counted, and after a while on record in the log itself.
//!
//! # Layout
//! - `ask`: one exchange with one witness
//! - `board`: what is known of each, and the latest checkpoint that enough of them cosigned

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use countersign_core::log::witness::{ReportWitness, Standing};
use countersign_core::{Actor, Command};
use countersign_ledger::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config::Witnesses;
use crate::engine::{Engine, Submission};
use crate::outgoing;

mod ask;
mod board;

pub use board::{Board, Progress};

use ask::Asker;

/// How long things may take, and how long to wait in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// One call as a whole.
    pub call: Duration,
    /// Between two questions to a witness that answers, however fast the log grows.
    pub between: Duration,
    /// The first wait after trouble; each further one is twice as long.
    pub first: Duration,
    /// The longest wait after trouble.
    pub longest: Duration,
    /// After this long a witness is asked again though the log did not grow: so that a lost one is noticed, and the log's witnesses
    /// can be seen to be awake.
    pub refresh: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(10),
            between: Duration::from_secs(1),
            first: Duration::from_secs(1),
            longest: Duration::from_secs(30),
            refresh: Duration::from_secs(60),
        }
    }
}

/// The task that asks witnesses.
pub struct Witnessing {
    engine: Engine,
    board: Arc<Board>,
    asker: Arc<Asker>,
    pace: Pace,
}

impl fmt::Debug for Witnessing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witnessing").field("board", &self.board).finish_non_exhaustive()
    }
}

impl Witnessing {
    /// Prepares to ask. `witnessed` is the file that keeps the latest witnessed checkpoint; what is in it is known from the start.
    ///
    /// # Errors
    /// The HTTP client cannot be built, or the file cannot be read; in words.
    pub fn new(
        engine: Engine,
        witnesses: &Witnesses,
        (witnessed, pace): (Option<PathBuf>, Pace),
    ) -> Result<Self, String> {
        let client = outgoing::client(witnesses.each.iter().map(|witness| &witness.url), pace.call)?;
        let board = Board::new(witnesses.clone(), witnessed)?;
        if let Some(checkpoint) = engine.checkpoint() {
            board.recall(&checkpoint);
        }
        let asker = Asker::new(engine.clone(), client);
        Ok(Self { engine, board: Arc::new(board), asker: Arc::new(asker), pace })
    }

    /// What is known of the witnesses.
    #[must_use]
    pub fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    /// Asks until `stop` is ready.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let mut tasks = JoinSet::new();
        for place in 0..self.board.witnesses().len() {
            let attendant = Attendant {
                engine: self.engine.clone(),
                board: Arc::clone(&self.board),
                asker: Arc::clone(&self.asker),
                pace: self.pace,
                place,
            };
            tasks.spawn(attendant.attend(self.engine.signatures()));
        }
        stop.await;
        // Whatever was asked and not heard is asked again at the next start.
        tasks.shutdown().await;
    }
}

/// Whoever asks one witness.
struct Attendant {
    engine: Engine,
    board: Arc<Board>,
    asker: Arc<Asker>,
    pace: Pace,
    place: usize,
}

impl Attendant {
    async fn attend(self, mut signatures: watch::Receiver<u64>) {
        let mut wait = self.pace.first;
        loop {
            // Before looking: a checkpoint that comes while we ask is then not missed.
            signatures.borrow_and_update();
            if self.once().await {
                wait = self.pace.first;
                tokio::time::sleep(self.pace.between).await;
                // Nothing to ask for until the log grows, or it is time to see whether the witness is still there.
                drop(tokio::time::timeout(self.pace.refresh, signatures.changed()).await);
            } else {
                tokio::time::sleep(wait).await;
                wait = wait.saturating_mul(2).min(self.pace.longest);
            }
        }
    }

    /// Asks once and writes down how it went; whether it went well.
    async fn once(&self) -> bool {
        let (Some(checkpoint), Some(witness)) =
            (self.engine.checkpoint(), self.board.witnesses().get(self.place))
        else {
            return true;
        };
        let known = self.board.cosigned_size(self.place);
        match self.asker.ask(witness, (&checkpoint, known)).await {
            Ok(kept) => {
                self.board.succeeded(self.place, &kept).await;
                self.report_regained(kept.size).await;
                true
            }
            Err(trouble) => {
                tracing::warn!(witness = %witness.name, %trouble, "no cosignature");
                self.board.failed(self.place, (&trouble.to_string(), self.engine.now()));
                self.report_lost().await;
                false
            }
        }
    }

    async fn report_lost(&self) {
        let (Some(witness), Some(progress)) =
            (self.board.witnesses().get(self.place), self.board.progress(self.place))
        else {
            return;
        };
        let Some(since) = progress.failing_since else { return };
        let waited = self.engine.now().as_millis().saturating_sub(since.as_millis());
        let is_over =
            u128::try_from(waited).is_ok_and(|waited| waited >= self.board.lost_after().as_millis());
        if !is_over || self.is_lost(witness.name.as_str()) {
            return;
        }
        let cosigned = self.board.cosigned_size(self.place);
        let details = json::to_canonical(&serde_json::json!({ "last_error": progress.last_error })).ok();
        self.report(Standing::Lost { cosigned, since }, details).await;
    }

    async fn report_regained(&self, cosigned: u64) {
        let name = self.board.witnesses().get(self.place).map(|witness| witness.name.as_str());
        if name.is_some_and(|name| self.is_lost(name)) {
            self.report(Standing::Regained { cosigned }, None).await;
        }
    }

    /// Whether the log says so.
    fn is_lost(&self, name: &str) -> bool {
        self.engine.state().log().is_some_and(|log| log.lost_witnesses.contains_key(name))
    }

    async fn report(&self, standing: Standing, details: Option<Vec<u8>>) {
        let Some(witness) = self.board.witnesses().get(self.place) else { return };
        let report = ReportWitness { witness: witness.name.clone(), standing };
        let submission = Submission::new(Actor::Node, Command::ReportWitness(report));
        let submission = match details {
            Some(details) => submission.with_details(details),
            None => submission,
        };
        if let Err(error) = self.engine.submit(submission).await {
            tracing::warn!(witness = %witness.name, %error, "how the witness fares could not be written down; it will be tried again");
        }
    }
}
