//! Many at once, on one engine and on two over one store: of everything that only one may get, one gets it, and each request comes to one
//! end.

use countersign_core::id::{ApprovalId, PersonId};
use countersign_core::{Actor, Command, Fact, permit, person};
use countersign_server::engine::{Engine, EngineError, Submission};
use countersign_server::store::memory::MemoryStore;

use serde_json::json;

use super::fixture::{
    ANA, BEN, CHLOE, Setup, approved, begun, by, options, policy, replace, requested, reserve, started,
    verify,
};

/// A third approver.
const SPARE: PersonId = PersonId(5);

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

/// The fixture's log with a fifth person who may approve too, and engineers who deactivate people without asking.
async fn with_a_spare(store: &MemoryStore) -> Engine {
    let mut policy = serde_json::to_value(policy()).expect("JSON");
    policy["groups"]["approvers"] = json!([BEN, CHLOE, SPARE]);
    let mut rule = policy["rules"][2].clone();
    for (key, value) in [("name", "deactivate"), ("verb", "deactivate"), ("resource", "person/*")] {
        rule[key] = json!(value);
    }
    rule["environment"] = json!("control");
    rule["patterns"] = json!(true);
    policy["rules"].as_array_mut().expect("rules").push(rule);
    let mut setup = Setup { policy: serde_json::from_value(policy).expect("a policy"), ..Setup::default() };
    setup.people.push((SPARE, "Spare"));
    let (engine, claims) = begun(Box::new(store.clone()), setup).await;
    for claim in &claims {
        replace(&engine, claim).await;
    }
    engine
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

/// A vote, the deactivation of who gives it, and the reservation that needs it, at once: the permit rests on a vote that counted when it was
/// reserved, or there is none. The auditor agrees.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_deactivated_agrees_before_or_not_at_all() {
    for first in 0..3 {
        let store = MemoryStore::new();
        let engine = with_a_spare(&store).await;
        let id = requested(&engine).await;
        by(&engine, CHLOE, Command::Approve(id.into())).await.expect("the vote counts");
        let deactivate = person::Deactivate { person: BEN, under: None };
        let commands = (0..RACERS).map(|number| match (number + first) % 3 {
            0 => (BEN, Command::Approve(id.into())),
            1 => (ANA, reserve(id)),
            _ => (ANA, Command::DeactivatePerson(deactivate.clone())),
        });
        let words = race(std::slice::from_ref(&engine), commands.collect()).await;
        assert_eq!(count(&words, "person.deactivated"), 1, "{words:?}");
        let told = log(&engine).await;
        let at = |kind: &str, of: &str| told.iter().position(|it| *it == (kind.to_owned(), of.to_owned()));
        let (ben, id) = (BEN.to_string(), id.to_string());
        let gone = at("person.deactivated", &ben).expect("it is on record");
        let voted = told.iter().rposition(|it| *it == ("approval.granted".to_owned(), id.clone()));
        assert!(voted < Some(gone), "nobody agrees once they are gone: {told:?}");
        let permits = count(&words, "permit.reserved");
        let consumed = at("approval.consumed", &id);
        assert_eq!(permits, usize::from(consumed.is_some()), "{words:?}");
        assert!(consumed.is_none_or(|consumed| consumed < gone), "no permit without its quorum: {told:?}");
        let live = engine.state();
        let pending = live.approval(id.parse().expect("an id")).is_some_and(|it| it.ended.is_none());
        assert_ne!(pending, permits == 1, "used, or open for others");
        engine.stop().await;
        verify(&mut store.clone());
    }
}

/// Kind and subject of every entry.
async fn log(engine: &Engine) -> Vec<(String, String)> {
    let entries = engine.read(|reader| reader.entries(0, 1_000)).await.expect("readable");
    let text = |leaf: &serde_json::Value, key: &str| leaf[key].as_str().expect("text").to_owned();
    let told = entries.iter().map(|entry| serde_json::from_slice(&entry.leaf).expect("JSON"));
    told.map(|leaf| (text(&leaf, "kind"), text(&leaf, "subject"))).collect()
}
