//! A checkpoint of a server, believed because of a key that was pinned: followed across rotations of the log's key.
//!
//! Nothing is taken from the server but bytes: the entries that name keys are verified link by link, and what a key handed over must be
//! the beginning of what its successor signed.

use countersign_api::key::LogKeys;
use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::entry::EntryView;
use countersign_ledger::hash::Hash;
use countersign_ledger::keys::{CheckpointFault, KeyHistory, Tenure};
use countersign_ledger::note::VerifierKey;
use countersign_ledger::proof::verify_consistency;

use crate::{Client, ClientError};

/// A checkpoint that follows from a pinned key.
#[derive(Clone, Debug)]
pub struct Believed {
    /// The signed note.
    pub note: String,
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The keys of the log, as its entries name them.
    pub keys: KeyHistory,
}

/// Why a server's checkpoint is not believed.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// There is no answer, or not one of this API.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// What the server calls an entry that names a key is none, or its handover does not hold.
    #[error("entry {entry}, which is to name a key of the log: {what}")]
    Key {
        /// The entry.
        entry: u64,
        /// What is wrong.
        what: String,
    },
    /// The checkpoint is not signed by the key in force, or no pinned key leads there.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] CheckpointFault),
    /// The checkpoint is of another log.
    #[error("the checkpoint is of the log `{}`", .0.escape_debug())]
    Origin(String),
    /// What a key handed over is not the beginning of what its successor signed.
    #[error(
        "the {size} entries that the old key handed over are not the beginning of the signed log: {what}"
    )]
    Handover {
        /// The size of what was handed over.
        size: u64,
        /// Why not.
        what: String,
    },
}

impl Client {
    /// The server's last checkpoint, if it follows from one of the keys: by signature, or by handovers from key to key.
    ///
    /// # Errors
    /// Any [`TrustError`].
    pub async fn believed_checkpoint(
        &self,
        (origin, trusted): (&str, &[VerifierKey]),
    ) -> Result<Believed, TrustError> {
        // The keys after the checkpoint: whoever rotates in between is in the history, and the checkpoint is still the old key's.
        let note = self.checkpoint().await?;
        let keys = self.key_history().await?;
        let checkpoint = keys.open_trusted(&note, trusted)?;
        if checkpoint.origin != origin {
            return Err(TrustError::Origin(checkpoint.origin));
        }
        let (from, by) = (keys.place_of(trusted).unwrap_or(0), keys.place_at(checkpoint.size).unwrap_or(0));
        for tenure in keys.tenures().iter().take(by + 1).skip(from + 1) {
            self.check_handover(tenure, &checkpoint).await?;
        }
        Ok(Believed { note, checkpoint, keys })
    }

    /// The keys of the log as its entries name them, each link verified. Which of them to trust is for the caller to know.
    ///
    /// # Errors
    /// `Client` or `Key`: there is no answer, or it does not hold.
    pub async fn key_history(&self) -> Result<KeyHistory, TrustError> {
        history(&self.log_keys().await?)
    }

    /// What the old key vouched for must still stand.
    async fn check_handover(&self, tenure: &Tenure, checkpoint: &Checkpoint) -> Result<(), TrustError> {
        let Some(signed) = &tenure.handover else { return Ok(()) };
        let (size, root) = (signed.handover.size, signed.handover.root);
        let unfit = |what: String| TrustError::Handover { size, what };
        let proof = self.consistency(size, checkpoint.size).await?;
        let hashes = proof.hashes.iter().map(|hash| hash.parse()).collect::<Result<Vec<Hash>, _>>();
        let hashes = hashes.map_err(|error| unfit(format!("{error}")))?;
        verify_consistency(size, &root, checkpoint.size, &checkpoint.root, &hashes)
            .map_err(|error| unfit(error.to_string()))
    }
}

/// The keys as the entries name them, each link verified.
pub(crate) fn history(named: &LogKeys) -> Result<KeyHistory, TrustError> {
    let mut keys = KeyHistory::new();
    for named in &named.keys {
        let wrong = |what: String| TrustError::Key { entry: named.entry, what };
        let view = EntryView::parse(named.leaf_text.as_bytes()).map_err(|error| wrong(error.to_string()))?;
        keys.follow(&view).map_err(|error| wrong(error.to_string()))?;
    }
    Ok(keys)
}
