//! No file of a SQLite store holds what was redacted: not a page, not a free one, not the log.
//!
//! Rows of a few bytes share a page, large ones have pages of their own; both are looked for by their text and their salt.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use countersign_ledger::hash::sha256;
use countersign_server::store::sqlite::SqliteStore;
use countersign_server::store::{Details, Reader, Record, Store, StoredCheckpoint};
use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use super::fixture::{Author, check_log};

/// Bytes that stand nowhere else, as many as wanted.
fn marked(index: u64, length: usize) -> Details {
    let salt = sha256(format!("salt {index}").as_bytes()).0;
    let words = (0_u64..).map(|nth| sha256(format!("details {index} {nth}").as_bytes()).to_string());
    let body: String = words.take(length.div_ceil(64)).collect();
    Details { salt, body: body.into_bytes() }
}

/// The length of the pieces that are looked for.
const PIECE: usize = 16;

/// Which of the details some file in the folder still holds a piece of.
fn found(folder: &Path, kept: &BTreeMap<u64, Details>) -> Vec<u64> {
    let mut owners: HashMap<[u8; PIECE], u64> = HashMap::new();
    for (index, details) in kept {
        let pieces = details.body.as_chunks::<PIECE>().0.iter().chain(details.salt.as_chunks::<PIECE>().0);
        owners.extend(pieces.map(|piece| (*piece, *index)));
    }
    // Most places are no piece, and two bytes tell.
    let mut begins = vec![false; 1 << 16];
    let place = |first: u8, second: u8| usize::from(first) << 8 | usize::from(second);
    owners.keys().for_each(|piece| begins[place(piece[0], piece[1])] = true);
    let mut seen = BTreeSet::new();
    for file in fs::read_dir(folder).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        for window in bytes.array_windows::<PIECE>().filter(|window| begins[place(window[0], window[1])]) {
            seen.extend(owners.get(window));
        }
    }
    seen.into_iter().collect()
}

/// A store with one entry per length, each beside details of that length.
fn filled(folder: &Path, lengths: &[usize]) -> (SqliteStore, Author, BTreeMap<u64, Details>) {
    let mut store = SqliteStore::open(folder.join("ledger.db")).unwrap();
    let (mut author, mut kept) = (Author::new(), BTreeMap::new());
    for (index, length) in (0..).zip(lengths) {
        let mut batch = author.batch(&["apr_a"]);
        batch.entries[0].details = Some(marked(index, *length));
        kept.insert(index, marked(index, *length));
        batch.records.push(record(index));
        store.append(&batch).unwrap();
    }
    (store, author, kept)
}

fn record(index: u64) -> Record {
    let body = format!("{index}").repeat(500).into_bytes();
    Record { kind: "approval", id: "apr_a".into(), seq: 1, status: "pending".into(), body }
}

/// Lengths of details, and all their indices in some order, cut into redactions.
fn redactions() -> impl Strategy<Value = (Vec<usize>, Vec<u64>, usize)> {
    let length = prop_oneof![12 => 64..400_usize, 3 => 3_000..5_000_usize, 1 => 9_000..20_000_usize];
    (prop::collection::vec(length, 20..80), 1..24_usize).prop_flat_map(|(lengths, step)| {
        let indices: Vec<u64> = (0..).zip(&lengths).map(|(index, _)| index).collect();
        (Just(lengths), Just(indices).prop_shuffle(), Just(step))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12) })]

    #[test]
    fn what_is_redacted_is_in_no_file_and_everything_else_is((lengths, order, step) in redactions()) {
        let folder = TempDir::new().unwrap();
        let (mut store, mut author, mut kept) = filled(folder.path(), &lengths);
        prop_assert_eq!(found(folder.path(), &kept).len(), lengths.len());
        let mut gone = BTreeMap::new();
        for chosen in order.chunks(step).take(8) {
            let chosen: BTreeSet<u64> = chosen.iter().copied().collect();
            let mut batch = author.redacting(&chosen.iter().copied().collect::<Vec<_>>());
            batch.entries[0].details = None;
            store.append(&batch).unwrap();
            gone.extend(chosen.iter().map(|index| (*index, kept.remove(index).unwrap())));
            prop_assert_eq!(found(folder.path(), &gone), Vec::<u64>::new());
            prop_assert_eq!(found(folder.path(), &kept), kept.keys().copied().collect::<Vec<_>>());
        }
        prop_assert_eq!(check_log(&mut store), Ok(author.head.size()));
        drop(store);
        let mut again = SqliteStore::open(folder.path().join("ledger.db")).unwrap();
        let read: BTreeMap<u64, Details> = again.details_in(0..1_000).unwrap().into_iter().collect();
        prop_assert_eq!(read, kept);
    }
}

#[test]
fn what_an_old_reader_holds_up_goes_when_it_has_finished_and_at_the_latest_with_the_next_start() {
    let (folder, crashed) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (mut store, mut author, mut kept) = filled(folder.path(), &[100; 20]);
    let reader = Connection::open(folder.path().join("ledger.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM details").unwrap();
    store.append(&author.redacting(&[3, 5])).unwrap();
    let gone: BTreeMap<u64, Details> = [3, 5].map(|index| (index, kept.remove(&index).unwrap())).into();
    assert_eq!(found(folder.path(), &gone), [3, 5], "the old state can still be read, so this test can fail");

    // A crash now leaves these files.
    for file in ["ledger.db", "ledger.db-wal"] {
        fs::copy(folder.path().join(file), crashed.path().join(file)).unwrap();
    }
    let mut restarted = SqliteStore::open(crashed.path().join("ledger.db")).unwrap();
    assert_eq!(restarted.details(3).unwrap(), None);
    assert_eq!(found(crashed.path(), &gone), [0_u64; 0]);
    assert_eq!(found(crashed.path(), &kept).len(), 18);

    reader.execute_batch("COMMIT").unwrap();
    store.save_checkpoint(&StoredCheckpoint { size: 21, note: "note".into() }).unwrap();
    assert_eq!(found(folder.path(), &gone), [0_u64; 0]);
}
