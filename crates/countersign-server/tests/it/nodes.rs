//! Two nodes on one PostgreSQL, over HTTP: what one is told the other knows, and when the database goes both refuse until it is back.

use std::time::{Duration, Instant};

use countersign_ledger::hash::sha256;
use countersign_server::cluster::{Cluster, Wishes};
use countersign_server::config::{NodeConfig, PostgresConfig};
use countersign_server::node::{Node, NodeError, initialise};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::node::{beginning, configured, get, get_by, post};

/// Longer than any test takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);

struct Running {
    address: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), NodeError>>,
}

async fn started(config: &NodeConfig) -> Running {
    let node = Node::start(config).await.expect("it starts");
    let (address, (stop, told)) = (node.address().to_string(), oneshot::channel::<()>());
    Running { address, stop, task: tokio::spawn(node.run(async move { drop(told.await) })) }
}

/// Asks until the answer begins so.
async fn until(node: &Running, path: &str, status: &str) {
    let begun = Instant::now();
    loop {
        let answer = get_by(&node.address, path, "cst_ana").await;
        if answer.starts_with(&format!("HTTP/1.1 {status}")) {
            return;
        }
        assert!(begun.elapsed() < LONG, "{path} never answered {status}, the last was {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_on_one_database_know_the_same_and_lose_it_together() {
    let own = Cluster::start(&Wishes::default()).expect("PostgreSQL starts");
    own.create_database("ledger").expect("a database");
    let postgres = Some(PostgresConfig {
        address: own.address("ledger").expect("an address"),
        password: None,
        ca: None,
    });
    let ((_one, first), (_two, second)) = (configured(), configured());
    let first = NodeConfig { postgres: postgres.clone(), ..first };
    let missing = Node::start(&first).await.expect_err("there is no log yet").to_string();
    assert!(missing.contains("/ledger` holds no ledger"), "{missing}");
    let claims = initialise(&first, beginning()).await.expect("it begins");
    let again = initialise(&first, beginning()).await.expect_err("once only").to_string();
    assert!(again.contains("/ledger` already holds a log"), "{again}");

    // The keys are the log's, so both have them; data folder and checkpoint file are each node's own.
    let second = NodeConfig { data: second.data, checkpoint: second.checkpoint, ..first.clone() };
    let (one, two) = (started(&first).await, started(&second).await);
    let claim = serde_json::json!({
        "claim": claims[0].claim.as_str(), "credential_sha256": sha256(b"cst_ana").to_string(),
    });
    let claimed = post(&one.address, "/admin/people/claim", &claim).await;
    assert!(claimed.starts_with("HTTP/1.1 200"), "{claimed}");
    until(&two, "/admin/people/me", "200").await;

    own.kill().expect("it runs");
    for node in [&one, &two] {
        until(node, "/admin/people/me", "503").await;
        assert!(get(&node.address, "/readyz").await.starts_with("HTTP/1.1 503"));
    }
    own.launch(&Wishes::default()).expect("it comes back");
    for node in [&one, &two] {
        until(node, "/admin/people/me", "200").await;
        until(node, "/readyz", "200").await;
    }
    let other = serde_json::json!({
        "claim": claims[1].claim.as_str(), "credential_sha256": sha256(b"cst_ben").to_string(),
    });
    let claimed = post(&two.address, "/admin/people/claim", &other).await;
    assert!(claimed.starts_with("HTTP/1.1 200"), "{claimed}");
    for node in [one, two] {
        node.stop.send(()).expect("it listens");
        node.task.await.expect("no panic").expect("no failure");
    }
}
