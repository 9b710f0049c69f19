//! The life of a request over HTTP: somebody is away, a vote is taken back, nothing can come of it, and whoever has to do with it sees.

use countersign_server::store::memory::MemoryStore;
use serde_json::{Value, json};

use super::harness::{Api, Call, EVE, payout, policy, successor};
use crate::engine::fixture::{ANA, BEN, CHLOE};

const UNTIL: &str = "2027-02-01T00:00:00Z";

async fn requested(api: &Api) -> String {
    api.ok(Call::post("/admin/approvals", &payout()).by("Ana")).await.id()
}

fn approve(id: &str, body: &Value) -> Call {
    Call::post(format!("/admin/approvals/{id}/approve"), body)
}

async fn ids(api: &Api, query: &str, who: &'static str) -> Vec<String> {
    let page = api.ok(Call::get(format!("/admin/approvals?{query}")).by(who)).await.json;
    let items = page["items"].as_array().expect("items").iter();
    items.map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

/// The events of a watch, as `id event`.
fn heard(text: &str) -> Vec<String> {
    let line = |block: &str, name: &str| {
        block.lines().find_map(|line| line.strip_prefix(name)).map(ToOwned::to_owned)
    };
    let events = text.split("\n\n").filter_map(|block| Some((line(block, "id: ")?, line(block, "event: ")?)));
    events.map(|(id, event)| format!("{id} {event}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delegate_fills_the_seat_of_who_is_away_and_the_record_says_so() {
    let api = Api::start().await;
    let id = requested(&api).await;
    let in_bens_place = json!({ "on_behalf": BEN });
    assert_eq!(api.refusal(approve(&id, &in_bens_place).by("Eve")).await, (403, "not_a_delegate".into()));
    assert!(ids(&api, "for_me=true", "Eve").await.is_empty());
    let delegation = json!({ "to": EVE, "until": UNTIL });
    let begun = api.ok(Call::post("/admin/delegations", &delegation).by("Ben")).await;
    assert_eq!((&begun.json["to"]["name"], &begun.json["active"]), (&json!("Eve"), &json!(true)));
    assert_eq!(ids(&api, "for_me=true", "Eve").await, [id.as_str()], "it waits for the delegate too");
    let shown = api.ok(Call::get(format!("/admin/approvals/{id}")).by("Eve")).await;
    let could = shown.json["missing"][0]["could"].as_array().expect("people").len();
    assert_eq!(could, 3, "Ben, Chloe, and Eve in Ben's place: {}", shown.json);
    let voted = api.ok(approve(&id, &in_bens_place).by("Eve")).await;
    assert_eq!(voted.json["votes"][0]["on_behalf"]["name"], "Ben");
    assert_eq!(api.refusal(approve(&id, &json!({})).by("Ben")).await, (409, "already_voted".into()));
    assert!(ids(&api, "for_me=true", "Ben").await.is_empty());
    let seen = api.ok(Call::get("/admin/delegations").by("Eve")).await.json;
    assert_eq!(seen["items"][0]["person"]["name"], "Ben");
    assert_eq!(api.ok(Call::get("/admin/delegations").by("Ana")).await.json["items"][0]["to"]["name"], "Eve");
    let ended = api.ok(Call::post("/admin/delegations/end", &json!({})).by("Ben")).await;
    assert_eq!(ended.json["items"], json!([]));
    assert_eq!(api.ok(approve(&id, &json!({})).by("Chloe")).await.json["status"], "approved");
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vote_taken_back_reopens_the_request() {
    let api = Api::start().await;
    let id = api.approved(&payout()).await;
    let revoke = Call::post(format!("/admin/approvals/{id}/revoke"), &json!({ "reason": "looked again" }));
    let reopened = api.ok(revoke.clone().by("Ben")).await.json;
    assert_eq!(
        (&reopened["status"], &reopened["votes"][0]["person"]["name"]),
        (&json!("pending"), &json!("Chloe"))
    );
    assert_eq!(api.refusal(revoke.by("Ben")).await, (409, "not_voted".into()));
    assert_eq!(ids(&api, "for_me=true", "Ben").await, [id]);
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_lists_what_is_theirs_page_by_page() {
    let api = Api::start().await;
    let mut mine = Vec::new();
    for _ in 0..3 {
        mine.insert(0, requested(&api).await);
    }
    api.ok(Call::post(format!("/admin/approvals/{}/withdraw", mine[2]), &json!({})).by("Ana")).await;
    assert_eq!(ids(&api, "mine=true", "Ana").await, mine);
    assert_eq!(ids(&api, "mine=true&status=pending", "Ana").await, mine[..2]);
    assert!(ids(&api, "mine=true", "Chloe").await.is_empty());
    for filter in ["mine=true", "for_me=true"] {
        let who = if filter == "mine=true" { "Ana" } else { "Ben" };
        let first = api.ok(Call::get(format!("/admin/approvals?{filter}&limit=1")).by(who)).await.json;
        assert_eq!(first["items"][0]["id"], json!(mine[0]), "{filter}");
        let after = first["next"].as_str().expect("there is more");
        assert_eq!(ids(&api, &format!("{filter}&limit=1&after={after}"), who).await, mine[1..2], "{filter}");
    }
    assert_eq!(api.refusal(Call::get("/admin/approvals").by("Eve")).await, (403, "not_a_reader".into()));
    assert_eq!(
        api.refusal(Call::get("/admin/approvals?stuck=true").by("Eve")).await,
        (403, "not_a_reader".into())
    );
    assert!(ids(&api, "mine=true", "Eve").await.is_empty());
    let odd = Call::get("/admin/approvals?mine=true&status=undecided").by("Ana");
    assert_eq!(api.refusal(odd).await, (400, "malformed".into()));
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_nobody_can_complete_says_so_at_once() {
    let mut policy = serde_json::to_value(policy()).expect("JSON");
    policy["groups"]["risk"] = json!([BEN, CHLOE]);
    for rule in policy["rules"].as_array_mut().expect("rules") {
        if rule["verb"] == "override" {
            rule["quorum"] = json!({ "risk": 2 });
        }
    }
    let mut smaller = policy.clone();
    smaller["groups"]["risk"] = json!([BEN]);
    let api =
        Api::over(Box::new(MemoryStore::new()), serde_json::from_value(policy).expect("a policy")).await;
    let id = requested(&api).await;
    assert!(ids(&api, "stuck=true", "Ana").await.is_empty());
    let parsed = serde_json::from_value(smaller.clone()).expect("a policy");
    let (sha256, _) = countersign_server::config::canonical_policy(&parsed).expect("a canonical form");
    let (_, mut request) = successor("smaller");
    request["parameters"] = json!({ "policy_sha256": sha256.to_string() });
    let approval = api.approved(&request).await;
    api.ok(Call::post("/admin/policy", &json!({ "policy": smaller, "approval": approval })).by("Ana")).await;
    assert_eq!(ids(&api, "stuck=true", "Ana").await, [id.as_str()]);
    let shown = api.ok(Call::get(format!("/admin/approvals/{id}")).by("Ana")).await.json;
    assert_eq!(shown["stuck"]["code"], "unsatisfiable");
    assert_eq!(shown["stuck"]["missing"][0]["group"], "risk");
    let refused = api.call(approve(&id, &json!({})).by("Ben")).await;
    assert_eq!(refused.code(), "unsatisfiable");
    assert_eq!(refused.json["missing"][0]["needed"], 1);
    assert!(ids(&api, "for_me=true", "Ben").await.is_empty(), "nobody is asked for what leads nowhere");
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watchers_hear_what_happens_in_order_and_go_on_where_they_were_cut_off() {
    let api = Api::start().await;
    let id = requested(&api).await;
    let asked = api.engine.size() - 1;
    let watch = Call::get(format!("/admin/approvals/{id}/watch"));
    let (watched, ()) = tokio::join!(api.ok(watch.clone().by("Ben")), async {
        for who in ["Ben", "Chloe"] {
            api.ok(approve(&id, &json!({})).by(who)).await;
        }
        api.ok(Call::post(format!("/admin/approvals/{id}/withdraw"), &json!({})).by("Ana")).await;
    });
    assert_eq!(watched.header("content-type"), "text/event-stream");
    let all = heard(&watched.text);
    let kinds = ["approval.granted", "approval.granted", "approval.completed", "approval.withdrawn"];
    let expected: Vec<String> =
        (asked + 1..).zip(kinds).map(|(index, kind)| format!("{index} {kind}")).collect();
    assert!(all.ends_with(&expected[3..]), "{all:?}");
    let again = watch.clone().header("last-event-id", asked.to_string());
    assert_eq!(
        heard(&api.ok(again.by("Ben")).await.text),
        expected,
        "nothing is missed, nothing comes twice"
    );
    assert_eq!(api.refusal(watch.clone().by("Eve")).await, (403, "not_a_reader".into()));
    let odd = watch.header("last-event-id", "yesterday").by("Ben");
    assert_eq!(api.refusal(odd).await, (400, "malformed".into()));
    let everything = Call::get("/admin/watch?limit=2").header("last-event-id", asked.to_string()).by("Aud");
    assert_eq!(heard(&api.ok(everything).await.text), expected[..2]);
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_agreed_to_each_others_requests_is_reported() {
    let mut policy = serde_json::to_value(policy()).expect("JSON");
    policy["groups"]["engineers"] = json!([ANA, BEN]);
    policy["groups"]["approvers"] = json!([ANA, BEN, CHLOE]);
    policy["reciprocal_window_seconds"] = json!(3_600);
    let policy = serde_json::from_value(policy).expect("a policy");
    let api = Api::over(Box::new(MemoryStore::new()), policy).await;
    let report = async || api.ok(Call::get("/admin/approvals/reciprocal").by("Aud")).await.json;
    api.approved(&payout()).await;
    let one_way = report().await;
    assert_eq!((&one_way["items"], &one_way["window_seconds"]), (&json!([]), &json!(3_600)));
    let returned = async || {
        let id = api.ok(Call::post("/admin/approvals", &payout()).by("Ben")).await.id();
        api.ok(approve(&id, &json!({})).by("Ana")).await;
    };
    api.clock.forward(3_700);
    returned().await;
    assert_eq!(report().await["items"], json!([]), "too far apart");
    api.approved(&payout()).await;
    let found = report().await;
    let pairs = found["items"].as_array().expect("pairs");
    assert_eq!(pairs.len(), 1, "{found}");
    let votes: Vec<&Value> =
        pairs[0]["votes"].as_array().expect("votes").iter().map(|vote| &vote["by"]["name"]).collect();
    assert_eq!(votes, ["Ana", "Ben"]);
    assert_eq!((&found["looked_at"], &found["complete"]), (&json!(3), &json!(true)));
    api.engine.stop().await;
}
