//! One call: the request is sent, repeated where that is safe, and its answer read up to a limit.
//!
//! A call keeps one `Idempotency-Key` over all its attempts, so that a lost answer does not turn into a second effect. Where a key is to be proved,
//! each attempt has a proof of its own.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use countersign_api::oauth::TokenError;
use countersign_api::problem::Problem;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, redirect};

use crate::possession::Prover;
use crate::{ClientError, Credential, ProofKey};

/// The largest answer that is read, bytes: a full page of the largest entries fits.
pub const MAX_ANSWER: usize = 64 << 20;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a connection is kept for the next request: a node ends it after half a minute.
const IDLE: Duration = Duration::from_secs(20);

/// How long one attempt may take, answer included.
const ATTEMPT: Duration = Duration::from_secs(30);

/// How long one connection of a watch may last; the next one goes on where it ended.
const WATCH: Duration = Duration::from_secs(24 * 3_600);

/// How often an attempt is made and how long the client waits in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Attempts in all; at least one is made.
    pub attempts: u32,
    /// The first wait; each further one is twice as long.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Default for Patience {
    /// Five attempts within about three seconds: a restart of the server is survived, a real outage reported soon.
    fn default() -> Self {
        Self { attempts: 5, first: Duration::from_millis(200), longest: Duration::from_secs(2) }
    }
}

/// A request before it is sent.
#[derive(Debug)]
pub(crate) struct Call {
    method: Method,
    url: Url,
    body: Option<Vec<u8>>,
    key: Option<String>,
    kind: Kind,
}

/// What a body is, and whether its call may be made again when nobody knows what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// JSON: it reads, or carries a key.
    Repeatable,
    /// A form, which carries none.
    Once,
}

impl Kind {
    fn media_type(self) -> &'static str {
        match self {
            Self::Repeatable => "application/json",
            Self::Once => "application/x-www-form-urlencoded",
        }
    }
}

impl Call {
    /// Reads.
    pub(crate) fn get(url: Url) -> Self {
        Self { method: Method::GET, url, body: None, key: None, kind: Kind::Repeatable }
    }

    /// Sends a form, which spends what is in it.
    pub(crate) fn form<'a>(url: Url, parameters: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        // A link's query is written as a form is.
        let mut written = url.clone();
        written.query_pairs_mut().clear().extend_pairs(parameters);
        let body = Some(written.query().unwrap_or_default().as_bytes().to_vec());
        Self { method: Method::POST, url, body, key: None, kind: Kind::Once }
    }

    /// Wants something to happen, once.
    pub(crate) fn post(url: Url, body: Vec<u8>) -> Result<Self, ClientError> {
        let key = Some(draw_key()?);
        Ok(Self { method: Method::POST, url, body: Some(body), key, kind: Kind::Repeatable })
    }
}

/// The connection to one server.
#[derive(Clone)]
pub(crate) struct Transport {
    http: reqwest::Client,
    server: Url,
    patience: Patience,
    prover: Option<Arc<Prover>>,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The HTTP client would print its default headers, and the credential is one of them.
        f.debug_struct("Transport").field("server", &self.server.as_str()).finish_non_exhaustive()
    }
}

impl Transport {
    pub(crate) fn new(server: &str, credential: Option<&Credential>) -> Result<Self, ClientError> {
        Self::with(server, headers("Bearer", credential)?)
    }

    /// One whose token is bound to a key, or is to be.
    pub(crate) fn bound(
        server: &str,
        credential: Option<&Credential>,
        key: ProofKey,
    ) -> Result<Self, ClientError> {
        let prover = Some(Arc::new(Prover::new(key, credential)));
        Ok(Self { prover, ..Self::with(server, headers("DPoP", credential)?)? })
    }

    fn with(server: &str, headers: HeaderMap) -> Result<Self, ClientError> {
        let server = parse_server(server)?;
        // The process may have chosen a provider already; then that one is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut builder = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(ATTEMPT)
            .pool_idle_timeout(IDLE)
            .default_headers(headers);
        if is_loopback(&server) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| ClientError::Unusable(told(&error)))?;
        Ok(Self { http, server, patience: Patience::default(), prover: None })
    }

    pub(crate) fn set_patience(&mut self, patience: Patience) {
        self.patience = patience;
    }

    pub(crate) fn server(&self) -> &Url {
        &self.server
    }

    /// The address of a route; every segment is escaped, whatever it holds.
    pub(crate) fn url(&self, segments: &[&str], query: &[(&str, String)]) -> Url {
        let mut url = self.server.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Makes the call until there is an answer worth giving, or patience ends.
    pub(crate) async fn call(&self, call: &Call) -> Result<Vec<u8>, ClientError> {
        let mut wait = self.patience.first;
        for _ in 1..self.patience.attempts {
            match self.attempt(call).await {
                Err(Failed { again: true, .. }) => tokio::time::sleep(wait).await,
                Err(Failed { error, .. }) => return Err(error),
                Ok(body) => return Ok(body),
            }
            wait = wait.saturating_mul(2).min(self.patience.longest);
        }
        self.attempt(call).await.map_err(|failed| failed.error)
    }

    /// Begins an answer that does not end by itself: events after the last one that was seen.
    pub(crate) async fn open(&self, url: Url, last: Option<u64>) -> Result<Response, ClientError> {
        let begin = async || {
            let mut request = self.request(&Method::GET, &url)?.timeout(WATCH);
            if let Some(last) = last {
                request = request.header("last-event-id", last.to_string());
            }
            let answer = request.send().await.map_err(|error| self.unreachable(error).error)?;
            self.note(&answer);
            let status = answer.status();
            if status.is_success() {
                return Ok(answer);
            }
            let body = self.read(answer).await.map_err(|failed| failed.error)?;
            Err(match serde_json::from_slice::<Problem>(&body) {
                Ok(problem) => ClientError::Problem(Box::new(problem)),
                Err(_) => self.unexpected(Some(status), format!("{status} without a problem document")),
            })
        };
        match begin().await {
            Err(error) if self.lacked_nonce(&error) => begin().await,
            begun => begun,
        }
    }

    /// A request, with a fresh proof where one is needed.
    fn request(&self, method: &Method, url: &Url) -> Result<RequestBuilder, ClientError> {
        let request = self.http.request(method.clone(), url.clone());
        match &self.prover {
            Some(prover) => Ok(request.header("dpop", prover.proof(method.as_str(), url)?)),
            None => Ok(request),
        }
    }

    /// What the next proof names (RFC 9449, section 8.2).
    fn note(&self, answer: &Response) {
        let nonce = answer.headers().get("dpop-nonce").and_then(|nonce| nonce.to_str().ok());
        if let (Some(prover), Some(nonce)) = (&self.prover, nonce) {
            prover.told(nonce);
        }
    }

    /// Whether all that was wrong is that the proof did not name what the server has told by now. Nothing was done, so the same may be sent again,
    /// once.
    fn lacked_nonce(&self, error: &ClientError) -> bool {
        self.prover.is_some() && error.code() == Some("use_dpop_nonce")
    }

    async fn attempt(&self, call: &Call) -> Result<Vec<u8>, Failed> {
        match self.send(call).await {
            Err(failed) if self.lacked_nonce(&failed.error) => self.send(call).await,
            sent => sent,
        }
    }

    async fn send(&self, call: &Call) -> Result<Vec<u8>, Failed> {
        let request = self.request(&call.method, &call.url);
        let mut request = request.map_err(|error| Failed { error, again: false })?;
        if let Some(key) = &call.key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = &call.body {
            request = request.header("content-type", call.kind.media_type()).body(body.clone());
        }
        let answer = request.send().await.map_err(|error| {
            // What did not arrive did nothing.
            let again = call.kind == Kind::Repeatable || error.is_connect();
            Failed { again, ..self.unreachable(error) }
        })?;
        self.note(&answer);
        let status = answer.status();
        let read = self.read(answer).await;
        let body =
            read.map_err(|failed| Failed { again: failed.again && call.kind == Kind::Repeatable, ..failed })?;
        if status.is_success() {
            return Ok(body);
        }
        let error = match problem(&body, status) {
            Some(problem) => ClientError::Problem(Box::new(problem)),
            None => self.unexpected(Some(status), format!("{status} without a problem document")),
        };
        // A server that says 503 also says that nothing was changed, unless it says that it does not know.
        let knows = error.code() != Some("outcome_unknown");
        let again = status == StatusCode::SERVICE_UNAVAILABLE && (knows || call.kind == Kind::Repeatable);
        Err(Failed { error, again })
    }

    async fn read(&self, mut answer: Response) -> Result<Vec<u8>, Failed> {
        let status = answer.status();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.unreachable(error))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                let what = format!("more than {MAX_ANSWER} bytes");
                return Err(Failed { error: self.unexpected(Some(status), what), again: false });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Always worth another attempt: the call reads, or its key makes repetition harmless.
    fn unreachable(&self, error: reqwest::Error) -> Failed {
        // Without its address, which the message names already.
        let cause = Box::new(error.without_url());
        Failed { error: ClientError::Unreachable { server: self.server.to_string(), cause }, again: true }
    }

    pub(crate) fn unexpected(&self, status: Option<StatusCode>, what: String) -> ClientError {
        let status = status.map(|status| status.as_u16());
        ClientError::Unexpected { server: self.server.to_string(), status, what }
    }
}

/// What the server says is wrong, in its own words or in those of OAuth, which has its own.
fn problem(body: &[u8], status: StatusCode) -> Option<Problem> {
    if let Ok(problem) = serde_json::from_slice(body) {
        return Some(problem);
    }
    let TokenError { error_description: detail, code, hint, .. } = serde_json::from_slice(body).ok()?;
    // OAuth has one status for what cannot be read and for what is refused.
    let is_unread = matches!(code.as_str(), "malformed" | "grant_not_supported" | "parameter_not_taken");
    let status = if status == StatusCode::BAD_REQUEST && !is_unread { StatusCode::FORBIDDEN } else { status };
    Some(Problem {
        kind: format!("urn:countersign:problem:{code}"),
        title: status.canonical_reason().unwrap_or("Error").to_owned(),
        status: status.as_u16(),
        detail,
        code,
        hint,
        missing: Vec::new(),
        rules: Vec::new(),
        could: Vec::new(),
        request: None,
        request_id: None,
    })
}

/// An attempt without an answer, and whether another one could help.
struct Failed {
    error: ClientError,
    again: bool,
}

fn headers(scheme: &str, credential: Option<&Credential>) -> Result<HeaderMap, ClientError> {
    let mut headers = HeaderMap::new();
    if let Some(credential) = credential {
        let shown = format!("{scheme} {}", credential.expose());
        let mut value = HeaderValue::from_str(&shown)
            .map_err(|_| ClientError::Unusable("the credential does not fit into a header".into()))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

/// A server that a credential may travel to: `https`, or `http` to this machine.
fn parse_server(text: &str) -> Result<Url, ClientError> {
    let wrong = |why: &str| ClientError::Unusable(format!("the server `{}` {why}", text.escape_debug()));
    let url = Url::parse(text).map_err(|error| wrong(&format!("is not a link: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        // Not repeated: it holds a password.
        return Err(ClientError::Unusable(
            "the server's link holds a user name; credentials go elsewhere".into(),
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("has a query or a fragment"));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(wrong("would be sent credentials in clear: use https, http is for this machine only")),
        _ => Err(wrong("is neither https nor http")),
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// 128 random bits: enough that no two calls of anybody ever share a key.
fn draw_key() -> Result<String, ClientError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| ClientError::Unusable(format!("no randomness: {error}")))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

/// An error with all its causes, for those that have no better place.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(&format!(": {next}"));
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(server: &str) -> String {
        parse_server(server).map_or_else(|error| error.to_string(), |_| "none".into())
    }

    #[test]
    fn credentials_do_not_travel_in_clear() {
        for fine in ["https://a.example", "http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1/api/"] {
            assert_eq!(complaint(fine), "none", "{fine}");
        }
        assert!(complaint("http://a.example").contains("use https"));
        assert!(complaint("ftp://a.example").contains("neither https nor http"));
        assert!(complaint("a.example").contains("is not a link"));
        assert!(complaint("https://a.example/?x=1").contains("has a query"));
        assert!(!complaint("https://ana:hunter2@a.example").contains("hunter2"));
    }

    #[test]
    fn whatever_is_put_into_a_path_stays_one_segment() {
        let transport = Transport::new("http://localhost:1/base/", None).unwrap();
        let url = transport.url(&["admin", "approvals", "../../x?y#z"], &[("status", "a&b".into())]);
        assert_eq!(url.as_str(), "http://localhost:1/base/admin/approvals/..%2F..%2Fx%3Fy%23z?status=a%26b");
    }

    #[test]
    fn a_transport_shows_no_credential() {
        let credential = Credential::draw().unwrap();
        let transport = Transport::new("http://localhost:1", Some(&credential)).unwrap();
        assert!(!format!("{transport:?}").contains(credential.expose()));
    }
}
