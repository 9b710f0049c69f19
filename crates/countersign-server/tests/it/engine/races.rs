//! Many at once, on one engine and on two over one store: of everything that only one may get, one gets it, and each request comes to one
//! end.

use countersign_core::id::{ApprovalId, PersonId};
use countersign_core::{Actor, Command, Fact, permit};
use countersign_server::engine::{Engine, EngineError, Submission};
use countersign_server::store::memory::MemoryStore;

use super::fixture::{ANA, BEN, CHLOE, approved, by, options, requested, reserve, started};

/// Tasks that race for one thing.
const RACERS: usize = 64;

/// One engine, and another over the same store. A file takes one writer only, so the store is one that several may write.
async fn two_engines() -> [Engine; 2] {
    let store = MemoryStore::new();
    let first = started(Box::new(store.clone())).await;
    let second = Engine::start(Box::new(store), options());
    [first, second.expect("the engine starts")]
}

/// Submits all at once, each to the next engine in turn; what each came to, in words.
async fn race(engines: &[Engine], commands: Vec<(PersonId, Command)>) -> Vec<String> {
    let tasks = commands.into_iter().zip(engines.iter().cycle()).map(|((who, command), engine)| {
        let engine = engine.clone();
        tokio::spawn(async move { engine.submit(Submission::new(Actor::Person(who), command)).await })
    });
    let tasks: Vec<_> = tasks.collect();
    let mut words = Vec::new();
    for task in tasks {
        words.push(match task.await.expect("no panic") {
            Ok(committed) => {
                committed.events.last().map_or_else(String::new, |event| event.fact.kind().to_owned())
            }
            Err(EngineError::Refused(refusal)) => refusal.code().to_owned(),
            Err(error) => error.to_string(),
        });
    }
    words
}

fn count(words: &[String], word: &str) -> usize {
    words.iter().filter(|it| *it == word).count()
}

/// Everything on record about a request, oldest first.
async fn history(engine: &Engine, id: ApprovalId) -> Vec<String> {
    let entries = engine.read(move |reader| reader.entries_of(&id.to_string(), 0, 1_000)).await;
    let kind = |leaf: &[u8]| {
        let leaf: serde_json::Value = serde_json::from_slice(leaf).expect("JSON");
        leaf["kind"].as_str().expect("a kind").to_owned()
    };
    entries.expect("readable").iter().map(|entry| kind(&entry.leaf)).collect()
}

async fn stop(engines: &[Engine]) {
    for engine in engines {
        engine.stop().await;
    }
}

/// One approval, many reservations: exactly one permit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consume_race() {
    let both = two_engines().await;
    for engines in [&both[..1], &both[..]] {
        let approval = approved(&both[0]).await;

        let words = race(engines, vec![(ANA, reserve(approval)); RACERS]).await;
        assert_eq!(count(&words, "permit.reserved"), 1, "{words:?}");
        assert_eq!(count(&words, "approval_consumed"), RACERS - 1, "{words:?}");
        let history = history(&both[1], approval).await;
        assert_eq!(count(&history, "approval.consumed"), 1, "{history:?}");
    }
    stop(&both).await;
}

/// Votes, denials, withdrawals and reservations of one request at once: each person counts once, and the request ends once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn votes_denials_and_withdrawals_come_to_one_end() {
    let both = two_engines().await;
    for engines in [&both[..1], &both[..]] {
        let id = requested(&both[0]).await;
        let commands = (0..RACERS).map(|number| match number % 5 {
            0 => (BEN, Command::Approve(id.into())),
            1 => (CHLOE, Command::Approve(id.into())),
            2 => (ANA, reserve(id)),
            3 => (CHLOE, Command::Deny(id)),
            _ => (ANA, Command::Withdraw(id)),
        });
        let words = race(engines, commands.collect()).await;
        let history = history(&both[1], id).await;
        let ends = ["approval.consumed", "approval.denied", "approval.withdrawn"];
        let ended: Vec<_> = history.iter().filter(|kind| ends.contains(&kind.as_str())).collect();
        assert_eq!(ended.len(), 1, "{history:?}");
        assert_eq!(history.last(), ended.first().copied(), "nothing happens after the end: {history:?}");
        assert!(count(&history, "approval.granted") <= 2, "{history:?}");
        let permits = count(&words, "permit.reserved");
        assert_eq!(permits, count(&history, "approval.consumed"), "{words:?} {history:?}");
        if permits == 1 {
            assert_eq!(count(&history, "approval.completed"), 1, "no permit without its quorum");
        }
    }
    stop(&both).await;
}

/// One permit, started, given back and reserved again at once: it is never both under way and given back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permit_is_started_or_given_back() {
    let both = two_engines().await;
    let approval = approved(&both[0]).await;
    let committed = by(&both[0], ANA, reserve(approval)).await.expect("reserved");
    let permit = committed.events.iter().find_map(|event| match &event.fact {
        Fact::PermitReserved(id, permit::Reserved { .. }) => Some(*id),
        _ => None,
    });
    let id = permit.expect("a permit");
    let commands = (0..RACERS).map(|number| match number % 2 {
        0 => (ANA, Command::StartPermit(id)),
        _ => (ANA, Command::ReleasePermit(id)),
    });
    let words = race(&both, commands.collect()).await;
    let (begun, back) = (count(&words, "permit.started"), count(&words, "approval.restored"));
    assert_eq!(begun + back, 1, "{words:?}");
    stop(&both).await;
}
