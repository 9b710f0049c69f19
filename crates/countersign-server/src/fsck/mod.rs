//! Checks a SQLite store as a whole and tells everything that is wrong with it; repairs what is derived, never evidence.
//!
//! Where [`crate::verification`] stops at the first damage and answers whether a log can be trusted, this goes on to the end and says what
//! exactly is broken, so that somebody can decide what to do at 3 a.m. It does not judge whether what happened was allowed.
//!
//! Everything is seen in one read transaction, so a running server does not disturb. Memory grows with what is alive and with the numbers
//! of policies and redactions, not with the log: rows are read in pages, records are compared at the last entry of their subject, and at most 20
//! findings of each kind are kept.
//!
//! # Layout
//! - `finding`: kinds of findings, and the bounded list of them
//! - `walk`: the one pass over the entries and what stands beside each
//! - `absences`: details that are not there, and the entries that say why
//! - `tree`: root, nodes and checkpoints as the tree grows
//! - `fold`: what the entries come to: records and the snapshot
//! - `beside`: what no pass over the entries meets: subjects, blobs, answered requests, rows without an entry
//! - `repair`: what is derived, made again

use std::path::Path;

use countersign_ledger::verify::Trust;
use serde::Serialize;

use crate::store::sqlite::inspect::Purpose;
use crate::store::sqlite::{Sqlite, SqliteStore};
use crate::store::{Head, Reader, StoreError};

mod absences;
mod beside;
mod finding;
mod fold;
mod repair;
mod tree;
mod walk;

pub use finding::{Counted, Finding, Kind, Nature};
pub use repair::{RepairError, repair};

use finding::Findings;

/// Complaints of SQLite that are asked for.
const COMPLAINTS: usize = 20;

/// What is to be checked, and what may be taken for granted.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The database.
    pub database: &'a Path,
    /// The log's origin and keys. Its redactions are found out from the log.
    pub trust: Trust<'a>,
    /// The signed checkpoint kept outside the database. It must have been read before the check begins, since a running server renews it.
    pub outside: Option<&'a str>,
}

/// How far the check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being looked at.
    pub part: &'static str,
    /// How much of it is done.
    pub done: u64,
    /// Of how much.
    pub of: u64,
}

/// Is told how far the check is.
pub type ProgressFn<'a> = dyn FnMut(Progress) + 'a;

/// What was checked and found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Entries according to the head.
    pub entries: u64,
    /// How many of them a signed checkpoint vouches for.
    pub signed_entries: u64,
    /// Checkpoints whose signature was checked.
    pub checkpoints: u64,
    /// Censuses that were counted again.
    pub censuses: u64,
    /// Records that were made again and compared.
    pub records: u64,
    /// How many findings there are of each kind.
    pub counts: Vec<Counted>,
    /// The first of each kind.
    pub findings: Vec<Finding>,
    /// What was not checked and why, and what findings turned out to be.
    pub notes: Vec<String>,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.counts.is_empty()
    }

    /// How many findings are of this nature.
    #[must_use]
    pub fn count(&self, nature: Nature) -> u64 {
        self.counts.iter().filter(|counted| counted.nature == nature).map(|counted| counted.count).sum()
    }
}

/// Checks a store. A running server does not disturb.
///
/// # Errors
/// The database cannot be opened, or does not answer now. What is damaged is in the report.
pub fn check(request: &Request<'_>, progress: &mut ProgressFn<'_>) -> Result<Report, StoreError> {
    let mut store = SqliteStore::look(request.database)?;
    store.begin(Purpose::Look)?;
    examine(&mut store, request, (Mending::No, progress))
}

/// Whether derived rows that are wrong are put right on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mending {
    No,
    Yes,
}

/// A check under way.
struct Examination<'a, Role> {
    store: &'a mut Sqlite<Role>,
    trust: Trust<'a>,
    outside: Option<&'a str>,
    findings: Findings,
    mending: Mending,
    signed: u64,
    checkpoints: u64,
    censuses: u64,
    records: u64,
}

impl<Role> Examination<'_, Role> {
    fn mends(&self) -> bool {
        self.mending == Mending::Yes
    }
}

fn examine<Role: Send>(
    store: &mut Sqlite<Role>,
    request: &Request<'_>,
    (mending, progress): (Mending, &mut ProgressFn<'_>),
) -> Result<Report, StoreError> {
    let mut examination = Examination {
        store,
        trust: request.trust,
        outside: request.outside,
        findings: Findings::default(),
        mending,
        signed: 0,
        checkpoints: 0,
        censuses: 0,
        records: 0,
    };
    progress(Progress { part: "database", done: 0, of: 0 });
    examination.database()?;
    let head = examination.head()?;
    let walked = walk::entries(&mut examination, head.as_ref(), progress)?;
    progress(Progress { part: "rows beside the entries", done: 0, of: 0 });
    beside::all(&mut examination, &walked)?;
    let Examination { findings, signed, checkpoints, censuses, records, .. } = examination;
    let (counts, findings, notes) = findings.take();
    Ok(Report {
        entries: walked.size,
        signed_entries: signed,
        checkpoints,
        censuses,
        records,
        counts,
        findings,
        notes,
    })
}

impl<Role: Send> Examination<'_, Role> {
    /// Lets SQLite check its own pages, indexes and types.
    fn database(&mut self) -> Result<(), StoreError> {
        let complaints = match self.store.integrity(COMPLAINTS) {
            // Some damage keeps the check itself from being made.
            Err(StoreError::Corrupt(why)) => vec![why],
            complaints => complaints?,
        };
        for complaint in complaints {
            self.findings.add(Kind::Database, "the database", ("an intact file", complaint));
        }
        Ok(())
    }

    /// The stored head, if it can be read.
    fn head(&mut self) -> Result<Option<Head>, StoreError> {
        let head = self.store.head();
        self.readable("the head", head)
    }

    /// What was read, or a finding that it cannot be read. Only a store that does not answer now ends the check.
    fn readable<T>(&mut self, what: &str, read: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(StoreError::Corrupt(why)) => {
                self.findings.add(Kind::Unreadable, what, ("readable rows", why));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
