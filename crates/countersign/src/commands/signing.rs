//! Signing what one agrees to, and taking statements and signatures along for `ssh-keygen`.
//!
//! What is shown is rendered from the very bytes that are signed, after they were read strictly and held against what the server says
//! of the request otherwise. The signature is made by `ssh-keygen`, which knows files, agents and FIDO keys; no private key comes here.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use clap::Args;
use countersign_api::approval::{Approval, Approve};
use countersign_client::Client;
use countersign_ledger::display;
use countersign_ledger::json;
use countersign_ledger::sshsig::SshSignature;
use countersign_ledger::statement::{NAMESPACE, Statement};

use super::Session;
use crate::failure::{Failure, Kind};
use crate::output::line;

/// How a vote is signed.
#[derive(Clone, Debug, Args)]
pub(crate) struct Signing {
    /// Sign what you agree to with a voting key of yours: shows it first, then asks.
    #[arg(long)]
    sign: bool,
    /// The key: a private key file, the `.pub` file of a key in an agent or authenticator, or `agent` for the key in your agent that is enrolled.
    #[arg(long, value_name = "FILE", requires = "sign", required_if_eq("sign", "true"))]
    key: Option<PathBuf>,
    /// Do not ask whether to sign.
    #[arg(long, requires = "sign")]
    yes: bool,
}

/// Agrees, with a signature if that was asked for.
pub(crate) async fn approve(
    session: &Session,
    (id, signing): (&str, &Signing),
    vote: Approve,
) -> anyhow::Result<Approval> {
    let client = session.client()?;
    let signature = match &signing.key {
        Some(key) => Some(signed(session, (&client, id), (key, signing.yes)).await?),
        None => None,
    };
    Ok(client.vote(id, &Approve { signature, ..vote }).await?)
}

/// Shows the statement, asks, and has it signed.
async fn signed(
    session: &Session,
    (client, id): (&Client, &str),
    (key, yes): (&Path, bool),
) -> anyhow::Result<String> {
    let bytes = fetched(client, id).await?;
    if !session.output.is_json() || !yes {
        session.output.say(&format!("You are about to sign:\n\n{}", display::text(&bytes)?))?;
    }
    confirm(yes)?;
    let armor = if key.as_os_str() == "agent" {
        let public = in_agent(client).await?;
        let folder = tempfile::tempdir().context("making a temporary folder")?;
        let file = folder.path().join("key.pub");
        std::fs::write(&file, public).context("writing the public key")?;
        sign(&file, NAMESPACE, &bytes)?
    } else {
        sign(key, NAMESPACE, &bytes)?
    };
    let read = SshSignature::from_armor(&armor).context("reading what `ssh-keygen` made")?;
    read.verify(NAMESPACE, &bytes).context("verifying what `ssh-keygen` made")?;
    Ok(armor)
}

/// The statement of a request, read strictly, and held against what the server says of the request otherwise.
async fn fetched(client: &Client, id: &str) -> anyhow::Result<Vec<u8>> {
    let bytes = client.statement(id).await?;
    let untrue = |what: &str| {
        Failure::new(Kind::Unverified, format!("{what}: do not sign it")).hint(
            "the server asks for a signature under something else than it shows; tell the security engineers",
        )
    };
    let statement = Statement::parse(&bytes)
        .map_err(|error| untrue(&format!("what `{id}` asks to sign is no statement ({error})")))?;
    let approval = client.approval(id).await?;
    let shown = approval.parameters.as_ref().map(json::to_canonical).transpose()?;
    let [verb, resource, environment] = &statement.action;
    let same = statement.approval == id
        && approval.id == id
        && [verb, resource, environment]
            == [&approval.action.verb, &approval.action.resource, &approval.action.environment]
        && statement.parameters_sha256.to_string() == approval.parameters_sha256
        && shown == Some(statement.parameters.to_canonical())
        && statement.requester == approval.requester.id
        && statement.rules == approval.rules;
    if same {
        Ok(bytes)
    } else {
        Err(untrue(&format!("what `{id}` asks to sign is not the request that is shown")).into())
    }
}

/// Asks whether to sign, unless that was said beforehand; anything but `yes` ends it.
pub(super) fn confirm(yes: bool) -> anyhow::Result<()> {
    if yes || is_confirmed()? {
        return Ok(());
    }
    Err(Failure::new(Kind::Refused, "nothing was signed").into())
}

/// Asks on the terminal.
fn is_confirmed() -> anyhow::Result<bool> {
    let (mut ask, input) = (std::io::stderr(), std::io::stdin());
    if !input.is_terminal() {
        let what = "there is nobody to ask whether to sign";
        return Err(Failure::new(Kind::Malformed, what).hint("add `--yes`, or run it in a terminal").into());
    }
    ask.write_all(b"Sign this? Type `yes`: ").and_then(|()| ask.flush()).context("asking")?;
    let mut answer = String::new();
    input.read_line(&mut answer).context("reading the answer")?;
    Ok(answer.trim() == "yes")
}

/// Has `ssh-keygen` sign for a purpose; it asks for a passphrase or a touch on the terminal itself.
pub(super) fn sign(key: &Path, namespace: &str, message: &[u8]) -> anyhow::Result<String> {
    let mut child = Command::new("ssh-keygen")
        .args(["-Y", "sign", "-q", "-n", namespace, "-f"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| {
            Failure::new(Kind::Unavailable, format!("`ssh-keygen` cannot be run: {error}"))
                .hint("install OpenSSH (8.2 or later, for FIDO keys)")
        })?;
    let written = child.stdin.take().map(|mut input| input.write_all(message));
    let output = child.wait_with_output().context("waiting for `ssh-keygen`")?;
    if !output.status.success() {
        let what = format!("`ssh-keygen` did not sign with `{}`", key.display());
        return Err(Failure::new(Kind::Refused, what).hint("what it said stands above").into());
    }
    written.transpose().context("handing the statement to `ssh-keygen`")?;
    String::from_utf8(output.stdout).context("reading the signature")
}

/// Of one's keys in force, the line of the one that the agent holds.
async fn in_agent(client: &Client) -> anyhow::Result<String> {
    let me = client.me().await?.id;
    let keys = client.voting_keys(&me).await?.keys;
    let output = Command::new("ssh-add").arg("-L").output().context("asking the agent with `ssh-add -L`")?;
    let held = String::from_utf8_lossy(&output.stdout).into_owned();
    let mine = keys.into_iter().filter(|key| key.revoked_at.is_none()).map(|key| key.key);
    let mut found = mine.filter(|key| held.lines().any(|line| line.starts_with(key.as_str())));
    found.next().ok_or_else(|| {
        Failure::new(Kind::NotFound, "your agent holds none of your voting keys")
            .hint("`ssh-add` it, or name its file; `countersign person key list` shows which are enrolled")
            .into()
    })
}

/// Shows a statement, or writes its exact bytes.
pub(crate) async fn statement(session: &Session, id: &str, out: Option<&Path>) -> anyhow::Result<()> {
    let bytes = fetched(&session.client()?, id).await?;
    if let Some(path) = out {
        return write(path, &bytes);
    }
    if session.output.is_json() { line(std::str::from_utf8(&bytes)?) } else { line(&display::text(&bytes)?) }
}

/// Writes the signature of a vote, and beside it whom `ssh-keygen` shall believe.
pub(crate) async fn signature(
    session: &Session,
    (id, person): (&str, &str),
    out: &Path,
) -> anyhow::Result<()> {
    let approval = session.client()?.approval(id).await?;
    let vote = approval.votes.iter().find(|vote| vote.person.id == person);
    let signature = vote.and_then(|vote| vote.signature.as_ref()).ok_or_else(|| {
        Failure::new(Kind::NotFound, format!("there is no signed vote of `{person}` on `{id}`"))
            .hint("`countersign approval show` says who signed")
    })?;
    let (Some(armor), Some(allowed_signer)) = (&signature.armor, &signature.allowed_signer) else {
        let failure = Failure::new(
            Kind::NotFound,
            "that vote was signed by a passkey, which `ssh-keygen` does not read".to_owned(),
        );
        return Err(failure
            .hint("`countersign evidence export` takes it along, and `evidence verify` verifies it")
            .into());
    };
    write(out, armor.as_bytes())?;
    let mut beside = out.as_os_str().to_owned();
    beside.push(".allowed_signers");
    write(Path::new(&beside), allowed_signer.as_bytes())?;
    session.output.say(&format!(
        "ssh-keygen -Y verify -f {}.allowed_signers -I {person} -n {NAMESPACE} -s {} < STATEMENT",
        out.display(),
        out.display()
    ))
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("writing `{}`", path.display()))
}
