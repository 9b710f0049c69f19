//! `--dpop-key FILE`: the key to which a token is bound. It stays in its file; the credential's file says where that is.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use countersign_client::{Client, ClientError, Credential, ProofKey};

use crate::credentials::{self, Saved};

/// The key to which the new token is to be bound.
#[derive(Debug, Args)]
pub(super) struct Key {
    /// Bind it to the key in this file (PEM, Ed25519 or P-256), or to a fresh one in a new file: every request then proves that its sender
    /// has the key (DPoP), which never leaves this machine.
    #[arg(long, value_name = "FILE")]
    dpop_key: Option<PathBuf>,
}

/// A key in its file.
#[derive(Debug)]
pub(super) struct Kept {
    path: PathBuf,
    jkt: String,
    is_new: bool,
}

impl Key {
    /// The key that is named, drawn if there is none.
    pub(super) fn kept(&self) -> anyhow::Result<Option<Kept>> {
        let Some(named) = &self.dpop_key else { return Ok(None) };
        // The credential's file may be used from another folder.
        let path = std::path::absolute(named).with_context(|| format!("finding `{}`", named.display()))?;
        let is_new = !path.exists();
        if is_new {
            credentials::write_private(&path, &ProofKey::draw_pem()?)?;
        }
        let jkt = credentials::load_key(&path)?.thumbprint();
        Ok(Some(Kept { path, jkt, is_new }))
    }
}

impl Kept {
    /// What the token is bound to.
    pub(super) fn jkt(&self) -> String {
        self.jkt.clone()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A client without a credential that proves this key.
    pub(super) fn client(&self, server: &str) -> anyhow::Result<Client> {
        Ok(Client::bound(server, None, credentials::load_key(&self.path)?)?)
    }

    /// Removes a key that was drawn for a token that will never be.
    pub(super) fn discard(&self) -> anyhow::Result<()> {
        if !self.is_new {
            return Ok(());
        }
        std::fs::remove_file(&self.path).with_context(|| format!("removing `{}`", self.path.display()))
    }

    /// The same after a clear no; after anything else the token may be there.
    pub(super) fn discard_if_refused(&self, error: &ClientError) -> anyhow::Result<()> {
        if self.is_new { credentials::discard_if_refused(&self.path, error) } else { Ok(()) }
    }
}

/// The token with where its key is: the one it was bound to by its own, or the one of what it was exchanged from.
pub(super) fn saved(server: &str, credential: Credential, key: Option<&Path>) -> Saved {
    Saved { server: server.to_owned(), credential, dpop_key: key.map(Path::to_owned) }
}

/// Where the key of a token is, for whoever keeps both.
pub(super) fn told(key: Option<&Path>) -> String {
    let told = |path: &Path| format!("It is worth nothing without the key in `{}`.\n", path.display());
    key.map(told).unwrap_or_default()
}
