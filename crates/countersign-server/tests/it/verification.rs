//! A stored log as its auditor walks it: what was cut off or emptied does not pass.

use countersign_core::Command;
use countersign_core::digest::Digest;
use countersign_core::permit::Reserve;
use countersign_ledger::verify::Verified;
use countersign_server::engine::Engine;
use countersign_server::store::memory::MemoryStore;
use countersign_server::store::sqlite::SqliteStore;
use countersign_server::verification::VerificationError;
use rusqlite::{Connection, params};

use crate::engine::fixture::{self, ANA, by, verification as verify};

fn code(result: &Result<Verified, VerificationError>) -> &'static str {
    result.as_ref().map_or_else(VerificationError::code, |_| "verified")
}

async fn ping(engine: &Engine) {
    let ping = Reserve { action: fixture::ping(), parameters_sha256: Digest::of(b""), approval: None };
    by(engine, ANA, Command::ReservePermit(ping)).await.expect("a permit");
}

#[test]
fn an_empty_log_shows_nothing() {
    assert_eq!(code(&verify(&mut MemoryStore::new())), "empty");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_whose_end_was_cut_off_does_not_pass_although_its_head_was_adjusted() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let engine = fixture::started(Box::new(SqliteStore::open(&path).expect("a store"))).await;
    engine.stop().await;
    drop(engine);
    let head = |connection: &Connection| {
        connection.query_row("SELECT size, time_ms, frontier FROM head", [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?))
        })
    };
    let earlier = head(&Connection::open(&path).expect("a connection")).expect("a head");

    let store = SqliteStore::open(&path).expect("a store");
    let engine = Engine::start(Box::new(store), fixture::options()).expect("it starts again");
    ping(&engine).await;
    engine.stop().await;
    drop(engine);
    let mut reader = SqliteStore::open_read_only(&path).expect("a reader");
    assert_eq!(code(&verify(reader.as_mut())), "verified");

    let connection = Connection::open(&path).expect("a connection");
    let last = ("UPDATE entries SET subject_seq = ?1 WHERE idx = ?2", earlier.0);
    connection.execute(last.0, params![2, last.1]).expect("updated");
    assert_eq!(code(&verify(reader.as_mut())), "subject_column");
    connection.execute(last.0, params![1, last.1]).expect("updated");
    assert_eq!(code(&verify(reader.as_mut())), "verified");
    let (size, time_ms, frontier) = earlier;
    connection.execute("DELETE FROM entries WHERE idx >= ?1", [size]).expect("deleted");
    connection.execute("DELETE FROM details WHERE idx >= ?1", [size]).expect("deleted");
    let adjusted = connection
        .execute("UPDATE head SET size = ?1, time_ms = ?2, frontier = ?3", params![size, time_ms, frontier]);
    assert_eq!(adjusted, Ok(1));
    assert_eq!(code(&verify(reader.as_mut())), "truncated");

    connection.execute("DELETE FROM checkpoints", []).expect("deleted");
    assert_eq!(code(&verify(reader.as_mut())), "unsigned");
}
