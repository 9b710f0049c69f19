//! Passwords with one-time codes on the pages: who gets in, that nobody learns who else there is, and that no code works twice. The authenticator app
//! is written from RFC 4226 and RFC 6238.

use std::sync::Arc;

use axum::http::StatusCode;
use countersign_core::id::PersonId;
use countersign_core::person::Deactivate;
use countersign_core::policy::Policy;
use countersign_core::session::RECENT_SECONDS;
use countersign_core::{Actor, Command};
use countersign_server::engine::Submission;
use countersign_server::http::Outside;
use countersign_server::secrets::{LocalSecrets, SealingKey, SecretStore};
use countersign_server::sign_in::verifiers::Verifiers;
use countersign_server::store::memory::MemoryStore;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;

use super::dashboard::{Browser, Page, claim_of};
use super::harness::{Api, Call, payout, policy};
use super::passkeys::{ORIGIN, Passkey, VERIFIED};
use crate::engine::fixture::{self, ANA, BEN};

const PASSWORD: &str = "nine lighthouses in a row";

/// A node whose policy takes passwords, with what checks them.
struct Stage {
    api: Api,
    secrets: Arc<LocalSecrets>,
    verifiers: Arc<Verifiers>,
    browser: Browser,
}

/// Somebody's password, their app, and their recovery codes.
struct Held {
    name: &'static str,
    password: &'static str,
    seed: Vec<u8>,
    codes: Vec<String>,
    /// The last step whose code was used.
    used: u64,
}

fn taking_passwords() -> Policy {
    let mut policy = serde_json::to_value(policy()).expect("JSON");
    policy["sign_in"] = json!({ "password": true });
    let payout = policy["rules"].as_array_mut().expect("rules").iter_mut();
    payout.filter(|rule| rule["name"] == "payout").for_each(|rule| rule["fresh_seconds"] = json!(300));
    serde_json::from_value(policy).expect("a policy")
}

impl Stage {
    async fn begin() -> Self {
        Self::with(taking_passwords(), (2, 8)).await
    }

    async fn with(policy: Policy, places: (usize, usize)) -> Self {
        let api = Api::unclaimed(Box::new(MemoryStore::new()), policy).await;
        let secrets = LocalSecrets::in_memory(SealingKey::from_bytes([1; 32])).expect("a store");
        let secrets = Arc::new(secrets);
        let verifiers = Verifiers::with_places(Arc::clone(&secrets) as _, places).expect("randomness");
        let verifiers = Arc::new(verifiers);
        let outside = Outside { verifiers: Some(Arc::clone(&verifiers)), ..Outside::default() };
        let browser = Browser::with(&api, "192.0.2.1", outside);
        Self { api, secrets, verifiers, browser }
    }

    fn step(&self) -> u64 {
        u64::try_from(self.api.engine.now().as_millis()).expect("after 1970") / 30_000
    }

    /// The app's next code that was not used.
    fn code(&self, held: &mut Held) -> String {
        if held.used >= self.step() {
            self.api.clock.forward(30 * i64::try_from(held.used + 1 - self.step()).expect("few"));
        }
        held.used = self.step();
        held.code(held.used)
    }

    /// How many passwords are kept.
    fn kept(&self) -> usize {
        let of = |word: &str| word.parse().expect("a word");
        self.secrets.of_type(&of("sign-in"), &of("control")).expect("it answers").len()
    }

    /// From the one-time link to somebody who is signed in and has a password.
    async fn arrive(&self, browser: &Browser, name: &'static str) -> Held {
        let claim = claim_of(&self.api, name).to_owned();
        let page = browser.get("/claim").await;
        let fields = [("token", &*page.hidden("/claim", "token")), ("claim", &claim)];
        let page = browser.post("/claim", &fields).await;
        let mut held = Held::choosing(name, PASSWORD, &page);
        let code = self.code(&mut held);
        let page = choose(browser, &page, "/claim/password", (PASSWORD, &code)).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        held.codes = codes(&page);
        held
    }

    async fn sign_in(&self, browser: &Browser, held: &mut Held) -> Page {
        let code = self.code(held);
        sign_in(browser, (held.name, held.password, &code)).await
    }
}

impl Held {
    /// What the app takes over from the page.
    fn choosing(name: &'static str, password: &'static str, page: &Page) -> Self {
        let secret = page.text.split("<code class=\"secret\">").nth(1).expect("a secret");
        let secret: String =
            secret.split('<').next().expect("it ends").chars().filter(|c| *c != ' ').collect();
        assert!(page.text.contains(&format!("?secret={secret}")), "the link has the same");
        let seed = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).expect("base32");
        assert_eq!(seed.len(), 20);
        Self { name, password, seed, codes: Vec::new(), used: 0 }
    }

    fn code(&self, step: u64) -> String {
        let mut mac = Hmac::<sha1::Sha1>::new_from_slice(&self.seed).expect("any length");
        mac.update(&step.to_be_bytes());
        let hash = mac.finalize().into_bytes();
        let at = usize::from(hash[19] & 15);
        let number = u32::from_be_bytes(hash[at..at + 4].try_into().expect("four")) & 0x7fff_ffff;
        format!("{:06}", number % 1_000_000)
    }
}

/// Sends a form by which a password is chosen.
async fn choose(browser: &Browser, page: &Page, action: &str, (password, code): (&str, &str)) -> Page {
    let (token, challenge) = (page.hidden(action, "token"), page.hidden(action, "challenge"));
    let hidden = if action == "/claim/password" { "claim" } else { "once" };
    let along = page.hidden(action, hidden);
    let fields = [("token", token.as_str()), ("challenge", &challenge), (hidden, &along)];
    let typed = [("password", password), ("code", code)];
    browser.post(action, &[fields.as_slice(), &typed].concat()).await
}

/// The recovery codes that a page shows.
fn codes(page: &Page) -> Vec<String> {
    assert_eq!(page.header("cache-control"), "no-store");
    let list = page.text.split("class=\"codes\"").nth(1).expect("codes");
    let codes: Vec<String> =
        list.split("<code>").skip(1).map(|code| code.split('<').next().unwrap_or_default().into()).collect();
    assert_eq!(codes.len(), 10);
    codes
}

async fn sign_in(browser: &Browser, (name, password, code): (&str, &str, &str)) -> Page {
    // Whoever is signed in is shown no form; one that was open before is as good.
    let session = browser.cookies.borrow_mut().remove_entry("__Host-countersign-session");
    let page = browser.get("/sign-in").await;
    browser.cookies.borrow_mut().extend(session);
    let token = page.hidden("/sign-in/password", "token");
    let fields = [("token", token.as_str()), ("name", name), ("password", password), ("code", code)];
    browser.post("/sign-in/password", &fields).await
}

/// What an answer says, but for what is drawn for each.
fn said(page: &Page) -> (u16, String) {
    let (challenge, token) =
        (page.hidden("/sign-in", "challenge"), page.hidden("/sign-in/password", "token"));
    let text = page.text.replace(&challenge, "").replace(&token, "");
    (page.status.as_u16(), text.replace(&page.hidden("/sign-in", "token"), ""))
}

fn entered(page: &Page) -> bool {
    page.status == StatusCode::SEE_OTHER && page.header("location") == "/"
}

fn session(browser: &Browser) -> String {
    browser.cookies.borrow()["__Host-countersign-session"].clone()
}

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
