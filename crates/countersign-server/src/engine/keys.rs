//! The keys that this node can sign the log with, and the keys that the log says it had.
//!
//! Which key is in force is what the log says; the configuration only says which keys are at hand. What the log says is verified here
//! from its entries each time an engine starts, whatever the snapshot remembers.

use std::fmt;
use std::sync::Arc;

use countersign_core::State;
use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::entry::EntryView;
use countersign_ledger::keys::{CrossSigned, Handover, KeyHistory, LogSigner};
use countersign_ledger::note::{SignError, VerifierKey};

use super::{Engine, EngineError, StartError};
use crate::store::{Reader, StoreError};

/// The log's signers: the one in use, and the one that is to follow it.
#[derive(Clone)]
pub(super) struct Signers {
    pub signer: Arc<dyn LogSigner>,
    pub next: Option<Arc<dyn LogSigner>>,
}

impl fmt::Debug for Signers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all().map(|signer| signer.verifier().to_string())).finish()
    }
}

impl Signers {
    fn all(&self) -> impl Iterator<Item = &Arc<dyn LogSigner>> {
        std::iter::once(&self.signer).chain(&self.next)
    }

    /// The signer that holds this key.
    pub(super) fn of(&self, key: &VerifierKey) -> Option<&Arc<dyn LogSigner>> {
        self.all().find(|signer| signer.verifier() == *key)
    }

    /// One of the signers must hold the key in force: any other signature would be refused by everybody.
    pub(super) fn check(&self, keys: &KeyHistory) -> Result<(), StartError> {
        match keys.current() {
            Some(key) if self.of(key).is_none() => Err(StartError::OtherKey {
                configured: self.all().map(|signer| signer.verifier().to_string()).collect(),
                log: key.to_string(),
            }),
            _ => Ok(()),
        }
    }
}

/// Why a handover was not signed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CrossSignError {
    /// No next key is configured.
    #[error("no next key of the log is configured")]
    NoNextKey,
    /// A signer does not sign.
    #[error("{0}")]
    Signer(#[from] SignError),
    /// There is nothing to hand over yet, or the engine is gone.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Engine {
    /// The keys of the log, each with the handover that named it, as verified.
    #[must_use]
    pub fn keys(&self) -> Arc<KeyHistory> {
        self.shared.keys.load_full()
    }

    /// The key that is configured to follow the one in force; it may have followed already.
    #[must_use]
    pub fn next_key(&self) -> Option<VerifierKey> {
        self.signers.next.as_ref().map(|next| next.verifier())
    }

    /// Lets the key in force and the next one sign the handover, over the last checkpoint that was kept. Appends nothing.
    ///
    /// # Errors
    /// There is no next key or no checkpoint, or a signer does not sign.
    pub async fn cross_sign(&self) -> Result<CrossSigned, CrossSignError> {
        let unavailable = |why: &str| CrossSignError::from(EngineError::Unavailable(why.to_owned()));
        let (keys, signers) = (self.keys(), self.signers.clone());
        let next = signers.next.clone().ok_or(CrossSignError::NoNextKey)?;
        let old = keys.current().ok_or_else(|| unavailable("the log has no key yet"))?.clone();
        let signer =
            signers.of(&old).cloned().ok_or_else(|| unavailable("the key in force is not at hand"))?;
        let kept = self.checkpoint().ok_or_else(|| unavailable("no checkpoint is signed yet"))?;
        let Checkpoint { origin, size, root, .. } =
            keys.open(&kept.note).map_err(|error| unavailable(&error.to_string()))?;
        let handover = Handover { origin, size, root, old, new: next.verifier() };
        // A signer may be slow; nobody else waits for it here.
        let signing =
            tokio::task::spawn_blocking(move || handover.cross_sign(signer.as_ref(), next.as_ref()));
        Ok(signing.await.map_err(|_| EngineError::Stopped)??)
    }
}

/// Reads the keys of a log from the entries of its first `size` that name them, and verifies each link.
pub(super) fn load(reader: &mut dyn Reader, state: &State, size: u64) -> Result<KeyHistory, StoreError> {
    let mut keys = KeyHistory::new();
    let tenures = state.log().map(|log| log.keys.as_slice()).unwrap_or_default();
    for tenure in tenures {
        let entry = reader.entries_of("log", tenure.subject_seq.saturating_sub(1), 1)?.into_iter().next();
        let entry = entry.filter(|entry| entry.index < size);
        let entry =
            entry.ok_or_else(|| StoreError::Corrupt(format!("no entry names the key `{}`", tenure.key)))?;
        follow(&mut keys, entry.index, &entry.leaf)?;
        if keys.current().map(ToString::to_string).as_deref() != Some(&tenure.key) {
            return Err(StoreError::Corrupt(format!(
                "entry {} does not name the key `{}`",
                entry.index, tenure.key
            )));
        }
    }
    Ok(keys)
}

/// Follows one entry.
pub(crate) fn follow(keys: &mut KeyHistory, index: u64, leaf: &[u8]) -> Result<(), StoreError> {
    let corrupt = |what: &dyn fmt::Display| StoreError::Corrupt(format!("entry {index}: {what}"));
    let view = EntryView::parse(leaf).map_err(|error| corrupt(&error))?;
    keys.follow(&view).map_err(|error| corrupt(&error))
}
