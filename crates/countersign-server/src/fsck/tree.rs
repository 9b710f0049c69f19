//! The tree as it grows over the entries, held against the stored nodes, every checkpoint and the head.
//!
//! When a leaf does not have the hash stored beside it, one of the two was changed. The tree is then grown over both, and the next
//! checkpoint decides which of them was signed; the check goes on with that one.

use std::collections::VecDeque;

use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::entry::EntryView;
use countersign_ledger::hash::Hash;
use countersign_ledger::keys::{CheckpointFault, KeyError, KeyHistory};
use countersign_ledger::tree::CompactRange;
use countersign_ledger::verify::Trust;

use super::{Examination, Kind};
use crate::store::sqlite::inspect::RawNode;
use crate::store::{Head, StoreError, StoredNode};

/// Levels whose nodes are stored.
const LEVELS: [u8; 7] = [8, 16, 24, 32, 40, 48, 56];

/// Rows read at once.
const PAGE: i64 = 256;

/// Checkpoints remembered. Handing over takes seconds and a log signs a few per second, so the one it names is among them.
const REACHED: usize = 1_024;

/// A place in the tree that became perfect, and its hash.
type Completed = (u8, u64, Hash);

/// The same tree over the hashes stored beside the leaves.
struct Fork {
    tree: CompactRange,
    /// The first leaf that does not have its hash.
    since: u64,
}

/// A checkpoint that the tree has not reached, and where it was found. Who may sign it is known only then.
struct Pending {
    place: String,
    kind: Kind,
    size: u64,
    note: String,
}

pub(super) struct Tree {
    over_leaves: CompactRange,
    over_hashes: Option<Fork>,
    /// The first entry whose hash nobody knows: no root can be compared from there on.
    lost: Option<u64>,
    /// The size of the first checkpoint whose root is another: every later one would be too.
    accused: Option<u64>,
    levels: Vec<Level>,
    /// The keys that the entries name.
    keys: KeyHistory,
    /// Sizes and roots of the checkpoints last reached: a handover of keys names one of them.
    reached: VecDeque<(u64, Hash)>,
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
            keys: KeyHistory::new(),
            reached: VecDeque::new(),
            outside: None,
            pending: None,
            read: i64::MIN,
            page: VecDeque::new(),
        };
        tree.outside = examination.outside.map(|note| Pending {
            place: "the checkpoint outside the database".to_owned(),
            kind: Kind::OutsideCheckpoint,
            // What claims no size is opened, and told, at the beginning.
            size: note.lines().nth(1).and_then(|line| line.parse().ok()).unwrap_or(0),
            note: note.to_owned(),
        });
        tree.pending = tree.next_checkpoint(examination)?;
        tree.compare_roots(examination)?;
        Ok(tree)
    }

    /// Learns the key that an entry names, before the checkpoint that contains it is looked at.
    pub(super) fn follow<Role>(&mut self, examination: &mut Examination<'_, Role>, entry: &EntryView<'_>) {
        let learnt = self.keys.follow(entry).and_then(|()| self.check_handover(entry.index));
        if let Err(error) = learnt {
            let place = format!("entry {}", entry.index);
            examination.findings.add(Kind::Key, place, ("a handover of the log's key that holds", error));
        }
    }

    /// What the entry hands over, if it does, must be what a checkpoint that was reached has shown.
    fn check_handover(&self, index: u64) -> Result<(), KeyError> {
        let newest = self.keys.tenures().last().filter(|tenure| tenure.entry == index);
        let Some(signed) = newest.and_then(|tenure| tenure.handover.as_ref()) else { return Ok(()) };
        let size = signed.handover.size;
        match self.reached.iter().find(|(reached, _)| *reached == size) {
            Some((_, root)) if *root != signed.handover.root => Err(KeyError::Root { size }),
            _ => Ok(()),
        }
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
            self.beyond(examination, &outside, size);
        }
        while let Some(pending) = self.pending.take() {
            self.beyond(examination, &pending, size);
            self.pending = self.next_checkpoint(examination)?;
        }
        let (named, pinned) = (self.keys.tenures(), examination.trust.keys);
        if !named.is_empty() && self.keys.place_of(pinned).is_none() {
            let what = ("one of the pinned keys", format!("{} keys, none of them pinned", named.len()));
            examination.findings.add(Kind::Key, "the keys that the log names", what);
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
        if let Some(outside) = self.outside.take_if(|outside| outside.size == size) {
            self.compare_root(examination, &outside);
        }
        while let Some(pending) = self.pending.take_if(|pending| pending.size == size) {
            self.compare_root(examination, &pending);
            self.pending = self.next_checkpoint(examination)?;
        }
        Ok(())
    }

    /// A checkpoint that was not reached is of more entries than there are, unless the tree was lost before it.
    fn beyond<Role>(&self, examination: &mut Examination<'_, Role>, pending: &Pending, size: u64) {
        let Some(checkpoint) = self.opened(examination, pending) else { return };
        if checkpoint.size > size {
            let kind = if pending.kind == Kind::OutsideCheckpoint { pending.kind } else { Kind::Truncated };
            let expected = format!("at least {} entries", checkpoint.size);
            examination.findings.add(kind, &pending.place, (expected, format!("a log of {size}")));
        }
    }

    /// A checkpoint that is what it claims and is signed by the key that the log names for its size; anything else is told.
    fn opened<Role>(&self, examination: &mut Examination<'_, Role>, pending: &Pending) -> Option<Checkpoint> {
        let Pending { place, kind, size, note } = pending;
        let trust = examination.trust;
        let opened = match self.keys.open(note) {
            Err(fault @ CheckpointFault::Retired { .. }) => Err(fault),
            // The entry that names its key may be damaged or gone; then a pinned key still says so.
            Err(fault) => Checkpoint::open(note, trust.keys).map_err(|_| fault),
            opened => opened,
        };
        let found = match opened {
            Ok(checkpoint) if checkpoint.origin != trust.origin => {
                format!("one of `{}`", checkpoint.origin.escape_debug())
            }
            Ok(checkpoint) if checkpoint.size != *size => format!("one of {} entries", checkpoint.size),
            Ok(checkpoint) => {
                examination.checkpoints += 1;
                return Some(checkpoint);
            }
            Err(fault) => fault.to_string(),
        };
        let expected = format!("a signed checkpoint of {size} entries of `{}`", trust.origin);
        examination.findings.add(*kind, place, (expected, found));
        None
    }

    /// Whether the key in force at that size is pinned, or was led to by one that is.
    fn is_trusted(&self, trust: &Trust<'_>, size: u64) -> bool {
        let signed_by = self.keys.place_at(size);
        let pinned = self.keys.place_of(trust.keys);
        self.keys.tenures().is_empty() || pinned.zip(signed_by).is_some_and(|(pinned, by)| pinned <= by)
    }

    fn compare_root<Role>(&mut self, examination: &mut Examination<'_, Role>, pending: &Pending) {
        let Some(checkpoint) = self.opened(examination, pending) else { return };
        let Pending { place, kind, size, .. } = pending;
        let size = *size;
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
            if self.is_trusted(&examination.trust, size) {
                examination.signed = size;
            }
            if self.reached.len() >= REACHED {
                self.reached.pop_front();
            }
            self.reached.push_back((size, checkpoint.root));
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

    /// The next stored checkpoint; one of a size that is none is told.
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
            if let Ok(size) = u64::try_from(stored) {
                return Ok(Some(Pending { place, kind: Kind::Checkpoint, size, note }));
            }
            examination.findings.add(Kind::Checkpoint, place, ("a size", stored));
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

/// Pushes and tells what became perfect.
fn pushed(tree: &mut CompactRange, leaf: Hash) -> Vec<Completed> {
    let mut completed = Vec::new();
    tree.push_with(leaf, |level, index, hash| completed.push((level, index, hash)));
    completed
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
