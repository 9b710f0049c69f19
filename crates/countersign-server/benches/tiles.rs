//! How many tiles, bundles and proofs a node serves to the public over loopback TCP at 64 connections that stay open, beside a bare axum
//! handler that answers as many bytes from memory, asked by the same client in the same run.
//!
//! Clients and server share the machine's cores. Prints one JSON object per line. Run with
//! `cargo bench -p countersign-server --bench tiles`; `COUNTERSIGN_BENCH_ENTRIES` sets how many entries the log has.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark stops at the first surprise and prints its result"
)]

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use countersign_server::engine::Engine;
use countersign_server::http;
use countersign_server::search::{Place, Search};
use tempfile::TempDir;

#[path = "fixture/ground.rs"]
mod ground;
#[path = "fixture/load.rs"]
mod load;
#[path = "fixture/ping.rs"]
mod ping;
#[path = "fixture/wire.rs"]
mod wire;

use load::Client;
use wire::{Connection, serve};

const ENTRIES: &str = "COUNTERSIGN_BENCH_ENTRIES";

const CONNECTIONS: usize = 64;

/// Bytes of a full tile of hashes.
const TILE: usize = 8_192;

#[tokio::main(worker_threads = 2)]
async fn main() {
    // `cargo test --benches` runs this binary too; it has nothing to check.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let folder = TempDir::new_in(std::env::current_dir().expect("a folder")).expect("a folder");
    let engine = ground::begin(folder.path()).await;
    let size = grow(&engine).await;
    let bare = serve(Router::new().route("/bare", get(|| async { vec![7_u8; TILE] }))).await;
    let bare =
        row("bare axum handler, 8 KiB", bare, Asked { paths: vec!["/bare".into()], encoding: "" }).await;
    let search = Search::start(&engine, Place::memory());
    let log = serve(http::router((engine.clone(), search), http::recorder())).await;
    let all = |prefix: &str| {
        (0..size / 256).map(|tile| format!("/ledger/tile/{prefix}/{}", spelled(tile))).collect()
    };
    let proofs = (0..size).step_by(97);
    let tiles = row("full tiles of hashes", log, Asked { paths: all("0"), encoding: "" }).await;
    row("entry bundles", log, Asked { paths: all("entries"), encoding: "" }).await;
    row("entry bundles, gzip", log, Asked { paths: all("entries"), encoding: "gzip" }).await;
    let inclusion =
        proofs.clone().map(|index| format!("/ledger/inclusion?index={index}&size={size}")).collect();
    row("inclusion proofs, JSON", log, Asked { paths: inclusion, encoding: "" }).await;
    let files = proofs.clone().map(|index| format!("/ledger/proof/{index}")).collect();
    row("proof files", log, Asked { paths: files, encoding: "" }).await;
    let consistency = proofs.map(|old| format!("/ledger/consistency?old={}&new={size}", old + 1)).collect();
    row("consistency proofs, JSON", log, Asked { paths: consistency, encoding: "" }).await;
    println!(r#"{{"what":"tiles: share of the bare handler","share":{:.2}}}"#, tiles / bare);
    engine.stop().await;
}

/// Appends until the log has enough entries, and waits until they are signed.
async fn grow(engine: &Engine) -> u64 {
    let wanted: u64 = std::env::var(ENTRIES).ok().map_or(100_000, |text| text.parse().expect("a number"));
    let each = wanted / 512 + 1;
    let clients = (0..512).map(|_| {
        let engine = engine.clone();
        tokio::spawn(async move {
            for _ in 0..each {
                engine.submit(ping::reserve()).await.expect("reserved");
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("the client ends");
    }
    let size = engine.size();
    engine.signatures().wait_for(|signed| *signed >= size).await.expect("it is signed");
    println!(r#"{{"what":"the log","entries":{size}}}"#);
    size
}

/// The index of a tile in its path.
fn spelled(tile: u64) -> String {
    if tile < 1_000 { format!("{tile:03}") } else { format!("x{:03}/{:03}", tile / 1_000, tile % 1_000) }
}

/// What is asked for.
#[derive(Clone)]
struct Asked {
    paths: Vec<String>,
    encoding: &'static str,
}

/// Answers per second.
async fn row(what: &str, address: SocketAddr, asked: Asked) -> f64 {
    let mut clients = Vec::new();
    for number in 0..CONNECTIONS {
        // Each begins elsewhere, so that they do not all want the same one at the same time.
        let next = number * asked.paths.len() / CONNECTIONS;
        clients.push(Getter { connection: Connection::to(address).await, asked: asked.clone(), next });
    }
    let figures = load::measure(clients).await;
    figures.print(what, CONNECTIONS);
    figures.per_second
}

/// One connection, and what it asks.
struct Getter {
    connection: Connection,
    asked: Asked,
    next: usize,
}

impl Client for Getter {
    async fn ask(&mut self) {
        let path = self.asked.paths.get(self.next).expect("a path");
        self.next = (self.next + 1) % self.asked.paths.len();
        let encoding = self.asked.encoding;
        let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\nAccept-Encoding: {encoding}\r\n\r\n");
        let heard = self.connection.ask(&request).await;
        assert!(heard.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(heard));
    }
}
