//! Where an issuer's keys come from: its discovery document and the key set that names (`OpenID` Connect Discovery 1.0), or a file.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_ledger::json;
use reqwest::{Client, Url, header};
use serde_json::Value;

use super::keys::KeySet;
use crate::config::{IssuerConfig, is_loopback};
use crate::outgoing;

/// Largest document, bytes.
pub(super) const MAX_DOCUMENT: usize = 128 * 1024;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

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
        let (issuer, spelling) = (config.issuer.clone(), config.spelling.clone());
        let client = outgoing::client(std::iter::once(&issuer), PATIENCE)?;
        Ok(Self::Discovery { issuer, spelling, client })
    }

    /// The keys as they are now.
    pub(super) async fn fetch(&self) -> Result<KeySet, String> {
        match self {
            Self::File(file) => {
                let path = file.clone();
                let read = tokio::task::spawn_blocking(move || beginning_of(&path)).await;
                let bytes = read.map_err(|_| "reading was stopped".to_owned())?;
                let bytes = bytes.map_err(|error| format!("`{}`: {error}", file.display()))?;
                if bytes.len() > MAX_DOCUMENT {
                    return Err(format!("`{}` is larger than {MAX_DOCUMENT} bytes", file.display()));
                }
                KeySet::parse(&bytes).map_err(|why| format!("`{}`: {why}", file.display()))
            }
            Self::Discovery { issuer, spelling, client } => {
                let document = get(client, &well_known(issuer)?).await?;
                let link = key_link(&document, (issuer, spelling))?;
                let keys = get(client, &link).await?;
                KeySet::parse(&keys).map_err(|why| format!("`{link}`: {why}"))
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

/// Where the document says that the keys are, if it is the issuer's own, and leads nowhere less safe.
fn key_link(document: &[u8], (issuer, spelling): (&Url, &str)) -> Result<Url, String> {
    json::validate(document)
        .map_err(|error| format!("the discovery document is not strict JSON: {error}"))?;
    let document: Value = serde_json::from_slice(document).map_err(|error| error.to_string())?;
    if document["issuer"].as_str() != Some(spelling) {
        return Err("the discovery document is of another issuer".to_owned());
    }
    let link = document["jwks_uri"].as_str().ok_or("the discovery document names no `jwks_uri`")?;
    let link = Url::parse(link).map_err(|error| format!("`jwks_uri`: {error}"))?;
    let is_safe =
        link.scheme() == "https" || link.scheme() == "http" && is_loopback(&link) && is_loopback(issuer);
    if is_safe {
        Ok(link)
    } else {
        Err("`jwks_uri` leads to where keys could be changed on the way".to_owned())
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
