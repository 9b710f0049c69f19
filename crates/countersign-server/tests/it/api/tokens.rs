//! Service tokens over HTTP: what a token reaches, where it comes from, and when it ends.

use countersign_ledger::hash::sha256;
use countersign_server::store::memory::MemoryStore;
use serde_json::{Value, json};

use super::coverage::Row;
use super::harness::{Api, Call, payout, ping, policy};
use crate::store::faulty::{Fault, Faults, FaultyStore};

/// A token's text stands for what its holder drew.
pub(super) const TOKENS: [&str; 4] = ["token-0", "token-1", "token-2", "token-3"];

const TOKENS_ROUTE: &str = "/admin/service-tokens";

/// A request for the token of this number, for payouts and pings from one network.
fn wanted(number: usize) -> Value {
    json!({
        "resource": "service-token/deployer", "environment": "production",
        "scopes": ["override:payout/limit", "ping:probe/any"], "networks": ["10.0.0.0/8"],
        "lifetime_seconds": 900, "token_sha256": sha256(TOKENS[number].as_bytes()).to_string(),
    })
}

/// Its id and its text.
pub(super) async fn issued(api: &Api, number: usize) -> (String, &'static str) {
    (api.ok(Call::post(TOKENS_ROUTE, &wanted(number)).by("Ana")).await.id(), TOKENS[number])
}

fn narrower(number: usize) -> Value {
    json!({
        "scopes": ["ping:probe/any"], "lifetime_seconds": 60,
        "token_sha256": sha256(TOKENS[number].as_bytes()).to_string(),
    })
}

/// A request with a token, from inside its network.
fn with(call: Call, token: &'static str) -> Call {
    call.by(token).from("10.1.2.3")
}

/// Rows for the coverage of all routes.
pub(super) async fn posting(api: &Api, route: &str) -> Option<Row> {
    let row = |call, right, wrong: (&'static str, u16, &'static str)| Row {
        call,
        right,
        wrong: wrong.0,
        told: (wrong.1, wrong.2),
    };
    Some(match route {
        "POST /admin/service-tokens" => {
            row(Call::post(TOKENS_ROUTE, &wanted(1)), "Ana", ("Ben", 403, "not_an_executor"))
        }
        "POST /admin/service-tokens/exchange" => {
            issued(api, 1).await;
            let call = Call::post(format!("{TOKENS_ROUTE}/exchange"), &narrower(2)).from("10.1.2.3");
            row(call, TOKENS[1], ("Ana", 403, "not_a_token"))
        }
        "POST /admin/service-tokens/{id}/revoke" => {
            let (id, _) = issued(api, 1).await;
            row(Call::post(format!("{TOKENS_ROUTE}/{id}/revoke"), &json!({})), "Ana", ("Ben", 403, "no_rule"))
        }
        _ => return None,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_asks_and_executes_within_its_scopes_and_never_votes() {
    let api = Api::start().await;
    let (_, token) = issued(&api, 1).await;
    let post = |path: &str, body: &Value| with(Call::post(path, body), token);
    let asked = api.ok(post("/admin/approvals", &payout())).await;
    let id = asked.id();
    assert_eq!(asked.json["requester"]["name"], "Ana");
    assert_eq!(
        api.refusal(post(&format!("/admin/approvals/{id}/approve"), &json!({}))).await,
        (403, "tokens_never_vote".into())
    );
    assert_eq!(
        api.refusal(Call::post(format!("/admin/approvals/{id}/approve"), &json!({})).by("Ana")).await,
        (403, "self_approval".into())
    );
    for who in ["Ben", "Chloe"] {
        api.ok(Call::post(format!("/admin/approvals/{id}/approve"), &json!({})).by(who)).await;
    }
    let mut reserve = payout();
    reserve["approval"] = json!(id);
    let permit = api.ok(post("/admin/permits", &reserve)).await.id();
    api.ok(post(&format!("/admin/permits/{permit}/start"), &json!({}))).await;
    api.ok(post(&format!("/admin/permits/{permit}/finish"), &json!({ "outcome": "succeeded" }))).await;
    let mut elsewhere = ping();
    elsewhere["action"]["environment"] = json!("staging");
    assert_eq!(api.refusal(post("/admin/permits", &elsewhere)).await, (403, "out_of_scope".into()));
    let mut other = ping();
    other["action"]["verb"] = json!("deploy");
    assert_eq!(api.refusal(post("/admin/permits", &other)).await, (403, "out_of_scope".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_reads_what_it_asked_for_and_nothing_else_of_its_owners() {
    let api = Api::start().await;
    let [(own, token), (other, _)] = [issued(&api, 1).await, issued(&api, 2).await];
    let get = |path: String| with(Call::get(path), token);
    let id = api.ok(with(Call::post("/admin/approvals", &payout()), token)).await.id();
    api.ok(get(format!("/admin/approvals/{id}"))).await;
    let shown = api.ok(get(format!("{TOKENS_ROUTE}/{own}"))).await.json;
    assert_eq!((&shown["id"], &shown["environment"]), (&json!(own), &json!("production")), "itself, too");
    let rotation = api.ok(Call::post("/admin/approvals", &super::harness::rotate()).by("Ana")).await.id();
    for path in [
        format!("/admin/approvals/{rotation}"),
        "/admin/approvals".into(),
        "/admin/entries".into(),
        "/admin/people".into(),
        "/admin/people/me".into(),
        "/admin/delegations".into(),
        "/admin/policy".into(),
        format!("{TOKENS_ROUTE}/{other}"),
        TOKENS_ROUTE.into(),
    ] {
        assert_eq!(api.refusal(get(path.clone())).await, (403, "not_for_tokens".into()), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_comes_from_its_networks_or_not_at_all() {
    let api = Api::start().await;
    let (_, token) = issued(&api, 1).await;
    let ping = || Call::post("/admin/permits", &ping()).by(token);
    for from in ["11.0.0.1", "::1", "::ffff:11.0.0.1"] {
        assert_eq!(api.refusal(ping().from(from)).await, (403, "token_from_elsewhere".into()), "{from}");
    }
    // Nobody says where it comes from.
    assert_eq!(api.refusal(ping()).await, (403, "token_from_elsewhere".into()));
    api.ok(ping().from("10.255.0.1")).await;
    api.ok(ping().from("::ffff:10.255.0.1")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_ends_with_its_time_its_parent_its_owner_and_when_it_is_revoked() {
    let api = Api::start().await;
    let ping = |token| with(Call::post("/admin/permits", &ping()), token);
    let gone = (401, "unauthenticated".to_owned());
    let (id, token) = issued(&api, 1).await;
    let child = api.ok(with(Call::post(format!("{TOKENS_ROUTE}/exchange"), &narrower(2)), token)).await;
    assert_eq!(child.json["parent"], id);
    api.ok(ping(TOKENS[2])).await;
    let status = async |id: &str| {
        api.ok(Call::get(format!("{TOKENS_ROUTE}/{id}")).by("Aud")).await.json["status"].clone()
    };
    api.ok(Call::post(format!("{TOKENS_ROUTE}/{id}/revoke"), &json!({ "reason": "leaked" })).by("Ana")).await;
    // The very next request.
    assert_eq!(api.refusal(ping(TOKENS[1])).await, gone);
    assert_eq!(api.refusal(ping(TOKENS[2])).await, gone);
    assert_eq!((status(&id).await, status(&child.id()).await), (json!("revoked"), json!("ended")));

    let (id, token) = issued(&api, 3).await;
    api.clock.forward(899);
    api.ok(ping(token)).await;
    api.clock.forward(1);
    assert_eq!(api.refusal(ping(token)).await, gone);
    assert_eq!(status(&id).await, "expired");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_token_is_asked_for_is_read_strictly() {
    let api = Api::start().await;
    let refused = async |field: &str, value: Value| {
        let mut body = wanted(1);
        body[field] = value;
        api.refusal(Call::post(TOKENS_ROUTE, &body).by("Ana")).await
    };
    let malformed = (400, "malformed".to_owned());
    assert_eq!(refused("scopes", json!(["ping probe/any"])).await, malformed);
    assert_eq!(refused("scopes", json!(["ping:probe/any", "ping:probe/any"])).await, malformed);
    assert_eq!(refused("networks", json!(["10.0.0.1/8"])).await, malformed);
    assert_eq!(refused("lifetime_seconds", json!(0)).await, malformed);
    assert_eq!(refused("scopes", json!([])).await, (422, "token_without_scope".into()));
    assert_eq!(refused("scopes", json!(["*:*"])).await, (403, "scope_not_offered".into()));
    assert_eq!(refused("lifetime_seconds", json!(3_601)).await, (422, "token_lives_too_long".into()));
    assert_eq!(refused("resource", json!("probe/any")).await, (422, "token_misnamed".into()));
    assert_eq!(refused("environment", json!("staging")).await, (403, "no_rule".into()));
}

/// The kinds of its entries, and what is kept beside the second.
async fn entries_of(api: &Api, id: &str) -> (Vec<String>, Option<Value>) {
    let subject = id.to_owned();
    let read = api.engine.read(move |reader| {
        let entries = reader.entries_of(&subject, 0, 100)?;
        let details = entries.get(1).map(|entry| reader.details(entry.index)).transpose()?;
        Ok((entries, details.flatten()))
    });
    let (entries, details) = read.await.expect("readable");
    let kind =
        |leaf: &[u8]| serde_json::from_slice::<Value>(leaf).expect("JSON")["kind"].as_str().map(Into::into);
    let kinds = entries.iter().filter_map(|entry| kind(&entry.leaf)).collect();
    (kinds, details.map(|details| serde_json::from_slice(&details.body).expect("JSON")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_a_token_is_used_is_counted_and_written_down_once_at_last_with_its_end() {
    let api = Api::start().await;
    let (id, token) = issued(&api, 1).await;
    let path = format!("{TOKENS_ROUTE}/{id}");
    let shown = async || api.ok(Call::get(&path).by("Aud")).await.json;
    assert_eq!((&shown().await["uses"], &shown().await["last_used_at"]), (&json!(0), &Value::Null));
    let size = api.engine.size();
    let look =
        |from: &str| Call::get("/admin/permits/prm_00000000000000000000000000000009").by(token).from(from);
    for from in ["10.1.2.3", "10.1.2.3", "::ffff:10.1.2.4"] {
        assert_ne!(api.call(look(from)).await.status, 401);
    }
    // Whoever is turned away has not used it.
    assert_eq!(api.refusal(look("11.0.0.1")).await.1, "token_from_elsewhere");
    assert_eq!(api.engine.size(), size, "no entry per use");
    let used = shown().await;
    assert_eq!(used["uses"], 3);
    assert!(used["last_used_at"].as_str() > used["issued_at"].as_str(), "{used}");

    let revoke = || Call::post(format!("{path}/revoke"), &json!({}));
    assert_eq!(api.refusal(revoke().by("Ben")).await, (403, "no_rule".into()));
    assert_eq!(api.engine.size(), size, "who is refused has nothing written down");
    let revoked = api.ok(revoke().by("Ana")).await;
    assert_eq!((&revoked.json["uses"], &revoked.json["last_used_at"]), (&json!(3), &used["last_used_at"]));
    let (kinds, details) = entries_of(&api, &id).await;
    assert_eq!(kinds, ["token.issued", "token.used", "token.revoked"]);
    assert_eq!(details, Some(json!({ "addresses": ["10.1.2.3", "10.1.2.4"] })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_counted_is_written_down_before_the_node_stops() {
    let api = Api::start().await;
    let (id, token) = issued(&api, 1).await;
    api.ok(with(Call::post("/admin/permits", &ping()), token)).await;
    api.engine.stop().await;
    let (kinds, _) = entries_of(&api, &id).await;
    assert_eq!(kinds, ["token.issued", "token.used"]);
    let token = api.engine.state().token(id.parse().expect("an id")).cloned().expect("it is live");
    assert_eq!(token.uses, 1);
    assert!(api.engine.uses_of(token.id).is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uses_are_neither_lost_nor_doubled_by_a_store_that_fails() {
    for fault in [Fault::BeforePersisting, Fault::AfterPersisting] {
        let faults = Faults::default();
        let api = Api::over(Box::new(FaultyStore::new(MemoryStore::new(), &faults)), policy()).await;
        let (id, token) = issued(&api, 1).await;
        api.ok(with(Call::post("/admin/permits", &ping()), token)).await;
        faults.fail(0, fault);
        let revoked = api.ok(Call::post(format!("{TOKENS_ROUTE}/{id}/revoke"), &json!({})).by("Ana")).await;
        assert_eq!(revoked.json["status"], "revoked");
        api.engine.stop().await;
        assert_eq!(
            entries_of(&api, &id).await.0,
            ["token.issued", "token.used", "token.revoked"],
            "{fault:?}"
        );
    }
}
