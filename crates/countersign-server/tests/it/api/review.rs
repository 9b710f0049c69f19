//! The access review over HTTP: who may do what through which groups, who did, what is stale; bound to the log, and the same each time.

use countersign_core::digest::Digest;
use countersign_core::id::CorrelationId;
use countersign_core::{Actor, Event, Fact, State};
use countersign_ledger::hash::Hash;
use countersign_ledger::tree::CompactRange;
use countersign_server::review::{Kind, Scope, make};
use countersign_server::store::Tree;
use countersign_server::store::memory::MemoryStore;
use serde_json::{Value, json};

use super::harness::{Api, Call, payout, ping, policy};
use super::tokens;
use crate::engine::fixture::{AUD, BEN, CHLOE};

const DAY: i64 = 24 * 60 * 60;

async fn review(api: &Api, query: &str) -> Value {
    api.ok(Call::get(format!("/admin/access-review{query}")).by("Aud")).await.json
}

/// The rows of a section that have all of these words.
fn rows<'a>(review: &'a Value, section: &str, words: &[(&str, &str)]) -> Vec<&'a Value> {
    let rows = review[section].as_array().expect("rows");
    let fits = |row: &&Value| {
        words
            .iter()
            .all(|(key, word)| row[key] == *word || row[key]["name"] == *word || row[key]["id"] == *word)
    };
    rows.iter().filter(fits).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_did_is_held_against_what_they_may() {
    let api = Api::start().await;
    let mut request = payout();
    request["approval"] = json!(api.approved(&request).await);
    api.ok(Call::post("/admin/permits", &request).by("Ana")).await;
    let review = review(&api, "").await;
    let used = |right: &str, person: &str| {
        let held = rows(&review, "rights", &[("right", right), ("rule", "payout"), ("person", person)]);
        assert_eq!(held.len(), 1, "{right} by {person}");
        held[0]["uses"].clone()
    };
    for (right, person) in [("request", "Ana"), ("approve", "Ben"), ("approve", "Chloe"), ("execute", "Ana")]
    {
        assert_eq!(used(right, person), 1, "{right} by {person}");
    }
    let other = rows(&review, "rights", &[("rule", "rotate"), ("right", "approve"), ("person", "Ben")]);
    assert_eq!((&other[0]["uses"], other[0].get("last_used_at")), (&json!(0), None));
    let read = rows(&review, "rights", &[("right", "read"), ("person", "Aud")]);
    assert_eq!(
        (&read[0]["rule"], read[0].get("uses")),
        (&json!("access"), None),
        "who reads leaves no entry"
    );
    assert!(rows(&review, "rights", &[("person", "Eve")]).is_empty(), "Eve may nothing");
    assert_eq!(rows(&review, "people", &[("person", "Eve")])[0]["groups"], json!(["guests"]));
    assert!(review["stale"].as_array().expect("rows").is_empty(), "everybody is new: {}", review["stale"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_some_days_what_nobody_used_is_stale() {
    let api = Api::start().await;
    let asked = api.ok(Call::post("/admin/approvals", &payout()).by("Ana")).await.id();
    api.clock.forward(31 * DAY);
    api.ok(Call::post("/admin/permits", &ping()).by("Ana")).await;
    let (unused, _) = tokens::issued(&api, 1).await;
    let (used, token) = tokens::issued(&api, 2).await;
    api.ok(Call::post("/admin/permits", &ping()).by(token).from("10.1.2.3")).await;
    let me = api.ok(Call::get("/admin/people/me").by("Eve")).await.id();
    api.ok(Call::post(format!("/admin/people/{me}/deactivate"), &json!({})).by("Ana")).await;
    let review = review(&api, "?days=30").await;
    let stale = |kind: &str, person: &str| rows(&review, "stale", &[("kind", kind), ("person", person)]);
    assert_eq!(stale("person-inactive", "Ben").len(), 1);
    assert!(stale("person-inactive", "Ana").is_empty());
    let ana: Vec<_> = stale("right-unused", "Ana").iter().map(|it| it["what"].clone()).collect();
    assert_eq!(ana, ["break-glass as a member of engineers", "request as a member of engineers"], "{asked}");
    assert_eq!(stale("right-unused", "Chloe")[0]["what"], "approve as a member of approvers");
    assert_eq!(stale("member-deactivated", "Eve")[0]["what"], "guests");
    let tokens: Vec<_> = rows(&review, "stale", &[("kind", "token-unused")]);
    assert_eq!(
        tokens.iter().map(|it| it["what"].clone()).collect::<Vec<_>>(),
        [unused.clone(), used],
        "not on record yet"
    );
    assert_eq!(rows(&review, "tokens", &[("id", &unused)])[0]["uses"], 0);
    // A longer look finds what the shorter one does not.
    let longer = self::review(&api, "?days=60").await;
    assert_eq!(rows(&longer, "rights", &[("rule", "payout"), ("right", "request")])[0]["uses"], 1);
}

/// Who or what can execute what, by which token, until when, and by whose ownership.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scopes_of_tokens_are_held_against_what_their_owners_may() {
    let api = Api::start().await;
    let (id, _) = tokens::issued(&api, 1).await;
    let before = review(&api, "").await;
    let token = rows(&before, "tokens", &[("id", &id)])[0];
    let scopes: Vec<_> = token["scopes"].as_array().expect("scopes").iter().collect();
    let grants = token["grants"].as_array().expect("grants");
    let executes: Vec<_> = grants.iter().filter(|grant| grant["right"] == "execute").collect();
    assert!(
        !executes.is_empty() && executes.iter().all(|grant| scopes.contains(&&grant["scope"])),
        "{token}"
    );
    for grant in &executes {
        let (rule, group) = (grant["rule"].as_str().expect("text"), grant["group"].as_str().expect("text"));
        let words = [("rule", rule), ("right", "execute"), ("person", "Ana"), ("group", group)];
        let held = rows(&before, "rights", &words);
        assert_eq!(held.len(), 1, "by ownership: {grant}");
        assert_eq!((&grant["verb"], &grant["resource"]), (&held[0]["verb"], &held[0]["resource"]));
        assert_eq!(grant["environment"], token["environment"]);
    }
    assert_eq!(token["owner"]["name"], "Ana");
    assert!(token["expires_at"].as_str() > token["issued_at"].as_str());
    assert!(rows(&before, "stale", &[("kind", "scope-unusable")]).is_empty(), "{}", before["stale"]);

    // Under a policy that lets Ana execute nothing of it any more, the scopes are left, and mean nothing.
    let mut weaker = serde_json::to_value(policy()).expect("JSON");
    for rule in weaker["rules"].as_array_mut().expect("rules") {
        if rule["environment"] == token["environment"] && rule["verb"] != "issue" {
            (rule["requesters"], rule["executors"]) = (json!(["guests"]), json!(["guests"]));
        }
    }
    let scope = |environment: &str| Scope {
        size: api.engine.size(),
        state: std::sync::Arc::clone(&state_with(&api, &weaker)),
        until: api.engine.now(),
        days: 90,
        environment: Some(environment.parse().expect("a name")),
    };
    let (here, elsewhere) = (scope(token["environment"].as_str().expect("text")), scope("nowhere"));
    let made = api.engine.read(move |reader| {
        Ok([here, elsewhere].map(|scope| make(reader, &scope).map_err(|error| error.to_string())))
    });
    let [here, elsewhere] = made.await.expect("it is read").map(|made| made.expect("a review"));
    assert!(here.grants.is_empty());
    let unusable = here.stale.iter().filter(|it| it.kind == Kind::ScopeUnusable);
    assert_eq!(unusable.count(), scopes.len(), "{:?}", here.stale);
    assert!(elsewhere.stale.iter().all(|it| it.kind != Kind::ScopeUnusable), "that is not looked at");
}

/// The present state, but under another policy.
fn state_with(api: &Api, policy: &Value) -> std::sync::Arc<State> {
    let mut state = State::clone(&api.engine.state());
    let nothing =
        json!({ "policy_sha256": Digest::of(b"another").to_string(), "approval": null, "bootstrap": false });
    let fact = Fact::decode("policy.activated", "policy", &nothing).expect("an event");
    let mut event = Event {
        at: api.engine.now(),
        actor: Actor::Node,
        correlation: CorrelationId(1),
        environment: None,
        fact,
    };
    event.resolve(serde_json::from_value(policy.clone()).expect("a policy"));
    countersign_core::apply(&mut state, &event);
    std::sync::Arc::new(state)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_in_groups_are_seen_through_and_an_environment_can_be_named() {
    let mut nested = serde_json::to_value(policy()).expect("JSON");
    nested["groups"] = json!({
        "engineers": nested["groups"]["engineers"], "guests": nested["groups"]["guests"], "auditors": [AUD],
        "approvers": [BEN], "seniors": [], "owners": [CHLOE],
    });
    nested["nested"] = json!({ "approvers": ["seniors"], "seniors": ["owners"] });
    let policy = serde_json::from_value(nested).expect("a policy");
    let api = Api::over(Box::new(MemoryStore::new()), policy).await;
    let whole = review(&api, "").await;
    let held =
        |person| rows(&whole, "rights", &[("rule", "payout"), ("right", "approve"), ("person", person)]);
    assert_eq!(held("Chloe")[0]["through"], json!(["owners"]));
    assert_eq!(held("Ben")[0].get("through"), None);
    assert_eq!(
        rows(&whole, "people", &[("person", "Chloe")])[0]["groups"],
        json!(["approvers", "owners", "seniors"])
    );

    let production = review(&api, "?environment=production").await;
    assert!(!rows(&production, "rights", &[("rule", "payout")]).is_empty());
    assert!(rows(&production, "rights", &[("rule", "activate")]).is_empty());
    for (query, why) in [("?days=0", "`days` is 1 to 3660"), ("?days=3661", "`days`"), ("?day=3", "day")] {
        let answer = api.call(Call::get(format!("/admin/access-review{query}")).by("Aud")).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "malformed"), "{query}");
        assert!(answer.json["detail"].as_str().is_some_and(|it| it.contains(why)), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_review_is_of_one_log_and_comes_out_the_same_again() {
    let api = Api::start().await;
    api.permit().await;
    let (one, other) = (review(&api, "").await, review(&api, "").await);
    let without_times = |review: &Value| {
        let mut review = review.clone();
        (review["from"], review["until"]) = (Value::Null, Value::Null);
        review
    };
    assert_eq!(without_times(&one), without_times(&other));
    let size = one["log"]["size"].as_u64().expect("a size");
    assert_eq!(size, api.engine.size());
    api.permit().await;
    let root: Hash = api
        .engine
        .read(move |reader| Ok(CompactRange::read(&Tree::over(reader), size)?.root()))
        .await
        .expect("a root");
    assert_eq!(one["log"]["root"], root.to_string());
    assert_ne!(review(&api, "").await["log"]["root"], one["log"]["root"]);
}

/// The other approver voted long ago on what is denied today: the request is looked up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vote_counts_though_the_request_is_older_than_what_is_looked_at() {
    let mut lasting = serde_json::to_value(policy()).expect("JSON");
    for rule in lasting["rules"].as_array_mut().expect("rules") {
        rule["pending_seconds"] = json!(3 * DAY);
    }
    let api =
        Api::over(Box::new(MemoryStore::new()), serde_json::from_value(lasting).expect("a policy")).await;
    let id = api.ok(Call::post("/admin/approvals", &payout()).by("Ana")).await.id();
    api.clock.forward(2 * DAY);
    api.ok(Call::post(format!("/admin/approvals/{id}/approve"), &json!({})).by("Ben")).await;
    let review = review(&api, "?days=1").await;
    let held =
        |right, person| rows(&review, "rights", &[("rule", "payout"), ("right", right), ("person", person)]);
    assert_eq!(held("approve", "Ben")[0]["uses"], 1);
    assert_eq!(held("request", "Ana")[0]["uses"], 0);
}
