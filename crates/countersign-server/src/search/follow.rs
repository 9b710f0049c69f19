//! From the log into the index: which entries come next, what of them is kept, and whether it is still the same log.
//!
//! The log is the truth. An index that does not continue it is thrown away, never the other way round.

use countersign_ledger::entry::EntryView;
use countersign_ledger::hash::Hash;
use countersign_ledger::tree::CompactRange;
use serde::Deserialize;

use super::about::Subjects;
use super::index::{Change, Index, IndexError, Place, Row};
use super::terms;
use crate::engine::EngineError;
use crate::store::{Details, Reader, StoreError, StoredEntry};

/// Entries that one transaction takes in.
const CHUNK: u64 = 2_048;

/// The kind of event that takes details away; the name is part of the ledger's format.
const REDACTED: &str = "log.details_redacted";

/// Why following stopped.
#[derive(Debug, thiserror::Error)]
pub(super) enum FollowError {
    /// The log does not answer, or contradicts itself.
    #[error(transparent)]
    Log(#[from] StoreError),
    /// The index does not take it, or must be made again.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The log is read by nobody any more.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// What `log.details_redacted` says.
#[derive(Deserialize)]
struct Redacted {
    entries: Vec<u64>,
}

/// An index and the log it follows.
#[derive(Debug)]
pub(super) struct Follower {
    place: Place,
    /// None until it is opened, and again when it turned out to be damaged.
    index: Option<Index>,
    subjects: Subjects,
}

impl Follower {
    pub(super) fn new(place: Place) -> Self {
        Self { place, index: None, subjects: Subjects::default() }
    }

    /// Opens the index if it continues the log of `reader`, or makes an empty one. True if the connections of others are to be
    /// opened anew.
    pub(super) fn open(&mut self, reader: &mut dyn Reader) -> Result<bool, FollowError> {
        if self.index.is_some() {
            return Ok(false);
        }
        let index = Index::open(&self.place)?;
        let index = if continues(index.covered(), reader)? {
            index
        } else {
            tracing::warn!("the search index is of another log and is made again");
            drop(index);
            Index::fresh(&self.place)?
        };
        self.index = Some(index);
        Ok(true)
    }

    /// How many entries the index holds.
    pub(super) fn covered(&self) -> u64 {
        self.index.as_ref().map_or(0, |index| index.covered().size())
    }

    /// Throws the index away; the next `open` makes a new one.
    pub(super) fn discard(&mut self) -> Result<(), IndexError> {
        self.index = None;
        Index::fresh(&self.place).map(drop)
    }

    /// Takes in the next entries; false if there were none.
    pub(super) fn step(&mut self, reader: &mut dyn Reader) -> Result<bool, FollowError> {
        let Some(index) = &mut self.index else { return Ok(false) };
        let head = reader.head()?;
        let mut tree = index.covered().clone();
        let from = tree.size();
        let limit = CHUNK.min(head.size().saturating_sub(from));
        if limit == 0 {
            same_root(&tree, &head.tree)?;
            index.clean()?;
            return Ok(false);
        }
        let entries = reader.entries(from, usize::try_from(limit).unwrap_or(usize::MAX))?;
        let change = change(&entries, (reader, &mut self.subjects))?;
        entries.iter().for_each(|entry| tree.push(entry.leaf_hash));
        if tree.size() != from + limit {
            return Err(StoreError::Corrupt(format!("entry {} is missing", tree.size())).into());
        }
        if tree.size() == head.size() {
            same_root(&tree, &head.tree)?;
        }
        index.write(&change, tree)?;
        index.clean()?;
        Ok(true)
    }
}

/// The index went along with a log that is no longer there.
fn same_root(ours: &CompactRange, log: &CompactRange) -> Result<(), IndexError> {
    if ours == log { Ok(()) } else { Err(IndexError::Damaged("it does not continue the log".to_owned())) }
}

/// What the index keeps of entries that follow one another.
pub(super) fn change(
    entries: &[StoredEntry],
    (reader, subjects): (&mut dyn Reader, &mut Subjects),
) -> Result<Change, StoreError> {
    let mut change = Change::default();
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(change) };
    let details = reader.details_in(first.index..last.index.saturating_add(1))?;
    let mut details = details.into_iter().peekable();
    for entry in entries {
        let corrupt = |what: String| StoreError::Corrupt(format!("entry {}: {what}", entry.index));
        let view = EntryView::parse(&entry.leaf).map_err(|error| corrupt(error.to_string()))?;
        while details.next_if(|(index, _)| *index < entry.index).is_some() {}
        let words = match details.next_if(|(index, _)| *index == entry.index) {
            Some((_, Details { body, .. })) => {
                terms::of_details(&body).map_err(|error| corrupt(error.to_string()))?
            }
            None => String::new(),
        };
        if view.kind == REDACTED {
            let Redacted { entries } =
                serde_json::from_str(view.data).map_err(|error| corrupt(error.to_string()))?;
            change.redacted.extend(entries);
        }
        let about = subjects.about(&view, reader)?;
        change.rows.push(Row { index: entry.index, terms: terms::of_entry(&view, &about), words });
    }
    Ok(change)
}

/// Whether the tree is the beginning of the reader's log: then the log has every perfect subtree of it, with the same hash.
fn continues(tree: &CompactRange, reader: &mut dyn Reader) -> Result<bool, StoreError> {
    if tree.size() > reader.head()?.size() {
        return Ok(false);
    }
    let mut before = 0;
    let levels = (0..u64::BITS).rev().filter(|level| tree.size() >> level & 1 == 1);
    for (level, expected) in levels.zip(tree.hashes()) {
        let found: Hash = reader.node(u8::try_from(level).unwrap_or(u8::MAX), before >> level)?;
        if found != *expected {
            return Ok(false);
        }
        before += 1 << level;
    }
    Ok(true)
}
