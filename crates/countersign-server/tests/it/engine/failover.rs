//! A primary with a synchronous standby, three nodes, and a load. The primary is killed and the standby promoted: what was acknowledged is
//! there, nothing twice, the log did not fork, and requests succeed again soon.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use countersign_core::digest::Digest;
use countersign_core::{Actor, Command, Fact, approval};
use countersign_ledger::hash::sha256;
use countersign_server::cluster::{Cluster, Wishes};
use countersign_server::engine::{Engine, EngineError, IdempotencyKey, Submission};
use countersign_server::store::Reader;
use countersign_server::store::postgres::{Address, PostgresStore};

use super::fixture::{self, ANA, options, started};

/// Within this time of the promotion requests succeed again.
const SOON: Duration = Duration::from_secs(10);

/// Acknowledgements before the primary is killed.
const BEFORE: usize = 100;

/// Clients, each at one node.
const CLIENTS: usize = 6;

/// What the clients have done, and whether they go on.
#[derive(Default)]
struct Load {
    acknowledged: AtomicUsize,
    over: AtomicBool,
}

/// Asks again and again, each time under a key of its own and until it is answered; the ids that were acknowledged.
async fn client(engine: Engine, number: usize, load: Arc<Load>) -> BTreeSet<String> {
    let mut acknowledged = BTreeSet::new();
    for nth in 0.. {
        let key = format!("client {number}, request {nth}");
        let request =
            approval::Request { action: fixture::payout(), parameters_sha256: Digest::of(b"parameters") };
        let id = loop {
            let key = IdempotencyKey { key: key.clone(), body_sha256: sha256(key.as_bytes()) };
            let command = Command::RequestApproval(request.clone());
            let submission = Submission::new(Actor::Person(ANA), command).with_idempotency(key);
            match engine.submit(submission).await {
                Ok(committed) => match committed.events.first().map(|event| &event.fact) {
                    Some(Fact::ApprovalRequested(id, _)) => break Some(id.to_string()),
                    other => panic!("expected a request, found {other:?}"),
                },
                Err(EngineError::Unavailable(_) | EngineError::Unknown(_)) => {
                    if load.over.load(Ordering::Acquire) {
                        break None;
                    }
                    tokio::task::yield_now().await;
                }
                Err(error) => panic!("{error}"),
            }
        };
        assert!(id.is_none_or(|id| acknowledged.insert(id)), "one id per key");
        load.acknowledged.fetch_add(1, Ordering::AcqRel);
        if load.over.load(Ordering::Acquire) {
            break;
        }
    }
    acknowledged
}

async fn until_more(load: &Load, than: usize, patience: Duration) {
    let begun = Instant::now();
    while load.acknowledged.load(Ordering::Acquire) <= than {
        assert!(begun.elapsed() < patience, "nothing succeeded for {patience:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_standby_has_all_that_was_acknowledged_and_takes_over() {
    let primary = Cluster::start(&Wishes::default()).expect("a primary");
    primary.create_database("ledger").expect("a database");
    let standby = primary.standby().expect("a standby");
    primary.say("postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'").expect("set");
    primary.say("postgres", "SELECT pg_reload_conf()").expect("loaded");
    let folder = |cluster: &Cluster| cluster.socket().parent().expect("a folder").display().to_string();
    let hosts = [&primary, &standby].map(|cluster| format!("&host={}", folder(cluster))).concat();
    let uri = format!("postgresql:///ledger?user=postgres&port={}{hosts}", primary.port());
    let address = Address::parse(&uri).expect("an address of two hosts");
    let first = started(Box::new(PostgresStore::create(address.clone()).expect("a store"))).await;
    let node = || {
        let store = PostgresStore::open(address.clone()).expect("a store");
        Engine::start(Box::new(store), options()).expect("it starts")
    };
    let nodes = [first, node(), node()];
    let load = Arc::new(Load::default());
    let clients: Vec<_> = nodes
        .iter()
        .cycle()
        .take(CLIENTS)
        .enumerate()
        .map(|(number, engine)| tokio::spawn(client(engine.clone(), number, Arc::clone(&load))))
        .collect();
    until_more(&load, BEFORE, Duration::from_secs(60)).await;
    tokio::task::block_in_place(|| primary.kill()).expect("it ran");
    tokio::task::block_in_place(|| standby.promote()).expect("it is the primary now");
    let promoted = load.acknowledged.load(Ordering::Acquire);
    until_more(&load, promoted + CLIENTS, SOON).await;
    load.over.store(true, Ordering::Release);
    let mut acknowledged = BTreeSet::new();
    for client in clients {
        acknowledged.append(&mut client.await.expect("no panic"));
    }
    for node in nodes {
        node.stop().await;
    }
    let mut store = PostgresStore::open(standby.address("ledger").expect("an address")).expect("a store");
    fixture::verify(&mut store);
    let entries = store.entries(0, 1_000_000).expect("readable");
    let leaves =
        entries.iter().map(|it| serde_json::from_slice::<serde_json::Value>(&it.leaf).expect("JSON"));
    let requests: Vec<String> = leaves
        .filter(|leaf| leaf["kind"] == "approval.requested")
        .map(|leaf| leaf["subject"].as_str().expect("a subject").to_owned())
        .collect();
    let on_record: BTreeSet<String> = requests.iter().cloned().collect();
    assert!(
        acknowledged.len() > BEFORE && on_record.is_superset(&acknowledged),
        "an acknowledged entry is missing"
    );
    assert!(
        requests.len() - acknowledged.len() <= CLIENTS,
        "only what was under way at the end is not acknowledged"
    );
}
