//! Payment links, payments and overridden payouts in SQLite.
//!
//! A payment is stored by itself and not as a field of its link, because its webhook may arrive before the
//! link is stored, or at an instance that never sold the link. A link is paid when a payment for it exists.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use serde::Serialize;

use crate::{clock, database};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS links (
    id TEXT PRIMARY KEY, url TEXT NOT NULL, amount_minor INTEGER NOT NULL, currency TEXT NOT NULL,
    description TEXT NOT NULL, created_at_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, received_at_ms INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS payments (
    link TEXT PRIMARY KEY, event TEXT NOT NULL REFERENCES events (id)
) STRICT;
CREATE TABLE IF NOT EXISTS overrides (
    permit TEXT PRIMARY KEY, payout TEXT NOT NULL, amount_minor INTEGER NOT NULL, currency TEXT NOT NULL,
    account TEXT NOT NULL, at_ms INTEGER NOT NULL
) STRICT;";

/// A payment link as stored and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Link {
    pub(super) id: String,
    pub(super) url: String,
    /// In the currency's minor unit, such as cents.
    pub(super) amount_minor: i64,
    pub(super) currency: String,
    pub(super) description: String,
    pub(super) state: State,
}

/// A payout that was overridden, and the permit it was overridden under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Override {
    pub(super) permit: String,
    pub(super) payout: String,
    /// In the currency's minor unit, such as cents.
    pub(super) amount_minor: i64,
    pub(super) currency: String,
    pub(super) account: String,
}

/// Whether a link has been paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Open,
    Paid,
}

/// What a paid event did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Applied,
    /// An event of this id was handled before; nothing changed.
    Duplicate,
}

/// The payments database.
#[derive(Debug, Clone)]
pub(super) struct Payments(Arc<Mutex<Connection>>);

impl Payments {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        Ok(Self(Arc::new(Mutex::new(database::open(path, SCHEMA)?))))
    }

    /// Stores a new link, which is open unless its payment was faster.
    pub(super) async fn insert(&self, link: Link) -> rusqlite::Result<()> {
        self.with(move |connection| {
            connection.execute(
                "INSERT INTO links (id, url, amount_minor, currency, description, created_at_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![link.id, link.url, link.amount_minor, link.currency, link.description, now()],
            )?;
            Ok(())
        })
        .await
    }

    pub(super) async fn find(&self, id: String) -> rusqlite::Result<Option<Link>> {
        self.with(move |connection| {
            let sql = "SELECT url, amount_minor, currency, description,
                              EXISTS (SELECT 1 FROM payments WHERE link = links.id)
                       FROM links WHERE id = ?1";
            let found = connection.query_row(sql, [&id], |row| {
                Ok(Link {
                    id: id.clone(),
                    url: row.get(0)?,
                    amount_minor: row.get(1)?,
                    currency: row.get(2)?,
                    description: row.get(3)?,
                    state: if row.get(4)? { State::Paid } else { State::Open },
                })
            });
            found.optional()
        })
        .await
    }

    /// Marks a link paid, once per event. Event and payment are one transaction, durable when this returns.
    pub(super) async fn record_paid(&self, event: String, link: String) -> rusqlite::Result<Effect> {
        self.with(move |connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let new = transaction.execute(
                "INSERT OR IGNORE INTO events (id, received_at_ms) VALUES (?1, ?2)",
                params![event, now()],
            )?;
            if new == 0 {
                return Ok(Effect::Duplicate);
            }
            transaction
                .execute("INSERT OR IGNORE INTO payments (link, event) VALUES (?1, ?2)", [&link, &event])?;
            transaction.commit()?;
            Ok(Effect::Applied)
        })
        .await
    }

    /// Stores that a payout was overridden under a permit, durable when this returns.
    pub(super) async fn record_override(&self, made: Override) -> rusqlite::Result<()> {
        self.with(move |connection| {
            let Override { permit, payout, amount_minor, currency, account } = made;
            connection.execute(
                "INSERT INTO overrides (permit, payout, amount_minor, currency, account, at_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![permit, payout, amount_minor, currency, account, now()],
            )?;
            Ok(())
        })
        .await
    }

    /// How a payout was overridden, oldest first.
    pub(super) async fn overrides(&self, payout: String) -> rusqlite::Result<Vec<Override>> {
        self.with(move |connection| {
            let sql = "SELECT permit, amount_minor, currency, account FROM overrides WHERE payout = ?1 ORDER BY rowid";
            let mut statement = connection.prepare(sql)?;
            let rows = statement.query_map([&payout], |row| {
                Ok(Override {
                    permit: row.get(0)?,
                    payout: payout.clone(),
                    amount_minor: row.get(1)?,
                    currency: row.get(2)?,
                    account: row.get(3)?,
                })
            })?;
            rows.collect()
        })
        .await
    }

    /// Runs blocking work off the request threads; the lock queues writers, as SQLite would.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> rusqlite::Result<T> {
        let connection = Arc::clone(&self.0);
        let outcome = tokio::task::spawn_blocking(move || {
            work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))
        });
        outcome.await.unwrap_or(Err(rusqlite::Error::InvalidQuery))
    }
}

fn now() -> i64 {
    i64::try_from(clock::now_ms()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(id: &str) -> Link {
        let text = |text: &str| text.to_owned();
        Link {
            id: text(id),
            url: text("http://127.0.0.1/pay"),
            amount_minor: 1250,
            currency: text("EUR"),
            description: text("two coffees"),
            state: State::Open,
        }
    }

    #[tokio::test]
    async fn an_event_counts_once_and_may_come_before_its_link() {
        let folder = tempfile::tempdir().unwrap();
        let payments = Payments::open(&folder.path().join("payments.db")).unwrap();
        let paid = |event: &str| payments.record_paid(event.to_owned(), "plink_1".to_owned());
        assert_eq!(paid("evt_1").await.unwrap(), Effect::Applied);
        assert_eq!(paid("evt_1").await.unwrap(), Effect::Duplicate);
        assert_eq!(payments.find("plink_1".to_owned()).await.unwrap(), None);
        payments.insert(link("plink_1")).await.unwrap();
        payments.insert(link("plink_2")).await.unwrap();
        let expected = Link { state: State::Paid, ..link("plink_1") };
        assert_eq!(payments.find("plink_1".to_owned()).await.unwrap(), Some(expected));
        assert_eq!(payments.find("plink_2".to_owned()).await.unwrap(), Some(link("plink_2")));
    }
}
