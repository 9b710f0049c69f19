//! A case of a log whose key was rotated: whoever pinned either key can verify it, and a retired key convinces nobody.

use countersign_evidence::bundle::Bundle;
use countersign_evidence::verify::Verdict;
use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::note::Ed25519Signer;

use super::fixture::{Cases, print, verify_by};
use crate::engine::fixture::{ORIGIN, next_signer, signer};

/// What the check of the keys says.
fn said(bundle: &Bundle, pinned: &Ed25519Signer) -> String {
    let verified = verify_by(&print(bundle), pinned).expect("no lie");
    let check = verified.checks.into_iter().find(|check| check.what == "keys").expect("a check of the keys");
    match check.verdict {
        Verdict::Holds(sentence) | Verdict::NotShown(sentence) => sentence,
    }
}

fn lie(bundle: &Bundle, pinned: &Ed25519Signer) -> (String, String) {
    let lie = verify_by(&print(bundle), pinned).expect_err("a lie").lie;
    (lie.code, lie.what)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn either_pinned_key_leads_to_the_one_that_signed() {
    let bundle = Cases::rotated().await.bundle();
    let by_old = said(&bundle, &signer());
    assert!(by_old.contains(&next_signer().vkey()) && by_old.contains("1 handover"), "{by_old}");
    let by_new = said(&bundle, &next_signer());
    assert!(by_new.contains(&next_signer().vkey()) && by_new.contains("the pinned key"), "{by_new}");
    let stranger = Ed25519Signer::from_seed(ORIGIN, [9; 32]).expect("a signer");
    assert_eq!(lie(&bundle, &stranger).0, "checkpoint_signature");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retired_key_and_a_forged_handover_are_lies() {
    let bundle = Cases::rotated().await.bundle();
    let genuine = Checkpoint::open(&bundle.checkpoint, &[next_signer().verifier()]).expect("signed");
    let retired = Bundle { checkpoint: genuine.sign(&[&signer()]).expect("a note"), ..bundle.clone() };
    for pinned in [signer(), next_signer()] {
        let (code, what) = lie(&retired, &pinned);
        assert!(code == "checkpoint_signature" && what.contains("retired key"), "{code}: {what}");
    }
    // The forger of an entry hashes it correctly; the signatures are still those of another handover.
    let mut forged = bundle;
    let rotated = |entry: &&mut countersign_evidence::bundle::Entry| entry.leaf.contains("log.key_rotated");
    let entry = forged.entries.iter_mut().find(rotated).expect("the rotation is in every bundle");
    let size = entry.leaf.find("\"size\":").expect("a size") + "\"size\":".len();
    let end = entry.leaf[size..].find('}').expect("an end") + size;
    entry.leaf.replace_range(size..end, "1");
    entry.leaf_hash = countersign_ledger::hash::leaf_hash(entry.leaf.as_bytes());
    let (code, what) = lie(&forged, &signer());
    assert!(code == "log_key" && what.contains("old key"), "{code}: {what}");
}
