//! What is sealed and what is proved by it: rows that are gone, swapped or named by nothing, and votes.

use axum::http::StatusCode;
use countersign_core::person::Deactivate;
use countersign_core::{Actor, Command};
use countersign_server::engine::Submission;
use countersign_server::secrets::SecretStore as _;

use super::super::dashboard::claim_of;
use super::super::harness::{Call, payout};
use super::super::passkeys::Passkey;
use super::{PASSWORD, Stage, entered};
use crate::engine::fixture::{self, ANA};

/// A rule that wants a fresh proof takes password and code, for this decision alone; a recovery code is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fresh_decision_is_proved_by_password_and_code() {
    let stage = Stage::begin().await;
    let mut ben = stage.arrive(&stage.browser, "Ben").await;
    let ana = stage.api.claims.iter().find(|claim| claim.person.name == "Ana").expect("Ana");
    fixture::replace(&stage.api.engine, ana).await;
    let chloe = stage.browser.stranger("192.0.2.2");
    chloe.arrive(claim_of(&stage.api, "Chloe"), &Passkey::es256(3)).await;
    let asked = async || {
        let id = stage.api.ok(Call::post("/admin/approvals", &payout()).by("Ana")).await.id();
        (format!("/approvals/{id}"), format!("/approvals/{id}/approve"), id)
    };
    let (path, action, id) = asked().await;
    let page = stage.browser.get(&path).await;
    let (token, once) = (page.hidden(&action, "token"), page.hidden(&action, "once"));
    let fields = vec![("token", token.as_str()), ("once", &once), ("reason", "as agreed")];
    let confirm = stage.browser.post(&action, &fields).await;
    assert!(confirm.text.contains("Approve with a password"), "{}", confirm.text);
    assert!(!confirm.text.contains("data-ceremony"), "Ben has no passkey to be asked for");
    let votes = async || {
        let approval = stage.api.ok(Call::get(format!("/admin/approvals/{id}")).by("Ana")).await.json;
        approval["votes"].as_array().map_or(0, Vec::len)
    };
    let prove = async |password: &str, code: &str| {
        let typed = [("password", password), ("code", code)];
        stage.browser.post(&action, &[fields.as_slice(), &typed].concat()).await
    };
    let code = stage.code(&mut ben);
    assert!(prove("wrong", &code).await.text.contains("not right together"));
    assert!(prove(PASSWORD, &ben.codes[0]).await.text.contains("not prove"));
    assert_eq!(votes().await, 0);
    assert_eq!(prove(PASSWORD, &code).await.header("location"), path);
    assert_eq!(votes().await, 1);

    // The same code proves nothing else.
    let (other, action, _) = asked().await;
    let page = stage.browser.get(&other).await;
    let (token, once) = (page.hidden(&action, "token"), page.hidden(&action, "once"));
    let typed = [("token", token.as_str()), ("once", &once), ("password", PASSWORD), ("code", code.as_str())];
    assert!(stage.browser.post(&action, &typed).await.text.contains("not right together"));
}

/// What is sealed is bound to its entry: a row that was swapped, changed or lost lets nobody in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verifier_that_is_gone_lets_nobody_in_and_looks_like_a_wrong_password() {
    let stage = Stage::begin().await;
    let mut ben = stage.arrive(&stage.browser, "Ben").await;
    let of = |word: &str| word.parse().expect("a word");
    for key in stage.secrets.of_type(&of("sign-in"), &of("control")).expect("it answers") {
        stage.secrets.forget(&key).expect("forgotten");
    }
    let before = stage.verifiers.hashed();
    let phone = stage.browser.stranger("192.0.2.9");
    let page = stage.sign_in(&phone, &mut ben).await;
    assert_eq!((page.status.as_u16(), stage.verifiers.hashed()), (401, before + 1));
    assert_eq!(stage.browser.get("/account").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verifier_in_the_place_of_another_lets_nobody_in() {
    let stage = Stage::begin().await;
    let (mut ben, aud) = (stage.arrive(&stage.browser, "Ben").await, stage.browser.stranger("192.0.2.2"));
    let of = |word: &str| word.parse().expect("a word");
    let keys = || stage.secrets.of_type(&of("sign-in"), &of("control")).expect("it answers");
    let bens = keys().pop().expect("one");
    let mut auds = stage.arrive(&aud, "Aud").await;
    let theirs = keys().into_iter().find(|key| *key != bens).expect("another");
    let value = stage.secrets.read(&theirs, 1).expect("it opens").expect("it is there");
    stage.secrets.forget(&bens).expect("forgotten");
    // Sealed for that row by whoever has the key: it is not what the entry names.
    stage.secrets.adopt(&bens, 1, &value).expect("adopted");
    auds.name = "Ben";
    let phone = stage.browser.stranger("192.0.2.9");
    assert_eq!(stage.sign_in(&phone, &mut auds).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(stage.sign_in(&phone, &mut ben).await.status, StatusCode::UNAUTHORIZED);
    auds.name = "Aud";
    assert!(entered(&stage.sign_in(&phone, &mut auds).await));
}

/// Power may be lost between sealing and the entry, and between the entry and taking the one before away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_entry_names_is_swept_away_once_it_is_old() {
    use countersign_server::secrets::{SecretValue, Stage as Kept};
    use countersign_server::sign_in::password::Password;
    use countersign_server::sign_in::totp::Seed;

    let stage = Stage::begin().await;
    stage.arrive(&stage.browser, "Ben").await;
    stage.arrive(&stage.browser.stranger("192.0.2.2"), "Aud").await;
    let seed = || (Seed::from_bytes(&[1; 32]), stage.step());
    stage.verifiers.keep(Password::typed(PASSWORD), seed()).await.expect("sealed");
    // A secret that somebody governs under the same type is none of ours.
    let key = "secret:sign-in/partner@control".parse().expect("a key");
    let digest = "00".repeat(32);
    let alike = format!("secret:sign-in/{digest}@control").parse().expect("a key");
    for key in [&key, &alike] {
        stage.secrets.adopt(key, 1, &SecretValue::new("theirs".into())).expect("adopted");
    }
    let sweep = || stage.verifiers.sweep(&stage.api.engine.state(), stage.api.engine.now()).expect("swept");
    assert_eq!((sweep(), stage.kept()), (0, 5), "it may be about to be named");
    stage.api.clock.forward(3_700);
    assert_eq!((sweep(), stage.kept()), (1, 4));
    assert_eq!(sweep(), 0);
    let ana = stage.api.claims.iter().find(|claim| claim.person.name == "Ana").expect("Ana");
    fixture::replace(&stage.api.engine, ana).await;
    let aud = stage.api.claims.iter().find(|claim| claim.person.name == "Aud").expect("Aud").person.id;
    let deactivate = Command::DeactivatePerson(Deactivate { person: aud, under: None });
    stage.api.engine.submit(Submission::new(Actor::Person(ANA), deactivate)).await.expect("deactivated");
    assert_eq!((sweep(), stage.kept()), (1, 3), "whoever was deactivated comes no more");
    for key in [&key, &alike] {
        assert_eq!(stage.secrets.versions(key).expect("it answers"), [(1, Kept::Current)]);
    }
}
