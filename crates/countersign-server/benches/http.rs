//! How many `POST /admin/permits` and `POST /access/v1/evaluation` a node answers over loopback TCP for an action that needs only a
//! credential, at 64 connections that stay open, beside a bare axum handler that reads JSON and answers JSON, asked by the same client in the same run.
//!
//! Clients and server share the machine's cores. Prints one JSON object per line. Run with
//! `cargo bench -p countersign-server --bench http`.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark stops at the first surprise and prints its result"
)]

use std::net::SocketAddr;

use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use countersign_server::http;
use countersign_server::search::{Place, Search};
use serde_json::{Value, json};
use tempfile::TempDir;

#[path = "fixture/ground.rs"]
mod ground;
#[path = "fixture/load.rs"]
mod load;
#[path = "fixture/wire.rs"]
mod wire;

use load::Client;
use wire::{Connection, serve};

const CONNECTIONS: usize = 64;

#[tokio::main(worker_threads = 2)]
async fn main() {
    // `cargo test --benches` runs this binary too; it has nothing to check.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let folder = TempDir::new_in(std::env::current_dir().expect("a folder")).expect("a folder");
    let engine = ground::begin(folder.path()).await;
    let bare = Router::new().route(PERMITS.path, post(echo));
    let bare = row("bare axum handler", (serve(bare).await, &PERMITS)).await;
    let node =
        serve(http::router((engine.clone(), Search::start(&engine, Place::memory())), http::recorder()))
            .await;
    for (what, asking) in
        [("POST /admin/permits, durable", &PERMITS), ("POST /access/v1/evaluation", &EVALUATION)]
    {
        let answered = row(what, (node, asking)).await;
        println!(r#"{{"what":"{what}: share of the bare handler","share":{:.2}}}"#, answered / bare);
    }
    engine.stop().await;
}

/// Answers per second.
async fn row(what: &str, (address, asking): (SocketAddr, &'static Asking)) -> f64 {
    let mut clients = Vec::new();
    for number in 0..CONNECTIONS {
        clients.push(Poster { connection: Connection::to(address).await, asking, number, asked: 0 });
    }
    let figures = load::measure(clients).await;
    figures.print(what, CONNECTIONS);
    figures.per_second
}

/// What a bare handler does with a body: read it as JSON and answer as much JSON.
async fn echo(Json(body): Json<Value>) -> (StatusCode, Json<Value>) {
    (StatusCode::CREATED, Json(body))
}

/// What is asked, again and again.
struct Asking {
    path: &'static str,
    status: &'static str,
    body: fn(&Poster) -> Value,
}

const PERMITS: Asking = Asking {
    path: "/admin/permits",
    status: "HTTP/1.1 201 ",
    body: |poster| {
        json!({
            "action": { "verb": "ping", "resource": "probe/any", "environment": "production" },
            "parameters": { "target": "eu-1", "attempt": poster.asked, "connection": poster.number },
            "reason": "a benchmark asks as often as it can",
        })
    },
};

const EVALUATION: Asking = Asking {
    path: "/access/v1/evaluation",
    status: "HTTP/1.1 200 ",
    body: |poster| {
        json!({
            "subject": { "type": "person", "id": "per_00000000000000000000000000000001" },
            "action": { "name": "ping" }, "resource": { "type": "probe", "id": "any" },
            "context": {
                "environment": "production",
                "parameters": { "target": "eu-1", "attempt": poster.asked, "connection": poster.number },
            },
        })
    },
};

/// One connection, and what it asks.
struct Poster {
    connection: Connection,
    asking: &'static Asking,
    number: usize,
    asked: usize,
}

impl Client for Poster {
    async fn ask(&mut self) {
        self.asked += 1;
        let request = self.request();
        let heard = self.connection.ask(&request).await;
        assert!(heard.starts_with(self.asking.status.as_bytes()), "{}", String::from_utf8_lossy(heard));
    }
}

impl Poster {
    fn request(&self) -> String {
        let Asking { path, body, .. } = self.asking;
        let body = body(self).to_string();
        format!(
            "POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer Ana\r\nContent-Type: application/json\r\n\
             Idempotency-Key: bench-{}-{}\r\nContent-Length: {}\r\n\r\n{body}",
            self.number,
            self.asked,
            body.len(),
        )
    }
}
