//! One proof for many leaves, against the proofs of each and against every way to bend it.

use std::collections::BTreeSet;

use countersign_ledger::hash::{Hash, leaf_hash};
use countersign_ledger::proof::{ProofError, batch_proof, inclusion_proof, verify_batch};
use countersign_ledger::tree::{CompactRange, Nodes as _};
use proptest::prelude::*;

use crate::trees::{Leaves, leaves};

fn root(leaves: &Leaves) -> Hash {
    let mut tree = CompactRange::new();
    leaves.0.iter().for_each(|leaf| tree.push(*leaf));
    tree.root()
}

fn picked(leaves: &Leaves, indices: &BTreeSet<u64>) -> Vec<(u64, Hash)> {
    indices.iter().map(|index| (*index, leaves.node(0, *index).unwrap())).collect()
}

#[test]
fn every_choice_of_leaves_of_every_small_tree() {
    for size in 1..=9_u64 {
        let tree = leaves(size);
        let root = root(&tree);
        for choice in 1..(1_u64 << size) {
            let indices: Vec<u64> = (0..size).filter(|index| choice >> index & 1 == 1).collect();
            let proof = batch_proof(&tree, &indices, size).unwrap();
            let known = picked(&tree, &indices.iter().copied().collect());
            assert_eq!(verify_batch(&known, size, &proof, &root), Ok(()));
        }
    }
}

#[test]
fn one_leaf_needs_what_its_inclusion_proof_needs_and_all_need_nothing() {
    let tree = leaves(300);
    for index in [0, 17, 255, 256, 299] {
        let mut alone = batch_proof(&tree, &[index], 300).unwrap();
        let mut inclusion = inclusion_proof(&tree, index, 300).unwrap();
        alone.sort();
        inclusion.sort();
        assert_eq!(alone, inclusion);
    }
    let all: Vec<u64> = (0..300).collect();
    assert_eq!(batch_proof(&tree, &all, 300).unwrap(), []);
}

#[test]
fn impossible_questions_are_refused() {
    let tree = leaves(5);
    let (leaf, root) = (tree.node(0, 1).unwrap(), root(&tree));
    assert_eq!(batch_proof(&tree, &[], 5), Err(ProofError::NoLeaves));
    assert_eq!(batch_proof(&tree, &[2, 1], 5), Err(ProofError::NotAscending));
    assert_eq!(batch_proof(&tree, &[1, 1], 5), Err(ProofError::NotAscending));
    assert_eq!(batch_proof(&tree, &[5], 5), Err(ProofError::IndexOutOfRange { index: 5, size: 5 }));
    assert_eq!(verify_batch(&[], 0, &[root], &root), Err(ProofError::NoLeaves));
    assert_eq!(verify_batch(&[(1, leaf), (1, leaf)], 5, &[], &root), Err(ProofError::NotAscending));
    let beyond = ProofError::IndexOutOfRange { index: 5, size: 5 };
    assert_eq!(verify_batch(&[(5, leaf)], 5, &[], &root), Err(beyond));
    // A size beyond all reason costs no more than its depth.
    let lies = vec![root; 64];
    assert!(verify_batch(&[(u64::MAX - 1, leaf)], u64::MAX, &lies, &root).is_err());
}

proptest! {
    #[test]
    fn holds_for_what_is_there_and_for_nothing_else(
        size in 1..200_u64,
        choice in prop::collection::vec(any::<prop::sample::Index>(), 1..20),
        bent in any::<prop::sample::Index>(),
    ) {
        let length = usize::try_from(size).unwrap();
        let indices: BTreeSet<u64> =
            choice.iter().map(|index| u64::try_from(index.index(length)).unwrap()).collect();
        let tree = leaves(size);
        let root = root(&tree);
        let known = picked(&tree, &indices);
        let proof = batch_proof(&tree, &indices.iter().copied().collect::<Vec<_>>(), size).unwrap();
        prop_assert_eq!(verify_batch(&known, size, &proof, &root), Ok(()));
        let mut forged = known.clone();
        forged[bent.index(known.len())].1 = leaf_hash(b"forged");
        prop_assert_eq!(verify_batch(&forged, size, &proof, &root), Err(ProofError::RootMismatch));
        if !proof.is_empty() {
            let mut changed = proof.clone();
            changed[bent.index(proof.len())] = leaf_hash(b"forged");
            prop_assert_eq!(verify_batch(&known, size, &changed, &root), Err(ProofError::RootMismatch));
            prop_assert_eq!(verify_batch(&known, size, &proof[1..], &root), Err(ProofError::WrongLength));
        }
        let longer = [proof.as_slice(), &[root]].concat();
        prop_assert_eq!(verify_batch(&known, size, &longer, &root), Err(ProofError::WrongLength));
        // A leaf that is left out is missed, unless its hash takes its place in the proof.
        if known.len() > 1 {
            prop_assert!(verify_batch(&known[1..], size, &proof, &root).is_err());
        }
    }
}
