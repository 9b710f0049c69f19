//! Repeated requests: the first answer again, no second effect, and no way to smuggle another request under a used key.

use serde_json::json;

use super::harness::{Api, Call, payout, ping};

fn request() -> Call {
    Call::post("/admin/approvals", &payout()).by("Ana").key("once")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_shows_what_the_first_request_bound() {
    let api = Api::start().await;
    let first = api.ok(request()).await;
    let again = api.ok(request()).await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 201));
    assert_eq!(first.json, again.json);
    assert_eq!(first.json["parameters"], payout()["parameters"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_request_under_a_used_key_is_refused() {
    let api = Api::start().await;
    let id = api.ok(request()).await.id();
    let size = api.engine.size();
    let mut other = payout();
    other["parameters"]["limit_cents"] = json!(1);
    let mismatch = (422, "idempotency_mismatch".to_owned());
    assert_eq!(api.refusal(Call::post("/admin/approvals", &other).by("Ana").key("once")).await, mismatch);
    let spaced = Call::raw("/admin/approvals", format!(" {}", payout()).into_bytes()).by("Ana").key("once");
    assert_eq!(api.refusal(spaced).await, mismatch, "the same meaning in other bytes is another body");
    let elsewhere = Call::post(format!("/admin/approvals/{id}/withdraw"), &json!({})).by("Ana").key("once");
    assert_eq!(api.refusal(elsewhere).await, mismatch, "another path is another request");
    assert_eq!(api.engine.size(), size);
    // Keys belong to those who drew them.
    api.ok(Call::post(format!("/admin/approvals/{id}/approve"), &json!({})).by("Ben").key("once")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_decided_again() {
    let api = Api::start().await;
    let id = api.ok(request()).await.id();
    let mut wanted = payout();
    wanted["approval"] = json!(id);
    let reserve = || Call::post("/admin/permits", &wanted).by("Ana").key("reserve");
    assert_eq!(api.refusal(reserve()).await, (409, "approval_pending".into()));
    for who in ["Ben", "Chloe"] {
        api.ok(Call::post(format!("/admin/approvals/{id}/approve"), &json!({})).by(who)).await;
    }
    let first = api.ok(reserve()).await;
    assert_eq!(api.ok(reserve()).await.json, first.json);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_with_one_key_one_has_an_effect_and_all_get_its_answer() {
    let api = Api::start().await;
    let size = api.engine.size();
    let ask = |_| Call::post("/admin/permits", &ping()).by("Ana").key("at-once");
    let answers = tokio::join!(
        api.ok(ask(0)),
        api.ok(ask(1)),
        api.ok(ask(2)),
        api.ok(ask(3)),
        api.ok(ask(4)),
        api.ok(ask(5)),
    );
    let (first, rest) = (answers.0.json, [answers.1, answers.2, answers.3, answers.4, answers.5]);
    assert!(rest.iter().all(|answer| answer.json == first));
    assert_eq!(api.engine.size(), size + 1);
}
