//! What a witness says of a checkpoint, merged into the note the log keeps of it. It asks nobody: `witnessing` does.

use std::path::{Path, PathBuf};

use countersign_ledger::note::{self, VerifierKey, unverified_text};

use super::EngineError;
use crate::durable;
use crate::store::{Store, StoredCheckpoint};

/// The file beside the last signed checkpoint that keeps the latest one which enough witnesses have cosigned.
pub(crate) fn witnessed_beside(checkpoint: &Path) -> PathBuf {
    durable::beside(checkpoint, "witnessed")
}

/// A witness' answer.
#[derive(Clone, Debug)]
pub struct Cosignature {
    /// The size of the checkpoint it is about.
    pub size: u64,
    /// The witness' key.
    pub key: VerifierKey,
    /// Signature lines, as the witness gave them. Those of other keys are left out.
    pub lines: String,
}

impl Cosignature {
    /// The kept checkpoint with this cosignature in place of the witness' earlier ones: a witness that is asked again and again must not
    /// fill the note, and its latest time says most.
    pub(super) fn merged(&self, store: &mut dyn Store) -> Result<StoredCheckpoint, EngineError> {
        let unkept = || EngineError::Unavailable(format!("no checkpoint of {} entries is kept", self.size));
        let after = self.size.checked_sub(1).ok_or_else(unkept)?;
        let kept = store.checkpoints(after, 1)?.into_iter().next();
        let kept = kept.filter(|kept| kept.size == self.size).ok_or_else(unkept)?;
        let doubtful = |error: note::NoteError| EngineError::Unavailable(error.to_string());
        let text = unverified_text(&kept.note).map_err(doubtful)?;
        let others = without(&kept.note, (text, &self.key));
        let note = note::add(&others, &self.lines, std::slice::from_ref(&self.key)).map_err(doubtful)?;
        Ok(StoredCheckpoint { size: self.size, note })
    }
}

/// The note without the signature lines in the name of this key.
fn without(note: &str, (text, key): (&str, &VerifierKey)) -> String {
    let signatures = note.get(text.len()..).unwrap_or_default();
    let theirs = format!("\u{2014} {} ", key.name());
    let others = signatures.split_inclusive('\n').filter(|line| !line.starts_with(&theirs));
    std::iter::once(text).chain(others).collect()
}
