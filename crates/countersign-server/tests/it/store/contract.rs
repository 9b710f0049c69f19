//! What every store promises, as one suite: run it on each backend with a way to make an empty one.

use countersign_ledger::hash::{Hash, sha256};
use countersign_server::store::{
    Batch, Head, Idempotency, Record, RecordQuery, Redaction, Snapshot, Store, StoreError, StoredCheckpoint,
};

use super::fixture::{Author, check_log, details_of, naive_root};

/// Every promise, each on a fresh store.
pub(crate) fn contract(make: impl Fn() -> Box<dyn Store>) {
    let promises: [fn(&mut dyn Store); 14] = [
        starts_empty,
        appends_and_reads_back,
        counts_subjects_as_of_a_size,
        refuses_another_size,
        refuses_a_sequence_gap_or_duplicate,
        refuses_a_batch_that_contradicts_itself,
        refuses_to_answer_a_key_twice,
        deletes_details_and_nothing_else,
        refuses_to_delete_what_is_not_there,
        readers_see_whole_batches,
        pages_records_newest_first,
        keeps_blobs_snapshots_and_checkpoints,
        forgets_old_idempotency_keys,
        nodes_are_those_of_the_naive_tree,
    ];
    for promise in promises {
        promise(make().as_mut());
    }
}

fn starts_empty(store: &mut dyn Store) {
    assert_eq!(store.head().unwrap(), Head::empty());
    assert!(store.entries(0, 10).unwrap().is_empty());
    assert_eq!(store.snapshot().unwrap(), None);
    assert_eq!(store.latest_checkpoint().unwrap(), None);
    assert!(matches!(store.node(0, 0), Err(StoreError::Corrupt(_))));
}

fn appends_and_reads_back(store: &mut dyn Store) {
    let mut author = Author::new();
    let first = author.batch(&["apr_a", "apr_b", "apr_a"]);
    store.append(&first).unwrap();
    store.append(&author.batch(&["apr_a", "prm_c"])).unwrap();
    assert_eq!(store.head().unwrap(), author.head);
    assert_eq!(check_log(store).unwrap(), 5);

    let page = store.entries(1, 2).unwrap();
    assert_eq!(page.iter().map(|entry| entry.index).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(page[0].leaf, first.entries[1].leaf);
    assert_eq!(page[0].leaf_hash, first.entries[1].leaf_hash);
    let places: Vec<_> = page.iter().map(|entry| (entry.subject.as_str(), entry.subject_seq)).collect();
    assert_eq!(places, [("apr_b", 1), ("apr_a", 2)]);

    let of_a = store.entries_of("apr_a", 1, 10).unwrap();
    assert_eq!(of_a.iter().map(|entry| entry.index).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(store.entries_of("apr_a", 0, 1).unwrap().len(), 1);
    assert!(store.entries_of("apr_z", 0, 10).unwrap().is_empty());

    assert_eq!(store.details(4).unwrap(), Some(details_of(4)));
    assert_eq!(store.details(3).unwrap(), None);
    assert!(store.entries(u64::MAX, 1).unwrap().is_empty());
}

fn counts_subjects_as_of_a_size(store: &mut dyn Store) {
    let mut author = Author::new();
    assert!(store.subjects(u64::from(u32::MAX), "", 10).unwrap().is_empty());
    // `B` comes before `a` in byte order, `ab` between `a` and `b`.
    store.append(&author.batch(&["b", "a", "b", "ab"])).unwrap();
    store.append(&author.batch(&["a", "B", "b"])).unwrap();
    let mut rows = |size: u64, after: &str, limit: usize| -> Vec<(String, u32, u64)> {
        let page = store.subjects(size, after, limit).unwrap();
        page.into_iter().map(|row| (row.subject, row.count, row.last)).collect()
    };
    let expected = [("B", 1, 5), ("a", 2, 4), ("ab", 1, 3), ("b", 3, 6)]
        .map(|(name, count, last)| (name.to_owned(), count, last));
    assert_eq!(rows(7, "", 10), expected);
    assert_eq!(rows(7, "", 2), expected[..2]);
    assert_eq!(rows(7, "a", 2), expected[2..]);
    assert!(rows(7, "b", 2).is_empty());
    assert_eq!(rows(2, "", 10), [("a".to_owned(), 1, 1), ("b".to_owned(), 1, 0)]);
    assert!(rows(0, "", 10).is_empty());
}

fn refuses_another_size(store: &mut dyn Store) {
    let mut author = Author::new();
    let first = author.batch(&["apr_a"]);
    store.append(&first).unwrap();
    assert!(matches!(store.append(&first), Err(StoreError::Conflict { expected: 0, found: 1 })));
    let mut ahead = author;
    ahead.batch(&["apr_a"]);
    let too_far = ahead.batch(&["apr_a"]);
    assert!(matches!(store.append(&too_far), Err(StoreError::Conflict { expected: 2, found: 1 })));
    assert_eq!(check_log(store).unwrap(), 1);
}

fn refuses_a_sequence_gap_or_duplicate(store: &mut dyn Store) {
    let mut author = Author::new();
    store.append(&author.batch(&["apr_a"])).unwrap();
    let good = author.batch(&["apr_b", "apr_a"]);
    for wrong in [0, 1, 3] {
        let mut bad = good.clone();
        bad.entries[1].subject_seq = wrong;
        refused_without_trace(store, &bad, 1);
    }
    let mut late = good.clone();
    late.entries[0].subject_seq = 2;
    refused_without_trace(store, &late, 1);
    store.append(&good).unwrap();
    assert_eq!(check_log(store).unwrap(), 3);
}

fn refuses_a_batch_that_contradicts_itself(store: &mut dyn Store) {
    let mut author = Author::new();
    let mut short = author.batch(&["apr_a", "apr_b"]);
    short.entries.pop();
    refused_without_trace(store, &short, 0);
    let mut odd = Author::new().batch(&["apr_a"]);
    odd.nodes.push(countersign_server::store::StoredNode { level: 3, index: 0, hash: sha256(b"") });
    refused_without_trace(store, &odd, 0);
}

fn refuses_to_answer_a_key_twice(store: &mut dyn Store) {
    let mut author = Author::new();
    let mut first = author.batch(&["apr_a"]);
    first.idempotency.push(answered("per_a", "k1", 0));
    store.append(&first).unwrap();
    let mut again = author.batch(&["apr_b"]);
    again.idempotency.push(answered("per_a", "k1", 1));
    refused_without_trace(store, &again, 1);
    again.idempotency[0].actor = "per_b".to_owned();
    store.append(&again).unwrap();
    assert_eq!(store.idempotency("per_a", "k1").unwrap(), Some(answered("per_a", "k1", 0)));
    assert_eq!(store.idempotency("per_b", "k1").unwrap(), Some(answered("per_b", "k1", 1)));
    assert_eq!(store.idempotency("per_b", "k2").unwrap(), None);
}

fn deletes_details_and_nothing_else(store: &mut dyn Store) {
    let mut author = Author::new();
    store.append(&author.batch(&["a", "b", "a", "b", "a", "b", "a"])).unwrap();
    let entries = store.entries(0, 100).unwrap();
    store.append(&author.redacting(&[0, 4])).unwrap();
    store.append(&author.redacting(&[2])).unwrap();
    assert_eq!(check_log(store).unwrap(), 9);
    assert_eq!(store.entries(0, 7).unwrap(), entries);
    for (index, by) in [(0, 7), (2, 8), (4, 7)] {
        assert_eq!(store.details(index).unwrap(), None);
        assert_eq!(store.redactions_in(index..index + 1).unwrap(), [Redaction { index, by }]);
    }
    assert_eq!(store.details_in(0..9).unwrap(), [(6, details_of(6)), (8, details_of(8))]);
    let redacted: Vec<u64> = store.redactions_in(0..9).unwrap().iter().map(|it| it.index).collect();
    assert_eq!(redacted, [0, 2, 4]);
    assert_eq!(store.redactions_in(5..9).unwrap(), []);
    let mut reader = store.reader().unwrap();
    assert_eq!((reader.details(4).unwrap(), reader.details(6).unwrap()), (None, Some(details_of(6))));
}

fn refuses_to_delete_what_is_not_there(store: &mut dyn Store) {
    let mut author = Author::new();
    store.append(&author.batch(&["apr_a", "apr_a", "apr_a"])).unwrap();
    let none: [&[u64]; 5] = [&[1], &[0, 1], &[0, 0], &[3], &[9]];
    for indices in none {
        refused_without_trace(store, &author.clone().redacting(indices), 3);
    }
    let mut unsaid = author.clone().redacting(&[0]);
    for by in [2, 4] {
        unsaid.redactions[0].by = by;
        refused_without_trace(store, &unsaid, 3);
    }
    assert_eq!(store.details(0).unwrap(), Some(details_of(0)));
    store.append(&author.redacting(&[0])).unwrap();
    refused_without_trace(store, &author.redacting(&[0]), 4);
}

/// A batch that cannot be appended leaves nothing, not even the rows before the one that is wrong.
fn refused_without_trace(store: &mut dyn Store, batch: &Batch, size: u64) {
    let outcome = store.append(batch);
    assert!(matches!(outcome, Err(StoreError::Corrupt(_))), "expected a refusal, got {outcome:?}");
    assert_eq!(check_log(store).unwrap(), size);
    assert!(store.entries_of("apr_b", 0, 1).unwrap().is_empty());
}

fn readers_see_whole_batches(store: &mut dyn Store) {
    let mut reader = store.reader().unwrap();
    let watcher = std::thread::spawn(move || {
        let mut size = 0;
        while size < 40 * 7 {
            let seen = check_log_prefix(reader.as_mut());
            assert!(seen >= size, "the log went back from {size} to {seen}");
            assert_eq!(seen % 7, 0, "half a batch is visible");
            size = seen;
        }
    });
    let mut author = Author::new();
    for _ in 0..40 {
        store.append(&author.batch(&["a", "b", "a", "c", "d", "e", "a"])).unwrap();
    }
    watcher.join().unwrap();
}

/// The head's size, after checking that all its entries are there.
fn check_log_prefix(reader: &mut dyn countersign_server::store::Reader) -> u64 {
    let size = reader.head().unwrap().size();
    let limit = usize::try_from(size).unwrap();
    assert_eq!(reader.entries(0, limit).unwrap().len(), limit);
    size
}

fn pages_records_newest_first(store: &mut dyn Store) {
    let mut author = Author::new();
    let mut batch = author.batch(&["apr_1"]);
    batch.records =
        (1..=5).map(|n| record("approval", n, if n % 2 == 0 { "approved" } else { "pending" })).collect();
    batch.records.push(record("permit", 9, "pending"));
    store.append(&batch).unwrap();
    let mut update = author.batch(&["apr_1"]);
    update.records = vec![Record { seq: 2, ..record("approval", 1, "approved") }];
    store.append(&update).unwrap();

    let mut ids = |status: Option<&str>, before: Option<&str>, limit: usize| -> Vec<String> {
        let (status, before) = (status.map(str::to_owned), before.map(str::to_owned));
        let page = store.records(&RecordQuery { kind: "approval", status, before, limit }).unwrap();
        page.into_iter().map(|record| record.id).collect()
    };
    assert_eq!(ids(None, None, 2), ["apr_5", "apr_4"]);
    assert_eq!(ids(None, Some("apr_4"), 2), ["apr_3", "apr_2"]);
    assert_eq!(ids(Some("approved"), None, 10), ["apr_4", "apr_2", "apr_1"]);
    assert_eq!(ids(Some("approved"), Some("apr_2"), 10), ["apr_1"]);
    assert_eq!(ids(Some("denied"), None, 10), [""; 0]);
    assert_eq!(store.record("approval", "apr_1").unwrap().unwrap().seq, 2);
    assert_eq!(store.record("permit", "apr_1").unwrap(), None);
}

fn keeps_blobs_snapshots_and_checkpoints(store: &mut dyn Store) {
    let mut author = Author::new();
    let body = b"policy".to_vec();
    for subject in ["pol_1", "pol_2"] {
        let mut batch = author.batch(&[subject]);
        batch.blobs.push((sha256(&body), body.clone()));
        store.append(&batch).unwrap();
    }
    assert_eq!(store.blob(&sha256(&body)).unwrap(), Some(body));
    assert_eq!(store.blob(&sha256(b"other")).unwrap(), None);

    for size in [1, 2] {
        let snapshot = Snapshot { size, root: author.head.tree.root(), state: vec![7; 100] };
        store.save_snapshot(&snapshot).unwrap();
        assert_eq!(store.snapshot().unwrap(), Some(snapshot));
    }

    let kept: Vec<_> =
        (1..=3).map(|size| StoredCheckpoint { size, note: format!("note {size}\n") }).collect();
    for checkpoint in kept.iter().rev() {
        store.save_checkpoint(checkpoint).unwrap();
    }
    assert_eq!(store.checkpoints(1, 10).unwrap(), kept[1..]);
    assert_eq!(store.checkpoints(0, 1).unwrap(), kept[..1]);
    assert_eq!(store.latest_checkpoint().unwrap().as_ref(), kept.last());
    let cosigned = StoredCheckpoint { size: 3, note: "note 3, cosigned\n".to_owned() };
    store.save_checkpoint(&cosigned).unwrap();
    assert_eq!(store.latest_checkpoint().unwrap(), Some(cosigned));
}

fn forgets_old_idempotency_keys(store: &mut dyn Store) {
    let mut batch = Author::new().batch(&["apr_a"]);
    batch.idempotency = (1..=3).map(|n| answered("per_a", &format!("k{n}"), n)).collect();
    store.append(&batch).unwrap();
    store.forget_idempotency(2).unwrap();
    assert_eq!(store.idempotency("per_a", "k1").unwrap(), None);
    assert!(store.idempotency("per_a", "k2").unwrap().is_some());
}

fn nodes_are_those_of_the_naive_tree(store: &mut dyn Store) {
    let mut author = Author::new();
    let mut leaves: Vec<Hash> = Vec::new();
    // Odd batch sizes, so that stored nodes are completed in the middle of a batch; 1,200 leaves complete four of level 8.
    for _ in 0..75 {
        let batch = author.batch(&["a"; 16]);
        leaves.extend(batch.entries.iter().map(|entry| entry.leaf_hash));
        store.append(&batch).unwrap();
    }
    for level in 0..=10_u8 {
        let width = 1_usize << level;
        for (index, subtree) in (0_u64..).zip(leaves.chunks_exact(width)) {
            assert_eq!(
                store.node(level, index).unwrap(),
                naive_root(subtree),
                "node {index} at level {level}"
            );
        }
        let beyond = u64::try_from(leaves.len() / width).unwrap();
        assert!(
            matches!(store.node(level, beyond), Err(StoreError::Corrupt(_))),
            "node {beyond} at level {level}"
        );
    }
    // 1,200 leaves: the last tile of level 0 is partial, level 8 holds four nodes, and no level has more than the tree.
    assert_eq!(store.hashes(0, 1_024..1_280).unwrap(), leaves[1_024..]);
    assert_eq!(store.hashes(0, 3..5).unwrap(), leaves[3..5]);
    let above: Vec<Hash> = leaves.chunks_exact(256).map(naive_root).collect();
    assert_eq!(store.hashes(8, 0..256).unwrap(), above);
    for (level, range) in [(0, 1_200..1_456), (8, 4..260), (16, 0..256), (0, 7..7)] {
        assert_eq!(store.hashes(level, range.clone()).unwrap(), [], "{range:?} at level {level}");
    }
    assert!(matches!(store.node(63, u64::MAX), Err(StoreError::Corrupt(_))));
    assert!(matches!(store.node(255, 1), Err(StoreError::Corrupt(_))));
}

fn answered(actor: &str, key: &str, time_ms: i64) -> Idempotency {
    let first = u64::try_from(time_ms).unwrap();
    Idempotency {
        actor: actor.to_owned(),
        key: key.to_owned(),
        body_sha256: sha256(key.as_bytes()),
        first,
        count: 1,
        time_ms,
    }
}

fn record(kind: &'static str, number: u32, status: &str) -> Record {
    let body = format!(r#"{{"number":{number}}}"#).into_bytes();
    Record { kind, id: format!("apr_{number}"), seq: 1, status: status.to_owned(), body }
}
