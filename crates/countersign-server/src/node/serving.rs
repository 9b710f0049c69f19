//! The listener: how slowly a body may come, how it stops, and the upkeep of the process's counters.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower_http::timeout::RequestBodyTimeoutLayer;

use super::connections;
use super::door::{self, Door};
use crate::engine::Engine;
use crate::http;
use crate::search::Search;

/// How long a body may pause.
const BODY_PAUSE: Duration = Duration::from_secs(10);

/// How long requests under way may go on after the node was told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// How often counters are folded, so that they do not grow while nobody asks for them.
const UPKEEP: Duration = Duration::from_secs(5);

/// Folds the counters for as long as it is polled.
pub(super) async fn upkeep() {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        http::recorder().run_upkeep();
    }
}

/// Serves until `stop` is ready, then drops `running`, lets requests under way finish and returns.
pub(super) async fn serve(
    (listener, spoken): (TcpListener, Option<Arc<ServerConfig>>),
    (served, outside): ((Engine, Search), http::Outside),
    stop: impl Future<Output = ()> + Send + 'static,
    running: watch::Sender<()>,
) -> io::Result<()> {
    let outside = http::Outside { stopping: Some(running.subscribe()), ..outside };
    let router =
        http::router_with(served, http::recorder(), outside).layer(RequestBodyTimeoutLayer::new(BODY_PAUSE));
    let mut watched = running.subscribe();
    let told = async move {
        stop.await;
        drop(running);
    };
    let served = (router, connections::Bounds::default());
    let server = async move {
        match spoken {
            Some(spoken) => {
                connections::serve(Door::new(listener, spoken, door::Bounds::default()), served, told).await
            }
            None => connections::serve(listener, served, told).await,
        }
    };
    let too_late = async move {
        while watched.changed().await.is_ok() {}
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        outcome = server => outcome,
        () = too_late => Ok(()),
    }
}
