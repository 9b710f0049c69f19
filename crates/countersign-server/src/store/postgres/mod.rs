//! The store in PostgreSQL, which several nodes share.
//!
//! Any number of nodes append, each conditionally on the size it believes in; the head's row decides who wins. What PostgreSQL reports is
//! sorted into the store's errors in `errors`; an append whose session was lost before it was answered is `Unknown`, never guessed.
//!
//! # Layout
//! - `address`: where the database is, and how safely it is talked to
//! - `driver`: the thread that drives the sockets
//! - `connection`: one session, made again when it was lost
//! - `migrate`: the schema and how it changes
//! - `append`: the one statement that writes a batch
//! - `read`: every question
//! - `whole`: everything listed, for a ledger that is moved
//! - `listen`: hears of what other nodes append

use std::sync::Arc;

use countersign_core::time::Time;
use tokio_postgres::Row;

use self::connection::{Connection, Failure, Values};
use self::driver::Driver;
use super::{Batch, Heard, Reader, Snapshot, Store, StoreError, StoredCheckpoint};

mod address;
mod append;
mod connection;
mod driver;
mod errors;
mod listen;
mod migrate;
mod read;
mod whole;

pub use address::{Address, AddressError};

/// A session with a ledger's database. `Role` tells writers from readers.
#[derive(Debug)]
pub struct Postgres<Role> {
    connection: Connection,
    #[expect(dead_code, reason = "it only tells the type of a writer from that of a reader")]
    role: Role,
}

/// What a writer is.
#[derive(Debug)]
pub struct Writer(());

/// A session that only looks.
pub type PostgresReader = Postgres<()>;

/// A session that appends. Several may, on one machine or many.
pub type PostgresStore = Postgres<Writer>;

impl PostgresStore {
    /// Opens the ledger of a database, bringing its schema forward if it is an older version's.
    ///
    /// # Errors
    /// `Unavailable` when the server does not answer, refuses to sign in or would forget what it acknowledged; `Corrupt` when the
    /// database holds no ledger, or one of a newer version.
    pub fn open(address: Address) -> Result<Self, StoreError> {
        let mut connection = Connection::new(Driver::start()?, Arc::new(address));
        if !migrate::is_ours(&mut connection)? {
            return Err(StoreError::Corrupt(format!("`{}` holds no ledger", connection.address())));
        }
        migrate::migrate(&mut connection)?;
        Ok(Self { connection, role: Writer(()) })
    }

    /// The same, making the schema in a database that has none.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub fn create(address: Address) -> Result<Self, StoreError> {
        let mut connection = Connection::new(Driver::start()?, Arc::new(address));
        migrate::migrate(&mut connection)?;
        Ok(Self { connection, role: Writer(()) })
    }
}

/// A reader of the ledger at an address, with password and certificates from where PostgreSQL's own programs look for them.
pub(super) fn look(address: &str) -> Result<Box<dyn Reader>, StoreError> {
    let odd = |error: AddressError| StoreError::Unavailable(format!("the address {error}"));
    let address = Address::with_environment(address).map_err(odd)?.for_looking();
    let mut connection = Connection::new(Driver::start()?, Arc::new(address));
    if migrate::is_ours(&mut connection)? {
        Ok(Box::new(PostgresReader { connection, role: () }))
    } else {
        Err(StoreError::Corrupt(format!("`{}` holds no ledger", connection.address())))
    }
}

impl PostgresStore {
    /// A session of its own in the same database, none yet: for tables that are not the log's.
    pub(crate) fn beside(&self) -> Beside {
        Beside { connection: self.connection.another() }
    }
}

/// A session for tables beside the log.
#[derive(Debug)]
pub(crate) struct Beside {
    connection: Connection,
}

impl Beside {
    /// Begins a transaction with these statements; one that was not ended is undone.
    pub(crate) fn begin(&mut self, sql: &str) -> Result<(), StoreError> {
        self.connection.release();
        match self.connection.begin(sql) {
            // Lost while nothing was done yet, so another session will do.
            Err(Failure::Lost(_)) => Ok(self.connection.begin(sql)?),
            begun => Ok(begun?),
        }
    }

    /// Asks. A transaction whose session was lost ends with an error; outside of one it is asked again on another session.
    pub(crate) fn rows(&mut self, sql: &'static str, values: Values<'_>) -> Result<Vec<Row>, StoreError> {
        self.connection.rows(sql, values)
    }

    /// Keeps what was done since the beginning.
    pub(crate) fn commit(&mut self) -> Result<(), StoreError> {
        match self.connection.commit() {
            Err(Failure::Lost(error)) => Err(StoreError::Unknown(error.to_string())),
            ended => Ok(ended?),
        }
    }

    /// Undoes what was done since the beginning, if something was begun.
    pub(crate) fn undo(&mut self) {
        self.connection.release();
    }
}

impl Store for PostgresStore {
    fn append(&mut self, batch: &Batch) -> Result<(), StoreError> {
        append::append(&mut self.connection, batch)
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn claim(&mut self) -> Result<(), StoreError> {
        self.connection.claim(append::HOLD_HEAD)
    }

    fn release(&mut self) {
        self.connection.release();
    }

    fn save_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), StoreError> {
        append::save_snapshot(&mut self.connection, snapshot)
    }

    fn save_checkpoint(&mut self, checkpoint: &StoredCheckpoint) -> Result<(), StoreError> {
        append::save_checkpoint(&mut self.connection, checkpoint)
    }

    fn forget_idempotency(&mut self, before_ms: i64) -> Result<(), StoreError> {
        append::forget_idempotency(&mut self.connection, before_ms)
    }

    fn time(&mut self) -> Result<Option<Time>, StoreError> {
        append::time(&mut self.connection).map(Some)
    }

    fn watch(&self, heard: Heard) -> Result<(), StoreError> {
        listen::listen(self.connection.driver(), Arc::clone(self.connection.address()), heard);
        Ok(())
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        // Its session is made when it is first asked.
        Ok(Box::new(PostgresReader { connection: self.connection.another(), role: () }))
    }
}
