//! Events to leaves and back, items to records and back. Here the core and the ledger meet; neither knows the other.

use countersign_core::{Event, Item, Subject};
use countersign_ledger::entry::{Draft, EntryView, Place};
use countersign_ledger::hash::Hash;
use countersign_ledger::json;

use crate::store::{Reader, Record, StoreError};

/// Where an entry stands.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// Its index in the log.
    pub index: u64,
    /// Its number among the subject's entries.
    pub subject_seq: u32,
}

/// An entry read back.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// What happened.
    pub event: Event,
    /// Its number among the subject's entries.
    pub subject_seq: u32,
}

fn corrupt(index: u64, what: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("entry {index}: {what}"))
}

/// The leaf of an event.
///
/// # Errors
/// The event does not fit into a leaf.
pub fn leaf(event: &Event, position: Position, details_sha256: Option<Hash>) -> Result<Vec<u8>, StoreError> {
    let Position { index, subject_seq } = position;
    let data = json::to_canonical(&event.fact).map_err(|error| corrupt(index, error))?;
    let draft = Draft {
        actor: &event.actor.to_string(),
        correlation: &event.correlation.to_string(),
        data: &data,
        details_sha256,
        environment: event.environment.as_ref().map(countersign_core::text::Name::as_str),
        kind: event.fact.kind(),
        subject: &event.fact.subject().to_string(),
    };
    let place = Place { index, subject_seq, time: &event.at.to_string() };
    draft.leaf(place).map_err(|error| corrupt(index, error))
}

/// The event of a leaf, with its policy resolved from the blobs.
///
/// # Errors
/// The leaf does not parse, its kind is unknown to this version, or a blob it needs is missing or altered.
pub fn decode(index: u64, leaf: &[u8], reader: &mut dyn Reader) -> Result<Decoded, StoreError> {
    let view = EntryView::parse(leaf).map_err(|error| corrupt(index, error))?;
    Ok(Decoded { event: event(&view, reader)?, subject_seq: view.subject_seq })
}

/// The event of an entry that is parsed already, with its policy resolved from the blobs.
///
/// # Errors
/// As [`decode`].
pub fn event(view: &EntryView<'_>, reader: &mut dyn Reader) -> Result<Event, StoreError> {
    let unfit = |error| corrupt(view.index, error);
    let mut event = countersign_evidence::decode::event(view).map_err(unfit)?;
    if let Some(digest) = event.unresolved() {
        let blob = reader.blob(&Hash(digest.0))?;
        countersign_evidence::decode::resolve(&mut event, blob.as_deref()).map_err(unfit)?;
    }
    Ok(event)
}

/// The record of a subject.
///
/// # Errors
/// The item cannot be written as JSON.
pub fn record(subject: &Subject, item: &Item, seq: u32) -> Result<Record, StoreError> {
    let body = serde_json::to_vec(item)
        .map_err(|error| StoreError::Corrupt(format!("record of {subject}: {error}")))?;
    Ok(Record { kind: item.kind(), id: subject.to_string(), seq, status: item.status().to_owned(), body })
}

/// The item of a record.
///
/// # Errors
/// The record is not what this version writes.
pub fn item(record: &Record) -> Result<Item, StoreError> {
    serde_json::from_slice(&record.body)
        .map_err(|error| StoreError::Corrupt(format!("record of {}: {error}", record.id)))
}

/// The capability whose records hold the subject.
#[must_use]
pub fn record_kind(subject: &Subject) -> &'static str {
    match subject {
        Subject::Log => "log",
        Subject::Policy => "policy",
        Subject::Person(_) => "person",
        Subject::Session(_) => "session",
        Subject::Token(_) => "token",
        Subject::Approval(_) => "approval",
        Subject::Permit(_) => "permit",
        Subject::BreakGlass(_) => "break-glass",
        Subject::Secret(_) => "secret",
        Subject::Rotation(_) => "rotation",
        Subject::Incident(_) => "incident",
    }
}
