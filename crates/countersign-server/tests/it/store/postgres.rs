//! What is peculiar to the PostgreSQL store: schemas, roles, several writers, lost servers, and what it refuses to run on.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use countersign_core::secret::SecretKey;
use countersign_server::cluster::{Cluster, Wishes};
use countersign_server::secrets::{LocalSecrets, SealingKey, SecretError, SecretStore, SecretValue};
use countersign_server::store::postgres::{Address, PostgresStore};
use countersign_server::store::{Reader, Store, StoreError};

use super::contract::contract;
use super::fixture::{Author, check_log};

/// Longer than any test takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// The server of this test process; it ends with the process.
pub(crate) fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(&Wishes::default()).expect("PostgreSQL starts"))
}

/// A new database on it: its name and its address.
pub(crate) fn fresh_database() -> (String, Address) {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let name = format!("ledger_{}", MADE.fetch_add(1, Ordering::Relaxed));
    cluster().create_database(&name).expect("the database is made");
    let address = cluster().address(&name).expect("an address");
    (name, address)
}

/// A new store on a new database.
pub(crate) fn fresh_store() -> PostgresStore {
    PostgresStore::create(fresh_database().1).expect("the store is made")
}

fn refusal(opened: Result<PostgresStore, StoreError>) -> String {
    match opened {
        Ok(_) => panic!("it was opened"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn postgres_keeps_the_contract() {
    contract(|| Box::new(fresh_store()));
}

#[test]
fn a_reopened_store_goes_on_where_it_was() {
    let (_, address) = fresh_database();
    drop(PostgresStore::create(address.clone()).unwrap());
    let mut author = Author::new();
    for expected in 1..=3 {
        let mut store = PostgresStore::open(address.clone()).unwrap();
        store.append(&author.batch(&["apr_a"])).unwrap();
        assert_eq!(store.head().unwrap(), author.head);
        assert_eq!(check_log(&mut store).unwrap(), expected);
    }
}

#[test]
fn a_database_without_a_ledger_is_refused_and_left_alone() {
    let (name, address) = fresh_database();
    for _ in 0..2 {
        let message = refusal(PostgresStore::open(address.clone()));
        assert!(message.contains(&format!("/{name}` holds no ledger")), "{message}");
    }
}

#[test]
fn who_makes_the_schema_at_once_makes_it_once() {
    let (name, address) = fresh_database();
    let makers: Vec<_> = (0..4)
        .map(|_| {
            let address = address.clone();
            thread::spawn(move || {
                PostgresStore::create(address).map(|mut store| store.head().unwrap().size())
            })
        })
        .collect();
    for maker in makers {
        assert_eq!(maker.join().unwrap().unwrap(), 0);
    }
    cluster()
        .say(&name, "DO $$ BEGIN ASSERT (SELECT count(*) FROM countersign.migrations) = 1; END $$")
        .unwrap();
}

#[test]
fn a_schema_of_a_newer_version_and_a_changed_one_are_refused() {
    let (name, address) = fresh_database();
    drop(PostgresStore::create(address.clone()).unwrap());
    for (change, told) in [
        (
            "INSERT INTO countersign.migrations (number, name, sha256) VALUES (2, 'later', '\\x00')",
            "has schema 2, this version of countersign knows only up to 1",
        ),
        (
            "DELETE FROM countersign.migrations WHERE number = 2; UPDATE countersign.migrations SET sha256 = '\\x00'",
            "migration 1 of the database is not `ledger` as this version knows it",
        ),
    ] {
        cluster().say(&name, change).unwrap();
        for opened in [PostgresStore::open(address.clone()), PostgresStore::create(address.clone())] {
            let message = refusal(opened);
            assert!(message.starts_with("the store is corrupt") && message.contains(told), "{message}");
        }
    }
}

#[test]
fn damaged_rows_are_corrupt_not_skipped() {
    let damages = [
        "UPDATE countersign.entries SET leaf_hash = '\\x00' WHERE idx = 1",
        "UPDATE countersign.head SET frontier = '\\x0011'",
        "UPDATE countersign.head SET size = 3",
        "DELETE FROM countersign.head",
    ];
    for damage in damages {
        let (name, address) = fresh_database();
        let mut store = PostgresStore::create(address).unwrap();
        let mut author = Author::new();
        store.append(&author.batch(&["apr_a", "apr_b"])).unwrap();
        cluster().say(&name, damage).unwrap();
        let outcome = store.head().map(|_| ()).and_then(|()| store.entries(0, 10).map(|_| ()));
        assert!(matches!(outcome, Err(StoreError::Corrupt(_))), "{damage}: {outcome:?}");
    }
}

#[test]
fn a_server_that_would_forget_what_it_acknowledged_is_refused() {
    let (name, address) = fresh_database();
    cluster().say(&name, &format!("ALTER DATABASE {name} SET synchronous_commit = off")).unwrap();
    let message = refusal(PostgresStore::create(address));
    assert!(message.contains("`synchronous_commit` is off"), "{message}");

    let wishes = Wishes { settings: vec!["fsync=off".to_owned()], ..Wishes::default() };
    let careless = Cluster::start(&wishes).unwrap();
    careless.create_database("ledger").unwrap();
    let message = refusal(PostgresStore::create(careless.address("ledger").unwrap()));
    assert!(message.contains("runs with `fsync = off`"), "{message}");
}

#[test]
fn what_cannot_be_written_or_is_not_there_is_named() {
    let (name, address) = fresh_database();
    cluster().say(&name, &format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).unwrap();
    let read_only = refusal(PostgresStore::create(address));
    assert!(read_only.starts_with("the store is unavailable") && read_only.contains(&name), "{read_only}");
    let nowhere = refusal(PostgresStore::create(cluster().address("nowhere").unwrap()));
    assert!(
        nowhere.contains("\"nowhere\" does not exist") && nowhere.contains("create the database"),
        "{nowhere}"
    );
    let nobody = Address::parse("postgresql://node@127.0.0.1:1/ledger").unwrap();
    let nobody = refusal(PostgresStore::create(nobody));
    assert!(
        nobody.contains("`postgresql://node@127.0.0.1:1/ledger`") && nobody.contains("refused"),
        "{nobody}"
    );
}

#[test]
fn writers_who_lose_a_race_hold_the_head_and_lose_no_other() {
    const WRITERS: u32 = 4;
    const BATCHES: u32 = 25;
    let (_, address) = fresh_database();
    let mut first = PostgresStore::create(address.clone()).unwrap();
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            let address = address.clone();
            thread::spawn(move || {
                let mut store = PostgresStore::open(address).unwrap();
                let mut lost_while_held = 0;
                for _ in 0..BATCHES {
                    let mut held = false;
                    loop {
                        // A writer of its own subject, at the head as it is now.
                        let head = store.head().unwrap();
                        let seq = store.entries_of(&format!("apr_{number}"), 0, 1_000).unwrap().len();
                        let batch = Author::at(head, &format!("apr_{number}"), u32::try_from(seq).unwrap());
                        match store.append(&batch) {
                            Ok(()) => break,
                            Err(StoreError::Conflict { .. }) => {
                                lost_while_held += u32::from(held);
                                store.claim().unwrap();
                                held = true;
                            }
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
                lost_while_held
            })
        })
        .collect();
    for writer in writers {
        assert_eq!(writer.join().unwrap(), 0, "whoever holds the head is not overtaken");
    }
    assert_eq!(check_log(&mut first).unwrap(), u64::from(WRITERS * BATCHES));
    for number in 0..WRITERS {
        assert_eq!(first.entries_of(&format!("apr_{number}"), 0, 1_000).unwrap().len(), 25);
    }
}

#[test]
fn a_head_that_is_held_and_released_is_free_for_others() {
    let (_, address) = fresh_database();
    let mut one = PostgresStore::create(address.clone()).unwrap();
    let mut other = PostgresStore::open(address).unwrap();
    let mut author = Author::new();
    one.claim().unwrap();
    one.claim().unwrap();
    one.release();
    other.append(&author.batch(&["apr_a"])).unwrap();
    // Refused inside the transaction that holds it, a batch leaves nothing behind, not even the lock.
    one.claim().unwrap();
    let mut gap = author.clone().batch(&["apr_b"]);
    gap.entries[0].subject_seq = 3;
    assert!(matches!(one.append(&gap), Err(StoreError::Corrupt(_))));
    other.append(&author.batch(&["apr_a"])).unwrap();
    one.claim().unwrap();
    drop(one);
    other.append(&author.batch(&["apr_a"])).unwrap();
    assert_eq!(check_log(&mut other).unwrap(), 3);
}

#[test]
fn a_server_that_crashes_and_comes_back_is_found_again_by_writer_and_readers() {
    let own = Cluster::start(&Wishes::default()).unwrap();
    own.create_database("ledger").unwrap();
    let mut store = PostgresStore::create(own.address("ledger").unwrap()).unwrap();
    let mut reader = store.reader().unwrap();
    let mut author = Author::new();
    store.append(&author.batch(&["apr_a"])).unwrap();
    assert_eq!(reader.head().unwrap().size(), 1);
    own.kill().unwrap();
    assert!(matches!(reader.head(), Err(StoreError::Unavailable(_))));
    let second = author.batch(&["apr_a"]);
    let outcome = store.append(&second);
    assert!(matches!(outcome, Err(StoreError::Unavailable(_) | StoreError::Unknown(_))), "{outcome:?}");
    own.launch(&Wishes::default()).unwrap();
    let begun = Instant::now();
    let again = |begun: Instant| {
        assert!(begun.elapsed() < LONG, "the server was never found again");
        thread::park_timeout(Duration::from_millis(5));
    };
    while !matches!(store.append(&second), Ok(())) {
        again(begun);
    }
    let mut size = reader.head();
    while size.is_err() {
        again(begun);
        size = reader.head();
    }
    assert_eq!(size.unwrap().size(), 2, "what was acknowledged is there, and what was not is there once");
    assert_eq!(check_log(&mut store).unwrap(), 2);
}

#[test]
fn secrets_that_two_nodes_make_at_once_are_made_once() {
    let (_, address) = fresh_database();
    drop(PostgresStore::create(address.clone()).unwrap());
    let makers: Vec<_> = (0..4)
        .map(|number| {
            let address = address.clone();
            thread::spawn(move || {
                let store = PostgresStore::open(address).unwrap();
                let secrets = LocalSecrets::beside(&store, SealingKey::from_bytes([1; 32]));
                let fresh = SecretValue::new(format!("value {number}"));
                secrets.create_pending(&secret(), 2, "rot_1", &fresh).unwrap().expose().to_owned()
            })
        })
        .collect();
    let made: BTreeSet<String> = makers.into_iter().map(|maker| maker.join().unwrap()).collect();
    assert_eq!(made.len(), 1, "{made:?}");
    let store = PostgresStore::open(address).unwrap();
    let other = LocalSecrets::beside(&store, SealingKey::from_bytes([2; 32]));
    assert!(matches!(other.read(&secret(), 2), Err(SecretError::Sealed { .. })));
    assert!(matches!(other.forget(&secret()), Err(SecretError::Refused(_))));
    let found = other.of_type(&"webhook-signing".parse().unwrap(), &"production".parse().unwrap());
    assert_eq!(found.unwrap(), [secret()]);
    other.delete_pending(&secret(), 2).unwrap();
    assert_eq!(other.versions(&secret()).unwrap(), []);
}

fn secret() -> SecretKey {
    SecretKey {
        resource: "webhook-signing/stripe".parse().unwrap(),
        environment: "production".parse().unwrap(),
    }
}

/// A certificate for this name and its key, both PEM.
fn certificate(name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[test]
fn only_the_server_that_the_certificate_names_is_talked_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut wishes = Wishes { listens: true, ..Wishes::default() };
    let own = Cluster::start(&wishes).unwrap();
    own.create_database("ledger").unwrap();
    let open = |trusted: &str| {
        let file = folder.path().join("ca.pem");
        fs::write(&file, trusted).unwrap();
        let uri = format!("postgresql://postgres@localhost:{}/ledger?sslmode=verify-full", own.port());
        PostgresStore::create(Address::parse(&uri).unwrap().with_roots(Some(&file)).unwrap())
    };
    let (trusted, key) = certificate("localhost");
    let without = refusal(open(&trusted));
    assert!(without.starts_with("the store is unavailable") && without.contains("TLS"), "{without}");

    wishes.settings =
        ["ssl=on", "ssl_cert_file=node.pem", "ssl_key_file=node.key"].map(str::to_owned).to_vec();
    let show = |(certificate, key): (&str, &str)| {
        let owner = fs::metadata(own.data()).unwrap();
        for (name, text) in [("node.pem", certificate), ("node.key", key)] {
            let path = own.data().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
        }
        own.kill().unwrap();
        own.launch(&wishes).unwrap();
    };
    show((&trusted, &key));
    let mut store = open(&trusted).unwrap();
    store.append(&Author::new().batch(&["apr_a"])).unwrap();
    let (stranger, _) = certificate("localhost");
    let untrusted = refusal(open(&stranger));
    assert!(untrusted.to_lowercase().contains("certificate"), "{untrusted}");
    let (elsewhere, key) = certificate("db.example");
    show((&elsewhere, &key));
    let misnamed = refusal(open(&elsewhere));
    assert!(misnamed.to_lowercase().contains("certificate") && misnamed.contains("localhost"), "{misnamed}");
}

#[test]
fn a_role_that_owns_nothing_can_run_a_node_and_cannot_change_history() {
    let (name, address) = fresh_database();
    drop(PostgresStore::create(address).unwrap());
    let grants = include_str!("../../../../../docs/guides/postgresql.md");
    let grants =
        grants.split("```sql").find(|part| part.contains("GRANT")).expect("the guide grants something");
    let grants = grants.split("```").next().unwrap().replace("ledger", &name);
    cluster().say(&name, &grants).unwrap();
    let uri = format!(
        "postgresql:///{name}?user=countersign_node&host={}",
        cluster().socket().parent().unwrap().display()
    );
    let mut store = PostgresStore::open(Address::parse(&uri).unwrap()).unwrap();
    let mut author = Author::new();
    store.append(&author.batch(&["apr_a", "apr_b"])).unwrap();
    store.append(&author.redacting(&[0])).unwrap();
    assert_eq!(check_log(&mut store).unwrap(), 3);
    for change in ["UPDATE countersign.entries SET leaf = ''", "DELETE FROM countersign.entries"] {
        let refused = cluster().say(&name, &format!("SET ROLE countersign_node; {change}"));
        assert!(refused.unwrap_err().to_string().contains("permission denied for table entries"));
    }
}
