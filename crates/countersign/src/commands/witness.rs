//! `countersign witness …`: a witness of one's own, which cosigns other logs' checkpoints.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use countersign_ledger::note::{Cosigner, SignatureType, VerifierKey};
use countersign_server::config::WitnessConfig;
use countersign_server::witness::WitnessNode;
use serde_json::json;

use super::Session;
use super::node::{draw_key, log_to_standard_error, stopped};
use crate::credentials::write_private;
use crate::failure::{Failure, Kind};
use crate::output::line;

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make a folder with a configuration and a fresh key.
    New(New),
    /// Run the witness.
    Serve(Serve),
}

#[derive(Debug, Args)]
pub(crate) struct New {
    /// The folder; it must not exist.
    folder: PathBuf,
    /// The witness' name, as cosignatures carry it: `witness.example/harbour`.
    #[arg(long)]
    name: String,
    /// The public key of a log to work for, as a vkey; may be repeated.
    #[arg(long = "log", value_name = "VKEY")]
    logs: Vec<String>,
    /// Where it shall listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8701")]
    listen: SocketAddr,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The witness' configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Also stop when standard input ends, as it does when the parent goes.
    #[arg(long)]
    with_parent: bool,
}

pub(crate) async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::New(new) => make(session, &new),
        Verb::Serve(arguments) => serve(&arguments).await,
    }
}

fn make(session: &Session, new: &New) -> anyhow::Result<()> {
    let New { folder, name, logs, listen } = new;
    let malformed = |what: String| Failure::new(Kind::Malformed, what);
    let seed = draw_key()?;
    let cosigner =
        Cosigner::from_seed(name, seed).map_err(|error| malformed(format!("`--name`: {error}")))?;
    for vkey in logs {
        let key = VerifierKey::parse(vkey).map_err(|error| malformed(format!("`--log {vkey}`: {error}")))?;
        if key.signature_type() != SignatureType::Ed25519 {
            return Err(malformed(format!("`--log {vkey}`: this is a witness' key, not a log's")).into());
        }
    }
    std::fs::create_dir(folder).map_err(|error| {
        malformed(format!("the new folder `{}` cannot be made: {error}", folder.display()))
            .hint("choose one that does not exist; nothing is ever overwritten")
    })?;
    let folder = &folder.canonicalize()?;
    let key = folder.join("witness.key");
    write_private(&key, &STANDARD.encode(seed))?;
    let vkey = cosigner.verifier().to_string();
    for (file, text) in
        [("witness.vkey", format!("{vkey}\n")), ("witness.toml", configuration(&key, (name, *listen), logs))]
    {
        std::fs::write(folder.join(file), text).with_context(|| format!("writing `{file}`"))?;
    }
    let made = json!({ "folder": folder.display().to_string(), "name": name, "vkey": vkey });
    session.output.show(&made, |_| {
        let folder = folder.display();
        format!(
            "`{folder}` is ready. The witness' public key, for logs and auditors:\n\n  {vkey}\n\nNext:\n\n  \
             $EDITOR {folder}/witness.toml\n  countersign witness serve --config {folder}/witness.toml\n"
        )
    })
}

fn configuration(key: &Path, (name, listen): (&str, SocketAddr), logs: &[String]) -> String {
    let mut text = format!(
        "# A witness. Relative paths are relative to this file; the key stands elsewhere (`env:NAME` or `file:/path`).\n\
         listen = \"{listen}\"\n\
         # What was cosigned last. Never restore it from a backup: a witness that forgets can be led to cosign a fork.\n\
         data = \"data\"\n\
         name = {}\n\
         # For this witness alone: a cosignature does not say whose it is.\n\
         key = {}\n",
        toml::Value::from(name),
        toml::Value::from(format!("file:{}", key.display())),
    );
    for vkey in logs {
        text.push_str(&format!("\n[[logs]]\nkeys = [{}]\n", toml::Value::from(vkey.as_str())));
    }
    if logs.is_empty() {
        text.push_str("\n# The logs it works for, each by its public keys; the origin is the first key's name unless it is said.\n# [[logs]]\n# keys = [\"…\"]\n");
    }
    text
}

async fn serve(arguments: &Serve) -> anyhow::Result<()> {
    log_to_standard_error();
    let config = WitnessConfig::load(&arguments.config)?;
    let stop = stopped(arguments.with_parent)?;
    let witness = WitnessNode::start(&config).await?;
    line(&json!({ "listening": witness.address().to_string(), "vkey": witness.vkey() }).to_string())?;
    Ok(witness.run(stop).await?)
}
