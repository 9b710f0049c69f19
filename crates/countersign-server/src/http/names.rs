//! People's names. They live in redactable details, never in state, so they are read from there and remembered while the node runs.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use countersign_api::{PersonRef, problem};
use countersign_core::id::PersonId;
use countersign_core::policy::Missing;

use crate::engine::{Engine, EngineError};
use crate::store::{Reader, StoreError};

/// Names that are known.
pub(super) type Known = BTreeMap<PersonId, String>;

/// Remembers names.
#[derive(Default)]
pub(super) struct Names {
    known: RwLock<Known>,
}

impl Names {
    /// The names of everybody enrolled, as far as they are not redacted.
    pub(super) async fn all(&self, engine: &Engine) -> Result<Known, EngineError> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        let state = engine.state();
        let unknown: Vec<PersonId> =
            state.people().map(|(id, _)| *id).filter(|id| !known.contains_key(id)).collect();
        if unknown.is_empty() {
            return Ok(known);
        }
        let found = engine.read(move |reader| fetch(reader, &unknown)).await?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.extend(found);
        Ok(known.clone())
    }
}

fn fetch(reader: &mut dyn Reader, people: &[PersonId]) -> Result<Known, StoreError> {
    let mut found = Known::new();
    for person in people {
        let enrolled = reader.entries_of(&person.to_string(), 0, 1)?;
        let details = match enrolled.first() {
            Some(entry) => reader.details(entry.index)?,
            None => None,
        };
        let object =
            details.and_then(|details| serde_json::from_slice::<serde_json::Value>(&details.body).ok());
        if let Some(name) = object.as_ref().and_then(|object| object["name"].as_str()) {
            found.insert(*person, name.to_owned());
        }
    }
    Ok(found)
}

pub(super) fn person(id: PersonId, known: &Known) -> PersonRef {
    PersonRef { id: id.to_string(), name: known.get(&id).cloned() }
}

pub(super) fn missing(missing: &[Missing], known: &Known) -> Vec<problem::Missing> {
    let one = |missing: &Missing| problem::Missing {
        group: missing.group.to_string(),
        needed: missing.needed,
        could: missing.could.iter().map(|id| person(*id, known)).collect(),
    };
    missing.iter().map(one).collect()
}
