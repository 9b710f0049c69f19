//! What NudgePay and the payment provider say. They are not Countersign, so their word counts when the story is judged.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Client, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Deliveries asked for at once.
const PAGE: usize = 10_000;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// One webhook the provider sent, and what came back.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Delivery {
    /// When it was sent, milliseconds since 1970.
    pub(super) sent_at_ms: i64,
    /// The receiver's HTTP status; none without an answer.
    pub(super) status: Option<u16>,
}

impl Delivery {
    pub(super) fn is_accepted(&self) -> bool {
        self.status == Some(200)
    }
}

/// How many deliveries were looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen(u64);

/// What a receiver answered to a webhook of choice.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    pub(super) status: Option<u16>,
    pub(super) code: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    deliveries: Vec<Delivery>,
    next: u64,
    forgotten: u64,
}

#[derive(Deserialize)]
struct Keys {
    versions: BTreeSet<u32>,
}

/// Asks the provider and the applications.
#[derive(Debug)]
pub(super) struct Witness {
    client: Client,
    provider: String,
    /// Base links of the applications.
    applications: Vec<String>,
}

impl Witness {
    pub(super) fn new(provider: String, applications: Vec<String>) -> anyhow::Result<Self> {
        // Whoever came first chose a provider already; then that one is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().context("an HTTP client")?;
        Ok(Self { client, provider, applications })
    }

    /// Has the provider send webhooks to every application.
    pub(super) async fn register(&self) -> anyhow::Result<()> {
        for application in &self.applications {
            let endpoint = json!({ "url": endpoint(application) });
            self.post::<Value>("/v1/webhook_endpoints", &endpoint).await?;
        }
        Ok(())
    }

    /// Every genuine webhook so far whose answer is known.
    pub(super) async fn deliveries(&self) -> anyhow::Result<Vec<Delivery>> {
        let (mut all, mut seen) = (Vec::new(), Seen::default());
        while let Some(deliveries) = self.more_deliveries(&mut seen).await? {
            all.extend(deliveries);
        }
        Ok(all)
    }

    /// The genuine webhooks that were answered since; none if there are no more yet.
    pub(super) async fn more_deliveries(&self, seen: &mut Seen) -> anyhow::Result<Option<Vec<Delivery>>> {
        let Seen(after) = *seen;
        let page: Page =
            self.get(&format!("{}/deliveries?after={after}&limit={PAGE}", self.provider)).await?;
        if page.forgotten > after {
            bail!("the provider has forgotten its deliveries up to number {}", page.forgotten);
        }
        *seen = Seen(page.next);
        Ok(Some(page.deliveries).filter(|deliveries| !deliveries.is_empty()))
    }

    /// Has the provider sign one webhook with a version of choice, for each application; their answers.
    pub(super) async fn send_with(&self, key_version: u32) -> anyhow::Result<Vec<Answer>> {
        let mut answers = Vec::with_capacity(self.applications.len());
        for application in &self.applications {
            let order = json!({ "endpoint": endpoint(application), "key_version": key_version });
            answers.push(self.post("/v1/send_with", &order).await?);
        }
        Ok(answers)
    }

    /// The versions each application accepts.
    pub(super) async fn accepted_versions(&self) -> anyhow::Result<Vec<BTreeSet<u32>>> {
        let mut versions = Vec::with_capacity(self.applications.len());
        for application in &self.applications {
            versions.push(self.get::<Keys>(&format!("{application}/keys")).await?.versions);
        }
        Ok(versions)
    }

    async fn get<T: DeserializeOwned>(&self, url: &str) -> anyhow::Result<T> {
        let response = self.client.get(url).send().await.with_context(|| format!("asking `{url}`"))?;
        read(url, response).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> anyhow::Result<T> {
        let url = format!("{}{path}", self.provider);
        let response = self.client.post(&url).json(body).send().await;
        read(&url, response.with_context(|| format!("asking `{url}`"))?).await
    }
}

async fn read<T: DeserializeOwned>(url: &str, response: Response) -> anyhow::Result<T> {
    let status = response.status();
    let text = response.text().await.with_context(|| format!("reading the answer of `{url}`"))?;
    if !status.is_success() {
        bail!("`{url}` answered {status}: {text}");
    }
    serde_json::from_str(&text).with_context(|| format!("`{url}` answered `{text}`"))
}

/// Where an application takes the provider's webhooks.
fn endpoint(application: &str) -> String {
    format!("{application}/webhooks/stripe")
}
