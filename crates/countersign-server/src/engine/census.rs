//! Counts entries per subject and has the count written down from time to time, so that an export can be shown to leave nothing out.
//!
//! It is a task beside the engine: it reads committed entries page by page like anybody else, so the writer never waits for it, and hands
//! the root in as a command like anybody else. Doing it twice is harmless: the second is refused as not newer.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::digest::Digest;
use countersign_core::log::census::TakeCensus;
use countersign_core::{Actor, Command};
use countersign_ledger::census::{Answer, Builder, Census, CensusError, Prover, Row};

use super::{Engine, EngineError, Submission};
use crate::store::{Reader, StoreError};

/// Entries after which a census is due: what an export has to ship as a whole to be complete up to its checkpoint, about 5 MiB.
const EVERY: u64 = 10_000;

/// In a log that is large, this part of it instead. A census reads the index of the whole log, so with a fixed distance the work would
/// grow with the square of the log; like this all censuses together, and whoever counts them again, read it at most 33 times.
const PART: u64 = 32;

/// Subjects read at once.
const PAGE: usize = 4_096;

/// Counts the entries below `size`.
///
/// # Errors
/// The store does not answer, or is under subjects that are none.
pub fn count(reader: &mut dyn Reader, size: u64) -> Result<Census, StoreError> {
    let mut builder = Builder::new();
    each(reader, size, |row| builder.push(&row))?;
    Ok(builder.finish())
}

/// Counts the entries below `size` and shows what there is of some subjects.
///
/// # Errors
/// As [`count`].
pub fn proofs(
    reader: &mut dyn Reader,
    size: u64,
    subjects: BTreeSet<String>,
) -> Result<(Census, BTreeMap<String, Answer>), StoreError> {
    let mut prover = Prover::new(subjects);
    each(reader, size, |row| prover.push(row))?;
    prover.finish().map_err(corrupt)
}

fn each(
    reader: &mut dyn Reader,
    size: u64,
    mut take: impl FnMut(Row) -> Result<(), CensusError>,
) -> Result<(), StoreError> {
    let mut after = String::new();
    loop {
        let page = reader.subjects(size, &after, PAGE)?;
        let Some(last) = page.last() else { return Ok(()) };
        after.clone_from(&last.subject);
        page.into_iter().try_for_each(&mut take).map_err(corrupt)?;
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it stands where errors are mapped")]
fn corrupt(error: CensusError) -> StoreError {
    StoreError::Corrupt(error.to_string())
}

/// Takes a census whenever one is due, for as long as it is polled.
pub async fn run(engine: Engine) {
    let mut commits = engine.commits();
    // What failed is tried again when as many entries have come again, not at every commit.
    let mut tried = 0;
    loop {
        let size = *commits.borrow_and_update();
        if is_due(&engine, size, tried) {
            tried = size;
            if let Err(error) = take(&engine, size).await {
                tracing::warn!(%error, size, "no census; exports must ship more of the log to be complete");
            }
        }
        if commits.changed().await.is_err() {
            return;
        }
    }
}

fn is_due(engine: &Engine, size: u64, tried: u64) -> bool {
    let state = engine.state();
    let counted = state.log().and_then(|log| log.census).map_or(0, |last| last.size).max(tried);
    size.saturating_sub(counted) >= EVERY.max(size / PART)
}

/// Takes a census of the first `size` entries now.
///
/// # Errors
/// The store does not answer, or the census is refused.
pub async fn take(engine: &Engine, size: u64) -> Result<Census, EngineError> {
    let mut builder = Builder::new();
    let mut after = String::new();
    loop {
        // One read per page: so it can be stopped between two, and others get their turn.
        let from = std::mem::take(&mut after);
        let page = engine.read(move |reader| reader.subjects(size, &from, PAGE)).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.subject);
        page.iter().try_for_each(|row| builder.push(row)).map_err(corrupt)?;
    }
    let census = builder.finish();
    let root_sha256 = Digest(census.root_sha256.0);
    let command = Command::TakeCensus(TakeCensus { size, subjects: census.subjects, root_sha256 });
    engine.submit(Submission::new(Actor::Node, command)).await?;
    Ok(census)
}
