//! `[server.tls]`: which certificate the node shows to whoever connects, and where its key is.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::ConfigError;
use super::node::reference;
use crate::secrets::SecretRef;

/// The certificate the node shows, and its key. Both are read again while the node runs.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    /// PEM: the node's own certificate first, then those that lead to a root.
    pub certificate: PathBuf,
    /// PEM: the private key of the first certificate.
    pub key: SecretRef,
}

/// The section `[server]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerFile {
    tls: Option<TlsFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsFile {
    certificate: PathBuf,
    key: String,
}

/// Reads the section; paths are relative to the file's folder.
pub(super) fn read(file: &Path, server: ServerFile) -> Result<Option<TlsConfig>, ConfigError> {
    let Some(tls) = server.tls else { return Ok(None) };
    let folder = file.parent().unwrap_or(Path::new("."));
    let key = reference(file, ("server.tls.key", &tls.key))?;
    Ok(Some(TlsConfig { certificate: folder.join(tls.certificate), key }))
}
