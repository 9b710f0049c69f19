//! Passwords with one-time codes on the pages: who gets in, that nobody learns who else there is, and that no code works twice. The authenticator app
//! is written from RFC 4226 and RFC 6238.

use std::sync::Arc;

use axum::http::StatusCode;
use countersign_core::policy::Policy;
use countersign_server::http::Outside;
use countersign_server::secrets::{LocalSecrets, SealingKey, SecretStore};
use countersign_server::sign_in::verifiers::Verifiers;
use countersign_server::store::memory::MemoryStore;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::json;

use super::dashboard::{Browser, Page, claim_of};
use super::harness::{Api, policy};

mod choosing;
mod guessing;
mod keeping;
mod signing_in;

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
