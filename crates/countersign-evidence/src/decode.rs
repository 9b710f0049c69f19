//! From leaves to events. A kind of event that this version does not know is an error: nobody may guess what it means.

use countersign_core::policy::Policy;
use countersign_core::{Event, Fact};
use countersign_ledger::entry::{EntryError, EntryView};
use countersign_ledger::hash::sha256;

/// Why a leaf cannot be read as an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The leaf is not an entry.
    #[error(transparent)]
    Leaf(#[from] EntryError),
    /// A member of the envelope or the data do not fit, or the kind is unknown to this version.
    #[error("{0}")]
    Event(String),
    /// The policy the entry refers to is missing, altered, or cannot be read.
    #[error("the policy it refers to is missing or altered")]
    Policy,
}

/// The event of an entry; a policy it refers to is still to be [resolved](resolve).
///
/// # Errors
/// The data do not fit the kind, or the kind is unknown to this version.
pub fn event(view: &EntryView<'_>) -> Result<Event, DecodeError> {
    fn unfit(error: impl std::fmt::Display) -> DecodeError {
        DecodeError::Event(error.to_string())
    }
    let data = &mut serde_json::Deserializer::from_str(view.data);
    Ok(Event {
        at: view.time.parse().map_err(unfit)?,
        actor: view.actor.parse().map_err(unfit)?,
        correlation: view.correlation.parse().map_err(unfit)?,
        environment: view.environment.map(str::parse).transpose().map_err(unfit)?,
        fact: Fact::decode(view.kind, view.subject, data).map_err(unfit)?,
    })
}

/// Gives the event the policy it refers to, if it refers to one: `blob` is what is kept under the policy's digest.
///
/// # Errors
/// The blob is missing or is not what the digest names.
pub fn resolve(event: &mut Event, blob: Option<&[u8]>) -> Result<(), DecodeError> {
    let Some(digest) = event.unresolved() else { return Ok(()) };
    let bytes = blob.filter(|bytes| sha256(bytes).0 == digest.0).ok_or(DecodeError::Policy)?;
    event.resolve(serde_json::from_slice::<Policy>(bytes).map_err(|_| DecodeError::Policy)?);
    Ok(())
}
