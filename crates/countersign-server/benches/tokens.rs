//! What it costs to know a service token: how many requests a node answers over loopback TCP at 64 connections that each bring a token and ask what it
//! may do, beside a bare axum handler that answers the same bytes, asked by the same client in the same run; with few live tokens and with many; how
//! much memory a live token takes; and how soon a revoked one is refused. Shares are of answers per second, and of processor time for one answer,
//! which other programs on the machine change less.
//!
//! Clients and server share the machine's cores. Prints one JSON object per line. `COUNTERSIGN_BENCH_TOKENS` says how many are live, a million
//! unless it does. Run with `cargo bench -p countersign-server --bench tokens`.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark stops at the first surprise and prints its result"
)]

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Instant;

use axum::Router;
use axum::http::{HeaderMap, HeaderName, header};
use axum::routing::get;
use countersign_core::digest::Digest;
use countersign_core::id::TokenId;
use countersign_core::token::{Issue, Revoke};
use countersign_core::{Actor, Command, Item};
use countersign_server::engine::{Engine, Submission};
use countersign_server::http;
use countersign_server::search::{Place, Search};
use hdrhistogram::Histogram;
use tempfile::TempDir;

#[path = "fixture/ground.rs"]
mod ground;
#[path = "fixture/load.rs"]
mod load;
#[path = "fixture/wire.rs"]
mod wire;

use load::{Client, Figures};
use wire::{Connection, serve};

const CONNECTIONS: usize = 64;

/// Tokens issued at once.
const AT_ONCE: usize = 512;

/// Tokens revoked one after another.
const REVOKED: usize = 1_000;

#[tokio::main(worker_threads = 2)]
async fn main() {
    // `cargo test --benches` runs this binary too; it has nothing to check.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let live = std::env::var("COUNTERSIGN_BENCH_TOKENS").ok().and_then(|text| text.parse().ok());
    let live: usize = live.unwrap_or(1_000_000).max(REVOKED);
    let folder = TempDir::new_in(std::env::current_dir().expect("a folder")).expect("a folder");
    let engine = ground::begin(folder.path()).await;
    let router = http::router((engine.clone(), Search::start(&engine, Place::memory())), http::recorder());
    let node = serve(router).await;
    let ids = issue(&engine, 0..REVOKED).await;
    let path = format!("/admin/service-tokens/{}", ids[0]);
    let mut asker = Asker::new(node, (&path, &secret(0))).await;
    let answer = asker.told().await;
    let bare = serve(bare(&answer)).await;
    let baseline = row("bare handler that answers the same body", (bare, &path)).await;
    // What the headers that every answer has cost whoever sends and reads them, without what finds them out.
    let headed = serve(headed(&answer)).await;
    compared("bare handler that answers the same head and body", (headed, &path), &baseline).await;
    // What the node does for every answer, whoever asks: identifying it, counting it, and the headers.
    compared("the node answers whoever asks for /healthz", (node, "/healthz"), &baseline).await;
    compared(&format!("a token is known, {REVOKED} live"), (node, &path), &baseline).await;

    let (before, began) = (resident(), Instant::now());
    issue(&engine, REVOKED..live).await;
    let (count, seconds) = (live - REVOKED, began.elapsed().as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let per_second = count as f64 / seconds;
    let bytes = resident().saturating_sub(before) / count.max(1);
    println!(
        r#"{{"what":"tokens issued","count":{count},"per_second":{per_second:.0},"resident_bytes_each":{bytes}}}"#
    );
    compared(&format!("a token is known, {live} live"), (node, &path), &baseline).await;
    row("bare handler that answers the same body, again", (bare, &path)).await;

    revoke(&engine, (node, &path), &ids).await;
    engine.stop().await;
}

/// The row, and its share of the baseline.
async fn compared(what: &str, asked: (SocketAddr, &str), baseline: &Figures) {
    let answered = row(what, asked).await;
    let (share, by_cpu) = (answered.per_second / baseline.per_second, baseline.cpu_us / answered.cpu_us);
    println!(r#"{{"what":"{what}: share of the bare handler","share":{share:.2},"by_cpu":{by_cpu:.2}}}"#);
}

/// Answers per second.
async fn row(what: &str, (address, path): (SocketAddr, &str)) -> Figures {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(Asker::new(address, (path, &secret(0))).await);
    }
    let figures = load::measure(clients).await;
    figures.print(what, CONNECTIONS);
    figures
}

/// What somebody drew.
fn secret(number: usize) -> String {
    format!("cstk_bench_{number}")
}

async fn issue(engine: &Engine, numbers: std::ops::Range<usize>) -> Vec<TokenId> {
    let numbers: Vec<usize> = numbers.collect();
    let mut ids = Vec::new();
    for some in numbers.chunks(AT_ONCE) {
        let issued: Vec<_> =
            some.iter().map(|number| tokio::spawn(issued(engine.clone(), *number))).collect();
        for token in issued {
            ids.push(token.await.expect("the engine answers"));
        }
    }
    ids
}

async fn issued(engine: Engine, number: usize) -> TokenId {
    let command = Command::IssueToken(Issue {
        resource: "service-token/bench".parse().expect("a resource"),
        environment: "production".parse().expect("a name"),
        scopes: BTreeSet::from(["ping:probe/any".parse().expect("a scope")]),
        networks: BTreeSet::new(),
        lifetime_seconds: NonZeroU32::new(86_400).expect("a lifetime"),
        token_sha256: Digest::of(secret(number).as_bytes()),
        cnf_jkt: None,
        under: None,
    });
    let committed = engine.submit(Submission::new(Actor::Person(ground::ANA), command)).await;
    match committed.expect("issued").item {
        Some(Item::Token(token)) => token.id,
        other => unreachable!("{other:?}"),
    }
}

/// From the moment at which somebody asks for it until an answer to the token is a refusal, one token after another.
async fn revoke(engine: &Engine, (node, path): (SocketAddr, &str), ids: &[TokenId]) {
    let mut micros = Histogram::<u64>::new_with_bounds(1, 60_000_000, 3).expect("a histogram");
    for (number, id) in ids.iter().enumerate() {
        let mut asker = Asker::new(node, (path, &secret(number))).await;
        let began = Instant::now();
        let command = Command::RevokeToken(Revoke { token: *id, under: None });
        engine.submit(Submission::new(Actor::Person(ground::ANA), command)).await.expect("revoked");
        while !asker.told().await.starts_with("HTTP/1.1 401 ") {}
        micros.saturating_record(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    let [p50, p99] = [0.5, 0.99].map(|quantile| micros.value_at_quantile(quantile));
    println!(
        r#"{{"what":"revoked until refused over HTTP","count":{},"p50_us":{p50},"p99_us":{p99},"max_us":{}}}"#,
        ids.len(),
        micros.max()
    );
}

/// A handler that answers what the node did, and does nothing for it.
fn bare(answer: &str) -> Router {
    let body = answer.split_once("\r\n\r\n").expect("an answer").1.to_owned();
    let answer = move || async move { ([(header::CONTENT_TYPE, "application/json")], body) };
    Router::new().route("/admin/service-tokens/{id}", get(answer))
}

/// The same with the head that the node gave it.
fn headed(answer: &str) -> Router {
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    let headers: HeaderMap = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        // These the connection adds by itself.
        .filter(|(name, _)| !["content-length", "date"].contains(name))
        .map(|(name, value)| (name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value")))
        .collect();
    let body = body.to_owned();
    let answer = move || async move { (headers, body) };
    Router::new().route("/admin/service-tokens/{id}", get(answer))
}

/// Bytes of this process in memory (`proc(5)`, `statm`).
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("a process");
    let pages: usize = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4_096
}

/// One connection, and what it asks.
struct Asker {
    connection: Connection,
    request: String,
}

impl Asker {
    async fn new(address: SocketAddr, (path, token): (&str, &str)) -> Self {
        let connection = Connection::to(address).await;
        let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n");
        Self { connection, request }
    }

    /// Asks, and the answer.
    async fn told(&mut self) -> String {
        String::from_utf8_lossy(self.connection.ask(&self.request).await).into_owned()
    }
}

impl Client for Asker {
    async fn ask(&mut self) {
        let told = self.told().await;
        assert!(told.starts_with("HTTP/1.1 200 "), "{told}");
    }
}
