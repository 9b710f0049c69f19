//! The Merkle tree as it grows: a compact range of perfect subtrees (RFC 6962, 2.1), and the trait by which proofs
//! read nodes from wherever they are kept. It stores nothing itself.

use alloc::vec::Vec;
use core::fmt;

use crate::hash::{Hash, empty_root, node_hash};

/// Reads hashes of perfect subtrees.
pub trait Nodes {
    /// Why a node could not be read.
    type Error;

    /// The root of the perfect subtree over leaves `[index << level, (index + 1) << level)`; level 0 is a leaf hash.
    ///
    /// # Errors
    /// Whatever the storage reports. A node that is not perfect yet is never asked for.
    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

/// The state of an append-only tree: the roots of its perfect subtrees, largest first, one per set bit of its size.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CompactRange {
    size: u64,
    // INVARIANT: as many hashes as `size` has set bits.
    hashes: Vec<Hash>,
}

/// Stored parts do not make a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeError {
    /// The claimed number of leaves.
    pub size: u64,
    /// How many hashes came with it.
    pub hashes: usize,
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { size, hashes } = self;
        write!(f, "a tree of {size} leaves has {} perfect subtrees, not {hashes}", size.count_ones())
    }
}

impl core::error::Error for TreeError {}

impl CompactRange {
    /// The tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A tree from its stored [`size`](Self::size) and [`hashes`](Self::hashes).
    ///
    /// # Errors
    /// The number of hashes does not fit the size.
    pub fn from_parts(size: u64, hashes: Vec<Hash>) -> Result<Self, TreeError> {
        if u32::try_from(hashes.len()) == Ok(size.count_ones()) {
            Ok(Self { size, hashes })
        } else {
            Err(TreeError { size, hashes: hashes.len() })
        }
    }

    /// The tree of this many leaves, read from its nodes. Whether they are the right ones only its root can say.
    ///
    /// # Errors
    /// A node cannot be read.
    pub fn read<N: Nodes>(nodes: &N, size: u64) -> Result<Self, N::Error> {
        let mut hashes = Vec::new();
        let mut covered = 0_u64;
        let levels = (0..64_u8).rev().filter(|level| size >> level & 1 == 1);
        for level in levels {
            hashes.push(nodes.node(level, covered >> level)?);
            covered += 1 << level;
        }
        Ok(Self { size, hashes })
    }

    /// Appends a leaf by its [leaf hash](crate::hash::leaf_hash).
    pub fn push(&mut self, leaf_hash: Hash) {
        self.push_with(leaf_hash, |_, _, _| ());
    }

    /// Appends a leaf and tells `completed` every node that became perfect by it, as (level, index, hash) of [`Nodes`],
    /// the leaf hash itself first. Each node of the tree is told exactly once over the tree's life.
    pub fn push_with(&mut self, leaf_hash: Hash, mut completed: impl FnMut(u8, u64, Hash)) {
        let mut node = leaf_hash;
        let (mut level, mut index) = (0_u8, self.size);
        completed(level, index, node);
        // A trailing one-bit of the old size is a perfect subtree of the same height, waiting for its sibling.
        while index & 1 == 1 {
            let Some(left) = self.hashes.pop() else { break };
            node = node_hash(&left, &node);
            level += 1;
            index >>= 1;
            completed(level, index, node);
        }
        self.hashes.push(node);
        self.size += 1;
    }

    /// The number of leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the perfect subtrees, largest first.
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// The root hash; [`empty_root`] without leaves.
    #[must_use]
    pub fn root(&self) -> Hash {
        let smallest_first = self.hashes.iter().rev().copied();
        smallest_first.reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(empty_root)
    }
}

#[cfg(test)]
mod tests {
    use super::{CompactRange, TreeError};
    use crate::hash::{leaf_hash, node_hash};
    use alloc::vec;
    use alloc::vec::Vec;

    #[test]
    fn three_leaves_by_hand() {
        let [a, b, c] = [b"a", b"b", b"c"].map(|leaf| leaf_hash(leaf));
        let mut tree = CompactRange::new();
        let mut completed = Vec::new();
        for leaf in [a, b, c] {
            tree.push_with(leaf, |level, index, hash| completed.push((level, index, hash)));
        }
        let ab = node_hash(&a, &b);
        assert_eq!(tree.root(), node_hash(&ab, &c));
        assert_eq!(tree.hashes(), [ab, c]);
        assert_eq!(completed, [(0, 0, a), (0, 1, b), (1, 0, ab), (0, 2, c)]);
    }

    #[test]
    fn parts_must_fit_the_size() {
        let hash = leaf_hash(b"a");
        assert!(CompactRange::from_parts(4, vec![hash]).is_ok());
        assert_eq!(CompactRange::from_parts(3, vec![hash]), Err(TreeError { size: 3, hashes: 1 }));
    }
}
