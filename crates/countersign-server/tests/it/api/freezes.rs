//! Freezes as people meet them: what is told when something is held, and an exception from asking to using it.

use countersign_server::store::memory::MemoryStore;
use serde_json::{Value, json};

use crate::engine::fixture::ANA;

use super::harness::{Api, Call, payout, ping, policy};

/// An API whose policy freezes production for the hour in which its clock begins, and every Friday evening.
async fn frozen() -> Api {
    let mut policy = serde_json::to_value(policy()).expect("a policy is JSON");
    let mut except = policy["rules"][1].clone();
    for (key, value) in [
        ("name", json!("except")),
        ("verb", json!("except")),
        ("resource", json!("freeze/*")),
        ("patterns", json!(true)),
        ("quorum", json!({ "approvers": 1 })),
    ] {
        except[key] = value;
    }
    policy["rules"].as_array_mut().expect("rules").push(except);
    policy["freezes"] = json!([
        { "name": "launch", "verb": "*", "resource": "*", "environment": "production", "patterns": true,
          "from": "2027-01-15T09:00:00+01:00", "until": "2027-01-15T10:00:00+01:00" },
        { "name": "friday", "verb": "override", "resource": "payout/*", "environment": "production",
          "patterns": true, "cron": "0 18 * * fri", "duration_seconds": 3600, "time_zone": "Europe/Berlin" },
    ]);
    Api::over(Box::new(MemoryStore::new()), serde_json::from_value(policy).expect("a policy")).await
}

/// Asks as the problem says, and lets Ben agree.
async fn excepted(api: &Api, problem: &Value) -> String {
    let id = api.ok(Call::post("/admin/approvals", &problem["request"]).by("Ana")).await.id();
    api.ok(Call::post(format!("/admin/approvals/{id}/approve"), &json!({})).by("Ben")).await;
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_held_is_told_by_what_until_when_and_how_to_pass() {
    let api = frozen().await;
    let mut reserve = payout();
    let approval = api.approved(&reserve).await;
    reserve["approval"] = json!(approval);
    let held = api.call(Call::post("/admin/permits", &reserve).by("Ana")).await;
    assert_eq!((held.status.as_u16(), held.code()), (409, "frozen"));
    assert_eq!(held.json["detail"], "this action is frozen by `launch` until 2027-01-15T09:00:00.000Z");
    assert_eq!(
        held.json["request"],
        json!({
            "action": { "verb": "except", "resource": "freeze/launch", "environment": "production" },
            "parameters": { "approval": approval },
        })
    );
    let exception = excepted(&api, &held.json).await;
    let shown = api.ok(Call::get(format!("/admin/approvals/{exception}")).by("Ben")).await.json;
    assert_eq!(shown["parameters"], json!({ "approval": approval }), "who agrees sees for what");

    let mut other = payout();
    other["approval"] = json!(api.approved(&other).await);
    other["exceptions"] = json!([exception]);
    let call = Call::post("/admin/permits", &other).by("Ana");
    assert_eq!(api.refusal(call).await, (409, "exception_mismatch".to_owned()));

    reserve["exceptions"] = json!([exception]);
    let call = || Call::post("/admin/permits", &reserve).by("Ana").key("once");
    let permit = api.ok(call()).await;
    assert_eq!(permit.json["freezes"]["excepted"], json!({ "launch": exception }));
    assert_eq!(api.ok(call()).await.json["id"], permit.json["id"], "a repetition uses nothing up");
    let used = api.ok(Call::get(format!("/admin/approvals/{exception}")).by("Ben")).await.json;
    assert_eq!((&used["status"], &used["permit"]), (&json!("consumed"), &permit.json["id"]));

    let id = permit.id();
    api.ok(Call::post(format!("/admin/permits/{id}/release"), &json!({})).by("Ana")).await;
    let back = api.ok(Call::get(format!("/admin/approvals/{exception}")).by("Ben")).await.json;
    assert_eq!(
        (&back["status"], back.get("permit")),
        (&json!("approved"), None),
        "given back with the permit"
    );
    let again = api.ok(Call::post("/admin/permits", &reserve).by("Ana")).await.id();
    api.ok(Call::post(format!("/admin/permits/{again}/start"), &json!({})).by("Ana")).await;
    let used = Call::post("/admin/permits", &reserve).by("Ana");
    assert_eq!(api.refusal(used).await, (409, "approval_consumed".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_needs_no_approval_is_excepted_with_its_parameters() {
    let api = frozen().await;
    let held = api.call(Call::post("/admin/permits", &ping()).by("Ana")).await;
    let expected = json!({ "action": ping()["action"], "parameters": ping()["parameters"] });
    assert_eq!((held.code(), &held.json["request"]["parameters"]), ("frozen", &expected));
    let exception = excepted(&api, &held.json).await;
    let mut other = ping();
    other["parameters"] = json!({ "deep": true });
    other["exceptions"] = json!([exception]);
    let call = Call::post("/admin/permits", &other).by("Ana");
    assert_eq!(api.refusal(call).await, (409, "exception_mismatch".to_owned()));
    let mut same = ping();
    same["exceptions"] = json!([exception]);
    api.ok(Call::post("/admin/permits", &same).by("Ana")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_access_question_takes_exceptions_as_a_reservation_does() {
    let api = frozen().await;
    let approval = api.approved(&payout()).await;
    let mut question = json!({
        "subject": { "type": "person", "id": ANA.to_string() }, "action": { "name": "override" },
        "resource": { "type": "payout", "id": "limit" },
        "context": { "environment": "production", "parameters": payout()["parameters"], "approval": approval },
    });
    let ask = async |question: &Value| {
        let call = Call::post("/access/v1/evaluation", question).by("Aud").keyless();
        api.ok(call).await.json
    };
    let held = ask(&question).await;
    assert_eq!((&held["decision"], &held["context"]["code"]), (&json!(false), &json!("frozen")));
    let exception = excepted(&api, &held["context"]).await;
    question["context"]["exceptions"] = json!([exception]);
    assert_eq!(ask(&question).await["decision"], json!(true));
    assert_eq!(ask(&question).await["decision"], json!(true), "a question uses nothing up");
    // Good for this one use only, and not beside what is not needed.
    question["context"]["exceptions"] = json!([exception, exception]);
    assert_eq!(ask(&question).await["context"]["code"], "exception_unused");
    question["context"]["exceptions"] = json!([exception]);
    question["context"]["approval"] = json!(api.approved(&payout()).await);
    assert_eq!(ask(&question).await["context"]["code"], "exception_mismatch");
    for odd in [json!(["launch"]), json!(exception)] {
        question["context"]["exceptions"] = odd;
        let call = Call::post("/access/v1/evaluation", &question).by("Aud").keyless();
        assert_eq!(api.refusal(call).await, (400, "malformed".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_reserved_before_is_not_begun_but_given_back() {
    let api = frozen().await;
    api.clock.forward(9 * 3_600 - 20);
    let mut reserve = payout();
    reserve["approval"] = json!(api.approved(&reserve).await);
    let id = api.ok(Call::post("/admin/permits", &reserve).by("Ana")).await.id();
    api.clock.forward(30);
    let start = Call::post(format!("/admin/permits/{id}/start"), &json!({})).by("Ana");
    assert_eq!(api.refusal(start).await, (409, "frozen".to_owned()));
    api.ok(Call::post(format!("/admin/permits/{id}/release"), &json!({})).by("Ana")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn freezes_are_listed_with_their_windows_at_any_time() {
    let api = frozen().await;
    let now = api.ok(Call::get("/admin/freezes").by("Aud")).await.json;
    let [launch, friday] = [&now["freezes"][0], &now["freezes"][1]];
    assert_eq!((&launch["name"], &launch["status"]), (&json!("launch"), &json!("active")));
    assert_eq!(launch["window"]["until"], "2027-01-15T09:00:00.000Z");
    assert_eq!((&friday["status"], friday.get("window")), (&json!("inactive"), None));
    let begin: Vec<&str> = friday["next"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|window| window["from"].as_str())
        .collect();
    let expected = ["2027-01-15T17:00:00.000Z", "2027-01-22T17:00:00.000Z", "2027-01-29T17:00:00.000Z"];
    assert_eq!(begin, expected);
    let call = Call::get("/admin/freezes?at=2026-07-03T18:30:00%2B02:00").by("Aud");
    let then = api.ok(call).await.json;
    assert_eq!(then["at"], "2026-07-03T16:30:00.000Z");
    assert_eq!(then["freezes"][1]["window"]["from"], "2026-07-03T16:00:00.000Z", "summer time");
    let odd = Call::get("/admin/freezes?at=tomorrow").by("Aud");
    assert_eq!(api.refusal(odd).await, (400, "malformed".to_owned()));
}
