//! The key ring on disk, and the copy in memory that request handlers read.
//!
//! Every order is decided on what the database holds, inside one transaction, and published to memory after
//! the commit and before the answer. So a crash at any point leaves either no trace or an effect that is
//! answered again.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use tokio::sync::watch;

use super::{
    keyring::{self, Decision, KeyRing, Known, Refusal, Role},
    order::{Kind, Order},
};
use crate::{SecretText, Version, VersionedKey, database};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS keys (version INTEGER PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS ring (
    only INTEGER PRIMARY KEY CHECK (only = 1), fence INTEGER NOT NULL, signing INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS effects (
    id TEXT PRIMARY KEY, digest BLOB NOT NULL, kind TEXT NOT NULL, rotation TEXT NOT NULL,
    version INTEGER NOT NULL, answer TEXT NOT NULL
) STRICT;";

/// What the rest of the program sees of the ring.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) ring: Arc<KeyRing>,
    /// The ring's keys, prepared once.
    pub(crate) keys: Arc<[VersionedKey]>,
    /// The version that signed before, and when the signer was told to switch; none before the first switch.
    pub(crate) switched: Option<(Version, Instant)>,
}

impl Published {
    fn first(ring: KeyRing) -> Self {
        Self { keys: ring.prepared().into(), ring: Arc::new(ring), switched: None }
    }

    /// The state after a commit. The time of a switch is kept when the signing version stays.
    fn next(&self, ring: KeyRing) -> Self {
        let switched = match self.ring.signing {
            Some(before) if ring.signing != Some(before) => Some((before, Instant::now())),
            _ => self.switched,
        };
        Self { switched, ..Self::first(ring) }
    }
}

/// Why an order was not carried out.
#[derive(Debug)]
pub(crate) enum Disobedience {
    Refused(Refusal),
    Unavailable(rusqlite::Error),
}

impl From<rusqlite::Error> for Disobedience {
    fn from(error: rusqlite::Error) -> Self {
        Self::Unavailable(error)
    }
}

/// The durable key ring of one program.
#[derive(Debug, Clone)]
pub(crate) struct KeyStore {
    role: Role,
    connection: Arc<Mutex<Connection>>,
    published: watch::Sender<Published>,
}

impl KeyStore {
    /// Opens the ring; `first` becomes version 1 only when the ring has never been filled.
    pub(crate) fn open(path: &Path, role: Role, first: SecretText) -> rusqlite::Result<Self> {
        let mut connection = database::open(path, SCHEMA)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let ring = match load_ring(&transaction)? {
            Some(ring) => ring,
            None => {
                let ring = KeyRing::first(role, first);
                save_ring(&transaction, &ring)?;
                ring
            }
        };
        transaction.commit()?;
        let published = watch::Sender::new(Published::first(ring));
        Ok(Self { role, connection: Arc::new(Mutex::new(connection)), published })
    }

    /// The ring as of the last commit.
    pub(crate) fn published(&self) -> Published {
        self.published.borrow().clone()
    }

    /// Carries out one order and returns the answer to give, which is JSON.
    pub(crate) async fn obey(&self, order: Order) -> Result<String, Disobedience> {
        let store = self.clone();
        let outcome = tokio::task::spawn_blocking(move || store.obey_blocking(&order)).await;
        // The task ends early only when the runtime shuts down; nothing was answered then, so nothing was
        // promised.
        outcome.unwrap_or(Err(Disobedience::Unavailable(rusqlite::Error::InvalidQuery)))
    }

    fn obey_blocking(&self, order: &Order) -> Result<String, Disobedience> {
        // A panicking holder can only have dropped its transaction, which rolls back; the connection is still
        // good.
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let known = load_known(&transaction, order)?;
        let before = known.ring.clone();
        let decision = keyring::decide(self.role, known, order).map_err(Disobedience::Refused)?;
        let (answer, ring) = match decision {
            Decision::Repeat { answer, fence } => (answer, KeyRing { fence, ..before }),
            Decision::Change { answer, ring } => {
                save_effect(&transaction, order, &answer)?;
                (answer, ring)
            }
        };
        save_ring(&transaction, &ring)?;
        transaction.commit()?;
        // Still under the lock, so that memory sees commits in their order.
        self.published.send_modify(|published| *published = published.next(ring));
        Ok(answer)
    }
}

fn load_ring(transaction: &Transaction<'_>) -> rusqlite::Result<Option<KeyRing>> {
    let head = transaction
        .query_row("SELECT fence, signing FROM ring", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((fence, signing)) = head else { return Ok(None) };
    let mut keys = BTreeMap::new();
    let mut statement = transaction.prepare("SELECT version, value FROM keys")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let value: String = row.get(1)?;
        let value = SecretText::new(value).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, Box::new(error))
        })?;
        keys.insert(row.get(0)?, value);
    }
    Ok(Some(KeyRing { keys, signing, fence }))
}

fn load_known(transaction: &Transaction<'_>, order: &Order) -> rusqlite::Result<Known> {
    let ring = load_ring(transaction)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let obeyed = transaction
        .query_row("SELECT digest, answer FROM effects WHERE id = ?1", [&order.effect], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    let dropped = transaction.query_row(
        "SELECT EXISTS (SELECT 1 FROM effects WHERE kind = ?1 AND rotation = ?2 AND version = ?3)",
        params![Kind::Drop.name(), order.rotation, order.version],
        |row| row.get(0),
    )?;
    Ok(Known { ring, obeyed, dropped })
}

fn save_effect(transaction: &Transaction<'_>, order: &Order, answer: &str) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO effects (id, digest, kind, rotation, version, answer) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![order.effect, order.digest(), order.kind.name(), order.rotation, order.version, answer],
    )?;
    Ok(())
}

/// Writes the whole ring; it is a handful of rows, and so there is no difference to get wrong.
fn save_ring(transaction: &Transaction<'_>, ring: &KeyRing) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM keys", [])?;
    for (version, secret) in &ring.keys {
        transaction.execute(
            "INSERT INTO keys (version, value) VALUES (?1, ?2)",
            params![version, secret.reveal()],
        )?;
    }
    transaction.execute(
        "INSERT OR REPLACE INTO ring (only, fence, signing) VALUES (1, ?1, ?2)",
        params![ring.fence, ring.signing],
    )?;
    Ok(())
}
