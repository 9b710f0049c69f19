//! Connections that are open: how long the head of a request may take, and how many there may be.
//!
//! Whoever opens connections and sends next to nothing costs a place until the time is up, or until somebody newer needs it: who has sent a whole head once is
//! never cut off for that.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::task::AbortHandle;

/// How long a head may take from the first moment on, and how long a connection may be idle between requests.
const HEAD: Duration = Duration::from_secs(30);

/// Connections at once. Each takes a file descriptor, of which a process has as many as its limit says.
const MOST: usize = 4_096;

const REFUSED: &str = "countersign_connections_refused_total";

/// How much is borne.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) head: Duration,
    pub(super) most: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { head: HEAD, most: MOST }
    }
}

/// A connection.
#[derive(Debug)]
struct Open {
    task: AbortHandle,
    /// Whether a whole head came once.
    has_asked: Arc<AtomicBool>,
}

/// Those that are open, the oldest first.
#[derive(Debug, Default)]
struct Connections(VecDeque<Open>);

impl Connections {
    /// Makes room for one more, at the cost of the oldest that has asked for nothing yet; or there is none.
    fn has_room(&mut self, most: usize) -> bool {
        if self.0.len() < most {
            return true;
        }
        self.0.retain(|open| !open.task.is_finished());
        if self.0.len() < most {
            return true;
        }
        refused("crowded");
        let silent = self.0.iter().position(|open| !open.has_asked.load(Ordering::Relaxed));
        let Some(oldest) = silent.and_then(|place| self.0.remove(place)) else { return false };
        oldest.task.abort();
        true
    }
}

/// Serves until `told` is ready, then lets requests under way finish.
pub(super) async fn serve<L: Listener<Addr = SocketAddr>>(
    mut listener: L,
    (router, bounds): (Router, Bounds),
    told: impl Future<Output = ()>,
) -> io::Result<()> {
    let (graceful, mut open) = (GracefulShutdown::new(), Connections::default());
    let mut told = pin!(told);
    loop {
        let (stream, peer) = tokio::select! {
            come = listener.accept() => come,
            () = &mut told => break,
        };
        if !open.has_room(bounds.most) {
            continue;
        }
        let has_asked = Arc::new(AtomicBool::new(false));
        let (inner, asked) = (TowerToHyperService::new(router.clone()), Arc::clone(&has_asked));
        let service = service_fn(move |request: Request<Incoming>| {
            asked.store(true, Ordering::Relaxed);
            answer(&inner, request, peer)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(bounds.head)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                if error.is_timeout() {
                    refused("slow");
                }
                tracing::trace!(%error, %peer, "a connection ended");
            }
        });
        open.0.push_back(Open { task: task.abort_handle(), has_asked });
    }
    drop(listener);
    graceful.shutdown().await;
    Ok(())
}

/// Where a request comes from is told to those who count by network.
fn answer(
    inner: &TowerToHyperService<Router>,
    mut request: Request<Incoming>,
    peer: SocketAddr,
) -> impl Future<Output = Result<Response<Body>, Infallible>> + use<> {
    request.extensions_mut().insert(ConnectInfo(peer));
    inner.call(request.map(Body::new))
}

fn refused(why: &'static str) {
    metrics::counter!(REFUSED, "why" => why).increment(1);
}

#[cfg(test)]
mod tests;
