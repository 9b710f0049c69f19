//! The rules of the key ring: what an order changes, and why it may be refused. Pure.
//!
//! A receiver (the application) accepts and drops versions; a signer (the provider) only switches to one.
//! What has been remembered durably comes in as an argument; `store` keeps it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::order::{Kind, Order};
use crate::{ENVIRONMENT, SECRET, SecretText, Version, VersionedKey};

/// The most versions held at once. Every webhook is checked against all of them, so their number bounds its
/// cost.
pub(crate) const MAX_KEYS: usize = 8;

/// Which side of the signature a program is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Verifies: takes `secret.distribute` and `secret.drop`.
    Receiver,
    /// Signs: takes `secret.promote`.
    Signer,
}

/// The versions a program holds. INVARIANT: never empty once filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyRing {
    pub(crate) keys: BTreeMap<Version, SecretText>,
    /// The version that signs; none on a receiver.
    pub(crate) signing: Option<Version>,
    /// The highest fence of any order obeyed so far.
    pub(crate) fence: i64,
}

impl KeyRing {
    /// The ring of a program that has never been given an order: version 1 only.
    pub(crate) fn first(role: Role, secret: SecretText) -> Self {
        let signing = (role == Role::Signer).then_some(1);
        Self { keys: BTreeMap::from([(1, secret)]), signing, fence: 0 }
    }

    /// The keys, prepared for Stripe's scheme.
    pub(crate) fn prepared(&self) -> Vec<VersionedKey> {
        self.keys.iter().map(|(version, secret)| VersionedKey::new(*version, secret)).collect()
    }
}

/// What the store knows about an order before it is decided.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) ring: KeyRing,
    /// The effect of this id that was obeyed before: digest of the order and the answer given.
    pub(crate) obeyed: Option<([u8; 32], String)>,
    /// Whether this rotation has already dropped this version.
    pub(crate) dropped: bool,
}

/// What is to be committed and answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Obeyed before: the same answer again. The fence may still have grown.
    Repeat { answer: String, fence: i64 },
    /// A new effect, with the ring that holds after it.
    Change { answer: String, ring: KeyRing },
}

/// Why an order is refused, in order of precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("this program does not take orders of this type")]
    Unsupported,
    #[error("this program does not hold that secret in that environment")]
    UnknownSecret,
    #[error("this effect was obeyed before with other contents")]
    EffectReused,
    #[error("an order with a higher fence has already been obeyed")]
    StaleFence,
    #[error("this rotation has already dropped that version")]
    VersionDropped,
    #[error("that version is already held with another value")]
    VersionConflict,
    #[error("as many versions as allowed are already held")]
    TooManyKeys,
    #[error("dropping the last accepted key would refuse every genuine webhook")]
    LastKey,
}

impl Refusal {
    /// The stable code for programs.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Unsupported => "unsupported",
            Self::UnknownSecret => "unknown_secret",
            Self::EffectReused => "effect_reused",
            Self::StaleFence => "stale_fence",
            Self::VersionDropped => "version_dropped",
            Self::VersionConflict => "version_conflict",
            Self::TooManyKeys => "too_many_keys",
            Self::LastKey => "last_key",
        }
    }
}

#[derive(Serialize)]
struct Acknowledgement<'a> {
    acknowledged: &'a str,
    fence: i64,
    versions: Vec<Version>,
}

/// Decides one order.
///
/// A repeated effect is answered even under an older fence, because it changes nothing any more; only a *new*
/// effect can be stale. A version its rotation dropped stays dropped, so a delayed `secret.distribute` cannot
/// bring it back.
pub(crate) fn decide(role: Role, known: Known, order: &Order) -> Result<Decision, Refusal> {
    match (role, order.kind) {
        (Role::Receiver, Kind::Distribute | Kind::Drop) | (Role::Signer, Kind::Promote) => {}
        _ => return Err(Refusal::Unsupported),
    }
    if order.secret != SECRET || order.environment != ENVIRONMENT {
        return Err(Refusal::UnknownSecret);
    }
    let Known { mut ring, obeyed, dropped } = known;
    if let Some((digest, answer)) = obeyed {
        let repeat = Decision::Repeat { answer, fence: ring.fence.max(order.fence) };
        return if digest == order.digest() { Ok(repeat) } else { Err(Refusal::EffectReused) };
    }
    if order.fence < ring.fence {
        return Err(Refusal::StaleFence);
    }
    match &order.value {
        Some(_) if dropped => return Err(Refusal::VersionDropped),
        Some(value) => add(&mut ring, order.version, value)?,
        None if ring.keys.len() == 1 && ring.keys.contains_key(&order.version) => {
            return Err(Refusal::LastKey);
        }
        None => {
            ring.keys.remove(&order.version);
        }
    }
    ring.fence = order.fence;
    let versions = ring.keys.keys().copied().collect();
    let answer = Acknowledgement { acknowledged: &order.effect, fence: order.fence, versions };
    Ok(Decision::Change { answer: serde_json::json!(answer).to_string(), ring })
}

/// Takes a version in. A signer also starts signing with it, and forgets its oldest when it holds too many.
fn add(ring: &mut KeyRing, version: Version, value: &SecretText) -> Result<(), Refusal> {
    match ring.keys.get(&version) {
        Some(held) if held != value => return Err(Refusal::VersionConflict),
        None if ring.keys.len() >= MAX_KEYS && ring.signing.is_none() => return Err(Refusal::TooManyKeys),
        _ => {}
    }
    ring.keys.insert(version, value.clone());
    if let Some(previous) = ring.signing {
        ring.signing = Some(version);
        let oldest = ring.keys.keys().copied().find(|held| *held != version && *held != previous);
        if let Some(oldest) = oldest.filter(|_| ring.keys.len() > MAX_KEYS) {
            ring.keys.remove(&oldest);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
