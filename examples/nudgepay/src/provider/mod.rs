//! The payment provider, simulated: a Stripe-like API, signed webhooks, several signing workers, failures on
//! demand.
//!
//! It stands for a system that is not ours, so its rules are its own: it obeys only `secret.promote`, and its
//! workers pick up a new key one after the other. Its keys are durable; links, endpoints and the delivery log
//! are in memory.

mod account;
mod api;
mod deliveries;
mod disturbance;
mod flow;
mod lag;
mod sender;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::FromRef,
    middleware,
    routing::{get, post},
};
use serde::Deserialize;

use crate::{
    Error, Lifetime, SecretText, database,
    hook::{self, KeyStore, Receiver, Role},
    outgoing,
    serve::Bound,
    standard_webhooks::HookKey,
};
use account::Account;
use deliveries::Deliveries;
use disturbance::Disturbance;

/// How long the provider waits for a receiver's answer.
const RECEIVER_PATIENCE: Duration = Duration::from_secs(5);

/// What the provider needs to know; also the form of its configuration file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to listen; a loopback address, port 0 for any free one.
    pub listen: SocketAddr,
    /// Folder of the key database; created when missing, used by one process at a time.
    pub data_dir: PathBuf,
    /// The key that Countersign signs the rotation hook with.
    pub hook_key: HookKey,
    /// The webhook secret that signs as version 1, used only when no version was ever stored.
    pub initial_secret: SecretText,
    /// Genuine webhooks sent per second, all endpoints together; 0 to 1000, 0 for none.
    #[serde(default = "defaults::rate_per_second")]
    pub rate_per_second: u32,
    /// After how many seconds the webhooks stop by themselves.
    #[serde(default = "defaults::run_for_seconds")]
    pub run_for_seconds: u64,
    /// Signing workers, 1 to 64.
    #[serde(default = "defaults::workers")]
    pub workers: u16,
    /// How many milliseconds after a promotion the last worker signs with the new key; the others are spread
    /// before it.
    #[serde(default = "defaults::switch_lag_ms")]
    pub switch_lag_ms: u64,
    /// When the program stops by itself.
    #[serde(default)]
    pub lifetime: Lifetime,
}

/// What a configuration file may leave out.
mod defaults {
    pub(super) fn rate_per_second() -> u32 {
        100
    }
    pub(super) fn run_for_seconds() -> u64 {
        30 * 60
    }
    pub(super) fn workers() -> u16 {
        4
    }
    pub(super) fn switch_lag_ms() -> u64 {
        300
    }
}

impl Config {
    /// A provider on any free port with the documented defaults: 100 webhooks per second for 30 minutes from
    /// 4 workers that have all switched 300 ms after a promotion.
    #[must_use]
    pub fn new(data_dir: PathBuf, hook_key: HookKey, initial_secret: SecretText) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir,
            hook_key,
            initial_secret,
            rate_per_second: defaults::rate_per_second(),
            run_for_seconds: defaults::run_for_seconds(),
            workers: defaults::workers(),
            switch_lag_ms: defaults::switch_lag_ms(),
            lifetime: Lifetime::default(),
        }
    }

    fn check(&self) -> Result<(), Error> {
        if self.rate_per_second > 1000 {
            return Err(Error::Config("`rate_per_second` is over 1000".to_owned()));
        }
        if !(1..=64).contains(&self.workers) {
            return Err(Error::Config("`workers` is not between 1 and 64".to_owned()));
        }
        Ok(())
    }
}

/// What the handlers and the workers share.
#[derive(Debug)]
struct Provider {
    account: Account,
    keys: KeyStore,
    deliveries: Deliveries,
    disturbance: Disturbance,
    client: reqwest::Client,
    workers: u16,
    switch_lag: Duration,
}

#[derive(Debug, Clone)]
struct Shared {
    provider: Arc<Provider>,
    hook: Arc<Receiver>,
}

impl FromRef<Shared> for Arc<Provider> {
    fn from_ref(shared: &Shared) -> Self {
        Self::clone(&shared.provider)
    }
}

impl FromRef<Shared> for Arc<Receiver> {
    fn from_ref(shared: &Shared) -> Self {
        Self::clone(&shared.hook)
    }
}

/// Opens the key database, starts the signing workers and listens, without serving yet.
///
/// # Errors
///
/// Any [`Error`]: a number out of range, an address that is not loopback, a folder, port or database that
/// cannot be used.
pub async fn bind(config: Config) -> Result<Bound, Error> {
    config.check()?;
    let folder = database::prepare_folder(&config.data_dir)
        .map_err(Error::unusable(format!("folder `{}`", config.data_dir.display())))?;
    let keys = KeyStore::open(&folder.join("keys.db"), Role::Signer, config.initial_secret)?;
    let hook = Arc::new(Receiver { key: config.hook_key, store: keys.clone() });
    let provider = Arc::new(Provider {
        account: Account::new()?,
        keys,
        deliveries: Deliveries::default(),
        disturbance: Disturbance::default(),
        client: outgoing::client(RECEIVER_PATIENCE)?,
        workers: config.workers,
        switch_lag: Duration::from_millis(config.switch_lag_ms),
    });
    let run_for = Duration::from_secs(config.run_for_seconds);
    let background = flow::start(&provider, config.rate_per_second, run_for);
    Bound::new(config.listen, router(Shared { provider, hook }), background).await
}

/// Runs the provider until its lifetime ends; prints `{"listening":"127.0.0.1:PORT"}` once it is ready.
///
/// # Errors
///
/// As [`bind`], and when standard output or the socket fails.
pub async fn run(config: Config) -> Result<(), Error> {
    let lifetime = config.lifetime;
    bind(config).await?.run(lifetime).await
}

fn router(shared: Shared) -> Router {
    // Only the API that applications use can be made to fail; what the demo steers and reads by always works.
    let disturbed = Router::new()
        .route("/v1/payment_links", post(api::create_link))
        .route("/v1/webhook_endpoints", post(api::register_endpoint))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared.provider), disturbance::disturb));
    Router::new()
        .merge(disturbed)
        .route("/v1/send_with", post(api::send_with))
        .route("/hooks/countersign", post(hook::receive))
        .route("/keys", get(hook::list_keys))
        .route("/workers", get(api::list_workers))
        .route("/deliveries", get(deliveries::list))
        .route("/control", post(disturbance::control))
        .route("/healthz", get(async || Json(serde_json::json!({ "status": "ok" }))))
        .with_state(shared)
}
