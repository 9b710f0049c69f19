//! A ledger moved from one store to another: the same entries and bytes, what stands beside them, and the sealed secrets as they are.
//!
//! Entries are appended to the target at its own size, like everybody's, so a copy that was cut off goes on where the target ends. The
//! snapshot is left out: it is derived. What is read here is bytes; who keeps the source still is for whoever calls.
//!
//! Details that are redacted in the source have to be in the target before they can be redacted there, so empty ones stand in their
//! place until then. The last entry is appended after everything else: a copy that was cut off has a log that ends early, which a node
//! finds out by its checkpoint file.

use std::collections::{BTreeMap, BTreeSet};

use countersign_ledger::hash::{Hash, leaf_hash};
use countersign_ledger::tree::CompactRange;

use super::{
    Batch, Details, Head, Idempotency, NewEntry, Reader, Record, Redaction, Store, StoreError, StoredEntry,
    StoredNode, Tree, fence,
};

mod error;
mod listing;

pub use error::{CopyError, Side};
use listing::Listing;

/// How many entries or rows are copied at once.
pub const AT_ONCE: usize = 512;

/// How often it is looked again whether the source grew.
const ROUNDS: u32 = 8;

/// Every kind of document there is. A store with another one is of a newer version.
const KINDS: [&str; 11] = [
    "log",
    "policy",
    "person",
    "session",
    "token",
    "approval",
    "permit",
    "break-glass",
    "secret",
    "rotation",
    "incident",
];

/// The kind of a document as records name it.
///
/// # Errors
/// `Corrupt`: this version does not know it.
pub(super) fn kind(text: &str) -> Result<&'static str, StoreError> {
    let unknown = || {
        StoreError::Corrupt(format!(
            "there are records of the kind `{text}`, which this version does not know"
        ))
    };
    KINDS.into_iter().find(|kind| *kind == text).ok_or_else(unknown)
}

/// One sealed secret as it is stored. Nothing here can open it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedRow {
    /// Which secret.
    pub name: String,
    /// Of which environment.
    pub environment: String,
    /// Which version of it.
    pub version: i64,
    /// Where that stands.
    pub stage: String,
    /// The rotation that made it, if one did.
    pub rotation: Option<String>,
    /// What it was sealed with, beside the key.
    pub nonce: Vec<u8>,
    /// The sealed value.
    pub sealed: Vec<u8>,
}

/// A store that can be listed whole, which nobody asks for while it serves.
pub trait Whole: Reader {
    /// Blobs with a name above `after`, in order, at most `limit`.
    ///
    /// # Errors
    /// As for any reading.
    fn blobs_after(&mut self, after: Option<Hash>, limit: usize) -> Result<Vec<(Hash, Vec<u8>)>, StoreError>;
    /// Records above this kind and id, in order of both, at most `limit`.
    ///
    /// # Errors
    /// As for any reading; `Corrupt` also for a kind that this version does not know.
    fn records_after(&mut self, after: (&str, &str), limit: usize) -> Result<Vec<Record>, StoreError>;
    /// Answered idempotency keys above this actor and key, in order of both, at most `limit`.
    ///
    /// # Errors
    /// As for any reading.
    fn answers_after(&mut self, after: (&str, &str), limit: usize) -> Result<Vec<Idempotency>, StoreError>;
    /// All sealed secrets, in order of name, environment and version.
    ///
    /// # Errors
    /// As for any reading.
    fn sealed(&mut self) -> Result<Vec<SealedRow>, StoreError>;
}

/// A store that a ledger can be copied to.
pub trait Target: Whole + Store {
    /// Puts these sealed secrets in the place of those that are there.
    ///
    /// # Errors
    /// As for an append, except that there is no size to conflict with.
    fn replace_sealed(&mut self, rows: &[SealedRow]) -> Result<(), StoreError>;
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is done, for people.
    pub part: &'static str,
    /// Entries done.
    pub done: u64,
    /// Entries there are.
    pub of: u64,
}

/// What was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Entries that both have now.
    pub entries: u64,
    /// How many of them the target had before.
    pub before: u64,
    /// The root, computed from the target's leaves.
    pub root: Hash,
}

/// Copies the ledger of one store to another, going on where the target ends, and holds the one against the other.
///
/// # Errors
/// The first thing that is wrong. Nothing is written to a target that holds another log, or more of it.
pub fn copy(
    (source, target): (&mut dyn Whole, &mut dyn Target),
    at_once: usize,
    tell: &mut dyn FnMut(Progress),
) -> Result<Copied, CopyError> {
    let mut head = source.head().map_err(Side::Source.says())?;
    let mut copying = Copying { source, target, at_once: at_once.max(1), tell };
    let before = copying.begin(&head)?;
    for _ in 0..ROUNDS {
        copying.blobs(&head)?;
        // The last entry comes last, so that whoever finds all of them finds everything.
        copying.entries(&head, head.size() - 1)?;
        copying.beside(&head)?;
        copying.entries(&head, head.size())?;
        let stood = std::mem::replace(&mut head, copying.source.head().map_err(Side::Source.says())?);
        if head == stood {
            let root = copying.compare(&stood)?;
            // Compared while the source stood still, or compared again.
            head = copying.source.head().map_err(Side::Source.says())?;
            if head == stood {
                return Ok(Copied { entries: head.size(), before, root });
            }
        }
    }
    Err(CopyError::Moving { rounds: ROUNDS, size: head.size() })
}

struct Copying<'a> {
    source: &'a mut dyn Whole,
    target: &'a mut dyn Target,
    at_once: usize,
    tell: &'a mut dyn FnMut(Progress),
}

impl Copying<'_> {
    /// What the target holds has to be what the source began with.
    fn begin(&mut self, head: &Head) -> Result<u64, CopyError> {
        if head.size() == 0 {
            return Err(CopyError::Nothing);
        }
        let there = self.target.head().map_err(Side::Target.says())?;
        if there.size() > head.size() {
            return Err(CopyError::Ahead { target: there.size(), from: head.size() });
        }
        let here = self.source_tree(there.size())?;
        if here == there.tree {
            return Ok(there.size());
        }
        Err(CopyError::OtherLog { size: there.size(), target: there.tree.root(), from: here.root() })
    }

    fn source_tree(&mut self, size: u64) -> Result<CompactRange, CopyError> {
        let source: &mut dyn Reader = self.source;
        CompactRange::read(&Tree::over(source), size).map_err(Side::Source.says())
    }

    /// First what entries refer to, so that no entry in the target lacks it.
    fn blobs(&mut self, head: &Head) -> Result<(), CopyError> {
        let there = self.target.head().map_err(Side::Target.says())?;
        let mut after = None;
        loop {
            // One at a time: a policy may be large.
            let blobs = self.source.blobs_after(after, 1).map_err(Side::Source.says())?;
            let Some((name, _)) = blobs.last() else { return Ok(()) };
            after = Some(*name);
            (self.tell)(Progress { part: "policies", done: there.size(), of: head.size() });
            self.append(&Batch { blobs, ..Batch::beside(&there) })?;
        }
    }

    /// Entries of the source that stands at `head`, until the target has so many.
    fn entries(&mut self, head: &Head, until: u64) -> Result<(), CopyError> {
        // All that were written before the head was read; those of entries after it come with the next round.
        let mut redactions: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for Redaction { index, by } in
            self.source.redactions_in(0..head.size()).map_err(Side::Source.says())?
        {
            redactions.entry(by).or_default().push(index);
        }
        let mut tree = self.target.head().map_err(Side::Target.says())?.tree;
        while tree.size() < until {
            (self.tell)(Progress { part: "entries", done: tree.size(), of: head.size() });
            let batch = self.stretch((tree, until), (head, &redactions))?;
            if batch.head.size() == head.size() && batch.head.tree != head.tree {
                return Err(CopyError::SourceRoot { size: head.size() });
            }
            self.append(&batch)?;
            tree = batch.head.tree;
        }
        let there = self.target.head().map_err(Side::Target.says())?;
        if there.tree == head.tree && there != *head {
            // An earlier copy left the time of another moment.
            self.append(&Batch::beside(head))?;
        }
        Ok(())
    }

    /// The next entries after a tree, up to one that redacts another of them: what it redacts has to be there before.
    fn stretch(
        &mut self,
        (mut tree, until): (CompactRange, u64),
        (head, redactions): (&Head, &BTreeMap<u64, Vec<u64>>),
    ) -> Result<Batch, CopyError> {
        let from = tree.size();
        let left = usize::try_from(until - from).unwrap_or(usize::MAX);
        let mut stored = self.source.entries(from, self.at_once.min(left)).map_err(Side::Source.says())?;
        let read = from..from.saturating_add(u64::try_from(stored.len()).unwrap_or(u64::MAX));
        let inside = |(_, indices): &(&u64, &Vec<u64>)| indices.iter().any(|index| *index >= from);
        if let Some((by, _)) = redactions.range(read.clone()).find(inside) {
            stored.retain(|entry| entry.index < *by);
        }
        let end = from.saturating_add(u64::try_from(stored.len()).unwrap_or(u64::MAX));
        // In this order: what is redacted in between was read before, or is known to be redacted.
        let details = self.source.details_in(from..end).map_err(Side::Source.says())?;
        let mut details: BTreeMap<u64, Details> = details.into_iter().collect();
        let gone = self.source.redactions_in(from..end).map_err(Side::Source.says())?;
        let gone: BTreeSet<u64> = gone.into_iter().map(|redaction| redaction.index).collect();
        let mut nodes = Vec::new();
        let mut entries = Vec::with_capacity(stored.len());
        for entry in stored {
            let index = tree.size();
            if entry.index != index || leaf_hash(&entry.leaf) != entry.leaf_hash {
                return Err(CopyError::SourceEntry { index });
            }
            push(&mut tree, entry.leaf_hash, &mut nodes);
            let beside = details.remove(&index);
            entries.push(new(entry, beside.or_else(|| gone.contains(&index).then(placeholder))));
        }
        if entries.is_empty() {
            return Err(CopyError::SourceEntry { index: from });
        }
        let ripe = redactions.range(from..end);
        let redactions =
            ripe.flat_map(|(by, indices)| indices.iter().map(|index| Redaction { index: *index, by: *by }));
        Ok(Batch {
            entries,
            redactions: redactions.collect(),
            nodes,
            head: Head { tree, time_ms: head.time_ms },
            expected_size: from,
            ..Batch::beside(head)
        })
    }

    /// What stands beside the entries.
    fn beside(&mut self, head: &Head) -> Result<(), CopyError> {
        (self.tell)(Progress { part: "records", done: head.size() - 1, of: head.size() });
        let there = self.target.head().map_err(Side::Target.says())?;
        let mut after = (String::new(), String::new());
        loop {
            let records = self.source.records_after((&after.0, &after.1), self.at_once);
            let records = records.map_err(Side::Source.says())?;
            let Some(last) = records.last() else { break };
            after = (last.kind.to_owned(), last.id.clone());
            self.append(&Batch { records, ..Batch::beside(&there) })?;
        }
        self.answers(&there)?;
        self.checkpoints()?;
        let sealed = self.source.sealed().map_err(Side::Source.says())?;
        if self.target.sealed().map_err(Side::Target.says())? != sealed {
            self.target.replace_sealed(&sealed).map_err(Side::Target.says())?;
        }
        Ok(())
    }

    /// Answered keys. Those that the source has forgotten the target forgets first: what is left there is among the source's, so a page
    /// of the one has all of a page of the other.
    fn answers(&mut self, there: &Head) -> Result<(), CopyError> {
        let oldest = self.oldest_answer()?;
        self.target.forget_idempotency(oldest).map_err(Side::Target.says())?;
        let mut after = (String::new(), String::new());
        loop {
            let answers = self.source.answers_after((&after.0, &after.1), self.at_once);
            let kept = self.target.answers_after((&after.0, &after.1), self.at_once);
            let (answers, kept) = (answers.map_err(Side::Source.says())?, kept.map_err(Side::Target.says())?);
            let Some(last) = answers.last() else { return Ok(()) };
            after = (last.actor.clone(), last.key.clone());
            let kept: BTreeSet<_> = kept.iter().map(|it| (&it.actor, &it.key)).collect();
            let new = |answer: &Idempotency| !kept.contains(&(&answer.actor, &answer.key));
            let idempotency = answers.into_iter().filter(new).collect();
            self.append(&Batch { idempotency, ..Batch::beside(there) })?;
        }
    }

    /// The time of the oldest; later than any if there is none.
    fn oldest_answer(&mut self) -> Result<i64, CopyError> {
        let mut oldest = i64::MAX;
        let mut after = (String::new(), String::new());
        loop {
            let answers = self.source.answers_after((&after.0, &after.1), self.at_once);
            let answers = answers.map_err(Side::Source.says())?;
            let Some(last) = answers.last() else { return Ok(oldest) };
            after = (last.actor.clone(), last.key.clone());
            oldest = answers.iter().map(|answer| answer.time_ms).fold(oldest, i64::min);
        }
    }

    fn checkpoints(&mut self) -> Result<(), CopyError> {
        let mut after = 0;
        loop {
            let page = self.source.checkpoints(after, self.at_once).map_err(Side::Source.says())?;
            let there = self.target.checkpoints(after, self.at_once).map_err(Side::Target.says())?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.size;
            for checkpoint in page.iter().filter(|checkpoint| !there.contains(checkpoint)) {
                self.target.save_checkpoint(checkpoint).map_err(Side::Target.says())?;
            }
        }
    }

    fn append(&mut self, batch: &Batch) -> Result<(), CopyError> {
        match self.target.append(batch) {
            Ok(()) => Ok(()),
            Err(StoreError::Conflict { expected, found }) => Err(CopyError::Written { expected, found }),
            Err(error) => Err(CopyError::Store { side: Side::Target, error }),
        }
    }

    /// Reads both to the end. The root is computed from the target's leaves.
    fn compare(&mut self, head: &Head) -> Result<Hash, CopyError> {
        let mut tree = CompactRange::new();
        while tree.size() < head.size() {
            let from = tree.size();
            (self.tell)(Progress { part: "comparing", done: from, of: head.size() });
            let end = head.size().min(from.saturating_add(u64::try_from(self.at_once).unwrap_or(u64::MAX)));
            let (here, there) =
                (listing::stretch(self.source, from..end), listing::stretch(self.target, from..end));
            let (here, there) = (here.map_err(Side::Source.says())?, there.map_err(Side::Target.says())?);
            if here != there || there.entries.is_empty() {
                return Err(CopyError::Differs {
                    what: "entries, details or redactions",
                    place: format!("{from} to {end}"),
                });
            }
            for entry in &there.entries {
                tree.push(leaf_hash(&entry.leaf));
            }
        }
        let target: &mut dyn Reader = self.target;
        let stored = CompactRange::read(&Tree::over(target), head.size()).map_err(Side::Target.says())?;
        let told = self.target.head().map_err(Side::Target.says())?;
        if tree != head.tree || stored != head.tree || told != *head {
            return Err(CopyError::TargetRoot {
                size: head.size(),
                target: tree.root(),
                from: head.tree.root(),
            });
        }
        for listing in Listing::ALL {
            listing.compare((self.source, self.target), self.at_once)?;
        }
        (self.tell)(Progress { part: "done", done: head.size(), of: head.size() });
        Ok(tree.root())
    }
}

fn new(entry: StoredEntry, details: Option<Details>) -> NewEntry {
    let StoredEntry { subject, subject_seq, leaf, leaf_hash, .. } = entry;
    NewEntry { leaf, leaf_hash, subject, subject_seq, details }
}

/// What stands for details until they are redacted.
fn placeholder() -> Details {
    Details { salt: [0; 32], body: b"{}".to_vec() }
}

/// Appends a leaf, noting the nodes that are stored.
fn push(tree: &mut CompactRange, leaf_hash: Hash, nodes: &mut Vec<StoredNode>) {
    tree.push_with(leaf_hash, |level, index, hash| {
        if level > 0 && level % fence::TILE_HEIGHT == 0 {
            nodes.push(StoredNode { level, index, hash });
        }
    });
}
