//! A small good log and its rows, for the tests that damage it.

use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::details::{Salt, commitment};
use countersign_ledger::entry::{Draft, Place};
use countersign_ledger::hash::{Hash, leaf_hash};
use countersign_ledger::note::{Ed25519Signer, VerifierKey};
use countersign_ledger::tree::CompactRange;
use countersign_ledger::verify::{Damage, LogVerifier, Redactions, Row, StoredDetails, Trust, Verified};

/// The origin of the log.
pub(crate) const ORIGIN: &str = "example.com/log";

/// One stored entry, owned and so damageable.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) index: u64,
    pub(crate) leaf: Vec<u8>,
    pub(crate) hash: Option<Hash>,
    pub(crate) details: Option<(Salt, Vec<u8>)>,
}

/// What an entry is made of, for tests that forge well-formed ones.
pub(crate) struct Made<'a> {
    pub(crate) index: u64,
    pub(crate) subject: &'a str,
    pub(crate) seq: u32,
    pub(crate) time: &'a str,
}

/// A well-formed entry; every third one without details.
pub(crate) fn made(entry: &Made<'_>) -> Stored {
    let body = format!(r#"{{"reason":"because {}"}}"#, entry.index).into_bytes();
    let details = (entry.index % 3 != 2).then(|| ([entry.index.to_le_bytes()[0]; 32], body));
    let draft = Draft {
        actor: "per_ana",
        correlation: "cor_1",
        data: br#"{"count":3}"#,
        details_sha256: details.as_ref().map(|(salt, body)| commitment(salt, body)),
        environment: Some("production"),
        kind: "approval.granted",
        subject: entry.subject,
    };
    let place = Place { index: entry.index, subject_seq: entry.seq, time: entry.time };
    let leaf = draft.leaf(place).unwrap();
    Stored { index: entry.index, hash: Some(leaf_hash(&leaf)), leaf, details }
}

/// Twelve entries of three subjects, in turn, one second apart.
pub(crate) fn good() -> Vec<Stored> {
    let entry = |index: u64| {
        let subject = ["apr_a", "apr_b", "prm_c"][usize::try_from(index % 3).unwrap()];
        let time = format!("2026-11-23T10:00:{index:02}.000Z");
        made(&Made { index, subject, seq: u32::try_from(index / 3).unwrap() + 1, time: &time })
    };
    (0..12).map(entry).collect()
}

pub(crate) fn signer() -> Ed25519Signer {
    Ed25519Signer::from_seed(ORIGIN, [3; 32]).unwrap()
}

/// The signed checkpoint over the first `size` rows as they stand.
pub(crate) fn signed(rows: &[Stored], size: usize) -> String {
    let mut tree = CompactRange::new();
    rows.iter().take(size).for_each(|row| tree.push(leaf_hash(&row.leaf)));
    let checkpoint =
        Checkpoint { origin: ORIGIN.into(), size: tree.size(), root: tree.root(), extensions: vec![] };
    checkpoint.sign(&[&signer()]).unwrap()
}

/// Verifies rows against checkpoints with the usual trust.
pub(crate) fn verify(rows: &[Stored], checkpoints: &[&str]) -> Result<Verified, Damage> {
    verify_with(rows, checkpoints, Trusting { redactions: Redactions::None, redaction: None })
}

/// What is believed about redactions, and the entry that is one, with what it names.
pub(crate) struct Trusting<'a> {
    pub(crate) redactions: Redactions,
    pub(crate) redaction: Option<(u64, &'a [u64])>,
}

pub(crate) fn verify_with(
    rows: &[Stored],
    checkpoints: &[&str],
    Trusting { redactions, redaction }: Trusting<'_>,
) -> Result<Verified, Damage> {
    let keys: [VerifierKey; 1] = [signer().verifier()];
    let mut verifier = LogVerifier::new(&Trust { origin: ORIGIN, keys: &keys, redactions }, checkpoints)?;
    for stored in rows {
        let details = match &stored.details {
            Some((salt, body)) => StoredDetails::Present { salt, body },
            None => StoredDetails::Absent,
        };
        let row =
            Row { stored_index: stored.index, leaf: &stored.leaf, stored_leaf_hash: stored.hash, details };
        let mut pushed = verifier.push(&row).map(drop);
        if let Some((_, named)) = redaction.filter(|(index, _)| pushed.is_ok() && *index == stored.index) {
            pushed = verifier.redacted(named.iter().copied());
        }
        if let Err(damage) = pushed {
            assert_eq!(verifier.push(&row), Err(damage.clone()), "damage must last");
            assert_eq!(verifier.finish(), Err(damage.clone()), "damage must last");
            return Err(damage);
        }
    }
    verifier.finish()
}
