//! How configuration names a secret without containing it: `env:NAME` or `file:/path`.
//!
//! A reference is read when it is needed and the value is not kept here. Files that others on the machine can read are refused:
//! a secret that leaks at rest is not one.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::SecretValue;

/// No secret is longer; a larger file is a wrong path.
const MAX_BYTES: u64 = 64 * 1024;

/// Where to find a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// An environment variable of this process.
    Env(String),
    /// A file that only its owner can read, by absolute path.
    File(PathBuf),
}

/// Why a reference does not give a secret. The place is named, the value never.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// Not `env:NAME` or `file:/path`. The text is not repeated: it may be the secret itself, pasted by mistake.
    #[error("a secret is named as `env:NAME` or `file:/absolute/path`, never written out")]
    Malformed,
    /// The variable is not set, or not text.
    #[error("the environment variable `{0}` is not set to text")]
    NotSet(String),
    /// The file cannot be read.
    #[error("cannot read the secret file `{path}`: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// Others can read the file.
    #[error("the secret file `{path}` is open to others (mode {mode:04o}): run `chmod 600 {path}`")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is nothing in it.
    #[error("the secret `{0}` is empty")]
    Empty(SecretRef),
}

impl SecretRef {
    /// Reads a reference from configuration text.
    ///
    /// # Errors
    /// `Malformed` for anything but `env:NAME` and `file:/path`.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        match text.split_once(':') {
            Some(("env", name)) if is_variable(name) => Ok(Self::Env(name.to_owned())),
            Some(("file", path)) if Path::new(path).is_absolute() => Ok(Self::File(PathBuf::from(path))),
            _ => Err(ReferenceError::Malformed),
        }
    }

    /// Fetches the value; a trailing line break is not part of it.
    ///
    /// # Errors
    /// Any [`ReferenceError`] but `Malformed`.
    pub fn resolve(&self) -> Result<SecretValue, ReferenceError> {
        let text = match self {
            Self::Env(name) => std::env::var(name).map_err(|_| ReferenceError::NotSet(name.clone()))?,
            Self::File(path) => read_private(path)?,
        };
        let value = SecretValue::new(text);
        let trimmed = value.expose().trim_end_matches(['\r', '\n']);
        if trimmed.is_empty() {
            return Err(ReferenceError::Empty(self.clone()));
        }
        Ok(SecretValue::new(trimmed.to_owned()))
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

fn is_variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn read_private(path: &Path) -> Result<String, ReferenceError> {
    let unreadable = |cause: String| ReferenceError::Unreadable { path: path.to_owned(), cause };
    let mut file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    // Asked of the open file, not of the path: the answer is about what is read.
    let metadata = file.metadata().map_err(|error| unreadable(error.to_string()))?;
    if !metadata.is_file() {
        return Err(unreadable("it is not a file".to_owned()));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(ReferenceError::Exposed { path: path.to_owned(), mode });
    }
    if metadata.len() > MAX_BYTES {
        return Err(unreadable(format!("it is longer than {MAX_BYTES} bytes")));
    }
    let mut text = String::new();
    file.by_ref().take(MAX_BYTES).read_to_string(&mut text).map_err(|error| unreadable(error.to_string()))?;
    Ok(text)
}
