//! The key that signs the log, and replacing it: an event that both keys sign, under the quorum of the policy in force.
//!
//! There is no cryptography here: what the two signatures are over and whether they hold is `countersign_ledger::keys`'s to say. The
//! engine asks it before it appends, recovery and every verification ask it again, so that an entry with a wrong signature stops whoever
//! reads it. What the core sees to is that people agreed to exactly this key, and that keys follow one another and none comes back.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::catalogue::listed;
use crate::context::Context;
use crate::digest::Digest;
use crate::domain::{self, Event, Fact};
use crate::id::ApprovalId;
use crate::log;
use crate::permit::{self, AtOnce};
use crate::state::{LogSubject, State, Subject};
use crate::time::Time;

/// Puts another key in force for the log.
#[derive(Clone, Debug)]
pub struct RotateLogKey {
    /// What both keys have signed.
    pub handover: Handover,
    /// The approval of exactly this key.
    pub approval: ApprovalId,
    /// Digest of the approved parameters, salted as the approval's are.
    pub parameters_sha256: Digest,
}

/// What both keys sign, and their signatures. The text is that of `countersign_ledger::keys`, version 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    /// The key that is replaced, as a vkey.
    pub old_key: String,
    /// The key that replaces it, as a vkey.
    pub new_key: String,
    /// The size of the last checkpoint before it.
    pub size: u64,
    /// The root of that checkpoint.
    pub root: Digest,
    /// The old key's signature, base64.
    pub old_signature: String,
    /// The new key's signature, base64.
    pub new_signature: String,
}

/// `log.key_rotated`: checkpoints that contain this entry are signed by the new key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotated {
    /// The log the handover is of: its origin line.
    pub origin: String,
    /// The key that is replaced, as a vkey.
    pub old_key: String,
    /// The key that replaces it, as a vkey.
    pub new_key: String,
    /// The size of the checkpoint that is handed over.
    pub size: u64,
    /// The root of that checkpoint.
    pub root: Digest,
    /// The old key's signature under the handover, base64.
    pub old_signature: String,
    /// The new key's signature under the handover, base64.
    pub new_signature: String,
    /// The approval it rests on.
    pub approval: ApprovalId,
}

/// A key of the log and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenure {
    /// The key, as a vkey.
    pub key: String,
    /// When it was named.
    pub since: Time,
    /// The number of the entry that names it among the log's own.
    pub subject_seq: u32,
    /// The approval it rests on; none for the first key.
    pub approval: Option<ApprovalId>,
}

/// Why a rotation of the log's key is refused, in order of precedence, after everything that is asked of its approval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The new key is in force already.
    InForce,
    /// The handover is by another key than the one in force.
    NotInForce,
    /// The new key has signed this log before.
    Retired,
}

listed! { Refusal:
    InForce, NotInForce, Retired,
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::InForce => "log_key_in_force",
            Self::NotInForce => "log_key_not_in_force",
            Self::Retired => "log_key_retired",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::InForce => "nothing: `GET /ledger/keys` shows since when",
            Self::NotInForce => "the key was rotated meanwhile: look at `GET /ledger/keys`",
            Self::Retired => "draw a fresh key with `countersign log-key new` and ask for its approval",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InForce => "this key signs the log already",
            Self::NotInForce => "the key that hands over is not the one in force",
            Self::Retired => "this key has signed the log before, and a retired key does not come back",
        })
    }
}

/// The action under which the log's key is replaced: `rotate log-key/main control`.
#[must_use]
pub fn rotation() -> Option<Action> {
    Action::of(["rotate", "log-key/main", "control"])
}

pub(crate) fn rotate(
    state: &State,
    cx: &Context,
    command: &RotateLogKey,
) -> Result<Vec<Event>, domain::Refusal> {
    let action = rotation().ok_or(permit::Refusal::NoRule)?;
    let used = AtOnce::check(state, cx, action, (command.approval, command.parameters_sha256))?;
    let log = state.log().ok_or(log::Refusal::NotInitialised)?;
    let Handover { old_key, new_key, size, root, old_signature, new_signature } = command.handover.clone();
    if new_key == log.log_key {
        return Err(Refusal::InForce.into());
    }
    if old_key != log.log_key {
        return Err(Refusal::NotInForce.into());
    }
    if log.keys.iter().any(|tenure| tenure.key == new_key) {
        return Err(Refusal::Retired.into());
    }
    let (origin, approval) = (log.origin.clone(), command.approval);
    let rotated = Rotated { origin, old_key, new_key, size, root, old_signature, new_signature, approval };
    Ok(used.events(cx, Fact::LogKeyRotated(LogSubject, rotated)))
}

/// The first key, named by `log.created`.
pub(super) fn first(state: &State, event: &Event, key: &str) -> Vec<Tenure> {
    let subject_seq = state.entries_of(&Subject::Log);
    Vec::from([Tenure { key: key.into(), since: event.at, subject_seq, approval: None }])
}

pub(super) fn apply(state: &mut State, event: &Event) {
    let Fact::LogKeyRotated(_, Rotated { new_key, approval, .. }) = &event.fact else { return };
    let subject_seq = state.entries_of(&Subject::Log);
    if let Some(mut log) = state.log().cloned() {
        let (key, approval) = (new_key.clone(), Some(*approval));
        log.log_key.clone_from(new_key);
        log.keys.push(Tenure { key, since: event.at, subject_seq, approval });
        state.set_log(log);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Command;
    use crate::testing::{ANA, BEN, World, parameters, policy};

    fn rotate_to(old: &str, new: &str, approval: ApprovalId) -> Command {
        let handover = Handover {
            old_key: old.into(),
            new_key: new.into(),
            size: 7,
            root: Digest::of(b"root"),
            old_signature: "b2xk".into(),
            new_signature: "bmV3".into(),
        };
        Command::RotateLogKey(RotateLogKey { handover, approval, parameters_sha256: parameters() })
    }

    #[test]
    fn keys_follow_one_another_under_an_approval_each_and_none_comes_back() {
        let mut policy = policy();
        let mut rule = policy.rules[0].clone();
        let action = rotation().unwrap();
        (rule.name, rule.verb) = ("log-key".parse().unwrap(), action.verb.as_str().parse().unwrap());
        rule.resource = action.resource.as_str().parse().unwrap();
        policy.rules.push(rule);
        let mut world = World::with(policy);
        let approved = |world: &mut World| world.approved(action.clone());
        let id = approved(&mut world);
        assert_eq!(world.says(BEN, &rotate_to("key", "next", id)), "not_an_executor");
        assert_eq!(world.says(ANA, &rotate_to("key", "key", id)), "log_key_in_force");
        assert_eq!(world.says(ANA, &rotate_to("other", "next", id)), "log_key_not_in_force");
        let rotated = "approval.consumed log.key_rotated";
        assert_eq!(world.says(ANA, &rotate_to("key", "next", id)), rotated);
        assert_eq!(world.says(ANA, &rotate_to("next", "third", id)), "approval_consumed");
        let id = approved(&mut world);
        assert_eq!(world.says(ANA, &rotate_to("next", "key", id)), "log_key_retired");
        assert_eq!(world.says(ANA, &rotate_to("next", "third", id)), rotated);
        let log = world.state.log().unwrap();
        let keys: Vec<_> = log.keys.iter().map(|tenure| (tenure.key.as_str(), tenure.subject_seq)).collect();
        assert_eq!(keys, [("key", 1), ("next", 2), ("third", 3)]);
        assert_eq!(log.log_key, "third");
        world.assert_replays();
    }
}
