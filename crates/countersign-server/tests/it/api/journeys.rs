//! What people do, as they see it; the same on memory and on SQLite.

use countersign_core::{Actor, Command};
use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::hash::{Hash, leaf_hash};
use countersign_ledger::note::VerifierKey;
use countersign_ledger::proof::{verify_consistency, verify_inclusion};
use countersign_ledger::tree::CompactRange;
use countersign_server::engine::Submission;
use countersign_server::store::memory::MemoryStore;
use countersign_server::store::sqlite::SqliteStore;
use serde_json::{Value, json};

use super::harness::{Api, Call, payout, ping, policy, rotate, successor};
use super::transcript::Transcript;
use crate::engine::fixture;

fn vote(id: &str, how: &str) -> Call {
    Call::post(format!("/admin/approvals/{id}/{how}"), &json!({ "reason": "as agreed" }))
}

async fn approval(api: &Api) -> Value {
    let mut t = Transcript::default();
    let mut asked = payout();
    asked["reason"] = json!("the campaign begins");
    let id = t.step(api, Call::post("/admin/approvals", &asked).by("Ana")).await.id();
    t.step(api, vote(&id, "approve").by("Ana")).await;
    let mut wanted = payout();
    wanted["approval"] = json!(id);
    t.step(api, Call::post("/admin/permits", &wanted).by("Ana")).await;
    t.step(api, vote(&id, "approve").by("Ben")).await;
    t.step(api, vote(&id, "approve").by("Ben")).await;
    t.step(api, vote(&id, "approve").by("Chloe")).await;
    t.step(api, Call::get(format!("/admin/approvals/{id}")).by("Aud")).await;
    wanted["parameters"]["limit_cents"] = json!(5001);
    t.step(api, Call::post("/admin/permits", &wanted).by("Ana")).await;
    wanted["parameters"]["limit_cents"] = json!(5000);
    let permit = t.step(api, Call::post("/admin/permits", &wanted).by("Ana")).await.id();
    t.step(api, Call::post("/admin/permits", &wanted).by("Ana")).await;
    t.step(api, Call::post(format!("/admin/permits/{permit}/start"), &json!({})).by("Ana")).await;
    let done = json!({ "outcome": "succeeded", "reason": "done" });
    t.step(api, Call::post(format!("/admin/permits/{permit}/finish"), &done).by("Ana")).await;
    t.step(api, Call::get("/admin/approvals?status=consumed").by("Aud")).await;
    t.step(api, Call::get(format!("/admin/permits/{permit}")).by("Aud")).await;
    t.steps()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_is_asked_for_given_and_used_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let sqlite = SqliteStore::open(folder.path().join("ledger.db")).expect("the store opens");
    let memory = approval(&Api::start().await).await;
    let api = Api::over(Box::new(sqlite), policy()).await;
    assert_eq!(approval(&api).await, memory, "the store makes no difference");
    api.engine.stop().await;
    insta::assert_json_snapshot!("approval", memory);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_denied_or_taken_back() {
    let (api, mut t) = (Api::start().await, Transcript::default());
    let denied = api.ok(Call::post("/admin/approvals", &payout()).by("Ana")).await.id();
    t.step(&api, vote(&denied, "deny").by("Ben")).await;
    t.step(&api, vote(&denied, "approve").by("Chloe")).await;
    let taken = api.ok(Call::post("/admin/approvals", &payout()).by("Ana")).await.id();
    t.step(&api, vote(&taken, "withdraw").by("Ben")).await;
    t.step(&api, vote(&taken, "withdraw").by("Ana")).await;
    api.clock.forward(1);
    let late = api.ok(Call::post("/admin/approvals", &payout()).by("Ana")).await.id();
    api.clock.forward(3_601);
    t.step(&api, vote(&late, "approve").by("Ben")).await;
    t.step(&api, Call::get(format!("/admin/approvals/{late}")).by("Ana")).await;
    insta::assert_json_snapshot!("denied", t.steps());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permit_is_given_back_or_reported_too_late() {
    let (api, mut t) = (Api::start().await, Transcript::default());
    t.step(&api, Call::post("/admin/permits", &payout()).by("Ana")).await;
    let mut wanted = payout();
    wanted["approval"] = json!(api.approved(&payout()).await);
    let permit = api.ok(Call::post("/admin/permits", &wanted).by("Ana")).await.id();
    t.step(
        &api,
        Call::post(format!("/admin/permits/{permit}/finish"), &json!({ "outcome": "failed" })).by("Ana"),
    )
    .await;
    t.step(&api, Call::post(format!("/admin/permits/{permit}/release"), &json!({})).by("Ana")).await;
    t.step(&api, Call::post("/admin/permits", &wanted).by("Ana")).await;
    let late = api.permit().await;
    api.ok(Call::post(format!("/admin/permits/{late}/start"), &json!({})).by("Ana")).await;
    api.clock.forward(601);
    t.step(
        &api,
        Call::post(format!("/admin/permits/{late}/finish"), &json!({ "outcome": "succeeded" })).by("Ana"),
    )
    .await;
    t.step(&api, Call::get("/admin/incidents").by("Aud")).await;
    t.step(&api, Call::get("/admin/permits?status=unknown").by("Aud")).await;
    insta::assert_json_snapshot!("permit", t.steps());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_passes_the_quorum_of_the_one_before() {
    let (api, mut t) = (Api::start().await, Transcript::default());
    let (next, request) = successor("next");
    let id = api.ok(Call::post("/admin/approvals", &request).by("Ana")).await.id();
    let activate = |policy: &Value| Call::post("/admin/policy", &json!({ "policy": policy, "approval": id }));
    t.step(&api, activate(&next).by("Ana")).await;
    for who in ["Ben", "Chloe"] {
        api.ok(vote(&id, "approve").by(who)).await;
    }
    t.step(&api, activate(&successor("another").0).by("Ana")).await;
    let mut misspelt = next.clone();
    misspelt["grups"] = json!({});
    t.step(&api, activate(&misspelt).by("Ana")).await;
    let answer = api.ok(activate(&next).by("Ana")).await;
    assert_eq!(answer.json["policy"]["name"], "next");
    assert_eq!((&answer.json["approval"], &answer.json["bootstrap"]), (&json!(id), &json!(false)));
    assert_eq!(api.ok(Call::get("/admin/policy").by("Aud")).await.json, answer.json);
    t.step(&api, activate(&next).by("Ana")).await;
    insta::assert_json_snapshot!("policy", t.steps());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_is_replaced_once_and_repeating_it_is_harmless() {
    let api = Api::unclaimed(Box::new(MemoryStore::new()), policy()).await;
    let mut t = Transcript::default();
    let claim =
        api.claims.iter().find(|claim| claim.person.name == "Ben").expect("Ben's claim").claim.clone();
    let with = |credential: &str| {
        let sha256 = countersign_core::digest::Digest::of(credential.as_bytes()).to_string();
        Call::post("/admin/people/claim", &json!({ "claim": claim, "credential_sha256": sha256 })).keyless()
    };
    let as_credential = Call::get("/admin/people/me").header("authorization", format!("Bearer {claim}"));
    assert_eq!(api.refusal(as_credential).await, (401, "unauthenticated".into()), "a claim is no credential");
    let (first, again) = tokio::join!(api.call(with("Ben")), api.call(with("Ben")));
    assert_eq!((first.status.as_u16(), &first.json), (200, &again.json));
    let size = api.engine.size();
    t.step(&api, with("Ben")).await;
    t.step(&api, with("another")).await;
    t.step(&api, Call::get("/admin/people/me").by("Ben")).await;
    t.step(&api, Call::get("/admin/people?status=active").by("Ben")).await;
    assert_eq!(api.engine.size(), size, "one claim, one entry");
    assert!(!t.steps_text().contains(&claim));
    insta::assert_json_snapshot!("claim", t.steps());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_is_started_and_aborted() {
    let (api, mut t) = (Api::start().await, Transcript::default());
    let mut wanted = rotate();
    wanted["approval"] = json!(api.approved(&rotate()).await);
    let permit = api.ok(Call::post("/admin/permits", &wanted).by("Ana")).await.id();
    t.step(&api, Call::post(format!("/admin/permits/{permit}/start"), &json!({})).by("Ana")).await;
    let id = t.step(&api, Call::post("/admin/rotations", &json!({ "permit": permit })).by("Ana")).await.id();
    t.step(&api, Call::post("/admin/rotations", &json!({ "permit": permit })).by("Ana")).await;
    t.step(&api, Call::get("/admin/secrets").by("Aud")).await;
    let abort = || Call::post(format!("/admin/rotations/{id}/abort"), &json!({ "reason": "wrong day" }));
    t.step(&api, abort().by("Aud")).await;
    t.step(&api, abort().by("Ana")).await;
    t.step(&api, abort().by("Ana")).await;
    t.step(&api, Call::get(format!("/admin/rotations/{id}")).by("Aud")).await;
    assert_eq!(api.ok(Call::get("/admin/rotations").by("Aud")).await.json["items"][0]["id"], id);
    let unfit = api.permit().await;
    t.step(&api, Call::post("/admin/rotations", &json!({ "permit": unfit })).by("Ana")).await;
    insta::assert_json_snapshot!("rotation", t.steps());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_show_the_bytes_that_were_hashed() {
    let (api, mut t) = (Api::start().await, Transcript::default());
    let mut asked = ping();
    asked["reason"] = json!("a look at it");
    let id = api.ok(Call::post("/admin/permits", &asked).by("Ana")).await.id();
    let entry = api.ok(Call::get(format!("/admin/entries?subject={id}")).by("Aud")).await.json;
    let entry = &entry["items"][0];
    let leaf = entry["leaf_text"].as_str().expect("text").as_bytes();
    assert_eq!(entry["leaf_hash"], leaf_hash(leaf).to_string());
    assert_eq!(entry["leaf"], serde_json::from_slice::<Value>(leaf).expect("JSON"));
    assert_eq!(entry["details"]["reason"], "a look at it");
    let index = &entry["index"];
    assert_eq!(&api.ok(Call::get(format!("/admin/entries/{index}")).by("Aud")).await.json, entry);
    t.step(&api, Call::get("/admin/entries/999999").by("Aud")).await;
    t.step(&api, Call::get("/admin/entries/18446744073709551615").by("Aud")).await;
    t.step(&api, Call::get("/admin/entries?from=18446744073709551615").by("Aud")).await;
    t.step(&api, Call::get("/admin/entries?subject=nobody").by("Aud")).await;
    t.step(&api, Call::get("/admin/entries/first").by("Aud")).await;
    insta::assert_json_snapshot!("entries", t.steps());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_can_prove_what_the_log_says() {
    let api = Api::start().await;
    api.permit().await;
    let checkpoint = checkpoint(&api).await;
    let leaves: Vec<Hash> = api
        .engine
        .read(|reader| Ok(reader.entries(0, 1_000)?.into_iter().map(|entry| entry.leaf_hash).collect()))
        .await
        .expect("readable");
    let size = checkpoint.size;
    for (index, leaf) in (0..size).zip(&leaves) {
        let answer = api.ok(Call::get(format!("/ledger/inclusion?index={index}&size={size}"))).await;
        verify_inclusion(*leaf, index, size, &hashes(&answer.json), &checkpoint.root)
            .expect("it is in there");
    }
    let mut old = CompactRange::new();
    for (older, leaf) in (1..=size).zip(&leaves) {
        old.push(*leaf);
        let answer = api.ok(Call::get(format!("/ledger/consistency?old={older}&new={size}"))).await;
        verify_consistency(older, &old.root(), size, &checkpoint.root, &hashes(&answer.json))
            .expect("it grew");
    }
    for odd in [
        "/ledger/inclusion?index=9&size=9",
        "/ledger/inclusion?index=0&size=18446744073709551615",
        "/ledger/inclusion?index=-1&size=1",
        "/ledger/inclusion?size=1",
        "/ledger/consistency?old=0&new=1",
        "/ledger/consistency?old=3&new=2",
    ] {
        assert_eq!(api.refusal(Call::get(odd)).await, (400, "malformed".into()), "{odd}");
    }
}

fn hashes(proof: &Value) -> Vec<Hash> {
    let hashes = proof["hashes"].as_array().expect("hashes").iter();
    hashes.map(|hash| hash.as_str().expect("text").parse().expect("a hash")).collect()
}

/// The checkpoint over all there is, once it is signed.
async fn checkpoint(api: &Api) -> Checkpoint {
    let key = VerifierKey::parse(&fixture::signer().vkey()).expect("a key");
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(5));
    for _ in 0..4_000 {
        let answer = api.call(Call::get("/ledger/checkpoint")).await;
        if answer.status.is_success() {
            assert!(answer.header("content-type").starts_with("text/plain"));
            let checkpoint = Checkpoint::open(&answer.text, std::slice::from_ref(&key)).expect("signed");
            if checkpoint.size == api.engine.size() {
                return checkpoint;
            }
        } else {
            assert_eq!(answer.code(), "checkpoint_not_found");
        }
        ticks.tick().await;
    }
    panic!("no checkpoint covers the log");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_concerned_may_read_what_concerns_them_and_nothing_else() {
    let mut closed = serde_json::to_value(policy()).expect("JSON");
    closed["access"]["read"] = json!(["auditors"]);
    let closed = serde_json::from_value(closed).expect("a policy");
    let api = Api::over(Box::new(MemoryStore::new()), closed).await;
    let asked = api.ok(Call::post("/admin/approvals", &payout()).by("Ana")).await.id();
    for who in ["Ana", "Ben", "Chloe", "Aud"] {
        let shown = api.ok(Call::get(format!("/admin/approvals/{asked}")).by(who)).await.json;
        assert_eq!(shown["parameters"], payout()["parameters"], "{who} must see what it is about");
        assert_eq!(api.ok(Call::get("/admin/people/me").by(who)).await.json["name"], who);
    }
    let (permit, rotation) = (api.permit().await, api.rotation().await);
    for path in [format!("/admin/permits/{permit}"), format!("/admin/rotations/{rotation}")] {
        api.ok(Call::get(&path).by("Ana")).await;
        assert_eq!(api.refusal(Call::get(&path).by("Ben")).await, (403, "not_a_reader".into()));
    }
    let secretive = [
        format!("/admin/approvals/{asked}"),
        "/admin/approvals/apr_00000000000000000000000000000009".into(),
        "/admin/permits/prm_00000000000000000000000000000009".into(),
        "/admin/rotations/rot_00000000000000000000000000000009".into(),
        "/admin/approvals".into(),
    ];
    for path in secretive {
        let refusal = api.refusal(Call::get(&path).by("Eve")).await;
        assert_eq!(refusal, (403, "not_a_reader".into()), "{path}: neither its content nor its existence");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_request_is_listed_as_what_it_is_once_that_is_written_down() {
    let api = Api::start().await;
    let id = api.ok(Call::post("/admin/approvals", &payout()).by("Ana")).await.id();
    api.clock.forward(3_601);
    let subject = id.parse().expect("a subject");
    api.engine.submit(Submission::new(Actor::Node, Command::Elapse(subject))).await.expect("it expired");
    let listed = api.ok(Call::get("/admin/approvals?status=expired").by("Aud")).await.json;
    assert_eq!(listed["items"][0]["id"], id);
}
