//! Builds proofs from perfect subtrees: at most one storage read per hash of the proof, plus the right edge.

use alloc::vec::Vec;

use super::ProofError;
use crate::hash::{Hash, node_hash};
use crate::tree::Nodes;

/// The leaves `[start, end)` of a tree; `start` is always a multiple of the smallest power of two that covers them.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u64,
    end: u64,
}

impl Span {
    fn len(self) -> u64 {
        self.end - self.start
    }

    /// Splits at the largest power of two below the length (RFC 6962, 2.1); the length must be above one.
    fn split(self) -> (Self, Self) {
        let middle = self.start + (1 << (self.len() - 1).ilog2());
        (Self { end: middle, ..self }, Self { start: middle, ..self })
    }

    fn root<N: Nodes>(self, nodes: &N) -> Result<Hash, ProofError<N::Error>> {
        let level = self.len().ilog2();
        if self.len().is_power_of_two() {
            let level_byte = u8::try_from(level).unwrap_or(u8::MAX);
            return nodes.node(level_byte, self.start >> level).map_err(ProofError::Nodes);
        }
        // The left half is perfect, so this recursion only follows the right edge: at most 64 deep.
        let (left, right) = self.split();
        Ok(node_hash(&left.root(nodes)?, &right.root(nodes)?))
    }
}

/// The proof that the leaf at `index` is in the tree of `size` leaves (RFC 9162, 2.1.3.1).
///
/// # Errors
/// The index is not below the size, or a node cannot be read.
pub fn inclusion_proof<N: Nodes>(
    nodes: &N,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, ProofError<N::Error>> {
    if index >= size {
        return Err(ProofError::IndexOutOfRange { index, size });
    }
    let mut proof = Vec::new();
    let mut span = Span { start: 0, end: size };
    while span.len() > 1 {
        let (left, right) = span.split();
        let (inside, sibling) = if index < left.end { (left, right) } else { (right, left) };
        proof.push(sibling.root(nodes)?);
        span = inside;
    }
    proof.reverse();
    Ok(proof)
}

/// The proof that the tree of `old` leaves is the beginning of the tree of `new` leaves (RFC 9162, 2.1.4.1).
///
/// # Errors
/// The old size is zero or above the new size, or a node cannot be read.
pub fn consistency_proof<N: Nodes>(nodes: &N, old: u64, new: u64) -> Result<Vec<Hash>, ProofError<N::Error>> {
    if old == 0 {
        return Err(ProofError::EmptyOldTree);
    }
    if old > new {
        return Err(ProofError::OldLargerThanNew { old, new });
    }
    let mut proof = Vec::new();
    let mut span = Span { start: 0, end: new };
    while span.end != old {
        let (left, right) = span.split();
        let (inside, sibling) = if old <= left.end { (left, right) } else { (right, left) };
        proof.push(sibling.root(nodes)?);
        span = inside;
    }
    // The verifier knows the old root already; any other subtree that ends at the old size it must be told.
    if span.start != 0 {
        proof.push(span.root(nodes)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The proof that all leaves at `indices` are in the tree of `size` leaves: the roots of the largest subtrees without any of them,
/// from left to right. For leaves that stand together it is hardly longer than the proof of one.
///
/// # Errors
/// The indices are none, not ascending, or not below the size, or a node cannot be read.
pub fn batch_proof<N: Nodes>(
    nodes: &N,
    indices: &[u64],
    size: u64,
) -> Result<Vec<Hash>, ProofError<N::Error>> {
    let Some(&last) = indices.last() else { return Err(ProofError::NoLeaves) };
    if !indices.is_sorted_by(|left, right| left < right) {
        return Err(ProofError::NotAscending);
    }
    if last >= size {
        return Err(ProofError::IndexOutOfRange { index: last, size });
    }
    let mut proof = Vec::new();
    collect(nodes, (Span { start: 0, end: size }, indices), &mut proof)?;
    Ok(proof)
}

/// Collects the hashes that a span owes to the proof; `indices` are those within it.
fn collect<N: Nodes>(
    nodes: &N,
    (span, indices): (Span, &[u64]),
    proof: &mut Vec<Hash>,
) -> Result<(), ProofError<N::Error>> {
    if indices.is_empty() {
        proof.push(span.root(nodes)?);
        return Ok(());
    }
    if span.len() == 1 {
        return Ok(());
    }
    let (left, right) = span.split();
    let (in_left, in_right) = indices.split_at(indices.partition_point(|index| *index < left.end));
    // Each step halves the span, so this goes at most 64 deep.
    collect(nodes, (left, in_left), proof)?;
    collect(nodes, (right, in_right), proof)
}
