//! How a history is changed: a field, an actor, an event left out, doubled or moved, time.

use countersign_core::{Event, Fact};
use serde_json::Value;

use crate::book::entry;
use crate::stage;

/// One change, at an event or beside it.
#[derive(Clone, Copy)]
pub(super) enum Lie {
    /// Another value at a place of the entry.
    Set(&'static str, &'static str),
    /// The event did not happen.
    Drop,
    /// It happened twice.
    Double,
    /// What happened so many events away happens here (too), before it.
    Repeat(isize),
    /// It happens so many events later.
    Later(usize),
    /// It and all that follows happens so many milliseconds later.
    Since(i64),
    /// Anything else.
    Change(fn(&mut Event)),
}

/// The history with the lies told, each so many events from the one at `index`.
pub(super) fn forged(mut history: Vec<Event>, index: usize, lies: &[(isize, Lie)]) -> Vec<Event> {
    for (offset, lie) in lies {
        let at = index.strict_add_signed(*offset);
        match *lie {
            Lie::Set(place, value) => {
                history[at] = with(&history[at], place, &json(value)).expect("it decodes");
            }
            Lie::Drop => drop(history.remove(at)),
            Lie::Double => history.insert(at, history[at].clone()),
            Lie::Repeat(away) => {
                let mut event = history[at.strict_add_signed(away)].clone();
                event.at = history[at].at;
                history.insert(at, event);
            }
            Lie::Later(by) => {
                let event = history.remove(at);
                history.insert(at + by, event);
            }
            Lie::Since(millis) => {
                history[at..].iter_mut().for_each(|event| event.at = event.at.plus_millis(millis));
            }
            Lie::Change(change) => change(&mut history[at]),
        }
    }
    history
}

/// JSON, or a text that need not be quoted.
fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// The event with another value at a place of its entry, if that still decodes.
pub(super) fn with(event: &Event, place: &str, value: &Value) -> Option<Event> {
    let mut entry = entry(event, 1);
    match entry.pointer_mut(place) {
        Some(found) => *found = value.clone(),
        None => entry[place.trim_start_matches('/')] = value.clone(),
    }
    decoded(&entry)
}

/// The event of an entry, with its policy if the stage has it.
fn decoded(entry: &Value) -> Option<Event> {
    let text = |key: &str| entry[key].as_str();
    let fact = Fact::decode(text("kind")?, text("subject")?, &entry["data"]).ok()?;
    let environment = match &entry["environment"] {
        Value::Null => None,
        name => Some(name.as_str()?.parse().ok()?),
    };
    let mut event = Event {
        at: text("time")?.parse().ok()?,
        actor: text("actor")?.parse().ok()?,
        correlation: text("correlation")?.parse().ok()?,
        environment,
        fact,
    };
    if let Some(digest) = event.unresolved() {
        let mut known = stage::known_policies().into_iter();
        if let Some(policy) = known.find(|policy| stage::policy_digest(policy) == digest) {
            event.resolve(policy);
        }
    }
    Some(event)
}
