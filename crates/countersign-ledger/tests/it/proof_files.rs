//! Proof files: the form, what they prove, and every way in which they do not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_ledger::checkpoint::{Checkpoint, CheckpointError};
use countersign_ledger::hash::{Hash, leaf_hash, node_hash, sha256};
use countersign_ledger::note::{Cosigner, Ed25519Signer, NoteError};
use countersign_ledger::proof::{MAX_EXTRA, ProofError, ProofFile, ProofFileError};
use proptest::prelude::*;
use tlog_tiles::tlog;

const ORIGIN: &str = "example.com/fancylog";

fn log() -> Ed25519Signer {
    Ed25519Signer::from_seed(ORIGIN, [1; 32]).unwrap()
}

/// Leaves `a`, `b`, `c` and the file that proves `b`.
fn file() -> ProofFile {
    let [a, b, c] = [b"a", b"b", b"c"].map(|leaf| leaf_hash(leaf));
    let root = node_hash(&node_hash(&a, &b), &c);
    let checkpoint = Checkpoint { origin: ORIGIN.into(), size: 3, root, extensions: Vec::new() };
    let witness = Cosigner::from_seed("witness.example/w1", [2; 32]).unwrap();
    let checkpoint = checkpoint.sign(&[&log(), &witness.at(1_700_000_000).unwrap()]).unwrap();
    ProofFile { extra: b"bill.pdf".to_vec(), index: 1, proof: vec![a, c], checkpoint }
}

fn base64_of(hash: &Hash) -> String {
    STANDARD.encode(hash.0)
}

#[test]
fn the_form_is_fixed_to_the_byte() {
    let file = file();
    let expected = format!(
        "c2sp.org/tlog-proof@v1\nextra YmlsbC5wZGY=\nindex 1\n{}\n{}\n\n{}",
        base64_of(&leaf_hash(b"a")),
        base64_of(&leaf_hash(b"c")),
        file.checkpoint
    );
    assert_eq!(file.to_string(), expected);
    assert_eq!(expected.parse(), Ok(file.clone()));
    let plain = ProofFile { extra: Vec::new(), ..file };
    assert_eq!(plain.to_string(), expected.replace("extra YmlsbC5wZGY=\n", ""));
    assert_eq!(plain.to_string().parse(), Ok(plain));
    let alone = ProofFile { proof: Vec::new(), index: 0, ..file_of_one() };
    assert!(alone.to_string().starts_with("c2sp.org/tlog-proof@v1\nindex 0\n\nexample.com/fancylog\n1\n"));
    assert_eq!(alone.to_string().parse(), Ok(alone));
}

fn file_of_one() -> ProofFile {
    let root = leaf_hash(b"a");
    let checkpoint = Checkpoint { origin: ORIGIN.into(), size: 1, root, extensions: Vec::new() };
    let checkpoint = checkpoint.sign(&[&log()]).unwrap();
    ProofFile { extra: Vec::new(), index: 0, proof: Vec::new(), checkpoint }
}

#[test]
fn it_proves_exactly_its_entry_in_its_log() {
    let keys = [log().verifier()];
    let file = file();
    let leaf = leaf_hash(b"b");
    assert_eq!(file.verify(leaf, ORIGIN, &keys).unwrap().size, 3);
    assert_eq!(file_of_one().verify(leaf_hash(b"a"), ORIGIN, &keys).unwrap().size, 1);
    let fails = |file: &ProofFile, leaf: Hash| file.verify(leaf, ORIGIN, &keys).unwrap_err();
    let mismatch = ProofFileError::Proof(ProofError::RootMismatch);
    assert_eq!(fails(&file, leaf_hash(b"a")), mismatch);
    assert_eq!(fails(&ProofFile { index: 0, ..file.clone() }, leaf), mismatch);
    let beyond = ProofFileError::Proof(ProofError::IndexOutOfRange { index: 3, size: 3 });
    assert_eq!(fails(&ProofFile { index: 3, ..file.clone() }, leaf), beyond);
    let wrong_length = ProofFileError::Proof(ProofError::WrongLength);
    assert_eq!(fails(&ProofFile { proof: file.proof[..1].to_vec(), ..file.clone() }, leaf), wrong_length);
    let longer = [&file.proof[..], &[sha256(b"")]].concat();
    assert_eq!(fails(&ProofFile { proof: longer, ..file.clone() }, leaf), wrong_length);
    assert_eq!(file.verify(leaf, "example.com/other", &keys), Err(ProofFileError::Origin));
    let unsigned = Err(ProofFileError::Checkpoint(CheckpointError::Note(NoteError::Unsigned)));
    assert_eq!(file.verify(leaf, ORIGIN, &[]), unsigned);
    let larger = ProofFile { checkpoint: file.checkpoint.replace("\n3\n", "\n4\n"), ..file };
    let invalid = CheckpointError::Note(NoteError::InvalidSignature(ORIGIN.into()));
    assert_eq!(fails(&larger, leaf), ProofFileError::Checkpoint(invalid));
}

#[test]
fn malformed_files_are_refused() {
    let good = file().to_string();
    let a = base64_of(&leaf_hash(b"a"));
    let replaced = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let large = STANDARD.encode(vec![7; MAX_EXTRA + 1]);
    for bad in [
        String::new(),
        "c2sp.org/tlog-proof@v1\n".into(),
        replaced("@v1", "@v2"),
        replaced("@v1\n", "@v1\r\n"),
        replaced("c2sp", " c2sp"),
        replaced("@v1\n", "@v1\n\n"),
        replaced("extra YmlsbC5wZGY=", "extra "),
        replaced("extra YmlsbC5wZGY=", "extra"),
        replaced("extra YmlsbC5wZGY=", "extra YmlsbC5wZGY"),
        replaced("extra YmlsbC5wZGY=", "extra YmlsbC5wZGZ="),
        replaced("extra YmlsbC5wZGY=", "extra YmlsbC5wZGY=\nextra YmlsbC5wZGY="),
        replaced("extra YmlsbC5wZGY=", &format!("extra {large}")),
        replaced("index 1\n", ""),
        replaced("index 1", "index 01"),
        replaced("index 1", "index -1"),
        replaced("index 1", "index  1"),
        replaced("index 1", "index 1 "),
        replaced("index 1", "index 18446744073709551616"),
        replaced("index 1", "Index 1"),
        replaced("index 1", "index 1\nindex 1"),
        // A hash of 31 or 33 bytes, without padding, or with a space.
        replaced(&a, &STANDARD.encode([7; 31])),
        replaced(&a, &STANDARD.encode([7; 33])),
        replaced(&a, a.trim_end_matches('=')),
        replaced(&a, &format!("{a} ")),
        replaced(&format!("{a}\n"), &format!("{a}\n").repeat(65)),
    ] {
        let result = bad.parse::<ProofFile>();
        assert!(matches!(result, Err(ProofFileError::Malformed(_))), "{bad:?}: {result:?}");
    }
    // What follows the first empty line has to be a checkpoint.
    for bad in [
        replaced("\n\n", "\n\n\n"),
        replaced("\n3\n", "\n03\n"),
        good.trim_end().to_owned(),
        good.rsplit_once("\n\n").unwrap().0.to_owned(),
        "c2sp.org/tlog-proof@v1\nindex 0\n\nnot a checkpoint\n".into(),
    ] {
        let result = bad.parse::<ProofFile>();
        assert!(matches!(result, Err(ProofFileError::Checkpoint(_))), "{bad:?}: {result:?}");
    }
}

proptest! {
    #[test]
    fn the_independent_crate_accepts_and_refuses_the_same_proofs(
        size in 1..200_u64,
        picked in any::<prop::sample::Index>(),
        shift in 0..3_u64,
        (damaged, bit) in (prop::option::of(any::<prop::sample::Index>()), 0..8_u32),
    ) {
        let index = u64::try_from(picked.index(usize::try_from(size).unwrap())).unwrap();
        let mut stored = Stored(Vec::new());
        for number in 0..size {
            stored.0.extend(tlog::stored_hashes(number, &number.to_le_bytes(), &stored).unwrap());
        }
        let root = Hash(tlog::tree_hash(size, &stored).unwrap().0);
        let mut proof: Vec<Hash> =
            tlog::prove_record(size, index, &stored).unwrap().iter().map(|hash| Hash(hash.0)).collect();
        if let Some(damaged) = damaged.filter(|_| !proof.is_empty()) {
            let place = damaged.index(proof.len());
            proof[place].0[5] ^= 1 << bit;
        }
        let checkpoint = Checkpoint { origin: ORIGIN.into(), size, root, extensions: Vec::new() };
        let checkpoint = checkpoint.sign(&[&log()]).unwrap();
        let claimed = index + shift;
        let file = ProofFile { extra: Vec::new(), index: claimed, proof: proof.clone(), checkpoint };
        let file: ProofFile = file.to_string().parse().unwrap();
        let leaf = leaf_hash(&index.to_le_bytes());
        let ours = file.verify(leaf, ORIGIN, &[log().verifier()]).is_ok();
        let theirs: Vec<tlog::Hash> = proof.iter().map(|hash| tlog::Hash(hash.0)).collect();
        let theirs = tlog::check_record(&theirs, size, tlog::Hash(root.0), claimed, tlog::Hash(leaf.0)).is_ok();
        prop_assert_eq!(ours, theirs);
        prop_assert_eq!(ours, shift == 0 && (damaged.is_none() || file.proof.is_empty()));
    }
}

/// Leaves as the storage `tlog_tiles` reads.
struct Stored(Vec<tlog::Hash>);

impl tlog::HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}
