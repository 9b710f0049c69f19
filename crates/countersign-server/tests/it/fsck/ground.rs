//! A database in which a bit of everything happened, made once and copied for each test.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, PermitId};
use countersign_core::log::ActivatePolicy;
use countersign_core::permit::{Finish, Outcome, Reserve};
use countersign_core::person::NoteRefusals;
use countersign_core::time::Time;
use countersign_core::{Actor, Command, Subject, approval};
use countersign_ledger::hash::sha256;
use countersign_ledger::json;
use countersign_ledger::note::VerifierKey;
use countersign_ledger::verify::{Redactions, Trust};
use countersign_server::engine::{Engine, IdempotencyKey, Options, Submission, census};
use countersign_server::fsck::{self, Report, Request};
use countersign_server::store::sqlite::SqliteStore;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::engine::fixture::{self, ANA, AUD, BEN, CHLOE, ORIGIN, by, signer};
use crate::engine::redaction::redact;
use crate::moved_clock::MovedClock;

/// More than a permit may take: so long passes in the original.
const AHEAD_MS: i64 = 700_000;

/// A database of a test's own, and the checkpoint kept outside it.
pub(super) struct Ground {
    folder: TempDir,
}

/// The folder with the original, and the database as it was some entries ago.
fn original() -> &'static TempDir {
    static ORIGINAL: OnceLock<TempDir> = OnceLock::new();
    ORIGINAL.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().to_owned();
        // A thread of its own, because the tests have runtimes of theirs.
        std::thread::spawn(move || {
            tokio::runtime::Runtime::new().expect("a runtime").block_on(happens(&path));
        })
        .join()
        .expect("the original is made");
        folder
    })
}

fn start(folder: &Path, clock: &Arc<MovedClock>) -> Engine {
    let store = SqliteStore::open(folder.join("ledger.db")).expect("a store");
    let (signer, anchor) = (Arc::new(signer()), Some(folder.join("checkpoint")));
    let clock = Arc::clone(clock) as _;
    Engine::start(Box::new(store), Options { signer, next_signer: None, anchor, clock }).expect("an engine")
}

/// More than two tiles of entries under three checkpoints, with censuses, policies, details, a redaction, answered requests and late
/// evidence.
async fn happens(folder: &Path) {
    let clock = Arc::new(MovedClock::default());
    let engine = start(folder, &clock);
    fixture::genesis(&engine).await;
    let lost = started(&engine).await;
    clock.ahead_ms.store(AHEAD_MS, Ordering::SeqCst);
    node(&engine, Command::Elapse(Subject::Permit(lost))).await;
    noted(&engine, 300).await;
    census::take(&engine, engine.size()).await.expect("a census");
    engine.stop().await;
    drop(engine);

    let engine = start(folder, &clock);
    // The permit was finished, retired and forgotten; now its outcome becomes known.
    let finish = Finish { permit: lost, outcome: Outcome::Succeeded };
    by(&engine, ANA, Command::FinishPermit(finish)).await.expect("late evidence");
    another_policy(&engine).await;
    for number in 0..4 {
        let permit = started(&engine).await;
        let key = IdempotencyKey { key: format!("key {number}"), body_sha256: sha256(b"body") };
        let finish = Finish { permit, outcome: Outcome::Succeeded };
        let submission = Submission::new(Actor::Person(ANA), Command::FinishPermit(finish));
        let details = format!(r#"{{"note":"the end of {number}"}}"#).into_bytes();
        engine.submit(submission.with_details(details).with_idempotency(key)).await.expect("finished");
    }
    engine.stop().await;
    drop(engine);
    SqliteStore::copy(folder.join("ledger.db"), folder.join("earlier.db")).expect("a backup");

    let engine = start(folder, &clock);
    noted(&engine, 400).await;
    let enrolled = engine.read(|reader| reader.entries_of(&AUD.to_string(), 0, 1)).await.expect("readable");
    redact(&engine, &[enrolled[0].index]).await.expect("redacted");
    census::take(&engine, engine.size()).await.expect("a census");
    fixture::requested(&engine).await;
    engine.stop().await;
}

async fn node(engine: &Engine, command: Command) {
    engine.submit(Submission::new(Actor::Node, command)).await.expect("it happens");
}

async fn noted(engine: &Engine, count: u32) {
    let (from, until) = (Time::from_millis(1), Time::from_millis(2));
    let one = std::num::NonZeroU32::MIN;
    let note = |person| NoteRefusals { person, action: None, code: "no_rule", count: one, from, until };
    for number in 0..count {
        let person = if number % 2 == 0 { ANA } else { BEN };
        node(engine, Command::NoteRefusals(note(person))).await;
    }
}

/// A permit that was approved, reserved and started.
async fn started(engine: &Engine) -> PermitId {
    let approval = approved(engine, "parameters", fixture::payout()).await;
    let reserved = by(engine, ANA, fixture::reserve(approval)).await.expect("reserved");
    let made = reserved.events.iter().find_map(|event| match event.fact.subject() {
        Subject::Permit(id) => Some(id),
        _ => None,
    });
    let permit = made.expect("a permit");
    by(engine, ANA, Command::StartPermit(permit)).await.expect("started");
    let ping = Reserve {
        action: fixture::ping(),
        parameters_sha256: Digest::of(b""),
        approval: None,
        exceptions: Vec::new(),
    };
    by(engine, ANA, Command::ReservePermit(ping)).await.expect("another permit");
    permit
}

async fn approved(engine: &Engine, parameters: &str, action: countersign_core::action::Action) -> ApprovalId {
    let parameters_sha256 = Digest::of(parameters.as_bytes());
    let request = Command::RequestApproval(approval::Request { action, parameters_sha256 });
    let details = format!(r#"{{"reason":"because of {parameters}"}}"#).into_bytes();
    let submission = Submission::new(Actor::Person(ANA), request).with_details(details);
    let requested = engine.submit(submission).await.expect("requested");
    let Some(Subject::Approval(id)) = requested.events.first().map(|event| event.fact.subject()) else {
        panic!("not a request")
    };
    for approver in [BEN, CHLOE] {
        by(engine, approver, Command::Approve(id.into())).await.expect("approved");
    }
    id
}

async fn another_policy(engine: &Engine) {
    let mut policy = fixture::policy();
    policy.name = "another".parse().expect("a name");
    let policy_sha256 = Digest(sha256(&json::to_canonical(&policy).expect("canonical")).0);
    let action = countersign_core::log::activation().expect("an action");
    let approval = approved(engine, "policy", action).await;
    let parameters_sha256 = Digest::of(b"policy");
    let activate = ActivatePolicy { policy, policy_sha256, approval, parameters_sha256 };
    by(engine, ANA, Command::ActivatePolicy(activate)).await.expect("activated");
}

impl Ground {
    pub(super) fn new() -> Self {
        let (folder, original) = (tempfile::tempdir().expect("a folder"), original());
        for name in ["ledger.db", "earlier.db"] {
            SqliteStore::copy(original.path().join(name), folder.path().join(name)).expect("a copy");
        }
        std::fs::copy(original.path().join("checkpoint"), folder.path().join("checkpoint")).expect("a copy");
        Self { folder }
    }

    pub(super) fn database(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    /// A server over the database.
    pub(super) fn engine(&self) -> Engine {
        let clock = MovedClock::ahead(AHEAD_MS);
        start(self.folder.path(), &Arc::new(clock))
    }

    pub(super) fn earlier(&self) -> PathBuf {
        self.folder.path().join("earlier.db")
    }

    /// The last signed checkpoint.
    pub(super) fn checkpoint(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("checkpoint")).expect("a checkpoint")
    }

    pub(super) fn connection(&self) -> Connection {
        Connection::open(self.database()).expect("a connection")
    }

    /// Runs statements against the file.
    pub(super) fn sql(&self, statements: &str) {
        let done = self.connection().execute_batch(statements);
        assert_eq!(done, Ok(()), "{statements}");
    }

    /// One number from the file.
    pub(super) fn number(&self, query: &str) -> i64 {
        self.connection().query_row(query, [], |row| row.get(0)).expect("a number")
    }

    pub(super) fn check(&self) -> Report {
        self.with(|request| fsck::check(request, &mut |_| ()).expect("the store answers"))
    }

    /// Everything that is found, by kind.
    pub(super) fn kinds(&self) -> BTreeSet<&'static str> {
        self.check().counts.iter().map(|counted| counted.kind.code()).collect()
    }

    pub(super) fn with<T>(&self, ask: impl FnOnce(&Request<'_>) -> T) -> T {
        let (database, outside) = (self.database(), self.checkpoint());
        let keys = [VerifierKey::parse(&signer().vkey()).expect("a key")];
        let trust = Trust { origin: ORIGIN, keys: &keys, redactions: Redactions::None };
        ask(&Request { database: &database, trust, outside: Some(&outside) })
    }

    /// Everything in the file, table by table.
    pub(super) fn contents(&self) -> Vec<String> {
        let connection = self.connection();
        let tables = [
            "entries",
            "details",
            "blobs",
            "nodes",
            "head",
            "records",
            "idempotency",
            "snapshot",
            "checkpoints",
        ];
        let mut rows = Vec::new();
        for table in tables {
            let mut statement =
                connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).expect("a table");
            let columns = statement.column_count();
            let mut found = statement.query([]).expect("rows");
            while let Some(row) = found.next().expect("a row") {
                let values = (0..columns).map(|column| row.get_ref(column).map(|value| format!("{value:?}")));
                let values: Result<Vec<_>, _> = values.collect();
                rows.push(format!("{table}: {}", values.expect("values").join(" ")));
            }
        }
        rows
    }
}
