//! The keys of a log in order, as its own entries name them, each link verified before it counts.

use alloc::boxed::Box;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::entry::{self, Told};
use super::{CheckpointFault, CrossSigned, KeyError, MAX_KEYS};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::entry::EntryView;
use crate::note::{NoteError, VerifierKey};

/// One key and the time of its office.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenure {
    /// The key.
    pub key: VerifierKey,
    /// The index of the entry that names it; it signs checkpoints that contain this entry.
    pub entry: u64,
    /// How it got there; none for the first key.
    pub handover: Option<Box<CrossSigned>>,
}

/// Which key may sign a checkpoint of which size. Empty until an entry names the first one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyHistory {
    origin: String,
    // INVARIANT: ascending by entry, and no key twice.
    tenures: Vec<Tenure>,
}

impl KeyHistory {
    /// Nothing is known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Follows the next entry: learns a key if it names one, and passes it otherwise. On an error nothing is learnt.
    ///
    /// # Errors
    /// The entry claims to name a key and may not.
    pub fn follow(&mut self, entry: &EntryView<'_>) -> Result<(), KeyError> {
        match entry::read(entry)? {
            None => Ok(()),
            Some(Told::Created { .. }) if !self.tenures.is_empty() => Err(KeyError::SecondBeginning),
            Some(Told::Created { origin, key }) => {
                self.origin = origin;
                self.tenures.push(Tenure { key: *key, entry: entry.index, handover: None });
                Ok(())
            }
            Some(Told::Rotated(signed)) => self.hand_over(entry.index, signed),
        }
    }

    /// The rules in order: whose log, from whom, to whom, of what, and then whether both have said so.
    fn hand_over(&mut self, index: u64, signed: Box<CrossSigned>) -> Result<(), KeyError> {
        let handover = &signed.handover;
        let Some(last) = self.tenures.last() else { return Err(KeyError::NoBeginning) };
        if handover.origin != self.origin {
            return Err(KeyError::Origin { named: handover.origin.clone(), log: self.origin.clone() });
        }
        if handover.old != last.key {
            let (named, in_force) = (handover.old.to_string(), last.key.to_string());
            return Err(KeyError::NotInForce { named, in_force });
        }
        if self.tenures.iter().any(|tenure| tenure.key == handover.new) {
            return Err(KeyError::Reused(handover.new.to_string()));
        }
        if self.tenures.len() >= MAX_KEYS {
            return Err(KeyError::TooMany);
        }
        let least = last.handover.as_ref().map_or(1, |former| former.handover.size);
        if !(least..=index).contains(&handover.size) {
            return Err(KeyError::Size { named: handover.size, least, most: index });
        }
        signed.verify()?;
        self.tenures.push(Tenure { key: handover.new.clone(), entry: index, handover: Some(signed) });
        Ok(())
    }

    /// The origin the log gave itself; empty while nothing is known.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// All keys, the first one first.
    #[must_use]
    pub fn tenures(&self) -> &[Tenure] {
        &self.tenures
    }

    /// The key that signs the next checkpoint.
    #[must_use]
    pub fn current(&self) -> Option<&VerifierKey> {
        self.tenures.last().map(|tenure| &tenure.key)
    }

    /// Which of the keys may sign a checkpoint of this size: its place among [`Self::tenures`]. Nobody signs a size at which
    /// no key was named, except size 0, which the first key speaks for.
    #[must_use]
    pub fn place_at(&self, size: u64) -> Option<usize> {
        let named = self.tenures.iter().rposition(|tenure| tenure.entry < size);
        named.or_else(|| (size == 0 && !self.tenures.is_empty()).then_some(0))
    }

    /// The place of the earliest of these keys; from there on the log's checkpoints can be believed by whoever pinned them.
    #[must_use]
    pub fn place_of(&self, pinned: &[VerifierKey]) -> Option<usize> {
        self.tenures.iter().position(|tenure| pinned.contains(&tenure.key))
    }

    /// Opens a checkpoint by the key in force at its size. The caller compares the origin.
    ///
    /// # Errors
    /// It is malformed, or not signed by that key; if it is signed by one that was retired by then, that one is named.
    pub fn open(&self, note: &str) -> Result<Checkpoint, CheckpointFault> {
        let size = claimed_size(note).unwrap_or(0);
        let place = self.place_at(size).ok_or(CheckpointFault::NoKey)?;
        let (former, rest) = self.tenures.split_at(place);
        let Some(in_force) = rest.first() else { return Err(CheckpointFault::NoKey) };
        match Checkpoint::open(note, core::slice::from_ref(&in_force.key)) {
            Err(CheckpointError::Note(NoteError::Unsigned)) => Err(self.unsigned(note, former)),
            Err(error) => Err(error.into()),
            Ok(checkpoint) => Ok(checkpoint),
        }
    }

    /// Opens a checkpoint for somebody who pinned some keys: the key in force at its size has signed it, and is one of them or was
    /// led to by handovers from one of them. A log that names no key for itself is signed by the trusted keys.
    ///
    /// # Errors
    /// As [`Self::open`]; [`CheckpointFault::NotTrusted`] if no trusted key leads there.
    pub fn open_trusted(&self, note: &str, trusted: &[VerifierKey]) -> Result<Checkpoint, CheckpointFault> {
        if self.tenures.is_empty() {
            return Ok(Checkpoint::open(note, trusted)?);
        }
        let checkpoint = self.open(note)?;
        let (by, from) = (self.place_at(checkpoint.size), self.place_of(trusted));
        if from.is_some_and(|from| by.is_some_and(|by| from <= by)) {
            return Ok(checkpoint);
        }
        let key = by.and_then(|by| self.tenures.get(by)).map_or_else(String::new, |by| by.key.to_string());
        Err(CheckpointFault::NotTrusted { key })
    }

    /// Who signed instead of the key in force, if it was one of those before it.
    fn unsigned(&self, note: &str, former: &[Tenure]) -> CheckpointFault {
        let signed = |tenure: &&Tenure| Checkpoint::open(note, core::slice::from_ref(&tenure.key)).is_ok();
        let Some(retired) = former.iter().rev().find(signed) else {
            return CheckpointFault::Invalid(NoteError::Unsigned.into());
        };
        let next = self.tenures.iter().find(|tenure| tenure.entry > retired.entry);
        CheckpointFault::Retired {
            key: retired.key.to_string(),
            until: next.map_or(retired.entry, |next| next.entry),
        }
    }
}

/// The size a checkpoint claims before anybody verified it: good for choosing the key and for saying where damage is, not for more.
#[must_use]
pub fn claimed_size(note: &str) -> Option<u64> {
    note.lines().nth(1).and_then(|line| line.parse().ok())
}
