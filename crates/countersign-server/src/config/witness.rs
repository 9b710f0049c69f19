//! `witness.toml`: where a witness listens, where it remembers, its key, and the logs it works for.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use countersign_ledger::checkpoint::MAX_ORIGIN;
use countersign_ledger::note::{SignatureType, VerifierKey};
use serde::Deserialize;

use super::{ConfigError, parse, read};
use crate::secrets::SecretRef;
use crate::witness::Watched;

/// The configuration of a witness.
#[derive(Clone, Debug)]
pub struct WitnessConfig {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The folder in which it remembers; nobody else may use it.
    pub data: PathBuf,
    /// The name of its key, by recommendation a URL without its scheme.
    pub name: String,
    /// Its Ed25519 seed: 32 bytes, base64. One witness, one key: a cosignature does not say whose it is.
    pub key: SecretRef,
    /// The logs it works for.
    pub logs: Vec<Watched>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WitnessFile {
    listen: SocketAddr,
    data: PathBuf,
    name: String,
    key: String,
    #[serde(default)]
    logs: Vec<LogFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogFile {
    /// The name of the first key unless told otherwise.
    origin: Option<String>,
    keys: Vec<String>,
}

impl WitnessConfig {
    /// Reads the file. Relative paths in it are relative to its folder.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        Self::parse(file, &read(file)?)
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        let WitnessFile { listen, data, name, key, logs } = parse(file, text)?;
        let key = SecretRef::parse(&key).map_err(|error| ConfigError::new(file, format!("key: {error}")))?;
        let wrong = |what: String| ConfigError::new(file, format!("logs: {what}"));
        let logs: Vec<Watched> =
            logs.into_iter().map(watched).collect::<Result<_, String>>().map_err(wrong)?;
        let mut origins = BTreeSet::new();
        if let Some(twice) = logs.iter().find(|log| !origins.insert(log.origin.as_str())) {
            return Err(wrong(format!("`{}` is listed twice", twice.origin)));
        }
        let folder = file.parent().unwrap_or(Path::new("."));
        Ok(Self { listen, data: folder.join(data), name, key, logs })
    }
}

fn watched(LogFile { origin, keys }: LogFile) -> Result<Watched, String> {
    let keys = keys.iter().map(|vkey| log_key(vkey)).collect::<Result<Vec<_>, _>>()?;
    let first = keys.first().ok_or("a log needs at least one of `keys`")?;
    let origin = origin.unwrap_or_else(|| first.name().to_owned());
    if origin.is_empty() || origin.len() > MAX_ORIGIN || origin.contains('\n') {
        return Err(format!("`{}` is no origin", origin.escape_debug()));
    }
    Ok(Watched { origin, keys })
}

fn log_key(vkey: &str) -> Result<VerifierKey, String> {
    let key = VerifierKey::parse(vkey).map_err(|error| format!("`{}`: {error}", vkey.escape_debug()))?;
    match key.signature_type() {
        SignatureType::Ed25519 => Ok(key),
        SignatureType::CosignatureV1 => Err(format!("`{vkey}` is a witness' key, not a log's")),
    }
}
