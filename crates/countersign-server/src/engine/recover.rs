//! Start-up: the snapshot, the tail after it, and the proof that this is the log we last signed.

use std::path::Path;

use countersign_core::State;
use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::hash::Hash;
use countersign_ledger::note::{VerifierKey, unverified_text};
use countersign_ledger::tree::CompactRange;

use super::codec::{self, Decoded};
use super::cosignatures::witnessed_beside;
use super::{Options, StartError};
use crate::durable;
use crate::store::{Head, Reader, Snapshot, Store, StoreError, StoredCheckpoint};

/// Entries read at once.
const CHUNK: usize = 2_048;

/// What start-up found.
pub(super) struct Recovered {
    pub state: State,
    pub head: Head,
    /// Size of the snapshot that was used; 0 if none.
    pub snapshot_size: u64,
    pub checkpoint: Option<StoredCheckpoint>,
}

pub(super) fn recover(store: &mut dyn Store, options: &Options) -> Result<Recovered, StartError> {
    let head = store.head()?;
    let (mut state, mut tree) = from_snapshot(store, &head)?;
    let snapshot_size = tree.size();
    replay(store, (&mut state, &mut tree), head.size())?;
    if tree.root() != head.tree.root() {
        return Err(StoreError::Corrupt(
            "the entries do not give the stored root: run `countersign ledger verify`".into(),
        )
        .into());
    }
    let checkpoint = check_anchor(store, options, (&state, &head))?;
    Ok(Recovered { state, head, snapshot_size, checkpoint })
}

/// The snapshot's state and the tree at its size, or the beginning.
fn from_snapshot(store: &mut dyn Store, head: &Head) -> Result<(State, CompactRange), StoreError> {
    let beginning = || (State::default(), CompactRange::new());
    let Some(Snapshot { size, root, state }) =
        store.snapshot()?.filter(|snapshot| snapshot.size <= head.size())
    else {
        return Ok(beginning());
    };
    let tree = tree_at(store, size)?;
    match serde_json::from_slice(&state) {
        Ok(state) if tree.root() == root => Ok((state, tree)),
        _ => {
            tracing::warn!(
                size,
                "the snapshot does not fit the log: it is derived data, so all entries are replayed instead"
            );
            Ok(beginning())
        }
    }
}

/// Applies the entries from the tree's size up to `size`.
pub(super) fn replay(
    store: &mut dyn Store,
    (state, tree): (&mut State, &mut CompactRange),
    size: u64,
) -> Result<(), StoreError> {
    while tree.size() < size {
        let entries = store.entries(tree.size(), CHUNK)?;
        if entries.is_empty() {
            return Err(StoreError::Corrupt(format!("entry {} is missing", tree.size())));
        }
        for entry in entries {
            let Decoded { event, subject_seq } = codec::decode(entry.index, &entry.leaf, store)?;
            tree.push(entry.leaf_hash);
            let subject = event.fact.subject();
            // Late evidence about what is finished changes its record only, and that was written with the entry.
            if subject_seq > 1 && state.entries_of(&subject) == 0 {
                continue;
            }
            countersign_core::apply(state, &event);
            if state.entries_of(&subject) != subject_seq {
                return Err(StoreError::Corrupt(format!(
                    "entry {}: gap in the entries of `{subject}`",
                    entry.index
                )));
            }
            state.retire(&subject);
        }
    }
    Ok(())
}

/// The tree at an earlier size, from stored nodes: one per set bit.
fn tree_at(reader: &mut (impl Reader + ?Sized), size: u64) -> Result<CompactRange, StoreError> {
    let mut hashes: Vec<Hash> = Vec::new();
    let mut begin = 0;
    for level in (0..64_u8).rev().filter(|level| size >> level & 1 == 1) {
        hashes.push(reader.node(level, begin >> level)?);
        begin += 1 << level;
    }
    CompactRange::from_parts(size, hashes).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// The log must contain the trees in the files beside the key: what was last signed, and what was last witnessed.
fn check_anchor(
    store: &mut dyn Store,
    options: &Options,
    (state, head): (&State, &Head),
) -> Result<Option<StoredCheckpoint>, StartError> {
    let stored = store.latest_checkpoint()?;
    let Some(path) = &options.anchor else { return Ok(stored) };
    contained(store, (state, head), &witnessed_beside(path))?;
    let Some(anchored) = contained(store, (state, head), path)? else { return Ok(stored) };
    // The database's copy of the same checkpoint may carry cosignatures, which arrived later.
    let same =
        |kept: &StoredCheckpoint| unverified_text(&kept.note).ok() == unverified_text(&anchored.note).ok();
    Ok(stored.filter(same).or(Some(anchored)))
}

/// The checkpoint in the file, if there is one, of which the log must be a continuation.
fn contained(
    store: &mut dyn Store,
    (state, head): (&State, &Head),
    path: &Path,
) -> Result<Option<StoredCheckpoint>, StartError> {
    let unreadable = |why: String| StartError::Anchor(format!("`{}`: {why}", path.display()));
    let Some(note) = durable::load(path).map_err(|error| unreadable(error.to_string()))? else {
        return Ok(None);
    };
    let log =
        state.log().ok_or_else(|| unreadable("a checkpoint was signed, but the log is empty".into()))?;
    let key = VerifierKey::parse(&log.log_key).map_err(|error| unreadable(error.to_string()))?;
    let signed = Checkpoint::open(&note, &[key]).map_err(|error| unreadable(error.to_string()))?;
    if signed.size > head.size() {
        return Err(unreadable(format!(
            "the last signed checkpoint has {} entries, the log has {}: this is an old copy of the log, and signing it would fork history",
            signed.size,
            head.size()
        )));
    }
    if tree_at(store, signed.size)?.root() != signed.root {
        return Err(unreadable(format!(
            "the log's first {} entries are not those that were signed: history was changed",
            signed.size
        )));
    }
    Ok(Some(StoredCheckpoint { size: signed.size, note }))
}
