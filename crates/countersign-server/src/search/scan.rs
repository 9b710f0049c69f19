//! Filters without an index: a log is read from one end to the other, and what is read is looked up in an index in memory that
//! holds only that much. Slower than the real one and with the same answers, for a database that nobody serves.

use countersign_ledger::tree::CompactRange;

use super::about::Subjects;
use super::index::{Index, IndexError, Place, Wanted};
use super::{Criteria, Direction, follow};
use crate::store::{Reader, StoreError, StoredEntry};

/// Entries that are looked at together.
const CHUNK: u64 = 2_048;

/// Goes through a log.
#[derive(Debug)]
pub struct Scan {
    criteria: Criteria,
    index: Index,
    subjects: Subjects,
}

impl Scan {
    /// A scan for entries that fit.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn new(criteria: Criteria) -> Result<Self, StoreError> {
        let index = Index::open(&Place::memory())?;
        Ok(Self { criteria, index, subjects: Subjects::default() })
    }

    /// Which entries fit among the next ones at and after `from`, up to `size`, and the place up to which was looked.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn next(
        &mut self,
        reader: &mut dyn Reader,
        (from, size): (u64, u64),
    ) -> Result<(Vec<StoredEntry>, u64), StoreError> {
        let span = self.criteria.span(reader, size)?;
        let from = from.max(span.start);
        let until = span.end.min(from.saturating_add(CHUNK));
        if from >= until {
            return Ok((Vec::new(), size));
        }
        let mut entries = reader.entries(from, usize::try_from(until - from).unwrap_or(usize::MAX))?;
        if u64::try_from(entries.len()).ok() != Some(until - from) {
            return Err(StoreError::Corrupt(format!("an entry between {from} and {until} is missing")));
        }
        if let Some(expression) = self.criteria.expression() {
            let change = follow::change(&entries, (reader, &mut self.subjects))?;
            let wanted = Wanted { span: from..until, direction: Direction::Oldest, limit: entries.len() };
            self.index.clear()?;
            self.index.write(&change, CompactRange::new())?;
            let found = self.index.find(expression, &wanted)?;
            entries.retain(|entry| found.binary_search(&entry.index).is_ok());
        }
        Ok((entries, until))
    }
}

impl From<IndexError> for StoreError {
    fn from(error: IndexError) -> Self {
        // An index in memory that is damaged is memory that is.
        Self::Unavailable(error.to_string())
    }
}
