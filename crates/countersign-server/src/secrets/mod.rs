//! Where secret values live and how they change stage: adopt, create, promote, swap back, destroy.
//!
//! A value leaves this module only through [`SecretValue::expose`]. No rule about who may do what is here: the engine decided,
//! the runner calls. Every operation is idempotent, since the runner repeats what it does not know to be done.
//!
//! # Layout
//! - `local`: sealed rows in the ledger's own database
//! - `rows`: the versions of one secret and how they may change
//! - `in_sqlite` `in_postgres`: the rows in either
//! - `sealing`: the authenticated encryption of one value
//! - `reference`: `env:NAME` and `file:/path`, how configuration names a secret without containing it

use std::fmt;

use countersign_core::secret::SecretKey;
use countersign_core::text::Name;
use zeroize::Zeroizing;

mod in_postgres;
mod in_sqlite;
pub mod local;
pub mod reference;
mod rows;
pub mod sealing;

pub use self::local::LocalSecrets;
pub use self::reference::{ReferenceError, SecretRef};
pub use self::sealing::SealingKey;

/// A secret in clear. Wiped from memory when dropped, never printed.
#[derive(Clone)]
pub struct SecretValue(Zeroizing<String>);

impl SecretValue {
    /// Takes a value into custody.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value in clear: for the hook that needs it, never for a message.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether two values are equal, in a time that does not depend on where they differ.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        use subtle::ConstantTimeEq;
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where a version stands in the life of its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Made for a rotation, not yet what senders use.
    Pending,
    /// What senders use. A secret has at most one.
    Current,
    /// Still accepted during an overlap, kept until it is proved refused.
    Previous,
}

impl Stage {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Current => "current",
            Self::Previous => "previous",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Pending, Self::Current, Self::Previous].into_iter().find(|stage| stage.as_str() == word)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a secret store did not do what it was asked. No variant ever holds a value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// What is stored makes the request impossible; repeating it will not help.
    #[error("{0}")]
    Refused(String),
    /// A stored value cannot be opened: another sealing key, or the row was altered or moved.
    #[error(
        "version {version} of {key} cannot be opened: the sealing key is another one, or the stored row was altered"
    )]
    Sealed {
        /// The secret.
        key: SecretKey,
        /// Its version.
        version: u32,
    },
    /// The store cannot answer now: repeat later.
    #[error("the secret store is unavailable: {0}")]
    Unavailable(String),
    /// What is stored contradicts itself: stop.
    #[error("the secret store is corrupt: {0}")]
    Corrupt(String),
}

/// A place that keeps versions of secrets. Calls block: on an asynchronous thread, wrap them in `spawn_blocking`.
pub trait SecretStore: Send + Sync {
    /// Takes the first known value as the current one. The same value again is fine, another one is refused.
    ///
    /// # Errors
    /// `Refused` if the version exists with another value or stage, or another version is current.
    fn adopt(&self, key: &SecretKey, version: u32, value: &SecretValue) -> Result<(), SecretError>;

    /// Stores `fresh` as a pending version, unless this rotation already made one: then that one is returned and `fresh` is
    /// forgotten. Whoever asks twice gets one answer.
    ///
    /// # Errors
    /// `Refused` if the rotation made another version, or another rotation made this version.
    #[expect(
        clippy::too_many_arguments,
        reason = "which secret, which version, for what, and the value: no two belong together"
    )]
    fn create_pending(
        &self,
        key: &SecretKey,
        version: u32,
        rotation: &str,
        fresh: &SecretValue,
    ) -> Result<SecretValue, SecretError>;

    /// Pending becomes current, current becomes previous.
    ///
    /// # Errors
    /// `Refused` unless the version is pending, or current already.
    fn promote(&self, key: &SecretKey, version: u32) -> Result<(), SecretError>;

    /// Previous becomes current again and what was current becomes pending, as before the promotion.
    ///
    /// # Errors
    /// `Refused` unless the version is previous, or current already.
    fn swap_back(&self, key: &SecretKey, version_to_restore: u32) -> Result<(), SecretError>;

    /// Deletes a pending version; one that does not exist counts as deleted.
    ///
    /// # Errors
    /// `Refused` if the version is current or previous.
    fn delete_pending(&self, key: &SecretKey, version: u32) -> Result<(), SecretError>;

    /// Destroys a previous version for good; one that does not exist counts as destroyed.
    ///
    /// # Errors
    /// `Refused` if the version is current or pending.
    fn destroy_previous(&self, key: &SecretKey, version: u32) -> Result<(), SecretError>;

    /// The value of one version, if there is one.
    ///
    /// # Errors
    /// `Sealed` if it cannot be opened.
    fn read(&self, key: &SecretKey, version: u32) -> Result<Option<SecretValue>, SecretError>;

    /// All versions with their stages, ascending.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt`.
    fn versions(&self, key: &SecretKey) -> Result<Vec<(u32, Stage)>, SecretError>;

    /// The names of all secrets of this type in this environment: `sign-in` of `sign-in/x`.
    ///
    /// # Errors
    /// `Unavailable` or `Corrupt`.
    fn of_type(&self, kind: &Name, environment: &Name) -> Result<Vec<SecretKey>, SecretError>;

    /// Destroys every version of a secret that the ledger does not govern; one that does not exist counts as destroyed.
    ///
    /// # Errors
    /// `Refused` if a rotation made a version of it.
    fn forget(&self, key: &SecretKey) -> Result<(), SecretError>;
}
