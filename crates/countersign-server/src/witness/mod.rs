//! A witness of our own (c2sp.org/tlog-witness): cosigns a log's checkpoints as long as each continues the one before.
//!
//! What is decided is in `countersign_ledger::witness`. Here it is made durable: for each log, comparing with what was cosigned last,
//! remembering and answering is one step, and nothing is answered that was not remembered first. A witness that crashes in between
//! has cosigned nothing that anybody holds; its memory is ahead of the world, never behind it.
//!
//! # Layout
//! - `memory`: the last cosigned checkpoint of each log, in files
//! - `http`: the two routes
//! - `serving`: one running witness

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_core::sabotage::{self, Sabotage};
use countersign_ledger::checkpoint::{Checkpoint, CheckpointError};
use countersign_ledger::note::{self, Cosigner, NoteError, VerifierKey};
use countersign_ledger::witness::{AddCheckpoint, Known, Objection, RequestError, Seen, judge, size_body};

use crate::clock::{Clock, ClockJumped};

mod http;
mod memory;
mod serving;

pub use http::{MAX_BODY, router};
pub use memory::{Folder, Memory, MemoryError};
pub use serving::{WitnessError, WitnessNode};

/// A log that is watched.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The origin line of its checkpoints.
    pub origin: String,
    /// The keys that sign them.
    pub keys: Vec<VerifierKey>,
}

/// Why there is no cosignature.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// The body is no request.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The rules say no.
    #[error("{objection}")]
    Objection {
        /// Why.
        objection: Objection,
        /// The size of the checkpoint cosigned last.
        size: u64,
    },
    /// What is remembered cannot be read or replaced: without a memory nothing is cosigned.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The time is not known: a cosignature says when.
    #[error(transparent)]
    Clock(#[from] ClockJumped),
    /// The cosignature cannot be made.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl Rejection {
    /// The body of a 409, if that is the answer.
    #[must_use]
    pub fn size_body(&self) -> Option<String> {
        match self {
            Self::Objection { objection: Objection::Conflict { .. } | Objection::Fork, size } => {
                Some(size_body(*size))
            }
            _ => None,
        }
    }
}

/// One log, and the lock that makes comparing, remembering and answering one step.
struct Desk {
    log: Watched,
    turn: Mutex<()>,
}

/// A witness.
pub struct Witness {
    cosigner: Cosigner,
    desks: BTreeMap<String, Desk>,
    memory: Box<dyn Memory>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witness").field("cosigner", &self.cosigner).finish_non_exhaustive()
    }
}

impl Witness {
    /// A witness of these logs, each of them once, with this memory.
    pub fn new(
        cosigner: Cosigner,
        logs: Vec<Watched>,
        (memory, clock): (Box<dyn Memory>, Arc<dyn Clock>),
    ) -> Self {
        let desk = |log: Watched| (log.origin.clone(), Desk { log, turn: Mutex::new(()) });
        Self { cosigner, desks: logs.into_iter().map(desk).collect(), memory, clock }
    }

    /// The key by which others verify.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        self.cosigner.verifier()
    }

    /// Decides about a request and gives the signature line. Blocks until what it says is durable.
    ///
    /// # Errors
    /// There is no cosignature, and why. Nothing is remembered then.
    pub fn add_checkpoint(&self, body: &str) -> Result<String, Rejection> {
        let request: AddCheckpoint = body.parse()?;
        let claimed = request.unverified_checkpoint().map_err(RequestError::Checkpoint)?;
        let Some(desk) = self.desks.get(&claimed.origin) else {
            return Err(Rejection::Objection { objection: Objection::UnknownOrigin, size: 0 });
        };
        // INVARIANT: held from reading what was cosigned last until the new checkpoint is durable. Two requests for forks of one log
        // come one after the other, and the second one meets what the first one left.
        let _turn = desk.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let remembered = self.memory.recall(&desk.log.origin)?;
        let last = remembered.as_deref().map(|note| self.seen(note)).transpose();
        let last = last.map_err(|error| MemoryError::damaged(&desk.log.origin, &error))?;
        let last = last.unwrap_or_else(Seen::nothing);
        let known = Known { origin: &desk.log.origin, keys: &desk.log.keys, last };
        let cosignable = judge(&request, Some(&known)).map_err(|objection| {
            self.tell(&desk.log, (&request, &objection), remembered.as_deref());
            Rejection::Objection { objection, size: last.size }
        })?;
        let time = u64::try_from(self.clock.now()?.as_millis() / 1_000).unwrap_or(0);
        let line = note::signature_line(&cosignable.text, &self.cosigner.at(time)?)?;
        let cosigned = format!("{}\n{line}", cosignable.text);
        // Of the submitted signatures only the log's own go on: anybody may have added others.
        let signatures = request.checkpoint.get(cosignable.text.len() + 1..).unwrap_or_default();
        let cosigned = note::add(&cosigned, signatures, &desk.log.keys)?;
        if !sabotage::is_active(Sabotage::ForgetfulWitness) {
            self.memory.remember(&desk.log.origin, &cosigned)?;
        }
        Ok(line)
    }

    /// The last cosigned checkpoint of the log with this path (c2sp.org/tlog-witness, monitoring).
    ///
    /// # Errors
    /// What is remembered cannot be read.
    pub fn latest(&self, path: &str) -> Result<Option<String>, MemoryError> {
        let named = |origin: &&String| countersign_ledger::witness::checkpoint_path(origin) == path;
        match self.desks.keys().find(named) {
            Some(origin) => self.memory.recall(origin),
            None => Ok(None),
        }
    }

    /// What a remembered note says, if it carries our own cosignature: nobody else's word is our memory.
    fn seen(&self, note: &str) -> Result<Seen, CheckpointError> {
        let opened = note::open(note, &[self.verifier()])?;
        let Checkpoint { size, root, .. } = Checkpoint::parse(&opened.text)?;
        Ok(Seen { size, root })
    }

    /// Two checkpoints of one size with different roots, both signed by the log, are the proof of a fork: that is worth keeping.
    fn tell(
        &self,
        log: &Watched,
        (request, objection): (&AddCheckpoint, &Objection),
        remembered: Option<&str>,
    ) {
        tracing::info!(origin = log.origin, %objection, "not cosigned");
        if let (Objection::Fork, Some(remembered)) = (objection, remembered) {
            tracing::error!(origin = log.origin, "the log has signed two histories of one size");
            let proof = format!("{remembered}\n\n{}", request.checkpoint);
            if let Err(error) = self.memory.keep_proof(&log.origin, &proof) {
                tracing::error!(%error, "the proof could not be kept");
            }
        }
    }
}
