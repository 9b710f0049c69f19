//! Watching: server-sent events (WHATWG HTML, section 9.2) of what happens to one request, or to everything.
//!
//! Each event is an entry: its id is the entry's index, so that whoever was cut off goes on with `Last-Event-ID` and misses nothing.
//! What is sent is read from the log like everything else; nobody who commits waits for a watcher. Who may no longer read hears nothing more,
//! and whoever is deactivated is sent away by that very commit.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use countersign_api::approval::Watched;
use countersign_core::id::ApprovalId;
use countersign_core::{Item, Subject};
use futures_core::Stream;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use utoipa::IntoParams;

use super::address::{Asked, Named};
use super::gate::Caller;
use super::problem::{Rejected, Words};
use super::{App, approvals, lists};
use crate::engine::EngineError;
use crate::store::StoredEntry;

/// Most watchers at once.
const MOST: usize = 256;

/// How long nothing may happen before a comment says that the connection is alive.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Entries read at once.
const BATCH: usize = 64;

/// Events that may wait for a slow watcher; then reading waits too.
const WAITING: usize = 16;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The places of all watchers.
pub(super) fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(MOST))
}

/// How much is watched.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    /// Ends after so many events.
    pub limit: Option<u64>,
}

/// What happens to one request, from its last entry on, until it has ended. `Last-Event-ID` goes on after that entry.
#[utoipa::path(get, path = "/admin/approvals/{id}/watch", tag = "approvals", params(("id" = String, Path), Query), responses((status = 200, body = String, content_type = "text/event-stream")))]
pub(super) async fn one(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named<String>,
    Joining { after, limit }: Joining,
) -> Result<Response, Rejected> {
    let of: ApprovalId = id.parse().map_err(Rejected::malformed)?;
    let Some(Item::Approval(approval)) = lists::one(&app, Subject::Approval(of)).await? else {
        return Err(caller.misses(&app, ("approval", &id)));
    };
    approvals::sees(&app, &caller, &approval)?;
    let from = match after {
        Some(after) => after.saturating_add(1),
        None => {
            let entries = app.engine.read(move |reader| reader.entries_of(&id, 0, usize::MAX >> 1)).await?;
            entries.last().map_or(0, |entry| entry.index)
        }
    };
    Watcher::begin(&app, Scope { caller, of: Some(of), from, left: limit })
}

/// What happens, from now on. `Last-Event-ID` goes on after that entry.
#[utoipa::path(get, path = "/admin/watch", tag = "ledger", params(Query), responses((status = 200, body = String, content_type = "text/event-stream")))]
pub(super) async fn all(
    State(app): State<App>,
    caller: Caller,
    Joining { after, limit }: Joining,
) -> Result<Response, Rejected> {
    caller.sees(&app, |_, _| false)?;
    let from = after.map_or_else(|| app.engine.size(), |after| after.saturating_add(1));
    Watcher::begin(&app, Scope { caller, of: None, from, left: limit })
}

/// How somebody joins: after which event, and for how many.
pub(super) struct Joining {
    after: Option<u64>,
    limit: Option<u64>,
}

impl FromRequestParts<App> for Joining {
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Rejected> {
        let Asked(Query { limit }) = Asked::from_request_parts(parts, app).await?;
        Ok(Self { after: last_seen(&parts.headers)?, limit })
    }
}

fn last_seen(headers: &HeaderMap) -> Result<Option<u64>, Rejected> {
    let Some(given) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let index = given.to_str().ok().and_then(|text| text.parse().ok());
    index.map(Some).ok_or_else(|| Rejected::malformed("`Last-Event-ID` is the index of an entry"))
}

/// What is watched, by whom, and from which entry on.
struct Scope {
    caller: Caller,
    of: Option<ApprovalId>,
    from: u64,
    left: Option<u64>,
}

/// Why nothing more is sent.
struct Over;

struct Watcher {
    app: App,
    scope: Scope,
    /// How many entries of the one request were read.
    seen: u32,
    sender: mpsc::Sender<String>,
    _place: OwnedSemaphorePermit,
}

impl Watcher {
    fn begin(app: &App, scope: Scope) -> Result<Response, Rejected> {
        let place = Arc::clone(&app.watchers).try_acquire_owned().map_err(|_| {
            let words = Words {
                code: "too_many_watchers",
                detail: format!("{MOST} watch already"),
                hint: "ask from time to time instead, or try again later",
            };
            Rejected::new(StatusCode::SERVICE_UNAVAILABLE, words)
        })?;
        let (sender, receiver) = mpsc::channel(WAITING);
        let watcher = Self { app: app.clone(), scope, seen: 0, sender, _place: place };
        tokio::spawn(watcher.run());
        let headers = [
            (header::CONTENT_TYPE, "text/event-stream"),
            // For proxies that would otherwise collect what is meant to arrive at once.
            (HeaderName::from_static("x-accel-buffering"), "no"),
        ];
        Ok((headers, Body::from_stream(Events(receiver))).into_response())
    }

    async fn run(mut self) {
        let mut commits = self.app.engine.commits();
        let mut stopping = self.app.stopping.clone();
        loop {
            commits.mark_unchanged();
            if !self.scope.caller.is_there(&self.app) {
                return;
            }
            // In this order: what ended it is told before nothing more is.
            let ended = self.has_ended().await;
            if self.tell().await.is_err() || ended {
                return;
            }
            let alive = tokio::select! {
                changed = commits.changed() => changed.is_ok(),
                () = tokio::time::sleep(HEARTBEAT) => self.sender.send(": still here\n\n".into()).await.is_ok(),
                () = self.sender.closed() => false,
                () = stopped(&mut stopping) => false,
            };
            if !alive {
                return;
            }
        }
    }

    /// Sends what was committed since.
    async fn tell(&mut self) -> Result<(), Over> {
        loop {
            let entries = self.next().await.map_err(|error| {
                tracing::warn!(%error, "a watcher is sent away");
                Over
            })?;
            let count = entries.len();
            for entry in entries {
                if self.scope.left == Some(0) {
                    return Err(Over);
                }
                self.send(&entry).await?;
                self.scope.left = self.scope.left.map(|left| left - 1);
            }
            if self.scope.left == Some(0) {
                return Err(Over);
            }
            if count == 0 {
                return Ok(());
            }
        }
    }

    /// Entries that were not sent yet, in order.
    ///
    /// Only what the published state knows already: otherwise what is shown beside an entry could be older than the entry.
    async fn next(&mut self) -> Result<Vec<StoredEntry>, EngineError> {
        let (from, size) = (self.scope.from, self.app.engine.size());
        let Some(of) = self.scope.of else {
            let mut entries = self.app.engine.read(move |reader| reader.entries(from, BATCH)).await?;
            entries.retain(|entry| entry.index < size);
            self.scope.from = entries.last().map_or(from, |entry| entry.index + 1);
            return Ok(entries);
        };
        loop {
            let seen = self.seen;
            let of = of.to_string();
            let mut entries = self.app.engine.read(move |reader| reader.entries_of(&of, seen, BATCH)).await?;
            entries.retain(|entry| entry.index < size);
            let Some(last) = entries.last() else { return Ok(entries) };
            self.seen = last.subject_seq;
            let fresh: Vec<StoredEntry> = entries.into_iter().filter(|entry| entry.index >= from).collect();
            if !fresh.is_empty() {
                return Ok(fresh);
            }
        }
    }

    async fn send(&self, entry: &StoredEntry) -> Result<(), Over> {
        let leaf: Value = serde_json::from_slice(&entry.leaf).map_err(|_| Over)?;
        let text = |key: &str| leaf[key].as_str().unwrap_or_default().to_owned();
        let approval = match self.scope.of {
            Some(of) => {
                let Ok(Some(Item::Approval(approval))) = lists::one(&self.app, Subject::Approval(of)).await
                else {
                    return Err(Over);
                };
                // The policy may have changed since: who may not read any more is told nothing more.
                approvals::sees(&self.app, &self.scope.caller, &approval).map_err(|_| Over)?;
                let known = self.app.known().await;
                Some(approvals::show_approval(&self.app, &known, (&approval, None)))
            }
            None => {
                self.scope.caller.sees(&self.app, |_, _| false).map_err(|_| Over)?;
                None
            }
        };
        let (kind, subject, time, actor) = (text("kind"), text("subject"), text("time"), text("actor"));
        let watched = Watched { index: entry.index, kind, subject, time, actor, approval };
        let data = serde_json::to_string(&watched).map_err(|_| Over)?;
        // JSON has no line feeds outside of strings and escapes them inside, so the data are one line.
        let event = format!("id: {}\nevent: {}\ndata: {data}\n\n", entry.index, watched.kind);
        self.sender.send(event).await.map_err(|_| Over)
    }

    /// Whether the request that is watched is over. One that was used is, although its permit may give it back.
    async fn has_ended(&self) -> bool {
        let Some(of) = self.scope.of else { return false };
        match lists::one(&self.app, Subject::Approval(of)).await {
            Ok(Some(Item::Approval(approval))) => approval.ended.is_some(),
            _ => true,
        }
    }
}

/// Ready once the node stops; never where nobody can say so.
async fn stopped(stopping: &mut Option<tokio::sync::watch::Receiver<()>>) {
    match stopping {
        Some(stopping) => while stopping.changed().await.is_ok() {},
        None => std::future::pending().await,
    }
}

/// The events as a body.
struct Events(mpsc::Receiver<String>);

impl Stream for Events {
    type Item = Result<String, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|event| event.map(Ok))
    }
}
