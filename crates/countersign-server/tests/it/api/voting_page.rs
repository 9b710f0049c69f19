//! One's voting keys on a page: a key is made for voting alone, asked for in exact words, and put in force only when others agreed.

use axum::http::StatusCode;
use countersign_server::store::memory::MemoryStore;
use serde_json::json;

use super::dashboard::{Browser, Page, claim_of};
use super::harness::{Api, policy};
use super::passkeys::{ORIGIN, Passkey};
use crate::engine::fixture::{self, BEN, CHLOE};

const PATH: &str = "/account/voting-keys";

/// Ben and Chloe are in the browser; who may ask for voting keys is said.
async fn stage(requesters: &[&str]) -> (Api, Browser, Browser) {
    let mut policy = serde_json::to_value(policy()).expect("JSON");
    let rules = policy["rules"].as_array_mut().expect("rules");
    let rule = rules.iter_mut().find(|rule| rule["name"] == "enroll").expect("the rule for voting keys");
    (rule["requesters"], rule["executors"]) = (json!(requesters), json!(requesters));
    rule["quorum"] = json!({ "approvers": 1 });
    let policy = serde_json::from_value(policy).expect("a policy");
    let api = Api::unclaimed(Box::new(MemoryStore::new()), policy).await;
    let ben = Browser::of(&api, "192.0.2.1");
    let chloe = ben.stranger("192.0.2.2");
    for (browser, name, number) in [(&ben, "Ben", 1), (&chloe, "Chloe", 2)] {
        let entered = browser.arrive(claim_of(&api, name), &Passkey::es256(number)).await;
        assert_eq!(entered.status.as_u16(), 303, "{}", entered.text);
    }
    let ana = api.claims.iter().find(|claim| claim.person.name == "Ana").expect("Ana");
    fixture::replace(&api.engine, ana).await;
    (api, ben, chloe)
}

/// Hands in a passkey that was made on this page, or as if it had been.
async fn made(browser: &Browser, page: &Page, passkey: &Passkey) -> Page {
    let [token, once, challenge] = ["token", "once", "challenge"].map(|name| page.hidden(PATH, name));
    let (attestation, client_data) = passkey.registered(&challenge, ORIGIN);
    let fields = [
        ("token", token.as_str()),
        ("once", &once),
        ("challenge", &challenge),
        ("attestation_object", &attestation),
        ("client_data_json", &client_data),
    ];
    browser.post(PATH, &fields).await
}

/// Sends the only form of the page that goes there.
async fn pressed(browser: &Browser, page: &Page, (path, field): (&str, &str)) -> Page {
    let [token, once, value] = ["token", "once", field].map(|name| page.hidden(path, name));
    browser.post(path, &[("token", &token), ("once", &once), (field, &value)]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_asked_for_agreed_to_put_in_force_and_revoked() {
    let (api, ben, chloe) = stage(&["approvers"]).await;
    let page = ben.get(PATH).await;
    assert!(page.text.contains("none in force") && page.text.contains("data-resident=\"discouraged\""));
    let asked = made(&ben, &page, &Passkey::es256(7)).await;
    let request = asked.header("location").to_owned();
    assert!(request.starts_with("/approvals/apr_"), "{}", asked.text);
    let waiting = ben.get(PATH).await;
    assert!(
        waiting.text.contains("waits for others") && waiting.text.contains("none in force"),
        "{}",
        waiting.text
    );

    // Sent without the consent it needs, it does nothing.
    let id = request.trim_start_matches("/approvals/");
    let token = waiting.hidden(PATH, "token");
    let early = [("token", token.as_str()), ("once", &waiting.hidden(PATH, "once")), ("approval", id)];
    let refused = ben.post("/account/voting-keys/enroll", &early).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "the token of another form: {}", refused.text);

    let seen = chloe.get(&request).await;
    assert!(seen.text.contains("parameters.key.rp_id"), "{}", seen.text);
    let approve = format!("{request}/approve");
    let fields = [("token", seen.hidden(&approve, "token")), ("once", seen.hidden(&approve, "once"))];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(chloe.post(&approve, &fields).await.status.as_u16(), 303);

    let approved = ben.get(PATH).await;
    let enroll = ("/account/voting-keys/enroll", "approval");
    let forced = pressed(&ben, &approved, enroll).await;
    assert_eq!(forced.header("location"), PATH, "{}", forced.text);
    let state = api.engine.state();
    let keys = &state.person(BEN).expect("Ben").keys;
    assert!(keys.len() == 1 && keys[0].is_in_force());
    let again = pressed(&ben, &approved, enroll).await;
    assert_eq!(again.header("location"), PATH, "the same form sent twice happens once");
    let page = ben.get(PATH).await;
    assert!(page.text.contains("a passkey, for these pages"), "{}", page.text);

    // What signs somebody in, or votes for somebody, does not vote as well.
    for passkey in [Passkey::es256(1), Passkey::es256(7)] {
        let refused = made(&chloe, &chloe.get(PATH).await, &passkey).await;
        assert!(
            refused.header("location").starts_with("/approvals/"),
            "asking is free, others look: {}",
            refused.text
        );
    }
    let revoked = pressed(&ben, &page, ("/account/voting-keys/revoke", "key")).await;
    assert_eq!(revoked.header("location"), PATH, "{}", revoked.text);
    assert!(!api.engine.state().person(BEN).expect("Ben").keys[0].is_in_force());
    assert!(ben.get(PATH).await.text.contains("none in force"));
    assert!(api.engine.state().person(CHLOE).expect("Chloe").keys.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_ask_is_told_whom_to_give_the_key_and_old_challenges_are_none() {
    let (api, ben, _) = stage(&["engineers"]).await;
    let page = ben.get(PATH).await;
    let size = api.engine.size();
    let told = made(&ben, &page, &Passkey::es256(7)).await;
    assert_eq!(told.status, StatusCode::FORBIDDEN, "{}", told.text);
    assert!(
        told.text.contains("countersign/passkey/v1") && told.text.contains("voting-key enroll"),
        "{}",
        told.text
    );
    api.clock.forward(301);
    let stale = made(&ben, &page, &Passkey::es256(7)).await;
    assert!(stale.text.contains("challenge_stale"), "{}", stale.text);
    // A challenge for another purpose is none.
    let account = ben.get("/account").await;
    let fresh = ben.get(PATH).await;
    let challenge = account.hidden("/account/passkeys", "challenge");
    let (attestation, client_data) = Passkey::es256(7).registered(&challenge, ORIGIN);
    let (token, once) = (fresh.hidden(PATH, "token"), fresh.hidden(PATH, "once"));
    let fields = [
        ("token", token.as_str()),
        ("once", &once),
        ("challenge", &challenge),
        ("attestation_object", &attestation),
        ("client_data_json", &client_data),
    ];
    assert!(ben.post(PATH, &fields).await.text.contains("challenge_stale"));
    let kinds = api.engine.read(move |reader| reader.entries(size, 100)).await.expect("entries");
    let asks = |leaf: &[u8]| String::from_utf8_lossy(leaf).contains("approval.requested");
    assert!(!kinds.iter().any(|entry| asks(&entry.leaf)));
}
