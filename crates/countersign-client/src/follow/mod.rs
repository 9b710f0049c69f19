//! Follows a log from its public routes alone (c2sp.org/tlog-tiles): each checkpoint must continue the last one that was seen.
//!
//! Nothing the server says is believed but what the log's key has signed, and what follows from it. Where that contradicts what was
//! seen before, both signed checkpoints are the proof. A server that cannot be reached, or whose tiles do not fit its own checkpoint,
//! proves nothing: that is trouble, not a fork.
//!
//! # Layout
//! - `tiles`: fetches tiles, and what is computed from them
//! - `memory`: the last checkpoint and the proof of a fork, in files

use std::sync::{Arc, Mutex, PoisonError};

use countersign_api::key::LogKeys;
use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::hash::{Hash, empty_root};
use countersign_ledger::keys::{CheckpointFault, KeyHistory};
use countersign_ledger::note::VerifierKey;
use countersign_ledger::proof::verify_consistency;
use serde::Serialize;

use crate::transport::{Call, Transport};
use crate::{ClientError, ErrorKind, Patience, TrustError};

mod memory;
mod tiles;

pub use memory::Memory;

/// A checkpoint that was signed by the log's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The signed note, as the log gave it.
    pub note: String,
    /// What it says.
    pub checkpoint: Checkpoint,
}

/// What a look at the log showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The first checkpoint ever seen: there was nothing to hold it against.
    First(Seen),
    /// The log is as it was.
    Unchanged,
    /// The log went on, and begins with everything that was seen before.
    Grown(Seen),
}

/// What is looked at beside the checkpoint and the tiles that prove its consistency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Nothing.
    Proofs,
    /// Every new entry is fetched and must be in the tree.
    Entries,
}

/// How the log contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contradiction {
    /// It shows fewer entries than it signed before.
    WentBack,
    /// Two signed checkpoints are of different histories.
    Forked,
}

/// The proof that the log contradicts itself: two checkpoints, both signed by its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fork {
    /// How.
    pub contradiction: Contradiction,
    /// The checkpoint that was seen before, verbatim.
    pub seen: String,
    /// The checkpoint that was shown now, verbatim.
    pub shown: String,
}

/// Why a look at the log showed nothing good.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The server does not answer, or not as a log does. Try again.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The tiles do not lead to the checkpoint they were served with. Try again; a cache in between may be stale.
    #[error("what the server serves does not fit its own signed checkpoint of {size} entries: {what}")]
    Unfit {
        /// The size the checkpoint signs.
        size: u64,
        /// What does not fit.
        what: String,
    },
    /// The checkpoint is not signed by the log's key.
    #[error("the checkpoint is not one of this log: {0}")]
    Untrusted(#[from] CheckpointFault),
    /// What the server calls the keys of the log are not keys that follow from one another.
    #[error("{0}")]
    Keys(TrustError),
    /// The checkpoint is of another log.
    #[error("the checkpoint is of the log `{}`, not of `{expected}`", found.escape_debug())]
    Origin {
        /// The origin that was expected.
        expected: String,
        /// The origin in the checkpoint.
        found: String,
    },
    /// The log contradicts itself.
    #[error("{}", told(.0.contradiction))]
    Fork(Box<Fork>),
}

fn told(contradiction: Contradiction) -> &'static str {
    match contradiction {
        Contradiction::WentBack => "the log went back: it shows fewer entries than it has signed before",
        Contradiction::Forked => "the log forked: it has signed two different histories",
    }
}

impl FollowError {
    /// Whether it may be over when one looks again.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Client(_) | Self::Unfit { .. })
    }
}

/// Somebody outside who follows one log.
#[derive(Clone, Debug)]
pub struct Follower {
    transport: Transport,
    origin: String,
    keys: Vec<VerifierKey>,
    /// The keys the log says it had, once that had to be asked. It only ever grows.
    history: Arc<Mutex<KeyHistory>>,
}

impl Follower {
    /// A follower of the log at a prefix: an `https` link, or an `http` link to this machine. Of a Countersign server this is its link
    /// with `/ledger`. The origin and the keys must come from elsewhere.
    ///
    /// # Errors
    /// `Unusable`: the prefix is no such link.
    pub fn new(prefix: &str, (origin, keys): (&str, &[VerifierKey])) -> Result<Self, ClientError> {
        let (transport, history) = (Transport::new(prefix, None)?, Arc::default());
        Ok(Self { transport, origin: origin.to_owned(), keys: keys.to_vec(), history })
    }

    /// The same follower with another patience.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.transport.set_patience(patience);
        self
    }

    /// Reads a checkpoint that was kept, by the keys that are known.
    ///
    /// # Errors
    /// `Untrusted` or `Origin`: it is not one of this log.
    pub fn read(&self, note: String) -> Result<Seen, FollowError> {
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let checkpoint = history.open_trusted(&note, &self.keys)?;
        drop(history);
        if checkpoint.origin != self.origin {
            return Err(FollowError::Origin { expected: self.origin.clone(), found: checkpoint.origin });
        }
        Ok(Seen { note, checkpoint })
    }

    /// Reads a checkpoint that was kept or is shown. If the trusted keys have not signed it, the log is asked which keys they handed over to.
    ///
    /// # Errors
    /// `Untrusted` or `Origin`: it is not one of this log. `Client` or `Keys`: the log does not say.
    pub async fn believe(&self, note: String) -> Result<Seen, FollowError> {
        match self.read(note.clone()) {
            Err(FollowError::Untrusted(fault)) => {
                self.learn_keys(fault).await?;
                self.read(note)
            }
            read => read,
        }
    }

    /// Asks for the keys of the log. A log that does not say, or says less than before, leaves them as they are.
    async fn learn_keys(&self, fault: CheckpointFault) -> Result<(), FollowError> {
        let asked = self.transport.call(&Call::get(self.transport.url(&["keys"], &[]))).await;
        let body = match asked {
            Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error.into()),
            // Other logs have no such route: then their keys are those that were given.
            Err(_) => return Err(fault.into()),
            Ok(body) => body,
        };
        let unreadable = |error: serde_json::Error| self.transport.unexpected(None, error.to_string());
        let named: LogKeys = serde_json::from_slice(&body).map_err(unreadable)?;
        let told = crate::keys::history(&named).map_err(FollowError::Keys)?;
        let mut known = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        if told.tenures().starts_with(known.tenures()) {
            *known = told;
        }
        Ok(())
    }

    /// Looks at the log and holds it against the last checkpoint that was seen.
    ///
    /// # Errors
    /// Any [`FollowError`].
    pub async fn look(&self, last: Option<&Seen>, depth: Depth) -> Result<Step, FollowError> {
        let shown = self.believe(self.checkpoint().await?).await?;
        let Some(last) = last else {
            if depth == Depth::Entries {
                self.check_entries(None, &shown.checkpoint).await?;
            }
            return Ok(Step::First(shown));
        };
        let (old, new) = (&last.checkpoint, &shown.checkpoint);
        let contradicts = |contradiction| {
            let (seen, shown) = (last.note.clone(), shown.note.clone());
            Err(FollowError::Fork(Box::new(Fork { contradiction, seen, shown })))
        };
        if new.size < old.size {
            return contradicts(Contradiction::WentBack);
        }
        if new.size == old.size {
            return if new.root == old.root {
                Ok(Step::Unchanged)
            } else {
                contradicts(Contradiction::Forked)
            };
        }
        if self.beginning(old.size, new).await? != old.root {
            return contradicts(Contradiction::Forked);
        }
        if depth == Depth::Entries {
            self.check_entries(Some(old), new).await?;
        }
        Ok(Step::Grown(shown))
    }

    /// The checkpoint as the server gives it now.
    async fn checkpoint(&self) -> Result<String, FollowError> {
        let body = self.transport.call(&Call::get(self.transport.url(&["checkpoint"], &[]))).await?;
        let unreadable = |_| self.transport.unexpected(None, "a checkpoint that is not UTF-8".into());
        Ok(String::from_utf8(body).map_err(unreadable)?)
    }

    /// The root of the first `old` entries of the tree that this checkpoint signs. It is computed from tiles, and proved to be of that
    /// very tree: if it is not the root that was seen, the log itself has signed two histories.
    async fn beginning(&self, old: u64, new: &Checkpoint) -> Result<Hash, FollowError> {
        if old == 0 {
            return Ok(empty_root());
        }
        let (tree, proof) = self.consistency(old, new.size).await?;
        verify_consistency(old, &tree.root(), new.size, &new.root, &proof)
            .map_err(|error| FollowError::Unfit { size: new.size, what: error.to_string() })?;
        Ok(tree.root())
    }
}
