//! The nodes of a growing tree that the proofs of a few leaves will need, caught as they become perfect.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::hash::Hash;
use crate::tree::{CompactRange, Nodes};

/// A node that nobody caught.
pub(super) struct Missed;

/// Memory grows with the number of leaves of interest, not with the tree.
#[derive(Debug, Default)]
pub(super) struct Paths {
    awaited: BTreeSet<(u8, u64)>,
    nodes: BTreeMap<(u8, u64), Hash>,
}

impl Paths {
    /// Begins to follow the leaf at `rank`. It must not be pushed yet; `left` are the hashes of the tree just before it: what stands to
    /// the left of a leaf is complete by then, so they are the left half of its proof.
    pub(super) fn follow(&mut self, rank: u64, left: &[Hash]) {
        for (level, hash) in perfect(rank).zip(left) {
            self.nodes.insert((level, (rank >> level) - 1), *hash);
        }
        let right = (0..64_u8).filter(|level| rank >> level & 1 == 0);
        self.awaited.extend(right.map(|level| (level, (rank >> level) + 1)));
    }

    /// Takes a node that became perfect, if a proof will need it.
    pub(super) fn completed(&mut self, level: u8, index: u64, hash: Hash) {
        if self.awaited.remove(&(level, index)) {
            self.nodes.insert((level, index), hash);
        }
    }

    /// Takes the right edge of the finished tree.
    pub(super) fn finish(&mut self, tree: &CompactRange) {
        let size = tree.size();
        let edge = perfect(size).zip(tree.hashes());
        self.nodes.extend(edge.map(|(level, hash)| ((level, (size >> level) - 1), *hash)));
    }
}

/// The levels of the perfect subtrees of a tree of this size, largest first.
fn perfect(size: u64) -> impl Iterator<Item = u8> {
    (0..64_u8).rev().filter(move |level| size >> level & 1 == 1)
}

impl Nodes for Paths {
    type Error = Missed;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Missed> {
        self.nodes.get(&(level, index)).copied().ok_or(Missed)
    }
}
