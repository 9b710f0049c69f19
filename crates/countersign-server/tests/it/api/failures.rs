//! Floods of what does not sign in: few entries however many come, an incident, and nobody who is signed in notices.

use std::sync::mpsc::channel;

use axum::http::StatusCode;
use countersign_core::digest::Digest;
use countersign_core::log::census::TakeCensus;
use countersign_core::{Actor, Command};
use countersign_server::engine::{DetailsOf, Shown, Submission};
use serde_json::{Value, json};

use super::dashboard::{Browser, claim_of, stage};
use super::harness::{Api, Call};
use super::passkeys::{ORIGIN, Passkey, VERIFIED, encoded};
use crate::engine::fixture::BEN;

const WINDOW: i64 = 900;

/// The leaves from this index on that tell of failures or open incidents; waits for so many.
async fn told(api: &Api, from: u64, many: usize) -> Vec<Value> {
    loop {
        let mut commits = api.engine.commits();
        let entries = api.engine.read(move |reader| reader.entries(from, 1_000)).await.expect("entries");
        let leaves =
            entries.iter().map(|entry| serde_json::from_slice::<Value>(&entry.leaf).expect("a leaf"));
        let about = |leaf: &Value| {
            ["log.sign_ins_failed", "incident.opened"].iter().any(|kind| leaf["kind"] == **kind)
        };
        let told: Vec<Value> = leaves.filter(about).collect();
        if told.len() >= many {
            return told;
        }
        commits.changed().await.expect("the engine goes on");
    }
}

/// Sends so many wrong passkeys for Ben's account.
async fn flood(api: &Api, browser: &Browser, many: usize) {
    for round in 0..many.div_ceil(500) {
        let wrong = browser.shown(&Passkey::es256(2), (ORIGIN, VERIFIED)).await;
        for _ in 0..(many - round * 500).min(500) {
            let status = browser.sign_in(&wrong).await.status.as_u16();
            assert!([401, 429].contains(&status), "{status}");
        }
    }
    api.engine.ready().expect("the engine goes on");
}

fn failures(leaves: &[Value], about: &str) -> Vec<u64> {
    let of = leaves.iter().filter(|leaf| leaf["data"]["about"]["kind"] == about);
    of.map(|leaf| leaf["data"]["failures"]["passkey"].as_u64().expect("a number")).collect()
}

/// Flaw: floods that fill the log, and a lockout that ends a victim's session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_wrong_sign_ins_make_four_entries_and_two_incidents() {
    let (api, ben) = stage().await;
    ben.arrive(claim_of(&api, "Ben"), &Passkey::es256(1)).await;
    let (from, attacker) = (api.engine.size(), ben.stranger("203.0.113.1"));
    flood(&api, &attacker, 1_000).await;
    let first = told(&api, from, 4).await;
    let (account, network) = (failures(&first, "account"), failures(&first, "network"));
    assert_eq!((account.len(), network.len(), first.len()), (1, 1, 4), "{first:?}");
    assert!(
        (20..500).contains(&account[0]) && (50..500).contains(&network[0]),
        "soon: {account:?} {network:?}"
    );
    assert_eq!(ben.get("/account").await.status, StatusCode::OK, "who is signed in stays so");

    api.clock.forward(WINDOW);
    let all = told(&api, from, 6).await;
    assert_eq!(failures(&all, "account").iter().sum::<u64>(), 1_000);
    assert_eq!(failures(&all, "network").iter().sum::<u64>(), 1_000);
    let incidents: Vec<_> = all.iter().filter(|leaf| leaf["kind"] == "incident.opened").collect();
    let about: Vec<_> =
        incidents.iter().map(|leaf| (&leaf["data"]["cause"], &leaf["data"]["about"])).collect();
    let failures = Value::from("sign-in-failures");
    assert!(
        about.contains(&(&failures, &BEN.to_string().into())) && about.contains(&(&failures, &"log".into()))
    );
    for leaf in &all {
        let text = leaf.to_string();
        assert!(!text.contains("203.0.113"), "no address is in a leaf: {text}");
        assert_eq!(leaf["actor"], "node");
    }
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_somebody_gets_in_after_that_is_told_at_once_and_where_from_is_redactable() {
    let (api, ben) = stage().await;
    let passkey = Passkey::es256(1);
    ben.arrive(claim_of(&api, "Ben"), &passkey).await;
    let (from, attacker) = (api.engine.size(), ben.stranger("203.0.113.1"));
    flood(&api, &attacker, 30).await;
    let before = told(&api, from, 2).await.len();
    let right = attacker.shown(&passkey, (ORIGIN, VERIFIED)).await;
    assert_eq!(attacker.sign_in(&right).await.status.as_u16(), 303, "what is right never waits");
    let told = told(&api, from, before + 2).await;
    let [.., after, incident] = told.as_slice() else { panic!("{told:?}") };
    assert!(after["data"]["succeeded_at"].is_string(), "{after}");
    assert_eq!(incident["data"], json!({ "about": BEN.to_string(), "cause": "sign-in-after-failures" }));
    assert_eq!(after["correlation"], told[0]["correlation"], "it is one story");
    assert_eq!(ben.get("/account").await.status, StatusCode::OK);
    let index = told[0]["index"].as_u64().expect("an index");
    let details =
        api.engine.read(move |reader| reader.details(index)).await.expect("an answer").expect("details");
    assert_eq!(
        serde_json::from_slice::<Value>(&details.body).expect("JSON"),
        json!({ "networks": [{ "failures": told[0]["data"]["failures"]["passkey"], "network": "203.0.113.0/24" }] })
    );
    let metrics = api.ok(Call::get("/metrics")).await.text;
    assert!(metrics.contains("countersign_sign_in_alarms_total{about=\"account\"}"), "{metrics}");
    api.engine.stop().await;
}

/// Does something of which the writer sees the whole or nothing: meanwhile it is held up by what is kept beside a census.
async fn while_the_writer_is_held_up(api: &Api, something: impl FnOnce()) {
    let ((entered, inside), (go_on, told)) = (channel(), channel());
    let take = TakeCensus { size: api.engine.size(), subjects: 1, root_sha256: Digest::of(b"rows") };
    let held_up = DetailsOf::Each(Box::new(move |_| {
        entered.send(()).expect("the test waits");
        told.recv().expect("the test goes on");
        None
    }));
    let submission =
        Submission { details: held_up, ..Submission::new(Actor::Node, Command::TakeCensus(take)) };
    let engine = api.engine.clone();
    let taken = tokio::spawn(async move { engine.submit(submission).await });
    tokio::task::block_in_place(|| inside.recv()).expect("the writer is inside");
    something();
    go_on.send(()).expect("the writer waits");
    taken.await.expect("no panic").expect("it is taken");
}

/// However many networks there are: a dozen entries an hour, and one for all others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_failures_from_two_hundred_networks_make_fourteen_entries() {
    let api = Api::start().await;
    let from = api.engine.size();
    while_the_writer_is_held_up(&api, || {
        for network in 0..200 {
            for _ in 0..50 {
                api.engine.count_failure(Shown::Password, (None, &format!("198.51.{network}.0/24")));
            }
        }
    })
    .await;
    let all = told(&api, from, 14).await;
    let about =
        |kind: &str| all.iter().filter(|leaf| leaf["data"]["about"]["kind"] == *kind).collect::<Vec<_>>();
    assert_eq!((about("network").len(), about("others").len(), all.len()), (12, 1, 14));
    assert_eq!(about("others")[0]["data"]["about"]["left_out"], 188);
    let counts = all.iter().filter_map(|leaf| leaf["data"]["failures"]["password"].as_u64());
    assert_eq!(counts.sum::<u64>(), 10_000, "none is lost");
    api.clock.forward(WINDOW);
    api.engine.stop().await;
    assert_eq!(api.engine.size(), from + 15, "those and the census");
}

/// Flaw: enumeration, and subjects without bound. What is for nobody is in no entry about an account.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_that_there_are_not_are_in_no_entry() {
    let (api, ben) = stage().await;
    ben.arrive(claim_of(&api, "Ben"), &Passkey::es256(1)).await;
    let (from, attacker) = (api.engine.size(), ben.stranger("203.0.113.1"));
    let mut wrong = attacker.shown(&Passkey::es256(2), (ORIGIN, VERIFIED)).await;
    for number in 0..60_u32 {
        for (name, value) in &mut wrong {
            if name == "user_handle" {
                *value = encoded(format!("per_{:032x}", 4_096 + number / 30).as_bytes());
            }
        }
        attacker.sign_in(&wrong).await;
    }
    let told = told(&api, from, 2).await;
    let kinds: Vec<_> = told.iter().map(|leaf| &leaf["data"]["about"]).collect();
    assert_eq!(kinds, [&json!({ "kind": "network" }), &json!("log")]);
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_claims_count_too_and_incidents_are_listed() {
    let api = Api::start().await;
    let from = api.engine.size();
    for number in 0..60 {
        let claim = json!({ "claim": format!("csc_{number}"), "credential_sha256": "0".repeat(64) });
        api.call(Call::post("/admin/people/claim", &claim).from("192.0.2.9")).await;
    }
    let told = told(&api, from, 2).await;
    assert!(told[0]["data"]["failures"]["claim"].as_u64().is_some_and(|count| count >= 50), "{told:?}");
    let listed = api.ok(Call::get("/admin/incidents").by("Ana")).await.json;
    assert_eq!(listed["items"][0]["cause"], "sign-in-failures");
    api.engine.stop().await;
}
