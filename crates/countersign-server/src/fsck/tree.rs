//! The tree as it grows over the entries, held against the stored nodes, every checkpoint and the head.
//!
//! When a leaf does not have the hash stored beside it, one of the two was changed. The tree is then grown over both, and the next
//! checkpoint decides which of them was signed; the check goes on with that one.

use std::collections::VecDeque;

use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::hash::Hash;
use countersign_ledger::tree::CompactRange;

use super::{Examination, Kind};
use crate::store::sqlite::inspect::RawNode;
use crate::store::{Head, StoreError, StoredNode};

/// Levels whose nodes are stored.
const LEVELS: [u8; 7] = [8, 16, 24, 32, 40, 48, 56];

/// Rows read at once.
const PAGE: i64 = 256;

/// A place in the tree that became perfect, and its hash.
type Completed = (u8, u64, Hash);

/// The same tree over the hashes stored beside the leaves.
struct Fork {
    tree: CompactRange,
    /// The first leaf that does not have its hash.
    since: u64,
}

/// A checkpoint that the tree has not reached, and where it was found.
struct Pending {
    place: String,
    kind: Kind,
    checkpoint: Checkpoint,
}

pub(super) struct Tree {
    over_leaves: CompactRange,
    over_hashes: Option<Fork>,
    /// The first entry whose hash nobody knows: no root can be compared from there on.
    lost: Option<u64>,
    /// The size of the first checkpoint whose root is another: every later one would be too.
    accused: Option<u64>,
    levels: Vec<Level>,
    /// The checkpoint kept outside the database, until it is reached.
    outside: Option<Pending>,
    pending: Option<Pending>,
    /// Stored size of the last checkpoint that was read.
    read: i64,
    page: VecDeque<(i64, String)>,
}

impl Tree {
    pub(super) fn new<Role: Send>(examination: &mut Examination<'_, Role>) -> Result<Self, StoreError> {
        let levels = LEVELS.map(|level| Level { level, after: i64::MIN, page: VecDeque::new() }).into();
        let mut tree = Self {
            over_leaves: CompactRange::new(),
            over_hashes: None,
            lost: None,
            accused: None,
            levels,
            outside: None,
            pending: None,
            read: i64::MIN,
            page: VecDeque::new(),
        };
        tree.outside = examination.outside.and_then(|note| {
            let place = "the checkpoint outside the database".to_owned();
            opened(examination, (place, Kind::OutsideCheckpoint), note)
        });
        tree.pending = tree.next_checkpoint(examination)?;
        tree.compare_roots(examination)?;
        Ok(tree)
    }

    /// Takes the next leaf: the hash it has, and the one stored beside it.
    pub(super) fn push<Role: Send>(
        &mut self,
        examination: &mut Examination<'_, Role>,
        (leaf, stored): (Hash, Option<Hash>),
    ) -> Result<(), StoreError> {
        if self.lost.is_some() {
            return Ok(());
        }
        let index = self.over_leaves.size();
        if self.over_hashes.is_none() && stored.is_some_and(|stored| stored != leaf) {
            self.over_hashes = Some(Fork { tree: self.over_leaves.clone(), since: index });
        }
        let completed = pushed(&mut self.over_leaves, leaf);
        let other = match &mut self.over_hashes {
            Some(fork) => pushed(&mut fork.tree, stored.unwrap_or(leaf)),
            None => Vec::new(),
        };
        for (place, node) in completed.iter().enumerate().filter(|(_, (level, ..))| LEVELS.contains(level)) {
            self.compare_node(examination, (*node, other.get(place).map(|(.., hash)| *hash)))?;
        }
        self.compare_roots(examination)
    }

    /// The entry that had to come here is missing.
    pub(super) fn lose<Role>(&mut self, examination: &mut Examination<'_, Role>, index: u64) {
        if self.lost.is_none() {
            self.lost = Some(index);
            examination.findings.note(format!(
                "from entry {index} on no root and no node was compared, because the hash of that entry is not known"
            ));
        }
    }

    /// The tree over the first entries, if it is known.
    pub(super) fn root(&self) -> Option<Hash> {
        (self.lost.is_none()).then(|| self.over_leaves.root())
    }

    /// The log has come to its end.
    pub(super) fn finish<Role: Send>(
        mut self,
        examination: &mut Examination<'_, Role>,
        (head, size): (Option<&Head>, u64),
    ) -> Result<(), StoreError> {
        if let (Some(head), None) = (head, self.lost)
            && head.tree != self.over_leaves
            && self.over_hashes.as_ref().is_none_or(|fork| fork.tree != head.tree)
        {
            let told = |tree: &CompactRange| format!("{} entries with root {}", tree.size(), tree.root());
            examination.findings.add(Kind::Head, "the head", (told(&self.over_leaves), told(&head.tree)));
        }
        if let Some(outside) = self.outside.take() {
            beyond(examination, &outside, size);
        }
        while let Some(pending) = self.pending.take() {
            beyond(examination, &pending, size);
            self.pending = self.next_checkpoint(examination)?;
        }
        if let Some(fork) = &self.over_hashes {
            let since = fork.since;
            examination.findings.note(format!(
                "no later checkpoint says whether the leaf or the hash of entry {since} was changed"
            ));
        }
        self.stray_nodes(examination)
    }

    fn compare_roots<Role: Send>(
        &mut self,
        examination: &mut Examination<'_, Role>,
    ) -> Result<(), StoreError> {
        let size = self.over_leaves.size();
        if let Some(outside) = self.outside.take_if(|outside| outside.checkpoint.size == size) {
            self.compare_root(examination, &outside);
        }
        while let Some(pending) = self.pending.take_if(|pending| pending.checkpoint.size == size) {
            self.compare_root(examination, &pending);
            self.pending = self.next_checkpoint(examination)?;
        }
        Ok(())
    }

    fn compare_root<Role>(&mut self, examination: &mut Examination<'_, Role>, pending: &Pending) {
        let Pending { place, checkpoint, kind } = pending;
        let size = checkpoint.size;
        if let Some(fork) = self.over_hashes.take_if(|fork| fork.tree.root() == checkpoint.root) {
            examination.findings.note(format!(
                "the checkpoint of {size} entries was signed over the hash stored beside entry {}, so its leaf was changed",
                fork.since
            ));
            self.over_leaves = fork.tree;
        }
        if self.over_leaves.root() == checkpoint.root {
            if let Some(fork) = self.over_hashes.take() {
                examination.findings.note(format!(
                    "the checkpoint of {size} entries was signed over the leaf of entry {}, so the hash beside it was changed",
                    fork.since
                ));
            }
            examination.signed = size;
        } else if let (Some(accused), Kind::Checkpoint) = (self.accused, *kind) {
            examination.findings.note(format!(
                "later checkpoints include what is wrong before {accused}, so they are not told one by one"
            ));
        } else {
            self.accused = Some(size);
            let kind = if *kind == Kind::OutsideCheckpoint { *kind } else { Kind::Root };
            let signed = examination.signed;
            let place = format!("{place}; an entry from {signed} to {} was changed", size.saturating_sub(1));
            examination.findings.add(kind, place, (checkpoint.root, self.over_leaves.root()));
        }
    }

    /// The next stored checkpoint that is what it claims; the others are told.
    fn next_checkpoint<Role: Send>(
        &mut self,
        examination: &mut Examination<'_, Role>,
    ) -> Result<Option<Pending>, StoreError> {
        loop {
            if self.page.is_empty() {
                let page = examination.store.raw_checkpoints(self.read, PAGE);
                self.page = examination.readable("the checkpoints", page)?.unwrap_or_default().into();
            }
            let Some((stored, note)) = self.page.pop_front() else { return Ok(None) };
            self.read = stored;
            let place = format!("checkpoint {stored}");
            let Some(pending) = opened(examination, (place, Kind::Checkpoint), &note) else { continue };
            examination.checkpoints += 1;
            // What is passed already, and not where it is looked for, is no help.
            if i64::try_from(pending.checkpoint.size) == Ok(stored) {
                return Ok(Some(pending));
            }
            let what =
                (format!("a checkpoint of {stored} entries"), format!("one of {}", pending.checkpoint.size));
            examination.findings.add(Kind::Checkpoint, pending.place, what);
        }
    }

    /// Compares a node that became perfect with the stored one.
    fn compare_node<Role: Send>(
        &mut self,
        examination: &mut Examination<'_, Role>,
        ((level, index, hash), other): (Completed, Option<Hash>),
    ) -> Result<(), StoreError> {
        let Some(stored) = self.levels.iter_mut().find(|stored| stored.level == level) else { return Ok(()) };
        let place = format!("node {level}/{index}");
        let found = match stored.advance(examination, index)? {
            Some(node) if node.hash == hash.0 || other.is_some_and(|other| node.hash == other.0) => {
                return Ok(());
            }
            Some(node) => hex(&node.hash),
            None => "nothing".to_owned(),
        };
        examination.findings.add(Kind::Node, place, (hash, found));
        if examination.mends() {
            examination.store.put_node(&StoredNode { level, index, hash })?;
        }
        Ok(())
    }

    /// Tells the nodes whose leaves do not exist. Where the tree was lost, nodes after that place may well have leaves.
    fn stray_nodes<Role: Send>(mut self, examination: &mut Examination<'_, Role>) -> Result<(), StoreError> {
        if self.lost.is_none() {
            for level in &mut self.levels {
                level.advance(examination, u64::MAX)?;
            }
        }
        let nodes = examination.store.stray_nodes(PAGE);
        for node in examination.readable("the nodes", nodes)?.unwrap_or_default() {
            stray(examination, &node)?;
        }
        Ok(())
    }
}

/// A checkpoint that was not reached is of more entries than there are, unless the tree was lost before it.
fn beyond<Role>(examination: &mut Examination<'_, Role>, pending: &Pending, size: u64) {
    if pending.checkpoint.size > size {
        let kind = if pending.kind == Kind::OutsideCheckpoint { pending.kind } else { Kind::Truncated };
        let expected = format!("at least {} entries", pending.checkpoint.size);
        examination.findings.add(kind, &pending.place, (expected, format!("a log of {size}")));
    }
}

/// Pushes and tells what became perfect.
fn pushed(tree: &mut CompactRange, leaf: Hash) -> Vec<Completed> {
    let mut completed = Vec::new();
    tree.push_with(leaf, |level, index, hash| completed.push((level, index, hash)));
    completed
}

/// A checkpoint that is validly signed for this log; anything else is told.
fn opened<Role>(
    examination: &mut Examination<'_, Role>,
    (place, kind): (String, Kind),
    note: &str,
) -> Option<Pending> {
    let trust = examination.trust;
    let found = match Checkpoint::open(note, trust.keys) {
        Ok(checkpoint) if checkpoint.origin == trust.origin => {
            return Some(Pending { place, kind, checkpoint });
        }
        Ok(checkpoint) => format!("one of `{}`", checkpoint.origin.escape_debug()),
        Err(error) => error.to_string(),
    };
    examination.findings.add(kind, place, (format!("a signed checkpoint of `{}`", trust.origin), found));
    None
}

fn stray<Role: Send>(examination: &mut Examination<'_, Role>, node: &RawNode) -> Result<(), StoreError> {
    let place = format!("node {}/{}", node.level, node.index);
    examination.findings.add(Kind::StrayNode, place, ("nothing", hex(&node.hash)));
    if examination.mends() {
        examination.store.drop_node(node)?;
    }
    Ok(())
}

/// Bytes that had to be a hash.
pub(super) fn hex(bytes: &[u8]) -> String {
    match <[u8; 32]>::try_from(bytes) {
        Ok(hash) => Hash(hash).to_string(),
        Err(_) => format!("{} bytes", bytes.len()),
    }
}

/// The stored nodes of one level, read once from left to right.
struct Level {
    level: u8,
    after: i64,
    page: VecDeque<RawNode>,
}

impl Level {
    /// The stored node at `index`, if there is one; whatever stands before it has no leaves.
    fn advance<Role: Send>(
        &mut self,
        examination: &mut Examination<'_, Role>,
        index: u64,
    ) -> Result<Option<RawNode>, StoreError> {
        loop {
            if self.page.is_empty() {
                let page = examination.store.raw_nodes((self.level, self.after), PAGE);
                self.page = examination.readable("the nodes", page)?.unwrap_or_default().into();
                let Some(last) = self.page.back() else { return Ok(None) };
                self.after = last.index;
            }
            let Some(node) = self.page.front() else { return Ok(None) };
            match u64::try_from(node.index) {
                Ok(found) if found > index => return Ok(None),
                Ok(found) if found == index => return Ok(self.page.pop_front()),
                _ => {}
            }
            if let Some(node) = self.page.pop_front() {
                stray(examination, &node)?;
            }
        }
    }
}
