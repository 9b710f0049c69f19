//! Each kind of damage, and exactly what is said about it.

use std::collections::BTreeSet;

use countersign_core::digest::Digest;
use countersign_core::log::census::TakeCensus;
use countersign_core::{Actor, Command};
use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::hash::{leaf_hash, sha256};
use countersign_ledger::note::Ed25519Signer;
use countersign_server::engine::Submission;
use countersign_server::fsck::{Kind, Nature};
use rusqlite::params;

use super::ground::Ground;
use crate::engine::fixture::{ORIGIN, signer};

/// An entry of Ana's that leaves no trace in any record but its number.
const NOTE: &str = "(SELECT min(idx) + 20 FROM entries WHERE leaf LIKE '%person.refused%')";

/// Damage by statements, and every kind that must be found, no more and no less.
const DAMAGE: &[(&str, &str, &[&str])] = &[
    ("nothing", "", &[]),
    // Evidence.
    ("a changed hash beside a leaf", "UPDATE entries SET leaf_hash = zeroblob(32) WHERE idx = {note}", &["leaf_bytes"]),
    ("a hash that is none", "UPDATE entries SET leaf_hash = x'00' WHERE idx = {note}", &["leaf_bytes"]),
    (
        "a dropped entry",
        "DELETE FROM entries WHERE idx = {note}",
        &["index_gap", "subject_gap", "census", "snapshot"],
    ),
    (
        "dropped entries at the end, the head as it was",
        "DELETE FROM entries WHERE idx >= (SELECT size - 1 FROM head)",
        &["index_gap", "stray_record", "snapshot"],
    ),
    (
        "an entry after the end",
        "INSERT INTO entries SELECT (SELECT size + 5 FROM head), leaf_hash, 'apr_x', 1, leaf FROM entries WHERE idx = 3",
        &["stray_entry"],
    ),
    (
        "an entry before the beginning",
        "INSERT INTO entries SELECT -1, leaf_hash, 'apr_x', 1, leaf FROM entries WHERE idx = 3",
        // A census counts every subject, and this one's last entry has a number that is none.
        &["stray_entry", "census"],
    ),
    (
        "an entry found under another subject",
        "UPDATE entries SET subject = 'per_x', subject_seq = 1 WHERE idx = {note}",
        &["subject_column", "subject_gap", "census"],
    ),
    (
        "details of another entry",
        "UPDATE details SET (salt, body) = (SELECT salt, body FROM details AS other WHERE other.idx <> details.idx LIMIT 1)
         WHERE idx = (SELECT min(idx) FROM details)",
        &["details"],
    ),
    ("missing details", "DELETE FROM details WHERE idx = (SELECT min(idx) FROM details)", &["details"]),
    (
        "details that are back although redacted",
        "UPDATE details SET redacted_by = NULL, salt = zeroblob(32), body = x'7B7D' WHERE redacted_by IS NOT NULL",
        &["details"],
    ),
    (
        "details put away without a redaction",
        "UPDATE details SET redacted_by = 5, salt = NULL, body = NULL WHERE idx = (SELECT min(idx) FROM details)",
        &["details"],
    ),
    (
        "another redaction named beside an entry",
        "UPDATE details SET redacted_by = redacted_by + 1 WHERE redacted_by IS NOT NULL",
        &["details"],
    ),
    ("a redacted row removed", "DELETE FROM details WHERE redacted_by IS NOT NULL", &["details"]),
    ("a short salt", "UPDATE details SET salt = x'00' WHERE idx = (SELECT min(idx) FROM details)", &["details"]),
    ("details nobody named", "INSERT INTO details (idx, salt, body) VALUES ({note}, zeroblob(32), x'7b7d')", &["details"]),
    ("details after the end", "INSERT INTO details (idx, salt, body) VALUES (1000000, zeroblob(32), x'7b7d')", &["stray_details"]),
    ("details before the beginning", "INSERT INTO details (idx, salt, body) VALUES (-5, zeroblob(32), x'7b7d')", &["stray_details"]),
    ("a blob of another name", "UPDATE blobs SET sha256 = zeroblob(32) WHERE sha256 = (SELECT min(sha256) FROM blobs)", &["blob", "stray_blob", "snapshot"]),
    ("a blob nobody refers to", "INSERT INTO blobs VALUES (zeroblob(32), x'7b7d')", &["blob", "stray_blob"]),
    ("a head with another tree", "UPDATE head SET frontier = zeroblob(length(frontier))", &["head"]),
    ("a head of another time", "UPDATE head SET time_ms = time_ms + 1", &["head"]),
    ("a head that is none", "UPDATE head SET frontier = x'00'", &["unreadable"]),
    ("no head", "DELETE FROM head", &["unreadable"]),
    ("a checkpoint that is none", "UPDATE checkpoints SET note = 'so be it' WHERE size = (SELECT min(size) FROM checkpoints)", &["checkpoint"]),
    ("a checkpoint of another size", "UPDATE checkpoints SET size = size - 1 WHERE size = (SELECT min(size) FROM checkpoints)", &["checkpoint"]),
    ("a request answered by another's entries", "UPDATE idempotency SET first_idx = 0 WHERE key = 'key 1'", &["idempotency"]),
    ("a request answered by what is not there", "UPDATE idempotency SET entry_count = 100000 WHERE key = 'key 1'", &["idempotency"]),
    ("a request answered by nothing", "UPDATE idempotency SET entry_count = 0 WHERE key = 'key 1'", &["idempotency"]),
    // What is derived.
    ("a missing node", "DELETE FROM nodes WHERE idx = 1", &["node"]),
    ("a changed node", "UPDATE nodes SET hash = zeroblob(32) WHERE idx = 0", &["node"]),
    ("a node without leaves", "INSERT INTO nodes VALUES (8, 77, zeroblob(32))", &["stray_node"]),
    ("a node of a level that is not stored", "INSERT INTO nodes VALUES (3, 0, zeroblob(32))", &["stray_node"]),
    ("a stale record", "UPDATE records SET seq = seq - 1 WHERE kind = 'permit' AND seq > 3", &["record"]),
    ("a record in another state", "UPDATE records SET status = 'reserved' WHERE status = 'succeeded'", &["record"]),
    ("a changed record", "UPDATE records SET body = CAST(replace(body, 'a', 'b') AS BLOB) WHERE kind = 'person'", &["record"]),
    ("a missing record", "DELETE FROM records WHERE kind = 'incident'", &["record"]),
    ("a record about nothing", "INSERT INTO records VALUES ('approval', 'apr_x', 1, 'pending', x'7b7d')", &["stray_record"]),
    ("a record of the wrong kind", "INSERT INTO records SELECT 'approval', id, seq, status, body FROM records WHERE kind = 'incident'", &["stray_record"]),
    ("a changed snapshot", "UPDATE snapshot SET state = CAST(replace(state, 'active', 'passive') AS BLOB)", &[]),
    ("a snapshot of another state", "UPDATE snapshot SET state = CAST(replace(state, '\"origin\":\"', '\"origin\":\"x') AS BLOB)", &["snapshot"]),
    ("a snapshot that is none", "UPDATE snapshot SET state = x'00'", &["snapshot"]),
    ("a snapshot of another root", "UPDATE snapshot SET root = zeroblob(32)", &["snapshot"]),
    ("a snapshot of a longer log", "UPDATE snapshot SET size = size + 1000", &["snapshot"]),
    ("a snapshot of an earlier state", "UPDATE snapshot SET size = size - 1", &["snapshot"]),
];

#[test]
fn each_damage_is_named_and_nothing_else() {
    let mut wrong = Vec::new();
    for (name, statements, expected) in DAMAGE {
        let ground = Ground::new();
        ground.sql(&statements.replace("{note}", NOTE));
        let report = ground.check();
        let found: BTreeSet<&str> = report.counts.iter().map(|counted| counted.kind.code()).collect();
        let expected: BTreeSet<&str> = expected.iter().copied().collect();
        if found != expected {
            wrong.push(format!(
                "{name}: found {found:?}, not {expected:?}: {:#?} {:#?}",
                report.findings, report.notes
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Flips one bit of some bytes that are somewhere in the file.
fn flip(ground: &Ground, (wanted, at): (&[u8], usize)) {
    let mut bytes = std::fs::read(ground.database()).expect("the file");
    let found = bytes.windows(wanted.len()).position(|window| window == wanted).expect("they are there");
    bytes[found + at] ^= 1;
    std::fs::write(ground.database(), bytes).expect("written");
}

fn leaf(ground: &Ground, query: &str) -> Vec<u8> {
    ground.connection().query_row(query, [], |row| row.get(0)).expect("a leaf")
}

#[test]
fn a_flipped_bit_in_a_leaf_is_told_from_a_changed_hash_by_the_checkpoint() {
    let ground = Ground::new();
    let index = ground.number(&format!("SELECT {NOTE}"));
    let leaf = leaf(&ground, &format!("SELECT leaf FROM entries WHERE idx = {index}"));
    // Within the correlation, which is in no record: so nothing but the leaf is wrong.
    let at = leaf.windows(4).position(|window| window == b"cor_").expect("a correlation");
    // One bit makes a digit another digit.
    let digit = leaf[at..].iter().position(u8::is_ascii_digit).expect("a digit");
    flip(&ground, (&leaf, at + digit));
    let report = ground.check();
    let [finding] = &report.findings[..] else { panic!("{:#?}", report.findings) };
    assert_eq!((finding.kind, finding.place.as_str()), (Kind::LeafBytes, format!("entry {index}").as_str()));
    assert!(report.notes.iter().any(|note| note.ends_with("so its leaf was changed")), "{:?}", report.notes);
    assert_eq!(report.signed_entries, report.entries, "the checkpoints after it are still checked");

    let ground = Ground::new();
    ground.sql(&format!("UPDATE entries SET leaf_hash = zeroblob(32) WHERE idx = {index}"));
    let notes = ground.check().notes;
    assert!(notes.iter().any(|note| note.ends_with("so the hash beside it was changed")), "{notes:?}");
}

#[test]
fn a_flipped_bit_in_details_and_in_a_policy_is_named() {
    let ground = Ground::new();
    flip(&ground, (b"because of parameters", 3));
    assert_eq!(ground.kinds(), ["details"].into());
    let ground = Ground::new();
    flip(&ground, (br#""name":"another""#, 10));
    assert!(ground.kinds().contains("blob"));
}

#[test]
fn history_written_anew_with_all_its_hashes_does_not_have_the_signed_root() {
    let ground = Ground::new();
    let index = ground.number(&format!("SELECT {NOTE}"));
    let old = leaf(&ground, &format!("SELECT leaf FROM entries WHERE idx = {index}"));
    let new = String::from_utf8(old).expect("text").replace(r#""count":1"#, r#""count":7"#).into_bytes();
    let update = "UPDATE entries SET leaf = ?1, leaf_hash = ?2 WHERE idx = ?3";
    let done = ground.connection().execute(update, params![new, leaf_hash(&new).0, index]);
    assert_eq!(done, Ok(1));
    let report = ground.check();
    let root = report.findings.iter().find(|finding| finding.kind == Kind::Root).expect("a wrong root");
    assert!(root.place.contains("an entry from "), "{}", root.place);
    // The stored node narrows it down to 256 entries, and the outside checkpoint does not agree either.
    let kinds = ground.kinds();
    assert!(kinds.is_superset(&["root", "node", "head", "outside_checkpoint"].into()), "{kinds:?}");
    assert_eq!(report.signed_entries, 0);
}

#[test]
fn swapped_entries_are_at_places_their_leaves_deny() {
    let ground = Ground::new();
    let index = ground.number(&format!("SELECT {NOTE}"));
    ground.sql(&format!(
        "UPDATE entries SET idx = -1 WHERE idx = {index}; UPDATE entries SET idx = {index} WHERE idx = {index} + 1;
         UPDATE entries SET idx = {index} + 1 WHERE idx = -1"
    ));
    let report = ground.check();
    let places: Vec<_> = report
        .findings
        .iter()
        .filter(|finding| finding.kind == Kind::Index)
        .map(|finding| finding.place.clone())
        .collect();
    assert_eq!(places, [format!("entry {index}"), format!("entry {}", index + 1)]);
    assert!(ground.kinds().contains("root"));
}

#[test]
fn an_end_that_was_cut_off_is_named_although_the_head_was_adjusted() {
    let ground = Ground::new();
    let earlier = ground.earlier();
    ground.sql(&format!(
        "ATTACH '{}' AS earlier;
         DELETE FROM entries WHERE idx >= (SELECT size FROM earlier.head);
         DELETE FROM details WHERE idx >= (SELECT size FROM earlier.head);
         DELETE FROM main.head; INSERT INTO main.head SELECT * FROM earlier.head",
        earlier.display()
    ));
    let report = ground.check();
    let kinds = ground.kinds();
    // Ana and Ben have records of entries that are gone; the request has one and no entry at all.
    let expected = ["truncated", "outside_checkpoint", "record", "stray_record", "snapshot"];
    assert!(kinds.is_superset(&expected.into()), "{kinds:?}");
    assert_eq!(report.entries, report.signed_entries, "what is left is as it was signed");
}

#[test]
fn an_old_backup_is_intact_and_yet_not_the_log_that_was_signed() {
    let ground = Ground::new();
    std::fs::rename(ground.earlier(), ground.database()).expect("a restored backup");
    let report = ground.check();
    let [finding] = &report.findings[..] else { panic!("{:#?}", report.findings) };
    assert_eq!(finding.kind, Kind::OutsideCheckpoint);
    assert!(finding.found.starts_with("a log of"), "{}", finding.found);
}

#[test]
fn forged_checkpoints_are_told_apart() {
    let insert = |ground: &Ground, signer: &Ed25519Signer, checkpoint: &Checkpoint| {
        let note = checkpoint.sign(&[signer]).expect("a note");
        let size = i64::try_from(checkpoint.size).expect("a size");
        let done = ground
            .connection()
            .execute("INSERT OR REPLACE INTO checkpoints VALUES (?1, ?2)", params![size, note]);
        assert_eq!(done, Ok(1));
    };
    let of = |origin: &str, size| Checkpoint {
        origin: origin.into(),
        size,
        root: sha256(b"fork"),
        extensions: Vec::new(),
    };
    let stranger = Ed25519Signer::from_seed(ORIGIN, [9; 32]).expect("a signer");

    let ground = Ground::new();
    insert(&ground, &stranger, &of(ORIGIN, 10));
    insert(&ground, &signer(), &of("other.test/log", 11));
    let report = ground.check();
    let places: Vec<_> =
        report.findings.iter().map(|finding| (finding.kind, finding.place.as_str())).collect();
    assert_eq!(places, [(Kind::Checkpoint, "checkpoint 10"), (Kind::Checkpoint, "checkpoint 11")]);

    // Signed with the log's own key, over a tree that is not this log.
    let ground = Ground::new();
    insert(&ground, &signer(), &of(ORIGIN, 10));
    assert!(ground.kinds().contains("root"));
    let ground = Ground::new();
    insert(&ground, &signer(), &of(ORIGIN, 1_000_000));
    assert_eq!(ground.kinds(), ["truncated"].into());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_census_that_hides_a_subject_is_named_at_its_entry() {
    let ground = tokio::task::spawn_blocking(Ground::new).await.expect("a ground");
    let engine = ground.engine();
    let index = engine.size();
    let lie = TakeCensus { size: index, subjects: 2, root_sha256: Digest::of(b"two subjects") };
    engine
        .submit(Submission::new(Actor::Node, Command::TakeCensus(lie)))
        .await
        .expect("the core cannot count");
    engine.stop().await;
    let report = ground.check();
    let [finding] = &report.findings[..] else { panic!("{:#?}", report.findings) };
    assert_eq!((finding.kind, finding.place.as_str()), (Kind::Census, format!("entry {index}").as_str()));
}

#[test]
fn an_older_time_and_a_leaf_that_is_none_are_named() {
    let ground = Ground::new();
    let index = ground.number(&format!("SELECT {NOTE}"));
    let old = leaf(&ground, &format!("SELECT leaf FROM entries WHERE idx = {index}"));
    let text = String::from_utf8(old).expect("text");
    let at = text.find(r#""time":"20"#).expect("a time") + 8;
    let mut earlier = text.clone();
    earlier.replace_range(at..at + 4, "1999");
    for (leaf, kind) in [(earlier, "time"), (text.replace(r#","v":1}"#, r#","v":2}"#), "entry")] {
        let update = "UPDATE entries SET leaf = ?1 WHERE idx = ?2";
        assert_eq!(ground.connection().execute(update, params![leaf.into_bytes(), index]), Ok(1));
        let kinds = ground.kinds();
        assert!(kinds.contains(kind) && kinds.contains("leaf_bytes"), "{kinds:?}");
    }
}

#[test]
fn a_damaged_file_is_told_and_what_can_be_read_is_still_checked() {
    let ground = Ground::new();
    let root: i64 = ground.number("SELECT rootpage FROM sqlite_schema WHERE name = 'details'");
    let page: i64 = ground.number("PRAGMA page_size");
    let mut bytes = std::fs::read(ground.database()).expect("the file");
    let at = usize::try_from((root - 1) * page).expect("an offset");
    bytes[at..at + 64].fill(0xFF);
    std::fs::write(ground.database(), bytes).expect("written");
    let report = ground.check();
    let kinds: BTreeSet<&str> = report.counts.iter().map(|counted| counted.kind.code()).collect();
    assert_eq!(kinds, ["database", "unreadable"].into(), "{:#?}", report.findings);
    assert_eq!(report.signed_entries, report.entries);
}

#[test]
fn a_flood_of_one_kind_hides_no_other_and_is_counted() {
    let ground = Ground::new();
    ground.sql("UPDATE entries SET leaf_hash = zeroblob(32); DELETE FROM records WHERE kind = 'incident'");
    let report = ground.check();
    let count = |kind| report.counts.iter().find(|counted| counted.kind == kind).map(|counted| counted.count);
    assert_eq!((count(Kind::LeafBytes), count(Kind::Record)), (Some(report.entries), Some(1)));
    let told = report.findings.iter().filter(|finding| finding.kind == Kind::LeafBytes).count();
    assert!(told < 50 && report.findings.iter().any(|finding| finding.kind == Kind::Record), "{told}");
    assert_eq!(report.count(Nature::Derived), 1);
}
