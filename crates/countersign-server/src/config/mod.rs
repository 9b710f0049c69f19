//! The node's file (`countersign.toml`), the policy's (`policy.toml`) and a witness' (`witness.toml`), read strictly.
//!
//! What is not understood is rejected with the file, the line and, for an unknown key, the nearest known one. Secrets stand in
//! neither file, only references to them.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

mod issuers;
mod node;
mod policy;
mod providers;
mod public;
mod store;
mod tls;
mod witness;
mod witnesses;

pub use issuers::IssuerConfig;
pub use node::{Endpoint, NodeConfig, ProofNonce, is_loopback, is_loopback_host};
pub use policy::{Draft, canonical_policy, draft_policy, load_policy, parse_policy};
pub use providers::ProviderConfig;
pub use public::PublicUrl;
pub use store::PostgresConfig;
pub use tls::TlsConfig;
pub use witness::WitnessConfig;
pub use witnesses::{WitnessEndpoint, Witnesses};

/// What is wrong with a configuration file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{}: {what}", file.display(), line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1, where one can be named.
    pub line: Option<usize>,
    /// What is wrong and what would be right.
    pub what: String,
}

impl ConfigError {
    fn new(file: &Path, what: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, what: what.into() }
    }
}

fn read(file: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(file).map_err(|error| ConfigError::new(file, format!("cannot be read: {error}")))
}

fn parse<T: DeserializeOwned>(file: &Path, text: &str) -> Result<T, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| line_of(text, span.start));
        ConfigError { line, ..ConfigError::new(file, in_words(error.message())) }
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// The parser's complaint in words that say what would be right.
fn in_words(message: &str) -> String {
    match message.split_once(", expected a nonzero") {
        Some((before, _)) => format!("{before}, expected 1 or more"),
        None => with_nearest(message),
    }
}

/// Adds the nearest known key to a complaint about an unknown one.
pub(crate) fn with_nearest(message: &str) -> String {
    let Some((before, rest)) = message.split_once("unknown field `") else { return message.to_owned() };
    let Some((unknown, expected)) = rest.split_once('`') else { return message.to_owned() };
    let known = expected.split('`').skip(1).step_by(2);
    let nearest = known.min_by_key(|key| strsim::damerau_levenshtein(unknown, key));
    match nearest {
        Some(nearest) => format!("{before}unknown key `{unknown}`; did you mean `{nearest}`?"),
        None => format!("{before}unknown key `{unknown}`"),
    }
}
