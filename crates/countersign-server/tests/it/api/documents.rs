//! Permit documents over the API: what a reservation answers with, the same bytes each time, and what an executor makes of them.

use countersign_core::time::Time;
use countersign_evidence::permit::{Pins, Quorum, Untrusted, Verified, Wanted, verify};
use serde_json::{Value, json};

use super::harness::{Api, Call, payout, permit_signer, policy};
use crate::engine::fixture::{ANA, ORIGIN, signer};

fn judged(document: &[u8], parameters: &Value, now: Time) -> Result<Verified, Untrusted> {
    let (permit_keys, log_keys) = ([permit_signer().verifier()], [signer().verifier()]);
    let pins = Pins { permit_keys: &permit_keys, log: ORIGIN, log_keys: &log_keys, roster: None };
    let wanted = Wanted { action: None, parameters: Some(parameters), executor: Some(ANA), now };
    verify(document, &pins, &wanted)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reservation_is_answered_with_a_document_that_is_the_same_whenever_it_is_asked_for() {
    let api = Api::with_permit_key(policy()).await;
    let mut wanted = payout();
    wanted["approval"] = json!(api.approved(&payout()).await);
    let reserve = Call::post("/admin/permits", &wanted).by("Ana").key("once");
    let reserved = api.ok(reserve.clone()).await.json;
    let document = reserved["document"].clone();
    let again = api.ok(reserve).await.json;
    assert_eq!(again["document"], document, "a repetition is answered with the same");
    let id = reserved["id"].as_str().expect("an id");
    let path = format!("/admin/permits/{id}/document");
    let bytes = serde_json::to_vec(&document).expect("JSON");
    let now = reserved["reserved_at"].as_str().expect("a time").parse().expect("a time");
    let verified = judged(&bytes, &payout()["parameters"], now).expect("it holds");
    assert_eq!(verified.leave.permit.to_string(), id);
    assert_eq!(verified.quorum, Quorum::ServersWord("no roster is pinned"));
    let votes: Vec<_> = verified.leave.approvals[0].votes.iter().map(|vote| vote.person.0).collect();
    assert_eq!(votes, [2, 3], "with everybody who agreed");
    assert_eq!(judged(&bytes, &json!({ "limit_cents": 5001 }), now), Err(Untrusted::Parameters));
    // Whatever happens afterwards: given back, asked for again and agreed to by the log's later checkpoints.
    api.ok(Call::post(format!("/admin/permits/{id}/release"), &json!({})).by("Ana")).await;
    api.permit().await;
    api.signed().await;
    assert_eq!(api.ok(Call::get(path.as_str()).by("Aud")).await.json, document);
    assert_eq!(api.ok(Call::get(path.as_str()).by("Ana")).await.json, document);
    assert_eq!(api.refusal(Call::get(path).by("Eve")).await, (403, "not_a_reader".into()));
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_without_the_key_gives_permits_without_a_document_and_says_why() {
    let api = Api::start().await;
    let id = api.permit().await;
    let permit = api.ok(Call::get(format!("/admin/permits/{id}")).by("Ana")).await.json;
    assert_eq!(permit.get("document"), None);
    let path = format!("/admin/permits/{id}/document");
    assert_eq!(api.refusal(Call::get(path).by("Ana")).await, (409, "no_permit_key".into()));
    api.engine.stop().await;
}
