//! `[issuers.NAME]`: whose tokens the node believes, for which audience, and where their keys are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use countersign_core::text::Name;
use reqwest::Url;
use serde::Deserialize;

use super::ConfigError;
use super::node::url;

/// An issuer of tokens that are not ours.
#[derive(Clone, Debug)]
pub struct IssuerConfig {
    /// Where it is.
    pub issuer: Url,
    /// The same as it is written, which is what its tokens must say: a link has several spellings, an issuer has one.
    pub spelling: String,
    /// What its tokens must name as their audience.
    pub audience: String,
    /// A file with its keys, for an issuer that this machine does not reach.
    pub jwks_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IssuerFile {
    issuer: String,
    audience: String,
    jwks_file: Option<PathBuf>,
}

/// Reads what the file says of issuers.
pub(super) fn read(
    file: &Path,
    raw: BTreeMap<Name, IssuerFile>,
) -> Result<BTreeMap<Name, IssuerConfig>, ConfigError> {
    let mut issuers: BTreeMap<Name, IssuerConfig> = BTreeMap::new();
    for (name, IssuerFile { issuer: spelling, audience, jwks_file }) in raw {
        let wrong = |what: String| ConfigError::new(file, format!("issuers.{name}.{what}"));
        let issuer = url(file, (&format!("issuers.{name}.issuer"), &spelling))?;
        if issuer.query().is_some() || issuer.fragment().is_some() {
            return Err(wrong("issuer: an issuer has no query and no fragment".to_owned()));
        }
        if audience.trim().is_empty() {
            return Err(wrong(
                "audience: name what its tokens are for, as in `https://countersign.example`".to_owned(),
            ));
        }
        if let Some((other, _)) = issuers.iter().find(|(_, known)| known.spelling == spelling) {
            return Err(wrong(format!("issuer: `{other}` is the same issuer")));
        }
        let folder = file.parent().unwrap_or(Path::new("."));
        let jwks_file = jwks_file.map(|path| folder.join(path));
        issuers.insert(name, IssuerConfig { issuer, spelling, audience, jwks_file });
    }
    Ok(issuers)
}
