//! The stored tree as proofs read it: one node at a time.

use std::cell::RefCell;

use countersign_ledger::hash::Hash;
use countersign_ledger::tree::Nodes;

use super::{Reader, StoreError};

/// A reader's tree. Proofs look at nodes through a shared reference, readers read through an exclusive one.
pub struct Tree<'a>(RefCell<&'a mut dyn Reader>);

impl std::fmt::Debug for Tree<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tree").finish_non_exhaustive()
    }
}

impl<'a> Tree<'a> {
    /// The tree of the log that the reader reads.
    pub fn over(reader: &'a mut dyn Reader) -> Self {
        Self(RefCell::new(reader))
    }
}

impl Nodes for Tree<'_> {
    type Error = StoreError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, StoreError> {
        self.0.borrow_mut().node(level, index)
    }
}
