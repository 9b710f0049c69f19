//! A listener that speaks TLS: handshakes go on side by side, bounded in number and time, and only what came through is handed on.
//!
//! Whoever connects and says nothing costs a place until the time is up, or until somebody newer needs it: a genuine handshake is
//! over within two round trips, so it is not the one that waits longest.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Handshakes under way at once.
const MOST: usize = 256;

/// Most that is read of a request in clear, so that its sender can read why it is not answered.
const CLEAR: usize = 4 * 1024;

const REFUSED: &str = "countersign_tls_handshakes_refused_total";

/// What is answered to a request in clear, as the API answers every other mistake.
const IN_CLEAR: &str = r#"{"type":"urn:countersign:problem:tls_required","title":"Bad Request","status":400,"detail":"this port speaks TLS, and the request came in clear","code":"tls_required","hint":"write `https://` instead of `http://`"}"#;

/// How much a door bears.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) patience: Duration,
    pub(super) most: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { patience: PATIENCE, most: MOST }
    }
}

type Opened = (TlsStream<TcpStream>, SocketAddr);

/// The listener.
pub(super) struct Door {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    bounds: Bounds,
    handshakes: JoinSet<Option<Opened>>,
    /// The handshakes in the order in which they began; some are over.
    begun: VecDeque<AbortHandle>,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").field("tcp", &self.tcp).finish_non_exhaustive()
    }
}

impl Door {
    pub(super) fn new(tcp: TcpListener, spoken: Arc<ServerConfig>, bounds: Bounds) -> Self {
        let acceptor = TlsAcceptor::from(spoken);
        Self { tcp, acceptor, bounds, handshakes: JoinSet::new(), begun: VecDeque::new() }
    }

    fn begin(&mut self, (stream, peer): (TcpStream, SocketAddr)) {
        self.begun.retain(|handshake| !handshake.is_finished());
        if self.begun.len() >= self.bounds.most
            && let Some(oldest) = self.begun.pop_front()
        {
            oldest.abort();
            refused("crowded");
        }
        let (acceptor, patience) = (self.acceptor.clone(), self.bounds.patience);
        let handshake = async move {
            let opened = tokio::time::timeout(patience, open(&acceptor, stream)).await;
            opened.unwrap_or(Err("slow")).map_err(refused).ok().map(|io| (io, peer))
        };
        self.begun.push_back(self.handshakes.spawn(handshake));
    }
}

impl Listener for Door {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Opened {
        loop {
            tokio::select! {
                Some(done) = self.handshakes.join_next() => {
                    // One that was cut off or failed is nobody.
                    if let Ok(Some(opened)) = done {
                        return opened;
                    }
                }
                come = Listener::accept(&mut self.tcp) => self.begin(come),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// One handshake; the word for why there is none.
async fn open(acceptor: &TlsAcceptor, stream: TcpStream) -> Result<TlsStream<TcpStream>, &'static str> {
    let mut first = [0];
    match stream.peek(&mut first).await {
        // No record of TLS begins with a letter, and every request in clear does.
        Ok(1) if first[0].is_ascii_alphabetic() => {
            // Whether it arrives does not matter: nobody is owed an answer here.
            let _ = tell_in_clear(stream).await;
            Err("in-clear")
        }
        Ok(1) => acceptor.accept(stream).await.map_err(|_| "failed"),
        _ => Err("gone"),
    }
}

async fn tell_in_clear(mut stream: TcpStream) -> io::Result<()> {
    let length = IN_CLEAR.len();
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(IN_CLEAR.as_bytes()).await?;
    stream.shutdown().await?;
    // What is left unread when the connection ends would take the answer away with it.
    let mut unread = [0; 512];
    let mut read = 0;
    while read < CLEAR {
        match stream.read(&mut unread).await? {
            0 => break,
            some => read += some,
        }
    }
    Ok(())
}

fn refused(why: &'static str) {
    metrics::counter!(REFUSED, "why" => why).increment(1);
}

#[cfg(test)]
mod tests;
