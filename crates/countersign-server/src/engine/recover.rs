//! Start-up: the snapshot, the tail after it, and the proof that this is the log we last signed.

use std::path::Path;

use countersign_core::{Fact, State};
use countersign_ledger::keys::{KeyHistory, claimed_size};
use countersign_ledger::note::unverified_text;
use countersign_ledger::tree::CompactRange;

use super::codec::{self, Decoded};
use super::cosignatures::witnessed_beside;
use super::{Options, StartError, keys};
use crate::durable;
use crate::store::{Head, Snapshot, Store, StoreError, StoredCheckpoint, Tree};

/// Entries read at once.
const CHUNK: usize = 2_048;

/// What start-up found.
pub(super) struct Recovered {
    pub state: State,
    pub head: Head,
    /// Which keys signed it, each verified.
    pub keys: KeyHistory,
    /// Size of the snapshot that was used; 0 if none.
    pub snapshot_size: u64,
    pub checkpoint: Option<StoredCheckpoint>,
}

pub(super) fn recover(store: &mut dyn Store, options: &Options) -> Result<Recovered, StartError> {
    let head = store.head()?;
    let (mut state, mut tree) = from_snapshot(store, &head)?;
    let snapshot_size = tree.size();
    let mut keys = keys::load(store, &state, snapshot_size)?;
    let followed = Followed { state: &mut state, tree: &mut tree, keys: &mut keys };
    replay(store, followed, head.size())?;
    if tree.root() != head.tree.root() {
        return Err(StoreError::Corrupt(
            "the entries do not give the stored root: run `countersign ledger verify`".into(),
        )
        .into());
    }
    let checkpoint = check_anchor(store, options, (&keys, &head))?;
    Ok(Recovered { state, head, keys, snapshot_size, checkpoint })
}

/// What grows with every entry that is read.
pub(super) struct Followed<'a> {
    pub state: &'a mut State,
    pub tree: &'a mut CompactRange,
    pub keys: &'a mut KeyHistory,
}

/// The snapshot's state and the tree at its size, or the beginning.
fn from_snapshot(store: &mut dyn Store, head: &Head) -> Result<(State, CompactRange), StoreError> {
    let beginning = || (State::default(), CompactRange::new());
    let Some(Snapshot { size, root, state }) =
        store.snapshot()?.filter(|snapshot| snapshot.size <= head.size())
    else {
        return Ok(beginning());
    };
    let tree = CompactRange::read(&Tree::over(store), size)?;
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
pub(super) fn replay(store: &mut dyn Store, followed: Followed<'_>, size: u64) -> Result<(), StoreError> {
    let Followed { state, tree, keys } = followed;
    while tree.size() < size {
        let entries = store.entries(tree.size(), CHUNK)?;
        if entries.is_empty() {
            return Err(StoreError::Corrupt(format!("entry {} is missing", tree.size())));
        }
        for entry in entries {
            let Decoded { event, subject_seq } = codec::decode(entry.index, &entry.leaf, store)?;
            tree.push(entry.leaf_hash);
            if matches!(event.fact, Fact::LogCreated(..) | Fact::LogKeyRotated(..)) {
                keys::follow(keys, entry.index, &entry.leaf)?;
            }
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

/// The log must contain the trees in the files beside the key: what was last signed, and what was last witnessed.
fn check_anchor(
    store: &mut dyn Store,
    options: &Options,
    (keys, head): (&KeyHistory, &Head),
) -> Result<Option<StoredCheckpoint>, StartError> {
    let stored = store.latest_checkpoint()?;
    let Some(path) = &options.anchor else { return Ok(stored) };
    contained(store, (keys, head), &witnessed_beside(path))?;
    let Some(anchored) = contained(store, (keys, head), path)? else { return Ok(stored) };
    // The database's copy of the same checkpoint may carry cosignatures, which arrived later.
    let same =
        |kept: &StoredCheckpoint| unverified_text(&kept.note).ok() == unverified_text(&anchored.note).ok();
    Ok(stored.filter(same).or(Some(anchored)))
}

/// The checkpoint in the file, if there is one, of which the log must be a continuation.
fn contained(
    store: &mut dyn Store,
    (keys, head): (&KeyHistory, &Head),
    path: &Path,
) -> Result<Option<StoredCheckpoint>, StartError> {
    let unreadable = |why: String| StartError::Anchor(format!("`{}`: {why}", path.display()));
    let Some(note) = durable::load(path).map_err(|error| unreadable(error.to_string()))? else {
        return Ok(None);
    };
    if keys.tenures().is_empty() {
        return Err(unreadable("a checkpoint was signed, but the log is empty".into()));
    }
    // Whose signature a size needs that the log does not have cannot be known, so sizes are compared first.
    let claimed = claimed_size(&note).unwrap_or(0);
    if claimed > head.size() {
        return Err(unreadable(format!(
            "the last signed checkpoint has {claimed} entries, the log has {}: this is an old copy of the log, and signing it would fork history",
            head.size()
        )));
    }
    let signed = keys.open(&note).map_err(|error| unreadable(error.to_string()))?;
    if CompactRange::read(&Tree::over(store), signed.size)?.root() != signed.root {
        return Err(unreadable(format!(
            "the log's first {} entries are not those that were signed: history was changed",
            signed.size
        )));
    }
    Ok(Some(StoredCheckpoint { size: signed.size, note }))
}
