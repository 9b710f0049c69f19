//! What is known of each witness, and the latest checkpoint that enough of them have cosigned. It asks nobody and decides nothing.
//!
//! The witnessed checkpoint is kept in a file beside the last signed one, outside the database like that one, so that it survives
//! whatever happens to the database; start-up refuses a log that does not contain it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use countersign_core::time::Time;
use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::note::{self, SignedBy};

use crate::config::{WitnessEndpoint, Witnesses};
use crate::durable;
use crate::store::StoredCheckpoint;

const COSIGNED: &str = "countersign_witness_cosigned_entries";
const ASKED: &str = "countersign_witness_asked_total";
const WITNESSED: &str = "countersign_witnessed_entries";

/// How a witness fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Size of the last checkpoint it is known to have cosigned, and when it says it did.
    pub cosigned: Option<(u64, Time)>,
    /// Since when it is asked in vain; none if it answered the last time.
    pub failing_since: Option<Time>,
    /// What was wrong the last time it was asked in vain, also when that is over.
    pub last_error: Option<String>,
}

/// What is known of the witnesses.
#[derive(Debug, Default)]
pub struct Board {
    witnesses: Witnesses,
    progress: Mutex<Vec<Progress>>,
    witnessed: ArcSwapOption<StoredCheckpoint>,
    /// Keeps the witnessed checkpoint. The lock makes comparing and replacing one step.
    file: Mutex<Option<PathBuf>>,
}

impl Board {
    pub(super) fn new(witnesses: Witnesses, file: Option<PathBuf>) -> Result<Self, String> {
        let kept = match &file {
            Some(path) => durable::load(path).map_err(|error| format!("`{}`: {error}", path.display()))?,
            None => None,
        };
        let progress = Mutex::new(vec![Progress::default(); witnesses.each.len()]);
        let board = Self { witnesses, progress, witnessed: ArcSwapOption::empty(), file: Mutex::new(file) };
        if let Some(note) = kept {
            // Checked against the log when the engine started; read here for what it says of the witnesses.
            let text = note::unverified_text(&note).ok();
            let checkpoint = text.and_then(|text| Checkpoint::parse(text).ok());
            let checkpoint = checkpoint.ok_or("the file of the witnessed checkpoint is damaged")?;
            let kept = StoredCheckpoint { size: checkpoint.size, note };
            board.recall(&kept);
            if board.is_enough(&kept) {
                board.witnessed.store(Some(Arc::new(kept)));
            }
        }
        Ok(board)
    }

    /// The witnesses, in the order of the configuration.
    #[must_use]
    pub fn witnesses(&self) -> &[WitnessEndpoint] {
        &self.witnesses.each
    }

    /// How many of them are enough, as configured.
    #[must_use]
    pub fn policy(&self) -> &str {
        &self.witnesses.words
    }

    pub(super) fn lost_after(&self) -> Duration {
        self.witnesses.lost_after
    }

    /// How the witness at this place fares.
    #[must_use]
    pub fn progress(&self, place: usize) -> Option<Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).get(place).cloned()
    }

    /// The latest checkpoint that enough witnesses have cosigned.
    #[must_use]
    pub fn witnessed(&self) -> Option<Arc<StoredCheckpoint>> {
        self.witnessed.load_full()
    }

    pub(super) fn cosigned_size(&self, place: usize) -> u64 {
        self.progress(place).and_then(|progress| progress.cosigned).map_or(0, |(size, _)| size)
    }

    /// Learns from a note that was kept who has cosigned it.
    pub(super) fn recall(&self, kept: &StoredCheckpoint) {
        let cosigned_by = self.cosigned_by(kept);
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        for (witness, progress) in self.witnesses.each.iter().zip(progress.iter_mut()) {
            let by = cosigned_by.iter().find(|by| by.is(&witness.key));
            let at = by.and_then(|by| by.cosigned_at).map(of_seconds);
            if let Some(at) = at.filter(|_| progress.cosigned.is_none_or(|(size, _)| size <= kept.size)) {
                progress.cosigned = Some((kept.size, at));
            }
        }
    }

    /// The witness at this place has cosigned, and the note is as kept.
    pub(super) async fn succeeded(self: &Arc<Self>, place: usize, kept: &Arc<StoredCheckpoint>) {
        self.recall(kept);
        if let Some(progress) = self.progress.lock().unwrap_or_else(PoisonError::into_inner).get_mut(place) {
            progress.failing_since = None;
        }
        self.count(place, "cosigned");
        if self.is_enough(kept) {
            let (board, kept) = (Arc::clone(self), Arc::clone(kept));
            // The file is synced: not on a thread that others wait for.
            if tokio::task::spawn_blocking(move || board.advance(kept)).await.is_err() {
                tracing::error!("the witnessed checkpoint could not be kept");
            }
        }
    }

    /// The witness at this place was asked in vain.
    pub(super) fn failed(&self, place: usize, (why, now): (&str, Time)) {
        if let Some(progress) = self.progress.lock().unwrap_or_else(PoisonError::into_inner).get_mut(place) {
            progress.failing_since.get_or_insert(now);
            progress.last_error = Some(why.to_owned());
        }
        self.count(place, "in_vain");
    }

    /// Shows the checkpoint once it is kept, unless a later one is shown already.
    fn advance(&self, kept: Arc<StoredCheckpoint>) {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if self.witnessed().is_some_and(|shown| shown.size > kept.size || shown == kept) {
            return;
        }
        if let Some(path) = file.as_deref()
            && let Err(error) = durable::save(path, &kept.note)
        {
            tracing::error!(path = %path.display(), %error, "the witnessed checkpoint cannot be kept, so it is not shown");
            return;
        }
        gauge(WITNESSED, None, kept.size);
        self.witnessed.store(Some(kept));
    }

    fn is_enough(&self, kept: &StoredCheckpoint) -> bool {
        !self.witnesses.each.is_empty() && self.witnesses.policy.is_met_by(&self.cosigned_by(kept))
    }

    /// Whose cosignatures on the note hold. One that does not hold spoils the note, so it was never kept.
    fn cosigned_by(&self, kept: &StoredCheckpoint) -> Vec<SignedBy> {
        let keys = self.witnesses.policy.witness_keys();
        note::open(&kept.note, &keys).map(|opened| opened.signed_by).unwrap_or_default()
    }

    fn count(&self, place: usize, outcome: &'static str) {
        let Some(witness) = self.witnesses.each.get(place) else { return };
        let name = witness.name.to_string();
        metrics::counter!(ASKED, "witness" => name.clone(), "outcome" => outcome).increment(1);
        gauge(COSIGNED, Some(name), self.cosigned_size(place));
    }
}

fn gauge(metric: &'static str, witness: Option<String>, size: u64) {
    #[expect(clippy::cast_precision_loss, reason = "gauges are floats; exact up to 2^53 entries")]
    let value = size as f64;
    match witness {
        Some(witness) => metrics::gauge!(metric, "witness" => witness).set(value),
        None => metrics::gauge!(metric).set(value),
    }
}

fn of_seconds(seconds: u64) -> Time {
    Time::from_millis(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000))
}
