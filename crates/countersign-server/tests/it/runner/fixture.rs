//! A rotation about to begin: a ledger on disk, sealed secrets, two consumers and a signer that listen.

use std::collections::BTreeMap;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::digest::Digest;
use countersign_core::id::{PersonId, RotationId};
use countersign_core::rotation::{self, Rotation, Stage, Step, Task, TaskState};
use countersign_core::secret::SecretKey;
use countersign_core::{Actor, Command, Event, Fact, Item, permit};
use countersign_evidence::bundle;
use countersign_evidence::scope::Scope;
use countersign_evidence::verify::{self, Trust};
use countersign_ledger::note::Ed25519Signer;
use countersign_ledger::verify::{Redactions, Trust as LogTrust};
use countersign_server::config::Endpoint;
use countersign_server::engine::{Engine, Options, Submission, codec};
use countersign_server::evidence::{self, Limits};
use countersign_server::fsck;
use countersign_server::genesis::{self, Genesis, NewPerson};
use countersign_server::runner::{Outside, Runner};
use countersign_server::secrets::{
    LocalSecrets, SealingKey, SecretRef, SecretStore, SecretValue, Stage as Kept,
};
use countersign_server::store::sqlite::SqliteStore;
use countersign_server::store::{Reader, RecordQuery};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::receiver::{HOOK_KEY, Receiver};
use crate::moved_clock::MovedClock;

const ANA: PersonId = PersonId(1);
const BEN: PersonId = PersonId(2);
const ORIGIN: &str = "ledger.test/runner";

/// The value before the rotation.
pub(super) const OLD: &str = "whsec_b2xkIG9sZCBvbGQgb2xkIG9sZCBvbGQgb2xkIDE=";

/// How often a task is tried.
pub(super) const ATTEMPTS: u32 = 3;

/// How long anything may take before a test gives up.
pub(super) const LIMIT: Duration = Duration::from_secs(30);

/// Everything that runs.
struct Running {
    engine: Engine,
    secrets: Arc<LocalSecrets>,
    stop: oneshot::Sender<()>,
    runner: JoinHandle<()>,
}

/// The whole stage.
pub(super) struct World {
    folder: tempfile::TempDir,
    clock: Arc<MovedClock>,
    patience: Duration,
    running: Option<Running>,
    pub(super) consumers: [Receiver; 2],
    pub(super) signer: Receiver,
}

pub(super) fn secret() -> SecretKey {
    SecretKey {
        resource: "webhook-signing/stripe".parse().expect("a resource"),
        environment: "production".parse().expect("an environment"),
    }
}

impl World {
    /// Genesis is written and the runner runs, which soon gives up on who does not answer; nothing is due yet.
    pub(super) async fn new() -> Self {
        Self::with_patience(Duration::from_millis(500)).await
    }

    /// The same with a runner that waits for an answer as long as this.
    pub(super) async fn with_patience(patience: Duration) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let consumers = [Receiver::new(OLD).await, Receiver::new(OLD).await];
        let signer = Receiver::new(OLD).await;
        write_private(&folder.path().join("hook.key"), &format!("whsec_{}", STANDARD.encode(HOOK_KEY)));
        let mut world = Self { folder, clock: Arc::default(), patience, running: None, consumers, signer };
        world.start();
        world.begin_log().await;
        world
    }

    /// Opens the store and starts engine and runner.
    pub(super) fn start(&mut self) {
        let database = self.folder.path().join("ledger.db");
        let store = SqliteStore::open(&database).expect("the store opens");
        let secrets =
            LocalSecrets::open(&database, SealingKey::from_bytes([1; 32])).expect("the secrets open");
        let secrets = Arc::new(secrets);
        let options = Options {
            signer: Arc::new(log_signer()),
            next_signer: None,
            anchor: None,
            clock: Arc::clone(&self.clock) as _,
        };
        let engine = Engine::start(Box::new(store), options).expect("the engine starts");
        let outside = Outside { endpoints: self.endpoints(), patience: self.patience };
        let runner = Runner::new(engine.clone(), Arc::clone(&secrets) as _, outside).expect("a runner");
        let (stop, told) = oneshot::channel::<()>();
        let runner = tokio::spawn(runner.run(async move { drop(told.await) }));
        self.running = Some(Running { engine, secrets, stop, runner });
    }

    /// As a crash would: whatever is under way is never reported. Time passes until it counts as lost.
    pub(super) async fn crash(&mut self) {
        let Running { engine, runner, .. } = self.running.take().expect("it runs");
        runner.abort();
        assert!(runner.await.expect_err("aborted").is_cancelled());
        engine.stop().await;
        self.clock.ahead_ms.fetch_add(rotation::TASK_TIMEOUT_MS + 1_000, Ordering::SeqCst);
    }

    /// In good order. Whatever happened, the log of it convinces its auditor.
    pub(super) async fn stop(&mut self) {
        let Running { engine, stop, runner, .. } = self.running.take().expect("it runs");
        stop.send(()).expect("the runner listens");
        runner.await.expect("the runner ends");
        engine.stop().await;
        let database = self.folder.path().join("ledger.db");
        let mut reader = SqliteStore::open_read_only(&database).expect("a reader");
        every_case_verifies(reader.as_mut(), &log_signer());
        the_store_is_intact(&database, &log_signer());
    }

    fn endpoints(&self) -> BTreeMap<countersign_core::text::Name, Endpoint> {
        let [a, b] = &self.consumers;
        let endpoint = |name: &str, receiver: &Receiver| {
            let url = |path: &str| format!("http://{}/{path}", receiver.address).parse().expect("a link");
            let key = SecretRef::File(self.key_file());
            let endpoint = Endpoint { hook_url: url("hook"), probe_url: Some(url("probe")), key };
            (name.parse().expect("a name"), endpoint)
        };
        BTreeMap::from([endpoint("app-a", a), endpoint("app-b", b), endpoint("provider", &self.signer)])
    }

    /// Where the endpoints' key is; referred to, not kept.
    pub(super) fn key_file(&self) -> PathBuf {
        self.folder.path().join("hook.key")
    }

    async fn begin_log(&self) {
        let genesis = Genesis {
            origin: ORIGIN.into(),
            log_key: log_signer().vkey(),
            people: [(ANA, "Ana"), (BEN, "Ben")]
                .map(|(id, name)| NewPerson { id, name: name.into() })
                .to_vec(),
            policy: policy(),
            secrets: vec![(secret(), SecretValue::new(OLD.into()))],
        };
        let Running { engine, secrets, .. } = self.running();
        let claims = genesis::write(engine, secrets.as_ref(), genesis).await.expect("genesis");
        for claim in claims {
            crate::engine::fixture::replace(engine, &claim).await;
        }
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("it runs")
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.running().engine
    }

    async fn by_ana(&self, command: Command) -> Arc<[Event]> {
        let submitted = self.engine().submit(Submission::new(Actor::Person(ANA), command)).await;
        submitted.expect("the command is taken").events
    }

    /// Reserves a permit and begins the rotation.
    pub(super) async fn rotate(&self) -> RotationId {
        let parameters_sha256 = Digest::of(b"parameters");
        let action = countersign_core::action::Action {
            verb: "rotate".parse().expect("a verb"),
            resource: secret().resource,
            environment: secret().environment,
        };
        let reserve = permit::Reserve { action, parameters_sha256, approval: None, exceptions: Vec::new() };
        let events = self.by_ana(Command::ReservePermit(reserve)).await;
        let permit = events.iter().find_map(|event| match event.fact {
            Fact::PermitReserved(id, _) => Some(id),
            _ => None,
        });
        let parameters = rotation::Parameters { overlap_seconds: 1 };
        let start = rotation::Start { permit: permit.expect("a permit"), parameters_sha256, parameters };
        let events = self.by_ana(Command::StartRotation(start)).await;
        let started = events.iter().find_map(|event| match event.fact {
            Fact::RotationStarted(id, _) => Some(id),
            _ => None,
        });
        started.expect("a rotation")
    }

    pub(super) async fn abort(&self, id: RotationId) {
        self.by_ana(Command::AbortRotation(id)).await;
    }

    /// Waits until the rotation's record fulfils the condition.
    pub(super) async fn until(&self, id: RotationId, what: impl Fn(&Rotation) -> bool) -> Rotation {
        let mut commits = self.engine().commits();
        let waiting = async {
            loop {
                commits.borrow_and_update();
                let rotation = self.record(id).await;
                if what(&rotation) {
                    return rotation;
                }
                commits.changed().await.expect("the engine lives");
            }
        };
        match tokio::time::timeout(LIMIT, waiting).await {
            Ok(rotation) => rotation,
            Err(_) => panic!("waited too long; the rotation is {:#?}", self.record(id).await),
        }
    }

    pub(super) async fn ends_at(&self, id: RotationId, stage: Stage) -> Rotation {
        let ended = self.until(id, Rotation::is_finished).await;
        assert_eq!(ended.stage, stage, "{ended:#?}");
        ended
    }

    async fn record(&self, id: RotationId) -> Rotation {
        let read = self.engine().read(move |reader| reader.record("rotation", &id.to_string())).await;
        match codec::item(&read.expect("the store answers").expect("a record")).expect("an item") {
            Item::Rotation(rotation) => rotation,
            other => panic!("{other:?}"),
        }
    }

    /// Everything that happened to the rotation.
    pub(super) async fn events(&self, id: RotationId) -> Vec<Event> {
        let read = self.engine().read(move |reader| {
            let entries = reader.entries_of(&id.to_string(), 0, 1_000)?;
            entries.iter().map(|entry| Ok(codec::decode(entry.index, &entry.leaf, reader)?.event)).collect()
        });
        read.await.expect("the store answers")
    }

    pub(super) fn value(&self, version: u32) -> Option<String> {
        let value = self.running().secrets.read(&secret(), version).expect("it opens");
        value.map(|value| value.expose().to_owned())
    }

    pub(super) fn sealed(&self) -> Vec<(u32, Kept)> {
        self.running().secrets.versions(&secret()).expect("the secrets answer")
    }

    /// Every byte a reader of the ledger can see: leaves, details, records and blobs.
    pub(super) async fn ledger_bytes(&self) -> Vec<Vec<u8>> {
        let read = self.engine().read(|reader| {
            let mut seen = Vec::new();
            for entry in reader.entries(0, 10_000)? {
                seen.extend(reader.details(entry.index)?.map(|details| details.body));
                seen.push(entry.leaf);
            }
            for kind in ["log", "policy", "person", "permit", "secret", "rotation", "incident"] {
                let query = RecordQuery { kind, status: None, before: None, limit: 1_000 };
                seen.extend(reader.records(&query)?.into_iter().map(|record| record.body));
            }
            Ok(seen)
        });
        let mut seen: Vec<Vec<u8>> = read.await.expect("the store answers");
        // The files themselves too: whatever the queries above do not reach.
        for file in ["ledger.db", "ledger.db-wal"] {
            seen.push(std::fs::read(self.folder.path().join(file)).expect("the file is there"));
        }
        seen
    }
}

/// Exports the case of each subject alone, without any leaf that it does not rest on, and verifies it.
fn every_case_verifies(reader: &mut dyn Reader, signer: &Ed25519Signer) {
    let alone = Limits { whole: 0, since_census: 0 };
    let keys = [signer.verifier()];
    let size = reader.head().expect("a head").size();
    for row in reader.subjects(size, "", 1_000).expect("subjects") {
        let subject = Some(row.subject.parse().expect("a subject"));
        let bundle =
            evidence::collect(reader, &Scope { subject, ..Scope::default() }, alone).expect("a bundle");
        let file = bundle::print(&bundle).expect("a page");
        let verified =
            verify::verify(file.as_bytes(), &Trust { origin: ORIGIN, keys: &keys, witnesses: None });
        assert!(verified.is_ok(), "{}: {verified:?}", row.subject);
    }
}

/// Every record, also of what came back from its own to change once more, is what the entries come to.
fn the_store_is_intact(database: &Path, signer: &Ed25519Signer) {
    let keys = [signer.verifier()];
    let trust = LogTrust { origin: ORIGIN, keys: &keys, redactions: Redactions::Explained };
    let report = fsck::check(&fsck::Request { database, trust, outside: None }, &mut |_| ());
    let report = report.expect("the store answers");
    assert!(report.is_clean() && report.records > 0, "{:#?}", report.findings);
}

/// The tasks of one step.
pub(super) fn tasks(rotation: &Rotation, step: Step) -> Vec<&Task> {
    rotation.tasks.iter().filter(|task| task.key.step == step).collect()
}

pub(super) fn is_done(task: &Task) -> bool {
    matches!(task.state, TaskState::Done { .. })
}

/// Writes a file that only its owner can read.
pub(super) fn write_private(path: &Path, text: &str) {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path).expect("a file");
    std::io::Write::write_all(&mut file, text.as_bytes()).expect("it is written");
}

fn log_signer() -> Ed25519Signer {
    Ed25519Signer::from_seed(ORIGIN, [7; 32]).expect("a signer")
}

fn policy() -> countersign_core::policy::Policy {
    let rule = |name: &str, verb: &str, resource: &str, environment: &str, approval: serde_json::Value| {
        let mut rule = serde_json::json!({
            "name": name, "verb": verb, "resource": resource, "environment": environment,
            "requesters": ["engineers"], "executors": ["engineers"],
            "pending_seconds": 3600, "approved_seconds": 600, "start_seconds": 60, "work_seconds": 600,
        });
        rule.as_object_mut().expect("an object").extend(approval.as_object().expect("an object").clone());
        rule
    };
    let quorum = serde_json::json!({ "approval": "required", "quorum": { "approvers": 1 } });
    let none = serde_json::json!({ "approval": "not-required" });
    serde_json::from_value(serde_json::json!({
        "name": "test",
        "groups": { "engineers": [ANA], "approvers": [BEN] },
        "access": { "read": ["engineers"] },
        "rules": [
            rule("activate", "activate", "policy/main", "control", quorum),
            rule("rotate", "rotate", "webhook-signing/stripe", "production", none),
        ],
        "secrets": [{
            "resource": "webhook-signing/stripe", "environment": "production", "scheme": "stripe",
            "consumers": ["app-a", "app-b"], "signer": "provider", "min_overlap_seconds": 1, "dwell_ms": 1,
            "attempts": ATTEMPTS, "runbook": "https://runbooks.test/{rotation}",
            "dashboard": "https://grafana.test/?from={from_ms}&to={to_ms}",
        }],
    }))
    .expect("a policy")
}
