//! `[store]`: which PostgreSQL keeps the ledger, if it is not kept in a file of the data folder.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::ConfigError;
use super::node::reference;
use crate::secrets::SecretRef;
use crate::store::postgres::Address;

/// A PostgreSQL that several nodes may share.
#[derive(Clone, Debug)]
pub struct PostgresConfig {
    /// Where it is and who signs in.
    pub address: Address,
    /// With which password, unless none is asked for.
    pub password: Option<SecretRef>,
    /// PEM: the certificates to trust; without it those that the machine trusts.
    pub ca: Option<PathBuf>,
}

/// The section.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoreFile {
    postgres: Option<String>,
    password: Option<String>,
    ca: Option<PathBuf>,
}

/// Reads the section; paths are relative to the file's folder.
pub(super) fn read(file: &Path, store: StoreFile) -> Result<Option<PostgresConfig>, ConfigError> {
    let StoreFile { postgres, password, ca } = store;
    let Some(text) = postgres else {
        return match (password, ca) {
            (None, None) => Ok(None),
            _ => Err(ConfigError::new(
                file,
                "store: `password` and `ca` are for `postgres`, which is not named",
            )),
        };
    };
    let address =
        Address::parse(&text).map_err(|error| ConfigError::new(file, format!("store.postgres: {error}")))?;
    let password = password.map(|text| reference(file, ("store.password", &text))).transpose()?;
    if ca.is_some() && !address.is_encrypted() {
        let what =
            "store.ca: this machine is talked to in clear; say `sslmode=verify-full` to use certificates";
        return Err(ConfigError::new(file, what));
    }
    let folder = file.parent().unwrap_or(Path::new("."));
    Ok(Some(PostgresConfig { address, password, ca: ca.map(|ca| folder.join(ca)) }))
}
