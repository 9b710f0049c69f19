//! `countersign claim`, `whoami` and `person …`

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use countersign_api::Page;
use countersign_api::person::Person;
use countersign_client::{Client, Credential};

use super::{Session, membership, more, voting_key};
use crate::cli::Listed;
use crate::credentials::{self, Saved};
use crate::failure::{Failure, Kind};
use crate::output::{Table, fields};

/// Replace a one-time claim by a credential of your own.
#[derive(Debug, Args)]
pub(crate) struct Claim {
    /// The file with the claim, or `-` for standard input.
    #[arg(long, value_name = "FILE", default_value = "-")]
    claim: PathBuf,
    /// Where to keep the credential. If an earlier attempt left one there, it is used again.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Everybody.
    List(Listed),
    /// Invite somebody, or again whoever has not claimed: asks for approval where the rules demand it, waits, and shows the claim once.
    Invite(membership::Invite),
    /// End that somebody belongs, for good: asks for approval where the rules demand it, and waits.
    Deactivate(membership::Deactivate),
    /// Keys by which people sign what they agree to.
    #[command(subcommand)]
    Key(voting_key::Verb),
}

/// The credential is kept before it is sent, so that a lost answer loses nothing: typed again, the same claim is repeated with the
/// same credential, which the server answers as the first time.
pub(crate) async fn claim(session: &Session, arguments: &Claim) -> anyhow::Result<()> {
    let claim = read_claim(arguments)?;
    let path = match &arguments.save {
        Some(path) => path.clone(),
        None => credentials::default_path()?,
    };
    let server = session.server()?;
    let (credential, is_new) = if path.exists() {
        let saved = credentials::load(&path)?;
        if saved.server != server {
            let what = format!("`{}` holds a credential for `{}`", path.display(), saved.server);
            return Err(Failure::new(Kind::Malformed, what).hint("name another file with `--save`").into());
        }
        (saved.credential, false)
    } else {
        (Credential::draw()?, true)
    };
    let client = Client::new(server, Some(&credential))?;
    if is_new {
        credentials::save(
            &path,
            &Saved { server: server.to_owned(), credential: credential.clone(), dpop_key: None },
        )?;
    }
    match client.claim(claim.trim(), &credential).await {
        Ok(person) => {
            session
                .output
                .say(&format!("Your credential is in `{}`: keep it to yourself.", path.display()))?;
            session.output.show(&person, show)
        }
        Err(error) => {
            if is_new {
                credentials::discard_if_refused(&path, &error)?;
            }
            Err(error.into())
        }
    }
}

fn read_claim(arguments: &Claim) -> anyhow::Result<String> {
    if arguments.claim.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("reading the claim")?;
        return Ok(text);
    }
    let path = &arguments.claim;
    std::fs::read_to_string(path).with_context(|| format!("reading `{}`", path.display()))
}

pub(crate) async fn whoami(session: &Session) -> anyhow::Result<()> {
    let client = session.client()?;
    super::break_glass::banner(session, &client).await?;
    session.output.show(&client.me().await?, show)
}

pub(crate) async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::List(listed) => session.output.show(&session.client()?.people(&listed.listing()).await?, table),
        Verb::Invite(invite) => membership::invite(session, &invite).await,
        Verb::Deactivate(deactivate) => membership::deactivate(session, &deactivate).await,
        Verb::Key(verb) => voting_key::run(session, verb).await,
    }
}

fn table(page: &Page<Person>) -> String {
    let mut table = Table::new(["id", "name", "status", "until or since", "groups"], "nobody is enrolled");
    for person in &page.items {
        let name = person.name.as_deref().unwrap_or_default();
        let when = person.claim_until.as_deref().or(person.deactivated_at.as_deref()).unwrap_or_default();
        table.row([&person.id, name, &person.status, when, &person.groups.join(", ")]);
    }
    table.render() + &more(page.next.as_ref())
}

pub(super) fn show(person: &Person) -> String {
    fields(&[
        ("id", person.id.clone()),
        ("name", person.name.clone().unwrap_or_default()),
        ("status", person.status.clone()),
        ("groups", person.groups.join(", ")),
        ("enrolled at", person.enrolled_at.clone()),
        ("claim until", person.claim_until.clone().unwrap_or_default()),
        ("deactivated at", person.deactivated_at.clone().unwrap_or_default()),
    ])
}
