//! How fast whole commands become durable through the engine on SQLite, at 1, 16 and 256 clients, with latencies, beside one
//! transaction per command on the same disk in the same run.
//!
//! Prints one JSON object per line. Run with `cargo bench -p countersign-server --bench engine`.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark stops at the first surprise and prints its result"
)]

use countersign_server::engine::Engine;
use tempfile::TempDir;

#[path = "fixture/ground.rs"]
mod ground;
#[path = "fixture/load.rs"]
mod load;
#[path = "fixture/ping.rs"]
mod ping;

use load::Client;

struct Asker(Engine);

impl Client for Asker {
    async fn ask(&mut self) {
        self.0.submit(ping::reserve()).await.expect("the permit is reserved");
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    // `cargo test --benches` runs this binary too; it has nothing to check.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    // One client waits for its commit before the next command: one transaction per command. Before and after, because the disk
    // is not equally fast all the time.
    let before = row(1).await;
    let (few, many) = (row(16).await, row(256).await);
    let naive = f64::midpoint(before, row(1).await);
    for (clients, rate) in [(16, few), (256, many)] {
        let times = rate / naive;
        println!(r#"{{"what":"times one transaction per command","clients":{clients},"times":{times:.1}}}"#);
    }
}

/// Commands per second.
async fn row(clients: usize) -> f64 {
    let folder = TempDir::new_in(std::env::current_dir().expect("a folder")).expect("a folder");
    let engine = ground::begin(folder.path()).await;
    let figures = load::measure((0..clients).map(|_| Asker(engine.clone())).collect()).await;
    figures.print("command through the engine, durable", clients);
    engine.stop().await;
    figures.per_second
}
