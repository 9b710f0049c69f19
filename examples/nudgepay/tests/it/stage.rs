//! Starting the two programs inside the test, and calling them as Countersign and the provider do.
//!
//! Keys and versions have fixed texts, so that a test can sign anything as anyone.

use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use nudgepay::{
    MacKey, SecretText, app, provider,
    serve::Bound,
    standard_webhooks::{self, HookKey, Received},
    stripe,
};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{sync::oneshot, task::JoinHandle};

/// No condition in these tests takes longer than this to come true.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The hook key of every program on the stage; the one of the Standard Webhooks vector.
pub(crate) const HOOK_KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A status and the JSON that came with it.
pub(crate) type Answer = (u16, Value);

/// A running program.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<(), nudgepay::Error>>,
}

pub(crate) fn secret(version: u32) -> SecretText {
    SecretText::new(format!("whsec_version_number_{version}")).unwrap()
}

pub(crate) fn hook_key() -> HookKey {
    HookKey::parse(HOOK_KEY).unwrap()
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub(crate) fn app_config(folder: &Path, provider_url: String) -> app::Config {
    app::Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        data_dir: folder.join("app"),
        provider_url,
        hook_key: hook_key(),
        initial_secret: secret(1),
        guard: None,
        lifetime: nudgepay::Lifetime::UntilSignal,
    }
}

/// An application without a provider to talk to.
pub(crate) async fn start_app(folder: &TempDir) -> Running {
    start_app_with(folder.path(), "http://127.0.0.1:9".to_owned()).await
}

pub(crate) async fn start_app_with(folder: &Path, provider_url: String) -> Running {
    Running::start(app::bind(app_config(folder, provider_url)).await.unwrap())
}

/// A provider that sends nothing by itself unless the configuration is changed.
pub(crate) fn provider_config(folder: &TempDir) -> provider::Config {
    let config = provider::Config::new(folder.path().join("provider"), hook_key(), secret(1));
    provider::Config { rate_per_second: 0, run_for_seconds: 60, ..config }
}

pub(crate) async fn start_provider(config: provider::Config) -> Running {
    Running::start(provider::bind(config).await.unwrap())
}

impl Running {
    pub(crate) fn start(bound: Bound) -> Self {
        let address = bound.address();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(bound.serve(async move {
            let _ = stopped.await;
        }));
        Self { address, client: client(), stop, served }
    }

    /// Stops it and waits until its databases are closed.
    pub(crate) async fn stop(self) {
        let Self { client, stop, served, .. } = self;
        drop(client);
        stop.send(()).unwrap();
        served.await.unwrap().unwrap();
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.client.get(self.url(path))).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        answer(self.client.post(self.url(path)).json(&body)).await
    }

    /// Sends a webhook signed with `version`, as of now.
    pub(crate) async fn webhook(&self, version: u32, body: &str) -> Answer {
        let key = MacKey::new(secret(version).reveal().as_bytes());
        self.webhook_with(&stripe::sign(&key, now(), body.as_bytes()), body).await
    }

    pub(crate) async fn webhook_with(&self, header: &str, body: &str) -> Answer {
        let request = self.client.post(self.url("/webhooks/stripe")).header(stripe::HEADER, header);
        answer(request.body(body.to_owned())).await
    }

    /// Gives a correctly signed order.
    pub(crate) async fn order(&self, order: &Value) -> Answer {
        let id = order["effect"].as_str().unwrap_or("none");
        let body = order.to_string();
        // The clock is read once: the time that is signed is the time that is sent.
        let seconds = now();
        let signature = standard_webhooks::sign(&hook_key(), id, seconds, body.as_bytes());
        self.order_with(Received { id, timestamp: &seconds.to_string(), signature: &signature }, body).await
    }

    /// Sends an order under exactly these headers.
    pub(crate) async fn order_with(&self, headers: Received<'_>, body: String) -> Answer {
        let mut request = self.client.post(self.url("/hooks/countersign"));
        let values = [headers.id, headers.timestamp, headers.signature];
        for (name, value) in standard_webhooks::HEADERS.into_iter().zip(values) {
            request = request.header(name, value);
        }
        answer(request.body(body)).await
    }

    pub(crate) async fn versions(&self) -> Value {
        self.get("/keys").await.1["versions"].clone()
    }

    /// The value of one series of `/metrics`, 0 when it does not exist yet.
    pub(crate) async fn metric(&self, series: &str) -> u64 {
        let text = self.client.get(self.url("/metrics")).send().await.unwrap().text().await.unwrap();
        let found = text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        found.unwrap_or(0)
    }
}

/// A client whose calls do not read the environment's proxies.
fn client() -> Client {
    // Two tests may race here; it is enough that one of them wins.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().timeout(PATIENCE).build().unwrap()
}

pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
}

/// The body of a paid event.
pub(crate) fn paid(event: &str, link: &str) -> String {
    json!({ "id": event, "type": "payment_link.paid", "created": now(), "data": { "object": { "id": link } } })
        .to_string()
}

/// An order of rotation `rot_1`, with the version's fixed value where one belongs.
pub(crate) fn order(kind: &str, effect: &str, version: u32, fence: u64) -> Value {
    let mut order = json!({
        "type": kind, "effect": effect, "fence": fence, "secret": nudgepay::SECRET,
        "environment": nudgepay::ENVIRONMENT, "rotation": "rot_1", "version": version
    });
    if kind != "secret.drop" {
        order["value"] = json!(secret(version).reveal());
    }
    order
}

/// The code of a refusal.
#[track_caller]
pub(crate) fn refused(answer: &Answer) -> (u16, &str) {
    (answer.0, answer.1["error"]["code"].as_str().unwrap_or("no code"))
}
