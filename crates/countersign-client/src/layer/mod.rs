//! A tower layer that lets a request reach an application only under a permit for exactly what the request would do.
//!
//! The application says which action and which parameters a request stands for; the caller names the approval in the header
//! [`APPROVAL`] and, during a freeze, the exceptions from it in [`EXCEPTION`]. The layer reserves and starts a permit with the application's own credential, runs the handler and reports by the
//! status of its answer. Whatever prevents that keeps the handler from running: without the node nothing passes.
//!
//! While the handler runs the layer gives the signs of life that the rules ask for. It never reports a success that it did not see. Where the handler panics, or its answer is dropped because the caller went away,
//! nobody reports, and the permit becomes *unknown* at its deadline.
//!
//! # Layout
//! - `answer`: what a caller is told instead of the handler's answer

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use countersign_api::permit::{FinishPermit, Outcome, Permit, ReservePermit};
use countersign_api::{Action, Reason};
use tower::{Layer, Service};

use crate::{Client, ClientError, Patience};

mod answer;

/// The header in which the caller names the approval that the request is to use: `apr_…`.
pub const APPROVAL: HeaderName = HeaderName::from_static("countersign-approval");

/// The header in which the caller names exceptions from the freezes that hold what the request would do: `apr_…`, each in a header of its own
/// or several with commas between them.
pub const EXCEPTION: HeaderName = HeaderName::from_static("countersign-exception");

/// The header of an answer that names the permit under which the handler ran: `prm_…`.
pub const PERMIT: HeaderName = HeaderName::from_static("countersign-permit");

/// The header of an answer whose outcome could not be reported in time; its value is `unreported`.
pub const OUTCOME: HeaderName = HeaderName::from_static("countersign-outcome");

/// The largest body that is taken in unless told otherwise, bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// How long the caller waits for the report; afterwards it is tried on without them.
const REPORTING: Duration = Duration::from_secs(5);

/// A report is worth more attempts than another call: without it the outcome is unknown.
const PERSISTENT: Patience =
    Patience { attempts: 12, first: Duration::from_millis(200), longest: Duration::from_secs(5) };

/// What a request would do: the action, and the parameters that must be the approved ones to the letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// What is to be done.
    pub action: Action,
    /// With which arguments: a JSON object without floats.
    pub parameters: serde_json::Value,
    /// Why, for those who read it later.
    pub reason: Option<String>,
}

/// The permit under which a request runs; the handler finds it among the request's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permitted(pub Permit);

/// What a request stands for, or the answer to a request that stands for nothing.
type Reading = dyn Fn(&Parts, &Bytes) -> Result<Deed, Box<Response>> + Send + Sync;

/// Guards the routes it is put around.
#[derive(Clone)]
pub struct GuardLayer {
    client: Client,
    reading: Arc<Reading>,
    max_body: usize,
}

impl fmt::Debug for GuardLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, max_body, .. } = self;
        f.debug_struct("GuardLayer")
            .field("client", client)
            .field("max_body", max_body)
            .finish_non_exhaustive()
    }
}

impl GuardLayer {
    /// A layer that acts with the client's credential. `reading` says what a request stands for; it is given the very bytes that the
    /// handler will get, and what it answers instead of a deed goes to the caller, without anything being asked of the node.
    pub fn new<R, E>(client: Client, reading: R) -> Self
    where
        R: Fn(&Parts, &Bytes) -> Result<Deed, E> + Send + Sync + 'static,
        E: IntoResponse,
    {
        let reading = move |parts: &Parts, body: &Bytes| {
            reading(parts, body).map_err(|error| Box::new(error.into_response()))
        };
        Self { client, reading: Arc::new(reading), max_body: MAX_BODY }
    }

    /// The same layer with another limit on bodies, bytes.
    #[must_use]
    pub fn with_max_body(self, max_body: usize) -> Self {
        Self { max_body, ..self }
    }

    /// The request with its body taken in, under a permit that was started for it.
    async fn admit(&self, request: Request) -> Result<(Request, Permit), Response> {
        let (mut parts, body) = request.into_parts();
        let approval = approval(&parts.headers).map_err(|Ambiguous| answer::ambiguous_approval())?;
        let exceptions = exceptions(&parts.headers).map_err(|Ambiguous| answer::ambiguous_exception())?;
        let body =
            to_bytes(body, self.max_body).await.map_err(|error| answer::unreadable(&error, self.max_body))?;
        let Deed { action, parameters, reason } = (self.reading)(&parts, &body).map_err(|answer| *answer)?;
        let reserve = ReservePermit { action, parameters, approval, exceptions, reason };
        let reserved = Reserved::by(&self.client, &reserve).await.map_err(answer::not_permitted)?;
        let permit = reserved.start().await.map_err(answer::not_permitted)?;
        parts.extensions.insert(Permitted(permit.clone()));
        Ok((Request::from_parts(parts, Body::from(body)), permit))
    }

    /// Reports how the handler ended, whether or not the caller is still there to hear of it.
    async fn report(&self, permit: &Permit, status: StatusCode) -> Reported {
        let Some(outcome) = outcome(status) else { return Reported::Not };
        let (client, id) = (self.client.clone().with_patience(PERSISTENT), permit.id.clone());
        let reason = Some(format!("the application answered {}", status.as_u16()));
        let finish = FinishPermit { outcome, reason, report: None };
        let reporting = tokio::spawn(async move { client.finish_permit(&id, &finish).await });
        match tokio::time::timeout(REPORTING, reporting).await {
            Ok(Ok(Ok(permit))) if permit.status != "unknown" => Reported::InTime,
            _ => Reported::Not,
        }
    }
}

/// A permit that was not started yet. It is given back if it never is, so that the approval can serve another attempt.
struct Reserved<'a> {
    client: &'a Client,
    /// None once it was started.
    id: Option<String>,
}

impl<'a> Reserved<'a> {
    async fn by(client: &'a Client, reserve: &ReservePermit) -> Result<Self, ClientError> {
        Ok(Self { client, id: Some(client.reserve_permit(reserve).await?.id) })
    }

    async fn start(mut self) -> Result<Permit, ClientError> {
        let permit =
            self.client.start_permit(self.id.as_deref().unwrap_or_default(), &Reason::default()).await?;
        self.id = None;
        Ok(permit)
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        let (Some(id), Ok(runtime)) = (self.id.take(), tokio::runtime::Handle::try_current()) else { return };
        let client = self.client.clone();
        // Nobody waits for it. The node refuses it if the permit was started after all; where it does not arrive, the permit lapses.
        runtime.spawn(async move { client.release_permit(&id, &Reason::default()).await });
    }
}

/// Whether the node has the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reported {
    InTime,
    Not,
}

/// What the status of an answer says about the deed; none where even the application does not know.
fn outcome(status: StatusCode) -> Option<Outcome> {
    match status {
        // Somebody further on was told and did not answer in time: it may have happened.
        StatusCode::GATEWAY_TIMEOUT => None,
        status if status.is_success() => Some(Outcome::Succeeded),
        _ => Some(Outcome::Failed),
    }
}

/// It cannot be said what the caller means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ambiguous;

/// The one approval the caller names, if any. Of two, either would be a guess.
fn approval(headers: &HeaderMap) -> Result<Option<String>, Ambiguous> {
    let mut values = headers.get_all(APPROVAL).iter();
    let Some(first) = values.next() else { return Ok(None) };
    match (first.to_str(), values.next()) {
        (Ok(id), None) => Ok(Some(id.to_owned())),
        _ => Err(Ambiguous),
    }
}

/// The exceptions the caller names, in order. Whether all of them are needed is for the node to say.
fn exceptions(headers: &HeaderMap) -> Result<Vec<String>, Ambiguous> {
    let mut exceptions = Vec::new();
    for value in headers.get_all(EXCEPTION) {
        for id in value.to_str().map_err(|_| Ambiguous)?.split(',').map(str::trim) {
            if id.is_empty() {
                return Err(Ambiguous);
            }
            exceptions.push(id.to_owned());
        }
    }
    Ok(exceptions)
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { guard: self.clone(), inner }
    }
}

/// A service behind the guard.
#[derive(Clone, Debug)]
pub struct Guarded<S> {
    guard: GuardLayer,
    inner: S,
}

impl<S> Service<Request> for Guarded<S>
where
    S: Service<Request, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The service that is ready is this one; the clone takes its place for the next request.
        let next = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, next);
        let guard = self.guard.clone();
        Box::pin(async move {
            let (request, permit) = match guard.admit(request).await {
                Ok(admitted) => admitted,
                Err(answer) => return Ok(answer),
            };
            let handling = ready.call(request);
            let mut response = guard.client.while_alive(&permit, handling).await?;
            let reported = guard.report(&permit, response.status()).await;
            label(response.headers_mut(), &permit, reported);
            Ok(response)
        })
    }
}

fn label(headers: &mut HeaderMap, permit: &Permit, reported: Reported) {
    if let Ok(id) = HeaderValue::from_str(&permit.id) {
        headers.insert(PERMIT, id);
    }
    if reported == Reported::Not {
        headers.insert(OUTCOME, HeaderValue::from_static("unreported"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_success_is_a_success_and_a_doubt_is_nothing() {
        for (status, expected) in [
            (200, Some(Outcome::Succeeded)),
            (201, Some(Outcome::Succeeded)),
            (303, Some(Outcome::Failed)),
            (409, Some(Outcome::Failed)),
            (500, Some(Outcome::Failed)),
            (504, None),
        ] {
            assert_eq!(outcome(StatusCode::from_u16(status).unwrap()), expected, "{status}");
        }
    }

    #[test]
    fn two_approvals_are_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(approval(&headers).unwrap(), None);
        headers.append(APPROVAL, HeaderValue::from_static("apr_1"));
        assert_eq!(approval(&headers).unwrap().as_deref(), Some("apr_1"));
        headers.append(APPROVAL, HeaderValue::from_static("apr_2"));
        assert_eq!(approval(&headers), Err(Ambiguous));
        headers.clear();
        headers.append(APPROVAL, HeaderValue::from_bytes(b"apr_\xff").unwrap());
        assert_eq!(approval(&headers), Err(Ambiguous));
    }

    #[test]
    fn exceptions_are_as_many_as_are_named() {
        let mut headers = HeaderMap::new();
        assert_eq!(exceptions(&headers), Ok(Vec::new()));
        headers.append(EXCEPTION, HeaderValue::from_static("apr_1, apr_2"));
        headers.append(EXCEPTION, HeaderValue::from_static("apr_3"));
        assert_eq!(exceptions(&headers), Ok(["apr_1", "apr_2", "apr_3"].map(String::from).to_vec()));
        for odd in [&b"apr_1,,apr_2"[..], b"", b"apr_\xff"] {
            headers.insert(EXCEPTION, HeaderValue::from_bytes(odd).unwrap());
            assert_eq!(exceptions(&headers), Err(Ambiguous), "{odd:?}");
        }
    }
}
