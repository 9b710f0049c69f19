//! Verifies proofs exactly as RFC 9162, 2.1.3.2 and 2.1.4.2 write it: `place` is its `fn`, `last` its `sn`.

use super::ProofError;
use crate::hash::{Hash, node_hash};

/// Checks that the leaf with this hash is at `index` of the tree of `size` leaves with this root (RFC 9162, 2.1.3.2).
///
/// # Errors
/// The index is not below the size, the proof has the wrong length, or it does not lead to the root.
#[expect(clippy::too_many_arguments, reason = "these are the five inputs of the algorithm as published")]
pub fn verify_inclusion(
    leaf_hash: Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::IndexOutOfRange { index, size });
    }
    let mut climb = Climb { place: index, last: size - 1 };
    let mut computed = leaf_hash;
    for sibling in proof {
        computed = match climb.step()? {
            Side::Left => node_hash(sibling, &computed),
            Side::Right => node_hash(&computed, sibling),
        };
    }
    climb.arrived()?;
    if computed == *root { Ok(()) } else { Err(ProofError::RootMismatch) }
}

/// Checks that the tree of `new_size` leaves begins with the tree of `old_size` leaves (RFC 9162, 2.1.4.2).
///
/// # Errors
/// The old size is zero or above the new size, the proof has the wrong length, or it does not lead to both roots.
#[expect(clippy::too_many_arguments, reason = "these are the five inputs of the algorithm as published")]
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old_size == 0 {
        return Err(ProofError::EmptyOldTree);
    }
    if old_size > new_size {
        return Err(ProofError::OldLargerThanNew { old: old_size, new: new_size });
    }
    if old_size == new_size {
        return match proof {
            [] if old_root == new_root => Ok(()),
            [] => Err(ProofError::RootMismatch),
            _ => Err(ProofError::WrongLength),
        };
    }
    // A perfect old tree is itself a node of the new one; its root is known and not part of the proof.
    let (seed, siblings) = match proof.split_first() {
        _ if old_size.is_power_of_two() => (old_root, proof),
        Some((first, rest)) => (first, rest),
        None => return Err(ProofError::WrongLength),
    };
    let mut climb = Climb::from_last_leaf(old_size, new_size);
    let (mut old, mut new) = (*seed, *seed);
    for sibling in siblings {
        match climb.step()? {
            Side::Left => (old, new) = (node_hash(sibling, &old), node_hash(sibling, &new)),
            Side::Right => new = node_hash(&new, sibling),
        }
    }
    climb.arrived()?;
    if old == *old_root && new == *new_root { Ok(()) } else { Err(ProofError::RootMismatch) }
}

/// Checks that all these leaves, by index and leaf hash, are in the tree of `size` leaves with this root.
///
/// The root is computed as RFC 6962, 2.1 defines it; where a subtree holds none of the leaves, the proof gives its hash.
///
/// # Errors
/// The leaves are none, not ascending, or not below the size, the proof has the wrong length, or it does not lead to the root.
pub fn verify_batch(
    leaves: &[(u64, Hash)],
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    let Some(&(last, _)) = leaves.last() else { return Err(ProofError::NoLeaves) };
    if !leaves.iter().map(|(index, _)| *index).is_sorted_by(|left, right| left < right) {
        return Err(ProofError::NotAscending);
    }
    if last >= size {
        return Err(ProofError::IndexOutOfRange { index: last, size });
    }
    let mut hashes = proof.iter();
    let computed = subtree((0, size), leaves, &mut hashes)?;
    if hashes.next().is_some() {
        return Err(ProofError::WrongLength);
    }
    if computed == *root { Ok(()) } else { Err(ProofError::RootMismatch) }
}

/// The root of the subtree over `len` leaves from `start`: of known leaves, or told by the proof.
fn subtree(
    (start, len): (u64, u64),
    leaves: &[(u64, Hash)],
    hashes: &mut core::slice::Iter<'_, Hash>,
) -> Result<Hash, ProofError> {
    match leaves {
        [] => hashes.next().copied().ok_or(ProofError::WrongLength),
        [(_, leaf)] if len == 1 => Ok(*leaf),
        _ => {
            // At least two leaves long: one leaf is the arm above, and more than one do not fit into it.
            let half = 1 << (len.max(2) - 1).ilog2();
            let right_begins = leaves.iter().position(|(index, _)| *index >= start + half);
            let (left, right) = leaves.split_at(right_begins.unwrap_or(leaves.len()));
            let left = subtree((start, half), left, hashes)?;
            let right = subtree((start + half, len - half), right, hashes)?;
            Ok(node_hash(&left, &right))
        }
    }
}

/// On which side of the path the next sibling stands.
enum Side {
    Left,
    Right,
}

/// A place on one level of the tree and the last place of that level.
struct Climb {
    place: u64,
    last: u64,
}

impl Climb {
    /// Starts above the largest perfect subtree that ends with the last old leaf.
    fn from_last_leaf(old_size: u64, new_size: u64) -> Self {
        let height = (old_size - 1).trailing_ones();
        Self { place: (old_size - 1) >> height, last: (new_size - 1) >> height }
    }

    /// Goes up past one sibling.
    fn step(&mut self) -> Result<Side, ProofError> {
        if self.last == 0 {
            return Err(ProofError::WrongLength);
        }
        let side = if self.place & 1 == 1 || self.place == self.last { Side::Left } else { Side::Right };
        if matches!(side, Side::Left) {
            // On the right edge some levels have no sibling; the proof skips them and so do we.
            while self.place & 1 == 0 && self.place != 0 {
                self.place >>= 1;
                self.last >>= 1;
            }
        }
        self.place >>= 1;
        self.last >>= 1;
        Ok(side)
    }

    /// Whether the root is reached.
    fn arrived(&self) -> Result<(), ProofError> {
        if self.last == 0 { Ok(()) } else { Err(ProofError::WrongLength) }
    }
}
