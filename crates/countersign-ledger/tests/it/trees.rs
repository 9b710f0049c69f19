//! Tree and proofs against a naive reading of RFC 6962, its public vectors, and two independent crates.

use countersign_ledger::hash::{Hash, empty_root, leaf_hash, node_hash};
use countersign_ledger::proof::{
    ProofError, consistency_proof, inclusion_proof, verify_consistency, verify_inclusion,
};
use countersign_ledger::tree::{CompactRange, Nodes};
use proptest::prelude::*;
use tlog_tiles::tlog;

/// The eight leaves of the public RFC 6962 test vectors (certificate-transparency `merkle_tree_test`).
const VECTOR_LEAVES: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];

/// The roots of the trees of the first one to eight of them.
const VECTOR_ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// The tree hash exactly as RFC 6962, 2.1 defines it, by recursion over all leaves.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let middle = leaves.len().next_power_of_two() / 2;
            let (left, right) = leaves.split_at(middle);
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// Leaves as node storage: every node is computed anew.
pub(crate) struct Leaves(pub(crate) Vec<Hash>);

impl Nodes for Leaves {
    type Error = &'static str;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error> {
        let width = 1_usize << level;
        let start = usize::try_from(index).unwrap() * width;
        self.0.get(start..start + width).map(naive_root).ok_or("not a perfect subtree")
    }
}

/// The same leaves as the storage `tlog_tiles` reads.
struct Stored(Vec<tlog::Hash>);

impl tlog::HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

fn leaf(number: u64) -> Vec<u8> {
    number.to_le_bytes().to_vec()
}

pub(crate) fn leaves(count: u64) -> Leaves {
    Leaves((0..count).map(|number| leaf_hash(&leaf(number))).collect())
}

fn range_of(leaves: &[Hash]) -> CompactRange {
    let mut range = CompactRange::new();
    leaves.iter().for_each(|leaf| range.push(*leaf));
    range
}

#[test]
fn public_vectors() {
    let hashes: Vec<Hash> = VECTOR_LEAVES.map(leaf_hash).to_vec();
    for (size, root) in (1..).zip(VECTOR_ROOTS) {
        assert_eq!(range_of(&hashes[..size]).root().to_string(), root, "size {size}");
    }
    let proof = inclusion_proof(&Leaves(hashes.clone()), 5, 8).unwrap();
    let expected = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(proof.iter().map(Hash::to_string).collect::<Vec<_>>(), expected);
    let proof = consistency_proof(&Leaves(hashes), 6, 8).unwrap();
    let expected = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(proof.iter().map(Hash::to_string).collect::<Vec<_>>(), expected);
}

#[test]
fn every_small_tree_and_proof_holds_and_every_change_breaks_it() {
    for size in 1..=20_u64 {
        let all = leaves(size);
        let root = naive_root(&all.0);
        assert_eq!(range_of(&all.0).root(), root);
        for index in 0..size {
            let leaf = all.node(0, index).unwrap();
            let proof = inclusion_proof(&all, index, size).unwrap();
            assert_eq!(verify_inclusion(leaf, index, size, &proof, &root), Ok(()));
            breaks(&proof, &|changed| verify_inclusion(leaf, index, size, changed, &root));
            assert!(verify_inclusion(empty_root(), index, size, &proof, &root).is_err());
            for other in (0..size + 2).filter(|other| *other != index) {
                assert!(
                    verify_inclusion(leaf, other, size, &proof, &root).is_err(),
                    "{index} as {other} of {size}"
                );
            }
        }
        for old in 1..=size {
            let old_root = naive_root(&all.0[..usize::try_from(old).unwrap()]);
            let proof = consistency_proof(&all, old, size).unwrap();
            assert_eq!(verify_consistency(old, &old_root, size, &root, &proof), Ok(()));
            breaks(&proof, &|changed| verify_consistency(old, &old_root, size, &root, changed));
            assert!(verify_consistency(old, &empty_root(), size, &root, &proof).is_err());
            assert!(verify_consistency(old, &old_root, size, &empty_root(), &proof).is_err());
        }
    }
}

/// Every flipped, missing or additional hash makes a proof fail.
fn breaks(proof: &[Hash], verify: &dyn Fn(&[Hash]) -> Result<(), ProofError>) {
    for position in 0..proof.len() {
        let mut flipped = proof.to_vec();
        flipped[position].0[7] ^= 1;
        assert_eq!(verify(&flipped), Err(ProofError::RootMismatch));
        let mut shorter = proof.to_vec();
        shorter.remove(position);
        assert!(verify(&shorter).is_err());
    }
    assert!(verify(&[proof, &[empty_root()]].concat()).is_err());
}

#[test]
fn impossible_questions_are_refused() {
    let all = leaves(4);
    let root = naive_root(&all.0);
    assert_eq!(inclusion_proof(&all, 4, 4), Err(ProofError::IndexOutOfRange { index: 4, size: 4 }));
    assert_eq!(consistency_proof(&all, 0, 4), Err(ProofError::EmptyOldTree));
    assert_eq!(consistency_proof(&all, 5, 4), Err(ProofError::OldLargerThanNew { old: 5, new: 4 }));
    assert_eq!(inclusion_proof(&all, 0, 8), Err(ProofError::Nodes("not a perfect subtree")));
    let leaf = all.0[0];
    assert_eq!(
        verify_inclusion(leaf, 0, 0, &[], &leaf),
        Err(ProofError::IndexOutOfRange { index: 0, size: 0 })
    );
    assert_eq!(verify_consistency(0, &empty_root(), 4, &root, &[]), Err(ProofError::EmptyOldTree));
    let larger = verify_consistency(5, &root, 4, &root, &[]);
    assert_eq!(larger, Err(ProofError::OldLargerThanNew { old: 5, new: 4 }));
    assert_eq!(verify_consistency(4, &root, 4, &leaf, &[]), Err(ProofError::RootMismatch));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn agrees_with_two_independent_crates(new in 1..400_u64, picked in any::<prop::sample::Index>()) {
        let index = picked.index(usize::try_from(new).unwrap());
        let index_u64 = u64::try_from(index).unwrap();
        let all = leaves(new);
        let root = range_of(&all.0).root();

        let mut theirs = ct_merkle::mem_backed_tree::MemoryBackedTree::<sha2::Sha256, Vec<u8>>::new();
        let mut stored = Stored(Vec::new());
        for number in 0..new {
            theirs.push(leaf(number));
            stored.0.extend(tlog::stored_hashes(number, &leaf(number), &stored).unwrap());
        }
        prop_assert_eq!(theirs.root().as_bytes().to_vec(), root.0);
        prop_assert_eq!(tlog::tree_hash(new, &stored).unwrap().0, root.0);

        let inclusion = inclusion_proof(&all, index_u64, new).unwrap();
        let plain: Vec<[u8; 32]> = inclusion.iter().map(|hash| hash.0).collect();
        prop_assert_eq!(theirs.prove_inclusion(index).as_bytes().to_vec(), plain.as_flattened());
        let tiles: Vec<[u8; 32]> = tlog::prove_record(new, index_u64, &stored).unwrap().iter().map(|hash| hash.0).collect();
        prop_assert_eq!(tiles, plain);

        let old = index_u64 + 1;
        let consistency = consistency_proof(&all, old, new).unwrap();
        let plain: Vec<[u8; 32]> = consistency.iter().map(|hash| hash.0).collect();
        prop_assert_eq!(theirs.prove_consistency(usize::try_from(new - old).unwrap()).as_bytes().to_vec(), plain.as_flattened());
        let tiles: Vec<[u8; 32]> = tlog::prove_tree(new, old, &stored).unwrap().iter().map(|hash| hash.0).collect();
        prop_assert_eq!(tiles, plain);
    }

    #[test]
    fn completed_nodes_are_exactly_the_perfect_subtrees(size in 0..300_u64) {
        let all = leaves(size);
        let mut range = CompactRange::new();
        let mut told = std::collections::BTreeMap::new();
        for leaf in &all.0 {
            range.push_with(*leaf, |level, index, hash| assert!(told.insert((level, index), hash).is_none()));
        }
        for ((level, index), hash) in &told {
            prop_assert_eq!(all.node(*level, *index), Ok(*hash));
        }
        let perfect: u64 = (0..64_u32).map(|level| size >> level).sum();
        prop_assert_eq!(u64::try_from(told.len()).unwrap(), perfect);
        let again = CompactRange::from_parts(range.size(), range.hashes().to_vec()).unwrap();
        prop_assert_eq!(again.root(), naive_root(&all.0));
    }
}
