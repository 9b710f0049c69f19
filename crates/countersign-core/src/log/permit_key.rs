//! The key that signs permit documents: the log says which one it is, so that everybody can look it up and nobody can slip in another.
//!
//! The node writes it down when the key at hand is not the one on record. It is not a right: a permit counts because of its entry and of
//! the votes behind it, and the document only carries them to whoever checks them offline.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::catalogue::listed;
use crate::context::{Actor, Context};
use crate::domain::{self, Event, Fact};
use crate::log;
use crate::state::{LogSubject, State};

/// Names the key that signs permit documents from now on.
#[derive(Clone, Debug)]
pub struct NamePermitKey {
    /// The public key, as a vkey.
    pub key: String,
}

/// `log.permit_key_named`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The public key, as a vkey.
    pub key: String,
}

/// Why a permit key is refused, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Only the node holds such a key.
    NotTheNode,
    /// The key is on record already.
    OnRecord,
}

listed! { Refusal:
    NotTheNode, OnRecord,
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotTheNode => "not_the_node",
            Self::OnRecord => "permit_key_on_record",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotTheNode => "name the key as `permit_key` in the node's configuration and restart it",
            Self::OnRecord => "nothing: documents are signed with it",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotTheNode => "only the node says which key signs permit documents",
            Self::OnRecord => "this key signs permit documents already",
        })
    }
}

pub(crate) fn name(
    state: &State,
    cx: &Context,
    command: &NamePermitKey,
) -> Result<Vec<Event>, domain::Refusal> {
    if cx.actor != Actor::Node {
        return Err(Refusal::NotTheNode.into());
    }
    let log = state.log().ok_or(log::Refusal::NotInitialised)?;
    if log.permit_key.as_ref() == Some(&command.key) {
        return Err(Refusal::OnRecord.into());
    }
    let named = Fact::LogPermitKeyNamed(LogSubject, Named { key: command.key.clone() });
    Ok(Vec::from([Event::new(cx, cx.correlation, None, named)]))
}

pub(super) fn apply(state: &mut State, event: &Event) {
    let Fact::LogPermitKeyNamed(_, Named { key }) = &event.fact else { return };
    if let Some(mut log) = state.log().cloned() {
        log.permit_key = Some(key.clone());
        state.set_log(log);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Command;
    use crate::testing::{ANA, World};

    #[test]
    fn the_node_names_a_key_when_it_is_another_one() {
        let mut world = World::new();
        let name = |key: &str| Command::NamePermitKey(NamePermitKey { key: key.into() });
        assert_eq!(world.says(ANA, &name("first")), "not_the_node");
        assert_eq!(world.says(Actor::Node, &name("first")), "log.permit_key_named");
        assert_eq!(world.says(Actor::Node, &name("first")), "permit_key_on_record");
        assert_eq!(world.says(Actor::Node, &name("second")), "log.permit_key_named");
        assert_eq!(world.state.log().and_then(|log| log.permit_key.as_deref()), Some("second"));
        world.assert_replays();
    }
}
