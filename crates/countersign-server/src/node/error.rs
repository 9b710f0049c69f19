//! Why a node does not start: what is wrong, under which key of the configuration, and what would be right. Never a secret.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::certificates::CertificateError;
use crate::engine::{EngineError, StartError};
use crate::genesis::GenesisError;
use crate::runner::RunnerError;
use crate::secrets::{ReferenceError, SecretError};
use crate::sign_in::SignInError;
use crate::store::StoreError;

/// Why a node does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// A reference gives no secret.
    #[error("{key}: {cause}")]
    Reference {
        /// The key of the configuration.
        key: String,
        /// Why.
        cause: ReferenceError,
    },
    /// A key has another form.
    #[error("{key}: what it refers to is not {form}")]
    Form {
        /// The key of the configuration.
        key: String,
        /// What would be right.
        form: &'static str,
    },
    /// The origin cannot name a key.
    #[error("origin: {0}")]
    Origin(String),
    /// A folder cannot be used.
    #[error("{key}: the folder `{}` cannot be used: {cause}", path.display())]
    Folder {
        /// The key of the configuration.
        key: &'static str,
        /// The folder.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// Nobody wrote genesis yet.
    #[error("there is no log in `{0}` yet: run `countersign init` first")]
    NoGenesis(String),
    /// Genesis is written once.
    #[error("`{0}` already holds a log: choose another data folder or database for another log")]
    AlreadyInitialised(String),
    /// The shared database cannot be used as configured.
    #[error("{0}")]
    Database(String),
    /// The log has another origin.
    #[error("origin: the log in the data folder is `{log}`, not `{configured}`")]
    OtherOrigin {
        /// As configured.
        configured: String,
        /// As the log says.
        log: String,
    },
    /// The log is signed by another key.
    #[error("log_key: the log in the data folder is signed by `{log}`, the configured key is `{}`", configured.join("` or `"))]
    OtherKey {
        /// As configured, as vkeys: `log_key` and, if there is one, `next_log_key`.
        configured: Vec<String>,
        /// As the log says, as a vkey.
        log: String,
    },
    /// Genesis is durable, but its checkpoint is not.
    #[error("the log was begun, but its first checkpoint could not be kept in `{}`; the log tells why", .0.display())]
    Unsigned(PathBuf),
    /// The certificate cannot be shown.
    #[error("server.tls: {0}")]
    Certificate(#[from] CertificateError),
    /// The address cannot be listened on.
    #[error("listen: cannot listen on `{address}`: {cause}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        cause: io::Error,
    },
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The secrets cannot be opened.
    #[error(transparent)]
    Secrets(#[from] SecretError),
    /// Passwords cannot be checked.
    #[error("passwords: {0}")]
    SignIn(#[from] SignInError),
    /// The engine does not start.
    #[error(transparent)]
    Engine(StartError),
    /// Genesis is refused.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The log does not take the key for permit documents.
    #[error("permit_key: it could not be written down: {0}")]
    PermitKey(EngineError),
    /// The witnesses cannot be asked.
    #[error("witnesses: {0}")]
    Witnesses(String),
    /// Issuers cannot be asked for their keys.
    #[error("issuers: {0}")]
    Issuers(String),
    /// The runner cannot call anybody.
    #[error(transparent)]
    Runner(#[from] RunnerError),
}

impl From<StartError> for NodeError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::OtherKey { configured, log } => Self::OtherKey { configured, log },
            error => Self::Engine(error),
        }
    }
}
