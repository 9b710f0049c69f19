//! `countersign token …`: short-lived credentials of automation. The token is drawn here, and only its SHA-256 is sent.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use countersign_api::Page;
use countersign_api::token::{ExchangeToken, IssueToken, RevokeToken, ServiceToken};
use countersign_client::{Client, ClientError, Credential};
use serde_json::json;

use super::{Session, more};
use crate::cli::{Listed, Why};
use crate::credentials;
use crate::output::{Table, fields};

mod bound;
mod oidc;

use bound::Kept;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Tokens, newest first.
    List(Listed),
    /// One token.
    Show {
        /// The token, by id.
        id: String,
    },
    /// Issue a token to yourself. Where the rules demand an approval, ask for that of `issue service-token/NAME ENVIRONMENT` first, with
    /// `lifetime_seconds`, `networks` and `scopes` as parameters.
    Issue(Issue),
    /// Exchange the token you act with (`--credential FILE`) for a narrower, shorter one; or the token of a job, for one as the policy offers
    /// it to such jobs.
    Exchange(Exchange),
    /// Take a token out of force at once, and all that were exchanged from it.
    Revoke {
        /// The token, by id.
        id: String,
        /// The approval, where the token is somebody else's and the rules demand one.
        #[arg(long, value_name = "ID")]
        approval: Option<String>,
        #[command(flatten)]
        why: Why,
    },
}

/// What the token is for, and where it is kept.
#[derive(Debug, Args)]
pub(crate) struct Issue {
    /// What it is called: `deployer` for `service-token/deployer`.
    name: String,
    /// Where it may do something.
    #[arg(long, value_name = "NAME")]
    environment: String,
    #[command(flatten)]
    terms: Terms,
    /// The approval, where the rules demand one.
    #[arg(long, value_name = "ID")]
    approval: Option<String>,
    #[command(flatten)]
    why: Why,
}

/// What the new token is for, and where it is kept.
#[derive(Debug, Args)]
pub(crate) struct Exchange {
    #[command(flatten)]
    source: oidc::Source,
    /// What it may do, as in `deploy:release/nudgepay`; repeatable. Everything that the policy offers to such jobs unless given.
    #[arg(long = "scope", value_name = "SCOPE", required_unless_present = "oidc")]
    scopes: Vec<String>,
    /// A network it may come from, as in `10.0.0.0/8`; repeatable, from wherever the token may unless some are named.
    #[arg(long = "network", value_name = "CIDR", conflicts_with = "oidc")]
    networks: Vec<String>,
    /// How long it lives, seconds; 900 unless given, or for a job as long as the policy lets it.
    #[arg(long, value_name = "SECONDS")]
    lifetime: Option<u32>,
    #[command(flatten)]
    key: bound::Key,
    /// Write it to this new file, for its owner only, to be named with `--credential`; shown once unless given.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

/// How long a token lives unless told otherwise, seconds.
const LIFETIME: u32 = 900;

/// What a token may do, for how long, and who keeps it.
#[derive(Debug, Args)]
struct Terms {
    /// What it may do, as in `deploy:release/nudgepay`; repeatable.
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    scopes: Vec<String>,
    /// A network it may come from, as in `10.0.0.0/8`; repeatable, from anywhere unless some are named.
    #[arg(long = "network", value_name = "CIDR")]
    networks: Vec<String>,
    /// How long it lives, seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = LIFETIME)]
    lifetime: u32,
    #[command(flatten)]
    key: bound::Key,
    /// Write it to this new file, for its owner only, to be named with `--credential`; shown once unless given.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

pub(crate) async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    // A job has no credential but its own token.
    if let Verb::Exchange(Exchange { source, scopes, lifetime, key, save, .. }) = &verb
        && source.is_given()
    {
        let wish = oidc::Wish { scopes: scopes.clone(), lifetime: *lifetime, key, save: save.clone() };
        return oidc::exchange(session, source, wish).await;
    }
    let client = session.client()?;
    match verb {
        Verb::List(listed) => session.output.show(&client.service_tokens(&listed.listing()).await?, table),
        Verb::Show { id } => session.output.show(&client.service_token(&id).await?, show),
        Verb::Issue(issue) => {
            let (token, key) = (Credential::draw_token()?, issue.terms.key.kept()?);
            let wanted = IssueToken {
                resource: format!("service-token/{}", issue.name),
                environment: issue.environment,
                scopes: issue.terms.scopes,
                networks: issue.terms.networks,
                lifetime_seconds: issue.terms.lifetime,
                token_sha256: token.sha256(),
                dpop_jkt: key.as_ref().map(Kept::jkt),
                approval: issue.approval,
                reason: issue.why.reason,
            };
            let send = async || client.issue_token(&wanted).await;
            let place = Place { save: issue.terms.save.as_deref(), key: key.as_ref(), inherited: None };
            kept(session, (&client, &token), &place, send).await
        }
        Verb::Exchange(Exchange { scopes, networks, lifetime, key, save, .. }) => {
            let (token, key) = (Credential::draw_token()?, key.kept()?);
            let wanted = ExchangeToken {
                scopes,
                networks,
                lifetime_seconds: lifetime.unwrap_or(LIFETIME),
                token_sha256: token.sha256(),
                dpop_jkt: key.as_ref().map(Kept::jkt),
            };
            let send = async || client.exchange_token(&wanted).await;
            let inherited = session.saved()?.dpop_key;
            let place = Place { save: save.as_deref(), key: key.as_ref(), inherited: inherited.as_deref() };
            kept(session, (&client, &token), &place, send).await
        }
        Verb::Revoke { id, approval, why } => {
            let revoke = RevokeToken { approval, reason: why.reason };
            session.output.show(&client.revoke_token(&id, &revoke).await?, show)
        }
    }
}

/// Where a token goes, and where the key is to which it is bound.
struct Place<'a> {
    save: Option<&'a Path>,
    key: Option<&'a Kept>,
    /// The key of what it is exchanged from.
    inherited: Option<&'a Path>,
}

impl Place<'_> {
    fn key(&self) -> Option<&Path> {
        self.key.map(Kept::path).or(self.inherited)
    }
}

/// Sends, and hands the token over. A file is there before the server hears of it: a lost answer loses nothing.
async fn kept(
    session: &Session,
    (client, token): (&Client, &Credential),
    place: &Place<'_>,
    send: impl AsyncFn() -> Result<ServiceToken, ClientError>,
) -> anyhow::Result<()> {
    let save = place.save;
    if let Some(path) = save {
        let saved = credentials::save(path, &bound::saved(client.server(), token.clone(), place.key()));
        saved.or_else(|error| place.key.map_or(Ok(()), Kept::discard).and(Err(error)))?;
    }
    let sent = send().await;
    if let Err(error) = &sent {
        save.map_or(Ok(()), |path| credentials::discard_if_refused(path, error))?;
        place.key.map_or(Ok(()), |key| key.discard_if_refused(error))?;
    }
    let issued = sent?;
    let mut document = match save {
        Some(path) => json!({ "service_token": issued, "token_file": path }),
        None => json!({ "service_token": issued, "token": token.expose() }),
    };
    if let Some(path) = place.key() {
        document["dpop_key_file"] = json!(path);
    }
    let key = place.key();
    session.output.show(&document, |_| {
        let place = match save {
            Some(path) => format!("The token is in `{}`: name it with `--credential`.\n", path.display()),
            None => format!("The token, shown this once: {}\n", token.expose()),
        };
        show(&issued) + &place + &bound::told(key)
    })
}

fn table(page: &Page<ServiceToken>) -> String {
    let head = ["id", "name", "owner", "environment", "scopes", "status", "expires", "last used"];
    let mut table = Table::new(head, "there are no tokens");
    for token in &page.items {
        let owner = token.owner.name.as_deref().unwrap_or(&token.owner.id);
        let scopes = token.scopes.join(", ");
        let name = token.resource.as_str();
        let used = token.last_used_at.as_deref().unwrap_or("never");
        let (environment, status) = (token.environment.as_str(), token.status.as_str());
        table.row([&token.id, name, owner, environment, &scopes, status, &token.expires_at, used]);
    }
    table.render() + &more(page.next.as_ref())
}

fn show(token: &ServiceToken) -> String {
    fields(&[
        ("id", token.id.clone()),
        ("name", token.resource.clone()),
        ("owner", token.owner.name.clone().unwrap_or_else(|| token.owner.id.clone())),
        ("environment", token.environment.clone()),
        ("scopes", token.scopes.join(", ")),
        ("networks", token.networks.join(", ")),
        ("status", token.status.clone()),
        ("issued at", token.issued_at.clone()),
        ("expires at", token.expires_at.clone()),
        ("ended at", token.ended_at.clone().unwrap_or_default()),
        ("last used at", token.last_used_at.clone().unwrap_or_else(|| "never".to_owned())),
        ("uses", token.uses.to_string()),
        ("bound to the key", token.dpop_jkt.clone().unwrap_or_default()),
        ("exchanged from", token.parent.clone().unwrap_or_default()),
        ("workload", token.workload.clone().unwrap_or_default()),
        ("approval", token.approval.clone().unwrap_or_default()),
    ])
}
