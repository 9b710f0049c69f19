//! Terminals over HTTP: one shows a code, and somebody who is signed in lets it in or turns it away.

use countersign_core::digest::Digest;
use serde_json::{Value, json};

use super::harness::{Api, Call};

const TERMINALS: &str = "/admin/terminals";

/// Stands for the session of somebody's browser.
pub(super) const BROWSER: &str = "css_browser";

/// Stands for what the terminal drew.
const TERMINAL: &str = "css_terminal";

fn sha256(secret: &str) -> String {
    Digest::of(secret.as_bytes()).to_string()
}

pub(super) fn asking(secret: &str) -> Value {
    json!({ "session_sha256": sha256(secret), "terminal": "ana's laptop\u{202e}" })
}

pub(super) fn answering(code: &str, answer: &str) -> Call {
    Call::post(format!("{TERMINALS}/{code}/answer"), &json!({ "answer": answer }))
}

/// Signs Ana in, and lets a terminal ask; its code.
pub(super) async fn asked(api: &Api) -> String {
    api.ok(Call::post("/admin/sessions", &json!({ "session_sha256": sha256(BROWSER) })).by("Ana")).await;
    let asked = api.ok(Call::post(TERMINALS, &asking(TERMINAL)).from("192.0.2.7")).await;
    asked.json["code"].as_str().expect("a code").to_owned()
}

async fn standing(api: &Api) -> String {
    let path = format!("{TERMINALS}/sessions/{}", sha256(TERMINAL));
    api.ok(Call::get(path)).await.json["status"].as_str().expect("a status").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_acts_for_whoever_lets_it_in_from_then_on() {
    let api = Api::start().await;
    let code = asked(&api).await;
    let again = api.ok(Call::post(TERMINALS, &asking(TERMINAL)).from("192.0.2.7")).await;
    assert_eq!(again.json["code"], json!(code), "asked again, it waits under the same code");
    assert_eq!(standing(&api).await, "waiting");
    let refused = api.refusal(Call::get("/admin/people/me").by(TERMINAL)).await;
    assert_eq!(refused, (401, "unauthenticated".into()));

    let typed = code.to_lowercase().replace('-', "");
    let looked = api.ok(Call::get(format!("{TERMINALS}/{typed}")).by(BROWSER)).await.json;
    assert_eq!((&looked["code"], &looked["address"]), (&json!(code), &json!("192.0.2.7")));
    assert_eq!(looked["terminal"], "ana's laptop\\u{202e}", "what would be invisible is shown");
    let admitted = api.ok(answering(&code, "admit").by(BROWSER)).await;
    assert_eq!(admitted.json["status"], "admitted");
    assert_eq!(standing(&api).await, "admitted");
    let me = api.ok(Call::get("/admin/people/me").by(TERMINAL)).await.json;
    assert_eq!(me, api.ok(Call::get("/admin/people/me").by("Ana")).await.json);
    let gone = api.refusal(Call::get(format!("{TERMINALS}/{code}")).by(BROWSER)).await;
    assert_eq!(gone, (404, "terminal_not_found".into()), "a code works once");
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_that_was_let_in_lets_no_other_in() {
    let api = Api::start().await;
    let code = asked(&api).await;
    api.ok(answering(&code, "admit").by(BROWSER)).await;
    let next = api.ok(Call::post(TERMINALS, &asking("css_next"))).await.json;
    let code = next["code"].as_str().expect("a code");
    let refused = api.refusal(answering(code, "admit").by(TERMINAL)).await;
    assert_eq!(refused, (403, "session_not_to_hand_on".into()));
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_that_is_turned_away_stays_outside() {
    let api = Api::start().await;
    let code = asked(&api).await;
    api.ok(answering(&code, "turn-away").by(BROWSER)).await;
    assert_eq!(standing(&api).await, "turned-away");
    let refused = api.refusal(answering(&code, "admit").by(BROWSER)).await;
    assert_eq!(refused, (404, "terminal_not_found".into()));
    let refused = api.refusal(Call::get("/admin/people/me").by(TERMINAL)).await;
    assert_eq!(refused, (401, "unauthenticated".into()));
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_worth_nothing_after_ten_minutes() {
    let api = Api::start().await;
    let code = asked(&api).await;
    api.clock.forward(601);
    assert_eq!(standing(&api).await, "unknown");
    let refused = api.refusal(answering(&code, "admit").by(BROWSER)).await;
    assert_eq!(refused, (404, "terminal_not_found".into()));
    api.engine.stop().await;
}

/// Somebody who walks by an unlocked browser would otherwise take a session home.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_proved_themselves_a_moment_ago_lets_a_terminal_in() {
    let api = Api::start().await;
    asked(&api).await;
    api.clock.forward(601);
    let code = api.ok(Call::post(TERMINALS, &asking(TERMINAL))).await.json;
    let code = code["code"].as_str().expect("a code");
    let refused = api.refusal(answering(code, "admit").by(BROWSER)).await;
    assert_eq!(refused, (403, "proof_not_recent".into()));
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_tries_codes_out_has_to_wait() {
    let api = Api::start().await;
    let code = asked(&api).await;
    let call = |code: &str| Call::get(format!("{TERMINALS}/{code}")).by(BROWSER).from("192.0.2.9");
    let mut told = (404, String::new());
    let mut tries = 0;
    while told.0 == 404 {
        told = api.refusal(call("BBBB-BBBB")).await;
        tries += 1;
        assert!(tries < 30, "nobody has to wait");
    }
    assert_eq!(told, (429, "too_many_codes".into()));
    api.ok(call(&code)).await;
    api.engine.stop().await;
}
