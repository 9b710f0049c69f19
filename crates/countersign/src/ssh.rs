//! Signing with a person's SSH key. Private keys stay with `ssh-keygen` and agents: this hands over bytes and gets a signature back.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::failure::{Failure, Kind};

/// The armored signature of the bytes for a purpose, by the key in a file; with a public key's file, by the agent that holds it.
///
/// `ssh-keygen` asks for a passphrase or a touch itself, on the terminal.
pub(crate) fn sign(bytes: &[u8], namespace: &str, key: &Path) -> anyhow::Result<String> {
    let mut child = Command::new("ssh-keygen")
        .args(["-Y", "sign", "-n", namespace, "-f"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting `ssh-keygen`, which signs")?;
    let mut input = child.stdin.take().context("`ssh-keygen` takes nothing")?;
    input.write_all(bytes).context("handing `ssh-keygen` what is to be signed")?;
    drop(input);
    let made = child.wait_with_output().context("waiting for `ssh-keygen`")?;
    if made.status.success() {
        return String::from_utf8(made.stdout).context("reading the signature");
    }
    let why = String::from_utf8_lossy(&made.stderr);
    let what = format!("`ssh-keygen` does not sign with `{}`: {}", key.display(), why.trim());
    Err(Failure::new(Kind::Malformed, what)
        .hint("name a private key, or a public key that the agent holds")
        .into())
}
