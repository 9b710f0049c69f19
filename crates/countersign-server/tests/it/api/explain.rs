//! Whoever is refused learns which rule says so, what is missing, and who could supply it; and nobody has to be refused to learn it.

use serde_json::json;

use super::harness::{Api, Call, payout};
use super::transcript::Transcript;

fn explain(words: [&str; 3]) -> String {
    let [verb, resource, environment] = words;
    format!("/admin/explain?verb={verb}&resource={resource}&environment={environment}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_refusal_names_its_rules_and_who_could() {
    let api = Api::start().await;
    let mut t = Transcript::default();
    let none = json!({});
    t.step(&api, Call::post("/admin/approvals", &payout()).by("Ben")).await;
    let id = api.ok(Call::post("/admin/approvals", &payout()).by("Ana")).await.id();
    let vote = |how: &str| Call::post(format!("/admin/approvals/{id}/{how}"), &none);
    t.step(&api, vote("approve").by("Ana")).await;
    t.step(&api, vote("approve").by("Aud")).await;
    api.ok(vote("approve").by("Ben")).await;
    t.step(&api, vote("approve").by("Ben")).await;
    t.step(&api, vote("withdraw").by("Ben")).await;
    let mut wanted = payout();
    wanted["approval"] = json!(id);
    t.step(&api, Call::post("/admin/permits", &wanted).by("Ben")).await;
    t.step(&api, Call::post("/admin/permits", &wanted).by("Ana")).await;
    api.ok(vote("approve").by("Chloe")).await;
    let permit = api.ok(Call::post("/admin/permits", &wanted).by("Ana")).await.id();
    t.step(&api, Call::post(format!("/admin/permits/{permit}/start"), &none).by("Ben")).await;
    let deny = Call::post(format!("/admin/approvals/{id}/deny"), &json!({ "reason": "too late" }));
    t.step(&api, deny.by("Chloe")).await;
    let mut ungoverned = payout();
    ungoverned["action"]["verb"] = json!("launch");
    t.step(&api, Call::post("/admin/approvals", &ungoverned).by("Ana")).await;
    insta::assert_json_snapshot!("reasons", t.steps());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_is_explained_to_whom_it_concerns() {
    let api = Api::start().await;
    let mut t = Transcript::default();
    let payouts = explain(["override", "payout%2Flimit", "production"]);
    for who in ["Ana", "Ben", "Eve"] {
        t.step(&api, Call::get(&payouts).by(who)).await;
    }
    t.step(&api, Call::get(explain(["launch", "payout%2Flimit", "production"])).by("Aud")).await;
    t.step(&api, Call::get(explain(["Override", "payout%2Flimit", "production"])).by("Aud")).await;
    let ben = api.ok(Call::get("/admin/people/me").by("Ben")).await.id();
    t.step(&api, Call::get(format!("{payouts}&person={ben}")).by("Aud")).await;
    insta::assert_json_snapshot!("explained", t.steps());
}
