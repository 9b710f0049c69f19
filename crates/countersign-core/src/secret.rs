//! Governed secrets as the ledger knows them: which version is current, and which rotation holds the secret. Never a value.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::action::Resource;
use crate::domain::{Event, Fact};
use crate::id::RotationId;
use crate::state::State;
use crate::text::{FromStrVisitor, Name};
use crate::time::Time;

/// Names one secret in one environment: `secret:webhook-signing/stripe@production`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretKey {
    /// The secret.
    pub resource: Resource,
    /// Where it is used.
    pub environment: Name,
}

impl fmt::Display for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret:{}@{}", self.resource, self.environment)
    }
}

/// A text does not name a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretKeyError(String);

impl fmt::Display for SecretKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a secret of the form `secret:type/name@environment`", self.0.escape_debug())
    }
}

impl core::error::Error for SecretKeyError {}

impl FromStr for SecretKey {
    type Err = SecretKeyError;

    fn from_str(text: &str) -> Result<Self, SecretKeyError> {
        let parts = text.strip_prefix("secret:").and_then(|rest| rest.split_once('@'));
        let parsed = parts.and_then(|(resource, environment)| {
            Some(Self { resource: resource.parse().ok()?, environment: environment.parse().ok()? })
        });
        parsed.ok_or_else(|| SecretKeyError(text.to_string()))
    }
}

impl Serialize for SecretKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SecretKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(FromStrVisitor::new())
    }
}

/// `secret.adopted`: a present value was put into the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// Its version.
    pub version: u32,
}

/// `secret.reserved`: a rotation holds the secret and a version number is taken for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserved {
    /// The rotation.
    pub rotation: RotationId,
    /// The version it will make.
    pub version: u32,
}

/// `secret.promoted`: the new version is current.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promoted {
    /// The rotation.
    pub rotation: RotationId,
    /// The version that is current now.
    pub version: u32,
}

/// `secret.settled`: the rotation let go of the secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// The rotation.
    pub rotation: RotationId,
    /// The version that is current now.
    pub version: u32,
    /// The version that no longer exists.
    pub destroyed: u32,
}

/// A governed secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// The secret.
    pub key: SecretKey,
    /// The version that signers use.
    pub current: u32,
    /// The highest version number ever taken; numbers are never used twice.
    pub highest: u32,
    /// The rotation that holds it.
    pub rotation: Option<RotationId>,
    /// Since when the current version is current.
    pub promoted_at: Time,
}

impl Secret {
    /// The state in one word.
    #[must_use]
    pub fn status(&self) -> &'static str {
        if self.rotation.is_some() { "rotating" } else { "settled" }
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        None
    }

    pub(crate) fn is_finished(&self) -> bool {
        false
    }
}

pub(crate) fn apply(state: &mut State, event: &Event) {
    match &event.fact {
        Fact::SecretAdopted(key, Adopted { version }) => {
            let secret = Secret {
                key: key.clone(),
                current: *version,
                highest: *version,
                rotation: None,
                promoted_at: event.at,
            };
            state.put(key.clone(), secret);
        }
        Fact::SecretReserved(key, Reserved { rotation, version }) => state.change::<Secret>(key, |secret| {
            secret.rotation = Some(*rotation);
            secret.highest = secret.highest.max(*version);
        }),
        Fact::SecretPromoted(key, Promoted { version, .. }) => state.change::<Secret>(key, |secret| {
            secret.current = *version;
            secret.promoted_at = event.at;
        }),
        Fact::SecretSettled(key, Settled { version, .. }) => state.change::<Secret>(key, |secret| {
            secret.current = *version;
            secret.rotation = None;
        }),
        _ => {}
    }
}
