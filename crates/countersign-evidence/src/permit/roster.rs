//! The roster that whoever checks permits has pinned: the policy, and the voting keys of the people it names.
//!
//! It is exported from a node once and looked at by people before it is put in place; afterwards the node is not asked. So it ages, and
//! whoever checks sets a bound to that.

use std::collections::BTreeMap;

use countersign_core::digest::Digest;
use countersign_core::id::PersonId;
use countersign_core::policy::Policy;
use countersign_core::time::Time;
use countersign_ledger::json;
use serde::{Deserialize, Serialize};

use crate::votes::VotingKey;

/// What a roster says of itself.
pub const ROSTER_TYPE: &str = "countersign/roster/v1";

/// Policy and voting keys as of one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roster {
    /// [`ROSTER_TYPE`].
    #[serde(rename = "_type")]
    pub kind: String,
    /// The log whose policy it is: its origin line.
    pub log: String,
    /// When it was exported.
    pub exported_at: Time,
    /// The policy in force then.
    pub policy: Policy,
    /// SHA-256 of its canonical bytes.
    pub policy_sha256: Digest,
    /// The voting keys in force then, of each person, as they stand on record: SSH keys in base64, passkeys as JSON.
    pub keys: BTreeMap<PersonId, Vec<String>>,
}

/// Why a file is no roster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RosterError {
    /// It has another form.
    #[error("the roster has another form: {0}")]
    Form(String),
    /// It is of another version.
    #[error("it says that it is `{0}`, not `countersign/roster/v1`")]
    Kind(String),
    /// The policy is not the one its digest names.
    #[error("the roster's policy is not the one whose digest it names")]
    Policy,
    /// A key cannot be read.
    #[error("a voting key of `{0}` cannot be read")]
    Key(PersonId),
    /// A key is named twice: one signature would count for two people.
    #[error("`{0}` has a key that somebody has already")]
    SharedKey(PersonId),
}

impl Roster {
    /// Reads a roster.
    ///
    /// # Errors
    /// Any [`RosterError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, RosterError> {
        let form = |error: &dyn std::fmt::Display| RosterError::Form(error.to_string());
        json::validate(bytes).map_err(|error| form(&error))?;
        let roster: Self = serde_json::from_slice(bytes).map_err(|error| form(&error))?;
        if roster.kind != ROSTER_TYPE {
            return Err(RosterError::Kind(roster.kind.escape_debug().to_string()));
        }
        let policy = json::to_canonical(&roster.policy).map_err(|error| form(&error))?;
        if Digest::of(&policy) != roster.policy_sha256 {
            return Err(RosterError::Policy);
        }
        let mut seen = std::collections::BTreeSet::new();
        for (person, keys) in &roster.keys {
            for key in keys {
                let key = VotingKey::from_record(key).map_err(|_| RosterError::Key(*person))?;
                if !seen.insert(key.identity().to_vec()) {
                    return Err(RosterError::SharedKey(*person));
                }
            }
        }
        Ok(roster)
    }

    /// Whether the person has this key.
    #[must_use]
    pub fn has(&self, person: PersonId, key: &VotingKey) -> bool {
        let keys = self.keys.get(&person).into_iter().flatten();
        key.to_record().is_ok_and(|key| keys.into_iter().any(|held| *held == key.key))
    }
}
