//! `countersign new`, `init` and `serve`: a node from an empty folder to a running server.

use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use countersign_core::id::PersonId;
use countersign_core::secret::SecretKey;
use countersign_ledger::note::Ed25519Signer;
use countersign_server::config::{NodeConfig, load_policy};
use countersign_server::genesis::{Claim, NewPerson};
use countersign_server::node::{self, Beginning, Node};
use countersign_server::secrets::{SecretRef, SecretValue};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::Session;
use crate::credentials::write_private;
use crate::failure::{Failure, Kind};
use crate::output::{self, line};
use crate::people;

mod scaffold;

pub(crate) use scaffold::draw_key;

/// Make a folder with configuration, keys, people and a first policy.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// The folder; it must not exist.
    folder: PathBuf,
    /// The log's name, as checkpoints carry it: `ledger.example/payments`.
    #[arg(long)]
    origin: String,
    /// Somebody to enrol; may be repeated.
    #[arg(long = "person", value_name = "NAME", required = true)]
    people: Vec<String>,
    /// Where the API shall listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8700")]
    listen: SocketAddr,
}

/// Write genesis: the first people and the first policy. Once.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The node's configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Whom to enrol; `people.toml` beside the configuration unless told otherwise.
    #[arg(long, value_name = "FILE")]
    people: Option<PathBuf>,
    /// The first policy; `policy.toml` beside the configuration unless told otherwise.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// A governed secret and where its present value is: `webhook-signing/stripe@production=file:/path`.
    #[arg(long = "secret", value_name = "NAME@ENVIRONMENT=REFERENCE")]
    secrets: Vec<String>,
    /// Put each person's one-time claim into a file in this folder instead of printing it.
    #[arg(long, value_name = "FOLDER")]
    claims: Option<PathBuf>,
}

/// Run the server.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The node's configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Also stop when standard input ends, as it does when the parent goes.
    #[arg(long)]
    with_parent: bool,
}

pub(crate) fn new(session: &Session, arguments: &New) -> anyhow::Result<()> {
    let New { folder, origin, people: names, listen } = arguments;
    let people = persons(names)?;
    let seed = draw_key()?;
    let signer = Ed25519Signer::from_seed(origin, seed)
        .map_err(|error| Failure::new(Kind::Malformed, format!("`--origin`: {error}")))?;
    std::fs::create_dir(folder).map_err(|error| {
        let what = format!("the new folder `{}` cannot be made: {error}", folder.display());
        Failure::new(Kind::Malformed, what)
            .hint("choose one that does not exist; nothing is ever overwritten")
    })?;
    // References to keys are absolute, so that the server may be started anywhere.
    let folder = &folder.canonicalize()?;
    let keys = folder.join("keys");
    std::fs::create_dir(&keys)?;
    write_private(&keys.join("log.key"), &STANDARD.encode(seed))?;
    let permit_seed = draw_key()?;
    write_private(&keys.join("permit.key"), &STANDARD.encode(permit_seed))?;
    write_private(&keys.join("sealing.key"), &STANDARD.encode(draw_key()?))?;
    let vkey = signer.vkey();
    let permit_vkey = Ed25519Signer::from_seed(&format!("{origin}/permit"), permit_seed)?.vkey();
    for (name, text) in [
        ("log.vkey", format!("{vkey}\n")),
        ("permit.vkey", format!("{permit_vkey}\n")),
        ("people.toml", people::render(&people)),
        ("policy.toml", scaffold::policy(&people)),
        ("countersign.toml", scaffold::configuration(&keys, (origin, *listen))),
    ] {
        std::fs::write(folder.join(name), text).with_context(|| format!("writing `{name}`"))?;
    }
    let made = json!({
        "folder": folder.display().to_string(), "origin": origin, "vkey": vkey, "permit_vkey": permit_vkey,
    });
    session.output.show(&made, |_| scaffold::next_steps(folder, &vkey))
}

/// People with fresh ids, in the order they were named.
fn persons(names: &[String]) -> anyhow::Result<Vec<NewPerson>> {
    let millis = millis()?;
    let numbered = (0_u16..).zip(names);
    let person =
        |(counter, name): (u16, &String)| Ok(NewPerson { id: id(millis, counter)?, name: name.clone() });
    numbered.map(person).collect()
}

/// A fresh id for a person.
pub(crate) fn draw_id() -> anyhow::Result<PersonId> {
    id(millis()?, 0)
}

fn id(millis: u64, counter: u16) -> anyhow::Result<PersonId> {
    let [.., a, b, c, d, e, f, g, h] = draw_key()?;
    let random = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    Ok(PersonId(scaffold::uuid(millis, counter, random)))
}

fn millis() -> anyhow::Result<u64> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    u64::try_from(since.as_millis()).context("the clock is far in the future")
}

pub(crate) async fn init(session: &Session, arguments: &Init) -> anyhow::Result<()> {
    let beside = |name: &str| arguments.config.with_file_name(name);
    let config = NodeConfig::load(&arguments.config)?;
    let people = people::load(arguments.people.as_ref().unwrap_or(&beside("people.toml")))?;
    let policy = load_policy(arguments.policy.as_ref().unwrap_or(&beside("policy.toml")))?;
    let secrets = arguments.secrets.iter().map(|text| secret(text)).collect::<anyhow::Result<Vec<_>>>()?;
    let claims = node::initialise(&config, Beginning { policy, people, secrets }).await?;
    match &arguments.claims {
        Some(folder) => keep(session, folder, &claims),
        None => print(session, &claims),
    }
}

/// A governed secret with its present value.
fn secret(text: &str) -> anyhow::Result<(SecretKey, SecretValue)> {
    let malformed = |why: String| {
        Failure::new(Kind::Malformed, format!("`--secret {text}`: {why}"))
            .hint("as in `--secret webhook-signing/stripe@production=file:/run/keys/stripe`")
    };
    let (name, reference) = text
        .split_once('=')
        .ok_or_else(|| malformed("it is not of the form NAME@ENVIRONMENT=REFERENCE".into()))?;
    let key = format!("secret:{name}").parse().map_err(|error| malformed(format!("{error}")))?;
    let reference = SecretRef::parse(reference).map_err(|error| malformed(error.to_string()))?;
    let value = reference.resolve().map_err(|error| malformed(error.to_string()))?;
    Ok((key, value))
}

/// One file per person, readable by its owner only.
fn keep(session: &Session, folder: &Path, claims: &[Claim]) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("making `{}`", folder.display()))?;
    let mut files = Vec::with_capacity(claims.len());
    for Claim { person, claim } in claims {
        // A name may hold anything; a file's name may not.
        let safe: String =
            person.name.chars().map(|c| if c.is_alphanumeric() || c == '-' { c } else { '_' }).collect();
        let path = folder.join(format!("{safe}.claim"));
        write_private(&path, claim)?;
        files.push(json!({ "person": person.id.to_string(), "name": person.name, "file": path.display().to_string() }));
    }
    session.output.show(&json!({ "claims": files }), |_| {
        format!(
            "Genesis is written. The one-time claims are in `{}`: hand each to its person.",
            folder.display()
        )
    })
}

fn print(session: &Session, claims: &[Claim]) -> anyhow::Result<()> {
    let all: Vec<_> = claims
        .iter()
        .map(|Claim { person, claim }| json!({ "person": person.id.to_string(), "name": person.name, "claim": claim }))
        .collect();
    session.output.show(&json!({ "claims": all }), |_| {
        let mut table = output::Table::new(["person", "one-time claim"], "");
        for Claim { person, claim } in claims {
            table.row([&person.name, claim]);
        }
        format!(
            "Genesis is written. These claims are shown once: hand each to its person, who replaces it with\n`countersign claim`.\n\n{}",
            table.render()
        )
    })
}

pub(crate) async fn serve(arguments: &Serve) -> anyhow::Result<()> {
    log_to_standard_error();
    let config = NodeConfig::load(&arguments.config)?;
    let stop = stopped(arguments.with_parent)?;
    let node = Node::start(&config).await?;
    line(&json!({ "listening": node.address().to_string() }).to_string())?;
    Ok(node.run(stop).await?)
}

/// Ready when the server should stop.
pub(super) fn stopped(with_parent: bool) -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminated = signal(SignalKind::terminate()).context("listening for signals")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("listening for signals")?;
    let (orphaned, parent_gone) = tokio::sync::oneshot::channel::<()>();
    // A plain thread, because a blocked read of standard input would keep the runtime from shutting down.
    let keep = if with_parent {
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            let _ = orphaned.send(());
        });
        None
    } else {
        Some(orphaned)
    };
    Ok(async move {
        let _keep = keep;
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
            _ = parent_gone => {}
        }
    })
}

/// Lines for people on a terminal, JSON elsewhere; `RUST_LOG` chooses what is told.
pub(super) fn log_to_standard_error() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() { builder.init() } else { builder.json().init() }
}
