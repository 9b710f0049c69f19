//! The pages in process, with a browser and an authenticator in software: who gets in, what a form needs, and that looking changes nothing.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use countersign_core::session::RECENT_SECONDS;
use countersign_server::config::PublicUrl;
use countersign_server::http::{self, Outside, Site};
use countersign_server::search::{Place, Search};
use countersign_server::store::memory::MemoryStore;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::harness::{Api, Call, payout, policy};
use super::passkeys::{ORIGIN, Passkey, VERIFIED, encoded};
use crate::engine::fixture::{self, BEN};

/// The one cookie that comes back from other sites.
const FLOW: &str = "__Host-countersign-flow";

const SESSION: &str = "__Host-countersign-session";

/// Somebody's browser, which keeps cookies.
pub(super) struct Browser {
    router: Router,
    pub(super) cookies: RefCell<BTreeMap<String, String>>,
    /// Where it comes from.
    from: &'static str,
}

/// What it is answered.
pub(super) struct Page {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    pub(super) text: String,
}

impl Page {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The form that is sent there.
    #[track_caller]
    pub(super) fn form(&self, action: &str) -> &str {
        let begin = self
            .text
            .find(&format!("action=\"{action}\""))
            .unwrap_or_else(|| panic!("no form {action}: {}", self.text));
        let rest = &self.text[begin..];
        &rest[..rest.find("</form>").expect("the form ends")]
    }

    /// A field of it that is filled in already.
    #[track_caller]
    pub(super) fn hidden(&self, action: &str, name: &str) -> String {
        let form = self.form(action);
        let begin =
            form.find(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no {name}: {form}"));
        let value = &form[begin + name.len() + 15..];
        value[..value.find('"').expect("it ends")].to_owned()
    }
}

/// Nobody has claimed yet; the API and its pages over one engine.
pub(super) async fn stage() -> (Api, Browser) {
    let api = Api::unclaimed(Box::new(MemoryStore::new()), policy()).await;
    let browser = Browser::of(&api, "192.0.2.1");
    (api, browser)
}

impl Browser {
    pub(super) fn of(api: &Api, from: &'static str) -> Self {
        Self::with(api, from, Outside::default())
    }

    /// The same, in front of a node that has this, too.
    pub(super) fn with(api: &Api, from: &'static str, outside: Outside) -> Self {
        let site = Site::new(PublicUrl::parse(ORIGIN).expect("an address"), [7; 32]);
        let outside = Outside { site: Some(Arc::new(site)), ..outside };
        let served = (api.engine.clone(), Search::start(&api.engine, Place::memory()));
        Self {
            router: http::router_with(served, http::recorder(), outside),
            cookies: RefCell::default(),
            from,
        }
    }

    /// The same server, by somebody else.
    pub(super) fn stranger(&self, from: &'static str) -> Self {
        Self { router: self.router.clone(), cookies: RefCell::default(), from }
    }

    /// Comes from another site, as back from a provider: with no cookie that is kept to what this site begins.
    pub(super) async fn come(&self, path: &str) -> Page {
        let all = self.cookies.borrow().clone();
        self.cookies.borrow_mut().retain(|name, _| name == FLOW);
        let page = self.send(Request::get(path).header("sec-fetch-site", "cross-site"), String::new()).await;
        let got = std::mem::replace(&mut *self.cookies.borrow_mut(), all);
        self.cookies.borrow_mut().extend(got);
        page
    }

    /// The cookie with which somebody goes to a provider.
    pub(super) fn flow(&self) -> String {
        self.cookies.borrow().get(FLOW).cloned().unwrap_or_default()
    }

    pub(super) fn set_flow(&self, value: &str) {
        self.cookies.borrow_mut().insert(FLOW.to_owned(), value.to_owned());
    }

    /// The cookie of whoever is signed in.
    pub(super) fn session(&self) -> String {
        self.cookies.borrow().get(SESSION).cloned().unwrap_or_default()
    }

    pub(super) fn set_session(&self, value: &str) {
        self.cookies.borrow_mut().insert(SESSION.to_owned(), value.to_owned());
    }

    async fn send(&self, request: axum::http::request::Builder, body: String) -> Page {
        let cookies =
            self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        let request = request.header("cookie", cookies.join("; "));
        let from = std::net::SocketAddr::new(self.from.parse().expect("an address"), 50_000);
        let request = request.extension(ConnectInfo(from)).body(Body::from(body)).expect("a request");
        let answer = self.router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
        for line in parts.headers.get_all("set-cookie") {
            let line = line.to_str().expect("text");
            let (name, rest) = line.split_once('=').expect("a cookie");
            assert!(name.starts_with("__Host-"), "{line}");
            let sent = if name == FLOW { "Lax" } else { "Strict" };
            assert!(line.ends_with(&format!("; Path=/; Secure; HttpOnly; SameSite={sent}")), "{line}");
            let value = rest.split(';').next().unwrap_or_default().to_owned();
            self.cookies.borrow_mut().insert(name.to_owned(), value);
        }
        Page {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(body.to_vec()).expect("text"),
        }
    }

    pub(super) async fn get(&self, path: &str) -> Page {
        self.send(Request::get(path).header("sec-fetch-site", "same-origin"), String::new()).await
    }

    pub(super) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.post_from(path, fields, &[("sec-fetch-site", "same-origin"), ("origin", "null")]).await
    }

    pub(super) async fn post_from(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Page {
        let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request, serde_urlencoded::to_string(fields).expect("fields")).await
    }

    /// From the one-time link to the inbox.
    pub(super) async fn arrive(&self, claim: &str, passkey: &Passkey) -> Page {
        let page = self.get("/claim").await;
        let fields = [("token", &*page.hidden("/claim", "token")), ("claim", claim)];
        let page = self.post("/claim", &fields).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        let challenge = page.hidden("/claim/passkey", "challenge");
        let (attestation, client_data) = passkey.registered(&challenge, ORIGIN);
        let token = page.hidden("/claim/passkey", "token");
        self.post(
            "/claim/passkey",
            &[
                ("token", &token),
                ("challenge", &challenge),
                ("claim", claim),
                ("name", "Laptop"),
                ("attestation_object", &attestation),
                ("client_data_json", &client_data),
            ],
        )
        .await
    }

    /// What the passkey signs for the sign-in page that is open.
    pub(super) async fn shown(
        &self,
        passkey: &Passkey,
        (origin, flags): (&str, u8),
    ) -> Vec<(String, String)> {
        let page = self.get("/sign-in").await;
        let challenge = page.hidden("/sign-in", "challenge");
        let mut fields = vec![
            ("token".to_owned(), page.hidden("/sign-in", "token")),
            ("challenge".to_owned(), challenge.clone()),
        ];
        fields.extend(signed(passkey, &challenge, (origin, flags)));
        fields.push(("user_handle".to_owned(), encoded(BEN.to_string().as_bytes())));
        fields
    }

    pub(super) async fn sign_in(&self, fields: &[(String, String)]) -> Page {
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.post("/sign-in", &fields).await
    }
}

/// The fields of an assertion over a challenge.
fn signed(passkey: &Passkey, challenge: &str, made: (&str, u8)) -> Vec<(String, String)> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(challenge).expect("a challenge");
    let answer = passkey.answer(&bytes, made);
    let answer = answer.as_object().expect("an object").iter();
    answer.map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned())).collect()
}

pub(super) fn claim_of<'a>(api: &'a Api, name: &str) -> &'a str {
    &api.claims.iter().find(|claim| claim.person.name == name).expect("a claim").claim
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_comes_with_a_link_and_comes_again_with_their_passkey() {
    let (api, browser) = stage().await;
    let (claim, passkey) = (claim_of(&api, "Ben").to_owned(), Passkey::es256(1));
    let entered = browser.arrive(&claim, &passkey).await;
    assert_eq!((entered.status.as_u16(), entered.header("location")), (303, "/"), "{}", entered.text);
    assert_eq!(browser.get("/").await.status, StatusCode::OK);
    let account = browser.get("/account").await;
    assert!(
        account.text.contains("Laptop") && account.text.contains("with a one-time link"),
        "{}",
        account.text
    );
    let token = account.hidden("/sign-out", "token");
    let left = browser.post("/sign-out", &[("token", &token)]).await;
    assert_eq!(left.header("location"), "/sign-in");
    assert_eq!(browser.get("/account").await.header("location"), "/sign-in?next=%2Faccount");

    let mut fields = browser.shown(&passkey, (ORIGIN, VERIFIED)).await;
    fields.push(("next".into(), "/account".into()));
    let entered = browser.sign_in(&fields).await;
    assert_eq!(entered.header("location"), "/account", "{}", entered.text);
    assert!(browser.get("/account").await.text.contains("signed in with it"));
    // The claim is used up, and an assertion is good once.
    let again = browser.stranger("192.0.2.2");
    let page = again.get("/claim").await;
    let wrong = again.post("/claim", &[("token", &page.hidden("/claim", "token")), ("claim", &claim)]).await;
    assert_eq!(wrong.status, StatusCode::FORBIDDEN);
    let replayed = browser.sign_in(&fields).await;
    assert_eq!(replayed.status, StatusCode::FORBIDDEN, "{}", replayed.text);
    assert!(replayed.text.contains("challenge was used before"), "{}", replayed.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_shown_must_be_theirs_for_this_page_now_and_by_somebody_verified() {
    let (api, browser) = stage().await;
    let passkey = Passkey::es256(1);
    browser.arrive(claim_of(&api, "Ben"), &passkey).await;
    let stranger = browser.stranger("198.51.100.1");
    let size = api.engine.size();
    let mut texts = Vec::new();
    let anybody = encoded(b"per_0000000000000000000000000000abcd");
    for (what, key, made, handle) in [
        ("another page's", &passkey, ("https://evil.example", VERIFIED), None),
        ("nobody verified", &passkey, (ORIGIN, 0x01), None),
        ("another key", &Passkey::es256(2), (ORIGIN, VERIFIED), None),
        ("nobody's", &passkey, (ORIGIN, VERIFIED), Some(anybody.as_str())),
        ("no handle", &passkey, (ORIGIN, VERIFIED), Some("")),
    ] {
        let mut fields = stranger.shown(key, made).await;
        if let Some(handle) = handle {
            fields
                .iter_mut()
                .filter(|(name, _)| name == "user_handle")
                .for_each(|(_, it)| *it = handle.into());
        }
        let page = stranger.sign_in(&fields).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{what}");
        let alert = page.text.split("class=\"alert\" role=\"alert\">").nth(1).expect("it says why");
        texts.push(alert.split("</p>").next().unwrap_or_default().to_owned());
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "one text for all: {texts:?}");

    // A challenge of another visit, changed, or too old.
    let mine = stranger.shown(&passkey, (ORIGIN, VERIFIED)).await;
    let other = browser.stranger("198.51.100.2");
    let theirs = other.shown(&passkey, (ORIGIN, VERIFIED)).await;
    let mixed: Vec<_> = theirs.iter().take(1).chain(mine.iter().skip(1)).cloned().collect();
    let page = other.sign_in(&mixed).await;
    assert!(page.text.contains("challenge_stale"), "{}", page.text);
    api.clock.forward(301);
    assert!(stranger.sign_in(&mine).await.text.contains("challenge_stale"));
    let written = api.engine.size() - size;
    assert_eq!(written, 0, "nothing of it is written down");
}

/// Flaw: a lockout that can be used against somebody. I10: a forged request never delays a genuine one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_wrong_ones_waits_and_keeps_nobody_out() {
    let (api, ben) = stage().await;
    let passkey = Passkey::es256(1);
    ben.arrive(claim_of(&api, "Ben"), &passkey).await;
    let flood = ben.stranger("203.0.113.1");
    let mut statuses = Vec::new();
    for _ in 0..15 {
        let wrong = flood.shown(&Passkey::es256(2), (ORIGIN, VERIFIED)).await;
        statuses.push(flood.sign_in(&wrong).await.status.as_u16());
    }
    assert_eq!(statuses[..11], [401; 11], "a few are free");
    assert!(statuses[11..].contains(&429), "{statuses:?}");
    assert_eq!(ben.get("/account").await.status, StatusCode::OK, "who is signed in stays so");
    // From the flood's own network, for the flooded account.
    let right = flood.shown(&passkey, (ORIGIN, VERIFIED)).await;
    assert_eq!(flood.sign_in(&right).await.status.as_u16(), 303);
    // For an account that there is not, it looks the same.
    let other = ben.stranger("203.0.114.1");
    let mut none = Vec::new();
    for _ in 0..15 {
        let mut wrong = other.shown(&passkey, (ORIGIN, VERIFIED)).await;
        wrong
            .iter_mut()
            .filter(|(name, _)| name == "user_handle")
            .for_each(|(_, it)| *it = encoded(b"per_000000000000000000000000000000ff"));
        none.push(other.sign_in(&wrong).await.status.as_u16());
    }
    assert_eq!(statuses[..12], none[..12]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_is_taken_from_our_pages_with_its_own_token_only() {
    let (api, browser) = stage().await;
    browser.arrive(claim_of(&api, "Ben"), &Passkey::es256(1)).await;
    let account = browser.get("/account").await;
    let session = account.hidden("/account/sessions/end", "session");
    let (token, once) =
        (account.hidden("/account/sessions/end", "token"), account.hidden("/account/sessions/end", "once"));
    let fields = [("token", token.as_str()), ("once", &once), ("session", &session)];
    let ours = ("sec-fetch-site", "same-origin");
    let refused = async |fields: &[(&str, &str)], headers: &[(&str, &str)]| {
        let page = browser.post_from("/account/sessions/end", fields, headers).await;
        assert!(page.status.is_client_error(), "{}", page.text);
        ["form_stale", "cross_site", "malformed"]
            .into_iter()
            .find(|code| page.text.contains(code))
            .unwrap_or_default()
    };
    for headers in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "cross-site"), ("origin", ORIGIN)],
        &[ours, ("origin", "https://evil.example")],
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[],
    ] {
        assert_eq!(refused(&fields, headers).await, "cross_site", "{headers:?}");
    }
    let sign_out = account.hidden("/sign-out", "token");
    let stranger = browser.stranger("192.0.2.7");
    let strangers = stranger.get("/sign-in").await.hidden("/sign-in", "token");
    for other in ["", "x", &sign_out, &strangers, &token[1..]] {
        let fields = [("token", other), ("once", &once), ("session", &session)];
        assert_eq!(refused(&fields, &[ours]).await, "form_stale", "{other}");
    }
    assert_eq!(
        refused(&[fields[0], fields[0], fields[1], fields[2]], &[ours]).await,
        "form_stale",
        "two tokens"
    );
    assert_eq!(refused(&fields[1..], &[ours]).await, "form_stale");
    for odd in [
        &[fields[0], fields[1]][..],
        &[fields[0], fields[1], fields[2], ("extra", "1")],
        &[fields[0], fields[1], fields[2], fields[2]],
    ] {
        assert_eq!(refused(odd, &[ours]).await, "malformed", "{odd:?}");
    }
    assert_eq!(browser.get("/account").await.status, StatusCode::OK, "nothing of this ended the session");
    let ended = browser.post_from("/account/sessions/end", &fields, &[("origin", ORIGIN)]).await;
    assert_eq!(ended.header("location"), "/sign-in", "{}", ended.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_changes_how_they_sign_in_proves_first_that_it_is_them() {
    let (api, browser) = stage().await;
    let (first, second) = (Passkey::es256(1), Passkey::es256(2));
    browser.arrive(claim_of(&api, "Ben"), &first).await;
    let before = browser.get("/account").await;
    api.clock.forward(i64::from(RECENT_SECONDS));
    let add = async |page: &Page, key: &Passkey| {
        let (token, once) =
            (before.hidden("/account/passkeys", "token"), page.hidden("/account/sessions/end", "once"));
        let challenge = page.hidden("/account/passkeys", "challenge");
        let (attestation, client_data) = key.registered(&challenge, ORIGIN);
        browser
            .post(
                "/account/passkeys",
                &[
                    ("token", &token),
                    ("once", &once),
                    ("challenge", &challenge),
                    ("name", "Key"),
                    ("attestation_object", &attestation),
                    ("client_data_json", &client_data),
                ],
            )
            .await
    };
    assert!(add(&before, &second).await.text.contains("challenge_stale"));
    let page = browser.get("/account").await;
    assert!(!page.text.contains("action=\"/account/passkeys\""), "there is no such form now");

    let prove = async |key: &Passkey| {
        let page = browser.get("/account").await;
        let challenge = page.hidden("/account/prove", "challenge");
        let mut fields = signed(key, &challenge, (ORIGIN, VERIFIED));
        fields.push(("token".into(), page.hidden("/account/prove", "token")));
        fields.push(("challenge".into(), challenge));
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        browser.post("/account/prove", &fields).await
    };
    assert_eq!(prove(&second).await.status, StatusCode::FORBIDDEN, "that is nobody's yet");
    assert_eq!(prove(&first).await.header("location"), "/account#passkeys");
    let page = browser.get("/account").await;
    let added = add(&page, &second).await;
    assert_eq!(added.header("location"), "/account", "{}", added.text);
    let page = browser.get("/account").await;
    assert!(page.text.contains("Laptop") && page.text.contains("<strong>Key</strong>"), "{}", page.text);
    let third = add(&browser.get("/account").await, &second).await;
    assert!(third.text.contains("Somebody has or had this passkey"), "{}", third.text);
}

/// Where forms are sent; none of them answers a look.
const FORMS: [&str; 8] = [
    "/sign-out",
    "/claim/passkey",
    "/account/prove",
    "/account/passkeys",
    "/account/passkeys/remove",
    "/account/voting-keys/enroll",
    "/account/voting-keys/revoke",
    "/account/sessions/end",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_changes_nothing_and_every_page_is_kept_by_nobody() {
    let (api, browser) = stage().await;
    fixture::replace(&api.engine, api.claims.iter().find(|claim| claim.person.name == "Ana").expect("Ana"))
        .await;
    browser.arrive(claim_of(&api, "Ben"), &Passkey::es256(1)).await;
    let chloe = browser.stranger("192.0.2.9");
    chloe.arrive(claim_of(&api, "Chloe"), &Passkey::es256(3)).await;
    let id = api.ok(Call::post("/admin/approvals", &payout()).by("Ana")).await.id();
    let size = api.engine.size();
    let stranger = browser.stranger("192.0.2.8");
    let approval = format!("/approvals/{id}");
    for path in [
        "/",
        "/sign-in",
        "/claim",
        "/account",
        "/account/voting-keys",
        &approval,
        "/approvals/nothing",
        "/device",
    ] {
        for who in [&browser, &stranger] {
            let page = who.get(path).await;
            for (name, value) in [
                ("cache-control", "no-store"),
                ("referrer-policy", "no-referrer"),
                ("x-content-type-options", "nosniff"),
            ] {
                assert_eq!(page.header(name), value, "{path}");
            }
            assert!(
                page.header("content-security-policy")
                    .starts_with("default-src 'none'; script-src 'self'; style-src 'self'"),
                "{path}"
            );
            assert_eq!(page.header("strict-transport-security"), "max-age=63072000", "{path}");
            assert!(
                !page.text.contains("style=\"")
                    && !page.text.contains("<script>")
                    && !page.text.contains("onclick"),
                "{path}"
            );
        }
    }
    for path in FORMS {
        assert_eq!(browser.get(path).await.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    for verb in ["approve", "deny"] {
        assert_eq!(browser.get(&format!("{approval}/{verb}")).await.status, StatusCode::METHOD_NOT_ALLOWED);
    }
    assert_eq!(api.engine.size(), size);

    // Scripts and styles may be kept for ever, under names that change with them.
    let page = browser.get("/").await;
    for kind in ["/static/style-", "/static/script-", "/static/icon-"] {
        let begin = page.text.find(kind).expect("it is there");
        let path = page.text[begin..].split('"').next().expect("it ends");
        let asset = browser.get(path).await;
        assert_eq!(
            (asset.status.as_u16(), asset.header("cache-control")),
            (200, "public, max-age=31536000, immutable"),
            "{path}"
        );
        let other = format!("{kind}0000000000000000.css");
        let none = browser.get(&other).await;
        assert_eq!((none.status.as_u16(), none.header("cache-control")), (404, "no-store"));
    }
}

/// A page decides as the API does, and nothing twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_counts_once_and_is_shown_to_those_concerned_only() {
    let (api, ben) = stage().await;
    fixture::replace(&api.engine, api.claims.iter().find(|claim| claim.person.name == "Ana").expect("Ana"))
        .await;
    ben.arrive(claim_of(&api, "Ben"), &Passkey::es256(1)).await;
    let (chloe, eve) = (ben.stranger("192.0.2.2"), ben.stranger("192.0.2.3"));
    chloe.arrive(claim_of(&api, "Chloe"), &Passkey::es256(2)).await;
    eve.arrive(claim_of(&api, "Eve"), &Passkey::es256(3)).await;
    let id = api.ok(Call::post("/admin/approvals", &payout()).by("Ana")).await.id();
    let (path, action) = (format!("/approvals/{id}"), format!("/approvals/{id}/approve"));
    assert_eq!(eve.get(&path).await.status, StatusCode::FORBIDDEN, "it is none of Eve's");
    assert!(eve.get("/").await.text.contains("Nothing waits for you"));
    assert!(ben.get("/").await.text.contains("1 request waits"));
    let page = ben.get(&path).await;
    let (token, once) = (page.hidden(&action, "token"), page.hidden(&action, "once"));
    let fields = [("token", token.as_str()), ("once", &once), ("reason", "as agreed")];
    let size = api.engine.size();
    for _ in 0..2 {
        assert_eq!(ben.post(&action, &fields).await.header("location"), path);
    }
    assert_eq!(api.engine.size(), size + 1, "sent twice, it happened once");
    let other = [fields[0], fields[1], ("reason", "something else")];
    assert_eq!(
        ben.post(&action, &other).await.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "the number is used"
    );
    let record = api.ok(Call::get(format!("/admin/approvals/{id}")).by("Ana")).await.json;
    assert_eq!(record["votes"].as_array().map(Vec::len), Some(1), "{record}");

    // Why not has to be said; the session ends, and with it every page.
    let deny = format!("/approvals/{id}/deny");
    let page = chloe.get(&path).await;
    let (token, once) = (page.hidden(&deny, "token"), page.hidden(&deny, "once"));
    let silent = chloe.post(&deny, &[("token", &token), ("once", &once), ("reason", " ")]).await;
    assert!(silent.status.is_client_error() && silent.text.contains("Say why"), "{}", silent.text);
    let denied = chloe.post(&deny, &[("token", &token), ("once", &once), ("reason", "not now")]).await;
    assert_eq!(denied.header("location"), path, "{}", denied.text);
    let status: Value =
        api.ok(Call::get(format!("/admin/approvals/{id}")).by("Ana")).await.json["status"].clone();
    assert_eq!(status, json!("denied"));
    api.clock.forward(31 * 60);
    assert_eq!(chloe.get("/").await.header("location"), "/sign-in?next=%2F", "unused for half an hour");
}
