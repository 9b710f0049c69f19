//! Tokens exchanged in the words of OAuth: by a CI system's job for a service token, and for a narrower one.
//!
//! The issuer is a real one over HTTP, whose keys change.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::policy::Policy;
use countersign_server::config::IssuerConfig;
use countersign_server::issuers::Issuers;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

use super::harness::{Answer, Api, Call, EVE, payout, ping, policy};
use crate::engine::fixture::ANA;

const AUDIENCE: &str = "https://countersign.test";
const NOW: i64 = 1_800_000_000;
const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";

/// An issuer whose one key has a number.
struct Ci {
    url: String,
    number: Arc<Mutex<u8>>,
}

fn signing(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

async fn keys(State((_, number)): State<(String, Arc<Mutex<u8>>)>) -> String {
    let number = *number.lock().expect("a number");
    let x = URL_SAFE_NO_PAD.encode(signing(number).verifying_key().as_bytes());
    json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": format!("k{number}"), "x": x }] })
        .to_string()
}

async fn discovery(State((url, _)): State<(String, Arc<Mutex<u8>>)>) -> String {
    json!({ "issuer": url, "jwks_uri": format!("{url}/keys") }).to_string()
}

impl Ci {
    async fn start() -> Self {
        let listener =
            tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let number = Arc::new(Mutex::new(1));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .with_state((url.clone(), Arc::clone(&number)));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, number }
    }

    /// The job of this number, as this issuer speaks of the jobs of repository 42.
    fn job(&self, number: u32) -> Value {
        json!({
            "iss": self.url, "aud": AUDIENCE, "exp": NOW + 300, "iat": NOW, "jti": format!("job-{number}"),
            "sub": "repo:acme/pay:environment:production", "repository": "acme/pay", "repository_id": "42",
            "environment": "production", "groups": ["a"], "run": { "attempt": 1 },
        })
    }

    fn sign(&self, claims: &Value) -> String {
        let key = *self.number.lock().expect("a number");
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": format!("k{key}") });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = signing(key).sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }

    /// A node that knows this issuer, under a policy with two workloads of it.
    async fn node(&self) -> Api {
        let config = IssuerConfig {
            issuer: self.url.parse().expect("a link"),
            spelling: self.url.clone(),
            audience: AUDIENCE.into(),
            jwks_file: None,
        };
        let issuers = Issuers::new(&BTreeMap::from([("ci".parse().expect("a name"), config)]));
        Api::with_issuers(self.policy(), issuers.expect("issuers")).await
    }

    fn policy(&self) -> Policy {
        let mut governed = serde_json::to_value(policy()).expect("a policy is JSON");
        let workload = |name: &str, owner: Value, claims: Value| {
            json!({
                "name": name, "issuer": self.url, "claims": claims, "owner": owner,
                "token": "service-token/pipeline", "environment": "production",
                "scopes": ["override:payout/limit", "ping:probe/any"], "max_lifetime_seconds": 600,
            })
        };
        governed["workloads"] = json!([
            workload("deploys", json!(ANA), json!({ "repository_id": "42", "environment": "production" })),
            workload(
                "second-attempts",
                json!(EVE),
                json!({ "repository_id": "42", "run": { "attempt": 2 } })
            ),
        ]);
        serde_json::from_value(governed).expect("a policy")
    }
}

/// A token request of these parameters.
fn asking(parameters: &[(&str, &str)]) -> Call {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    Call::raw("/oauth/token", body.into_bytes())
        .keyless()
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
}

fn exchanging(token: &str, more: &[(&str, &str)]) -> Call {
    let own = [("grant_type", GRANT), ("subject_token", token), ("subject_token_type", JWT)];
    asking(&own.into_iter().chain(more.iter().copied()).collect::<Vec<_>>())
}

fn narrowing(token: &str, more: &[(&str, &str)]) -> Call {
    let own = [("grant_type", GRANT), ("subject_token", token), ("subject_token_type", ACCESS)];
    asking(&own.into_iter().chain(more.iter().copied()).collect::<Vec<_>>())
}

/// What an error says, after checking that it is OAuth's in every respect.
fn denied(answer: &Answer) -> (u16, String, String) {
    assert_eq!(answer.header("content-type"), "application/json", "{answer:?}");
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    let text = |member: &str| {
        answer.json[member].as_str().unwrap_or_else(|| panic!("{member}: {answer:?}")).to_owned()
    };
    let description = text("error_description");
    assert!(
        description.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E)),
        "{description}"
    );
    assert!(!text("hint").is_empty());
    (answer.status.as_u16(), text("error"), text("code"))
}

async fn refused(api: &Api, call: Call) -> (u16, String, String) {
    let size = api.engine.size();
    let answer = api.call(call).await;
    assert_eq!(api.engine.size(), size, "who is refused changes nothing");
    denied(&answer)
}

fn secret(answer: &Answer) -> &'static str {
    // A test's callers are named for as long as it runs.
    Box::leak(answer.json["access_token"].as_str().expect("a token").to_owned().into_boxed_str())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_exchanges_its_token_for_what_the_policy_offers_it() {
    let ci = Ci::start().await;
    let api = ci.node().await;
    let answer = api.ok(exchanging(&ci.sign(&ci.job(1)), &[])).await;
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    let token = secret(&answer);
    assert_eq!(answer.json["token_type"], "Bearer");
    assert_eq!(answer.json["issued_token_type"], ACCESS);
    assert_eq!(answer.json["scope"], "override:payout/limit ping:probe/any");
    assert_eq!(answer.json["expires_in"], 600);
    countersign_form(token);
    api.ok(Call::post("/admin/permits", &ping()).by(token)).await;
    let asked = api.ok(Call::post("/admin/approvals", &payout()).by(token)).await;
    assert_eq!(asked.json["requester"]["name"], "Ana", "who answers for it asks");
    let mut elsewhere = ping();
    elsewhere["action"]["environment"] = json!("staging");
    assert_eq!(
        api.refusal(Call::post("/admin/permits", &elsewhere).by(token)).await,
        (403, "out_of_scope".into())
    );
    let mut other = ping();
    other["action"]["verb"] = json!("deploy");
    assert_eq!(
        api.refusal(Call::post("/admin/permits", &other).by(token)).await,
        (403, "out_of_scope".into())
    );
    let shown = api.ok(Call::get(format!("/admin/service-tokens/{}", answer.id())).by("Ana")).await.json;
    assert_eq!(
        (&shown["workload"], &shown["resource"]),
        (&json!("deploys"), &json!("service-token/pipeline"))
    );
    let entry = api.ok(Call::get(format!("/admin/entries?subject={}", answer.id())).by("Aud")).await.json;
    let entry = &entry["items"][0];
    assert_eq!(
        entry["details"]["claims"]["repository"], "acme/pay",
        "what it said is kept, and can be redacted: {entry}"
    );
    assert!(!entry["entry"]["data"].to_string().contains("acme"), "{entry}");
    api.clock.forward(600);
    assert_eq!(
        api.refusal(Call::post("/admin/permits", &ping()).by(token)).await,
        (401, "unauthenticated".into())
    );
    api.engine.stop().await;
}

/// `cstk_`, 43 characters of base64url, and the checksum that secret scanners look at.
fn countersign_form(token: &str) {
    let (before, checksum) = token.split_at(token.len() - 8);
    let bits = URL_SAFE_NO_PAD.decode(before.strip_prefix("cstk_").expect("the prefix")).expect("base64url");
    assert_eq!(bits.len(), 32);
    assert!(countersign_ledger::hash::sha256(before.as_bytes()).to_string().starts_with(checksum));
}

/// Also when many try at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_jobs_token_is_exchanged_once() {
    let ci = Ci::start().await;
    let api = Arc::new(ci.node().await);
    let token = ci.sign(&ci.job(1));
    let racers: Vec<_> = (0..16)
        .map(|_| {
            let (api, token) = (Arc::clone(&api), token.clone());
            tokio::spawn(async move { api.call(exchanging(&token, &[])).await })
        })
        .collect();
    let mut granted = 0;
    for racer in racers {
        let answer = racer.await.expect("an answer");
        if answer.status == StatusCode::OK {
            granted += 1;
        } else if answer.status == StatusCode::BAD_REQUEST {
            assert_eq!(denied(&answer), (400, "invalid_request".into(), "workload_token_spent".into()));
        } else {
            assert_eq!(denied(&answer).2, "too_many_tokens");
        }
    }
    assert_eq!(granted, 1);
    // Signed anew it is the same: its issuer gave one id to one token.
    let again = refused(&api, exchanging(&ci.sign(&ci.job(1)), &[]).from("198.51.100.9")).await;
    assert_eq!(again.2, "workload_token_spent");
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_the_policy_does_not_mean_gets_nothing() {
    let ci = Ci::start().await;
    let api = ci.node().await;
    let told = async |claims: &Value, more: &[(&str, &str)], number: u8| {
        let from = format!("198.51.{number}.1");
        let (status, error, code) = refused(&api, exchanging(&ci.sign(claims), more).from(&from)).await;
        (status, format!("{error} {code}"))
    };
    let with = |name: &str, value: Value| {
        let mut claims = ci.job(1);
        claims[name] = value;
        claims
    };
    let job = ci.job(1);
    for (number, (claims, more, expected)) in [
        (with("repository_id", json!("41")), &[][..], "invalid_request workload_unknown"),
        (with("repository_id", json!(42)), &[], "invalid_request workload_unknown"),
        (with("environment", json!("staging")), &[], "invalid_request workload_unknown"),
        (with("run", json!({ "attempt": 2 })), &[], "invalid_target workload_ambiguous"),
        (job.clone(), &[("audience", "second-attempts")], "invalid_target workload_unknown"),
        (job.clone(), &[("audience", "No Name")], "invalid_target workload_unknown"),
        (job.clone(), &[("resource", "https://other.test")], "invalid_target parameter_not_taken"),
        (job.clone(), &[("scope", "rotate:log-key/main")], "invalid_scope scope_not_offered"),
        (job.clone(), &[("scope", "ping:probe/*")], "invalid_scope scope_not_offered"),
        (job.clone(), &[("scope", "everything")], "invalid_scope malformed"),
        (job.clone(), &[("lifetime_seconds", "601")], "invalid_request token_lives_too_long"),
        (job.clone(), &[("lifetime_seconds", "0")], "invalid_request malformed"),
        (with("aud", json!("https://other.test")), &[], "invalid_request token_audience"),
        (with("exp", json!(NOW - 61)), &[], "invalid_request token_expired"),
        (with("exp", json!(NOW + 90_000)), &[], "invalid_request workload_token_lives_too_long"),
        (with("iss", json!("https://other.test")), &[], "invalid_request token_issuer_unknown"),
        (with("cnf", json!({ "jkt": "x" })), &[], "invalid_request token_bound"),
    ]
    .into_iter()
    .enumerate()
    {
        let number = u8::try_from(number).expect("few");
        assert_eq!(told(&claims, more, number).await, (400, expected.to_owned()), "{claims} {more:?}");
    }
    let narrow = exchanging(
        &ci.sign(&job),
        &[("audience", "deploys"), ("scope", "ping:probe/any"), ("lifetime_seconds", "60")],
    );
    let answer = api.ok(narrow).await.json;
    assert_eq!((&answer["scope"], &answer["expires_in"]), (&json!("ping:probe/any"), &json!(60)));
    let mut gone = ci.job(2);
    gone["run"]["attempt"] = json!(2);
    let deactivate = Call::post(format!("/admin/people/{EVE}/deactivate"), &json!({ "reason": "left" }));
    api.ok(deactivate.by("Ana")).await;
    assert_eq!(
        told(&gone, &[("audience", "second-attempts")], 99).await,
        (400, "invalid_request token_owner_gone".into())
    );
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_none_is_told_so_in_oauths_words() {
    let ci = Ci::start().await;
    let api = ci.node().await;
    let token = ci.sign(&ci.job(1));
    let whole = [("grant_type", GRANT), ("subject_token", &*token), ("subject_token_type", JWT)];
    let without =
        |name: &str| asking(&whole.iter().copied().filter(|(own, _)| *own != name).collect::<Vec<_>>());
    let told = async |call: Call| refused(&api, call).await;
    let malformed = (400, "invalid_request".to_owned(), "malformed".to_owned());
    for name in ["grant_type", "subject_token", "subject_token_type"] {
        assert_eq!(told(without(name)).await, malformed, "{name}");
        let twice = [&whole[..], &[(name, "x")]].concat();
        assert_eq!(told(asking(&twice)).await, malformed, "{name} twice");
    }
    let other = asking(&[("grant_type", "client_credentials")]);
    assert_eq!(told(other).await, (400, "unsupported_grant_type".into(), "grant_not_supported".into()));
    let kind = asking(&[
        ("grant_type", GRANT),
        ("subject_token", "x"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:saml2"),
    ]);
    assert_eq!(told(kind).await, malformed);
    for (name, value, error) in [
        ("requested_token_type", JWT, "invalid_request"),
        ("actor_token", "x", "invalid_request"),
        ("resource", "https://other.test", "invalid_target"),
    ] {
        let (status, told, _) = told(exchanging(&token, &[(name, value)])).await;
        assert_eq!((status, told.as_str()), (400, error), "{name}");
    }
    let json = Call::raw("/oauth/token", b"{}".to_vec()).header("content-type", "application/json");
    assert_eq!(told(json).await, malformed);
    let mut query = exchanging(&token, &[]);
    query.path = "/oauth/token?grant_type=x".into();
    assert_eq!(told(query).await, malformed);
    let client = exchanging(&token, &[]).header("authorization", "Basic eDp5");
    assert_eq!(told(client).await, (401, "invalid_client".into(), "client_not_known".into()));
    let large = exchanging(&"A".repeat(70_000), &[]);
    assert_eq!(told(large).await.0, 413);
    let got = api.call(Call::new(Method::GET, "/oauth/token".into(), Vec::new())).await;
    assert_eq!(got.status, StatusCode::METHOD_NOT_ALLOWED);
    // What is left out and what is unknown changes nothing.
    api.ok(exchanging(&token, &[("scope", ""), ("client_id", "ci"), ("unknown", "x"), ("unknown", "y")]))
        .await;
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_token_is_exchanged_for_a_narrower_one() {
    let ci = Ci::start().await;
    let api = ci.node().await;
    let parent = api.ok(exchanging(&ci.sign(&ci.job(1)), &[])).await;
    let own = secret(&parent);
    api.clock.forward(100);
    let child = api.ok(narrowing(own, &[("scope", "ping:probe/any")])).await;
    assert_eq!(child.json["scope"], "ping:probe/any");
    let left = child.json["expires_in"].as_u64().expect("seconds");
    assert!((1..=500).contains(&left), "no longer than what it is exchanged from: {left}");
    let told = async |call: Call| {
        let (status, error, code) = refused(&api, call).await;
        (status, format!("{error} {code}"))
    };
    assert_eq!(
        told(narrowing(secret(&child), &[("scope", "override:payout/limit")])).await,
        (400, "invalid_scope scope_not_offered".into())
    );
    assert_eq!(
        told(narrowing(own, &[("lifetime_seconds", "900")])).await,
        (400, "invalid_request token_outlives_parent".into())
    );
    assert_eq!(
        told(narrowing(own, &[("audience", "deploys")])).await,
        (400, "invalid_target audience_not_taken".into())
    );
    assert_eq!(
        told(narrowing("Ana", &[])).await,
        (400, "invalid_request not_a_token".into()),
        "people's credentials are not exchanged"
    );
    assert_eq!(told(narrowing("cstk_nobodys", &[])).await, (400, "invalid_request unauthenticated".into()));
    api.ok(Call::post("/admin/permits", &ping()).by(secret(&child))).await;
    let path = format!("/admin/service-tokens/{}/revoke", parent.id());
    api.ok(Call::post(path, &json!({})).by("Ana")).await;
    assert_eq!(
        api.refusal(Call::post("/admin/permits", &ping()).by(secret(&child))).await,
        (401, "unauthenticated".into())
    );
    assert_eq!(told(narrowing(own, &[])).await, (400, "invalid_request unauthenticated".into()));
    api.engine.stop().await;
}

/// Whoever sends rubbish waits; whoever sends a genuine token does not, from the same network and in the middle of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rubbish_waits_and_a_genuine_token_does_not() {
    let ci = Ci::start().await;
    let api = ci.node().await;
    let forged = format!("{}x", ci.sign(&ci.job(1)));
    let here = "192.0.2.7";
    for _ in 0..=10 {
        assert_eq!(api.call(exchanging(&forged, &[]).from(here)).await.status, StatusCode::BAD_REQUEST);
    }
    let answer = api.call(exchanging(&forged, &[]).from(here)).await;
    assert_eq!((denied(&answer).0, answer.header("retry-after")), (429, "1"));
    api.ok(exchanging(&ci.sign(&ci.job(1)), &[]).from(here)).await;
    let metrics = api.ok(Call::get("/metrics")).await.text;
    assert!(metrics.contains("countersign_token_exchanges_total{outcome=\"granted\"}"), "{metrics}");
    api.engine.stop().await;
}

/// The issuer's key is changed; tokens of the new one are accepted once the pause between two looks is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issuer_may_change_its_keys() {
    let ci = Ci::start().await;
    let api = ci.node().await;
    api.ok(exchanging(&ci.sign(&ci.job(1)), &[])).await;
    let before = ci.sign(&ci.job(2));
    *ci.number.lock().expect("a number") = 2;
    let after = ci.sign(&ci.job(3));
    assert_eq!(refused(&api, exchanging(&after, &[])).await.2, "token_key_unknown");
    api.clock.forward(30);
    api.ok(exchanging(&after, &[])).await;
    assert_eq!(
        refused(&api, exchanging(&before, &[])).await.2,
        "token_key_unknown",
        "withdrawn is withdrawn"
    );
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_says_what_it_is() {
    let api = Api::start().await;
    let call = || Call::get("/.well-known/oauth-authorization-server");
    let told = api.ok(call().header("host", "countersign.example")).await.json;
    assert_eq!(told["issuer"], "https://countersign.example");
    assert_eq!(told["token_endpoint"], "https://countersign.example/oauth/token");
    assert_eq!(told["grant_types_supported"], json!([GRANT]));
    assert_eq!(told["response_types_supported"], json!([]));
    let local = api.ok(call().header("host", "127.0.0.1:8700")).await.json;
    assert_eq!(local["issuer"], "http://127.0.0.1:8700");
    api.engine.stop().await;
}
