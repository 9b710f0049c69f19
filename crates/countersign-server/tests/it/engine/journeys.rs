//! What people do, on memory and on SQLite.

use countersign_core::digest::Digest;
use countersign_core::permit::Reserve;
use countersign_core::{Actor, Command};
use countersign_ledger::hash::sha256;
use countersign_server::engine::{Engine, IdempotencyKey, Submission};
use countersign_server::store::Store;
use countersign_server::store::memory::MemoryStore;
use countersign_server::store::sqlite::SqliteStore;

use super::fixture::{self, ANA, BEN, by, code};

/// A store that can be opened again.
struct Place {
    open: Box<dyn Fn() -> Box<dyn Store>>,
    _folder: tempfile::TempDir,
}

fn places() -> [Place; 2] {
    let (memory, folder) = (MemoryStore::new(), tempfile::tempdir().expect("a folder"));
    let (path, none) = (folder.path().join("ledger.db"), tempfile::tempdir().expect("a folder"));
    [
        Place { open: Box::new(move || Box::new(memory.clone())), _folder: none },
        Place {
            open: Box::new(move || Box::new(SqliteStore::open(&path).expect("the store opens"))),
            _folder: folder,
        },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixteen_concurrent_reservations_exactly_one_wins() {
    for place in places() {
        let engine = fixture::started((place.open)()).await;
        let approval = fixture::approved(&engine).await;
        let attempts: Vec<_> = (0..16)
            .map(|_| {
                let engine = engine.clone();
                tokio::spawn(async move { by(&engine, ANA, fixture::reserve(approval)).await })
            })
            .collect();
        let mut codes = Vec::new();
        for attempt in attempts {
            codes.push(code(&attempt.await.expect("the task ends")));
        }
        codes.sort_unstable();
        let mut expected = vec!["approval_consumed"; 15];
        expected.push("ok");
        assert_eq!(codes, expected);
        engine.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_come_in_the_order_people_expect() {
    let engine = fixture::started(Box::new(MemoryStore::new())).await;
    let id = fixture::requested(&engine).await;
    assert_eq!(code(&by(&engine, ANA, Command::Approve(id.into())).await), "self_approval");
    assert_eq!(code(&by(&engine, ANA, fixture::reserve(id)).await), "approval_pending");
    assert_eq!(code(&by(&engine, BEN, Command::Approve(id.into())).await), "ok");
    assert_eq!(code(&by(&engine, BEN, Command::Approve(id.into())).await), "already_voted");
    let other = Command::ReservePermit(Reserve {
        action: fixture::payout(),
        parameters_sha256: Digest::of(b"other parameters"),
        approval: Some(id),
        exceptions: Vec::new(),
    });
    assert_eq!(code(&by(&engine, ANA, other).await), "parameters_mismatch");
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_request_is_answered_from_its_entries_and_another_body_is_refused() {
    for place in places() {
        let engine = fixture::started((place.open)()).await;
        let send = |body: &'static [u8]| {
            let ping = Reserve {
                action: fixture::ping(),
                parameters_sha256: Digest::of(b""),
                approval: None,
                exceptions: Vec::new(),
            };
            let key = IdempotencyKey { key: "once".into(), body_sha256: sha256(body) };
            engine.submit(
                Submission::new(Actor::Person(ANA), Command::ReservePermit(ping)).with_idempotency(key),
            )
        };
        let (first, again) = tokio::join!(send(b"a"), send(b"a"));
        let (first, again) = (first.expect("taken"), again.expect("taken"));
        assert_eq!((first.first, first.item.clone()), (again.first, again.item.clone()));
        assert_ne!(first.replayed, again.replayed);
        assert_eq!(code(&send(b"b").await), "idempotency_mismatch");
        engine.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_gives_the_same_state_and_a_log_that_verifies() {
    for place in places() {
        let engine = fixture::started((place.open)()).await;
        let approval = fixture::approved(&engine).await;
        by(&engine, ANA, fixture::reserve(approval)).await.expect("a permit");
        fixture::requested(&engine).await;
        let (before, size) = (engine.state(), engine.size());
        engine.stop().await;
        drop(engine);

        let again = Engine::start((place.open)(), fixture::options()).expect("it starts again");
        assert_eq!(again.size(), size);
        assert_eq!(*again.state(), *before);
        assert_eq!(code(&by(&again, ANA, fixture::reserve(approval)).await), "approval_consumed");
        again.stop().await;
        drop(again);
        fixture::verify((place.open)().as_mut());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_are_refused_is_counted_and_written_down_once() {
    let place = &places()[1];
    let engine = fixture::started((place.open)()).await;
    let id = fixture::requested(&engine).await;
    for _ in 0..3 {
        assert_eq!(code(&by(&engine, ANA, Command::Approve(id.into())).await), "self_approval");
    }
    let size = engine.size();
    engine.stop().await;
    drop(engine);

    let written = (place.open)().entries(size, 10).expect("entries");
    assert_eq!(written.len(), 1);
    let leaf: serde_json::Value = serde_json::from_slice(&written[0].leaf).expect("a leaf");
    assert_eq!(leaf["kind"], "person.refused");
    assert_eq!(leaf["subject"], ANA.to_string());
    assert_eq!((&leaf["data"]["code"], &leaf["data"]["count"]), (&"self_approval".into(), &3.into()));
    assert_eq!(leaf["data"]["action"]["resource"], "payout/limit");
    fixture::verify((place.open)().as_mut());
}
