//! Appends of which nobody said whether they were kept, until the log says it.
//!
//! A connection that is lost during a commit is neither success nor failure, and whoever asked must be told neither. What was to be
//! appended is known by its leaf hashes, which no other batch has: where they stand in the log it was kept, and its answers are right;
//! where others stand it was not, and never will be, since it was conditional on the size. As long as nothing stands there it may still come.

use std::time::Duration;

use countersign_core::token::NoteUse;
use countersign_ledger::hash::Hash;

use super::refusals::Kind;
use super::stage::{Answer, Staged};
use crate::clock::{Clock, Moment};
use crate::store::{Batch, Store, StoreError};

/// How long it is tried to find out, before whoever asked is told that it is not known.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a store that does not answer is left in peace.
const PAUSE: Duration = Duration::from_millis(50);

/// No more pauses than fit, whatever the clock says.
const PAUSES: u32 = 100;

/// One such append.
pub(super) struct Doubt {
    first: u64,
    leaf_hashes: Vec<Hash>,
    pub answers: Vec<Option<Answer>>,
    pub refused: Vec<Kind>,
    pub noted: Vec<NoteUse>,
}

/// What the log says of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Kept,
    Never,
    Nothing,
}

impl Doubt {
    fn look(&self, store: &mut dyn Store) -> Result<Said, StoreError> {
        if store.head()?.size() <= self.first {
            return Ok(Said::Nothing);
        }
        let count = u64::try_from(self.leaf_hashes.len()).unwrap_or(u64::MAX);
        let stored = store.hashes(0, self.first..self.first.saturating_add(count))?;
        Ok(if stored == self.leaf_hashes { Said::Kept } else { Said::Never })
    }
}

/// Those of one batch of requests, each from another try.
pub(super) struct Doubts {
    open: Vec<Doubt>,
    begun: Moment,
    pauses: u32,
}

impl Doubts {
    /// None yet.
    pub(super) fn begun(now: Moment) -> Self {
        Self { open: Vec::new(), begun: now, pauses: 0 }
    }

    /// Makes a pause before the next try, if there is something to find out and it is not too late for that.
    pub(super) fn are_worth_a_pause(&mut self, clock: &dyn Clock) -> bool {
        if self.open.is_empty() || self.pauses >= PAUSES || clock.moment().since(self.begun) >= PATIENCE {
            return false;
        }
        self.pauses += 1;
        clock.pause(PAUSE);
        true
    }

    /// Nobody said whether this one was kept.
    pub(super) fn add(&mut self, batch: &Batch, staged: (Vec<Option<Answer>>, Vec<Kind>, Vec<NoteUse>)) {
        let (answers, refused, noted) = staged;
        let leaf_hashes = batch.entries.iter().map(|entry| entry.leaf_hash).collect();
        self.open.push(Doubt { first: batch.expected_size, leaf_hashes, answers, refused, noted });
    }

    /// Asks the log, gives back the one that was kept, if one was, and forgets those that never will be.
    ///
    /// # Errors
    /// The store does not answer, so nothing is known, or contradicts itself.
    pub(super) fn find_out(&mut self, store: &mut dyn Store) -> Result<Option<Doubt>, StoreError> {
        for doubt in std::mem::take(&mut self.open) {
            match doubt.look(store) {
                Ok(Said::Kept) => {
                    // All were to stand at the same place, so of the others none was.
                    self.open.clear();
                    return Ok(Some(doubt));
                }
                Ok(Said::Never) => {}
                Ok(Said::Nothing) | Err(StoreError::Unavailable(_)) => self.open.push(doubt),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Whether what this request asked for may be in the log.
    pub(super) fn concern(&self, request: usize) -> bool {
        let appended = |answer: &Answer| {
            answer.as_ref().is_ok_and(|committed| !committed.replayed && !committed.events.is_empty())
        };
        let answers = self.open.iter().filter_map(|doubt| doubt.answers.get(request)?.as_ref());
        answers.into_iter().any(appended)
    }
}

/// A batch that was not appended, or of which nobody knows.
pub(super) fn unless_known(
    outcome: Result<(), StoreError>,
    staged: Staged,
    doubts: &mut Doubts,
) -> Result<Staged, StoreError> {
    match outcome {
        Ok(()) => Ok(staged),
        Err(error) => {
            if matches!(error, StoreError::Unknown(_)) {
                doubts.add(&staged.batch, (staged.answers, staged.refused, staged.noted));
            }
            Err(error)
        }
    }
}
