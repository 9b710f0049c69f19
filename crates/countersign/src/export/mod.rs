//! Entries on their way out: to a file, an HTTP endpoint or standard output, in order, at least once, none skipped.
//!
//! Only what a checkpoint vouches for is exported. Before anything is, the log must be the continuation of the one that was exported
//! so far; where everything is exported, what went out is hashed on the way and its root must be the signed one. The cursor moves
//! only when the receiver has what came before it, so a crash repeats and never skips.
//!
//! # Layout
//! - `source`: a server or a database
//! - `format`: an entry as CloudEvents, CSV or JSON
//! - `sink` `http`: where it goes, and when it has arrived
//! - `cursor`: how far the export is, on the disk

use std::fmt;

use anyhow::Context as _;
use countersign_api::ledger::{Entry, EntryListing};
use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::entry::EntryView;
use countersign_ledger::hash::{Hash, leaf_hash};
use countersign_ledger::note::VerifierKey;
use countersign_ledger::proof::verify_consistency;
use indicatif::ProgressBar;

use crate::failure::{Failure, Kind};

pub(crate) mod cursor;
pub(crate) mod format;
pub(crate) mod http;
pub(crate) mod sink;
pub(crate) mod source;
#[cfg(test)]
mod tests;

use cursor::{Cursor, Keeper, Last, Seen};
use format::Format;
use sink::{Batch, Sink};
use source::Source;

/// A delivery is not made larger than this, unless one entry is, bytes.
const LARGEST: usize = 1 << 20;

/// The key that checkpoints are held against.
#[derive(Debug)]
pub(crate) struct Trust {
    pub(crate) key: VerifierKey,
    /// The log's origin line, if it is not the key's name.
    pub(crate) origin: Option<String>,
}

/// What is exported, how, and from where to where.
#[derive(Debug)]
pub(crate) struct Export<S> {
    pub(crate) source: Source,
    pub(crate) sink: S,
    pub(crate) keeper: Keeper,
    pub(crate) cursor: Cursor,
    pub(crate) trust: Option<Trust>,
    pub(crate) bar: ProgressBar,
    /// What stands before everything is there.
    pub(crate) begun: bool,
}

/// An entry, ready to go.
struct Ready {
    index: u64,
    leaf_hash: Hash,
    text: String,
}

/// What is asked for at the beginning of an export.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) format: Format,
    pub(crate) filters: EntryListing,
}

impl<S: Sink> Export<S> {
    /// Exports up to the last checkpoint.
    pub(crate) async fn round(&mut self) -> anyhow::Result<()> {
        let checkpoint = newest(&mut self.source, self.trust.as_ref()).await?;
        self.check_continuation(&checkpoint).await?;
        self.begin(&checkpoint)?;
        self.bar.set_length(checkpoint.size);
        while self.cursor.next < checkpoint.size {
            let (entries, until) =
                self.source.page((self.cursor.next, checkpoint.size), &self.cursor.filters).await?;
            let ready = self.check_page(&entries, until)?;
            self.check_root(&ready, &checkpoint)?;
            self.deliver(ready, until).await?;
            self.bar.set_position(self.cursor.next);
        }
        self.cursor.seen = Some(Seen { size: checkpoint.size, root: checkpoint.root });
        self.keeper.save(&self.cursor)
    }

    /// Writes the header where nothing was exported yet, behind a cursor that says so: what is written from here on is found again,
    /// also if this is as far as it comes.
    fn begin(&mut self, checkpoint: &Checkpoint) -> anyhow::Result<()> {
        if std::mem::replace(&mut self.begun, true) || self.cursor.exported > 0 {
            return Ok(());
        }
        self.cursor.origin = Some(checkpoint.origin.clone());
        self.cursor.bytes = self.sink.position();
        self.keeper.save(&self.cursor)?;
        match self.cursor.format.header() {
            Some(header) => self.sink.begin(header),
            None => Ok(()),
        }
    }

    /// The log must contain what was exported and the checkpoint seen before.
    async fn check_continuation(&mut self, now: &Checkpoint) -> anyhow::Result<()> {
        let Cursor { origin, seen, next, last, .. } = &self.cursor;
        if let Some(origin) = origin.as_ref().filter(|origin| **origin != now.origin) {
            return Err(forked(format!("the cursor is of the log `{origin}`, this is `{}`", now.origin)));
        }
        let known =
            seen.as_ref().map_or(0, |seen| seen.size).max(last.as_ref().map_or(0, |last| last.index + 1));
        if now.size < known.max(*next) {
            let what = format!("the log went back: it had {known} entries and is signed for {}", now.size);
            return Err(forked(what));
        }
        if let Some(Seen { size, root }) = seen {
            let proof = self.source.consistency(*size, now.size).await?;
            let held = match *size == now.size {
                true => *root == now.root,
                false => verify_consistency(*size, root, now.size, &now.root, &proof).is_ok(),
            };
            if !held {
                let what = format!(
                    "the log forked: its checkpoint of {} entries does not contain the one of {size} seen before",
                    now.size
                );
                return Err(forked(what));
            }
        }
        if let Some(Last { index, leaf_hash }) = last {
            let (index, expected) = (*index, *leaf_hash);
            let found = self.source.entry(index).await?;
            if found != expected {
                return Err(forked(format!("entry {index} is not the one that was exported")));
            }
        }
        Ok(())
    }

    /// Every entry is what it says it is, and none is missing in between.
    fn check_page(&self, entries: &[Entry], until: u64) -> anyhow::Result<Vec<Ready>> {
        let whole = self.cursor.is_whole();
        let mut expected = self.cursor.next;
        let mut ready = Vec::with_capacity(entries.len());
        for entry in entries {
            let skipped = if whole { entry.index != expected } else { entry.index < expected };
            if skipped || entry.index >= until {
                return Err(forked(format!("entry {} came where entry {expected} was due", entry.index)));
            }
            ready.push(self.ready(entry).with_context(|| format!("entry {}", entry.index))?);
            expected = entry.index + 1;
        }
        if (whole && expected != until) || until <= self.cursor.next {
            return Err(forked(format!("entries from {expected} on are missing")));
        }
        Ok(ready)
    }

    fn ready(&self, entry: &Entry) -> anyhow::Result<Ready> {
        let view = EntryView::parse(entry.leaf_text.as_bytes()).map_err(|error| forked(error.to_string()))?;
        let hash = leaf_hash(entry.leaf_text.as_bytes());
        if view.index != entry.index || hash.to_string() != entry.leaf_hash {
            return Err(forked("its leaf does not have the index or the hash it is said to have".to_owned()));
        }
        let origin = self.cursor.origin.as_deref().unwrap_or_default();
        let text = self.cursor.format.encode(origin, (entry, &view))?;
        Ok(Ready { index: entry.index, leaf_hash: hash, text })
    }

    /// Before the last page of everything goes out, all of it must have the signed root.
    fn check_root(&self, ready: &[Ready], checkpoint: &Checkpoint) -> anyhow::Result<()> {
        let Some(mut tree) = self.cursor.tree.clone() else { return Ok(()) };
        ready.iter().for_each(|entry| tree.push(entry.leaf_hash));
        if tree.size() == checkpoint.size && tree.root() != checkpoint.root {
            let size = checkpoint.size;
            return Err(forked(format!("the {size} entries exported are not the ones that were signed")));
        }
        Ok(())
    }

    /// Hands a page over in parts; after each the cursor stands behind it. `until` is where the next page begins.
    async fn deliver(&mut self, ready: Vec<Ready>, until: u64) -> anyhow::Result<()> {
        let mut rest = ready.into_iter().peekable();
        while let Some(first) = rest.next() {
            let mut part = vec![first];
            let mut bytes = part.iter().map(|entry| entry.text.len()).sum::<usize>();
            while let Some(more) = rest.next_if(|next| {
                part.len() < self.sink.most() && bytes.saturating_add(next.text.len()) <= LARGEST
            }) {
                bytes += more.text.len();
                part.push(more);
            }
            self.hand_over(&part).await?;
        }
        if self.cursor.next < until {
            self.cursor.next = until;
            self.keeper.save(&self.cursor)?;
        }
        Ok(())
    }

    async fn hand_over(&mut self, part: &[Ready]) -> anyhow::Result<()> {
        let (Some(first), Some(last)) = (part.first(), part.last()) else { return Ok(()) };
        let origin = self.cursor.origin.as_deref().unwrap_or_default();
        let items: Vec<&str> = part.iter().map(|entry| entry.text.as_str()).collect();
        // The same entries in another attempt have the same id, whatever else happened in between.
        let id = format!("{origin}/{}-{}", first.index, last.index);
        let batch = Batch { id: &id, items: &items, ending: self.cursor.format.ending() };
        self.sink
            .deliver(&batch)
            .await
            .with_context(|| format!("entries {} to {}", first.index, last.index))?;
        let Cursor { tree, next, exported, bytes, last: place, .. } = &mut self.cursor;
        if let Some(tree) = tree {
            part.iter().for_each(|entry| tree.push(entry.leaf_hash));
        }
        *next = last.index + 1;
        *exported += u64::try_from(part.len()).unwrap_or(u64::MAX);
        *bytes = self.sink.position();
        *place = Some(Last { index: last.index, leaf_hash: last.leaf_hash });
        self.keeper.save(&self.cursor)
    }
}

/// The last checkpoint, signed by the key if one was given.
async fn newest(source: &mut Source, trust: Option<&Trust>) -> anyhow::Result<Checkpoint> {
    let note = source.checkpoint().await?;
    let unverified =
        |error: &dyn fmt::Display| Failure::new(Kind::Unverified, format!("the checkpoint: {error}"));
    let Some(Trust { key, origin }) = trust else {
        let text = note.rfind("\n\n").and_then(|end| note.get(..=end));
        return Ok(Checkpoint::parse(text.unwrap_or(&note)).map_err(|error| unverified(&error))?);
    };
    let keys = source.keys().await?;
    let checkpoint =
        keys.open_trusted(&note, std::slice::from_ref(key)).map_err(|error| unverified(&error))?;
    if checkpoint.origin != origin.as_deref().unwrap_or(key.name()) {
        return Err(unverified(&format!("it is of the log `{}`", checkpoint.origin)).into());
    }
    Ok(checkpoint)
}

/// What can only be if the log is not what it was, or the source does not tell the truth.
fn forked(what: String) -> anyhow::Error {
    let hint =
        "nothing more is exported; keep the cursor and both logs as evidence and find out which one is right";
    Failure::new(Kind::Unverified, what).hint(hint).into()
}
