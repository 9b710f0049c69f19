//! A node that cannot show that it knows who was revoked refuses everybody within the stated bound, and is well again when it can; how long
//! each revocation took is told.

use std::time::{Duration, Instant};

use countersign_server::engine::REVOCATION_BOUND;
use countersign_server::store::memory::MemoryStore;
use serde_json::{Value, json};

use super::harness::{Api, Call, ping, policy};
use super::tokens::{TOKENS, issued};
use crate::store::faulty::{Fault, Faults, FaultyStore};

/// Longer than any test takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// How often an append is tried before the engine refuses.
const TRIES: u64 = 4;

async fn over_faults() -> (Api, Faults) {
    let faults = Faults::default();
    let store = FaultyStore::new(MemoryStore::new(), &faults);
    (Api::over(Box::new(store), policy()).await, faults)
}

fn question() -> Value {
    json!({
        "subject": { "type": "person", "id": "per_00000000000000000000000001" },
        "action": { "name": "ping" }, "resource": { "type": "probe", "id": "any" },
        "context": { "environment": "production" },
    })
}

/// Asks until the answer has this status and code.
async fn until(api: &Api, (call, told): (impl Fn() -> Call, (u16, &str))) {
    let begun = Instant::now();
    loop {
        let answer = api.call(call()).await;
        let code = if answer.status.is_success() { "" } else { answer.code() };
        if (answer.status.as_u16(), code) == told {
            return;
        }
        assert!(begun.elapsed() < LONG, "{told:?} never came, the last was {answer:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_cut_off_from_its_store_refuses_everybody_until_it_sees_it_again() {
    let (api, faults) = over_faults().await;
    let (id, token) = issued(&api, 1).await;
    let path = format!("/admin/service-tokens/{id}");
    faults.cut_off(true);
    let cut_off = Instant::now();
    let by_token = || Call::post("/admin/permits", &ping()).by(token).from("10.1.2.3");
    until(&api, (|| Call::get(&path).by("Ana"), (503, "stale"))).await;
    assert!(cut_off.elapsed() >= REVOCATION_BOUND / 2, "it was refused before it had to be");
    let exchange =
        json!({ "scopes": ["ping:probe/any"], "lifetime_seconds": 60, "token_sha256": "0".repeat(64) });
    for call in [
        by_token(),
        Call::post("/admin/permits", &ping()).by("Ana"),
        Call::post("/access/v1/evaluation", &question()).by("Ana"),
        Call::post("/admin/service-tokens/exchange", &exchange).by(token).from("10.1.2.3"),
        Call::get("/admin/people/me").by("Ana"),
        Call::get("/admin/people/me").by("nobody"),
        Call::get("/readyz"),
    ] {
        let asked = format!("{} {}", call.method, call.path);
        assert_eq!(api.refusal(call).await, (503, "stale".into()), "{asked}");
    }
    let metrics = api.ok(Call::get("/metrics")).await.text;
    let age = metrics.lines().find_map(|line| line.strip_prefix("countersign_state_age_seconds "));
    assert!(age.is_some_and(|age| age.parse::<f64>().expect("a number") >= REVOCATION_BOUND.as_secs_f64()));
    faults.cut_off(false);
    until(&api, (by_token, (201, ""))).await;
    api.ok(Call::get("/readyz")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_whose_outcome_nobody_was_told_has_effect_without_another_command() {
    let (api, faults) = over_faults().await;
    let (id, token) = issued(&api, 1).await;
    let revoke =
        || Call::post(format!("/admin/service-tokens/{id}/revoke"), &json!({})).by("Ana").key("once");
    // The first append is kept; whoever asks is told that the store is gone, which from then on it is.
    faults.fail(0, Fault::AfterPersistingAndCutOff);
    assert_eq!(api.refusal(revoke()).await, (503, "outcome_unknown".into()));
    faults.cut_off(false);
    let by_token = || Call::get("/admin/people/me").by(token).from("10.1.2.3");
    until(&api, (by_token, (401, "unauthenticated"))).await;
    let repeated = api.ok(revoke()).await;
    assert_eq!(repeated.json["status"], "revoked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_takes_nothing_lets_nobody_be_revoked_so_nobody_is_let_in_until_it_does() {
    let (api, faults) = over_faults().await;
    let (id, token) = issued(&api, 1).await;
    api.signed().await;
    faults.refuse_writes(true);
    let revoke = || Call::post(format!("/admin/service-tokens/{id}/revoke"), &json!({})).by("Ana");
    assert_eq!(api.refusal(revoke()).await, (503, "unavailable".into()));
    let by_token = || Call::post("/admin/permits", &ping()).by(token).from("10.1.2.3");
    until(&api, (by_token, (503, "stale"))).await;
    assert!(faults.appends() >= TRIES);
    faults.refuse_writes(false);
    until(&api, (revoke, (200, ""))).await;
    assert_eq!(api.refusal(by_token()).await, (401, "unauthenticated".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_long_each_revocation_took_is_counted_once() {
    let api = Api::start().await;
    let (first, _) = issued(&api, 1).await;
    let (_, second) = issued(&api, 2).await;
    assert_eq!(second, TOKENS[2]);
    let revoke =
        || Call::post(format!("/admin/service-tokens/{first}/revoke"), &json!({})).by("Ana").key("once");
    for _ in 0..3 {
        api.ok(revoke()).await;
    }
    let me = api.ok(Call::get("/admin/people/me").by("Eve")).await.id();
    api.ok(Call::post(format!("/admin/people/{me}/deactivate"), &json!({})).by("Ana")).await;
    let metrics = api.ok(Call::get("/metrics")).await.text;
    for subject in ["token", "person"] {
        let line = format!("countersign_revocation_seconds_count{{subject=\"{subject}\"}} 1");
        assert!(metrics.lines().any(|it| it == line), "{line} in\n{metrics}");
    }
    assert!(metrics.contains("countersign_revocation_seconds_bucket{subject=\"token\",le=\"1\"} 1"));
}

#[cfg(feature = "sabotage")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_node_that_lets_people_in_all_the_same_is_noticed() {
    use countersign_core::sabotage::{Sabotage, activate};
    let (api, faults) = over_faults().await;
    activate(Sabotage::StaleNode);
    faults.cut_off(true);
    while api.engine.state_age() <= REVOCATION_BOUND {
        tokio::task::yield_now().await;
    }
    assert!(api.call(Call::get("/admin/people/me").by("Ana")).await.status.is_success());
}
