//! Wrong claims over HTTP: too many of them wait, right ones never do, and nobody learns anything from either.

use countersign_core::digest::Digest;
use countersign_server::store::memory::MemoryStore;
use serde_json::json;

use super::harness::{Answer, Api, Call, policy};

/// Wrong claims from one network that make nobody wait.
const FREE: usize = 10;

const HERE: &str = "192.0.2.7";

fn claiming(claim: &str) -> Call {
    let credential_sha256 = Digest::of(b"somebody").to_string();
    Call::post("/admin/people/claim", &json!({ "claim": claim, "credential_sha256": credential_sha256 }))
}

fn wrong(number: usize) -> Call {
    claiming(&format!("csc_{number:042}A"))
}

async fn unclaimed() -> Api {
    Api::unclaimed(Box::new(MemoryStore::new()), policy()).await
}

/// Sends wrong claims until the next one waits.
async fn tired(api: &Api, address: &str) {
    for number in 0..=FREE {
        assert_eq!(api.refusal(wrong(number).from(address)).await, (403, "unknown_claim".into()), "{number}");
    }
}

fn waits(answer: &Answer) -> u32 {
    assert_eq!((answer.status.as_u16(), answer.code()), (429, "too_many_claims"));
    answer.header("retry-after").parse().expect("seconds")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_wrong_claims_of_one_network_wait_longer_and_longer() {
    let api = unclaimed().await;
    let size = api.engine.size();
    tired(&api, HERE).await;
    assert_eq!(waits(&api.call(wrong(99).from("192.0.2.200")).await), 1, "the same network");
    assert_eq!(api.refusal(wrong(99).from("198.51.100.1")).await.0, 403, "another one does not wait");
    for wait in [2, 4, 8] {
        api.clock.forward(i64::from(wait) / 2);
        assert_eq!(api.refusal(wrong(99).from(HERE)).await.0, 403);
        assert_eq!(waits(&api.call(wrong(99).from(HERE)).await), wait);
    }
    assert_eq!(api.engine.size(), size, "nothing of it is written down");
    let metrics = api.ok(Call::get("/metrics")).await.text;
    for code in ["unknown_claim", "too_many_claims"] {
        assert!(
            metrics.contains(&format!("countersign_claims_refused_total{{code=\"{code}\"}}")),
            "{metrics}"
        );
    }
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_wrong_claims_keeps_nobody_out() {
    let api = unclaimed().await;
    tired(&api, HERE).await;
    for number in 0..200 {
        drop(api.call(wrong(number).from(&format!("10.0.{number}.1"))).await);
    }
    waits(&api.call(wrong(999).from("203.0.113.1")).await);
    let claim = &api.claims.first().expect("somebody").claim;
    assert_eq!(api.ok(claiming(claim).from(HERE)).await.json["status"], "active");
    waits(&api.call(wrong(999).from(HERE)).await);
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_claims_of_every_kind_get_one_answer() {
    let api = unclaimed().await;
    let ana = api.claims.first().expect("somebody").claim.clone();
    api.ok(claiming(&ana)).await;
    let guess = format!("csc_{}", "A".repeat(43));
    let short = ana[..ana.len() - 1].to_owned();
    let mut told = Vec::new();
    let other = Digest::of(b"somebody else").to_string();
    for claim in [&guess, &short, &ana, &"hunter2".to_owned(), &String::new(), &"x".repeat(10_000)] {
        let body = json!({ "claim": claim, "credential_sha256": other });
        let mut answer = api.call(Call::post("/admin/people/claim", &body)).await;
        assert_eq!(answer.code(), "unknown_claim");
        answer.json["request_id"].take();
        told.push((answer.status, answer.json));
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    api.engine.stop().await;
}

/// What is counted is counted before anybody is asked, so many at once get no further than many one by one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_at_once_are_no_way_around() {
    let api = std::sync::Arc::new(unclaimed().await);
    let tasks = (0..64).map(|number| {
        let api = std::sync::Arc::clone(&api);
        tokio::spawn(async move { api.call(wrong(number).from(HERE)).await.status.as_u16() })
    });
    let tasks: Vec<_> = tasks.collect();
    let mut looked_at = 0;
    for task in tasks {
        looked_at += usize::from(task.await.expect("no panic") == 403);
    }
    assert_eq!(looked_at, FREE + 1);
    api.engine.stop().await;
}
