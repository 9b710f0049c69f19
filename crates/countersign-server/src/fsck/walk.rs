//! The one pass over the entries: each leaf, what is stored beside it, and what it adds to tree, records and censuses.

use std::collections::BTreeSet;

use countersign_core::Fact;
use countersign_core::time::Time;
use countersign_ledger::details::commitment;
use countersign_ledger::entry::EntryView;
use countersign_ledger::hash::{Hash, leaf_hash};

use super::absences::Absences;
use super::fold::{Entry, Fold};
use super::tree::{Tree, hex};
use super::{Examination, Kind, Progress, ProgressFn};
use crate::engine::codec;
use crate::store::sqlite::inspect::{RawDetails, RawEntry};
use crate::store::{Head, StoreError};
use crate::verification::census_fault;

/// Rows read at once. A leaf has at most 64 KiB and usually half a KiB.
const PAGE: i64 = 1_024;

/// What the walk knows at its end.
pub(super) struct Walked {
    /// The size of the log.
    pub size: u64,
    /// The index after the last entry that is there.
    pub end: u64,
    /// The blobs that entries refer to.
    pub blobs: BTreeSet<Hash>,
}

/// Walks the log from first to last.
pub(super) fn entries<Role: Send>(
    examination: &mut Examination<'_, Role>,
    head: Option<&Head>,
    progress: &mut ProgressFn<'_>,
) -> Result<Walked, StoreError> {
    let size = match head {
        Some(head) => head.size(),
        None => examination.store.entries_end()?,
    };
    let (tree, fold) = (Tree::new(examination)?, Fold::new(examination)?);
    let mut walk = Walk {
        examination,
        tree,
        fold,
        size,
        next: 0,
        counted: 0,
        last_time: String::new(),
        blobs: BTreeSet::new(),
        absences: Absences::default(),
    };
    let mut after = i64::MIN;
    loop {
        let page = walk.examination.store.raw_entries(after, PAGE);
        let Some(page) = walk.examination.readable("the entries", page)? else { break };
        let Some(last) = page.last() else { break };
        let range = (walk.next, last.index);
        after = last.index;
        walk.page(&page, range)?;
        progress(Progress { part: "entries", done: walk.next, of: size });
    }
    let end = walk.next;
    walk.head_time(head);
    walk.missing(size);
    let Walk { examination, tree, fold, blobs, absences, .. } = walk;
    absences.finish(examination);
    tree.finish(examination, (head, size))?;
    fold.finish(examination, size)?;
    Ok(Walked { size, end, blobs })
}

struct Walk<'w, 'a, Role> {
    examination: &'w mut Examination<'a, Role>,
    tree: Tree,
    fold: Fold,
    /// The size of the log as its head says.
    size: u64,
    /// The index that has to come next.
    next: u64,
    /// The size of the last census.
    counted: u64,
    last_time: String,
    blobs: BTreeSet<Hash>,
    absences: Absences,
}

impl<Role: Send> Walk<'_, '_, Role> {
    fn page(&mut self, entries: &[RawEntry], (from, until): (u64, i64)) -> Result<(), StoreError> {
        let after = i64::try_from(from).unwrap_or(i64::MAX) - 1;
        let details = self.examination.store.raw_details((after, until), i64::MAX);
        let details = self.examination.readable("the details", details)?;
        let readable = details.is_some();
        if !readable {
            self.absences.go_blind();
        }
        let mut details = details.unwrap_or_default().into_iter().peekable();
        for entry in entries {
            let Some(index) = u64::try_from(entry.index).ok().filter(|index| *index < self.size) else {
                let what = ("nothing", format!("an entry of `{}`", entry.subject.escape_debug()));
                self.examination.findings.add(Kind::StrayEntry, format!("entry {}", entry.index), what);
                continue;
            };
            self.missing(index);
            while let Some(stray) = details.next_if(|details| details.index < entry.index) {
                self.stray_details(stray.index);
            }
            let beside = details.next_if(|details| details.index == entry.index);
            self.entry((index, entry), readable.then_some(beside.as_ref()))?;
            self.next = index + 1;
        }
        Ok(())
    }

    /// The head's time is that of the last entry: no later entry may be before it.
    fn head_time(&mut self, head: Option<&Head>) {
        let Some(head) = head.filter(|head| head.size() == self.next && self.next > 0) else { return };
        let stored = Time::from_millis(head.time_ms);
        if self.last_time.parse() != Ok(stored) {
            self.examination.findings.add(
                Kind::Head,
                "the head",
                (format!("the time {}", self.last_time), stored),
            );
        }
    }

    /// Everything up to `index` had to come before.
    fn missing(&mut self, index: u64) {
        if index > self.next {
            let (first, last) = (self.next, index - 1);
            let (place, expected) = match index - first {
                1 => (format!("entry {first}"), "an entry".to_owned()),
                count => (format!("entries {first} to {last}"), format!("{count} entries")),
            };
            self.examination.findings.add(Kind::IndexGap, place, (expected, "nothing"));
            self.tree.lose(self.examination, first);
            self.next = index;
        }
    }

    fn stray_details(&mut self, index: i64) {
        self.examination.findings.add(Kind::StrayDetails, format!("details {index}"), ("nothing", "details"));
    }

    /// Checks one entry; `details` is none if they cannot be read.
    fn entry(
        &mut self,
        (index, entry): (u64, &RawEntry),
        details: Option<Option<&RawDetails>>,
    ) -> Result<(), StoreError> {
        let place = format!("entry {index}");
        let hash = leaf_hash(&entry.leaf);
        let stored = <[u8; 32]>::try_from(entry.leaf_hash.as_slice()).ok().map(Hash);
        if stored != Some(hash) {
            let what =
                (format!("a leaf with the hash {}", hex(&entry.leaf_hash)), format!("one with {hash}"));
            self.examination.findings.add(Kind::LeafBytes, &place, what);
        }
        let parsed = EntryView::parse(&entry.leaf);
        if let Ok(view) = &parsed {
            self.tree.follow(self.examination, view);
        }
        self.tree.push(self.examination, (hash, stored))?;
        match parsed {
            Ok(view) => {
                self.envelope((index, entry), &view);
                if let Some(details) = details {
                    self.details(&place, (&view, details));
                }
                self.meaning((index, entry), &view)?;
            }
            Err(error) => {
                self.examination.findings.add(Kind::Entry, &place, ("an entry in canonical form", error));
            }
        }
        let root = self.tree.root();
        self.fold.reached(self.examination, (index + 1, root))
    }

    fn envelope(&mut self, (index, entry): (u64, &RawEntry), view: &EntryView<'_>) {
        let place = format!("entry {index}");
        let findings = &mut self.examination.findings;
        if view.index != index {
            findings.add(
                Kind::Index,
                &place,
                (format!("a leaf of index {index}"), format!("one of {}", view.index)),
            );
        }
        if entry.subject != view.subject || entry.subject_seq != i64::from(view.subject_seq) {
            let told = |subject: &str, seq: i64| format!("entry {seq} of `{}`", subject.escape_debug());
            let what = (told(view.subject, view.subject_seq.into()), told(&entry.subject, entry.subject_seq));
            findings.add(Kind::SubjectColumn, &place, what);
        }
        if view.time < self.last_time.as_str() {
            findings.add(Kind::Time, &place, (format!("not before {}", self.last_time), view.time));
        }
        self.last_time.clear();
        self.last_time.push_str(view.time);
    }

    fn details(&mut self, place: &str, (view, details): (&EntryView<'_>, Option<&RawDetails>)) {
        let bound = |details: &RawDetails| {
            let salt = <[u8; 32]>::try_from(details.salt.as_slice()).ok()?;
            Some(commitment(&salt, &details.body))
        };
        let (expected, found) = match (view.details_sha256, details) {
            (None, None) => return,
            (Some(named), Some(details)) if bound(details) == Some(named) => return,
            // Whether an entry says why is known when it comes.
            (Some(named), None) => return self.absences.note(view.index, (named, None)),
            (Some(named), Some(RawDetails { redacted_by: Some(by), .. })) => {
                return self.absences.note(view.index, (named, Some(*by)));
            }
            (None, Some(_)) => ("none".to_owned(), "details".to_owned()),
            (Some(named), Some(details)) => {
                let found = bound(details).map_or("ones without a salt".to_owned(), |hash| hash.to_string());
                (format!("details bound by {named}"), found)
            }
        };
        self.examination.findings.add(Kind::Details, place, (expected, found));
    }

    /// What the entry says, and what follows from it.
    fn meaning(&mut self, (index, entry): (u64, &RawEntry), view: &EntryView<'_>) -> Result<(), StoreError> {
        let place = format!("entry {index}");
        let decoded = match codec::decode(index, &entry.leaf, self.examination.store) {
            Ok(decoded) => decoded,
            Err(StoreError::Corrupt(why)) => {
                let kind = if view.kind == "policy.activated" { Kind::Blob } else { Kind::Entry };
                self.examination.findings.add(kind, &place, ("an entry this version can read", why));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        match &decoded.event.fact {
            Fact::PolicyActivated(_, activated) => {
                self.blobs.insert(Hash(activated.policy_sha256.0));
            }
            Fact::LogDetailsRedacted(_, redacted) => {
                self.absences.explain(self.examination, (index, redacted));
            }
            Fact::LogCensusTaken(_, taken) => {
                self.examination.censuses += 1;
                // What cannot be counted at all is a census that does not hold.
                let fault = match census_fault(self.examination.store, (index, self.counted), taken) {
                    Err(StoreError::Corrupt(why)) => Some(why),
                    fault => fault?,
                };
                if let Some(fault) = fault {
                    self.examination.findings.add(Kind::Census, &place, ("what is there", fault));
                }
                self.counted = taken.size;
            }
            _ => {}
        }
        // Under another subject than its own it is the last of nothing.
        let last = entry.last && entry.subject == view.subject;
        let entry = Entry { event: &decoded.event, subject_seq: decoded.subject_seq, last };
        self.fold.entry(self.examination, &entry)
    }
}
