//! `policy.toml`: read, checked by itself, and written in the canonical form that the ledger keeps.
//!
//! Comments stay in the file: the ledger's blob holds ids and numbers, never names of people.

use std::path::Path;

use countersign_core::digest::Digest;
use countersign_core::policy::Policy;
use countersign_ledger::json::{self, JsonError};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{ConfigError, line_of, parse, read};

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

/// A policy file as it is, flawed or not, for telling everything that is to be said about it.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What it says.
    pub policy: Policy,
    text: String,
}

/// Reads a policy file without judging it.
///
/// # Errors
/// The file cannot be read as a policy at all.
pub fn draft_policy(file: &Path) -> Result<Draft, ConfigError> {
    let text = read(file)?;
    Ok(Draft { policy: parse(file, &text)?, text })
}

impl Draft {
    /// The line, from 1, of a place as flaws and findings name it: `rules.payout.quorum`, `groups.finance`.
    ///
    /// Of several rules, `rules.first+second.quorum`, it is the first; where the field itself is not written, what it belongs to.
    #[must_use]
    pub fn line(&self, place: &str) -> Option<usize> {
        let table = DeTable::parse(&self.text).ok()?;
        let (head, rest) = place.split_once('.').map_or((place, ""), |(head, rest)| (head, rest));
        let (key, value) = table.get_ref().get_key_value(head)?;
        let start = within(value, rest).unwrap_or_else(|| key.span().start);
        Some(line_of(&self.text, start))
    }
}

/// Where the rest of a place begins inside a value.
fn within(value: &Spanned<DeValue<'_>>, rest: &str) -> Option<usize> {
    if rest.is_empty() {
        return None;
    }
    match value.get_ref() {
        // Resources and endpoints may hold points; names of rules and groups cannot.
        DeValue::Array(items) => {
            let (names, field) = rest.split_once('.').unwrap_or((rest, ""));
            let name = names.split('+').next()?;
            let item = items.iter().find(|item| is_called(item, name))?;
            within(item, field).or_else(|| Some(item.span().start))
        }
        DeValue::Table(table) => {
            let (head, rest) = rest.split_once('.').unwrap_or((rest, ""));
            let (key, value) = table.get_key_value(head)?;
            within(value, rest).or_else(|| Some(key.span().start))
        }
        _ => None,
    }
}

fn is_called(item: &Spanned<DeValue<'_>>, name: &str) -> bool {
    let DeValue::Table(table) = item.get_ref() else { return false };
    table.get("name").and_then(|value| value.get_ref().as_str()) == Some(name)
}

/// The bytes the ledger keeps of a policy, and their SHA-256.
///
/// # Errors
/// The policy holds something strict JSON cannot: it cannot come from a policy file.
pub fn canonical_policy(policy: &Policy) -> Result<(Digest, Vec<u8>), JsonError> {
    let bytes = json::to_canonical(policy)?;
    Ok((Digest::of(&bytes), bytes))
}
