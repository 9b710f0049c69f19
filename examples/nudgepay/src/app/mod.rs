//! The payment application: sells payment links, receives the provider's webhooks, obeys the rotation hook, overrides payouts under
//! permits of Countersign.
//!
//! This file puts it together; the routes are in `links`, `payouts`, `webhooks` and `metrics`, storage in `payments`.
//! Keys and payments live in two SQLite files, so that a rotation never waits behind a payment.

mod links;
mod metrics;
mod payments;
mod payouts;
mod webhooks;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::FromRef,
    routing::{get, post},
};
use countersign_client::layer::GuardLayer;
use serde::Deserialize;
use tokio::task::JoinSet;

use crate::{
    Error, Lifetime, SecretText, database,
    hook::{self, KeyStore, Receiver, Role},
    outgoing,
    serve::Bound,
    standard_webhooks::HookKey,
};
use metrics::Metrics;
use payments::Payments;

pub use payouts::Guard;

/// How long the application waits for the provider's API.
const PROVIDER_PATIENCE: Duration = Duration::from_secs(5);

/// What the application needs to know; also the form of its configuration file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen; a loopback address, port 0 for any free one.
    pub listen: SocketAddr,
    /// Folder of the databases; created when missing, used by one process at a time.
    pub data_dir: PathBuf,
    /// The provider's base address, such as `http://127.0.0.1:9000`.
    pub provider_url: String,
    /// The key that Countersign signs the rotation hook with.
    pub hook_key: HookKey,
    /// The webhook secret accepted as version 1, used only when no version was ever stored.
    pub initial_secret: SecretText,
    /// Who guards the overriding of payouts; without it there is no such route.
    #[serde(default)]
    pub guard: Option<Guard>,
    /// When the program stops by itself.
    #[serde(default)]
    pub lifetime: Lifetime,
}

/// What the handlers share.
#[derive(Debug)]
struct App {
    payments: Payments,
    keys: KeyStore,
    metrics: Metrics,
    client: reqwest::Client,
    links_url: reqwest::Url,
}

#[derive(Debug, Clone)]
struct Shared {
    app: Arc<App>,
    hook: Arc<Receiver>,
}

impl FromRef<Shared> for Arc<App> {
    fn from_ref(shared: &Shared) -> Self {
        Self::clone(&shared.app)
    }
}

impl FromRef<Shared> for Arc<Receiver> {
    fn from_ref(shared: &Shared) -> Self {
        Self::clone(&shared.hook)
    }
}

/// Opens the databases and listens, without serving yet.
///
/// # Errors
///
/// Any [`Error`]: an address that is not loopback, a folder or a port that cannot be used, a database in use
/// elsewhere.
pub async fn bind(config: Config) -> Result<Bound, Error> {
    let links_url = outgoing::loopback_url(&config.provider_url)
        .and_then(|url| url.join("/v1/payment_links").ok())
        .ok_or_else(|| Error::Config(format!("`{}` is not a loopback http address", config.provider_url)))?;
    let folder = database::prepare_folder(&config.data_dir)
        .map_err(Error::unusable(format!("folder `{}`", config.data_dir.display())))?;
    let keys = KeyStore::open(&folder.join("keys.db"), Role::Receiver, config.initial_secret)?;
    let payments = Payments::open(&folder.join("payments.db"))?;
    let client = outgoing::client(PROVIDER_PATIENCE)?;
    let guard = config.guard.as_ref().map(payouts::guard).transpose()?;
    let hook = Arc::new(Receiver { key: config.hook_key, store: keys.clone() });
    let app = Arc::new(App { payments, keys, metrics: Metrics::default(), client, links_url });
    Bound::new(config.listen, router(Shared { app, hook }, guard), JoinSet::new()).await
}

/// Runs the application until its lifetime ends; prints `{"listening":"127.0.0.1:PORT"}` once it is ready.
///
/// # Errors
///
/// As [`bind`], and when standard output or the socket fails.
pub async fn run(config: Config) -> Result<(), Error> {
    let lifetime = config.lifetime;
    bind(config).await?.run(lifetime).await
}

fn router(shared: Shared, guard: Option<GuardLayer>) -> Router {
    // Only behind its guard: there is no way to configure the route without one.
    let guarded =
        guard.map(|guard| Router::new().route("/payouts/override", post(payouts::override_one)).layer(guard));
    guarded
        .unwrap_or_default()
        .route("/payouts/{payout}", get(payouts::show))
        .route("/payment_links", post(links::create))
        .route("/payment_links/{id}", get(links::show))
        .route("/webhooks/stripe", post(webhooks::receive))
        .route("/hooks/countersign", post(hook::receive))
        .route("/keys", get(hook::list_keys))
        .route("/metrics", get(metrics::show))
        .route("/healthz", get(async || Json(serde_json::json!({ "status": "ok" }))))
        .with_state(shared)
}
