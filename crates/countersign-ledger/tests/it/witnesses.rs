//! What logs ask witnesses and what witnesses answer, by c2sp.org/tlog-witness v1.0.0.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_ledger::checkpoint::{Checkpoint, Cosigned};
use countersign_ledger::hash::{Hash, empty_root, leaf_hash, sha256};
use countersign_ledger::note::{Cosigner, Ed25519Signer, add, signature_line};
use countersign_ledger::proof::consistency_proof;
use countersign_ledger::tree::{CompactRange, Nodes};
use countersign_ledger::witness::{
    AddCheckpoint, Known, MAX_PROOF, Objection, RequestError, Seen, checkpoint_path, judge, parse_size_body,
    size_body,
};
use proptest::prelude::*;
use std::collections::BTreeMap;

const ORIGIN: &str = "example.com/behind-the-sofa";

fn log() -> Ed25519Signer {
    Ed25519Signer::from_seed(ORIGIN, [1; 32]).unwrap()
}

/// A log of some leaves, whose leaf at `fork` is another one than everybody else's.
struct Tree {
    nodes: BTreeMap<(u8, u64), Hash>,
    roots: Vec<Hash>,
}

impl Tree {
    fn forked(size: u64, fork: Option<u64>) -> Self {
        let mut range = CompactRange::new();
        let mut tree = Self { nodes: BTreeMap::new(), roots: vec![empty_root()] };
        for number in 0..size {
            let leaf = format!("{number} {}", fork == Some(number));
            range.push_with(leaf_hash(leaf.as_bytes()), |level, index, hash| {
                tree.nodes.insert((level, index), hash);
            });
            tree.roots.push(range.root());
        }
        tree
    }

    fn of(size: u64) -> Self {
        Self::forked(size, None)
    }

    fn seen(&self, size: u64) -> Seen {
        Seen { size, root: self.roots[usize::try_from(size).unwrap()] }
    }

    fn checkpoint(&self, size: u64) -> String {
        let root = self.seen(size).root;
        let checkpoint = Checkpoint { origin: ORIGIN.into(), size, root, extensions: Vec::new() };
        checkpoint.sign(&[&log()]).unwrap()
    }

    fn request(&self, old: u64, new: u64) -> AddCheckpoint {
        let proof = if old == 0 { Vec::new() } else { consistency_proof(self, old, new).unwrap() };
        AddCheckpoint { old_size: old, proof, checkpoint: self.checkpoint(new) }
    }
}

impl Nodes for Tree {
    type Error = &'static str;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error> {
        self.nodes.get(&(level, index)).copied().ok_or("not a perfect subtree")
    }
}

/// What a witness that saw this last answers.
fn answer(last: Seen, request: &AddCheckpoint) -> Result<Seen, Objection> {
    let keys = [log().verifier()];
    judge(request, Some(&Known { origin: ORIGIN, keys: &keys, last })).map(|cosignable| cosignable.seen())
}

#[test]
fn a_witness_follows_a_log_and_cosigns_each_step() {
    let tree = Tree::of(300);
    let witness = Cosigner::from_seed("witness.example/w1", [9; 32]).unwrap();
    let mut last = Seen::nothing();
    for size in [0, 1, 1, 2, 7, 7, 8, 256, 300] {
        let body = tree.request(last.size, size).to_string();
        let request: AddCheckpoint = body.parse().unwrap();
        assert_eq!(request.to_string(), body);
        let keys = [log().verifier()];
        let cosignable = judge(&request, Some(&Known { origin: ORIGIN, keys: &keys, last })).unwrap();
        last = cosignable.seen();
        assert_eq!(last, tree.seen(size));
        // The witness' answer makes the log's checkpoint a cosigned one.
        let line = signature_line(&cosignable.text, &witness.at(1_700_000_000).unwrap()).unwrap();
        let note = add(&request.checkpoint, &line, &[witness.verifier()]).unwrap();
        let cosigned = Cosigned::open(&note, &keys, &[witness.verifier()]).unwrap();
        assert_eq!(cosigned.cosigned_by[0].cosigned_at, Some(1_700_000_000));
    }
}

#[test]
fn objections_come_in_the_order_of_the_specification() {
    let tree = Tree::of(20);
    let last = tree.seen(10);
    let good = tree.request(10, 20);
    let keys = [log().verifier()];
    assert_eq!(answer(last, &good), Ok(tree.seen(20)));

    let stranger = Ed25519Signer::from_seed(ORIGIN, [2; 32]).unwrap();
    let root = tree.seen(20).root;
    let checkpoint = Checkpoint { origin: ORIGIN.into(), size: 20, root, extensions: Vec::new() };
    let by_stranger = AddCheckpoint { checkpoint: checkpoint.sign(&[&stranger]).unwrap(), ..good.clone() };
    let elsewhere = Checkpoint { origin: "example.com/other".into(), ..checkpoint.clone() };
    let elsewhere = AddCheckpoint { checkpoint: elsewhere.sign(&[&log()]).unwrap(), ..good.clone() };

    let unknown = Err(Objection::UnknownOrigin);
    assert_eq!(judge(&good, None).map(drop), unknown);
    assert_eq!(judge(&elsewhere, Some(&Known { origin: ORIGIN, keys: &keys, last })).map(drop), unknown);
    assert_eq!(answer(last, &by_stranger), Err(Objection::Signature));
    // A stranger's signature beside the log's is ignored; a bad one of the log's own key is not.
    let both = AddCheckpoint { checkpoint: checkpoint.sign(&[&stranger, &log()]).unwrap(), ..good.clone() };
    assert_eq!(answer(last, &both), Ok(tree.seen(20)));
    let forged = good.checkpoint.replace("\n20\n", "\n21\n");
    assert_eq!(
        answer(last, &AddCheckpoint { checkpoint: forged, ..good.clone() }),
        Err(Objection::Signature)
    );
    // Even a wrong signature comes before a wrong size.
    assert_eq!(answer(last, &AddCheckpoint { old_size: 99, ..by_stranger }), Err(Objection::Signature));

    assert_eq!(answer(last, &AddCheckpoint { old_size: 21, ..good.clone() }), Err(Objection::OldSize));
    let conflict = Err(Objection::Conflict { size: 10 });
    for old_size in [0, 9, 11, 20] {
        assert_eq!(answer(last, &AddCheckpoint { old_size, ..good.clone() }), conflict);
    }
    // The witness knows more than the log does: no way back.
    assert_eq!(answer(tree.seen(15), &tree.request(10, 12)), Err(Objection::Conflict { size: 15 }));
    assert_eq!(
        answer(tree.seen(15), &AddCheckpoint { old_size: 15, ..tree.request(10, 12) }),
        Err(Objection::OldSize)
    );

    let fork = Tree::forked(20, Some(3));
    assert_eq!(answer(last, &fork.request(10, 10)), Err(Objection::Fork));
    assert_eq!(answer(last, &fork.request(10, 20)), Err(Objection::Proof));
    for proof in [Vec::new(), good.proof[1..].to_vec(), [&good.proof[..], &[sha256(b"")]].concat()] {
        assert_eq!(answer(last, &AddCheckpoint { proof, ..good.clone() }), Err(Objection::Proof));
    }
    let again = tree.request(10, 10);
    assert_eq!(answer(last, &again), Ok(last));
    assert_eq!(answer(last, &AddCheckpoint { proof: vec![sha256(b"")], ..again }), Err(Objection::Proof));
    let statuses = [
        Objection::UnknownOrigin,
        Objection::Signature,
        Objection::OldSize,
        Objection::Conflict { size: 10 },
        Objection::Fork,
        Objection::Proof,
    ]
    .map(|objection| objection.status());
    assert_eq!(statuses, [404, 403, 400, 409, 409, 422]);
}

#[test]
fn the_first_checkpoint_needs_no_proof_and_may_bring_none() {
    let tree = Tree::of(5);
    let first = tree.request(0, 5);
    assert_eq!(answer(Seen::nothing(), &first), Ok(tree.seen(5)));
    let padded = AddCheckpoint { proof: vec![sha256(b"")], ..first };
    assert_eq!(answer(Seen::nothing(), &padded), Err(Objection::Proof));
    assert_eq!(answer(Seen::nothing(), &tree.request(3, 5)), Err(Objection::Conflict { size: 0 }));
    // An empty log has one root only.
    assert_eq!(answer(Seen::nothing(), &tree.request(0, 0)), Ok(Seen::nothing()));
    let odd = Checkpoint { origin: ORIGIN.into(), size: 0, root: sha256(b"odd"), extensions: Vec::new() };
    let odd = AddCheckpoint { old_size: 0, proof: Vec::new(), checkpoint: odd.sign(&[&log()]).unwrap() };
    assert_eq!(answer(Seen::nothing(), &odd), Err(Objection::Fork));
}

#[test]
fn the_body_is_fixed_to_the_byte_and_other_bodies_are_refused() {
    let tree = Tree::of(8);
    let request = tree.request(6, 8);
    let hashes: Vec<String> = request.proof.iter().map(|hash| STANDARD.encode(hash.0)).collect();
    let good = request.to_string();
    assert_eq!(good, format!("old 6\n{}\n\n{}", hashes.join("\n"), tree.checkpoint(8)));
    assert_eq!(tree.request(0, 8).to_string(), format!("old 0\n\n{}", tree.checkpoint(8)));
    let first = &hashes[0];
    let replaced = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    for bad in [
        String::new(),
        "old 6".into(),
        replaced("old 6\n", ""),
        replaced("old 6", "old 06"),
        replaced("old 6", "old -6"),
        replaced("old 6", "old  6"),
        replaced("old 6", "old 6 "),
        replaced("old 6", "Old 6"),
        replaced("old 6", "old 6\r"),
        replaced("old 6", "old 18446744073709551616"),
        replaced("old 6", "old 6\nold 6"),
        replaced(first, first.trim_end_matches('=')),
        replaced(first, &STANDARD.encode([7; 31])),
        replaced(first, &STANDARD.encode([7; 64])),
        replaced(&format!("{first}\n"), &format!("{first}\n").repeat(MAX_PROOF)),
    ] {
        let result = bad.parse::<AddCheckpoint>();
        assert!(matches!(result, Err(RequestError::Malformed(_))), "{bad:?}: {result:?}");
    }
    for bad in [replaced("\n\n", "\n\n\n"), good.trim_end().to_owned(), replaced("\n8\n", "\n08\n")] {
        let result = bad.parse::<AddCheckpoint>();
        assert!(matches!(result, Err(RequestError::Checkpoint(_))), "{bad:?}: {result:?}");
    }
    let most = AddCheckpoint { proof: vec![sha256(b""); MAX_PROOF], ..request };
    assert_eq!(most.to_string().parse(), Ok(most));
}

#[test]
fn sizes_and_paths() {
    assert_eq!(size_body(17), "17\n");
    assert_eq!(parse_size_body("17\n"), Some(17));
    for bad in ["", "17", "017\n", "17\n\n", "-1\n", "17\r\n"] {
        assert_eq!(parse_size_body(bad), None, "{bad:?}");
    }
    assert_eq!(checkpoint_path(""), format!("{}/checkpoint", empty_root()));
}

proptest! {
    #[test]
    fn a_witness_never_cosigns_two_histories(
        steps in prop::collection::vec((0..30_u64, 0..30_u64, any::<bool>()), 1..40),
    ) {
        let (honest, fork) = (Tree::of(30), Tree::forked(30, Some(12)));
        let mut last = Seen::nothing();
        for (old, new, forked) in steps {
            let tree = if forked { &fork } else { &honest };
            let before = last;
            if let Ok(seen) = answer(last, &tree.request(old.min(new), new)) {
                last = seen;
                // Whatever is cosigned begins with what was cosigned before.
                prop_assert!(before.size <= last.size);
                prop_assert_eq!(tree.seen(before.size), before);
                prop_assert_eq!(tree.seen(last.size), last);
            }
        }
    }
}
