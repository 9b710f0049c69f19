//! People's names. They live in redactable details, never in state, so they are read from there and remembered until something happens
//! to the log itself: that may be the redaction of a name.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use countersign_api::{PersonRef, problem};
use countersign_core::id::PersonId;
use countersign_core::policy::Missing;
use countersign_core::{State, Subject};

use crate::engine::Engine;
use crate::store::{Reader, StoreError};

/// People whose name was looked up; none where it is redacted.
pub(super) type Known = BTreeMap<PersonId, Option<String>>;

/// Remembers names.
#[derive(Default)]
pub(super) struct Names {
    remembered: ArcSwap<Remembered>,
}

#[derive(Default)]
struct Remembered {
    /// Entries about the log itself when the names were asked for: with another one, all are forgotten.
    log_entries: u32,
    known: Arc<Known>,
}

impl Names {
    /// The names of everybody enrolled, as far as they can be read now: an answer without a name is better than none.
    ///
    /// People are never removed, so as many names as people means that nothing is new; that is all a busy node ever does here.
    pub(super) async fn all(&self, engine: &Engine) -> Arc<Known> {
        let (known, log_entries, unknown) = match self.enough(&engine.glimpse()) {
            Ok(known) => return known,
            Err(lacking) => lacking,
        };
        match engine.read(move |reader| fetch(reader, &unknown)).await {
            Ok(found) => {
                let mut all = Known::clone(&known);
                all.extend(found);
                let known = Arc::new(all);
                self.remembered.store(Arc::new(Remembered { log_entries, known: Arc::clone(&known) }));
                known
            }
            Err(error) => {
                tracing::warn!(%error, "names could not be read");
                known
            }
        }
    }
}

impl Names {
    /// What is remembered if it is enough; otherwise what is still good of it, as of how many entries, and who is unknown.
    fn enough(&self, state: &State) -> Result<Arc<Known>, (Arc<Known>, u32, Vec<PersonId>)> {
        let log_entries = state.entries_of(&Subject::Log);
        let remembered = self.remembered.load();
        let known = match &**remembered {
            fresh if fresh.log_entries == log_entries => Arc::clone(&fresh.known),
            _ => Arc::default(),
        };
        if known.len() == headcount(state) {
            return Ok(known);
        }
        let unknown = state.people().map(|(id, _)| *id).filter(|id| !known.contains_key(id)).collect();
        Err((known, log_entries, unknown))
    }
}

fn headcount(state: &State) -> usize {
    state.live().into_iter().find_map(|(kind, count)| (kind == "person").then_some(count)).unwrap_or(0)
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
        let name = object.as_ref().and_then(|object| object["name"].as_str());
        found.insert(*person, name.map(ToOwned::to_owned));
    }
    Ok(found)
}

pub(super) fn person(id: PersonId, known: &Known) -> PersonRef {
    PersonRef { id: id.to_string(), name: known.get(&id).cloned().flatten() }
}

pub(super) fn missing(missing: &[Missing], known: &Known) -> Vec<problem::Missing> {
    let one = |missing: &Missing| problem::Missing {
        group: missing.group.to_string(),
        needed: missing.needed,
        could: missing.could.iter().map(|id| person(*id, known)).collect(),
    };
    missing.iter().map(one).collect()
}
