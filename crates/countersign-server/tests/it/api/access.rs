//! `AuthZEN`: what is answered is what would happen, a question changes nothing, and the answers have the form the specification demands.

use countersign_core::id::PersonId;
use serde_json::{Value, json};

use super::harness::{Answer, Api, Call, EVE};
use crate::engine::fixture::{ANA, BEN};

const ONE: &str = "/access/v1/evaluation";
const SEVERAL: &str = "/access/v1/evaluations";

fn person(id: PersonId) -> Value {
    json!({ "type": "person", "id": id.to_string() })
}

/// Could the person override the payout limit with these parameters?
fn question(who: PersonId, cents: u64) -> Value {
    json!({
        "subject": person(who), "action": { "name": "override" }, "resource": { "type": "payout", "id": "limit" },
        "context": { "environment": "production", "parameters": { "limit_cents": cents } },
    })
}

fn under(approval: &str, cents: u64) -> Value {
    let mut question = question(ANA, cents);
    question["context"]["approval"] = json!(approval);
    question
}

async fn ask(api: &Api, question: &Value) -> (bool, Value) {
    let answer = api.ok(Call::post(ONE, question).by("Aud").keyless()).await;
    (answer.json["decision"].as_bool().expect("a decision"), answer.json["context"].clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answer_is_what_reserving_a_permit_would_say() {
    let api = Api::start().await;
    let size = api.engine.size();
    let (decision, why) = ask(&api, &question(ANA, 5000)).await;
    assert_eq!(
        (decision, &why["code"], &why["rules"]),
        (false, &json!("approval_required"), &json!(["payout"]))
    );
    assert_eq!((&why["missing"][0]["group"], &why["missing"][0]["needed"]), (&json!("approvers"), &json!(2)));
    let request = why["request"].clone();
    let (_, why) = ask(&api, &question(BEN, 5000)).await;
    assert_eq!((&why["code"], &why["could"][0]["name"]), (&json!("not_an_executor"), &json!("Ana")));
    assert_eq!(api.engine.size(), size, "asking appends nothing");

    let id = api.ok(Call::post("/admin/approvals", &request).by("Ana")).await.id();
    let (decision, why) = ask(&api, &under(&id, 5000)).await;
    assert_eq!((decision, &why["code"]), (false, &json!("approval_pending")));
    assert_eq!(why["missing"][0]["could"].as_array().map(Vec::len), Some(2), "{why}");
    for who in ["Ben", "Chloe"] {
        api.ok(Call::post(format!("/admin/approvals/{id}/approve"), &json!({})).by(who)).await;
    }
    assert_eq!(ask(&api, &under(&id, 5000)).await, (true, json!({ "rules": ["payout"] })));
    assert_eq!(ask(&api, &under(&id, 5001)).await.1["code"], "parameters_mismatch");
    let size = api.engine.size();
    assert!(ask(&api, &under(&id, 5000)).await.0, "a yes uses nothing up");
    assert_eq!(api.engine.size(), size);

    let mut wanted = request;
    wanted["approval"] = json!(id);
    api.ok(Call::post("/admin/permits", &wanted).by("Ana")).await;
    // It is retired to its record, and still told apart from one that never was.
    let (decision, why) = ask(&api, &under(&id, 5000)).await;
    assert_eq!((decision, &why["code"]), (false, &json!("approval_consumed")));
    assert_eq!(
        ask(&api, &under("apr_00000000000000000000000000000009", 5000)).await.1["code"],
        "approval_not_found"
    );
    api.clock.jump();
    let (status, code) = api.refusal(Call::post(ONE, &question(ANA, 1)).by("Aud")).await;
    assert_eq!((status, code.as_str()), (503, "stale"), "a node that cannot decide does not answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anybody_may_ask_about_themselves_and_readers_about_everybody() {
    let api = Api::start().await;
    let own = api.ok(Call::post(ONE, &question(EVE, 1)).by("Eve")).await;
    assert_eq!(
        (&own.json["decision"], &own.json["context"]["code"]),
        (&json!(false), &json!("not_an_executor"))
    );
    for body in [
        question(ANA, 1),
        json!({ "subject": { "type": "user", "id": EVE.to_string() }, "action": { "name": "a" }, "resource": { "type": "b", "id": "c" } }),
    ] {
        assert_eq!(api.refusal(Call::post(ONE, &body).by("Eve")).await, (403, "not_a_reader".into()));
        let several = json!({ "evaluations": [question(EVE, 1), body] });
        assert_eq!(api.refusal(Call::post(SEVERAL, &several).by("Eve")).await, (403, "not_a_reader".into()));
    }
    for nobody in [person(PersonId(77)), json!({ "type": "user", "id": "alice" })] {
        let mut asked = question(ANA, 1);
        asked["subject"] = nobody;
        assert_eq!(ask(&api, &asked).await.1["code"], "unknown_subject");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_question_is_rejected_and_what_is_not_known_ignored() {
    let api = Api::start().await;
    let whole = question(ANA, 1);
    for part in ["subject", "action", "resource"] {
        let mut lacking = whole.clone();
        lacking.as_object_mut().expect("an object").remove(part);
        assert_eq!(
            api.call(Call::post(ONE, &lacking).by("Aud")).await.status.as_u16(),
            400,
            "without {part}"
        );
        let mut odd = whole.clone();
        odd[part] = json!(["person", ANA.to_string(), null]);
        assert_eq!(api.call(Call::post(ONE, &odd).by("Aud")).await.status.as_u16(), 400, "{part} as a list");
    }
    for (part, member) in
        [("subject", "type"), ("subject", "id"), ("action", "name"), ("resource", "type"), ("resource", "id")]
    {
        let mut lacking = whole.clone();
        lacking[part].as_object_mut().expect("an object").remove(member);
        assert_eq!(
            api.call(Call::post(ONE, &lacking).by("Aud")).await.status.as_u16(),
            400,
            "without {part}.{member}"
        );
        let mut odd = whole.clone();
        odd[part][member] = json!(123);
        assert_eq!(
            api.call(Call::post(ONE, &odd).by("Aud")).await.status.as_u16(),
            400,
            "{part}.{member} as a number"
        );
    }
    for (body, kind) in [
        ("", "application/json"),
        ("{", "application/json"),
        ("[]", "application/json"),
        ("a=b", "application/x-www-form-urlencoded"),
    ] {
        let call = Call::raw(ONE, body.into()).by("Aud").header("content-type", kind);
        assert_eq!(api.call(call).await.status.as_u16(), 400, "{body:?} as {kind}");
    }
    let mut odd = whole.clone();
    odd["context"]["parameters"] = json!([1]);
    assert_eq!(api.refusal(Call::post(ONE, &odd).by("Aud")).await, (400, "malformed".into()));

    let mut more = whole.clone();
    for (part, members) in [
        ("subject", json!({ "role": "x" })),
        ("action", json!({ "method": "GET" })),
        ("resource", json!({ "owner": "y" })),
    ] {
        more[part]["properties"] = members;
    }
    more["foo"] = json!({ "nested": true });
    more["context"]["time"] = json!("1985-10-26T01:22-07:00");
    assert_eq!(ask(&api, &more).await.1["code"], "approval_required");
    for (part, value) in [("environment", json!("nowhere")), ("environment", json!("Not A Name"))] {
        let mut elsewhere = whole.clone();
        elsewhere["context"][part] = value;
        assert_eq!(ask(&api, &elsewhere).await.1["code"], "no_rule");
    }
    let mut nowhere = whole;
    nowhere.as_object_mut().expect("an object").remove("context");
    assert_eq!(ask(&api, &nowhere).await.1["code"], "no_rule");
}

fn decisions(answer: &Answer) -> Vec<bool> {
    let each = answer.json["evaluations"].as_array().expect("answers").iter();
    each.map(|one| one["decision"].as_bool().expect("a decision")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_questions_share_defaults_and_stop_where_they_are_told_to() {
    let api = Api::start().await;
    let ping = json!({ "action": { "name": "ping" }, "resource": { "type": "probe", "id": "any" } });
    let payout = json!({ "action": { "name": "override" }, "resource": { "type": "payout", "id": "limit" } });
    let mut several = json!({
        "subject": person(ANA), "context": { "environment": "production" },
        "evaluations": [ping, payout, {}, ping, { "subject": person(BEN), "action": ping["action"], "resource": ping["resource"] }],
    });
    let answer = api.ok(Call::post(SEVERAL, &several).by("Aud").keyless()).await;
    assert_eq!(decisions(&answer), [true, false, false, true, false]);
    assert_eq!(answer.json["evaluations"][2]["context"]["error"]["status"], 400);
    assert_eq!(answer.json.get("decision"), None);
    for (semantic, expected) in [
        ("execute_all", &[true, false, false, true, false][..]),
        ("deny_on_first_deny", &[true, false]),
        ("permit_on_first_permit", &[true]),
    ] {
        several["options"] = json!({ "evaluations_semantic": semantic, "another_option": "value" });
        assert_eq!(decisions(&api.ok(Call::post(SEVERAL, &several).by("Aud")).await), expected, "{semantic}");
    }
    several["options"] = json!({ "evaluations_semantic": "guess" });
    assert_eq!(api.refusal(Call::post(SEVERAL, &several).by("Aud")).await, (400, "malformed".into()));
    for odd in [json!("all"), json!(["x"]), json!({})] {
        several["options"] = json!({});
        several["evaluations"] = odd;
        assert_eq!(api.call(Call::post(SEVERAL, &several).by("Aud")).await.status.as_u16(), 400);
    }
    several["evaluations"] = json!(vec![json!({}); 257]);
    assert_eq!(api.refusal(Call::post(SEVERAL, &several).by("Aud")).await, (400, "malformed".into()));

    let mut alone = question(ANA, 1);
    for evaluations in [None, Some(json!([]))] {
        if let Some(evaluations) = evaluations {
            alone["evaluations"] = evaluations;
        }
        let answer = api.ok(Call::post(SEVERAL, &alone).by("Aud")).await;
        assert_eq!((&answer.json["decision"], answer.json.get("evaluations")), (&json!(false), None));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_id_comes_back_and_the_routes_can_be_found() {
    let api = Api::start().await;
    let asked = |body: &Value| Call::post(ONE, body).by("Aud").header("x-request-id", "bfe9eb29-ab87");
    assert_eq!(api.ok(asked(&question(ANA, 1))).await.header("x-request-id"), "bfe9eb29-ab87");
    let rejected = api.call(asked(&json!({}))).await;
    assert_eq!((rejected.status.as_u16(), rejected.header("x-request-id")), (400, "bfe9eb29-ab87"));
    assert!(
        rejected.json["request_id"].as_str().is_some_and(|id| id.starts_with("req_")),
        "the node's log has its own"
    );
    let elsewhere = Call::get("/admin/people/me").by("Aud").header("x-request-id", "bfe9eb29-ab87");
    assert!(api.ok(elsewhere).await.header("x-request-id").starts_with("req_"));

    let found = async |host: &str| {
        api.call(Call::get("/.well-known/authzen-configuration").header("host", host)).await
    };
    assert_eq!(
        found("ledger.example").await.json,
        json!({
            "policy_decision_point": "https://ledger.example",
            "access_evaluation_endpoint": "https://ledger.example/access/v1/evaluation",
            "access_evaluations_endpoint": "https://ledger.example/access/v1/evaluations",
        })
    );
    assert_eq!(found("127.0.0.1:8700").await.json["policy_decision_point"], "http://127.0.0.1:8700");
    assert_eq!(found("[::1]:8700").await.json["policy_decision_point"], "http://[::1]:8700");
    assert_eq!(found("a b").await.code(), "malformed");
}
