//! Tokens that are bound to a key (DPoP, RFC 9449): without the key they are worth nothing, and each proof is good for one request, once, at one
//! node.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_ledger::hash::sha256;
use countersign_server::config::{ProofNonce, PublicUrl};
use countersign_server::http::{Outside, Site};
use countersign_server::reached::{Listening, Scheme};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

use super::harness::{Answer, Api, Call, ping};

const TOKEN: &str = "token-of-somebody-with-a-key";
const HOST: &str = "countersign.test";
const PERMITS: &str = "/admin/permits";
const EXCHANGE: &str = "/oauth/token";

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn jwk(number: u8) -> Value {
    let x = URL_SAFE_NO_PAD.encode(key(number).verifying_key().as_bytes());
    json!({ "kty": "OKP", "crv": "Ed25519", "x": x })
}

/// RFC 7638.
fn thumbprint(number: u8) -> String {
    let x = URL_SAFE_NO_PAD.encode(key(number).verifying_key().as_bytes());
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    URL_SAFE_NO_PAD.encode(sha256(canonical.as_bytes()).0)
}

/// What a proof says, as it should be.
fn about(api: &Api, path: &str, id: &str) -> Value {
    let ath = URL_SAFE_NO_PAD.encode(sha256(TOKEN.as_bytes()).0);
    let now = api.engine.now().as_millis() / 1_000;
    json!({ "htm": "POST", "htu": format!("https://{HOST}{path}"), "iat": now, "jti": id, "ath": ath })
}

/// The same, naming the node's nonce.
async fn named(api: &Api, path: &str, id: &str) -> Value {
    let mut claims = about(api, path, id);
    claims["nonce"] = json!(nonce(api).await);
    claims
}

/// Whoever comes with a proof, whatever it is worth, is told the nonce.
async fn nonce(api: &Api) -> String {
    let answer = api.call(Call::get("/healthz").header("dpop", "x")).await;
    answer.header("dpop-nonce").to_owned()
}

/// A node at this address.
fn at(public: &str) -> Outside {
    let url = PublicUrl::parse(public).expect("an address");
    Outside { site: Some(Arc::new(Site::new(url, [7; 32]))), ..Outside::default() }
}

async fn start() -> Api {
    Api::start().await.again(at(&format!("https://{HOST}")))
}

fn signed(number: u8, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = key(number).sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
}

fn proof(number: u8, claims: &Value) -> String {
    signed(number, &json!({ "typ": "dpop+jwt", "alg": "EdDSA", "jwk": jwk(number) }), claims)
}

fn pinging(proof: &str) -> Call {
    let call = Call::post(PERMITS, &ping()).header("host", HOST);
    call.header("authorization", format!("DPoP {TOKEN}")).header("dpop", proof)
}

/// Ana's token for pings, bound to key 1.
async fn bound(api: &Api) -> Answer {
    let wanted = json!({
        "resource": "service-token/deployer", "environment": "production", "scopes": ["ping:probe/any"],
        "lifetime_seconds": 900, "token_sha256": sha256(TOKEN.as_bytes()).to_string(), "dpop_jkt": thumbprint(1),
    });
    api.ok(Call::post("/admin/service-tokens", &wanted).by("Ana")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_bound_to_a_key_is_worth_nothing_without_it() {
    let api = start().await;
    let issued = bound(&api).await;
    assert_eq!(issued.json["dpop_jkt"], thumbprint(1));
    let told = async |call: Call| api.refusal(call).await;
    let (needed, invalid) = ((401, "dpop_proof_required".to_owned()), (401, "dpop_proof_invalid".to_owned()));
    let bare = Call::post(PERMITS, &ping()).header("host", HOST);
    assert_eq!(told(bare.clone().by(TOKEN)).await, needed);
    assert_eq!(told(bare.header("authorization", format!("DPoP {TOKEN}"))).await, needed);
    let twice = proof(1, &named(&api, PERMITS, "a").await);
    assert_eq!(told(pinging(&twice).header("dpop", twice.clone())).await, needed, "two proofs");
    assert_eq!(told(pinging(&proof(2, &named(&api, PERMITS, "a").await))).await, invalid, "another key");
    let good = proof(1, &named(&api, PERMITS, "once").await);
    let answer = api.ok(pinging(&good)).await;
    assert!(answer.id().starts_with("prm_"));
    assert_eq!(told(pinging(&good)).await, (401, "dpop_proof_used".into()));
    api.ok(pinging(&proof(1, &named(&api, PERMITS, "twice").await))).await;
    api.clock.forward(61);
    assert_eq!(told(pinging(&good)).await, invalid, "remembered until it is too old");
    // Credentials that are bound to nothing are not sent like this.
    let person = Call::post(PERMITS, &ping()).header("host", HOST).header("dpop", good.clone());
    assert_eq!(told(person.header("authorization", "DPoP Ana")).await, (401, "unauthenticated".into()));
    api.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_is_about_exactly_one_request() {
    let api = start().await;
    bound(&api).await;
    let whole = named(&api, PERMITS, "x").await;
    let now = whole["iat"].as_i64().expect("seconds");
    for (name, value) in [
        ("htm", json!("GET")),
        ("htm", json!("post")),
        ("htu", json!(format!("https://{HOST}/admin/approvals"))),
        ("htu", json!(format!("https://other.test{PERMITS}"))),
        ("htu", json!(format!("http://{HOST}{PERMITS}"))),
        ("ath", json!(URL_SAFE_NO_PAD.encode(sha256(b"another token").0))),
        ("ath", json!(null)),
        ("jti", json!("")),
        ("iat", json!(now - 62)),
        ("iat", json!(now + 62)),
        ("iat", json!("now")),
        ("nonce", json!(7)),
        ("htu", json!(format!("https://{HOST}:8443{PERMITS}"))),
        ("htu", json!(format!("https://{HOST}:80{PERMITS}"))),
        ("htu", json!(format!("https://{HOST}@evil.test{PERMITS}"))),
        ("htu", json!(PERMITS)),
    ] {
        let mut changed = whole.clone();
        changed[name] = value;
        let told = api.refusal(pinging(&proof(1, &changed))).await;
        assert_eq!(told, (401, "dpop_proof_invalid".into()), "{changed}");
    }
    let header = json!({ "typ": "dpop+jwt", "alg": "EdDSA", "jwk": jwk(1) });
    for (name, value) in [
        ("typ", json!("JWT")),
        ("alg", json!("none")),
        ("alg", json!("HS256")),
        ("alg", json!("ES256")),
        ("crit", json!(["exp"])),
        ("jwk", jwk(2)),
        ("jwk", json!(null)),
        ("jwk", json!({ "kty": "oct", "k": "AAAA" })),
    ] {
        let mut changed = header.clone();
        changed[name] = value;
        let told = api.refusal(pinging(&signed(1, &changed, &whole))).await;
        assert_eq!(told, (401, "dpop_proof_invalid".into()), "{changed}");
    }
    let mut private = header.clone();
    private["jwk"]["d"] = json!("AAAA");
    assert_eq!(api.refusal(pinging(&signed(1, &private, &whole))).await.1, "dpop_proof_invalid");
    let mut query = whole.clone();
    query["htu"] = json!(format!("https://{HOST}{PERMITS}?a=b#c"));
    api.ok(pinging(&proof(1, &query))).await;
    query["htu"] = json!(format!("HTTPS://Countersign.Test:443{PERMITS}"));
    api.ok(pinging(&proof(1, &query))).await;
    api.engine.stop().await;
}

/// Exchanged in OAuth's words, with a proof of the key that the new token is then bound to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_bound_token_is_exchanged_for_is_bound_too() {
    let api = start().await;
    bound(&api).await;
    let exchanging = |token: &str| {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
            .append_pair("subject_token", token)
            .append_pair("subject_token_type", "urn:ietf:params:oauth:token-type:access_token")
            .finish();
        let call = Call::raw(EXCHANGE, body.into_bytes()).keyless().header("host", HOST);
        call.header("content-type", "application/x-www-form-urlencoded")
    };
    let error =
        |answer: &Answer| (answer.status.as_u16(), answer.json["error"].clone(), answer.json["code"].clone());
    let without = api.call(exchanging(TOKEN)).await;
    assert_eq!(error(&without), (400, json!("invalid_dpop_proof"), json!("dpop_proof_required")));
    let unnamed = api.call(exchanging(TOKEN).header("dpop", proof(1, &about(&api, EXCHANGE, "n")))).await;
    assert_eq!(error(&unnamed), (400, json!("use_dpop_nonce"), json!("use_dpop_nonce")));
    assert_eq!(unnamed.header("dpop-nonce"), nonce(&api).await);
    let other = api.call(exchanging(TOKEN).header("dpop", proof(2, &named(&api, EXCHANGE, "a").await))).await;
    assert_eq!(error(&other), (400, json!("invalid_dpop_proof"), json!("dpop_proof_invalid")));
    let good = proof(1, &named(&api, EXCHANGE, "b").await);
    let child = api.ok(exchanging(TOKEN).header("dpop", good.clone())).await;
    assert_eq!(child.json["token_type"], "DPoP");
    let shown = api.ok(Call::get(format!("/admin/service-tokens/{}", child.id())).by("Ana")).await;
    assert_eq!(shown.json["dpop_jkt"], thumbprint(1));
    let again = api.call(exchanging(TOKEN).header("dpop", good)).await;
    assert_eq!(error(&again), (400, json!("invalid_dpop_proof"), json!("dpop_proof_used")));
    // What was bound to nothing is bound by whoever proves a key.
    let free = json!({
        "resource": "service-token/deployer", "environment": "production", "scopes": ["ping:probe/any"],
        "lifetime_seconds": 900, "token_sha256": sha256(b"free").to_string(),
    });
    api.ok(Call::post("/admin/service-tokens", &free).by("Ana")).await;
    let bound = api.ok(exchanging("free").header("dpop", proof(2, &named(&api, EXCHANGE, "c").await))).await;
    let shown = api.ok(Call::get(format!("/admin/service-tokens/{}", bound.id())).by("Ana")).await;
    assert_eq!((&bound.json["token_type"], &shown.json["dpop_jkt"]), (&json!("DPoP"), &json!(thumbprint(2))));
    let bearer = api.ok(exchanging("free")).await;
    assert_eq!(bearer.json["token_type"], "Bearer");
    let mut malformed = free;
    malformed["dpop_jkt"] = json!("short");
    assert_eq!(
        api.refusal(Call::post("/admin/service-tokens", &malformed).by("Ana")).await,
        (400, "malformed".into())
    );
    api.engine.stop().await;
}

/// Whoever is lured to another server sends it a proof with its address; passed on, it names a host that the request names too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_for_another_server_is_worth_nothing_whatever_host_it_is_passed_on_with() {
    let api = start().await;
    bound(&api).await;
    let mut claims = named(&api, PERMITS, "x").await;
    claims["htu"] = json!(format!("https://evil.test{PERMITS}"));
    let passed_on = Call::post(PERMITS, &ping()).header("host", "evil.test");
    let passed_on = passed_on.header("authorization", format!("DPoP {TOKEN}"));
    let answer = api.call(passed_on.header("dpop", proof(1, &claims))).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (401, "dpop_proof_invalid"));
    assert!(
        answer.json["detail"].as_str().is_some_and(|told| told.contains("`https://countersign.test`")),
        "{answer:?}"
    );
    assert!(answer.header("www-authenticate").starts_with("DPoP error=\"invalid_dpop_proof\""), "{answer:?}");
    api.engine.stop().await;
}

/// On this machine the scheme is that of the listener, and the port its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_this_machine_a_proof_is_for_what_the_listener_speaks() {
    let first = Api::start().await;
    bound(&first).await;
    for (scheme, own, other) in [(Scheme::Https, "https", "http"), (Scheme::Http, "http", "https")] {
        let listening = Some(Listening { scheme, address: "127.0.0.1:8700".parse().expect("an address") });
        let api = first.again(Outside { listening, ..Outside::default() });
        let told = async |address: &str| {
            let mut claims = named(&api, PERMITS, address).await;
            claims["htu"] = json!(format!("{address}{PERMITS}"));
            let answer = api.call(pinging(&proof(1, &claims))).await;
            if answer.status.is_success() { "let in".to_owned() } else { answer.code().to_owned() }
        };
        for host in ["localhost:8700", "127.0.0.1:8700", "LOCALHOST:8700"] {
            assert_eq!(told(&format!("{own}://{host}")).await, "let in", "{own} {host}");
            assert_eq!(told(&format!("{other}://{host}")).await, "dpop_proof_invalid", "{other} {host}");
        }
        for host in
            ["localhost", "localhost:8701", "127.0.0.2:8700", "countersign.test", "localhost.evil.test:8700"]
        {
            assert_eq!(told(&format!("{own}://{host}")).await, "dpop_proof_invalid", "{own} {host}");
        }
        let told = api
            .ok(Call::get("/.well-known/oauth-authorization-server").header("host", "localhost:8700"))
            .await;
        assert_eq!(told.json["issuer"], format!("{own}://localhost:8700"));
    }
    first.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proof_made_for_one_node_is_refused_at_another_and_after_a_restart() {
    let here = start().await;
    bound(&here).await;
    let there = here.again(at(&format!("https://{HOST}")));
    let without = here.call(pinging(&proof(1, &about(&here, PERMITS, "a")))).await;
    assert_eq!((without.status.as_u16(), without.code()), (401, "use_dpop_nonce"));
    assert!(without.header("www-authenticate").starts_with("DPoP error=\"use_dpop_nonce\""), "{without:?}");
    let mut claims = about(&here, PERMITS, "a");
    claims["nonce"] = json!(without.header("dpop-nonce"));
    let copied = proof(1, &claims);
    // Copied on its way and used first at the other node, and at this one after it is used there.
    let elsewhere = there.call(pinging(&copied)).await;
    assert_eq!((elsewhere.status.as_u16(), elsewhere.code()), (401, "use_dpop_nonce"));
    assert_ne!(elsewhere.header("dpop-nonce"), without.header("dpop-nonce"));
    let used = here.ok(pinging(&copied)).await;
    assert_eq!(used.header("dpop-nonce"), without.header("dpop-nonce"), "each answer to a proof tells it");
    assert_eq!(here.refusal(pinging(&copied)).await.1, "dpop_proof_used");
    assert_eq!(there.refusal(pinging(&copied)).await.1, "use_dpop_nonce");
    claims["nonce"] = json!(elsewhere.header("dpop-nonce"));
    there.ok(pinging(&proof(1, &claims))).await;
    // It ends, and the next one is told in time.
    here.clock.forward(600);
    let mut late = about(&here, PERMITS, "late");
    late["nonce"] = json!(without.header("dpop-nonce"));
    let late = here.call(pinging(&proof(1, &late))).await;
    assert_eq!(late.code(), "use_dpop_nonce");
    here.ok(pinging(&proof(1, &named(&here, PERMITS, "later").await))).await;
    let waived = here.again(Outside { proof_nonce: ProofNonce::Waived, ..at(&format!("https://{HOST}")) });
    let answer = waived.ok(pinging(&proof(1, &about(&here, PERMITS, "w")))).await;
    assert_eq!(answer.header("dpop-nonce"), "");
    assert!(
        here.ok(Call::get("/healthz")).await.headers.get("dpop-nonce").is_none(),
        "only who proves is told"
    );
    here.engine.stop().await;
}
