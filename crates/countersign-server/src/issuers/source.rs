//! Where an issuer's keys come from: its discovery document and the key set that names (`OpenID` Connect Discovery 1.0), or a file.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_ledger::json;
use reqwest::{Client, Url, header};
use serde_json::Value;

use super::endpoints::{self, Endpoints};
use super::keys::KeySet;
use crate::config::IssuerConfig;
use crate::outgoing;

/// Largest document, bytes.
pub(super) const MAX_DOCUMENT: usize = 128 * 1024;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What an issuer says of itself.
#[derive(Clone, Debug)]
pub(super) struct Published {
    /// What it signs with.
    pub(super) keys: KeySet,
    /// Where it signs people in, or why it does not: an issuer of job tokens need not.
    pub(super) endpoints: Result<Endpoints, String>,
}

/// Where to look.
#[derive(Debug)]
pub(super) enum Source {
    /// What the issuer publishes.
    Discovery { issuer: Url, spelling: String, client: Client },
    /// A file that somebody keeps.
    File(PathBuf),
}

impl Source {
    pub(super) fn of(config: &IssuerConfig) -> Result<Self, String> {
        if let Some(file) = &config.jwks_file {
            return Ok(Self::File(file.clone()));
        }
        Self::discovered(&config.issuer, &config.spelling)
    }

    /// What the issuer of this address publishes.
    pub(super) fn discovered(issuer: &Url, spelling: &str) -> Result<Self, String> {
        let client = outgoing::client(std::iter::once(issuer), PATIENCE)?;
        Ok(Self::Discovery { issuer: issuer.clone(), spelling: spelling.to_owned(), client })
    }

    /// What it says now.
    pub(super) async fn fetch(&self) -> Result<Published, String> {
        match self {
            Self::File(file) => {
                let path = file.clone();
                let read = tokio::task::spawn_blocking(move || beginning_of(&path)).await;
                let bytes = read.map_err(|_| "reading was stopped".to_owned())?;
                let bytes = bytes.map_err(|error| format!("`{}`: {error}", file.display()))?;
                if bytes.len() > MAX_DOCUMENT {
                    return Err(format!("`{}` is larger than {MAX_DOCUMENT} bytes", file.display()));
                }
                let keys = KeySet::parse(&bytes).map_err(|why| format!("`{}`: {why}", file.display()))?;
                Ok(Published { keys, endpoints: Err("its keys are from a file".to_owned()) })
            }
            Self::Discovery { issuer, spelling, client } => {
                let document = read(&get(client, &well_known(issuer)?).await?, spelling)?;
                let link = endpoints::safe(&document, (issuer, "jwks_uri"))?;
                let keys = get(client, &link).await?;
                let keys = KeySet::parse(&keys).map_err(|why| format!("`{link}`: {why}"))?;
                Ok(Published { keys, endpoints: Endpoints::of(&document, issuer) })
            }
        }
    }
}

/// A file, or as much of it as shows that it is too large.
fn beginning_of(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(MAX_DOCUMENT as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Where the discovery document is: behind the issuer's path (OpenID Connect Discovery 1.0, section 4.1).
fn well_known(issuer: &Url) -> Result<Url, String> {
    let text = format!("{}/.well-known/openid-configuration", issuer.as_str().trim_end_matches('/'));
    Url::parse(&text).map_err(|error| error.to_string())
}

/// The document, if it is the issuer's own.
fn read(document: &[u8], spelling: &str) -> Result<Value, String> {
    json::validate(document)
        .map_err(|error| format!("the discovery document is not strict JSON: {error}"))?;
    let document: Value = serde_json::from_slice(document).map_err(|error| error.to_string())?;
    if document["issuer"].as_str() == Some(spelling) {
        Ok(document)
    } else {
        Err("the discovery document is of another issuer".to_owned())
    }
}

async fn get(client: &Client, link: &Url) -> Result<Vec<u8>, String> {
    let request =
        client.get(link.clone()).header(header::ACCEPT, "application/json, application/jwk-set+json");
    let answer = request.send().await.map_err(|error| format!("`{link}`: {}", error.without_url()))?;
    if answer.status() != reqwest::StatusCode::OK {
        return Err(format!("`{link}` answers {}", answer.status().as_u16()));
    }
    let body = outgoing::beginning(answer, MAX_DOCUMENT + 1).await;
    if body.len() > MAX_DOCUMENT {
        return Err(format!("`{link}` is larger than {MAX_DOCUMENT} bytes"));
    }
    Ok(body)
}
