//! Every kind of damage to a good log is found at the right entry and called by its name.

use countersign_ledger::checkpoint::{Checkpoint, CheckpointError};
use countersign_ledger::entry::EntryError;
use countersign_ledger::hash::{leaf_hash, sha256};
use countersign_ledger::keys::CheckpointFault;
use countersign_ledger::note::{Ed25519Signer, NoteError};
use countersign_ledger::verify::{Damage, DamageKind, DetailsFault, LeafFault, Redactions, Verified};

use crate::logs::{Made, ORIGIN, Stored, Trusting, good, made, signed, signer, verify, verify_with};

/// Damages a good log with checkpoints at 8 and 12 signed before, and expects this finding.
fn check(damage: impl FnOnce(&mut Vec<Stored>), index: u64, what: &DamageKind) {
    let mut rows = good();
    let (eight, twelve) = (signed(&rows, 8), signed(&rows, 12));
    damage(&mut rows);
    let found = verify(&rows, &[&twelve, &eight]).unwrap_err();
    assert_eq!((found.index, &found.what), (index, what), "{found}");
}

/// Lets a leaf and the hash stored beside it agree again, as a forger who owns the database would.
fn rehash(row: &mut Stored) {
    row.hash = Some(leaf_hash(&row.leaf));
}

fn replace(row: &mut Stored, from: &str, to: &str) {
    let text = String::from_utf8(row.leaf.clone()).unwrap();
    assert!(text.contains(from), "{text}");
    row.leaf = text.replace(from, to).into_bytes();
}

#[test]
fn a_good_log_passes() {
    let rows = good();
    let (eight, twelve) = (signed(&rows, 8), signed(&rows, 12));
    let verified = verify(&rows, &[&twelve, &eight, &eight, &signed(&rows, 0)]).unwrap();
    let last_time = Some("2026-11-23T10:00:11.000Z".into());
    assert_eq!((verified.size, verified.signed_size, verified.subjects), (12, 12, 3));
    assert_eq!(verified.last_time, last_time);
    // What no checkpoint covers is reported as such.
    assert_eq!(verify(&rows, &[&eight]).unwrap().signed_size, 8);
    let empty: Verified = verify(&[], &[]).unwrap();
    assert_eq!((empty.size, empty.last_time), (0, None));
}

#[test]
fn every_flipped_byte_of_every_leaf_is_named() {
    let rows = good();
    let head = signed(&rows, 12);
    for index in 0..rows.len() {
        for byte in 0..rows[index].leaf.len() {
            let mut rows = rows.clone();
            rows[index].leaf[byte] ^= 0x01;
            let found = verify(&rows, &[&head]).unwrap_err();
            let named = DamageKind::LeafBytes(LeafFault::StoredHash);
            assert_eq!((found.index, found.what), (u64::try_from(index).unwrap(), named));
        }
    }
}

#[test]
fn leaf_bytes() {
    let stored = DamageKind::LeafBytes(LeafFault::StoredHash);
    check(|rows| rows[4].hash = Some(sha256(b"other")), 4, &stored);
    let rewritten = |row: &mut Stored, from: &str, to: &str| {
        replace(row, from, to);
        rehash(row);
    };
    let malformed = |error: EntryError| DamageKind::LeafBytes(LeafFault::Malformed(error));
    check(|rows| rewritten(&mut rows[4], "\"v\":1", "\"v\":2"), 4, &malformed(EntryError::Version));
    check(|rows| rewritten(&mut rows[4], ".000Z", "Z"), 4, &malformed(EntryError::Time));
    let mut rows = good();
    rewritten(&mut rows[4], "{\"count\"", "{ \"count\"");
    let found = verify(&rows, &[]).unwrap_err();
    assert!(
        matches!(found.what, DamageKind::LeafBytes(LeafFault::Malformed(EntryError::Data(_)))),
        "{found}"
    );
    assert_eq!((found.index, found.what.code()), (4, "leaf_bytes"));
}

#[test]
fn rewritten_entries_do_not_have_the_signed_root() {
    // The forgery is perfect in itself, so it can only be placed between two checkpoints.
    let forge = |row: &mut Stored| {
        replace(row, "per_ana", "per_eve");
        rehash(row);
    };
    check(|rows| forge(&mut rows[4]), 0, &DamageKind::Root { size: 8 });
    check(|rows| forge(&mut rows[9]), 8, &DamageKind::Root { size: 12 });
}

#[test]
fn details() {
    let details = DamageKind::Details;
    check(|rows| rows[4].details.as_mut().unwrap().1[0] ^= 1, 4, &details(DetailsFault::Mismatch));
    check(|rows| rows[4].details.as_mut().unwrap().0[0] ^= 1, 4, &details(DetailsFault::Mismatch));
    let swap = |rows: &mut Vec<Stored>| {
        let (third, fourth) = (rows[3].details.take(), rows[4].details.take());
        (rows[3].details, rows[4].details) = (fourth, third);
    };
    check(swap, 3, &details(DetailsFault::Mismatch));
    check(|rows| rows[4].details = None, 4, &details(DetailsFault::Missing));
    check(|rows| rows[5].details = Some(([0; 32], b"{}".to_vec())), 5, &details(DetailsFault::Unnamed));
}

/// A good log in which entry 7 says that the details of these entries were deleted, and in which those of others are.
fn redacting(named: &[u64], gone: &[usize]) -> Result<Verified, Damage> {
    let mut rows = good();
    let head = signed(&rows, 12);
    for index in gone {
        rows[*index].details = None;
    }
    verify_with(&rows, &[&head], Trusting { redactions: Redactions::Explained, redaction: Some((7, named)) })
}

#[test]
fn absent_details_pass_only_with_a_later_entry_that_says_why() {
    assert_eq!(redacting(&[1, 4], &[1, 4]).unwrap().redacted, 2);
    assert_eq!(redacting(&[], &[]).unwrap().redacted, 0);
    let finds = |named: &[u64], gone: &[usize], index, fault| {
        let expected = Damage { index, what: DamageKind::Details(fault) };
        assert_eq!(redacting(named, gone), Err(expected), "{named:?} {gone:?}");
    };
    finds(&[1], &[1, 4], 4, DetailsFault::Missing);
    finds(&[], &[3, 4], 3, DetailsFault::Missing);
    // Details that were said to be deleted are there, or never were: entry 5 has none.
    finds(&[1, 4], &[1], 4, DetailsFault::Kept { by: 7 });
    finds(&[5], &[], 5, DetailsFault::Kept { by: 7 });
    // What was said before there was anything to delete explains nothing.
    finds(&[9], &[9], 7, DetailsFault::Foretold { index: 9 });
    finds(&[7], &[7], 7, DetailsFault::Foretold { index: 7 });
    finds(&[], &[9], 9, DetailsFault::Missing);
}

#[test]
fn redactions_do_not_excuse_other_damage() {
    let mut rows = good();
    let head = signed(&rows, 12);
    rows[4].details = None;
    let trusting = || Trusting { redactions: Redactions::Explained, redaction: Some((7, &[4])) };
    rows[3].details.as_mut().unwrap().1.push(b' ');
    let found = verify_with(&rows, &[&head], trusting()).unwrap_err();
    assert_eq!(found, Damage { index: 3, what: DamageKind::Details(DetailsFault::Mismatch) });
    let mut rows = good();
    rows[4].details = None;
    rows.truncate(6);
    let found = verify_with(&rows, &[&head], trusting()).unwrap_err();
    // The entry that says why may have been cut off with the rest.
    assert_eq!(found, Damage { index: 6, what: DamageKind::Truncated { size: 12 } });
}

#[test]
fn index_gaps() {
    let gap = |expected, found| DamageKind::IndexGap { expected, found };
    check(|rows| drop(rows.remove(4)), 4, &gap(4, 5));
    check(|rows| rows.insert(4, rows[3].clone()), 4, &gap(4, 3));
    check(|rows| rows.swap(4, 7), 4, &gap(4, 7));
    // The rows are renumbered, but the leaves are not.
    let renumber = |rows: &mut Vec<Stored>| {
        rows.remove(4);
        (0..).zip(rows.iter_mut()).for_each(|(index, row)| row.index = index);
    };
    check(renumber, 4, &gap(4, 5));
}

#[test]
fn subject_gaps() {
    let at = |index, subject, seq| {
        made(&Made { index, subject, seq, time: &format!("2026-11-23T10:00:{index:02}.000Z") })
    };
    let gap = |expected, found| DamageKind::SubjectGap { expected, found };
    check(|rows| rows[4] = at(4, "apr_b", 3), 4, &gap(2, 3));
    check(|rows| rows[4] = at(4, "apr_b", 1), 4, &gap(2, 1));
    check(|rows| rows[4] = at(4, "apr_new", 2), 4, &gap(1, 2));
    // A forged entry of a new subject fits there; the gap it leaves shows at the subject's next entry.
    check(|rows| rows[4] = at(4, "apr_new", 1), 7, &gap(2, 3));
}

#[test]
fn time_going_backwards() {
    let early = |rows: &mut Vec<Stored>| {
        rows[4] = made(&Made { index: 4, subject: "apr_b", seq: 2, time: "2026-11-23T10:00:02.999Z" });
    };
    check(early, 4, &DamageKind::Time);
}

#[test]
fn truncation() {
    check(|rows| rows.truncate(10), 10, &DamageKind::Truncated { size: 12 });
    check(Vec::clear, 0, &DamageKind::Truncated { size: 12 });
}

fn invalid(error: NoteError) -> DamageKind {
    DamageKind::CheckpointSignature(CheckpointFault::Invalid(CheckpointError::Note(error)))
}

#[test]
fn checkpoints_out_of_place() {
    let rows = good();
    let head = signed(&rows, 12);
    let sizeless = head.replacen("\n12\n", "\ntwelve\n", 1);
    let found = verify(&rows, &[&sizeless]).unwrap_err();
    assert_eq!(found, Damage { index: 0, what: invalid(NoteError::InvalidSignature(ORIGIN.into())) });
    // A size that the log never had, signed by nobody who may: the note is wrong, not the log.
    let stranger = Ed25519Signer::from_seed(ORIGIN, [4; 32]).unwrap();
    let checkpoint = Checkpoint::open(&head, &[signer().verifier()]).unwrap();
    let beyond = Checkpoint { size: 99, ..checkpoint }.sign(&[&stranger]).unwrap();
    let found = verify(&rows, &[&head, &beyond]).unwrap_err();
    assert_eq!(found, Damage { index: 99, what: invalid(NoteError::Unsigned) });
}

#[test]
fn forged_checkpoints() {
    let rows = good();
    let head = signed(&rows, 12);
    let forged = head.replacen("\n12\n", "\n11\n", 1);
    let signature = invalid(NoteError::InvalidSignature(ORIGIN.into()));
    assert_eq!(verify(&rows, &[&forged]).unwrap_err(), Damage { index: 11, what: signature });

    let stranger = Ed25519Signer::from_seed(ORIGIN, [4; 32]).unwrap();
    let checkpoint = Checkpoint::open(&head, &[signer().verifier()]).unwrap();
    let note = checkpoint.sign(&[&stranger]).unwrap();
    let unsigned = invalid(NoteError::Unsigned);
    assert_eq!(verify(&rows, &[&note]).unwrap_err(), Damage { index: 12, what: unsigned });

    let foreign = Checkpoint { origin: "example.com/other".into(), ..checkpoint.clone() };
    let found = verify(&rows, &[&foreign.sign(&[&signer()]).unwrap()]).unwrap_err();
    assert_eq!(found, Damage { index: 12, what: DamageKind::CheckpointOrigin });

    // A validly signed fork: same size, another root.
    let fork = Checkpoint { root: sha256(b"fork"), ..checkpoint }.sign(&[&signer()]).unwrap();
    let found = verify(&rows, &[&fork]).unwrap_err();
    assert_eq!(found, Damage { index: 0, what: DamageKind::Root { size: 12 } });
    assert!(matches!(verify(&rows, &[&head, &fork]).unwrap_err().what, DamageKind::Root { size: 12 }));
}

#[test]
fn damage_reads_as_a_sentence() {
    let damage = Damage { index: 17, what: DamageKind::IndexGap { expected: 17, found: 18 } };
    assert_eq!(damage.to_string(), "entry 17: index 17 had to come here, but index 18 came");
}
