//! `countersign person key …`: the keys by which people sign what they agree to.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Subcommand;
use countersign_api::person::{EnrollKey, RevokeKey, VotingKeys};
use countersign_client::Client;

use super::Session;
use crate::cli::Why;
use crate::output::Table;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// The keys of a person, revoked ones too; your own unless said otherwise.
    List {
        /// Whose, by id.
        #[arg(long, value_name = "ID")]
        person: Option<String>,
    },
    /// Give a person a key, under an approval of `enroll voting-key/ID control` with `--param key=…`, the first two words of the file; of
    /// a passkey the whole text.
    Enroll {
        /// Whose it is, by id.
        person: String,
        /// The public key: a `.pub` file of `ssh-keygen`, or one with the JSON of a passkey.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The approval of exactly this key.
        #[arg(long, value_name = "ID")]
        approval: String,
    },
    /// Take a key out of force for good. Your own at once; others' under an approval of `revoke voting-key/ID control` with
    /// `--param fingerprint=…`.
    Revoke {
        /// The fingerprint, as `person key list` shows it.
        fingerprint: String,
        /// Whose it is, by id; yours unless said otherwise.
        #[arg(long, value_name = "ID")]
        person: Option<String>,
        /// The approval; your own keys need none.
        #[arg(long, value_name = "ID")]
        approval: Option<String>,
        #[command(flatten)]
        why: Why,
    },
}

pub(crate) async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    let client = session.client()?;
    let keys = match verb {
        Verb::List { person } => client.voting_keys(&whose(&client, person).await?).await?,
        Verb::Enroll { person, key, approval } => {
            let line =
                std::fs::read_to_string(&key).with_context(|| format!("reading `{}`", key.display()))?;
            let key = line.trim_end().to_owned();
            client.enroll_key(&person, &EnrollKey { key, approval }).await?
        }
        Verb::Revoke { fingerprint, person, approval, why } => {
            let person = whose(&client, person).await?;
            let revoke = RevokeKey { fingerprint, approval, reason: why.reason };
            client.revoke_key(&person, &revoke).await?
        }
    };
    session.output.show(&keys, table)
}

async fn whose(client: &Client, person: Option<String>) -> anyhow::Result<String> {
    Ok(match person {
        Some(person) => person,
        None => client.me().await?.id,
    })
}

fn table(keys: &VotingKeys) -> String {
    let mut table = Table::new(["fingerprint", "key", "hardware", "since", "revoked"], "there are no keys");
    for key in &keys.keys {
        let hardware = if key.hardware { "yes" } else { "no" };
        let revoked = key.revoked_at.as_deref().unwrap_or_default();
        table.row([key.fingerprint.as_str(), &key.algorithm, hardware, &key.enrolled_at, revoked]);
    }
    table.render()
}
