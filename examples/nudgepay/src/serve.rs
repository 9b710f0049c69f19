//! Listening, announcing, stopping: what both programs share around their routes.
//!
//! A program first binds and then serves, so that tests can learn the port and choose how it stops. Nothing
//! here knows what is served.

use std::{
    io::{self, Write},
    net::SocketAddr,
    time::Duration,
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    task::JoinSet,
};

use crate::answer::Failure;

/// The largest request body taken in, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// How long one request may take, its body included; a slow sender is cut off, everyone else goes on.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long requests under way may take to finish after the program was told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// Why a program could not start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration cannot be used; the text says why.
    #[error("{0}")]
    Config(String),
    /// The data folder or the socket could not be used.
    #[error("cannot use {what}: {cause}")]
    Unusable {
        /// What could not be used.
        what: String,
        /// The operating system's reason.
        cause: io::Error,
    },
    /// The database could not be opened; a second process on the same folder is the usual cause.
    #[error("cannot open the database in the data folder: {0}")]
    Database(#[from] rusqlite::Error),
    /// The HTTP client could not be built.
    #[error("cannot build the http client: {0}")]
    Client(String),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Randomness,
}

impl Error {
    pub(crate) fn unusable(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        move |cause| Self::Unusable { what: what.into(), cause }
    }
}

/// When a program stops by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifetime {
    /// On SIGTERM or an interrupt.
    #[default]
    UntilSignal,
    /// On those, and when standard input ends, as it does when the parent dies.
    WithParent,
}

/// A program that listens but does not serve yet.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    background: JoinSet<()>,
}

impl Bound {
    /// Binds a loopback address; port 0 lets the system choose. `background` ends with the program.
    pub(crate) async fn new(
        listen: SocketAddr,
        router: Router,
        background: JoinSet<()>,
    ) -> Result<Self, Error> {
        if !listen.ip().is_loopback() {
            return Err(Error::Config(format!("`{listen}` is not a loopback address")));
        }
        let unusable = || Error::unusable(format!("address `{listen}`"));
        let listener = TcpListener::bind(listen).await.map_err(unusable())?;
        let address = listener.local_addr().map_err(unusable())?;
        let router = router.layer(DefaultBodyLimit::max(MAX_BODY)).layer(middleware::from_fn(in_time));
        Ok(Self { listener, address, router, background })
    }

    /// Where it listens, with the real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is ready, then lets requests under way finish for up to five seconds.
    ///
    /// # Errors
    ///
    /// [`Error::Unusable`] when the socket fails.
    pub async fn serve(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), Error> {
        let Self { listener, address, router, background } = self;
        let (told, hears) = oneshot::channel();
        let server = axum::serve(listener, router).with_graceful_shutdown(async move {
            stop.await;
            drop(background);
            // Nobody listens any more only when the server has already ended.
            let _ = told.send(());
        });
        let too_late = async {
            let _ = hears.await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            outcome = server => outcome.map_err(Error::unusable(format!("address `{address}`"))),
            () = too_late => Ok(()),
        }
    }

    /// Announces the address on standard output and serves for the given lifetime.
    pub(crate) async fn run(self, lifetime: Lifetime) -> Result<(), Error> {
        let ended = ended(lifetime)?;
        announce(&mut io::stdout().lock(), self.address).map_err(Error::unusable("standard output"))?;
        self.serve(ended).await
    }
}

/// Writes the one line that tells the parent process where to connect.
fn announce(out: &mut impl Write, address: SocketAddr) -> io::Result<()> {
    writeln!(out, "{}", serde_json::json!({ "listening": address.to_string() }))?;
    out.flush()
}

/// Ready when the program should stop.
fn ended(lifetime: Lifetime) -> Result<impl Future<Output = ()> + Send + 'static, Error> {
    let mut terminated = signal(SignalKind::terminate()).map_err(Error::unusable("signals"))?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(Error::unusable("signals"))?;
    let (orphaned, parent_gone) = oneshot::channel();
    let keep = match lifetime {
        Lifetime::UntilSignal => Some(orphaned),
        Lifetime::WithParent => {
            // A plain thread, because a blocked read of standard input would keep a runtime from shutting
            // down.
            std::thread::spawn(move || {
                let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
                let _ = orphaned.send(());
            });
            None
        }
    };
    Ok(async move {
        let _keep = keep;
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
            _ = parent_gone => {}
        }
    })
}

/// Ends a request that takes too long with 408.
async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(PATIENCE, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            Failure::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "the request took over 15 seconds")
                .into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_announcement_is_one_json_line() {
        let mut out = Vec::new();
        announce(&mut out, SocketAddr::from(([127, 0, 0, 1], 4242))).unwrap();
        assert_eq!(out, b"{\"listening\":\"127.0.0.1:4242\"}\n");
    }

    #[tokio::test]
    async fn only_loopback_is_listened_on() {
        let refused = Bound::new(SocketAddr::from(([0, 0, 0, 0], 0)), Router::new(), JoinSet::new()).await;
        assert_eq!(refused.unwrap_err().to_string(), "`0.0.0.0:0` is not a loopback address");
    }
}
