//! How the runner calls out: one HTTP client with a bound on everything.

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use countersign_core::rotation::{Failure, FailureCode};
use reqwest::{Client, Response, Url};

use super::Outside;
use crate::config::Endpoint;
use crate::outgoing;

/// The most that is read of any answer, bytes.
const MAX_ANSWER: usize = 16 * 1024;

/// Why there can be no runner.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The HTTP client could not be built.
    #[error(
        "endpoints: no HTTP client: {0}; https endpoints need the machine's certificate authorities (`ca-certificates`)"
    )]
    Client(String),
}

/// A request about to be sent.
pub(super) struct Call {
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// An answer whose body has not been read.
pub(super) struct Answer(Response);

/// The client.
#[derive(Debug)]
pub(super) struct Calls(Client);

impl Calls {
    pub(super) fn new<'a>(outside: &'a Outside) -> Result<Self, RunnerError> {
        let urls = |endpoint: &'a Endpoint| [Some(&endpoint.hook_url), endpoint.probe_url.as_ref()];
        let urls = outside.endpoints.values().flat_map(urls).flatten();
        outgoing::client(urls, outside.patience).map(Self).map_err(RunnerError::Client)
    }

    /// Sends a request. The failure never quotes what was sent.
    pub(super) async fn post(&self, call: Call) -> Result<Answer, Failure> {
        let Call { url, headers, body } = call;
        let sent = self.0.post(url).headers(headers).body(body).send().await;
        sent.map(Answer).map_err(|error| {
            // Without the address: it may carry a token.
            tracing::debug!(error = %error.without_url(), "no answer");
            Failure { code: FailureCode::Unreachable, status: None }
        })
    }
}

impl Answer {
    pub(super) fn status(&self) -> StatusCode {
        self.0.status()
    }

    /// The first 16 KiB of the body; what does not arrive is not there.
    pub(super) async fn body(self) -> Vec<u8> {
        outgoing::beginning(self.0, MAX_ANSWER).await
    }
}
