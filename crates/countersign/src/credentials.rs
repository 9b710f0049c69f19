//! The file in which a person keeps their credential and the server it is for, JSON, and the one with the key that it is bound to, PEM: readable by
//! their owner only.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use countersign_client::{Client, ClientError, Credential, ErrorKind, ProofKey};
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Kind};

/// A credential and the server it is for.
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) server: String,
    pub(crate) credential: Credential,
    /// Where the key is that a token is bound to, if it is bound to one.
    pub(crate) dpop_key: Option<PathBuf>,
}

impl Saved {
    /// A client of this server that acts as the holder, and proves the key where there is one.
    pub(crate) fn client(&self, server: &str) -> anyhow::Result<Client> {
        Ok(match &self.dpop_key {
            Some(path) => Client::bound(server, Some(&self.credential), load_key(path)?)?,
            None => Client::new(server, Some(&self.credential))?,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    server: String,
    credential: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dpop_key: Option<PathBuf>,
}

/// Where the credential is unless told otherwise.
pub(crate) fn default_path() -> anyhow::Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")));
    let base = base.context("neither XDG_CONFIG_HOME nor HOME is set: name a file with `--credential`")?;
    Ok(base.join("countersign").join("credential.json"))
}

/// Reads a credential file.
pub(crate) fn load(path: &Path) -> anyhow::Result<Saved> {
    let shown = path.display();
    let hint = "replace your one-time claim with `countersign claim`, or name the file with `--credential`";
    let text = read_private("credential", path, hint)?;
    // Only the place is told: the parser's message may quote the credential.
    let File { server, credential, dpop_key } = serde_json::from_str(&text).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        Failure::new(Kind::Malformed, format!("`{shown}` is not a credential file ({place})"))
            .hint("it holds {\"server\": …, \"credential\": …}, as `countersign claim` writes it")
    })?;
    let credential = Credential::parse(&credential).with_context(|| format!("reading `{shown}`"))?;
    Ok(Saved { server, credential, dpop_key })
}

/// Reads the key that a token is bound to.
pub(crate) fn load_key(path: &Path) -> anyhow::Result<ProofKey> {
    let hint = "without its key the token is worth nothing: restore the file, or issue another token";
    let text = read_private("key", path, hint)?;
    ProofKey::from_pem(&text).with_context(|| format!("reading `{}`", path.display()))
}

/// The text of a file that is nobody else's.
fn read_private(what: &str, path: &Path, hint: &'static str) -> anyhow::Result<String> {
    let shown = path.display();
    let mut file = std::fs::File::open(path).map_err(|error| {
        let what = format!("the {what} file `{shown}` cannot be read: {error}");
        Failure::new(Kind::NotSignedIn, what).hint(hint)
    })?;
    let mode = file.metadata()?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        let what = format!("the {what} file `{shown}` is open to others (mode {mode:04o})");
        return Err(Failure::new(Kind::Malformed, what).hint(format!("chmod 600 {shown}")).into());
    }
    let mut text = String::new();
    file.read_to_string(&mut text).with_context(|| format!("reading `{shown}`"))?;
    Ok(text)
}

/// Writes a new credential file; an existing one is never overwritten.
pub(crate) fn save(path: &Path, saved: &Saved) -> anyhow::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).with_context(|| format!("making `{}`", folder.display()))?;
    }
    let Saved { server, credential, dpop_key } = saved;
    let (credential, dpop_key) = (credential.expose().to_owned(), dpop_key.clone());
    let file = File { server: server.clone(), credential, dpop_key };
    write_private(path, &serde_json::to_string(&file)?)
}

/// Removes a credential file that was written before the server was asked. Only a clear no makes what is in it worthless; after anything else it may
/// be what holds.
pub(crate) fn discard_if_refused(path: &Path, error: &ClientError) -> anyhow::Result<()> {
    if matches!(error.kind(), ErrorKind::Refused | ErrorKind::Malformed) {
        std::fs::remove_file(path).with_context(|| format!("removing `{}`", path.display()))?;
    }
    Ok(())
}

/// Writes a new file that only its owner can read, to the disk.
pub(crate) fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.map_err(|error| {
        let what = format!("`{}` cannot be created: {error}", path.display());
        Failure::new(Kind::Malformed, what).hint("nothing is ever overwritten: choose another place")
    })?;
    file.write_all(text.as_bytes()).with_context(|| format!("writing `{}`", path.display()))?;
    file.sync_all().with_context(|| format!("writing `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_kept_from_others_and_never_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        write_private(&path, &ProofKey::draw_pem().unwrap()).unwrap();
        load_key(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(load_key(&path).unwrap_err().to_string().contains("key file"), "open to others");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "hunter2").unwrap();
        assert!(!format!("{:#}", load_key(&path).unwrap_err()).contains("hunter2"));
        std::fs::remove_file(&path).unwrap();
        assert!(load_key(&path).unwrap_err().to_string().contains("cannot be read"));
    }

    #[test]
    fn a_credential_is_kept_from_others_and_never_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/ana.json");
        let (server, credential) = ("http://127.0.0.1:1".into(), Credential::draw().unwrap());
        let saved = Saved { server, credential, dpop_key: Some(folder.path().join("ana.pem")) };
        save(&path, &saved).unwrap();
        assert_eq!(load(&path).unwrap().credential.expose(), saved.credential.expose());
        assert_eq!(load(&path).unwrap().dpop_key, saved.dpop_key);
        assert!(save(&path, &saved).is_err(), "an existing file is not overwritten");

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(load(&path).unwrap_err().to_string().contains("open to others (mode 0644)"));

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "{\"server\":\"x\",\"credential\":\"hunter2\"}").unwrap();
        assert!(!format!("{:#}", load(&path).unwrap_err()).contains("hunter2"));
    }
}
