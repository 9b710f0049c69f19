//! `countersign log-key …`: the keys that sign the log. Private keys are drawn here and never shown; the server reads its own.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use countersign_api::key::{LogKeys, RotateLogKey};
use countersign_ledger::note::Ed25519Signer;
use serde_json::json;

use super::Session;
use super::node::draw_key;
use crate::credentials::write_private;
use crate::failure::{Failure, Kind};
use crate::output::Table;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Every key the log ever had, and which checkpoints each may sign.
    Show,
    /// Draw a key into a new file that only its owner can read, and print its public half.
    New {
        /// The file; it must not exist.
        file: PathBuf,
        /// The log's name, as its checkpoints carry it.
        #[arg(long)]
        origin: String,
    },
    /// Put the key in force that the node's configuration names as `next_log_key`, with an approval of exactly that key.
    Rotate {
        /// The approval of `rotate log-key/main control` with the new key.
        #[arg(long, value_name = "ID")]
        approval: Option<String>,
    },
}

pub(crate) async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Show => session.output.show(&session.client()?.log_keys().await?, show),
        Verb::New { file, origin } => new(session, &file, &origin),
        Verb::Rotate { approval } => {
            let approval = approval.ok_or_else(|| {
                Failure::new(Kind::Refused, "the log's key is rotated under the quorum of the policy").hint(
                    "ask with `countersign approval request rotate log-key/main control --param new_key=VKEY`, the vkey as \
                     `countersign log-key new` printed it, then name it with `--approval`",
                )
            })?;
            let rotated = session.client()?.rotate_log_key(&RotateLogKey { approval }).await?;
            session.output.show(&rotated, |keys| {
                format!(
                    "The log is signed by a new key. Tell those who pinned the old one: it leads them here, but once it is \
                     stolen it can lead them elsewhere.\n\n{}",
                    show(keys)
                )
            })
        }
    }
}

fn new(session: &Session, file: &Path, origin: &str) -> anyhow::Result<()> {
    let seed = draw_key()?;
    let signer = Ed25519Signer::from_seed(origin, seed)
        .map_err(|error| Failure::new(Kind::Malformed, format!("`--origin`: {error}")))?;
    write_private(file, &STANDARD.encode(seed))?;
    let (path, vkey) = (file.display().to_string(), signer.vkey());
    session.output.show(&json!({ "file": path, "vkey": vkey }), |_| {
        format!(
            "The key is in `{path}`. Its public half, for approvers to agree to and auditors to pin:\n\n  {vkey}\n\nNext:\n\n  \
             name it in the node's configuration: next_log_key = \"file:{path}\", and restart the node\n  \
             countersign approval request rotate log-key/main control --param new_key={vkey}\n  \
             countersign log-key rotate --approval ID"
        )
    })
}

fn show(keys: &LogKeys) -> String {
    let mut table = Table::new(["key", "named by entry", "signs sizes"], "the log has no key yet");
    for key in &keys.keys {
        let until = key.until_size.map_or_else(|| "on".to_owned(), |until| format!("to {until}"));
        table.row([&key.key, &key.entry.to_string(), &format!("{} {until}", key.from_size)]);
    }
    table.render()
}
