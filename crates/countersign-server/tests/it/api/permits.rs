//! Permits beyond the straight way: signs of life, what became of those that are unknown, and why one is refused.

use serde_json::{Value, json};

use super::harness::{Api, Call, payout, watch};

async fn beats(api: &Api, id: &str) -> Value {
    api.ok(Call::post(format!("/admin/permits/{id}/heartbeat"), &json!({})).by("Ana")).await.json
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_of_life_is_written_down_at_most_three_times_in_its_interval() {
    let api = Api::start().await;
    let id = api.lively().await;
    let size = api.engine.size();
    let early = beats(&api, &id).await;
    assert_eq!((early["status"].as_str(), api.engine.size()), (Some("started"), size));
    api.clock.forward(21);
    let moved = beats(&api, &id).await;
    assert_eq!(api.engine.size(), size + 1);
    assert!(moved["next_by"].as_str() > early["next_by"].as_str(), "{moved}");
    api.clock.forward(61);
    let late = Call::post(format!("/admin/permits/{id}/heartbeat"), &json!({})).by("Ana");
    assert_eq!(api.refusal(late).await, (409, "permit_unknown".into()));
    // Work that is not watched is answered, and changes nothing.
    let calm = api.permit().await;
    api.ok(Call::post(format!("/admin/permits/{calm}/start"), &json!({})).by("Ana")).await;
    let size = api.engine.size();
    assert_eq!((beats(&api, &calm).await.get("next_by"), api.engine.size()), (None, size));
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_became_of_it_stands_beside_unknown_and_takes_it_off_the_list() {
    let api = Api::start().await;
    let [first, second] = [api.unknown().await, api.unknown().await];
    let open = async || {
        let page = api.ok(Call::get("/admin/permits?unreconciled=true").by("Aud")).await.json;
        let ids = page["items"].as_array().expect("items").iter().map(|item| item["id"].clone());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(open().await, [json!(second), json!(first)]);
    let path = format!("/admin/permits/{second}/reconcile");
    let says = |outcome: &str, reason: &str| {
        Call::post(path.clone(), &json!({ "outcome": outcome, "reason": reason }))
    };
    assert_eq!(api.refusal(says("succeeded", " ").by("Ben")).await, (400, "malformed".into()));
    let own = api.call(says("succeeded", "I was there").by("Ana")).await;
    assert_eq!((own.status.as_u16(), own.code()), (403, "self_reconciliation"));
    assert_eq!(own.json["rules"], json!(["payout"]));
    let names: Vec<&str> = own.json["could"].as_array().expect("people").iter().filter_map(name).collect();
    assert_eq!(names, ["Ben", "Chloe"]);
    let found = api.ok(says("succeeded", "the bank's statement shows it").by("Ben")).await.json;
    assert_eq!(found["status"], "unknown", "what was not reported in time is never reported as success");
    assert_eq!(
        (&found["reconciled"]["outcome"], name(&found["reconciled"]["by"])),
        (&json!("succeeded"), Some("Ben"))
    );
    assert_eq!(
        api.refusal(says("failed", "no").by("Chloe")).await,
        (409, "permit_already_reconciled".into())
    );
    assert_eq!(open().await, [json!(first)]);
    let odd = Call::get("/admin/permits?unreconciled=true&status=failed").by("Aud");
    assert_eq!(api.refusal(odd).await, (400, "malformed".into()));
    api.engine.stop().await;
}

fn name(person: &Value) -> Option<&str> {
    person["name"].as_str()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_approval_answers_428_with_a_request_that_can_be_posted_as_it_is() {
    let api = Api::start().await;
    let refused = api.call(Call::post("/admin/permits", &payout()).by("Ana")).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (428, "approval_required"));
    assert_eq!(refused.json["rules"], json!(["payout"]));
    let missing = &refused.json["missing"][0];
    assert_eq!((&missing["group"], &missing["needed"]), (&json!("approvers"), &json!(2)));
    let could: Vec<&str> = missing["could"].as_array().expect("people").iter().filter_map(name).collect();
    assert_eq!(could, ["Ben", "Chloe"]);
    let request = refused.json["request"].clone();
    let id = api.ok(Call::post("/admin/approvals", &request).by("Ana")).await.id();
    let mut wanted = payout();
    wanted["approval"] = json!(id);
    let pending = api.call(Call::post("/admin/permits", &wanted).by("Ana")).await;
    assert_eq!((pending.status.as_u16(), pending.code()), (409, "approval_pending"));
    assert_eq!(pending.json["rules"], json!(["payout"]));
    // Who may not execute learns who may.
    let refused = api.call(Call::post("/admin/permits", &watch()).by("Ben")).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (403, "not_an_executor"));
    assert_eq!((&refused.json["rules"], name(&refused.json["could"][0])), (&json!(["watch"]), Some("Ana")));
    api.engine.stop().await;
}
