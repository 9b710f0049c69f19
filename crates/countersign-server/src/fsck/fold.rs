//! What the entries come to: every record at the last entry of its subject, and the state at the snapshot's size.
//!
//! The state lets go of what is finished, as the engine does, so memory grows with what is alive only. What is finished and has an entry
//! to come all the same (late evidence) is kept aside until then.

use std::collections::BTreeMap;

use countersign_core::{Event, Item, State, Subject};
use countersign_ledger::hash::{Hash, sha256};

use super::tree::hex;
use super::{Examination, Kind};
use crate::engine::codec;
use crate::store::sqlite::inspect::{RawRecord, RawSnapshot};
use crate::store::{Record, Snapshot, StoreError};

/// One entry, read.
pub(super) struct Entry<'e> {
    pub event: &'e Event,
    pub subject_seq: u32,
    /// Whether it is the last of its subject.
    pub last: bool,
}

pub(super) struct Fold {
    state: State,
    /// Finished, with an entry to come, and how many it has had.
    aside: BTreeMap<Subject, (Item, u32)>,
    /// The stored snapshot, until its size is reached.
    snapshot: Option<RawSnapshot>,
}

impl Fold {
    pub(super) fn new<Role: Send>(examination: &mut Examination<'_, Role>) -> Result<Self, StoreError> {
        let snapshot = examination.store.raw_snapshot();
        let snapshot = examination.readable("the snapshot", snapshot)?.flatten();
        Ok(Self { state: State::default(), aside: BTreeMap::new(), snapshot })
    }

    /// Applies an entry, and compares the record of its subject if it is the last one.
    pub(super) fn entry<Role: Send>(
        &mut self,
        examination: &mut Examination<'_, Role>,
        entry: &Entry<'_>,
    ) -> Result<(), StoreError> {
        let Entry { event, subject_seq, last } = *entry;
        let subject = event.fact.subject();
        if subject_seq > 1 && self.state.entries_of(&subject) == 0 {
            return self.late(examination, entry);
        }
        countersign_core::apply(&mut self.state, event);
        let item = self.state.item(&subject);
        if let (true, Some(item)) = (last, &item) {
            compare(examination, (&subject, item), subject_seq)?;
        }
        self.state.retire(&subject);
        if let (false, 0, Some(item)) = (last, self.state.entries_of(&subject), item) {
            self.aside.insert(subject, (item, subject_seq));
        }
        Ok(())
    }

    /// Applies an entry about what is finished: like the engine, to a copy that is thrown away.
    fn late<Role: Send>(
        &mut self,
        examination: &mut Examination<'_, Role>,
        entry: &Entry<'_>,
    ) -> Result<(), StoreError> {
        let Entry { event, subject_seq, last } = *entry;
        let subject = event.fact.subject();
        // Nothing is aside if its first entry is missing, which is told elsewhere.
        let Some((item, entries)) = self.aside.remove(&subject) else { return Ok(()) };
        let mut copy = self.state.clone();
        copy.hydrate(&subject, item, entries);
        countersign_core::apply(&mut copy, event);
        let Some(item) = copy.item(&subject) else { return Ok(()) };
        if last {
            return compare(examination, (&subject, &item), subject_seq);
        }
        self.aside.insert(subject, (item, subject_seq));
        Ok(())
    }

    /// Compares the snapshot if it is of this size.
    pub(super) fn reached<Role: Send>(
        &mut self,
        examination: &mut Examination<'_, Role>,
        (size, root): (u64, Option<Hash>),
    ) -> Result<(), StoreError> {
        let of_this_size = |stored: &mut RawSnapshot| u64::try_from(stored.size) == Ok(size);
        let Some(stored) = self.snapshot.take_if(of_this_size) else { return Ok(()) };
        let same_root = root.is_none_or(|root| stored.root == root.0);
        let read = serde_json::from_slice::<State>(&stored.state).ok();
        if same_root && read.as_ref() == Some(&self.state) {
            return Ok(());
        }
        let written =
            serde_json::to_vec(&self.state).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        let told = |root: String, state: &[u8]| format!("root {root}, state {}", short(state));
        let expected = told(root.map_or("unknown".to_owned(), |root| root.to_string()), &written);
        let found = told(hex(&stored.root), &stored.state);
        examination.findings.add(
            Kind::Snapshot,
            format!("the snapshot of {size} entries"),
            (expected, found),
        );
        if let (true, Some(root)) = (examination.mends(), root) {
            examination.store.put_snapshot(&Snapshot { size, root, state: written })?;
        }
        Ok(())
    }

    /// The log has come to its end.
    pub(super) fn finish<Role: Send>(
        self,
        examination: &mut Examination<'_, Role>,
        size: u64,
    ) -> Result<(), StoreError> {
        if let Some(RawSnapshot { size: stored, .. }) = self.snapshot {
            let what = (format!("one of at most {size} entries"), format!("one of {stored}"));
            examination.findings.add(Kind::Snapshot, "the snapshot", what);
            if examination.mends() {
                examination.store.drop_snapshot()?;
            }
        }
        Ok(())
    }
}

/// Compares the record of a subject with what its entries come to.
fn compare<Role: Send>(
    examination: &mut Examination<'_, Role>,
    (subject, item): (&Subject, &Item),
    subject_seq: u32,
) -> Result<(), StoreError> {
    let right = codec::record(subject, item, subject_seq)?;
    let place = format!("record {} {}", right.kind, right.id);
    let stored = examination.store.raw_record(right.kind, &right.id);
    let Some(stored) = examination.readable(&place, stored)? else { return Ok(()) };
    examination.records += 1;
    if stored.as_ref().is_some_and(|stored| is_right(stored, &right)) {
        return Ok(());
    }
    let found = stored.map_or("nothing".to_owned(), |stored| {
        format!("entry {} of it, `{}`, {}", stored.seq, stored.status.escape_debug(), short(&stored.body))
    });
    let expected = format!("entry {} of it, `{}`, {}", right.seq, right.status, short(&right.body));
    examination.findings.add(Kind::Record, place, (expected, found));
    if examination.mends() {
        examination.store.put_record(&right)?;
    }
    Ok(())
}

fn is_right(stored: &RawRecord, right: &Record) -> bool {
    stored.seq == i64::from(right.seq) && stored.status == right.status && stored.body == right.body
}

/// Bytes told by length and digest: they may hold what is not for everybody.
fn short(bytes: &[u8]) -> String {
    let digest = sha256(bytes).to_string();
    format!("{} bytes of SHA-256 {}…", bytes.len(), digest.get(..12).unwrap_or_default())
}
