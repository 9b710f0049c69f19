//! Where the ledger of a node is: named, opened, and made if it is to begin. Nothing in it is looked at.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

#[cfg(feature = "sabotage")]
use countersign_core::sabotage::{self, Sabotage};

use super::NodeError;
use crate::config::{NodeConfig, PostgresConfig};
use crate::secrets::{LocalSecrets, SealingKey};
use crate::store::Store;
use crate::store::postgres::{Address, PostgresStore};
use crate::store::sqlite::SqliteStore;

/// The ledger and the secrets beside it.
pub(super) type Opened = (Box<dyn Store>, LocalSecrets);

/// What a ledger is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It is there.
    Serve,
    /// It is to begin.
    Begin,
}

impl NodeConfig {
    /// The database, for people.
    pub(super) fn place(&self) -> String {
        match &self.postgres {
            Some(postgres) => postgres.address.to_string(),
            None => self.database().display().to_string(),
        }
    }
}

/// Opens the ledger, and the data folder with it.
pub(super) fn open(config: &NodeConfig, purpose: Purpose, sealing: SealingKey) -> Result<Opened, NodeError> {
    if let Some(postgres) = &config.postgres {
        // What is derived is each node's own, so its folder is made whenever it is missing.
        make_folder(config)?;
        let address = address(postgres)?;
        let store = match purpose {
            Purpose::Begin => PostgresStore::create(address)?,
            Purpose::Serve => PostgresStore::open(address)?,
        };
        let secrets = LocalSecrets::beside(&store, sealing);
        return Ok((Box::new(store), secrets));
    }
    if purpose == Purpose::Serve && !config.database().exists() {
        return Err(NodeError::NoGenesis(config.place()));
    }
    let store = in_file(config)?;
    Ok((Box::new(store), LocalSecrets::open(config.database(), sealing)?))
}

/// The store in the data folder. Under a sabotage it is one that does not wait for the disk.
fn in_file(config: &NodeConfig) -> Result<SqliteStore, NodeError> {
    #[cfg(feature = "sabotage")]
    if sabotage::is_active(Sabotage::SynchronousOff) {
        return Ok(SqliteStore::open_unsynced(config.database())?);
    }
    Ok(SqliteStore::open(config.database())?)
}

/// The address with its password and the certificates to trust.
pub(super) fn address(postgres: &PostgresConfig) -> Result<Address, NodeError> {
    let PostgresConfig { address, password, ca } = postgres;
    let roots = address.clone().with_roots(ca.as_deref());
    let address = roots.map_err(|error| NodeError::Database(format!("store.ca: {error}")))?;
    let Some(reference) = password else { return Ok(address) };
    let password = reference
        .resolve()
        .map_err(|cause| NodeError::Reference { key: "store.password".to_owned(), cause })?;
    Ok(address.with_password(&password))
}

/// Makes the data folder if there is none.
pub(super) fn make_folder(config: &NodeConfig) -> Result<(), NodeError> {
    let folder = &config.data;
    private(folder).map_err(|cause| NodeError::Folder { key: "data", path: folder.clone(), cause })
}

/// Makes a folder if there is none. Only its owner looks into it, also while the files in it are being made.
pub(super) fn private(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}
