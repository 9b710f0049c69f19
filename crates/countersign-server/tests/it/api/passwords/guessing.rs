//! Whoever guesses gets slower, and keeps nobody out who is in.

use axum::http::StatusCode;
use countersign_core::session::RECENT_SECONDS;

use super::super::dashboard::Browser;
use super::{Held, PASSWORD, Stage, choose, codes, entered, sign_in, taking_passwords};

/// Flaw: a lockout that is used against somebody's live session. What waits is the password alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_gets_slower_and_ends_nobodys_session() {
    let stage = Stage::begin().await;
    let mut ben = stage.arrive(&stage.browser, "Ben").await;
    let flood = |number: usize| stage.browser.stranger(["203.0.113.1", "203.0.114.1"][number % 2]);
    let mut statuses = [Vec::new(), Vec::new()];
    for number in 0..8 {
        for (statuses, name) in statuses.iter_mut().zip(["Ben", "Mallory"]) {
            let before = stage.verifiers.hashed();
            let page = sign_in(&flood(number), (name, "wrong", "000000")).await;
            statuses.push(page.status.as_u16());
            let looked = stage.verifiers.hashed() - before;
            assert_eq!(looked, u64::from(page.status == StatusCode::UNAUTHORIZED), "who waits costs nothing");
        }
    }
    assert_eq!(statuses[0], [401, 401, 401, 401, 401, 401, 429, 429]);
    assert_eq!(statuses[0], statuses[1], "whether there is such a person or not");
    assert_eq!(stage.browser.get("/account").await.status, StatusCode::OK, "who is signed in stays so");
    let page = stage.browser.get("/account").await;
    assert!(page.text.contains("action=\"/account/password/remove\""), "and can do what they could");
    stage.api.clock.forward(i64::from(RECENT_SECONDS));
    let code = stage.code(&mut ben);
    for number in 0..12 {
        sign_in(&flood(number), ("Ben", "wrong", "000000")).await;
    }
    let page = stage.browser.get("/account").await;
    let token = page.hidden("/account/prove/password", "token");
    let fields = [("token", token.as_str()), ("password", PASSWORD), ("code", code.as_str())];
    let proved = stage.browser.post("/account/prove/password", &fields).await;
    assert_eq!(proved.header("location"), "/account#password", "and prove themselves: {}", proved.text);
    let code = stage.code(&mut ben);
    assert!(entered(&sign_in(&flood(0), ("Ben", PASSWORD, &code)).await), "later the right one is right");
    let again = sign_in(&flood(1), ("Ben", "wrong", "000000")).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED, "and nothing is held against them");
}

/// Where somebody signed in before, others keep them waiting by nothing; what marks such a browser signs nobody in, and is for that password only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_in_which_they_signed_in_before_does_not_wait_for_others() {
    let stage = Stage::begin().await;
    let mut ben = stage.arrive(&stage.browser, "Ben").await;
    let cookie = "__Host-countersign-known";
    let known = stage.browser.cookies.borrow()[cookie].clone();
    let with = |value: &str| {
        let browser = stage.browser.stranger("203.0.113.1");
        browser.cookies.borrow_mut().insert(cookie.into(), value.into());
        browser
    };
    let flood = async |browser: &Browser| {
        let mut last = StatusCode::OK;
        for _ in 0..7 {
            last = sign_in(browser, ("Ben", "wrong", "000000")).await.status;
        }
        last
    };
    // From the same network, as if behind one proxy.
    let (number, mark) = known.split_once('.').expect("a mark");
    let forged = format!("{}.{mark}", number.chars().rev().collect::<String>());
    for other in ["", "x", "x.y", &forged, &known[1..], &format!("{number}.")] {
        assert_eq!(flood(&with(other)).await, StatusCode::TOO_MANY_REQUESTS, "{other}");
    }
    assert_eq!(with(&known).get("/account").await.status, StatusCode::SEE_OTHER, "it signs nobody in");
    let code = stage.code(&mut ben);
    assert_eq!(flood(&with("")).await, StatusCode::TOO_MANY_REQUESTS);
    assert!(entered(&sign_in(&with(&known), ("Ben", PASSWORD, &code)).await));
    let code = stage.code(&mut ben);
    assert_eq!(
        flood(&with(&known)).await,
        StatusCode::TOO_MANY_REQUESTS,
        "who stole it tries a few times more"
    );
    assert_eq!(sign_in(&with(&known), ("Ben", PASSWORD, &code)).await.status, StatusCode::TOO_MANY_REQUESTS);

    // Another password makes strangers of all browsers.
    let page = stage.browser.get("/account/password").await;
    let mut second = Held::choosing("Ben", "seven ferries before noon", &page);
    let confirmed = stage.code(&mut second);
    codes(&choose(&stage.browser, &page, "/account/password", (second.password, &confirmed)).await);
    let other = stage.browser.stranger("203.0.113.2");
    flood(&other).await;
    let again = with(&stage.browser.cookies.borrow()[cookie].clone());
    assert_eq!(
        sign_in(&again, ("Ben", second.password, "000000")).await.status,
        StatusCode::TOO_MANY_REQUESTS
    );
}

/// Who guesses within a stolen session waits as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn proving_oneself_is_guessed_no_faster() {
    let stage = Stage::begin().await;
    stage.arrive(&stage.browser, "Ben").await;
    stage.api.clock.forward(i64::from(RECENT_SECONDS));
    let mut statuses = Vec::new();
    for _ in 0..8 {
        let page = stage.browser.get("/account").await;
        let token = page.hidden("/account/prove/password", "token");
        let fields = [("token", token.as_str()), ("password", "wrong"), ("code", "000000")];
        statuses.push(stage.browser.post("/account/prove/password", &fields).await.status.as_u16());
    }
    assert_eq!(statuses, [403, 403, 403, 403, 403, 403, 429, 429]);
    let page = sign_in(&stage.browser.stranger("203.0.113.7"), ("Ben", PASSWORD, "000000")).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED, "it is that session which waits");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_looks_at_as_many_as_it_can_says_so_and_counts_nothing() {
    let stage = Stage::with(taking_passwords(), (0, 0)).await;
    for _ in 0..30 {
        let page = sign_in(&stage.browser, ("Ben", PASSWORD, "000000")).await;
        assert_eq!((page.status.as_u16(), page.header("retry-after")), (503, "2"), "{}", page.text);
    }
}
