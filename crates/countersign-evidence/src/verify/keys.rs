//! Who signed the checkpoint, and how that follows from the pinned keys: the bundle holds every entry about the log, so the handovers
//! from key to key are in it.
//!
//! The entries are read here before they are proved. Their signatures hold on their own, and whatever is not in the signed tree is
//! named afterwards.

use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::entry::EntryView;
use countersign_ledger::hash::leaf_hash;
use countersign_ledger::keys::KeyHistory;

use super::{Check, Lie, Trust, count};
use crate::bundle::Bundle;

/// The keys that the entries name, each link verified.
pub(super) fn history(bundle: &Bundle) -> Result<KeyHistory, Lie> {
    let mut keys = KeyHistory::new();
    for entry in &bundle.entries {
        let leaf = entry.leaf.as_bytes();
        // A damaged leaf is named where leaves are checked.
        let intact = leaf_hash(leaf) == entry.leaf_hash;
        let Some(view) = EntryView::parse(leaf).ok().filter(|_| intact) else { continue };
        keys.follow(&view).map_err(|error| Lie::at(view.index, "log_key", error))?;
    }
    Ok(keys)
}

/// The checkpoint, signed by a key that a pinned one is or leads to.
pub(super) fn signed(bundle: &Bundle, keys: &KeyHistory, trust: &Trust<'_>) -> Result<Checkpoint, Lie> {
    let checkpoint = keys
        .open_trusted(&bundle.checkpoint, trust.keys)
        .map_err(|error| Lie::new("checkpoint_signature", error))?;
    if checkpoint.origin == trust.origin {
        Ok(checkpoint)
    } else {
        let what = format!("the checkpoint is of the log `{}`", checkpoint.origin.escape_debug());
        Err(Lie::new("checkpoint_origin", what))
    }
}

/// Says which key signed, and how it follows from the pinned one.
pub(super) fn check(checkpoint: &Checkpoint, keys: &KeyHistory, trust: &Trust<'_>) -> Check {
    let (by, from) = (keys.place_at(checkpoint.size), keys.place_of(trust.keys));
    let signer = by.and_then(|by| keys.tenures().get(by));
    match (signer, by.zip(from)) {
        (Some(signer), Some((by, from))) if by > from => Check::holds(
            "keys",
            format!(
                "signed by `{}`, to which the pinned key leads by {} that both keys signed",
                signer.key,
                count(by - from, "handover")
            ),
        ),
        (Some(signer), _) => Check::holds("keys", format!("signed by `{}`, the pinned key", signer.key)),
        (None, _) => Check::not_shown("keys", "the bundle does not hold the entry that names the log's key"),
    }
}
