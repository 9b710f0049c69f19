//! Signing in: what is right gets in, whatever is wrong is told alike, and every code works once.

use std::sync::Arc;

use axum::http::StatusCode;
use countersign_core::id::PersonId;
use countersign_core::person::Deactivate;
use countersign_core::{Actor, Command};
use countersign_server::engine::Submission;
use countersign_server::http::Outside;
use countersign_server::sign_in::verifiers::Verifiers;

use super::super::dashboard::{Browser, claim_of};
use super::super::passkeys::Passkey;
use super::{PASSWORD, Stage, entered, said, session, sign_in};
use crate::engine::fixture::{self, ANA, BEN};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_comes_with_a_link_and_comes_again_with_password_and_code() {
    let stage = Stage::begin().await;
    let browser = &stage.browser;
    let mut ben = stage.arrive(browser, "Ben").await;
    assert_eq!(stage.kept(), 1);
    let account = browser.get("/account").await;
    assert!(account.text.contains("10 of 10 recovery codes left"), "{}", account.text);
    let token = account.hidden("/sign-out", "token");
    browser.post("/sign-out", &[("token", &token)]).await;

    // The code that confirmed it was used by that.
    let used = sign_in(browser, ("Ben", PASSWORD, &ben.code(ben.used))).await;
    assert_eq!(used.status, StatusCode::UNAUTHORIZED, "{}", used.text);
    for name in ["Ben", " bEN ", &BEN.to_string()] {
        let code = stage.code(&mut ben);
        let before = browser.cookies.borrow().get("__Host-countersign-session").cloned();
        let page = sign_in(browser, (name, PASSWORD, &code)).await;
        assert!(entered(&page), "{name}: {}", page.text);
        assert_ne!(Some(session(browser)), before, "a session of its own");
    }
    let account = browser.get("/account").await;
    assert!(account.text.contains("Signed in with a password and a code"), "{}", account.text);
    // Nothing of it is anywhere in the log.
    let entries = stage.api.engine.read(|reader| reader.entries(0, 1_000)).await.expect("entries");
    for entry in entries {
        let leaf = String::from_utf8(entry.leaf.clone()).expect("text");
        assert!(!leaf.contains(PASSWORD) && ben.codes.iter().all(|code| !leaf.contains(code)), "{leaf}");
    }
}

/// Flaws: enumeration by text and by timing. Whoever is wrong is told one thing, after one hash, and nothing is written down.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_wrong_is_told_alike_after_the_same_work() {
    let stage = Stage::begin().await;
    let mut ben = stage.arrive(&stage.browser, "Ben").await;
    let aud = stage.browser.stranger("192.0.2.2");
    let mut gone = stage.arrive(&aud, "Aud").await;
    let chloe = stage.browser.stranger("192.0.2.3");
    chloe.arrive(claim_of(&stage.api, "Chloe"), &Passkey::es256(3)).await;
    let other = stage.arrive(&stage.browser.stranger("192.0.2.4"), "Eve").await;
    let aud_id = stage.api.claims.iter().find(|claim| claim.person.name == "Aud").expect("Aud").person.id;
    fixture::replace(
        &stage.api.engine,
        stage.api.claims.iter().find(|claim| claim.person.name == "Ana").expect("Ana"),
    )
    .await;
    let deactivate = Command::DeactivatePerson(Deactivate { person: aud_id, under: None });
    stage.api.engine.submit(Submission::new(Actor::Person(ANA), deactivate)).await.expect("deactivated");

    // Everybody once from a network of their own, and no more often than anybody mistypes.
    stage.api.clock.forward(120);
    let now = stage.step();
    let right = stage.code(&mut ben);
    assert!(entered(&sign_in(&stage.browser.stranger("192.0.9.1"), ("Ben", PASSWORD, &right)).await));
    let aud_code = stage.code(&mut gone);
    let nobody = PersonId(0xffff).to_string();
    let huge = "x".repeat(60_000);
    let fresh = ben.code(now + 1);
    let cases = [
        ("nobody of this name", ("Mallory", PASSWORD, "123456")),
        ("nobody of this id", (&nobody, PASSWORD, "123456")),
        ("no name at all", ("", PASSWORD, "123456")),
        ("no password", ("Chloe", PASSWORD, "123456")),
        ("not claimed, or by a credential", ("Ana", PASSWORD, "123456")),
        ("deactivated, and right", ("Aud", PASSWORD, &aud_code)),
        ("deactivated, by a recovery code", ("Aud", PASSWORD, &gone.codes[0])),
        ("another password", ("Ben", "nine lighthouses in a rov", &fresh)),
        ("a very long one", ("Ben", &huge, &fresh)),
        ("a code of nobody", ("Ben", PASSWORD, "000000")),
        ("the code again in its own step", ("Ben", PASSWORD, &right)),
        ("a recovery code of somebody else", ("Ben", PASSWORD, &other.codes[0])),
    ];
    let (size, mut texts) = (stage.api.engine.size(), Vec::new());
    for (number, (what, typed)) in cases.into_iter().enumerate() {
        // Between two of Ben's nobody counts what came.
        if typed.0 == "Ben" && number % 3 == 0 {
            let page =
                sign_in(&stage.browser.stranger("198.51.100.9"), ("Ben", PASSWORD, &ben.codes[number])).await;
            assert!(entered(&page), "{}", page.text);
        }
        let size = stage.api.engine.size();
        let before = stage.verifiers.hashed();
        let network = ["198.51.100.1", "198.51.101.1", "198.51.102.1", "198.51.103.1"][number % 4];
        let page = sign_in(&stage.browser.stranger(network), typed).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{what}");
        assert_eq!(stage.verifiers.hashed(), before + 1, "{what}: as much work");
        assert_eq!(stage.api.engine.size(), size, "{what}: nothing is written down");
        texts.push(said(&page));
    }
    assert!(stage.api.engine.size() >= size);
    texts.dedup();
    assert_eq!(texts.len(), 1, "one answer for all: {texts:?}");
}

/// Flaws: a TOTP code used twice, also with blanks in it (CVE-2025-6014, CVE-2025-6015).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_code_works_once_and_in_its_time() {
    let stage = Stage::begin().await;
    let mut ben = stage.arrive(&stage.browser, "Ben").await;
    let browser = |number: usize| stage.browser.stranger(["192.0.3.1", "192.0.4.1", "192.0.5.1"][number % 3]);
    let tries = async |code: &str| entered(&sign_in(&browser(code.len()), ("Ben", PASSWORD, code)).await);
    stage.api.clock.forward(300);
    let now = stage.step();
    assert!(!tries(&ben.code(now - 2)).await, "too late");
    assert!(!tries(&ben.code(now + 2)).await, "too early");
    assert!(tries(&ben.code(now - 1)).await, "a clock that is slow");
    let code = ben.code(now);
    let spaced = format!("{} {}", &code[..3], &code[3..]);
    assert!(tries(&spaced).await, "as the app shows it");
    for again in [&code, &spaced, &format!(" {code}"), &format!("{code} "), &ben.code(now - 1)] {
        assert!(!tries(again).await, "{again:?}");
    }
    assert!(tries(&ben.code(now + 1)).await, "a clock that is fast");
    ben.used = now + 1;

    // A recovery code, in whatever way it is typed, is one code.
    let one = ben.codes[0].clone();
    assert!(tries(&one.to_lowercase()).await);
    for again in [one.clone(), one.replace('-', " "), one.replace('-', "").to_lowercase()] {
        assert!(!tries(&again).await, "{again:?}");
    }
    assert!(tries(&ben.codes[1].replace('-', "")).await);
    // Two at once with one code: one session.
    let code = stage.code(&mut ben);
    let (here, there) = (browser(1), browser(2));
    let both =
        tokio::join!(sign_in(&here, ("Ben", PASSWORD, &code)), sign_in(&there, ("Ben", PASSWORD, &code)));
    assert_ne!(entered(&both.0), entered(&both.1), "{} {}", both.0.status, both.1.status);
    let told = if entered(&both.0) { &both.1 } else { &both.0 };
    assert_eq!(told.status, StatusCode::UNAUTHORIZED);
}

/// Flaws: fixation, signing somebody in as somebody else, forms of other sites.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_in_begins_a_session_of_its_own_from_our_own_form() {
    let stage = Stage::begin().await;
    let mut ben = stage.arrive(&stage.browser, "Ben").await;
    let browser = stage.browser.stranger("192.0.2.5");
    // A cookie that somebody else planted is not taken over.
    let planted = "css_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    browser.cookies.borrow_mut().insert("__Host-countersign-session".into(), planted.into());
    assert!(entered(&stage.sign_in(&browser, &mut ben).await));
    let first = session(&browser);
    assert_ne!(first, planted);
    assert!(entered(&stage.sign_in(&browser, &mut ben).await));
    let thief = stage.browser.stranger("192.0.2.6");
    thief.cookies.borrow_mut().insert("__Host-countersign-session".into(), first);
    assert_eq!(thief.get("/account").await.header("location"), "/sign-in?next=%2Faccount", "it was replaced");

    let code = stage.code(&mut ben);
    let mine = browser.stranger("192.0.2.7");
    let token = mine.get("/sign-in").await.hidden("/sign-in/password", "token");
    let fields =
        [("token", token.as_str()), ("name", "Ben"), ("password", PASSWORD), ("code", code.as_str())];
    let victim = browser.stranger("192.0.2.8");
    victim.get("/sign-in").await;
    let page = victim.post("/sign-in/password", &fields).await;
    assert!(page.text.contains("form_stale"), "{}", page.text);
    for headers in [&[("sec-fetch-site", "cross-site")][..], &[("origin", "https://evil.example")], &[]] {
        let page = mine.post_from("/sign-in/password", &fields, headers).await;
        assert!(page.text.contains("cross_site"), "{}", page.text);
    }
    let page =
        mine.post("/sign-in/password", &[fields.as_slice(), &[("next", "//evil.example")]].concat()).await;
    assert!(entered(&page), "nobody is led elsewhere: {}", page.header("location"));
}

/// Which code was used is the log's to know, not a node's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_works_once_on_all_nodes_together() {
    let stage = Stage::begin().await;
    let mut ben = stage.arrive(&stage.browser, "Ben").await;
    let verifiers = Verifiers::new(Arc::clone(&stage.secrets) as _).expect("randomness");
    let outside = Outside { verifiers: Some(Arc::new(verifiers)), ..Outside::default() };
    let other = Browser::with(&stage.api, "192.0.2.9", outside);
    let code = stage.code(&mut ben);
    assert!(entered(&sign_in(&other, ("Ben", PASSWORD, &code)).await));
    let phone = stage.browser.stranger("192.0.2.8");
    assert_eq!(sign_in(&phone, ("Ben", PASSWORD, &code)).await.status, StatusCode::UNAUTHORIZED);
    assert!(entered(&sign_in(&phone, ("Ben", PASSWORD, &ben.codes[3])).await));
    assert_eq!(sign_in(&other, ("Ben", PASSWORD, &ben.codes[3])).await.status, StatusCode::UNAUTHORIZED);
}
