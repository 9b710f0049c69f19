//! What is peculiar to the SQLite store: files, locks, formats, damage, and faults around its commits.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use countersign_server::store::sqlite::SqliteStore;
use countersign_server::store::{Reader, Store, StoreError};
use rusqlite::Connection;
use tempfile::TempDir;

use super::contract::contract;
use super::faulty::{Fault, Faults, FaultyStore};
use super::fixture::{Author, check_log};

#[test]
fn sqlite_keeps_the_contract() {
    let folder = TempDir::new().unwrap();
    let made = std::cell::Cell::new(0);
    contract(|| {
        made.set(made.get() + 1);
        Box::new(SqliteStore::open(folder.path().join(format!("{}.db", made.get()))).unwrap())
    });
}

#[test]
fn a_reopened_store_goes_on_where_it_was() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let mut author = Author::new();
    for expected in 1..=3 {
        let mut store = SqliteStore::open(&path).unwrap();
        store.append(&author.batch(&["apr_a"])).unwrap();
        assert_eq!(store.head().unwrap(), author.head);
        assert_eq!(check_log(&mut store).unwrap(), expected);
    }
}

#[test]
fn only_the_owner_can_read_the_files() {
    let folder = TempDir::new().unwrap();
    let mut store = SqliteStore::open(folder.path().join("ledger.db")).unwrap();
    store.append(&Author::new().batch(&["apr_a"])).unwrap();
    let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
    assert!(files.len() >= 3, "the database, its log and the lock");
    for file in files {
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", file.path().display());
    }
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_gone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let first = SqliteStore::open(&path).unwrap();
    let message = refusal(&path);
    assert!(
        message.contains("another server already writes `") && message.contains("ledger.db`"),
        "{message}"
    );
    drop(first);
    SqliteStore::open(&path).unwrap();
}

#[test]
fn a_live_file_and_a_copy_can_be_read_offline() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let mut store = SqliteStore::open(&path).unwrap();
    let mut author = Author::new();
    store.append(&author.batch(&["apr_a", "apr_b"])).unwrap();

    let mut live = SqliteStore::open_read_only(&path).unwrap();
    assert_eq!(check_log(live.as_mut()).unwrap(), 2);
    store.append(&author.batch(&["apr_a"])).unwrap();
    assert_eq!(check_log(live.as_mut()).unwrap(), 3);

    drop(live);
    drop(store);
    let copies = TempDir::new().unwrap();
    let copy = copies.path().join("copy.db");
    fs::copy(&path, &copy).unwrap();
    assert_eq!(check_log(SqliteStore::open_read_only(&copy).unwrap().as_mut()).unwrap(), 3);
}

#[test]
fn a_missing_file_cannot_be_read_and_is_not_created() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let refused = SqliteStore::open_read_only(&path).err().unwrap();
    assert!(matches!(&refused, StoreError::Unavailable(what) if what.contains("ledger.db")), "{refused}");
    assert!(!path.exists());
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    // Permission bits do not bind the superuser; the kernel's own file system does. A file in place of the folder binds all.
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [Path::new("/sys/kernel/ledger.db"), &file.join("ledger.db")] {
        let message = refusal(path);
        assert!(message.starts_with("the store is unavailable: cannot write `"), "{message}");
        assert!(message.contains("ledger.db") && message.ends_with("check the data folder"), "{message}");
    }
}

#[test]
fn a_file_that_is_not_a_database_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    let text = "a letter, long enough to have a header where a database has its own. ".repeat(20);
    fs::write(&path, &text).unwrap();
    let message = refusal(&path);
    assert!(message.contains("ledger.db`: ") && message.contains("the file is not a database"), "{message}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_database_of_something_else_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE shopping (item TEXT)").unwrap();
    let message = refusal(&path);
    assert!(message.contains("is a database, but not one of countersign"), "{message}");
}

#[test]
fn a_format_from_the_future_is_refused_by_writer_and_reader() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ledger.db");
    drop(SqliteStore::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 7).unwrap();
    let reader = SqliteStore::open_read_only(&path).err().unwrap().to_string();
    for message in [refusal(&path), reader] {
        assert!(
            message.contains("has format 7, this version of countersign knows only format 1"),
            "{message}"
        );
    }
}

#[test]
fn damaged_rows_are_corrupt_not_skipped() {
    let damages = [
        "UPDATE entries SET leaf_hash = x'00' WHERE idx = 1",
        "UPDATE head SET frontier = x'0011'",
        "UPDATE head SET size = 3",
        "DELETE FROM head",
    ];
    for damage in damages {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("ledger.db");
        let mut store = SqliteStore::open(&path).unwrap();
        store.append(&Author::new().batch(&["apr_a", "apr_b"])).unwrap();
        Connection::open(&path).unwrap().execute(damage, []).unwrap();
        let outcome = store.head().map(|_| ()).and_then(|()| store.entries(0, 10).map(|_| ()));
        assert!(matches!(outcome, Err(StoreError::Corrupt(_))), "{damage}: {outcome:?}");
    }
}

#[test]
fn each_fault_is_reported_and_only_one_of_them_wrote() {
    for (fault, written) in [(Fault::BeforePersisting, 1), (Fault::AfterPersisting, 2)] {
        let folder = TempDir::new().unwrap();
        let faults = Faults::default();
        let inner = SqliteStore::open(folder.path().join("ledger.db")).unwrap();
        let mut store = FaultyStore::new(inner, &faults);
        faults.fail(1, fault);
        let mut author = Author::new();
        store.append(&author.batch(&["apr_a"])).unwrap();
        let second = author.batch(&["apr_a"]);
        assert!(matches!(store.append(&second), Err(StoreError::Unavailable(_) | StoreError::Unknown(_))));
        assert_eq!(check_log(&mut store).unwrap(), written);
        // Whoever appends it again learns from the conflict that it was written after all.
        let again = store.append(&second);
        assert_eq!(matches!(again, Err(StoreError::Conflict { found: 2, .. })), written == 2, "{again:?}");
        assert_eq!(check_log(&mut store).unwrap(), 2);
        assert_eq!(faults.appends(), 3);
    }
}

fn refusal(path: &Path) -> String {
    match SqliteStore::open(path) {
        Ok(_) => panic!("`{}` was opened", path.display()),
        Err(error) => error.to_string(),
    }
}
