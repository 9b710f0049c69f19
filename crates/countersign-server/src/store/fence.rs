//! What every backend demands of a batch before a byte of it is written.
//!
//! Only what can be seen without the store: that the batch's own numbers agree. The conditions that need the store (its size,
//! the last sequence of a subject) are each backend's own, inside its transaction.

use countersign_ledger::hash::Hash;

use super::{Batch, Redaction, StoreError};

/// A stored tree level is a positive multiple of this, as in C2SP tlog-tiles.
pub(super) const TILE_HEIGHT: u8 = 8;

/// Refuses a batch that contradicts itself.
///
/// # Errors
/// `Corrupt`: writing such a batch would make the log contradict itself, so its author must stop rather than retry.
pub(super) fn well_formed(batch: &Batch) -> Result<(), StoreError> {
    let added = u64::try_from(batch.entries.len()).unwrap_or(u64::MAX);
    let size = batch.head.size();
    if batch.expected_size.checked_add(added) != Some(size) {
        let expected = batch.expected_size;
        let what = format!("a batch of {added} entries on size {expected} claims to end at size {size}");
        return Err(StoreError::Corrupt(what));
    }
    if let Some(node) = batch.nodes.iter().find(|node| node.level == 0 || node.level % TILE_HEIGHT != 0) {
        let what = format!(
            "a batch stores a node of level {}: only multiples of {TILE_HEIGHT} are stored",
            node.level
        );
        return Err(StoreError::Corrupt(what));
    }
    if let Some(entry) = batch.entries.iter().find(|entry| entry.subject_seq == 0) {
        return Err(StoreError::Corrupt(format!(
            "an entry of `{}` is numbered 0: the first is 1",
            entry.subject
        )));
    }
    redactions_well_formed(batch)
}

/// What is deleted must have been there before, and one of the new entries must say so.
fn redactions_well_formed(batch: &Batch) -> Result<(), StoreError> {
    let new = batch.expected_size..batch.head.size();
    let odd = |redaction: &&Redaction| redaction.index >= new.start || !new.contains(&redaction.by);
    match batch.redactions.iter().find(odd) {
        Some(Redaction { index, by }) => Err(StoreError::Corrupt(format!(
            "a batch on size {} deletes the details of entry {index} by entry {by}",
            batch.expected_size
        ))),
        None => Ok(()),
    }
}

/// The refusal to delete details that are not there.
pub(super) fn nothing_to_redact(index: u64) -> StoreError {
    StoreError::Corrupt(format!("there are no details beside entry {index} to delete"))
}

/// The refusal of an entry that does not follow its subject's last one.
pub(super) fn out_of_sequence(subject: &str, seq: u32) -> StoreError {
    StoreError::Corrupt(format!("entry {seq} of `{subject}` does not follow the subject's last entry"))
}

/// Databases number with signs.
pub(super) fn integer(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number)
        .map_err(|_| StoreError::Corrupt(format!("{number} is beyond what the database can number")))
}

/// Where the hashes that make up a node are stored: one hash for a stored level, up to 128 below it otherwise.
pub(super) struct NodeSpan {
    /// The nearest stored level at or below the node's own; 0 means leaf hashes.
    pub level: u8,
    /// Index of the first hash at that level.
    pub first: u64,
    /// How many there are, a power of two.
    pub count: u64,
}

impl NodeSpan {
    /// The span of the node at (`level`, `index`).
    ///
    /// # Errors
    /// `Corrupt` if no tree of fewer than 2^64 leaves has such a node.
    pub(super) fn of(level: u8, index: u64) -> Result<Self, StoreError> {
        let above = level % TILE_HEIGHT;
        let count = 1_u64 << above;
        let first = index.checked_mul(count).ok_or_else(|| missing_node(level, index))?;
        Ok(Self { level: level - above, first, count })
    }
}

/// The answer for a node whose leaves do not all exist, or whose hashes are gone.
pub(super) fn missing_node(level: u8, index: u64) -> StoreError {
    StoreError::Corrupt(format!("the tree has no node {index} at level {level}"))
}

/// Folds the hashes of a perfect subtree (a power of two of them) into its root; `None` for no hashes.
pub(super) fn fold(mut hashes: Vec<Hash>) -> Option<Hash> {
    while hashes.len() > 1 {
        hashes = hashes
            .chunks_exact(2)
            .filter_map(|pair| match pair {
                [left, right] => Some(countersign_ledger::hash::node_hash(left, right)),
                _ => None,
            })
            .collect();
    }
    hashes.pop()
}
