//! Proofs and proof files: what holds here holds in the independent crate and the other way round, and only what is in the tree is proved.

use countersign_ledger::hash::{Hash, leaf_hash};
use countersign_ledger::proof::{
    ProofFile, consistency_proof, inclusion_proof, verify_consistency, verify_inclusion,
};
use tlog_tiles::tlog;

use crate::ground::{self, LOG_KEYS, ORIGIN, SIZE, TREE, bytes, text};

/// Two numbers of a byte each, then hashes.
fn encoded(first: u64, second: u64, proof: &[Hash]) -> Vec<u8> {
    let numbers = [first, second].map(|number| u8::try_from(number).unwrap());
    numbers.into_iter().chain(proof.iter().flat_map(|hash| hash.0)).collect()
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let inclusion = [(0, 1), (3, 7), (69, 70)]
        .map(|(index, size)| encoded(index, size, &inclusion_proof(&*TREE, index, size).unwrap()));
    let consistency = [(1, 2), (6, 8), (64, 70)]
        .map(|(old, new)| encoded(old, new, &consistency_proof(&*TREE, old, new).unwrap()));
    [inclusion, consistency].concat()
}

pub(crate) fn check(input: &[u8]) {
    let Some(([first, second], rest)) = input.split_first_chunk::<2>() else { return };
    let (first, second) = (u64::from(*first), u64::from(*second) % (SIZE + 1));
    let (hashes, _) = rest.as_chunks::<32>();
    let proof: Vec<Hash> = hashes.iter().copied().map(Hash).collect();
    let theirs: Vec<tlog::Hash> = hashes.iter().copied().map(tlog::Hash).collect();
    let root = TREE.root(second).unwrap();

    let leaf = leaf_hash(&ground::leaf(first));
    let holds = verify_inclusion(leaf, first, second, &proof, &root).is_ok();
    let accepted = tlog::check_record(&theirs, second, tlog::Hash(root.0), first, tlog::Hash(leaf.0)).is_ok();
    assert_eq!(holds, accepted);
    // There is one proof of what is true and none of what is not.
    let made = inclusion_proof(&*TREE, first, second);
    assert_eq!(holds, made.is_ok_and(|made| made == proof));

    let Some(old_root) = TREE.root(first) else { return };
    let holds = verify_consistency(first, &old_root, second, &root, &proof).is_ok();
    let accepted =
        tlog::check_tree(&theirs, second, tlog::Hash(root.0), first, tlog::Hash(old_root.0)).is_ok();
    assert_eq!(holds, accepted);
    let made = consistency_proof(&*TREE, first, second);
    assert_eq!(holds, made.is_ok_and(|made| made == proof));
}

pub(crate) fn file_seeds() -> Vec<Vec<u8>> {
    let file = |index, size, extra: &[u8]| {
        let proof = inclusion_proof(&*TREE, index, size).unwrap();
        ProofFile { extra: extra.to_vec(), index, proof, checkpoint: ground::note(size) }.to_string()
    };
    bytes([file(0, 1, b""), file(5, 17, b"extra"), file(69, 70, &[7; 100])])
}

pub(crate) fn check_file(input: &[u8]) {
    let Some(text) = text(input) else { return };
    let Ok(file) = text.parse::<ProofFile>() else { return };
    assert_eq!(file.to_string(), text);
    let leaf = leaf_hash(&ground::leaf(file.index));
    if let Ok(checkpoint) = file.verify(leaf, ORIGIN, &*LOG_KEYS) {
        assert!(ground::was_signed(&checkpoint));
        assert_eq!(inclusion_proof(&*TREE, file.index, checkpoint.size).as_ref(), Ok(&file.proof));
    }
}
