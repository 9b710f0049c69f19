//! Signing in through a provider that can be told to lie: who gets in, and everything by which others tried elsewhere.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign_core::person::Deactivate;
use countersign_core::session::RECENT_SECONDS;
use countersign_core::text::Name;
use countersign_core::{Actor, Command, identity};
use countersign_ledger::hash::sha256;
use countersign_server::config::ProviderConfig;
use countersign_server::engine::Submission;
use countersign_server::http::Outside;
use countersign_server::issuers::Providers;
use countersign_server::secrets::SecretValue;
use countersign_server::store::memory::MemoryStore;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

use super::dashboard::{Browser, Page, claim_of};
use super::harness::{Api, policy};
use super::passkeys::{ORIGIN, Passkey};
use crate::engine::fixture::{ANA, BEN, CHLOE};

const CLIENT: &str = "countersign: test";
const SECRET: &str = "s3cret: and more";
const BACK: &str = "/sign-in/sso/corp/callback";

/// What a browser brings back.
type Brought = Vec<(String, String)>;

/// What a code stands for.
#[derive(Clone)]
struct Given {
    nonce: String,
    challenge: String,
    redirect_uri: String,
    sub: String,
}

/// What the provider does, and how it lies.
struct Ways {
    url: String,
    codes: BTreeMap<String, Given>,
    /// Replaces claims of the ID token; null removes one.
    claims: Value,
    /// Replaces members of the discovery document.
    document: Value,
    /// Replaces the whole answer of the token endpoint.
    answer: Option<(u16, String)>,
    /// Whether codes can be redeemed more than once.
    forgetful: bool,
    signing: u8,
    access_token: String,
    redeemed: usize,
    public: bool,
}

#[derive(Clone)]
struct Provider(Arc<Mutex<Ways>>);

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn patched(mut value: Value, by: &Value) -> Value {
    for (name, new) in by.as_object().into_iter().flatten() {
        let members = value.as_object_mut().expect("an object");
        if new.is_null() {
            drop(members.remove(name));
        } else {
            drop(members.insert(name.clone(), new.clone()));
        }
    }
    value
}

fn json_of(value: &Value) -> Response {
    ([("content-type", "application/json")], value.to_string()).into_response()
}

async fn discovery(State(provider): State<Provider>) -> Response {
    let ways = provider.ways();
    let url = &ways.url;
    let document = json!({
        "issuer": url, "jwks_uri": format!("{url}/keys"), "authorization_endpoint": format!("{url}/auth?tenant=1"),
        "token_endpoint": format!("{url}/token"), "end_session_endpoint": format!("{url}/end"),
        "authorization_response_iss_parameter_supported": true, "code_challenge_methods_supported": ["plain", "S256"],
    });
    json_of(&patched(document, &ways.document))
}

async fn keys(State(_): State<Provider>) -> Response {
    let x = URL_SAFE_NO_PAD.encode(key(1).verifying_key().as_bytes());
    json_of(&json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": "k1", "x": x }] }))
}

/// Takes a code from the client that it is for, with the verifier of the browser that was sent.
async fn token(State(provider): State<Provider>, headers: HeaderMap, body: String) -> Response {
    let mut ways = provider.ways();
    ways.redeemed += 1;
    if let Some((status, text)) = &ways.answer {
        let status = StatusCode::from_u16(*status).expect("a status");
        return (status, [("content-type", "application/json")], text.clone()).into_response();
    }
    let denied =
        |error: &str| (StatusCode::BAD_REQUEST, json!({ "error": error }).to_string()).into_response();
    let form: BTreeMap<String, String> = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let escaped = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", escaped(CLIENT), escaped(SECRET))));
    let known = match headers.get("authorization") {
        Some(line) => !ways.public && line == basic.as_str(),
        None if ways.public => form.get("client_id").map(String::as_str) == Some(CLIENT),
        None => form.get("client_secret").map(String::as_str) == Some(SECRET),
    };
    if !known {
        return denied("invalid_client");
    }
    let code = form.get("code").cloned().unwrap_or_default();
    let Some(given) = ways.codes.get(&code).cloned() else { return denied("invalid_grant") };
    if !ways.forgetful {
        ways.codes.remove(&code);
    }
    let verifier = form.get("code_verifier").map(String::as_str).unwrap_or_default();
    let digest = URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes()).0);
    if digest != given.challenge || form.get("redirect_uri") != Some(&given.redirect_uri) {
        return denied("invalid_grant");
    }
    let claims = json!({
        "iss": ways.url, "aud": CLIENT, "sub": given.sub, "nonce": given.nonce, "iat": 1_800_000_000, "exp": 1_800_003_600,
    });
    let id_token = ways.sign(&json!({ "alg": "EdDSA", "kid": "k1" }), &patched(claims, &ways.claims));
    json_of(&json!({ "access_token": ways.access_token, "token_type": "Bearer", "id_token": id_token }))
}

impl Ways {
    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = key(self.signing).sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }
}

impl Provider {
    async fn start() -> Self {
        let listener =
            tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let ways = Ways {
            url,
            codes: BTreeMap::new(),
            claims: json!({}),
            document: json!({}),
            answer: None,
            forgetful: false,
            signing: 1,
            access_token: "opaque".into(),
            redeemed: 0,
            public: false,
        };
        let provider = Self(Arc::new(Mutex::new(ways)));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    fn ways(&self) -> MutexGuard<'_, Ways> {
        self.0.lock().expect("no panic")
    }

    fn config(&self) -> ProviderConfig {
        let url = self.ways().url.clone();
        ProviderConfig {
            title: "Corp <&> Co".into(),
            issuer: url.parse().expect("a link"),
            spelling: url,
            client_id: CLIENT.into(),
            client_secret: None,
            scopes: vec!["openid".into(), "groups".into()],
            max_age_seconds: None,
        }
    }

    /// Somebody signs in at the provider who was sent to this address, and is sent back: the parameters they bring.
    fn signs_in(&self, to: &str, sub: &str) -> Vec<(String, String)> {
        let mut ways = self.ways();
        let (address, query) = to.split_once('?').expect("a query");
        assert_eq!(address, format!("{}/auth", ways.url));
        let asked: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        assert_eq!(asked["tenant"], "1", "what stood in the address stays");
        assert_eq!(
            [&asked["response_type"], &asked["client_id"], &asked["scope"], &asked["code_challenge_method"]],
            ["code", CLIENT, "openid groups", "S256"]
        );
        assert_eq!(asked["redirect_uri"], format!("{ORIGIN}{BACK}"));
        let code = format!("code-{}", ways.codes.len() + ways.redeemed * 100);
        let given = Given {
            nonce: asked["nonce"].clone(),
            challenge: asked["code_challenge"].clone(),
            redirect_uri: asked["redirect_uri"].clone(),
            sub: sub.into(),
        };
        ways.codes.insert(code.clone(), given);
        let back = [("code", code), ("state", asked["state"].clone()), ("iss", ways.url.clone())];
        back.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }
}

/// An address with these parameters.
fn back(parameters: &[(String, String)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!("{BACK}?{query}")
}

/// Where a page goes on to by itself.
#[track_caller]
fn onward(page: &Page) -> String {
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let rest = page.text.split("content=\"0; url=").nth(1).unwrap_or_else(|| panic!("{}", page.text));
    let to = rest.split('"').next().expect("it ends").replace("&#38;", "&");
    assert!(page.text.contains("id=\"onward\""), "there is a link, too");
    to
}

struct Stage {
    api: Api,
    provider: Provider,
    /// Ben's, in which he has claimed and made a passkey.
    ben: Browser,
}

impl Stage {
    async fn begin() -> Self {
        Self::with(|config| config).await
    }

    async fn with(more: impl FnOnce(ProviderConfig) -> ProviderConfig) -> Self {
        let provider = Provider::start().await;
        let mut governed = serde_json::to_value(policy()).expect("a policy is JSON");
        governed["sign_in"] = json!({ "sso": ["corp"] });
        let governed = serde_json::from_value(governed).expect("a policy");
        let api = Api::unclaimed(Box::new(MemoryStore::new()), governed).await;
        let name: Name = "corp".parse().expect("a name");
        let secrets = BTreeMap::from([(name.clone(), SecretValue::new(SECRET.into()))]);
        let secrets = if provider.ways().public { BTreeMap::new() } else { secrets };
        let providers = Providers::new(&BTreeMap::from([(name, more(provider.config()))]), secrets);
        let outside = Outside { providers: Arc::new(providers.expect("providers")), ..Outside::default() };
        let ben = Browser::with(&api, "192.0.2.1", outside);
        let entered = ben.arrive(claim_of(&api, "Ben"), &Passkey::es256(1)).await;
        assert_eq!(entered.status.as_u16(), 303, "{}", entered.text);
        Self { api, provider, ben }
    }

    /// Ben links what the provider calls him.
    async fn link(&self, sub: &str) -> Page {
        let account = self.ben.get("/account").await;
        let token = account.hidden("/account/link/corp", "token");
        let to = onward(&self.ben.post("/account/link/corp", &[("token", &token)]).await);
        self.ben.come(&back(&self.provider.signs_in(&to, sub))).await
    }

    /// From the page to the provider: where to.
    async fn sent(&self, browser: &Browser, next: &str) -> String {
        let page = browser.get(&format!("/sign-in?next={next}")).await;
        assert!(page.text.contains("Sign in through Corp &#60;&#38;&#62; Co"), "{}", page.text);
        let token = page.hidden("/sign-in/sso/corp", "token");
        let next = page.hidden("/sign-in/sso/corp", "next");
        onward(&browser.post("/sign-in/sso/corp", &[("token", &token), ("next", &next)]).await)
    }

    /// All the way, as this person there.
    async fn through(&self, browser: &Browser, sub: &str) -> Page {
        let to = self.sent(browser, "/account").await;
        browser.come(&back(&self.provider.signs_in(&to, sub))).await
    }

    /// The same, in a browser in which somebody is signed in already.
    async fn through_form(&self, browser: &Browser, sub: &str) -> Page {
        let stranger = browser.stranger("203.0.113.1");
        let token = stranger.get("/sign-in").await.hidden("/sign-in/sso/corp", "token");
        stranger.set_session(&browser.session());
        let to = onward(&stranger.post("/sign-in/sso/corp", &[("token", &token), ("next", "/")]).await);
        stranger.come(&back(&self.provider.signs_in(&to, sub))).await
    }

    async fn refused(&self, browser: &Browser, sub: &str) -> String {
        let sessions = || self.api.engine.state().sessions_of(BEN).count();
        let before = sessions();
        let page = self.through(browser, sub).await;
        assert!(
            page.status.is_client_error() || page.status.is_server_error(),
            "{} {}",
            page.status,
            page.text
        );
        assert_eq!(sessions(), before, "nobody is signed in");
        assert_eq!(browser.get("/account").await.header("location"), "/sign-in?next=%2Faccount");
        assert_eq!(browser.flow(), "", "they are not on their way any more");
        page.text
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identity_is_linked_by_its_owner_signs_in_and_is_taken_away() {
    let stage = Stage::begin().await;
    let linked = stage.link("sub|ben").await;
    assert_eq!(linked.header("location"), "/account", "{}", linked.text);
    let account = stage.ben.get("/account").await;
    assert!(account.text.contains("Corp &#60;&#38;&#62; Co"), "{}", account.text);
    let state = stage.api.engine.state();
    let expected = identity::sha256(&stage.provider.ways().url, "sub|ben");
    assert!(state.person(BEN).expect("Ben").identity(&expected).is_some());

    let laptop = stage.ben.stranger("198.51.100.1");
    let entered = stage.through(&laptop, "sub|ben").await;
    assert_eq!((entered.status.as_u16(), entered.header("location")), (303, "/account"), "{}", entered.text);
    // Coming from another site, the browser has to come once more by itself.
    assert!(laptop.come("/account").await.text.contains("http-equiv=\"refresh\""));
    let account = laptop.get("/account").await;
    assert!(
        account.text.contains("Signed in through a provider") && account.text.contains("signed in by it")
    );

    // Out, here and there.
    let token = account.hidden("/sign-out", "token");
    let left = onward(&laptop.post("/sign-out", &[("token", &token)]).await);
    let (address, query) = left.split_once('?').expect("a query");
    assert_eq!(address, format!("{}/end", stage.provider.ways().url));
    let said: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    assert_eq!(said["client_id"], CLIENT);
    assert_eq!(said["post_logout_redirect_uri"], format!("{ORIGIN}/sign-in"));
    assert_eq!(said["id_token_hint"].split('.').count(), 3);
    assert_eq!(laptop.get("/account").await.header("location"), "/sign-in?next=%2Faccount");

    // Taken away, it ends what it opened.
    assert_eq!(stage.through(&laptop, "sub|ben").await.header("location"), "/account");
    let account = stage.ben.get("/account").await;
    let hidden = |name: &str| account.hidden("/account/identities/remove", name);
    let fields = [("token", hidden("token")), ("once", hidden("once")), ("identity", hidden("identity"))];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    let gone = stage.ben.post("/account/identities/remove", &fields).await;
    assert_eq!(gone.header("location"), "/account", "{}", gone.text);
    assert_eq!(laptop.get("/account").await.header("location"), "/sign-in?next=%2Faccount");
    assert!(stage.refused(&laptop, "sub|ben").await.contains("Nobody is signed in"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_not_linked_is_told_one_thing_whoever_they_are() {
    let stage = Stage::begin().await;
    stage.link("sub|ben").await;
    let stranger = stage.ben.stranger("198.51.100.1");
    // The same address and name as somebody who has an account.
    stage.provider.ways().claims = json!({ "email": "ben@corp.example", "email_verified": true, "name": "Ben", "preferred_username": "sub|ben" });
    let nobody = stage.refused(&stranger, "sub|somebody").await;
    assert!(nobody.contains("Ask whoever invites people"), "{nobody}");
    let near = stage.refused(&stranger, "sub|Ben").await;
    assert_eq!(near, nobody);
    // Somebody who is here no more.
    let deactivate = Command::DeactivatePerson(Deactivate { person: BEN, under: None });
    let ana = stage.api.claims.iter().find(|claim| claim.person.id == ANA).expect("Ana's claim");
    crate::engine::fixture::replace(&stage.api.engine, ana).await;
    let by_ana = Submission::new(Actor::Person(ANA), deactivate);
    stage.api.engine.submit(by_ana).await.expect("deactivated");
    assert_eq!(stage.refused(&stranger, "sub|ben").await, nobody);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_are_not_what_was_asked_for_sign_nobody_in() {
    let stage = Stage::begin().await;
    stage.link("sub|ben").await;
    let browser = stage.ben.stranger("198.51.100.1");
    for (claims, told) in [
        (json!({ "nonce": null }), "claim `nonce`"),
        (json!({ "nonce": "another" }), "not made for this sign-in"),
        (json!({ "iss": "https://evil.example" }), "issuer is not known"),
        (json!({ "iss": null }), "issuer is not known"),
        (json!({ "aud": "another" }), "audience"),
        (json!({ "aud": null }), "claim `aud`"),
        (json!({ "aud": [] }), "audience"),
        (json!({ "aud": [CLIENT, "another"] }), "audience"),
        (json!({ "aud": [CLIENT, "another"], "azp": "another" }), "audience"),
        (json!({ "aud": CLIENT, "azp": "another" }), "audience"),
        (json!({ "exp": null }), "claim `exp`"),
        (json!({ "exp": 1_799_990_000 }), "expired"),
        (json!({ "iat": null }), "claim `iat`"),
        (json!({ "iat": 1_800_009_000 }), "not good yet"),
        (json!({ "nbf": 1_800_009_000 }), "not good yet"),
        (json!({ "sub": null }), "claim `sub`"),
        (json!({ "sub": "" }), "claim `sub`"),
        (json!({ "sub": 7 }), "claim `sub`"),
        (json!({ "sub": "a\nb" }), "claim `sub`"),
        (json!({ "sub": "s".repeat(256) }), "claim `sub`"),
        (json!({ "at_hash": "bm90IHRoaXMgb25l" }), "claim `at_hash`"),
        (json!({ "cnf": {} }), "proof of a key"),
        (json!({ "events": { "http://schemas.openid.net/event/backchannel-logout": {} } }), "claim `nonce`"),
    ] {
        stage.provider.ways().claims = claims.clone();
        let text = stage.refused(&browser, "sub|ben").await;
        assert!(text.contains(&told.replace('`', "&#96;")) || text.contains(told), "{claims}: {text}");
    }
    stage.provider.ways().claims = json!({});
    stage.provider.ways().signing = 2;
    assert!(stage.refused(&browser, "sub|ben").await.contains("signature does not hold"));
    stage.provider.ways().signing = 1;

    // What is right in all of that does sign in.
    let half = URL_SAFE_NO_PAD.encode(&sha512("opaque")[..32]);
    stage.provider.ways().claims = json!({ "aud": ["another", CLIENT], "azp": CLIENT, "at_hash": half });
    let entered = stage.through(&browser, "sub|ben").await;
    assert_eq!(entered.header("location"), "/account", "{}", entered.text);
}

fn sha512(text: &str) -> Vec<u8> {
    use sha2::Digest as _;
    sha2::Sha512::digest(text.as_bytes()).to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_signs_in_only_in_the_browser_that_asked_for_it_and_once() {
    let stage = Stage::begin().await;
    stage.link("sub|ben").await;
    let (ben, victim) = (stage.ben.stranger("198.51.100.1"), stage.ben.stranger("203.0.113.1"));

    // Login CSRF: somebody else's answer is brought to a browser that never asked, or asked for another.
    let to = stage.sent(&ben, "/").await;
    let answer = back(&stage.provider.signs_in(&to, "sub|ben"));
    let page = victim.come(&answer).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("not begun in this browser"), "{}", page.text);
    stage.sent(&victim, "/").await;
    assert_eq!(victim.come(&answer).await.status, StatusCode::FORBIDDEN);
    assert_eq!(
        stage.provider.ways().redeemed,
        1,
        "only when Ben linked it: nobody was asked about this code"
    );

    // Code injection: a stolen code in a flow of one's own is of another verifier and another nonce.
    let theirs = stage.sent(&victim, "/").await;
    let mut mixed = stage.provider.signs_in(&theirs, "sub|victim");
    let stolen = stage.provider.signs_in(&stage.sent(&ben, "/").await, "sub|ben");
    mixed[0] = stolen[0].clone();
    let page = victim.come(&back(&mixed)).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("invalid_grant"), "{}", page.text);

    // Replay: the same answer in the same browser, at a provider that takes codes twice.
    stage.provider.ways().forgetful = true;
    let to = stage.sent(&ben, "/").await;
    let flow = ben.flow();
    let answer = back(&stage.provider.signs_in(&to, "sub|ben"));
    assert_eq!(ben.come(&answer).await.status.as_u16(), 303);
    let size = stage.api.engine.size();
    assert_eq!(ben.come(&answer).await.status, StatusCode::FORBIDDEN, "the cookie is gone");
    ben.set_flow(&flow);
    let page = ben.come(&answer).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("was used before"), "{}", page.text);
    assert_eq!(stage.api.engine.size(), size);

    // Too late, by a cookie that was changed, and with a state that was changed.
    let to = stage.sent(&victim, "/").await;
    let answer = stage.provider.signs_in(&to, "sub|ben");
    let mut changed = answer.clone();
    let other = if changed[1].1.starts_with('A') { "B" } else { "A" };
    changed[1].1.replace_range(..1, other);
    let flow = victim.flow();
    assert_eq!(victim.come(&back(&changed)).await.status, StatusCode::FORBIDDEN);
    victim.set_flow(&flow.replace('.', "A."));
    assert_eq!(victim.come(&back(&answer)).await.status, StatusCode::FORBIDDEN);
    victim.set_flow(&flow);
    stage.api.clock.forward(601);
    let page = victim.come(&back(&answer)).await;
    assert!(page.text.contains("more than ten minutes ago"), "{}", page.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_others_and_answers_that_say_no_sign_nobody_in() {
    let stage = Stage::begin().await;
    stage.link("sub|ben").await;
    let browser = stage.ben.stranger("198.51.100.1");
    let redeemed = stage.provider.ways().redeemed;
    let with = async |change: &dyn Fn(&mut Brought)| {
        let to = stage.sent(&browser, "/").await;
        let mut answer = stage.provider.signs_in(&to, "sub|ben");
        change(&mut answer);
        let page = browser.come(&back(&answer)).await;
        assert!(page.status.is_client_error(), "{}", page.text);
        page.text
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    // Mix-up (RFC 9207): the answer of another provider, or of none where this one always says whose it is.
    let text = with(&|answer| answer[2].1 = "https://evil.example".into()).await;
    assert!(text.contains("answer of another provider"), "{text}");
    let text = with(&|answer| drop(answer.remove(2))).await;
    assert!(text.contains("answer of another provider"), "{text}");
    // Another provider's address.
    let to = stage.sent(&browser, "/").await;
    let answer = back(&stage.provider.signs_in(&to, "sub|ben"));
    let page = browser.come(&answer.replace("/corp/", "/other/")).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    // No, and in what words.
    let text = with(&|answer| answer[0] = pair("error", "access_denied")).await;
    assert!(text.contains("access_denied"), "{text}");
    let odd = "<script>alert(1)</script>";
    let text = with(&|answer| answer[0] = pair("error", odd)).await;
    assert!(!text.contains("alert(1)"), "{text}");
    let text = with(&|answer| {
        answer[0] = pair("error", "login_required");
        answer.push(pair("error_description", "call 555-0100"));
    })
    .await;
    assert!(!text.contains("555"), "{text}");
    // Nothing, too much, twice.
    with(&|answer| drop(answer.remove(0))).await;
    with(&|answer| answer[0].1 = String::new()).await;
    with(&|answer| answer[0].1 = "c".repeat(4_097)).await;
    let text = with(&|answer| answer.push(answer[0].clone())).await;
    assert!(text.contains("is there twice"), "{text}");
    assert!(stage.provider.ways().redeemed <= redeemed + 1, "the provider is not asked about any of it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_is_odd_signs_nobody_in_and_is_told_apart_from_one_that_says_no() {
    for (document, told) in [
        (json!({ "issuer": "https://evil.example" }), "of another issuer"),
        (json!({ "authorization_endpoint": "http://evil.example/auth" }), "changed or read on the way"),
        (json!({ "token_endpoint": "http://evil.example/token" }), "changed or read on the way"),
        (json!({ "token_endpoint": "javascript:alert(1)" }), "changed or read on the way"),
        (json!({ "end_session_endpoint": "http://evil.example/" }), "changed or read on the way"),
        (json!({ "authorization_endpoint": null }), "names no `authorization_endpoint`"),
        (json!({ "code_challenge_methods_supported": ["plain"] }), "does not know PKCE"),
        (json!({ "response_types_supported": ["id_token"] }), "gives out no codes"),
    ] {
        let stage = Stage::begin().await;
        stage.provider.ways().document = document.clone();
        let browser = stage.ben.stranger("198.51.100.1");
        let page = browser.get("/sign-in").await;
        let token = page.hidden("/sign-in/sso/corp", "token");
        let page = browser.post("/sign-in/sso/corp", &[("token", &token), ("next", "/")]).await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{document}: {}", page.text);
        assert!(page.text.contains(told), "{document}: {}", page.text);
    }
    let stage = Stage::begin().await;
    stage.link("sub|ben").await;
    let browser = stage.ben.stranger("198.51.100.1");
    let large = format!("{{\"id_token\":\"{}\"}}", "a".repeat(70_000));
    for (answer, told) in [
        ((200, "{}".to_owned()), "gives no ID token"),
        ((200, r#"{"id_token":"a","id_token":"b"}"#.to_owned()), "not strict JSON"),
        ((200, large), "more than is sensible"),
        ((200, r#"{"id_token":"a.b.c"}"#.to_owned()), "no signed JSON Web Token"),
        ((500, "oh".to_owned()), "answers 500"),
        ((302, String::new()), "answers 302"),
        ((400, r#"{"error":"invalid_grant"}"#.to_owned()), "invalid_grant"),
        ((400, "<html>".to_owned()), "answers 400"),
    ] {
        stage.provider.ways().answer = Some(answer.clone());
        let text = stage.refused(&browser, "sub|ben").await;
        assert!(text.contains(told), "{answer:?}: {text}");
    }
    stage.provider.ways().answer = None;
    // No algorithm, and one by which everybody who can verify can sign.
    for header in
        [json!({ "alg": "none" }), json!({ "alg": "HS256", "kid": "k1" }), json!({ "alg": "EdDSA" })]
    {
        let url = stage.provider.ways().url.clone();
        let token = stage.provider.ways().sign(&header, &json!({ "iss": url }));
        stage.provider.ways().answer = Some((200, json!({ "id_token": token }).to_string()));
        let text = stage.refused(&browser, "sub|ben").await;
        assert!(text.contains("not believed"), "{header}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_led_elsewhere_and_whoever_was_signed_in_there_is_so_no_more() {
    let stage = Stage::begin().await;
    stage.link("sub|ben").await;
    let browser = stage.ben.stranger("198.51.100.1");
    for next in ["//evil.example", "https://evil.example", "/\\evil.example", "/sign-in/sso/corp/callback"] {
        let page = browser.get("/sign-in").await;
        let token = page.hidden("/sign-in/sso/corp", "token");
        let sent = browser.post("/sign-in/sso/corp", &[("token", &token), ("next", next)]).await;
        let answer = back(&stage.provider.signs_in(&onward(&sent), "sub|ben"));
        assert_eq!(browser.come(&answer).await.header("location"), "/", "{next}");
        browser.set_session("");
    }

    // Fixation: whoever signs in has another session, and the one before is over, also somebody else's.
    stage.through(&browser, "sub|ben").await;
    let before = browser.session();
    let chloe = stage.ben.stranger("203.0.113.1");
    chloe.arrive(claim_of(&stage.api, "Chloe"), &Passkey::es256(3)).await;
    let chloes = chloe.session();
    let account = browser.get("/account").await;
    assert!(account.text.contains("signed in by it"));
    stage.api.clock.forward(i64::from(RECENT_SECONDS));
    let account = browser.get("/account").await;
    let token = account.hidden("/account/prove/sso/corp", "token");
    let to = onward(&browser.post("/account/prove/sso/corp", &[("token", &token)]).await);
    assert!(to.contains("prompt=login") && to.contains("max_age=0"), "{to}");
    // By its word it was long ago, or it does not say.
    for claims in [json!({}), json!({ "auth_time": 1_799_999_000 })] {
        let to = onward(&browser.post("/account/prove/sso/corp", &[("token", &token)]).await);
        stage.provider.ways().claims = claims;
        let page = browser.come(&back(&stage.provider.signs_in(&to, "sub|ben"))).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.text);
    }
    // Somebody else proves nothing.
    let to = onward(&browser.post("/account/prove/sso/corp", &[("token", &token)]).await);
    stage.provider.ways().claims = json!({ "auth_time": 1_800_000_700 });
    let page = browser.come(&back(&stage.provider.signs_in(&to, "sub|other"))).await;
    assert!(page.text.contains("identity_of_another"), "{}", page.text);
    let to = onward(&browser.post("/account/prove/sso/corp", &[("token", &token)]).await);
    let page = browser.come(&back(&stage.provider.signs_in(&to, "sub|ben"))).await;
    assert_eq!(page.header("location"), "/account", "{}", page.text);
    assert_ne!(browser.session(), before);
    let old = stage.ben.stranger("198.51.100.1");
    old.set_session(&before);
    assert_eq!(old.get("/account").await.header("location"), "/sign-in?next=%2Faccount");

    // Where Chloe was signed in, Ben signs in.
    let page = stage.ben.stranger("203.0.113.1");
    page.set_session(&chloes);
    stage.through_form(&page, "sub|ben").await;
    let state = stage.api.engine.state();
    let live = |person| {
        state
            .sessions_of(person)
            .filter(|it| state.live_session(it.id, stage.api.engine.now()).is_ok())
            .count()
    };
    assert_eq!(live(CHLOE), 0);
    assert!(live(BEN) > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identity_is_one_persons_and_linking_needs_a_fresh_proof_and_their_own_browser() {
    let stage = Stage::begin().await;
    stage.link("sub|ben").await;
    // Another person cannot take it.
    let chloe = stage.ben.stranger("203.0.113.1");
    chloe.arrive(claim_of(&stage.api, "Chloe"), &Passkey::es256(3)).await;
    let begin = async |browser: &Browser| {
        let token = browser.get("/account").await.hidden("/account/link/corp", "token");
        onward(&browser.post("/account/link/corp", &[("token", &token)]).await)
    };
    let to = begin(&chloe).await;
    let page = chloe.come(&back(&stage.provider.signs_in(&to, "sub|ben"))).await;
    assert!(page.text.contains("identity_in_use"), "{}", page.text);
    // An answer that was asked for by somebody else links nothing to anybody.
    let to = begin(&stage.ben).await;
    let answer = back(&stage.provider.signs_in(&to, "sub|attacker"));
    assert_eq!(chloe.come(&answer).await.status, StatusCode::FORBIDDEN);
    begin(&chloe).await;
    assert_eq!(chloe.come(&answer).await.status, StatusCode::FORBIDDEN);
    assert!(stage.api.engine.state().person(CHLOE).expect("Chloe").identities.is_empty());
    // The session from which it was begun is over.
    let to = begin(&chloe).await;
    let token = chloe.get("/account").await.hidden("/sign-out", "token");
    chloe.post("/sign-out", &[("token", &token)]).await;
    let page = chloe.come(&back(&stage.provider.signs_in(&to, "sub|chloe"))).await;
    assert!(page.text.contains("session_ended"), "{}", page.text);
    // Not fresh any more: neither begun nor finished.
    let account = stage.ben.get("/account").await;
    let token = account.hidden("/account/link/corp", "token");
    stage.api.clock.forward(i64::from(RECENT_SECONDS) / 2);
    let to = begin(&stage.ben).await;
    stage.api.clock.forward(i64::from(RECENT_SECONDS) / 2);
    let page = stage.ben.post("/account/link/corp", &[("token", &token)]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.text);
    let page = stage.ben.come(&back(&stage.provider.signs_in(&to, "sub|two"))).await;
    assert!(page.text.contains("proof_not_recent"), "{}", page.text);
    let state = stage.api.engine.state();
    assert_eq!(state.person(BEN).expect("Ben").identities.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_signs_in_as_the_policy_and_its_configuration_say() {
    // A secret in the form, where the provider takes none in the header; and how old a sign-in there may be.
    let stage =
        Stage::with(|config| ProviderConfig { max_age_seconds: 3_600.try_into().ok(), ..config }).await;
    stage.provider.ways().document =
        json!({ "token_endpoint_auth_methods_supported": ["client_secret_post"] });
    stage.provider.ways().claims = json!({ "auth_time": 1_800_000_000 });
    assert_eq!(stage.link("sub|ben").await.status.as_u16(), 303);
    let browser = stage.ben.stranger("198.51.100.1");
    let to = stage.sent(&browser, "/").await;
    assert!(to.contains("max_age=3600"), "{to}");
    assert_eq!(browser.come(&back(&stage.provider.signs_in(&to, "sub|ben"))).await.status.as_u16(), 303);
    browser.set_session("");
    stage.provider.ways().claims = json!({ "auth_time": 1_799_990_000 });
    assert!(stage.refused(&browser, "sub|ben").await.contains("too long since"));

    // The policy no longer lets it: the buttons are gone, and so is the way.
    let stage = Stage::begin().await;
    let browser = stage.ben.stranger("198.51.100.1");
    let page = browser.get("/sign-in").await;
    let token = page.hidden("/sign-in/sso/corp", "token");
    assert_eq!(
        browser.post("/sign-in/sso/corp", &[("token", "x"), ("next", "/")]).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        browser.post("/sign-in/sso/none", &[("token", &token), ("next", "/")]).await.status,
        StatusCode::FORBIDDEN
    );
    let without = super::dashboard::Browser::with(&stage.api, "192.0.2.1", Outside::default());
    assert!(!without.get("/sign-in").await.text.contains("/sign-in/sso/"));
    assert_eq!(without.come(&format!("{BACK}?code=a&state=b")).await.status, StatusCode::NOT_FOUND);
}
