//! `countersign login`, `logout` and `session …`: a session for this terminal, confirmed where its person is signed in.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use countersign_api::Page;
use countersign_api::session::{EndSession, Session as SignedIn};
use countersign_api::terminal::{RequestTerminal, Terminal};
use countersign_client::{Client, Credential};

use super::{Session, more, name};
use crate::cli::Why;
use crate::credentials::{self, Saved};
use crate::failure::{Failure, Kind};
use crate::output::{Table, fields, visible};

/// How often the terminal asks whether it was let in.
const INTERVAL: Duration = Duration::from_secs(2);

/// Sign in: shows a code to type where you are signed in with a browser, and keeps the session that follows.
#[derive(Debug, Args)]
pub(crate) struct Login {
    /// What this terminal is called where you are asked about it; its host's name unless given.
    #[arg(long, value_name = "NAME")]
    terminal: Option<String>,
    /// Where to keep the session. One that is there is replaced, a credential never.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Your sessions, newest first.
    List,
    /// End a session: yours, or somebody's under `revoke session/per_… control`.
    End {
        /// The session, by id.
        id: String,
        /// The approval, where the session is somebody else's and the rules demand one.
        #[arg(long, value_name = "ID")]
        approval: Option<String>,
        #[command(flatten)]
        why: Why,
    },
}

pub(crate) async fn login(session: &Session, arguments: &Login) -> anyhow::Result<()> {
    let path = match &arguments.save {
        Some(path) => path.clone(),
        None => session.credential_path()?,
    };
    let before = kept_before(&path)?;
    let server = match (session.server(), &before) {
        (Ok(server), _) => server.to_owned(),
        (Err(_), Some(before)) => before.server.clone(),
        (Err(missing), None) => return Err(missing),
    };
    let secret = Credential::draw_session()?;
    let client = Client::new(&server, Some(&secret))?;
    let wanted = RequestTerminal {
        session_sha256: secret.sha256(),
        terminal: arguments.terminal.clone().unwrap_or_else(host),
    };
    let terminal = client.request_terminal(&wanted).await?;
    invite(&server, &terminal)?;
    admitted(&client, &wanted.session_sha256).await?;
    if let Some(before) = before {
        replace(&before, &path).await?;
    }
    credentials::save(&path, &Saved { server, credential: secret, dpop_key: None })?;
    let person = client.me().await?;
    session.output.say(&format!("Your session is in `{}`: keep it to yourself.", path.display()))?;
    session.output.show(&person, super::person::show)
}

/// The session that is there, if one is. Whoever has a credential there would lose it.
fn kept_before(path: &Path) -> anyhow::Result<Option<Saved>> {
    if !path.exists() {
        return Ok(None);
    }
    let saved = credentials::load(path)?;
    if saved.credential.is_session() {
        return Ok(Some(saved));
    }
    let what = format!("`{}` holds a credential, which does not end by itself", path.display());
    Err(Failure::new(Kind::Malformed, what).hint("keep the session in another file, with `--save`").into())
}

/// Ends what was there. It may have ended long ago, or be on a server that is gone: the new one counts.
async fn replace(before: &Saved, path: &Path) -> anyhow::Result<()> {
    if let Ok(client) = Client::new(&before.server, Some(&before.credential)) {
        drop(end_own(&client).await);
    }
    std::fs::remove_file(path).with_context(|| format!("removing `{}`", path.display()))
}

/// Says what to do, to whoever is at the terminal: standard output holds the answer alone.
fn invite(server: &str, terminal: &Terminal) -> anyhow::Result<()> {
    let page = server.trim_end_matches('/');
    let [code, expires_at] = [&terminal.code, &terminal.expires_at].map(|text| visible(text));
    let text = format!(
        "Open {page}/device where you are signed in, and type this code:\n\n    {code}\n\nIt is good until {expires_at}. Let in no terminal but your own.\n"
    );
    std::io::stderr().write_all(text.as_bytes()).context("writing to standard error")
}

/// Waits until somebody lets the terminal in.
async fn admitted(client: &Client, session_sha256: &str) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        ticks.tick().await;
        let standing = client.terminal_standing(session_sha256).await?;
        match standing.status.as_str() {
            "waiting" => {}
            "admitted" => return Ok(()),
            "turned-away" => return Err(Failure::new(Kind::Refused, "this terminal was turned away").into()),
            _ => {
                let late =
                    Failure::new(Kind::Unavailable, "nobody let this terminal in before its time was over");
                return Err(late.hint("type `countersign login` again for another code").into());
            }
        }
    }
}

/// Ends the session of this terminal and forgets it.
pub(crate) async fn logout(session: &Session) -> anyhow::Result<()> {
    let path = session.credential_path()?;
    let saved = credentials::load(&path)?;
    if !saved.credential.is_session() {
        let what = format!("`{}` holds no session", path.display());
        return Err(Failure::new(Kind::Malformed, what)
            .hint("only what `countersign login` keeps is ended")
            .into());
    }
    match end_own(&session.client()?).await {
        Err(error) if error.kind() != countersign_client::ErrorKind::NotSignedIn => return Err(error.into()),
        // It had ended by itself.
        Ok(()) | Err(_) => {}
    }
    std::fs::remove_file(&path).with_context(|| format!("removing `{}`", path.display()))?;
    session.output.say("You are signed out.")
}

async fn end_own(client: &Client) -> Result<(), countersign_client::ClientError> {
    let sessions = client.sessions().await?;
    if let Some(own) = sessions.items.iter().find(|session| session.current) {
        client.end_session(&own.id, &EndSession::default()).await?;
    }
    Ok(())
}

pub(crate) async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    let client = session.client()?;
    match verb {
        Verb::List => session.output.show(&client.sessions().await?, table),
        Verb::End { id, approval, why } => {
            let end = EndSession { approval, reason: why.reason };
            session.output.show(&client.end_session(&id, &end).await?, show)
        }
    }
}

/// What this host is called.
fn host() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "a terminal".to_owned() } else { name.chars().take(64).collect() }
}

fn table(page: &Page<SignedIn>) -> String {
    let columns = ["id", "opened at", "by", "idle until", "until at most", "this one"];
    let mut table = Table::new(columns, "you have no session");
    for session in &page.items {
        let SignedIn { id, opened_at, method, idle_until, expires_at, .. } = session;
        let current = if session.current { "yes" } else { "" };
        table.row([id.as_str(), opened_at, method, idle_until, expires_at, current]);
    }
    table.render() + &more(page.next.as_ref())
}

fn show(session: &SignedIn) -> String {
    fields(&[
        ("id", session.id.clone()),
        ("person", name(&session.person).to_owned()),
        ("status", session.status.clone()),
        ("opened at", session.opened_at.clone()),
        ("by", session.method.clone()),
        ("ended at", session.ended_at.clone().unwrap_or_default()),
    ])
}
