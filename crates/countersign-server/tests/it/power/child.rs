//! The child: an engine on SQLite that reserves permits on order and says which were acknowledged.
//!
//! One thread runs all tasks in the order in which they were woken, so when it says `bye`, whatever was acknowledged before the
//! order to end came in has been said.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use countersign_core::digest::Digest;
use countersign_core::log::Bootstrap;
use countersign_core::permit::Reserve;
use countersign_core::person::{ClaimCredential, Person};
#[cfg(feature = "sabotage")]
use countersign_core::sabotage::{self, Sabotage};
use countersign_core::{Actor, Command};
use countersign_server::engine::{Engine, EngineError, Submission};
use countersign_server::store::sqlite::SqliteStore;
use tokio::sync::mpsc;

use crate::child::say;
use crate::engine::fixture::{self, Setup};

/// Where the child keeps its data.
pub(super) const FOLDER: &str = "POWER_FOLDER";

/// Which rule the child breaks.
pub(super) const SABOTAGE: &str = "COUNTERSIGN_SABOTAGE";

/// Options of an engine whose last checkpoint is kept beside the database.
pub(super) fn options(folder: &Path) -> countersign_server::engine::Options {
    countersign_server::engine::Options { anchor: Some(folder.join("checkpoint")), ..fixture::options() }
}

/// Obeys: `reserve N` reserves N permits at once, says `permit ID` or `unavailable WHY` for each and then `done`; `end` says `bye`.
pub(crate) fn play() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(obey(PathBuf::from(std::env::var(FOLDER).expect("a folder"))));
}

async fn obey(folder: PathBuf) {
    let store = Box::new(open(&folder.join("ledger.db")));
    let engine = Engine::start(store, options(&folder)).expect("the engine starts");
    begin(&engine).await;
    say("ready");
    let mut orders = orders();
    while let Some(order) = orders.recv().await {
        match order.split_once(' ') {
            Some(("reserve", count)) => {
                tokio::spawn(reserve(engine.clone(), count.parse().expect("a number")));
            }
            _ => say("bye"),
        }
    }
}

/// Genesis, and a credential for whoever reserves: as far as neither is on the disk. Nobody remembers a claim through a power cut, so this one
/// is always the same.
async fn begin(engine: &Engine) {
    let claim_sha256 = Digest::of(b"claim");
    let submit = async |command| {
        engine.submit(Submission::new(Actor::Node, command)).await.expect("it is taken");
    };
    if engine.state().log().is_none() {
        let Setup { policy, .. } = Setup::default();
        let canonical = serde_json::to_value(&policy).expect("JSON");
        let canonical = countersign_ledger::json::to_canonical(&canonical).expect("strict JSON");
        let others = [fixture::BEN, fixture::CHLOE, fixture::AUD];
        let others = others.map(|person| (person, Digest::of(person.to_string().as_bytes())));
        submit(Command::Bootstrap(Bootstrap {
            origin: fixture::ORIGIN.into(),
            log_key: fixture::signer().vkey(),
            people: [(fixture::ANA, claim_sha256)].into_iter().chain(others).collect(),
            policy_sha256: Digest::of(&canonical),
            policy,
            secrets: Vec::new(),
        }))
        .await;
    }
    if !engine.state().person(fixture::ANA).is_some_and(Person::is_active) {
        let credential_sha256 = Digest::of(b"credential");
        submit(Command::ClaimCredential(ClaimCredential { claim_sha256, credential_sha256 })).await;
    }
}

#[cfg(not(feature = "sabotage"))]
fn open(database: &Path) -> SqliteStore {
    SqliteStore::open(database).expect("the store opens")
}

#[cfg(feature = "sabotage")]
fn open(database: &Path) -> SqliteStore {
    if let Ok(name) = std::env::var(SABOTAGE) {
        sabotage::activate(name.parse().expect("a sabotage"));
    }
    let unsynced = sabotage::is_active(Sabotage::SynchronousOff);
    let opened = if unsynced { SqliteStore::open_unsynced(database) } else { SqliteStore::open(database) };
    opened.expect("the store opens")
}

async fn reserve(engine: Engine, count: usize) {
    let attempts: Vec<_> = (0..count).map(|_| tokio::spawn(one(engine.clone()))).collect();
    for attempt in attempts {
        attempt.await.expect("the task ends");
    }
    say("done");
}

async fn one(engine: Engine) {
    let reserve = Reserve {
        action: fixture::ping(),
        parameters_sha256: Digest::of(b"{}"),
        approval: None,
        exceptions: Vec::new(),
    };
    let submission = Submission::new(Actor::Person(fixture::ANA), Command::ReservePermit(reserve))
        .with_details(format!("{{\"reason\":\"{}\"}}", "x".repeat(512)).into_bytes());
    match engine.submit(submission).await {
        Ok(committed) => {
            committed.events.iter().for_each(|event| say(&format!("permit {}", event.fact.subject())));
        }
        Err(EngineError::Unavailable(why)) => say(&format!("unavailable {why}")),
        Err(other) => panic!("{other}"),
    }
}

/// The parent's lines, read by a thread because the runtime must never wait for them.
fn orders() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
