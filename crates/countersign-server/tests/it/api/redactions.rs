//! Redaction as people see it: what is approved is exactly what goes, entries and lists say so, and names are forgotten.

use countersign_server::store::memory::MemoryStore;
use countersign_server::store::sqlite::SqliteStore;
use serde_json::{Value, json};

use super::harness::{Api, Call, payout, policy, redact};
use crate::engine::fixture::{self, BEN};

/// A request of Ana's with a reason, taken back; the index of its entry and its id.
async fn withdrawn(api: &Api) -> (u64, String) {
    let index = api.engine.size();
    let mut asked = payout();
    asked["reason"] = json!("for Mrs. Miller of Example Street");
    let id = api.ok(Call::post("/admin/approvals", &asked).by("Ana")).await.id();
    api.ok(Call::post(format!("/admin/approvals/{id}/withdraw"), &json!({})).by("Ana")).await;
    (index, id)
}

async fn approved(api: &Api, entries: &[u64]) -> Value {
    json!({ "entries": entries, "approval": api.approved(&redact(entries)).await, "reason": "erasure request 17" })
}

async fn entry(api: &Api, index: u64) -> Value {
    api.ok(Call::get(format!("/admin/entries/{index}")).by("Aud")).await.json
}

async fn go(api: &Api) {
    let (index, id) = withdrawn(api).await;
    let (kept, _) = withdrawn(api).await;
    let before = entry(api, index).await;
    assert_eq!(before["details"]["reason"], "for Mrs. Miller of Example Street");
    let request = approved(api, &[index]).await;
    let approval = request["approval"].as_str().expect("an id");
    let shown = api.ok(Call::get(format!("/admin/approvals/{approval}")).by("Ben")).await.json;
    assert_eq!(shown["parameters"], json!({ "entries": [index] }), "voters see exactly which");

    let size = api.engine.size();
    let answer = api.ok(Call::post("/admin/redactions", &request).by("Ana")).await;
    assert_eq!(answer.status.as_u16(), 201);
    let by = size + 1;
    assert_eq!(answer.json["index"], by);
    assert_eq!((&answer.json["entries"], &answer.json["approval"]), (&json!([index]), &json!(approval)));
    let after = entry(api, index).await;
    assert_eq!((after.get("details"), &after["redacted_by"]), (None, &json!(by)));
    for unchanged in ["leaf", "leaf_text", "leaf_hash"] {
        assert_eq!(after[unchanged], before[unchanged]);
    }
    let listed = api.ok(Call::get(format!("/admin/entries?subject={id}")).by("Aud")).await.json;
    assert_eq!(listed["items"][0], after);
    assert!(entry(api, kept).await["details"]["reason"].is_string());
    let said = entry(api, by).await;
    assert_eq!(said["leaf"]["data"], json!({ "approval": approval, "entries": [index] }));
    assert_eq!(
        (&said["leaf"]["kind"], &said["details"]["reason"]),
        (&json!("log.details_redacted"), &json!("erasure request 17"))
    );
    let bare = api.ok(Call::get(format!("/admin/approvals/{id}")).by("Aud")).await.json;
    assert!(
        bare.get("parameters").is_none() && bare.get("reason").is_none() && bare["status"] == "withdrawn"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_approved_goes_and_its_entry_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let sqlite = SqliteStore::open(folder.path().join("ledger.db")).expect("the store opens");
    go(&Api::start().await).await;
    go(&Api::over(Box::new(sqlite), policy()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redacted_name_is_forgotten_at_once_and_others_are_not() {
    let api = Api::start().await;
    let people = async || api.ok(Call::get("/admin/people").by("Aud")).await.json["items"].clone();
    let names = |people: &Value| -> Vec<String> {
        let names = people.as_array().expect("people").iter().filter_map(|person| person["name"].as_str());
        names.map(str::to_owned).collect()
    };
    assert_eq!(names(&people().await), ["Eve", "Aud", "Chloe", "Ben", "Ana"]);
    let enrolled = api.ok(Call::get(format!("/admin/entries?subject={BEN}")).by("Aud")).await.json;
    let index = enrolled["items"][0]["index"].as_u64().expect("an index");
    let request = approved(&api, &[index]).await;
    api.ok(Call::post("/admin/redactions", &request).by("Ana")).await;
    assert_eq!(names(&people().await), ["Eve", "Aud", "Chloe", "Ana"]);
    // Ben is still Ben: his credential and his vote count as before.
    let me = api.ok(Call::get("/admin/people/me").by("Ben")).await.json;
    assert!(me["id"] == BEN.to_string() && me.get("name").is_none());
    let id = api.approved(&payout()).await;
    let votes = api.ok(Call::get(format!("/admin/approvals/{id}")).by("Aud")).await.json["votes"].clone();
    assert_eq!(votes[0]["person"], json!({ "id": BEN.to_string() }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_exactly_what_was_approved_and_only_once() {
    let api = Api::start().await;
    let ((first, _), (second, _)) = (withdrawn(&api).await, withdrawn(&api).await);
    let mut request = approved(&api, &[first]).await;
    for (entries, told) in [
        (json!([second]), (409, "parameters_mismatch")),
        (json!([first, second]), (409, "parameters_mismatch")),
        (json!([first, first]), (400, "malformed")),
        (json!([second, first]), (400, "malformed")),
        (json!([]), (400, "malformed")),
        (json!((0..1_001).collect::<Vec<u64>>()), (400, "malformed")),
        (json!([-1]), (400, "malformed")),
    ] {
        request["entries"] = entries;
        let refusal = api.refusal(Call::post("/admin/redactions", &request).by("Ana")).await;
        assert_eq!((refusal.0, refusal.1.as_str()), told, "{}", request["entries"]);
    }
    request["entries"] = json!([first]);
    let send = || Call::post("/admin/redactions", &request).by("Ana");
    let answer = api.ok(send().key("once")).await;
    assert_eq!(api.ok(send().key("once")).await.json, answer.json, "repeating is harmless");
    assert_eq!(api.refusal(send()).await, (409, "approval_consumed".into()));
    let again = approved(&api, &[first]).await;
    let refused = api.call(Call::post("/admin/redactions", &again).by("Ana")).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "already_redacted"));
    let detail = refused.json["detail"].as_str().expect("a sentence");
    assert_eq!(
        detail,
        format!("the details of entry {first} were deleted by entry {}", answer.json["index"])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_request_keeps_what_it_is_for_and_a_policy_without_a_rule_allows_nothing() {
    let api = Api::start().await;
    let index = api.engine.size();
    api.ok(Call::post("/admin/approvals", &payout()).by("Ana")).await;
    let request = approved(&api, &[index]).await;
    assert_eq!(
        api.refusal(Call::post("/admin/redactions", &request).by("Ana")).await,
        (409, "details_in_use".into())
    );

    let mut silent = serde_json::to_value(fixture::policy()).expect("JSON");
    silent["rules"].as_array_mut().expect("rules").retain(|rule| rule["name"] != "redact");
    let silent = serde_json::from_value(silent).expect("a policy");
    let api = Api::over(Box::new(MemoryStore::new()), silent).await;
    let asked = api.refusal(Call::post("/admin/approvals", &redact(&[0])).by("Ana")).await;
    assert_eq!(asked, (403, "no_rule".into()));
    let nothing = json!({ "entries": [0], "approval": "apr_00000000000000000000000000000009" });
    assert_eq!(
        api.refusal(Call::post("/admin/redactions", &nothing).by("Ana")).await,
        (403, "no_rule".into())
    );
}
