//! The last sequence number of every subject, kept small: names are replaced by 128 bits of their SHA-256.
//!
//! Two names that share the 128 bits would be counted together. Finding such a pair takes about 2^64 hashes, and it
//! could only raise a false alarm or excuse a gap that the Merkle root still shows.

use alloc::collections::BTreeMap;

use crate::entry::FIRST_SUBJECT_SEQ;
use crate::hash::sha256;

/// Counts entries per subject.
#[derive(Debug, Default)]
pub(super) struct Subjects {
    last: BTreeMap<u128, u32>,
}

impl Subjects {
    /// Takes the next entry of a subject; `Err` is the number it should have had.
    pub(super) fn take(&mut self, subject: &str, seq: u32) -> Result<(), u64> {
        let [id @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = sha256(subject.as_bytes()).0;
        let last = self.last.entry(u128::from_be_bytes(id)).or_insert(FIRST_SUBJECT_SEQ - 1);
        // One more than any 32-bit number fits 64 bits, so a subject that used them all is judged correctly too.
        let expected = u64::from(*last) + 1;
        if u64::from(seq) == expected {
            *last = seq;
            return Ok(());
        }
        Err(expected)
    }

    pub(super) fn count(&self) -> usize {
        self.last.len()
    }
}
