//! Tokens that are not believed, by a real issuer over HTTP whose keys change, and how often it is asked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Router, routing};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::time::Time;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair, RsaPublicKeyComponents,
};
use serde_json::{Value, json};

use super::cache::{BELIEVED_SECONDS, FRESH_SECONDS, PAUSE_SECONDS};
use super::{Expected, Issuers, Jws, KeySet, Unbelieved};
use crate::config::IssuerConfig;

const AUDIENCE: &str = "https://countersign.test";
const NOW: i64 = 1_800_000_000;

fn at(seconds: i64) -> Time {
    Time::from_millis((NOW + seconds) * 1_000)
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key that signs, of each kind.
enum Signer {
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    fn ed25519(seed: u8) -> Self {
        Self::Ed25519(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    fn p256() -> Self {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &SystemRandom::new());
        Self::P256(pair.unwrap())
    }

    /// A key for tests alone: nothing here draws one.
    fn rsa() -> Self {
        Self::Rsa(Box::new(RsaKeyPair::from_pkcs8(include_bytes!("tests/rsa.pk8")).unwrap()))
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Rsa(pair) => {
                let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({ "kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256", "n": base64(n), "e": base64(e) })
            }
            Self::P256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": base64(x), "y": base64(y) })
            }
            Self::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": base64(pair.public_key()) })
            }
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
            Self::P256(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A token of these parts, as they are.
    fn token(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", base64(header), base64(payload));
        format!("{signed}.{}", base64(self.sign(signed.as_bytes())))
    }
}

fn claims(issuer: &str) -> Value {
    json!({ "iss": issuer, "aud": AUDIENCE, "exp": NOW + 300, "iat": NOW, "nbf": NOW, "jti": "job-1", "repository_id": "42" })
}

const ISSUER: &str = "https://ci.test";

/// What comes of a token with one key of an issuer, asked directly.
fn verdict(signer: &Signer, header: &Value, payload: &str) -> Result<(), Unbelieved> {
    let keys = KeySet::parse(json!({ "keys": [signer.jwk("k1")] }).to_string().as_bytes()).unwrap();
    let token = signer.token(&header.to_string(), payload);
    let expected = Expected { issuer: ISSUER, audience: AUDIENCE };
    Jws::parse(&token)?.verify(&keys, (&expected, at(0))).map(|_| ())
}

fn header(signer: &Signer) -> Value {
    json!({ "alg": signer.algorithm(), "kid": "k1", "typ": "JWT" })
}

#[test]
fn genuine_tokens_of_each_kind_are_believed() {
    for signer in [Signer::rsa(), Signer::p256(), Signer::ed25519(1)] {
        assert_eq!(verdict(&signer, &header(&signer), &claims(ISSUER).to_string()), Ok(()));
        let bare = json!({ "alg": signer.algorithm(), "kid": "k1" });
        assert_eq!(verdict(&signer, &bare, &claims(ISSUER).to_string()), Ok(()));
    }
}

/// A changed byte anywhere, another key, another algorithm for the same key.
#[test]
fn what_its_issuer_did_not_sign_is_not_believed() {
    let expected = Expected { issuer: ISSUER, audience: AUDIENCE };
    for (signer, other) in [(Signer::p256(), Signer::p256()), (Signer::ed25519(1), Signer::ed25519(2))] {
        let keys = KeySet::parse(json!({ "keys": [signer.jwk("k1")] }).to_string().as_bytes()).unwrap();
        let believed = |token: &str| Jws::parse(token)?.verify(&keys, (&expected, at(0))).map(|_| ());
        let token = signer.token(&header(&signer).to_string(), &claims(ISSUER).to_string());
        assert_eq!(believed(&token), Ok(()));
        for position in 0..token.len() {
            for instead in [b'A', b'Q', b'.', b'-'] {
                let mut forged = token.clone().into_bytes();
                if forged[position] != instead {
                    forged[position] = instead;
                    assert!(believed(&String::from_utf8(forged).unwrap()).is_err(), "{position}");
                }
            }
        }
        let forged = other.token(&header(&other).to_string(), &claims(ISSUER).to_string());
        assert_eq!(believed(&forged), Err(Unbelieved::Signature));
        let unsigned = token.rsplit_once('.').unwrap().0;
        assert_eq!(believed(&format!("{unsigned}.")), Err(Unbelieved::Signature));
    }
    let (rsa, p256) = (Signer::rsa(), Signer::p256());
    for named in ["ES256", "EdDSA"] {
        let crossed = json!({ "alg": named, "kid": "k1" });
        assert_eq!(
            verdict(&rsa, &crossed, &claims(ISSUER).to_string()),
            Err(Unbelieved::Signature),
            "{named}"
        );
    }
    assert_eq!(
        verdict(&p256, &json!({ "alg": "RS256", "kid": "k1" }), &claims(ISSUER).to_string()),
        Err(Unbelieved::Signature)
    );
}

#[test]
fn algorithms_that_prove_nothing_are_refused() {
    let signer = Signer::ed25519(1);
    for named in [
        json!("none"),
        json!("None"),
        json!("HS256"),
        json!("HS512"),
        json!("RS1"),
        json!("PS256"),
        json!(""),
        json!(null),
        json!(["EdDSA"]),
    ] {
        let odd = json!({ "alg": named, "kid": "k1" });
        assert_eq!(
            verdict(&signer, &odd, &claims(ISSUER).to_string()),
            Err(Unbelieved::Algorithm),
            "{named}"
        );
    }
    // The public key as a shared secret: whatever was signed with it.
    let keys = json!({ "keys": [{ "kty": "oct", "kid": "k1", "k": base64("secret") }] });
    assert!(KeySet::parse(keys.to_string().as_bytes()).is_err());
}

/// Of a class that others had: a header that demands something is not passed over, nor a token that is bound to a key.
#[test]
fn ignored_crit() {
    let signer = Signer::ed25519(1);
    for (member, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("jku", json!("https://evil.test/keys")),
        ("jwk", json!({ "kty": "OKP" })),
        ("x5u", json!("https://evil.test/chain")),
        ("zip", json!("DEF")),
        ("enc", json!("A128GCM")),
        ("cty", json!("JWT")),
        ("typ", json!("at+jwt")),
        ("typ", json!("logout+jwt")),
        ("typ", json!("dpop+jwt")),
        ("typ", json!(7)),
        ("kid", json!(7)),
        ("kid", json!("")),
    ] {
        let mut odd = header(&signer);
        odd[member] = value;
        assert_eq!(
            verdict(&signer, &odd, &claims(ISSUER).to_string()),
            Err(Unbelieved::Header(member)),
            "{odd}"
        );
    }
    let mut bound = claims(ISSUER);
    bound["cnf"] = json!({ "jkt": "thumbprint" });
    assert_eq!(verdict(&signer, &header(&signer), &bound.to_string()), Err(Unbelieved::Bound));
}

/// Two readers of one text must not come to two results.
#[test]
fn parser_differential() {
    let signer = Signer::ed25519(1);
    let whole = claims(ISSUER).to_string();
    let twice = whole.replacen('{', r#"{"repository_id":"41","#, 1);
    let escaped = whole.replacen('{', r#"{"repository\u005fid":"41","#, 1);
    let float = whole.replace(&(NOW + 300).to_string(), "1800000300.5");
    let exponent = whole.replace(&(NOW + 300).to_string(), "18e8");
    for odd in [
        twice,
        escaped,
        float,
        exponent,
        format!("{whole} x"),
        format!("\u{feff}{whole}"),
        "[]".into(),
        "7".into(),
    ] {
        let told = verdict(&signer, &header(&signer), &odd);
        assert!(matches!(told, Err(Unbelieved::Malformed(_))), "{odd}: {told:?}");
    }
    let token = signer.token(r#"{"alg":"EdDSA","alg":"none","kid":"k1"}"#, &whole);
    assert!(matches!(Jws::parse(&token).err(), Some(Unbelieved::Malformed(_))));
    for odd in ["", "a", "a.b", "a.b.c.d", "..", &"A".repeat(20_000)] {
        assert!(matches!(Jws::parse(odd).err(), Some(Unbelieved::Malformed(_))), "{odd}");
    }
}

#[test]
fn every_claim_that_is_demanded_must_be_there_and_right() {
    let signer = Signer::ed25519(1);
    let with = |name: &str, value: Value| {
        let mut changed = claims(ISSUER);
        changed[name] = value;
        verdict(&signer, &header(&signer), &changed.to_string())
    };
    for (name, expected) in [
        ("iss", Unbelieved::UnknownIssuer),
        ("aud", Unbelieved::Claim("aud")),
        ("exp", Unbelieved::Claim("exp")),
        ("jti", Unbelieved::Claim("jti")),
    ] {
        let mut without = claims(ISSUER);
        without.as_object_mut().unwrap().remove(name);
        assert_eq!(verdict(&signer, &header(&signer), &without.to_string()), Err(expected), "{name}");
    }
    assert_eq!(with("aud", json!([AUDIENCE])), Ok(()));
    for other in [
        json!("https://countersign.test/"),
        json!([AUDIENCE, "https://other.test"]),
        json!([]),
        json!([[AUDIENCE]]),
        json!(7),
        json!("HTTPS://COUNTERSIGN.TEST"),
    ] {
        assert_eq!(with("aud", other.clone()), Err(Unbelieved::Audience), "{other}");
    }
    for (name, seconds, told) in [
        ("exp", -59, Ok(())),
        ("exp", -60, Err(Unbelieved::Expired)),
        ("iat", 60, Ok(())),
        ("iat", 61, Err(Unbelieved::NotYet)),
        ("nbf", 60, Ok(())),
        ("nbf", 61, Err(Unbelieved::NotYet)),
    ] {
        assert_eq!(with(name, json!(NOW + seconds)), told, "{name} {seconds}");
    }
    for (name, odd) in
        [("exp", json!("1900000000")), ("exp", json!(-1)), ("iat", json!("now")), ("nbf", json!(null))]
    {
        assert!(matches!(with(name, odd), Err(Unbelieved::Claim(_))), "{name}");
    }
    for odd in [json!(""), json!(7), json!("x".repeat(513))] {
        assert_eq!(with("jti", odd), Err(Unbelieved::Claim("jti")));
    }
}

#[test]
fn keys_that_could_be_mistaken_for_others_are_left_out() {
    let (one, other) = (Signer::ed25519(1).jwk("k1"), Signer::ed25519(2).jwk("k1"));
    let set = |keys: Value| KeySet::parse(json!({ "keys": keys }).to_string().as_bytes());
    assert!(set(json!([one])).is_ok());
    assert!(set(json!([one, other])).is_err(), "two keys of one name");
    for (member, value) in [
        ("use", json!("enc")),
        ("key_ops", json!(["sign"])),
        ("alg", json!("HS256")),
        ("crv", json!("Ed448")),
        ("x", json!(base64([1; 31]))),
        ("x", json!("not base64url")),
        ("kid", json!(7)),
    ] {
        let mut odd = one.clone();
        odd[member] = value;
        assert!(set(json!([odd])).is_err(), "{odd}");
    }
    let mut small = Signer::rsa().jwk("k1");
    small["n"] = json!(base64([0xFF; 128]));
    assert!(set(json!([small])).is_err(), "1,024 bits");
    small["n"] = json!(base64([0xFF; 1_024]));
    assert!(set(json!([small])).is_err(), "8,192 bits");
    let many: Vec<Value> = (0..65).map(|number| Signer::ed25519(number).jwk(&number.to_string())).collect();
    assert!(set(json!(many)).is_err(), "more than is sensible");
    assert!(KeySet::parse(br#"{"keys":[],"keys":[]}"#).is_err());
}

/// A real issuer over HTTP.
#[derive(Default)]
struct Published {
    keys: Mutex<Vec<Value>>,
    discovery: Mutex<Option<Value>>,
    status: Mutex<Option<StatusCode>>,
    asked: AtomicUsize,
}

struct Issuer {
    url: String,
    published: Arc<Published>,
}

async fn discovery(State((published, url)): State<(Arc<Published>, String)>) -> Response {
    if let Some(status) = *published.status.lock().unwrap() {
        return (status, [(header::LOCATION, "/elsewhere")]).into_response();
    }
    let own = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") });
    published.discovery.lock().unwrap().clone().unwrap_or(own).to_string().into_response()
}

async fn keys(State((published, _)): State<(Arc<Published>, String)>) -> Response {
    published.asked.fetch_add(1, Ordering::SeqCst);
    json!({ "keys": *published.keys.lock().unwrap() }).to_string().into_response()
}

impl Issuer {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let published = Arc::new(Published::default());
        let router = Router::new()
            .route("/.well-known/openid-configuration", routing::get(discovery))
            .route("/elsewhere", routing::get(discovery))
            .route("/keys", routing::get(keys))
            .with_state((Arc::clone(&published), url.clone()));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, published }
    }

    fn publish(&self, keys: &[Value]) {
        *self.published.keys.lock().unwrap() = keys.to_vec();
    }

    fn asked(&self) -> usize {
        self.published.asked.load(Ordering::SeqCst)
    }

    fn known(&self) -> Issuers {
        let config = IssuerConfig {
            issuer: self.url.parse().unwrap(),
            spelling: self.url.clone(),
            audience: AUDIENCE.into(),
            jwks_file: None,
        };
        Issuers::new(&BTreeMap::from([("ci".parse().unwrap(), config)])).unwrap()
    }

    fn token(&self, signer: &Signer, kid: &str, now: i64) -> String {
        let mut claims = claims(&self.url);
        for (name, seconds) in [("exp", now + 300), ("iat", now), ("nbf", now)] {
            claims[name] = json!(NOW + seconds);
        }
        signer.token(&json!({ "alg": signer.algorithm(), "kid": kid }).to_string(), &claims.to_string())
    }
}

fn told<T>(outcome: Result<T, Unbelieved>) -> Result<(), &'static str> {
    outcome.map(|_| ()).map_err(|why| why.code())
}

#[tokio::test]
async fn keys_are_fetched_once_and_changed_keys_are_found() {
    let issuer = Issuer::start().await;
    let (first, second) = (Signer::ed25519(1), Signer::p256());
    issuer.publish(&[first.jwk("k1")]);
    let known = issuer.known();
    for _ in 0..5 {
        assert_eq!(told(known.verify(&issuer.token(&first, "k1", 0), at(0)).await), Ok(()));
    }
    assert_eq!(issuer.asked(), 1);
    // The next key is published, and used once the pause is over.
    issuer.publish(&[first.jwk("k1"), second.jwk("k2")]);
    assert_eq!(told(known.verify(&issuer.token(&second, "k2", 1), at(1)).await), Err("token_key_unknown"));
    let later = i64::from(PAUSE_SECONDS);
    assert_eq!(told(known.verify(&issuer.token(&second, "k2", later), at(later)).await), Ok(()));
    assert_eq!(issuer.asked(), 2);
    // The first is withdrawn: it is believed until the keys are looked at again, and not after.
    issuer.publish(&[second.jwk("k2")]);
    let fresh = later + i64::from(FRESH_SECONDS);
    assert_eq!(told(known.verify(&issuer.token(&first, "k1", fresh - 1), at(fresh - 1)).await), Ok(()));
    assert_eq!(
        told(known.verify(&issuer.token(&first, "k1", fresh), at(fresh)).await),
        Err("token_key_unknown")
    );
    assert_eq!(issuer.asked(), 3);
}

/// Whoever floods the node with keys that do not exist makes it ask its issuer twice a minute, and no genuine token waits.
#[tokio::test]
async fn a_flood_of_unknown_keys_fetches_nothing() {
    let issuer = Issuer::start().await;
    let (genuine, forged) = (Signer::ed25519(1), Signer::ed25519(2));
    issuer.publish(&[genuine.jwk("k1")]);
    let known = Arc::new(issuer.known());
    let flood: Vec<_> = (0..200)
        .map(|number| {
            let (known, token) = (Arc::clone(&known), issuer.token(&forged, &format!("x{number}"), 0));
            tokio::spawn(async move { told(known.verify(&token, at(0)).await) })
        })
        .collect();
    for forged in flood {
        assert_eq!(forged.await.unwrap(), Err("token_key_unknown"));
    }
    assert_eq!(told(known.verify(&issuer.token(&genuine, "k1", 0), at(0)).await), Ok(()));
    assert_eq!(issuer.asked(), 1);
    // What is refused for what it says does not lead to a look at keys at all.
    let later = i64::from(PAUSE_SECONDS);
    assert_eq!(
        told(known.verify(&issuer.token(&forged, "y", -9_000), at(later)).await),
        Err("token_expired")
    );
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test]
async fn keys_that_cannot_be_renewed_are_believed_for_an_hour() {
    let issuer = Issuer::start().await;
    let signer = Signer::ed25519(1);
    issuer.publish(&[signer.jwk("k1")]);
    let known = issuer.known();
    assert_eq!(told(known.verify(&issuer.token(&signer, "k1", 0), at(0)).await), Ok(()));
    *issuer.published.status.lock().unwrap() = Some(StatusCode::SERVICE_UNAVAILABLE);
    let last = i64::from(BELIEVED_SECONDS) - 1;
    assert_eq!(told(known.verify(&issuer.token(&signer, "k1", last), at(last)).await), Ok(()));
    let over = last + 1 + i64::from(PAUSE_SECONDS);
    assert_eq!(
        told(known.verify(&issuer.token(&signer, "k1", over), at(over)).await),
        Err("issuer_unavailable")
    );
    *issuer.published.status.lock().unwrap() = None;
    let back = over + i64::from(PAUSE_SECONDS);
    assert_eq!(told(known.verify(&issuer.token(&signer, "k1", back), at(back)).await), Ok(()));
}

/// Another issuer's document, keys in clear from elsewhere, a redirect, too much.
#[tokio::test]
async fn an_issuer_that_is_not_itself_has_no_keys() {
    let issuer = Issuer::start().await;
    let signer = Signer::ed25519(1);
    issuer.publish(&[signer.jwk("k1")]);
    let url = issuer.url.clone();
    for document in [
        json!({ "issuer": format!("{url}/"), "jwks_uri": format!("{url}/keys") }),
        json!({ "issuer": "https://ci.test", "jwks_uri": format!("{url}/keys") }),
        json!({ "jwks_uri": format!("{url}/keys") }),
        json!({ "issuer": url, "jwks_uri": "http://keys.test/keys" }),
        json!({ "issuer": url, "jwks_uri": "file:///etc/keys" }),
        json!({ "issuer": url }),
        json!({ "issuer": url, "jwks_uri": format!("{url}/keys"), "padding": "x".repeat(200_000) }),
    ] {
        *issuer.published.discovery.lock().unwrap() = Some(document.clone());
        let told = told(issuer.known().verify(&issuer.token(&signer, "k1", 0), at(0)).await);
        assert_eq!(told, Err("issuer_unavailable"), "{document}");
    }
    *issuer.published.discovery.lock().unwrap() = None;
    *issuer.published.status.lock().unwrap() = Some(StatusCode::FOUND);
    assert_eq!(
        told(issuer.known().verify(&issuer.token(&signer, "k1", 0), at(0)).await),
        Err("issuer_unavailable")
    );
    assert_eq!(issuer.asked(), 0, "nothing else was asked");
    let stranger = Issuer::start().await;
    assert_eq!(
        told(issuer.known().verify(&stranger.token(&signer, "k1", 0), at(0)).await),
        Err("token_issuer_unknown")
    );
    assert_eq!(stranger.asked(), 0, "no issuer is asked that a token names");
}

/// A cluster that this machine does not reach: somebody keeps its keys in a file.
#[tokio::test]
async fn keys_may_be_kept_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    let signer = Signer::rsa();
    std::fs::write(&file, json!({ "keys": [signer.jwk("k1")] }).to_string()).unwrap();
    let spelling = "https://kubernetes.default.svc.cluster.local".to_owned();
    let config = IssuerConfig {
        issuer: spelling.parse().unwrap(),
        spelling: spelling.clone(),
        audience: AUDIENCE.into(),
        jwks_file: Some(file.clone()),
    };
    let known = Issuers::new(&BTreeMap::from([("cluster".parse().unwrap(), config)])).unwrap();
    let token = |kid: &str| {
        let header = json!({ "alg": "RS256", "kid": kid });
        signer.token(&header.to_string(), &claims(&spelling).to_string())
    };
    assert_eq!(told(known.verify(&token("k1"), at(0)).await), Ok(()));
    std::fs::write(&file, json!({ "keys": [signer.jwk("k2")] }).to_string()).unwrap();
    let later = i64::from(PAUSE_SECONDS);
    assert_eq!(told(known.verify(&token("k2"), at(later)).await), Ok(()));
}

proptest::proptest! {
    /// Whatever is sent is no token and breaks nothing, also where it looks like one.
    #[test]
    fn rubbish_is_no_token(text in ".{0,200}", header in ".{0,60}", payload in ".{0,60}", signature in proptest::collection::vec(proptest::num::u8::ANY, 0..70)) {
        let signer = Signer::ed25519(1);
        let keys = KeySet::parse(json!({ "keys": [signer.jwk("k1")] }).to_string().as_bytes()).unwrap();
        let expected = Expected { issuer: ISSUER, audience: AUDIENCE };
        let header = match header.len() % 2 {
            0 => header,
            _ => json!({ "alg": "EdDSA", "kid": "k1" }).to_string(),
        };
        let alike = format!("{}.{}.{}", base64(header), base64(payload), base64(signature));
        for token in [text.as_str(), alike.as_str()] {
            let believed = Jws::parse(token).and_then(|jws| jws.verify(&keys, (&expected, at(0))));
            proptest::prop_assert!(believed.is_err(), "{token}");
        }
        proptest::prop_assert!(KeySet::parse(text.as_bytes()).is_err());
    }
}
