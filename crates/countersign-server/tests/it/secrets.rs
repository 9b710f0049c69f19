//! The sealed store and references to secrets: what opens, what does not, what is gone, and that nothing is ever printed.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use countersign_core::secret::SecretKey;
use countersign_server::secrets::{
    LocalSecrets, ReferenceError, SealingKey, SecretError, SecretRef, SecretStore, SecretValue, Stage,
};
use countersign_server::store::sqlite::SqliteStore;
use rusqlite::{Connection, params};

const ROTATION: &str = "rot_00000000000000000000000000000001";

fn key(name: &str) -> SecretKey {
    SecretKey {
        resource: format!("webhook-signing/{name}").parse().expect("a resource"),
        environment: "production".parse().expect("an environment"),
    }
}

fn value(text: &str) -> SecretValue {
    SecretValue::new(text.to_owned())
}

fn sealing() -> SealingKey {
    SealingKey::from_bytes([1; 32])
}

fn in_memory() -> LocalSecrets {
    LocalSecrets::in_memory(sealing()).expect("a store")
}

/// A store on every kind of database there is.
fn everywhere() -> [LocalSecrets; 2] {
    [in_memory(), LocalSecrets::beside(&crate::store::postgres::fresh_store(), sealing())]
}

/// A ledger database with version 1 adopted and version 2 pending.
fn on_disk() -> (tempfile::TempDir, PathBuf, LocalSecrets) {
    let folder = tempfile::tempdir().expect("a folder");
    let database = folder.path().join("ledger.db");
    drop(SqliteStore::open(&database).expect("a database"));
    let store = LocalSecrets::open(&database, sealing()).expect("a store");
    store.adopt(&key("a"), 1, &value("the old value")).expect("adopted");
    store.create_pending(&key("a"), 2, ROTATION, &value("the new value")).expect("pending");
    (folder, database, store)
}

fn read(store: &LocalSecrets, version: u32) -> Option<String> {
    let value = store.read(&key("a"), version).expect("it opens");
    value.map(|value| value.expose().to_owned())
}

fn sealed_bytes(database: &Path, version: u32) -> Vec<u8> {
    let connection = Connection::open(database).expect("a connection");
    let select = "SELECT sealed FROM secrets WHERE version = ?1";
    connection.query_row(select, params![version], |row| row.get(0)).expect("a row")
}

/// Changes rows behind the store's back.
fn tamper(database: &Path, statement: &str) {
    let connection = Connection::open(database).expect("a connection");
    connection.execute_batch(statement).expect("the statement is executed");
}

fn does_not_open(store: &LocalSecrets, version: u32) -> bool {
    matches!(store.read(&key("a"), version), Err(SecretError::Sealed { .. }))
}

#[test]
fn a_value_comes_back_after_a_restart_and_lies_nowhere_in_clear() {
    let (_folder, database, store) = on_disk();
    drop(store);
    let again = LocalSecrets::open(&database, sealing()).expect("a store");
    assert_eq!(read(&again, 1).as_deref(), Some("the old value"));
    assert_eq!(read(&again, 2).as_deref(), Some("the new value"));
    assert_eq!(read(&again, 3), None);
    assert!(!anywhere(&database, b"the old value"));
}

#[test]
fn another_key_opens_nothing() {
    let (_folder, database, _store) = on_disk();
    let other = LocalSecrets::open(&database, SealingKey::from_bytes([2; 32])).expect("a store");
    assert!(does_not_open(&other, 1) && does_not_open(&other, 2));
}

#[test]
fn a_value_moved_to_another_row_does_not_open() {
    let (_folder, database, store) = on_disk();
    let swap = "CREATE TEMP TABLE kept AS SELECT version, nonce, sealed FROM secrets;
        UPDATE secrets SET (nonce, sealed) = (SELECT nonce, sealed FROM kept WHERE kept.version = 3 - secrets.version);";
    tamper(&database, swap);
    assert!(does_not_open(&store, 1) && does_not_open(&store, 2));
}

#[test]
fn a_stage_a_name_or_a_version_changed_behind_our_back_does_not_open() {
    for statement in [
        "UPDATE secrets SET stage = 'previous' WHERE version = 1",
        "UPDATE secrets SET sealed = zeroblob(40) WHERE version = 1",
        "DELETE FROM secrets WHERE version = 2; UPDATE secrets SET environment = 'staging'",
        "DELETE FROM secrets WHERE version = 1; UPDATE secrets SET version = 1",
    ] {
        let (_folder, database, store) = on_disk();
        tamper(&database, statement);
        let moved = SecretKey { environment: "staging".parse().expect("a name"), ..key("a") };
        let opened = [store.read(&key("a"), 1), store.read(&moved, 1)];
        let opened = opened.iter().any(|read| matches!(read, Ok(Some(_))));
        assert!(!opened, "{statement}");
    }
}

#[test]
fn a_rotation_gets_one_value_however_often_it_asks() {
    for store in everywhere() {
        let first = store.create_pending(&key("a"), 2, ROTATION, &value("first")).expect("made");
        let second = store.create_pending(&key("a"), 2, ROTATION, &value("second")).expect("found");
        assert_eq!((first.expose(), second.expose()), ("first", "first"));
        let refused = |version, rotation| {
            let made = store.create_pending(&key("a"), version, rotation, &value("third"));
            matches!(made, Err(SecretError::Refused(_)))
        };
        assert!(refused(3, ROTATION), "one version per rotation");
        assert!(refused(2, "rot_another"), "one rotation per version");
        assert_eq!(store.versions(&key("b")).expect("an answer"), [], "other secrets are untouched");
    }
}

#[test]
fn stages_go_forward_and_back_and_twice_is_once() {
    for store in everywhere() {
        let stages = || store.versions(&key("a")).expect("an answer");
        store.adopt(&key("a"), 1, &value("old")).expect("adopted");
        store.adopt(&key("a"), 1, &value("old")).expect("adopted already");
        store.create_pending(&key("a"), 2, ROTATION, &value("new")).expect("pending");
        for _ in 0..2 {
            store.promote(&key("a"), 2).expect("promoted");
            assert_eq!(stages(), [(1, Stage::Previous), (2, Stage::Current)]);
        }
        for _ in 0..2 {
            store.swap_back(&key("a"), 1).expect("swapped back");
            assert_eq!(stages(), [(1, Stage::Current), (2, Stage::Pending)]);
        }
        for _ in 0..2 {
            store.delete_pending(&key("a"), 2).expect("deleted");
            assert_eq!(stages(), [(1, Stage::Current)]);
        }
        assert_eq!(read(&store, 1).as_deref(), Some("old"));
    }
}

#[test]
fn what_does_not_fit_the_stage_is_refused() {
    for store in everywhere() {
        store.adopt(&key("a"), 1, &value("old")).expect("adopted");
        store.create_pending(&key("a"), 2, ROTATION, &value("new")).expect("pending");
        let refusals = [
            store.adopt(&key("a"), 1, &value("another")),
            store.adopt(&key("a"), 3, &value("third")),
            store.promote(&key("a"), 3),
            store.swap_back(&key("a"), 2),
            store.delete_pending(&key("a"), 1),
            store.destroy_previous(&key("a"), 1),
            store.destroy_previous(&key("a"), 2),
        ];
        for (index, refusal) in refusals.into_iter().enumerate() {
            assert!(matches!(refusal, Err(SecretError::Refused(_))), "{index}: {refusal:?}");
        }
        assert_eq!(store.versions(&key("a")).expect("an answer"), [(1, Stage::Current), (2, Stage::Pending)]);
    }
}

#[test]
fn destroying_leaves_no_byte_of_the_row() {
    let (_folder, database, store) = on_disk();
    store.promote(&key("a"), 2).expect("promoted");
    let sealed = sealed_bytes(&database, 1);
    assert!(anywhere(&database, &sealed), "the search finds what is there");
    store.destroy_previous(&key("a"), 1).expect("destroyed");
    assert_eq!(read(&store, 1), None);
    assert!(!anywhere(&database, &sealed));
    assert_eq!(read(&store, 2).as_deref(), Some("the new value"));
}

/// What verifies passwords lies here, too: nobody rotates it, and it goes as a whole.
#[test]
fn what_no_rotation_made_is_forgotten_as_a_whole_and_leaves_no_byte() {
    let (_folder, database, store) = on_disk();
    let refused = store.forget(&key("a"));
    assert!(matches!(refused, Err(SecretError::Refused(_))), "a rotation made one: {refused:?}");
    assert_eq!(store.versions(&key("a")).expect("an answer").len(), 2);
    store.delete_pending(&key("a"), 2).expect("deleted");
    let sealed = sealed_bytes(&database, 1);
    assert!(anywhere(&database, &sealed), "the search finds what is there");
    for _ in 0..2 {
        store.forget(&key("a")).expect("forgotten, or not there");
    }
    assert_eq!(read(&store, 1), None);
    assert!(!anywhere(&database, &sealed));
}

#[test]
fn secrets_of_a_type_are_listed_by_exactly_that_type_and_environment() {
    let store = in_memory();
    let names = ["webhook-signing/b", "webhook-signing/a", "webhook-signing2/a", "webhook/a"];
    for name in names {
        for environment in ["production", "staging"] {
            let key: SecretKey = format!("secret:{name}@{environment}").parse().expect("a key");
            store.adopt(&key, 1, &value("x")).expect("adopted");
        }
    }
    let of = |kind: &str| {
        let word = |word: &str| word.parse().expect("a word");
        let keys = store.of_type(&word(kind), &word("production")).expect("an answer");
        keys.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        of("webhook-signing"),
        ["secret:webhook-signing/a@production", "secret:webhook-signing/b@production"]
    );
    assert_eq!(of("webhook"), ["secret:webhook/a@production"]);
    assert_eq!(of("web"), Vec::<String>::new());
}

/// Whether the bytes stand anywhere in the database's files.
fn anywhere(database: &Path, needle: &[u8]) -> bool {
    let folder = std::fs::read_dir(database.parent().expect("a folder")).expect("the folder is read");
    folder.into_iter().any(|file| {
        let bytes = std::fs::read(file.expect("a file").path()).expect("the file is read");
        bytes.windows(needle.len()).any(|window| window == needle)
    })
}

#[test]
fn nothing_is_ever_printed() {
    let (_folder, database, store) = on_disk();
    let other = LocalSecrets::open(&database, SealingKey::from_bytes([2; 32])).expect("a store");
    let refused = store.adopt(&key("a"), 1, &value("another value")).expect_err("refused");
    let sealed = other.read(&key("a"), 1).expect_err("sealed");
    let printed = format!("{:?} {store:?} {:?} {refused} {sealed}", value("the new value"), sealing());
    assert!(!printed.contains("value\"") && !printed.contains("the new value"), "{printed}");
    assert!(!printed.contains("another value\""), "{printed}");
    assert_eq!(format!("{:?} {:?}", value("the new value"), sealing()), "*** ***");
}

#[test]
fn a_sealing_key_is_the_base64_of_32_bytes() {
    assert!(SealingKey::parse(&value("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=")).is_ok());
    for text in [
        "",
        "AQEB",
        "not base64 at all, but long enough to be a key!",
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB",
    ] {
        assert!(SealingKey::parse(&value(text)).is_err(), "{text}");
    }
}

/// A file with this text and these permissions, and a reference to it.
fn file(text: &str, mode: u32) -> (tempfile::TempDir, SecretRef) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret");
    std::fs::write(&path, text).expect("it is written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("permissions");
    let reference = SecretRef::parse(&format!("file:{}", path.display())).expect("a reference");
    (folder, reference)
}

#[test]
fn a_private_file_gives_its_text_without_the_line_break() {
    for mode in [0o600, 0o400] {
        let (_folder, reference) = file("the text\n", mode);
        assert_eq!(reference.resolve().expect("a secret").expose(), "the text");
    }
}

#[test]
fn a_file_that_others_can_read_is_refused_with_the_remedy() {
    for mode in [0o644, 0o640, 0o604, 0o660] {
        let (_folder, reference) = file("the text", mode);
        let error = reference.resolve().expect_err("refused");
        assert!(matches!(error, ReferenceError::Exposed { mode: found, .. } if found == mode), "{error:?}");
        let message = error.to_string();
        assert!(message.contains("chmod 600") && !message.contains("the text"), "{message}");
    }
}

#[test]
fn what_is_empty_absent_or_not_a_file_is_named() {
    let (folder, empty) = file("\n", 0o600);
    assert!(matches!(empty.resolve(), Err(ReferenceError::Empty(_))));
    for path in [folder.path().join("absent"), folder.path().to_owned()] {
        let error = SecretRef::File(path.clone()).resolve().expect_err("refused");
        assert!(matches!(error, ReferenceError::Unreadable { .. }), "{error:?}");
        assert!(error.to_string().contains(&path.display().to_string()));
    }
}

#[test]
fn a_variable_gives_its_text_or_is_named() {
    // Everybody has the one, nobody has the other.
    let path = std::env::var("PATH").expect("a path");
    let set = SecretRef::parse("env:PATH").expect("a reference").resolve();
    assert_eq!(set.expect("a value").expose(), path);
    let error = SecretRef::parse("env:COUNTERSIGN_NOBODY_SETS_THIS").expect("a reference").resolve();
    let message = error.expect_err("refused").to_string();
    assert!(message.contains("COUNTERSIGN_NOBODY_SETS_THIS"), "{message}");
}

#[test]
fn a_secret_written_out_is_malformed_and_not_repeated() {
    for text in ["whsec_aGlkZGVu", "env:", "env:with space", "file:relative", "file:", "vault:x", ""] {
        let error = SecretRef::parse(text).expect_err("refused");
        assert!(matches!(error, ReferenceError::Malformed));
        assert!(!error.to_string().contains("aGlkZGVu"));
    }
}
