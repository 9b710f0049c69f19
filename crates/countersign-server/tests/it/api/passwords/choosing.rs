//! Choosing a password, another one, and none; recovery codes.

use axum::http::StatusCode;
use countersign_core::session::RECENT_SECONDS;

use super::super::dashboard::{Browser, claim_of};
use super::super::harness::policy;
use super::super::passkeys::{ORIGIN, Passkey, VERIFIED};
use super::{Held, PASSWORD, Stage, choose, codes, entered, sign_in};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_that_takes_none_shows_no_form_and_takes_none() {
    let stage = Stage::with(policy(), (2, 8)).await;
    let page = stage.browser.get("/sign-in").await;
    assert!(!page.text.contains("password"), "{}", page.text);
    let claim = claim_of(&stage.api, "Ben").to_owned();
    let page = stage.browser.get("/claim").await;
    let fields = [("token", &*page.hidden("/claim", "token")), ("claim", &claim)];
    assert!(!stage.browser.post("/claim", &fields).await.text.contains("password"));
    stage.browser.arrive(&claim, &Passkey::es256(1)).await;
    assert!(!stage.browser.get("/account").await.text.contains("password"));
    assert_eq!(stage.browser.get("/account/password").await.header("location"), "/account#password");
    let before = stage.verifiers.hashed();
    for path in ["/sign-in/password", "/claim/password", "/account/password"] {
        let page = stage.browser.post(path, &[("token", "x")]).await;
        assert!(page.status.is_client_error(), "{path}");
    }
    assert_eq!(stage.verifiers.hashed(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sets_a_password_proves_first_that_it_is_them_and_the_one_before_is_over() {
    let stage = Stage::begin().await;
    let (browser, passkey) = (&stage.browser, Passkey::es256(1));
    browser.arrive(claim_of(&stage.api, "Ben"), &passkey).await;
    let page = browser.get("/account/password").await;
    assert!(page.text.contains("<svg class=\"qr\"") && page.text.contains("otpauth://totp/Countersign:Ben?"));
    let mut first = Held::choosing("Ben", PASSWORD, &page);
    let code = stage.code(&mut first);
    for (password, code, told) in [
        ("short", code.as_str(), "at least 12 characters"),
        ("my name is Benjamin Countersign", &code, "does not contain the name"),
        ("aaaaaaaaaaaaaaaaaa", &code, "different characters"),
        (PASSWORD, "000000", "not the code that the app shows"),
    ] {
        let again = choose(browser, &page, "/account/password", (password, code)).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", again.text);
        assert!(again.text.contains(told), "{told}: {}", again.text);
        assert_eq!(
            Held::choosing("Ben", PASSWORD, &again).seed,
            first.seed,
            "the app need not be told again"
        );
    }
    assert_eq!(stage.kept(), 0);
    let set = choose(browser, &page, "/account/password", (PASSWORD, &code)).await;
    first.codes = codes(&set);
    // Sent twice, it happened once, and no code is shown that does not work.
    let twice = choose(browser, &page, "/account/password", (PASSWORD, &code)).await;
    assert!(
        twice.text.contains("already_issued") || twice.text.contains("were shown then"),
        "{}",
        twice.text
    );
    assert_eq!(stage.kept(), 1);

    // Another one ends what the first opened, and nothing else.
    let phone = browser.stranger("192.0.2.9");
    assert!(entered(&stage.sign_in(&phone, &mut first).await));
    let page = browser.get("/account/password").await;
    let mut second = Held::choosing("Ben", "seven ferries before noon", &page);
    let code = stage.code(&mut second);
    let set = choose(browser, &page, "/account/password", (second.password, &code)).await;
    second.codes = codes(&set);
    assert_eq!(stage.kept(), 1, "what verified the one before is gone");
    assert_eq!(phone.get("/account").await.status, StatusCode::SEE_OTHER, "the phone is signed out");
    assert_eq!(browser.get("/account").await.status, StatusCode::OK);
    first.used = second.used;
    assert_eq!(stage.sign_in(&phone, &mut first).await.status, StatusCode::UNAUTHORIZED);
    let old = sign_in(&phone, ("Ben", second.password, &first.codes[0])).await;
    assert_eq!(old.status, StatusCode::UNAUTHORIZED, "recovery codes of the one before");
    second.used = first.used;
    assert!(entered(&stage.sign_in(&phone, &mut second).await));

    // Who did not prove themselves lately is asked to, and nothing is hashed for them.
    stage.api.clock.forward(i64::from(RECENT_SECONDS));
    let before = stage.verifiers.hashed();
    assert_eq!(browser.get("/account/password").await.header("location"), "/account#password");
    let late = choose(browser, &page, "/account/password", (PASSWORD, &code)).await;
    assert_eq!((late.header("location"), stage.verifiers.hashed()), ("/account#password", before));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recovery_codes_are_renewed_and_a_password_is_removed() {
    let stage = Stage::begin().await;
    let browser = &stage.browser;
    let ben = stage.arrive(browser, "Ben").await;
    let post = async |action: &str| {
        let page = browser.get("/account").await;
        let (token, once) = (page.hidden(action, "token"), page.hidden(action, "once"));
        browser.post(action, &[("token", &token), ("once", &once)]).await
    };
    let fresh = codes(&post("/account/password/codes").await);
    let phone = browser.stranger("192.0.2.9");
    assert_eq!(sign_in(&phone, ("Ben", PASSWORD, &ben.codes[0])).await.status, StatusCode::UNAUTHORIZED);
    assert!(entered(&sign_in(&phone, ("Ben", PASSWORD, &fresh[0])).await));
    let account = browser.get("/account").await;
    assert!(account.text.contains("9 of 10 recovery codes left"), "{}", account.text);

    // It is the only way in, so it stays.
    let last = post("/account/password/remove").await;
    assert!(last.text.contains("could not sign in any more"), "{}", last.text);
    assert_eq!(stage.kept(), 1);
    let passkey = Passkey::es256(1);
    let page = browser.get("/account").await;
    let challenge = page.hidden("/account/passkeys", "challenge");
    let (attestation, client_data) = passkey.registered(&challenge, ORIGIN);
    let (token, once) = (page.hidden("/account/passkeys", "token"), page.hidden("/account/passkeys", "once"));
    let fields = [
        ("token", token.as_str()),
        ("once", &once),
        ("challenge", &challenge),
        ("name", "Key"),
        ("attestation_object", &attestation),
        ("client_data_json", &client_data),
    ];
    assert_eq!(browser.post("/account/passkeys", &fields).await.header("location"), "/account");
    assert_eq!(post("/account/password/remove").await.header("location"), "/account");
    assert_eq!(stage.kept(), 0);
    assert_eq!(phone.get("/account").await.status, StatusCode::SEE_OTHER, "what it opened is over");
    assert_eq!(sign_in(&phone, ("Ben", PASSWORD, &fresh[1])).await.status, StatusCode::UNAUTHORIZED);
    let shown = browser.stranger("192.0.2.10");
    let fields = shown.shown(&passkey, (ORIGIN, VERIFIED)).await;
    assert!(entered(&shown.sign_in(&fields).await));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_sets_no_password_and_its_pages_are_kept_by_nobody() {
    let stage = Stage::begin().await;
    stage.arrive(&stage.browser, "Ben").await;
    let size = stage.api.engine.size();
    let page = stage.browser.get("/account/password").await;
    assert_eq!((page.status, page.header("cache-control")), (StatusCode::OK, "no-store"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'; script-src 'self'"));
    assert!(!page.text.contains("style=\"") && !page.text.contains("<script>"), "{}", page.text);
    for path in [
        "/sign-in/password",
        "/claim/password",
        "/account/prove/password",
        "/account/password/codes",
        "/account/password/remove",
    ] {
        assert_eq!(stage.browser.get(path).await.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    let stranger = stage.browser.stranger("192.0.2.9");
    assert_eq!(
        stranger.get("/account/password").await.header("location"),
        "/sign-in?next=%2Faccount%2Fpassword"
    );
    for path in ["/account/password", "/account/password/codes", "/account/password/remove"] {
        let page = stage.browser.post(path, &[("token", "x"), ("once", "y")]).await;
        assert!(page.text.contains("form_stale"), "{path}: {}", page.text);
    }
    assert_eq!(stage.api.engine.size(), size);
}

/// The form comes back by whom it was given to, within its time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_by_password_is_bound_to_its_link_and_used_once() {
    let stage = Stage::begin().await;
    let (mine, other) = (&stage.browser, stage.browser.stranger("192.0.2.2"));
    let begin = async |browser: &Browser, name: &str| {
        let page = browser.get("/claim").await;
        let token = page.hidden("/claim", "token");
        browser.post("/claim", &[("token", &token), ("claim", claim_of(&stage.api, name))]).await
    };
    let (bens, auds) = (begin(mine, "Ben").await, begin(&other, "Aud").await);
    let mut held = Held::choosing("Ben", PASSWORD, &bens);
    let code = stage.code(&mut held);
    let action = "/claim/password";
    let (token, challenge) = (bens.hidden(action, "token"), bens.hidden(action, "challenge"));
    let with = |challenge: &str, claim: &str| {
        [("token", token.clone()), ("challenge", challenge.into()), ("claim", claim.into())]
    };
    for (challenge, claim) in [
        (auds.hidden(action, "challenge"), claim_of(&stage.api, "Ben")),
        (challenge.clone(), claim_of(&stage.api, "Aud")),
        (bens.hidden("/claim/passkey", "challenge"), claim_of(&stage.api, "Ben")),
    ] {
        let fields = with(&challenge, claim);
        let mut fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        fields.extend([("password", PASSWORD), ("code", code.as_str())]);
        let page = mine.post(action, &fields).await;
        assert!(page.text.contains("challenge_stale"), "{}", page.text);
    }
    // Mistyped, the same secret is shown once more.
    let again = choose(mine, &bens, action, (PASSWORD, "000000")).await;
    assert_eq!(Held::choosing("Ben", PASSWORD, &again).seed, held.seed);
    assert!(again.text.contains("<details open>"), "{}", again.text);
    let done = choose(mine, &again, action, (PASSWORD, &code)).await;
    codes(&done);
    let twice = choose(mine, &again, action, (PASSWORD, &code)).await;
    assert_eq!(twice.status, StatusCode::FORBIDDEN, "the claim is used up");
    assert_eq!(stage.kept(), 1);
    stage.api.clock.forward(1_801);
    let mut late = Held::choosing("Aud", PASSWORD, &auds);
    let code = stage.code(&mut late);
    assert!(choose(&other, &auds, action, (PASSWORD, &code)).await.text.contains("challenge_stale"));
}
