//! `policy.toml`: read, checked by itself, and written in the canonical form that the ledger keeps.
//!
//! Comments stay in the file: the ledger's blob holds ids and numbers, never names of people.

use std::path::Path;

use countersign_core::digest::Digest;
use countersign_core::policy::Policy;
use countersign_ledger::json::{self, JsonError};

use super::{ConfigError, parse, read};

/// Reads a policy file.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn load_policy(file: &Path) -> Result<Policy, ConfigError> {
    parse_policy(file, &read(file)?)
}

/// Reads a policy file's text.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn parse_policy(file: &Path, text: &str) -> Result<Policy, ConfigError> {
    let policy: Policy = parse(file, text)?;
    match policy.flaws().first() {
        Some(flaw) => Err(ConfigError::new(file, flaw.to_string())),
        None => Ok(policy),
    }
}

/// The bytes the ledger keeps of a policy, and their SHA-256.
///
/// # Errors
/// The policy holds something strict JSON cannot: it cannot come from a policy file.
pub fn canonical_policy(policy: &Policy) -> Result<(Digest, Vec<u8>), JsonError> {
    let bytes = json::to_canonical(policy)?;
    Ok((Digest::of(&bytes), bytes))
}
