//! `countersign token exchange --oidc-token-…`: a job's own token for a service token. Here the server draws it, and tells it once.

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use countersign_api::oauth::{ExchangeRequest, GRANT, JWT, TokenResponse};
use countersign_client::{Client, Credential};
use serde_json::json;

use super::bound::{self, Kept};
use crate::commands::Session;
use crate::credentials;
use crate::failure::{Failure, Kind};
use crate::output::fields;

/// Most bytes that are read of what should be a token.
const MAX_TOKEN: u64 = 64 * 1024;

/// Where the job's token is, and as what it is exchanged.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// Exchange the OpenID Connect token in this file (of a CI system, a cluster), `-` for standard input; without a credential, with
    /// `--server URL`.
    #[arg(long, value_name = "FILE", group = "oidc")]
    oidc_token_file: Option<PathBuf>,
    /// The same, in this variable of the environment.
    #[arg(long, value_name = "NAME", group = "oidc")]
    oidc_token_env: Option<String>,
    /// As which workload of the policy; needed where the token is recognised as several.
    #[arg(long, value_name = "NAME", requires = "oidc")]
    workload: Option<String>,
}

impl Source {
    /// Whether a job's token is exchanged, and not the one that is acted with.
    pub(super) fn is_given(&self) -> bool {
        self.oidc_token_file.is_some() || self.oidc_token_env.is_some()
    }

    fn token(&self) -> anyhow::Result<String> {
        let text = match (&self.oidc_token_env, &self.oidc_token_file) {
            (Some(name), _) => std::env::var(name).map_err(|_| {
                let what = format!("the variable `{name}` is not set");
                Failure::new(Kind::Malformed, what).hint("see docs/guides/workloads.md for your CI system")
            })?,
            (None, Some(path)) if path.as_os_str() == "-" => read(std::io::stdin().lock(), "standard input")?,
            (None, Some(path)) => {
                let name = path.display().to_string();
                let file = std::fs::File::open(path).with_context(|| format!("opening `{name}`"))?;
                read(file, &name)?
            }
            (None, None) => String::new(),
        };
        Ok(text.trim().to_owned())
    }
}

fn read(from: impl std::io::Read, name: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    from.take(MAX_TOKEN).read_to_string(&mut text).with_context(|| format!("reading `{name}`"))?;
    Ok(text)
}

/// What the service token is to be.
pub(super) struct Wish<'a> {
    pub(super) scopes: Vec<String>,
    pub(super) lifetime: Option<u32>,
    /// The key to which it is bound, if to one.
    pub(super) key: &'a bound::Key,
    pub(super) save: Option<PathBuf>,
}

pub(super) async fn exchange(session: &Session, source: &Source, wish: Wish<'_>) -> anyhow::Result<()> {
    if let Some(path) = wish.save.as_ref().filter(|path| path.exists()) {
        // Before the job's token is spent: it is exchanged once.
        let what = format!("`{}` exists", path.display());
        return Err(Failure::new(Kind::Malformed, what)
            .hint("nothing is ever overwritten: choose another place")
            .into());
    }
    let key = wish.key.kept()?;
    let client = match &key {
        Some(key) => key.client(session.server()?)?,
        None => Client::new(session.server()?, None)?,
    };
    let request = ExchangeRequest {
        grant_type: GRANT.to_owned(),
        subject_token: source.token()?,
        subject_token_type: JWT.to_owned(),
        scope: Some(wish.scopes.join(" ")).filter(|scope| !scope.is_empty()),
        audience: source.workload.clone(),
        requested_token_type: None,
        lifetime_seconds: wish.lifetime,
    };
    let granted = client.exchange(&request).await;
    if let (Some(key), Err(error)) = (&key, &granted) {
        key.discard_if_refused(error)?;
    }
    let granted = granted?;
    let key = key.as_ref().map(Kept::path);
    let id = granted.id.clone();
    let document = if let Some(path) = &wish.save {
        let credential = Credential::parse(&granted.access_token)?;
        credentials::save(path, &bound::saved(client.server(), credential, key))?;
        let mut document =
            json!({ "id": id, "scope": granted.scope, "expires_in": granted.expires_in, "token_file": path });
        if let Some(key) = key {
            document["dpop_key_file"] = json!(key);
        }
        document
    } else {
        serde_json::to_value(&granted)?
    };
    session.output.show(&document, |_| shown(&granted, wish.save.as_ref()) + &bound::told(key))
}

fn shown(granted: &TokenResponse, save: Option<&PathBuf>) -> String {
    let place = match save {
        Some(path) => format!("The token is in `{}`: name it with `--credential`.\n", path.display()),
        None => format!("The token, shown this once: {}\n", granted.access_token),
    };
    let seconds = format!("{} s", granted.expires_in);
    fields(&[("id", granted.id.clone()), ("scopes", granted.scope.clone()), ("lives for", seconds)]) + &place
}
