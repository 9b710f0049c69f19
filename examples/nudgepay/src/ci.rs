//! A CI system, simulated: it says who its jobs are with signed tokens, and publishes its keys as any `OpenID` issuer does.
//!
//! It stands for a system that is not ours. Whoever asks may have a token that says anything: on this machine there are only jobs of the
//! demo.

use std::{
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use crate::{Error, Lifetime, serve::Bound};

/// How long a job's token is good, unless the request says otherwise.
const VALIDITY: Duration = Duration::from_secs(300);

/// What the CI system needs to know; also the form of its configuration file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen; a loopback address, port 0 for any free one.
    pub listen: SocketAddr,
    /// When the program stops by itself.
    #[serde(default)]
    pub lifetime: Lifetime,
}

/// The keys so far, the newest last: two are published, one signs.
struct Keys(Vec<Ed25519KeyPair>);

type Shared = Arc<RwLock<Keys>>;

impl Keys {
    fn add(&mut self) -> Result<(), Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| Error::Randomness)?;
        self.0.push(Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| Error::Randomness)?);
        Ok(())
    }

    fn published(&self) -> Value {
        let last = self.0.iter().enumerate().rev().take(2);
        let one = |(number, key): (usize, &Ed25519KeyPair)| {
            json!({
                "kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": format!("key-{number}"),
                "x": URL_SAFE_NO_PAD.encode(key.public_key()),
            })
        };
        json!({ "keys": last.map(one).collect::<Vec<_>>() })
    }

    /// A token with these claims, signed by the newest key.
    fn sign(&self, claims: &Map<String, Value>) -> Option<String> {
        let (number, key) = self.0.iter().enumerate().next_back()?;
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": format!("key-{number}") });
        let part = |text: String| URL_SAFE_NO_PAD.encode(text);
        let signed =
            format!("{}.{}", part(header.to_string()), part(Value::from(claims.clone()).to_string()));
        let signature = key.sign(signed.as_bytes());
        Some(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// Runs the CI system until its lifetime ends; prints `{"listening":"127.0.0.1:PORT"}` once it is ready.
///
/// # Errors
///
/// The address cannot be listened on, there is no randomness, or standard output or the socket fails.
pub async fn run(config: Config) -> Result<(), Error> {
    let mut keys = Keys(Vec::new());
    keys.add()?;
    let shared: Shared = Arc::new(RwLock::new(keys));
    let router = Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/keys", get(published))
        .route("/keys/rotate", post(rotate))
        .route("/jobs", post(job))
        .with_state(shared);
    Bound::new(config.listen, router, JoinSet::new()).await?.run(config.lifetime).await
}

/// The address under which it was asked, which is its name.
fn itself(headers: &axum::http::HeaderMap) -> Result<String, StatusCode> {
    let host = headers.get("host").and_then(|host| host.to_str().ok()).ok_or(StatusCode::BAD_REQUEST)?;
    Ok(format!("http://{host}"))
}

async fn discovery(headers: axum::http::HeaderMap) -> Result<Json<Value>, StatusCode> {
    let url = itself(&headers)?;
    Ok(Json(json!({
        "issuer": url, "jwks_uri": format!("{url}/keys"), "id_token_signing_alg_values_supported": ["EdDSA"],
        "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
    })))
}

async fn published(State(keys): State<Shared>) -> Json<Value> {
    Json(keys.read().unwrap_or_else(PoisonError::into_inner).published())
}

/// The next key signs from now on; the one before is still published, those before that are not.
async fn rotate(State(keys): State<Shared>) -> Result<Json<Value>, StatusCode> {
    let mut keys = keys.write().unwrap_or_else(PoisonError::into_inner);
    keys.add().map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(Json(keys.published()))
}

/// The token of a job: what is asked for, and what every token has unless something else is asked for.
async fn job(
    State(keys): State<Shared>,
    headers: axum::http::HeaderMap,
    Json(asked): Json<Map<String, Value>>,
) -> Result<Json<Value>, StatusCode> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let mut id = [0; 16];
    getrandom::fill(&mut id).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    let own = json!({
        "iss": itself(&headers)?, "iat": now.as_secs(), "nbf": now.as_secs(), "exp": (now + VALIDITY).as_secs(),
        "jti": URL_SAFE_NO_PAD.encode(id),
    });
    let mut claims = own.as_object().cloned().unwrap_or_default();
    claims.extend(asked);
    let keys = keys.read().unwrap_or_else(PoisonError::into_inner);
    let token = keys.sign(&claims).ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(Json(json!({ "value": token })))
}
