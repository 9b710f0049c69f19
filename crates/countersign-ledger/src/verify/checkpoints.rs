//! The signed checkpoints of a log under verification: each is opened when the entries up to its size have been read.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use super::log::Trust;
use super::{Damage, DamageKind};
use crate::checkpoint::Checkpoint;
use crate::hash::Hash;
use crate::keys::{CheckpointFault, KeyError, KeyHistory, claimed_size};
use crate::note::VerifierKey;
use crate::tree::CompactRange;

/// How many of the checkpoints last reached are remembered, to be compared with what a handover names. Handing over takes
/// seconds and a log signs a few checkpoints per second, so the one it names is among them where it was given at all.
const REMEMBERED: usize = 1_024;

/// Checkpoints to come, and what those reached have shown.
#[derive(Debug)]
pub(super) struct Checkpoints {
    origin: String,
    trusted: Vec<VerifierKey>,
    /// Not reached yet, by the size they claim.
    pending: BTreeMap<u64, Vec<String>>,
    /// Sizes and roots of the last ones reached.
    remembered: VecDeque<(u64, Hash)>,
    /// The size of the last one reached, whoever signed it: damage found later lies behind it.
    reached: u64,
    /// The size of the last one reached that a trusted key speaks for.
    signed_size: u64,
}

impl Checkpoints {
    pub(super) fn new(trust: &Trust<'_>) -> Self {
        Self {
            origin: trust.origin.into(),
            trusted: trust.keys.to_vec(),
            pending: BTreeMap::new(),
            remembered: VecDeque::new(),
            reached: 0,
            signed_size: 0,
        }
    }

    /// Takes a checkpoint for later; `size` is how far the log has been read.
    pub(super) fn expect(&mut self, note: &str, size: u64) -> Result<(), Damage> {
        let Some(claimed) = claimed_size(note) else {
            let fault = Checkpoint::open(note, &self.trusted).err();
            let fault = fault.map_or(CheckpointFault::NoKey, CheckpointFault::Invalid);
            return Err(Damage { index: 0, what: DamageKind::CheckpointSignature(fault) });
        };
        if claimed < size {
            return Err(Damage { index: claimed, what: DamageKind::CheckpointOrder });
        }
        self.pending.entry(claimed).or_default().push(note.into());
        Ok(())
    }

    /// Opens every checkpoint of the present size (and of size 0, once somebody may have signed it) and compares its root.
    pub(super) fn reach(&mut self, tree: &CompactRange, keys: &KeyHistory) -> Result<(), Damage> {
        while let Some(due) = self.pending.first_entry().filter(|due| *due.key() <= tree.size()) {
            let (size, notes) = due.remove_entry();
            for note in notes {
                self.compare(&note, (size, tree), keys)?;
            }
        }
        Ok(())
    }

    fn compare(
        &mut self,
        note: &str,
        (size, tree): (u64, &CompactRange),
        keys: &KeyHistory,
    ) -> Result<(), Damage> {
        let damage = |what| Damage { index: size, what };
        let checkpoint =
            self.open(note, keys).map_err(|fault| damage(DamageKind::CheckpointSignature(fault)))?;
        if checkpoint.origin != self.origin {
            return Err(damage(DamageKind::CheckpointOrigin));
        }
        let root = if size == tree.size() { tree.root() } else { CompactRange::new().root() };
        if checkpoint.root != root {
            // A wrong root accuses every entry since the last checkpoint that held.
            return Err(Damage { index: self.reached, what: DamageKind::Root { size } });
        }
        self.reached = size;
        if self.remembered.len() >= REMEMBERED {
            self.remembered.pop_front();
        }
        self.remembered.push_back((size, root));
        if self.is_trusted(size, keys) {
            self.signed_size = size;
        }
        Ok(())
    }

    /// By the key the log names for that size; by the trusted ones in a log that names none.
    fn open(&self, note: &str, keys: &KeyHistory) -> Result<Checkpoint, CheckpointFault> {
        if keys.tenures().is_empty() {
            return Ok(Checkpoint::open(note, &self.trusted)?);
        }
        keys.open(note)
    }

    /// Whether the key in force at that size is trusted, or was led to by one that is.
    fn is_trusted(&self, size: u64, keys: &KeyHistory) -> bool {
        if keys.tenures().is_empty() {
            return true;
        }
        let signed_by = keys.place_at(size);
        keys.place_of(&self.trusted).is_some_and(|place| signed_by.is_some_and(|by| place <= by))
    }

    /// What the entry at `index` hands over, if it does, must be what a checkpoint that was reached has shown.
    pub(super) fn check_handover(&self, keys: &KeyHistory, index: u64) -> Result<(), KeyError> {
        let newest = keys.tenures().last().filter(|tenure| tenure.entry == index);
        let Some(signed) = newest.and_then(|tenure| tenure.handover.as_ref()) else { return Ok(()) };
        let size = signed.handover.size;
        let shown = self.remembered.iter().find(|(shown, _)| *shown == size);
        match shown {
            Some((_, root)) if *root != signed.handover.root => Err(KeyError::Root { size }),
            _ => Ok(()),
        }
    }

    /// How much a trusted key vouches for.
    pub(super) fn finish(mut self, tree: &CompactRange, keys: &KeyHistory) -> Result<u64, Damage> {
        self.reach(tree, keys)?;
        if let Some((size, notes)) = self.pending.last_key_value() {
            return Err(self.beyond((*size, notes), tree, keys));
        }
        if !keys.tenures().is_empty() && !self.trusted.is_empty() && keys.place_of(&self.trusted).is_none() {
            return Err(Damage { index: 0, what: DamageKind::NotTrusted });
        }
        Ok(self.signed_size)
    }

    /// Why there are checkpoints of sizes the log does not have: it was cut off, or they are not its own.
    fn beyond(&self, (size, notes): (u64, &Vec<String>), tree: &CompactRange, keys: &KeyHistory) -> Damage {
        for note in notes {
            // The entry that names its key may be among those that were cut off; then a trusted key still says so.
            let by_trusted = Checkpoint::open(note, &self.trusted).is_ok();
            if let Err(fault) =
                self.open(note, keys).map(drop).or_else(|fault| by_trusted.then_some(()).ok_or(fault))
            {
                return Damage { index: size, what: DamageKind::CheckpointSignature(fault) };
            }
        }
        Damage { index: tree.size(), what: DamageKind::Truncated { size } }
    }
}
