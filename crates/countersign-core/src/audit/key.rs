//! The keys that sign the log follow one another, each under an approval, and none comes back.
//!
//! Whether the two signatures under a handover hold is for the ledger to say, as for every other signature.

use super::violation::Breach;
use super::{Auditor, Verdict, must};
use crate::action::Action;
use crate::domain::{Event, Fact};
use crate::log::Created;
use crate::text::Name;

/// What a key is replaced under.
const ROTATE: [&str; 3] = ["rotate", "log-key/main", "control"];

/// Whether the action is the replacement of the log's key.
pub(super) fn is_handing_over(action: &Action) -> bool {
    [action.verb.as_str(), action.resource.as_str(), action.environment.as_str()] == ROTATE
}

/// The log's name and its keys so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    origin: alloc::string::String,
    /// The one in force last.
    keys: alloc::vec::Vec<alloc::string::String>,
}

impl Keys {
    pub(super) fn begun(created: &Created) -> Self {
        Self { origin: created.origin.clone(), keys: [created.log_key.clone()].into() }
    }
}

impl Auditor {
    pub(super) fn key_rotated(&mut self, event: &Event, is_owed: bool) -> Verdict {
        let Fact::LogKeyRotated(_, rotated) = &event.fact else { return Err(Breach::Unprompted) };
        must(is_owed, Breach::Unprompted)?;
        let [.., environment] = ROTATE;
        must(event.environment.as_ref().map(Name::as_str) == Some(environment), Breach::WrongEnvironment)?;
        let Keys { origin, keys } = &mut self.keys;
        must(rotated.origin == *origin, Breach::OtherLog)?;
        must(keys.last() == Some(&rotated.old_key), Breach::OtherKey)?;
        must(!keys.contains(&rotated.new_key), Breach::KeyComesBack)?;
        keys.push(rotated.new_key.clone());
        Ok(())
    }
}
