//! A ledger named on a command line: by a node's configuration, by a file or by an address. Opened to be moved, never to be served.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{NodeError, place};
use crate::config::NodeConfig;
use crate::store::StoreError;
use crate::store::copy::Target;
use crate::store::postgres::{Address, PostgresStore};
use crate::store::sqlite::SqliteStore;

/// Where a ledger is.
#[derive(Clone, Debug)]
pub struct Location(Kind);

#[derive(Clone, Debug)]
enum Kind {
    File(PathBuf),
    Postgres(Box<Address>),
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::File(path) => path.display().fmt(f),
            Kind::Postgres(address) => address.fmt(f),
        }
    }
}

impl Location {
    /// The ledger of a node.
    ///
    /// # Errors
    /// The password cannot be had, or the certificates cannot be read.
    pub fn of(config: &NodeConfig) -> Result<Self, NodeError> {
        Ok(Self(match &config.postgres {
            Some(postgres) => Kind::Postgres(Box::new(place::address(postgres)?)),
            None => Kind::File(config.database()),
        }))
    }

    /// A file, or `postgresql://role@host/database`, signed in to with what `PGPASSWORD` holds and trusting the certificates in the
    /// file that `PGSSLROOTCERT` names, as PostgreSQL's own programs do.
    ///
    /// # Errors
    /// It is not an address that we would use, or the certificates cannot be read.
    pub fn parse(text: &str) -> Result<Self, NodeError> {
        if !text.starts_with("postgresql://") && !text.starts_with("postgres://") {
            return Ok(Self(Kind::File(text.into())));
        }
        let address = Address::with_environment(text);
        let address = address.map_err(|error| NodeError::Database(format!("the address {error}")))?;
        Ok(Self(Kind::Postgres(Box::new(address))))
    }

    /// Whether both are the same file, or named by the same address.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kind::File(one), Kind::File(other)) => match (one.canonicalize(), other.canonicalize()) {
                (Ok(one), Ok(other)) => one == other,
                _ => one == other,
            },
            (Kind::Postgres(one), Kind::Postgres(other)) => one.to_string() == other.to_string(),
            _ => false,
        }
    }

    /// Opens the ledger that is there. A file is locked as a server does.
    ///
    /// # Errors
    /// There is none; a server writes the file; the database cannot be reached.
    pub fn open(&self) -> Result<Box<dyn Target>, StoreError> {
        Ok(match &self.0 {
            Kind::File(path) => Box::new(SqliteStore::open_existing(path)?),
            Kind::Postgres(address) => Box::new(PostgresStore::open(address.as_ref().clone())?),
        })
    }

    /// Opens it, making an empty store if there is none: file and folder, or the schema in a database.
    ///
    /// # Errors
    /// As [`Location::open`], and what cannot be made.
    pub fn open_or_make(&self) -> Result<Box<dyn Target>, StoreError> {
        Ok(match &self.0 {
            Kind::File(path) => {
                make_folder(path)?;
                Box::new(SqliteStore::open(path)?)
            }
            Kind::Postgres(address) => Box::new(PostgresStore::create(address.as_ref().clone())?),
        })
    }
}

/// The folder of a database, if that is not where we are.
fn make_folder(database: &Path) -> Result<(), StoreError> {
    let Some(folder) = database.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(());
    };
    place::private(folder).map_err(|cause| {
        StoreError::Unavailable(format!("the folder `{}` cannot be made: {cause}", folder.display()))
    })
}
