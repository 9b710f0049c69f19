//! `[sign_in.providers.NAME]`: OpenID providers at which people sign in, and what the node is called there. The policy says which of them count
//! (`sso` in its `[sign_in]`).

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;

use countersign_core::text::Name;
use reqwest::Url;
use serde::Deserialize;

use super::ConfigError;
use super::node::{reference, url};
use crate::secrets::SecretRef;

/// Longest title, characters: it stands on a button.
const LONGEST_TITLE: usize = 40;

/// A provider at which people sign in.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// What people call it.
    pub title: String,
    /// Where it is.
    pub issuer: Url,
    /// The same as it is written, which is what its tokens must say.
    pub spelling: String,
    /// What the node is called there.
    pub client_id: String,
    /// By what it proves that it is; a client that is public has none.
    pub client_secret: Option<SecretRef>,
    /// What is asked for, `openid` among it.
    pub scopes: Vec<String>,
    /// How long ago people may have proved themselves to the provider, seconds; as it likes unless given.
    pub max_age_seconds: Option<NonZeroU32>,
}

/// `[sign_in]` of the node's file.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignInFile {
    #[serde(default)]
    providers: BTreeMap<Name, ProviderFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderFile {
    title: String,
    issuer: String,
    client_id: String,
    client_secret: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    max_age_seconds: Option<NonZeroU32>,
}

/// Reads what the file says of providers.
pub(super) fn read(file: &Path, raw: SignInFile) -> Result<BTreeMap<Name, ProviderConfig>, ConfigError> {
    let mut providers: BTreeMap<Name, ProviderConfig> = BTreeMap::new();
    for (name, raw) in raw.providers {
        let place = format!("sign_in.providers.{name}");
        let wrong = |what: &str| ConfigError::new(file, format!("{place}.{what}"));
        let issuer = url(file, (&format!("{place}.issuer"), &raw.issuer))?;
        if issuer.query().is_some() || issuer.fragment().is_some() {
            return Err(wrong("issuer: an issuer has no query and no fragment"));
        }
        // An identity is what an issuer calls somebody: under two names it would be two.
        if let Some((other, _)) = providers.iter().find(|(_, known)| known.spelling == raw.issuer) {
            return Err(wrong(&format!("issuer: `{other}` is the same issuer")));
        }
        let title = raw.title.trim();
        if title.is_empty() || title.chars().count() > LONGEST_TITLE || title.chars().any(char::is_control) {
            return Err(wrong("title: name it as people do, in at most 40 characters"));
        }
        if raw.client_id.trim().is_empty() {
            return Err(wrong("client_id: name what the provider calls this node"));
        }
        let is_scope = |scope: &String| {
            !scope.is_empty()
                && scope.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
        };
        if !raw.scopes.iter().all(is_scope) {
            return Err(wrong("scopes: each is a word, as in [\"openid\", \"groups\"]"));
        }
        let mut scopes = raw.scopes;
        if !scopes.iter().any(|scope| scope == "openid") {
            scopes.insert(0, "openid".to_owned());
        }
        let place = format!("{place}.client_secret");
        let client_secret = raw.client_secret.map(|text| reference(file, (&place, &text))).transpose()?;
        let config = ProviderConfig {
            title: title.to_owned(),
            issuer,
            spelling: raw.issuer,
            client_id: raw.client_id,
            client_secret,
            scopes,
            max_age_seconds: raw.max_age_seconds,
        };
        providers.insert(name, config);
    }
    Ok(providers)
}
