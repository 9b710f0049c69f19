//! Which entries lack their details, and which later entry says why.
//!
//! Memory grows with the number of entries that lack details, so with that of redactions in a log that is intact.

use alloc::collections::BTreeMap;

use super::DetailsFault;

/// The entries without their details, each with the redaction that explains it.
#[derive(Debug, Default)]
pub(super) struct Absences {
    explained: BTreeMap<u64, Option<u64>>,
}

impl Absences {
    /// The entry commits to details that are not there.
    pub(super) fn note(&mut self, index: u64) {
        self.explained.insert(index, None);
    }

    pub(super) fn contains(&self, index: u64) -> bool {
        self.explained.contains_key(&index)
    }

    /// Entry `by` says that the details of entry `index` were deleted. An explanation that stands already stays.
    pub(super) fn explain(&mut self, index: u64, by: u64) -> Result<(), DetailsFault> {
        let absence = self.explained.get_mut(&index).ok_or(DetailsFault::Kept { by })?;
        absence.get_or_insert(by);
        Ok(())
    }

    /// The first entry whose details are gone without a word.
    pub(super) fn unexplained(&self) -> Option<u64> {
        self.explained.iter().find_map(|(index, by)| by.is_none().then_some(*index))
    }

    /// How many entries lack their details.
    pub(super) fn count(&self) -> usize {
        self.explained.len()
    }
}
