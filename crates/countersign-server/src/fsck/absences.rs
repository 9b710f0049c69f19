//! Details that are not there, and the entries that say why. What is left without a word at the end is damage.

use std::collections::BTreeMap;

use countersign_core::redaction::DetailsRedacted;
use countersign_ledger::hash::Hash;

use super::{Examination, Kind};

/// The entries without their details.
#[derive(Debug, Default)]
pub(super) struct Absences {
    by_index: BTreeMap<u64, Absence>,
    /// Some details could not be read, so nobody knows which are there.
    is_blind: bool,
}

#[derive(Debug)]
struct Absence {
    /// What the leaf commits to.
    named: Hash,
    /// The redaction that the store names.
    stored: Option<i64>,
    /// The redaction that the log names.
    by: Option<u64>,
}

impl Absences {
    /// The entry lacks the details that its leaf names; the store may say which entry deleted them.
    pub(super) fn note(&mut self, index: u64, (named, stored): (Hash, Option<i64>)) {
        self.by_index.insert(index, Absence { named, stored, by: None });
    }

    /// Some details could not be read, which is told elsewhere.
    pub(super) fn go_blind(&mut self) {
        self.is_blind = true;
    }

    /// The entry at `by` says whose details were deleted.
    pub(super) fn explain<Role: Send>(
        &mut self,
        examination: &mut Examination<'_, Role>,
        (by, redacted): (u64, &DetailsRedacted),
    ) {
        for index in redacted.entries.iter() {
            if index >= by {
                let what = ("a redaction of what was there before", format!("one of entry {index}"));
                examination.findings.add(Kind::Details, format!("entry {by}"), what);
            } else if let Some(absence) = self.by_index.get_mut(&index) {
                absence.by.get_or_insert(by);
            } else if !self.is_blind {
                let what =
                    (format!("no details: entry {by} says that they were deleted"), "details, or never any");
                examination.findings.add(Kind::Details, format!("entry {index}"), what);
            }
        }
    }

    /// No more entries come.
    pub(super) fn finish<Role: Send>(self, examination: &mut Examination<'_, Role>) {
        for (index, Absence { named, stored, by }) in self.by_index {
            let (expected, found) = match (by, stored) {
                (None, _) => (format!("details bound by {named}"), "none".to_owned()),
                (Some(by), stored) if stored == i64::try_from(by).ok() => continue,
                (Some(by), stored) => {
                    let found = stored.map_or("by nobody".to_owned(), |stored| format!("by entry {stored}"));
                    (format!("details deleted by entry {by}"), found)
                }
            };
            examination.findings.add(Kind::Details, format!("entry {index}"), (expected, found));
        }
    }
}
