//! An HTTP endpoint that takes CloudEvents in batches. A batch has arrived when the endpoint says so with 2xx; silence, 429 and 5xx
//! mean trying again, anything else means that trying again would not help.
//!
//! What is sent may hold names and reasons, so it goes over `https`, or to this machine; redirects are not followed.

use std::fmt;
use std::time::Duration;

use anyhow::Context as _;
use countersign_server::clock::{Clock as _, SystemClock};
use countersign_server::config::is_loopback;
use countersign_server::runner::HookKey;
use countersign_server::secrets::{SecretRef, SecretValue};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};

use super::sink::{Batch, Sink};
use crate::failure::{Failure, Kind};

/// CloudEvents 1.0, HTTP protocol binding, section 3.3: batched content mode.
const BATCH: &str = "application/cloudevents-batch+json; charset=utf-8";

/// The most events of one request.
const MOST: usize = 100;

/// How long connecting, and one attempt, may take.
const CONNECT: Duration = Duration::from_secs(5);
const ATTEMPT: Duration = Duration::from_secs(30);

/// The longest wait an endpoint can ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(300);

/// How much of a refusal is repeated, characters.
const QUOTED: usize = 300;

/// How long an endpoint is given to come back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Attempts for one batch; none for as many as it takes.
    pub(crate) attempts: Option<u32>,
    /// The first wait; each further one is twice as long.
    pub(crate) first: Duration,
    /// The longest wait.
    pub(crate) longest: Duration,
}

/// How an export shows who it is.
#[derive(Debug, Default)]
pub(crate) struct Proof {
    pub(crate) bearer: Option<SecretValue>,
    /// Signs as Standard Webhooks does.
    pub(crate) signing_key: Option<HookKey>,
}

impl Proof {
    /// Reads the secrets that the references name.
    pub(crate) fn of(bearer: Option<&str>, signing_key: Option<&str>) -> anyhow::Result<Self> {
        let secret = |name: &str, reference: Option<&str>| {
            let value = reference.map(|text| SecretRef::parse(text).and_then(|found| found.resolve()));
            value.transpose().map_err(|error| Failure::new(Kind::Malformed, format!("`{name}`: {error}")))
        };
        let key = secret("--signing-key", signing_key)?.map(|value| {
            let form =
                || Failure::new(Kind::Malformed, format!("`--signing-key`: it is not {}", HookKey::FORM));
            HookKey::parse(&value).ok_or_else(form)
        });
        Ok(Self { bearer: secret("--bearer", bearer)?, signing_key: key.transpose()? })
    }
}

/// The endpoint.
pub(crate) struct Endpoint {
    http: Client,
    url: Url,
    proof: Proof,
    patience: Patience,
    clock: SystemClock,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

/// An attempt that did not succeed.
struct Failed {
    why: String,
    /// Whether another one could, and when at the earliest.
    again: Option<Duration>,
}

impl Endpoint {
    pub(crate) fn new(url: Url, proof: Proof, patience: Patience) -> anyhow::Result<Self> {
        // The process may have chosen a provider already; then that one is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut builder =
            Client::builder().redirect(redirect::Policy::none()).connect_timeout(CONNECT).timeout(ATTEMPT);
        if is_loopback(&url) {
            builder = builder.no_proxy();
        }
        let http = builder.build().context("preparing to send")?;
        Ok(Self { http, url, proof, patience, clock: SystemClock::new() })
    }

    async fn attempt(&self, id: &str, body: &str) -> Result<(), Failed> {
        let headers = self.headers(id, body).map_err(|why| Failed { why, again: None })?;
        let sent = self.http.post(self.url.clone()).headers(headers).body(body.to_owned()).send().await;
        let answer = sent.map_err(|error| {
            // Without the address, which may hold a token.
            Failed {
                why: format!("does not answer: {:#}", anyhow::Error::new(error.without_url())),
                again: Some(Duration::ZERO),
            }
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let later = matches!(status.as_u16(), 408 | 425 | 429) || status.is_server_error();
        let again = later.then(|| retry_after(answer.headers()));
        Err(Failed { why: format!("answers {status}{}", quote(answer, status).await), again })
    }

    fn headers(&self, id: &str, body: &str) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(BATCH));
        if let Some(bearer) = &self.proof.bearer {
            let value = HeaderValue::from_str(&format!("Bearer {}", bearer.expose()));
            let mut value =
                value.map_err(|_| "cannot be sent the bearer token: it does not fit into a header")?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        if let Some(key) = &self.proof.signing_key {
            let now = self.clock.now().map_err(|error| format!("is not signed for: {error}"))?;
            let seconds = (now.as_millis() / 1_000).to_string();
            let signature = key.sign((id, &seconds), body.as_bytes());
            for (name, value) in
                [("webhook-id", id), ("webhook-timestamp", &seconds), ("webhook-signature", &signature)]
            {
                let value = HeaderValue::from_str(value)
                    .map_err(|_| "cannot be sent the log's origin in a header")?;
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        Ok(headers)
    }

    fn failure(&self, kind: Kind, why: &str) -> Failure {
        // The path says which endpoint, the query may hold a token.
        let mut shown = self.url.clone();
        shown.set_query(None);
        Failure::new(kind, format!("`{shown}` {why}"))
    }
}

impl Sink for Endpoint {
    fn begin(&mut self, _: String) -> anyhow::Result<()> {
        Ok(())
    }

    async fn deliver(&mut self, batch: &Batch<'_>) -> anyhow::Result<()> {
        let body = format!("[{}]", batch.items.join(","));
        let Patience { attempts, first, longest } = self.patience;
        let (mut wait, mut made) = (first, 0_u32);
        loop {
            let Err(Failed { why, again }) = self.attempt(batch.id, &body).await else { return Ok(()) };
            made = made.saturating_add(1);
            let Some(asked) = again else {
                let hint =
                    "nothing after that was sent; make the endpoint take it and start the export again";
                return Err(self.failure(Kind::Refused, &why).hint(hint).into());
            };
            if attempts.is_some_and(|most| made >= most) {
                let why = format!("{why}, {made} times");
                return Err(self
                    .failure(Kind::Unavailable, &why)
                    .hint("start the export again: it goes on here")
                    .into());
            }
            tokio::time::sleep(wait.max(asked.min(LONGEST_ASKED))).await;
            wait = wait.saturating_mul(2).min(longest);
        }
    }

    fn most(&self) -> usize {
        MOST
    }
}

/// An absolute link that entries may travel to.
pub(crate) fn endpoint(text: &str) -> anyhow::Result<Url> {
    let wrong = |why: String| Failure::new(Kind::Malformed, format!("`--to`: {why}"));
    let url = Url::parse(text).map_err(|error| wrong(format!("it is not a link: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("the link holds a user name; name a token with `--bearer`".into()).into());
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        _ => {
            Err(wrong("entries would travel in clear: use https, http is for this machine only".into())
                .into())
        }
    }
}

/// RFC 9110, section 10.2.3, in seconds; a date is left to our own waiting.
fn retry_after(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Duration::from_secs(seconds.unwrap_or_default())
}

/// The beginning of what a refusing endpoint says, for those who have to find out why.
async fn quote(mut answer: Response, status: StatusCode) -> String {
    let mut said = Vec::new();
    if status.is_client_error() {
        while let Ok(Some(chunk)) = answer.chunk().await {
            said.extend(chunk);
            if said.len() >= QUOTED {
                break;
            }
        }
    }
    let said: String = String::from_utf8_lossy(&said).trim().chars().take(QUOTED).collect();
    if said.is_empty() { said } else { format!(": {said}") }
}
