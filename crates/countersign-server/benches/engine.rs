//! How fast whole commands become durable through the engine on SQLite, at 1, 16 and 256 clients, with latencies, beside one
//! transaction per command on the same disk in the same run.
//!
//! Prints one JSON object per line. Run with `cargo bench -p countersign-server --bench engine`.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark stops at the first surprise and prints its result"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_core::action::Action;
use countersign_core::digest::Digest;
use countersign_core::id::PersonId;
use countersign_core::{Actor, Command, permit, person};
use countersign_ledger::note::Ed25519Signer;
use countersign_server::clock::SystemClock;
use countersign_server::engine::{Engine, Options, Submission};
use countersign_server::genesis::{self, Genesis, NewPerson};
use countersign_server::secrets::{LocalSecrets, SealingKey};
use countersign_server::store::sqlite::SqliteStore;
use hdrhistogram::Histogram;
use tempfile::TempDir;

const ANA: PersonId = PersonId(1);
const BEN: PersonId = PersonId(2);
const ORIGIN: &str = "bench/countersign";

/// How long each row measures.
const WINDOW: Duration = Duration::from_secs(4);

/// Bytes of details beside each entry, so that leaf and details together are about 1 KiB.
const DETAILS: usize = 512;

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        // One client waits for its commit before the next command: one transaction per command.
        let naive = row(1, 1.0).await;
        for clients in [16, 256] {
            row(clients, naive).await;
        }
    });
}

async fn row(clients: usize, naive: f64) -> f64 {
    let folder = TempDir::new_in(std::env::current_dir().expect("a folder")).expect("a folder");
    let engine = started(&folder).await;
    let begin = Instant::now();
    let tasks: Vec<_> = (0..clients).map(|_| tokio::spawn(client(engine.clone(), begin + WINDOW))).collect();
    let mut latencies = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3).expect("a histogram");
    for task in tasks {
        latencies.add(task.await.expect("the client ends")).expect("same bounds");
    }
    let (seconds, count) = (begin.elapsed().as_secs_f64(), latencies.len());
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let rate = count as f64 / seconds;
    let [p50, p99] = [0.5, 0.99].map(|quantile| latencies.value_at_quantile(quantile));
    let times = if naive > 1.0 { rate / naive } else { 1.0 };
    println!(
        r#"{{"what":"command through the engine, durable","clients":{clients},"per_second":{rate:.0},"p50_us":{p50},"p99_us":{p99},"times_one_per_transaction":{times:.1}}}"#
    );
    engine.stop().await;
    rate
}

async fn client(engine: Engine, until: Instant) -> Histogram<u64> {
    let mut latencies = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3).expect("a histogram");
    let details = format!("{{\"reason\":\"{}\"}}", "x".repeat(DETAILS)).into_bytes();
    while Instant::now() < until {
        let reserve =
            permit::Reserve { action: ping(), parameters_sha256: Digest::of(b"{}"), approval: None };
        let submission = Submission::new(Actor::Person(ANA), Command::ReservePermit(reserve))
            .with_details(details.clone());
        let sent = Instant::now();
        engine.submit(submission).await.expect("the permit is reserved");
        latencies.saturating_record(u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    latencies
}

fn ping() -> Action {
    Action {
        verb: "ping".parse().expect("a verb"),
        resource: "probe/any".parse().expect("a resource"),
        environment: "production".parse().expect("an environment"),
    }
}

async fn started(folder: &TempDir) -> Engine {
    let signer = || Ed25519Signer::from_seed(ORIGIN, [7; 32]).expect("a signer");
    let store = SqliteStore::open(folder.path().join("ledger.db")).expect("a store");
    let options = Options {
        signer: Box::new(signer()),
        anchor: Some(folder.path().join("checkpoint")),
        clock: Arc::new(SystemClock::new()),
    };
    let engine = Engine::start(Box::new(store), options).expect("the engine starts");
    let people = [(ANA, "Ana"), (BEN, "Ben")].map(|(id, name)| NewPerson { id, name: name.into() }).to_vec();
    let genesis = Genesis {
        origin: ORIGIN.into(),
        log_key: signer().vkey(),
        people,
        policy: policy(),
        secrets: Vec::new(),
    };
    let secrets = LocalSecrets::in_memory(SealingKey::from_bytes([1; 32])).expect("a secret store");
    for claim in genesis::write(&engine, &secrets, genesis).await.expect("genesis") {
        let command = Command::ClaimCredential(person::ClaimCredential {
            claim_sha256: Digest::of(claim.claim.as_bytes()),
            credential_sha256: Digest::of(claim.person.name.as_bytes()),
        });
        engine.submit(Submission::new(Actor::Node, command)).await.expect("claimed");
    }
    engine
}

fn policy() -> countersign_core::policy::Policy {
    let seconds = serde_json::json!({
        "requesters": ["engineers"], "executors": ["engineers"],
        "pending_seconds": 3600, "approved_seconds": 600, "start_seconds": 60, "work_seconds": 600,
    });
    let rule = |extra: serde_json::Value| {
        let mut rule = seconds.clone();
        rule.as_object_mut().expect("an object").extend(extra.as_object().expect("an object").clone());
        rule
    };
    serde_json::from_value(serde_json::json!({
        "name": "bench", "groups": { "engineers": [ANA], "approvers": [BEN] }, "access": { "read": ["engineers"] },
        "rules": [
            rule(serde_json::json!({ "name": "activate", "verb": "activate", "resource": "policy/main",
                "environment": "control", "approval": "required", "quorum": { "approvers": 1 } })),
            rule(serde_json::json!({ "name": "ping", "verb": "ping", "resource": "probe/any",
                "environment": "production", "approval": "not-required" })),
        ],
    }))
    .expect("a policy")
}
