//! Engines on PostgreSQL: the same journeys as elsewhere, two nodes on one log, and connections that are cut in the middle of an append,
//! of which every answer is true.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use countersign_core::digest::Digest;
use countersign_core::id::ApprovalId;
use countersign_core::{Actor, Command, Fact, approval};
use countersign_ledger::hash::sha256;
use countersign_server::engine::{
    Committed, Engine, EngineError, IdempotencyKey, Options, REVOCATION_BOUND, Submission,
};
use countersign_server::store::postgres::{Address, PostgresStore};
use countersign_server::store::{Reader, Store, StoreError};

use super::fixture::{self, ANA, BEN, CHLOE, by, options, started};
use crate::moved_clock::MovedClock;
use crate::store::fixture::{Author, check_log};
use crate::store::postgres::{cluster, fresh_database};
use crate::store::proxy::{Message, Proxy, When};

/// Longer than any test takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);

fn request() -> Command {
    let parameters_sha256 = Digest::of(b"parameters");
    Command::RequestApproval(approval::Request { action: fixture::payout(), parameters_sha256 })
}

/// The ids of all requests on record.
fn on_record(store: &mut dyn Reader) -> BTreeSet<String> {
    let entries = store.entries(0, 10_000).expect("readable");
    let leaves =
        entries.iter().map(|it| serde_json::from_slice::<serde_json::Value>(&it.leaf).expect("JSON"));
    let requests = leaves.filter(|leaf| leaf["kind"] == "approval.requested");
    requests.map(|leaf| leaf["subject"].as_str().expect("a subject").to_owned()).collect()
}

fn requested(committed: &Committed) -> String {
    match committed.events.first().map(|event| &event.fact) {
        Some(Fact::ApprovalRequested(id, _)) => id.to_string(),
        other => panic!("expected a request, found {other:?}"),
    }
}

#[test]
fn a_lost_append_is_called_unknown_and_the_log_tells_what_it_was() {
    let (name, address) = fresh_database();
    let mut direct = PostgresStore::create(address).unwrap();
    let proxy = Proxy::before(&cluster().socket());
    let mut store = PostgresStore::open(proxy.address(&name)).unwrap();
    let mut author = Author::new();
    store.append(&author.batch(&["apr_a"])).unwrap();
    for claimed in [false, true] {
        for (when, kept) in [(When::Before, false), (When::After, true)] {
            let (batch, before) = (author.batch(&["apr_a"]), direct.head().unwrap().size());
            if claimed {
                store.claim().unwrap();
            }
            proxy.cut(if claimed { Message::Commit } else { Message::Append }, when);
            let outcome = store.append(&batch);
            assert!(matches!(outcome, Err(StoreError::Unknown(_))), "{claimed} {when:?}: {outcome:?}");
            assert_eq!(direct.head().unwrap().size(), before + u64::from(kept), "{claimed} {when:?}");
            // Whoever appends it again is told how it was.
            let again = store.append(&batch);
            assert_eq!(
                matches!(again, Err(StoreError::Conflict { .. })),
                kept,
                "{claimed} {when:?}: {again:?}"
            );
        }
    }
    assert_eq!((check_log(&mut direct).unwrap(), proxy.cuts()), (5, 4));
}

#[test]
fn an_append_lost_while_the_head_is_held_is_undone_and_no_doubt_is_left() {
    let (name, address) = fresh_database();
    let mut direct = PostgresStore::create(address).unwrap();
    let proxy = Proxy::before(&cluster().socket());
    let mut store = PostgresStore::open(proxy.address(&name)).unwrap();
    let batch = Author::new().batch(&["apr_a"]);
    for when in [When::Before, When::After] {
        store.claim().unwrap();
        proxy.cut(Message::Append, when);
        assert!(matches!(store.append(&batch), Err(StoreError::Unavailable(_))), "{when:?}");
        assert_eq!(direct.head().unwrap().size(), 0, "{when:?}");
    }
    direct.append(&batch).unwrap();
}

#[test]
fn another_writer_is_heard_of() {
    let (_, address) = fresh_database();
    let mut one = PostgresStore::create(address.clone()).unwrap();
    let other = PostgresStore::open(address).unwrap();
    let (sender, heard) = channel();
    other.watch(Box::new(move |size| sender.send(size).unwrap_or_default())).unwrap();
    let mut author = Author::new();
    let begun = Instant::now();
    // Nobody says when it has begun to listen.
    let size = loop {
        one.append(&author.batch(&["apr_a", "apr_b"])).unwrap();
        if let Ok(size) = heard.recv_timeout(Duration::from_millis(50)) {
            break size;
        }
        assert!(begun.elapsed() < LONG, "nothing was heard");
    };
    assert!(size >= 2 && size.is_multiple_of(2) && size <= author.head.size(), "{size}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_true_however_connections_are_cut() {
    let (name, address) = fresh_database();
    let mut direct = PostgresStore::create(address).unwrap();
    let proxy = Proxy::before(&cluster().socket());
    let engine = started(Box::new(PostgresStore::open(proxy.address(&name)).unwrap())).await;
    let mut happened = BTreeSet::new();
    for number in 0..24 {
        match number % 3 {
            0 => proxy.cut(Message::Append, When::Before),
            1 => proxy.cut(Message::Append, When::After),
            _ => {}
        }
        let committed = by(&engine, ANA, request()).await.expect("it is found out, and done");
        assert!(happened.insert(requested(&committed)), "no id is told twice");
        assert_eq!(on_record(&mut direct), happened, "what is said to have happened has, and nothing else");
    }
    // What the node itself writes down may have been cut instead.
    assert!(proxy.cuts() >= 12);
    engine.stop().await;
    fixture::verify(&mut direct);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_loses_its_database_for_good_says_that_it_does_not_know() {
    let (name, address) = fresh_database();
    let mut direct = PostgresStore::create(address).unwrap();
    let proxy = Proxy::before(&cluster().socket());
    let engine = started(Box::new(PostgresStore::open(proxy.address(&name)).unwrap())).await;
    let keyed = || {
        let key = IdempotencyKey { key: "once".to_owned(), body_sha256: sha256(b"once") };
        engine.submit(Submission::new(Actor::Person(ANA), request()).with_idempotency(key))
    };
    proxy.cut(Message::Append, When::AfterForGood);
    let told = keyed().await;
    assert!(matches!(told, Err(EngineError::Unknown(_))), "{told:?}");
    assert_eq!(on_record(&mut direct).len(), 1);
    assert!(engine.fresh().is_err(), "it lets nobody do anything");
    proxy.open();
    let begun = Instant::now();
    while engine.fresh().is_err() {
        assert!(begun.elapsed() < LONG, "it never came back");
        tokio::task::yield_now().await;
    }
    let again = keyed().await.expect("it is answered");
    assert!(again.replayed && on_record(&mut direct).contains(&requested(&again)));
    engine.stop().await;
    fixture::verify(&mut direct);
}

/// Nobody is refused for what a node has not heard of yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_followed_through_nodes_at_once() {
    let (_, address) = fresh_database();
    let first = started(Box::new(PostgresStore::create(address.clone()).unwrap())).await;
    let nodes = [first.clone(), node(&address), node(&address)];
    for _ in 0..8 {
        let committed = by(&first, ANA, request()).await.expect("it happens");
        let id = requested(&committed).parse().expect("an id");
        by(&nodes[1], BEN, Command::Approve(ApprovalId::into(id))).await.expect("it counts");
        by(&nodes[2], CHLOE, Command::Approve(ApprovalId::into(id))).await.expect("it counts");
        by(&first, ANA, fixture::reserve(id)).await.expect("a permit");
        let again = by(&nodes[1], ANA, fixture::reserve(id)).await;
        assert_eq!(fixture::code(&again), "approval_consumed");
    }
    for node in nodes {
        node.stop().await;
    }
}

fn node(address: &Address) -> Engine {
    Engine::start(Box::new(PostgresStore::open(address.clone()).unwrap()), options()).expect("it starts")
}

/// An auditor needs an address and a key, also beside a running node, and where nothing may be written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_is_verified_at_its_address_also_read_only() {
    let (name, address) = fresh_database();
    let uri = format!(
        "postgresql:///{name}?user=postgres&host={}",
        cluster().socket().parent().expect("a folder").display()
    );
    let nothing = countersign_server::store::look(Path::new(&uri)).err().expect("there is none yet");
    assert!(nothing.to_string().contains("holds no ledger"), "{nothing}");
    let engine = started(Box::new(PostgresStore::create(address).unwrap())).await;
    let committed = by(&engine, ANA, request()).await.expect("it happens");
    while *engine.signatures().borrow() <= committed.first {
        engine.signatures().changed().await.expect("it runs");
    }
    cluster().say(&name, &format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).unwrap();
    let mut reader = countersign_server::store::look(Path::new(&uri)).expect("it opens");
    fixture::verify(reader.as_mut());
    assert_eq!(on_record(reader.as_mut()), BTreeSet::from([requested(&committed)]));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_follow_one_another_and_stay_fresh() {
    let (_, address) = fresh_database();
    let mut direct = PostgresStore::create(address.clone()).unwrap();
    let first = started(Box::new(PostgresStore::open(address.clone()).unwrap())).await;
    let second =
        Engine::start(Box::new(PostgresStore::open(address).unwrap()), options()).expect("it starts");
    for number in 0..20 {
        let (writer, follower) = if number % 2 == 0 { (&first, &second) } else { (&second, &first) };
        let committed = by(writer, ANA, request()).await.expect("it happens");
        let begun = Instant::now();
        while follower.size() <= committed.first {
            assert!(begun.elapsed() < LONG, "it was never followed");
            tokio::task::yield_now().await;
        }
        assert!(follower.state_age() <= REVOCATION_BOUND || begun.elapsed() > REVOCATION_BOUND);
    }
    assert_eq!(first.state(), second.state());
    assert_eq!(on_record(&mut direct).len(), 20);
    // Both at once, each at its own pace: nobody is turned away, and nobody gets stale by following.
    let tasks: Vec<_> = (0..64)
        .map(|number| {
            let engine = if number % 2 == 0 { first.clone() } else { second.clone() };
            tokio::spawn(async move { by(&engine, ANA, request()).await.map(|it| requested(&it)) })
        })
        .collect();
    let mut happened = BTreeSet::new();
    for task in tasks {
        assert!(happened.insert(task.await.expect("no panic").expect("it happens")));
    }
    assert!(on_record(&mut direct).is_superset(&happened) && happened.len() == 64);
    first.stop().await;
    second.stop().await;
    fixture::verify(&mut direct);
}

/// Flaw: a node whose clock is wrong lets old approvals live, or ends everybody's sessions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_clock_is_not_the_databases_decides_nothing() {
    let (_, address) = fresh_database();
    let first = started(Box::new(PostgresStore::create(address.clone()).unwrap())).await;
    for (moved, told) in [(10_000, "ahead of the database's"), (-10_000, "behind the database's")] {
        let clock = Arc::new(MovedClock::ahead(moved));
        let options = Options { clock: Arc::clone(&clock) as _, ..options() };
        let store = PostgresStore::open(address.clone()).unwrap();
        let wrong = Engine::start(Box::new(store), options).unwrap();
        let stale = wrong.fresh().expect_err("nobody is let in").to_string();
        assert!(stale.contains(told), "{stale}");
        // The first node may not have followed the log to its end yet.
        let size = || PostgresStore::open(address.clone()).unwrap().head().unwrap().size();
        let before = size();
        let refused = by(&wrong, ANA, request()).await;
        assert!(matches!(&refused, Err(EngineError::Unavailable(why)) if why.contains(told)), "{refused:?}");
        assert_eq!(size(), before);
        // Set right, it goes on by itself.
        clock.ahead_ms.store(0, Ordering::SeqCst);
        let begun = Instant::now();
        while wrong.fresh().is_err() {
            assert!(begun.elapsed() < LONG, "it never goes on");
            tokio::task::yield_now().await;
        }
        by(&wrong, ANA, request()).await.expect("it decides again");
        wrong.stop().await;
    }
    first.stop().await;
}
