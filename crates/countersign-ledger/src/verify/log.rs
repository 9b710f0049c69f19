//! The streaming verifier: rows in, the first damage or the proven head out.

use alloc::string::String;

use super::absences::Absences;
use super::checkpoints::Checkpoints;
use super::subjects::Subjects;
use super::{Damage, DamageKind, DetailsFault, LeafFault};
use crate::details::{Salt, commitment};
use crate::entry::EntryView;
use crate::hash::{Hash, leaf_hash};
use crate::keys::KeyHistory;
use crate::note::VerifierKey;
use crate::tree::CompactRange;

/// What the verification may take for granted; it has to come from outside the log.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    /// The log's origin line.
    pub origin: &'a str,
    /// Keys that were pinned. Any key the log ever had will do: older ones are led forward by the handovers, newer ones
    /// vouch for the whole tree. In a log that names no key for itself, these sign everything.
    pub keys: &'a [VerifierKey],
    /// Whether missing details can be legitimate.
    pub redactions: Redactions,
}

/// Whether details a leaf commits to may be absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redactions {
    /// Nothing was ever redacted: absent details are damage.
    None,
    /// Absent details are accepted if a later entry says that they were deleted; see [`LogVerifier::redacted`].
    Explained,
}

/// One entry as it is stored.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The index under which it is stored.
    pub stored_index: u64,
    /// The leaf.
    pub leaf: &'a [u8],
    /// The leaf hash, if the store keeps one beside the leaf. It pins damage to an entry; the proof does not need it.
    pub stored_leaf_hash: Option<Hash>,
    /// The details.
    pub details: StoredDetails<'a>,
}

/// Details as they are stored.
#[derive(Debug, Clone, Copy)]
pub enum StoredDetails<'a> {
    /// Details and their salt.
    Present {
        /// The salt.
        salt: &'a Salt,
        /// The exact bytes.
        body: &'a [u8],
    },
    /// No details, or details that were redacted.
    Absent,
}

/// What a verification without damage has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The number of entries.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// How many of them a checkpoint vouches for that a trusted key, or one it handed over to, has signed; entries from
    /// here on could still be replaced.
    pub signed_size: u64,
    /// The keys that the log names for itself.
    pub keys: KeyHistory,
    /// The number of subjects.
    pub subjects: usize,
    /// How many entries lack their details, each with a later entry that says why.
    pub redacted: usize,
    /// The time of the last entry, if there is one.
    pub last_time: Option<String>,
}

/// Verifies one log. Rows are pushed in the order in which they are stored.
#[derive(Debug)]
pub struct LogVerifier {
    checkpoints: Checkpoints,
    keys: KeyHistory,
    redactions: Redactions,
    tree: CompactRange,
    subjects: Subjects,
    absences: Absences,
    last_time: String,
    /// Once damaged, always damaged: whatever follows the first damage proves nothing.
    damage: Option<Damage>,
}

impl LogVerifier {
    /// Takes signed checkpoints, in any order, against which the log will be checked as it grows. Each is opened when the
    /// entries up to its size have been read, because they say who may sign it.
    ///
    /// Without a checkpoint the verification only shows that the log is consistent in itself.
    ///
    /// # Errors
    /// A checkpoint claims no size.
    pub fn new(trust: &Trust<'_>, checkpoints: &[&str]) -> Result<Self, Damage> {
        let mut verifier = Self {
            checkpoints: Checkpoints::new(trust),
            keys: KeyHistory::new(),
            redactions: trust.redactions,
            tree: CompactRange::new(),
            subjects: Subjects::default(),
            absences: Absences::default(),
            last_time: String::new(),
            damage: None,
        };
        for note in checkpoints {
            verifier.expect(note)?;
        }
        Ok(verifier)
    }

    /// Takes one more checkpoint, before its size is reached: so a caller with many need not hold all of them at once.
    ///
    /// # Errors
    /// It claims no size, or one that has been passed.
    pub fn expect(&mut self, note: &str) -> Result<(), Damage> {
        let taken = self.checkpoints.expect(note, self.tree.size());
        taken.map_err(|damage| self.damage.insert(damage).clone())
    }

    /// Checks the next row and returns its entry, so that the caller can replay it without reading it again.
    ///
    /// # Errors
    /// The first damage; every later call returns it again.
    pub fn push<'r>(&mut self, row: &Row<'r>) -> Result<EntryView<'r>, Damage> {
        if let Some(damage) = &self.damage {
            return Err(damage.clone());
        }
        let index = self.tree.size();
        let checked = self.check_row(row).map_err(|what| Damage { index, what });
        let checked = checked.and_then(|entry| {
            self.checkpoints.reach(&self.tree, &self.keys)?;
            Ok(entry)
        });
        checked.map_err(|damage| self.damage.insert(damage).clone())
    }

    /// Takes note that the entry pushed last says that the details of these entries were deleted.
    ///
    /// # Errors
    /// It names an entry that does not come before it, or one whose details are there; every later call returns it again.
    pub fn redacted(&mut self, entries: impl IntoIterator<Item = u64>) -> Result<(), Damage> {
        if let Some(damage) = &self.damage {
            return Err(damage.clone());
        }
        let by = self.tree.size().saturating_sub(1);
        for index in entries {
            let (index, fault) = if index >= by {
                (by, DetailsFault::Foretold { index })
            } else {
                let Err(fault) = self.absences.explain(index, by) else { continue };
                (index, fault)
            };
            return Err(self.damage.insert(Damage { index, what: DamageKind::Details(fault) }).clone());
        }
        Ok(())
    }

    /// How many entries were pushed.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Whether an entry pushed before lacks the details that its leaf commits to.
    #[must_use]
    pub fn lacks_details(&self, index: u64) -> bool {
        self.absences.contains(index)
    }

    /// The first entry that lacks its details without an entry that says why, so far.
    #[must_use]
    pub fn unexplained(&self) -> Option<u64> {
        self.absences.unexplained()
    }

    /// Ends the verification.
    ///
    /// # Errors
    /// The damage found before, the log is shorter than a signed checkpoint says, it is not a log of a trusted key, or
    /// details are missing without a word.
    pub fn finish(self) -> Result<Verified, Damage> {
        if let Some(damage) = self.damage {
            return Err(damage);
        }
        let signed_size = self.checkpoints.finish(&self.tree, &self.keys)?;
        // Only now: the word may have been in what was cut off.
        if let Some(index) = self.absences.unexplained() {
            return Err(Damage { index, what: DamageKind::Details(DetailsFault::Missing) });
        }
        Ok(Verified {
            size: self.tree.size(),
            root: self.tree.root(),
            signed_size,
            keys: self.keys,
            subjects: self.subjects.count(),
            redacted: self.absences.count(),
            last_time: Some(self.last_time).filter(|time| !time.is_empty()),
        })
    }

    fn check_row<'r>(&mut self, row: &Row<'r>) -> Result<EntryView<'r>, DamageKind> {
        self.check_index(row.stored_index)?;
        let hash = leaf_hash(row.leaf);
        if row.stored_leaf_hash.is_some_and(|stored| stored != hash) {
            return Err(DamageKind::LeafBytes(LeafFault::StoredHash));
        }
        let entry =
            EntryView::parse(row.leaf).map_err(|error| DamageKind::LeafBytes(LeafFault::Malformed(error)))?;
        self.check_index(entry.index)?;
        if entry.time < self.last_time.as_str() {
            return Err(DamageKind::Time);
        }
        self.subjects
            .take(entry.subject, entry.subject_seq)
            .map_err(|expected| DamageKind::SubjectGap { expected, found: entry.subject_seq })?;
        self.check_details(&entry, row.details)?;
        self.last_time.clear();
        self.last_time.push_str(entry.time);
        self.keys.follow(&entry).map_err(DamageKind::Key)?;
        self.checkpoints.check_handover(&self.keys, entry.index).map_err(DamageKind::Key)?;
        self.tree.push(hash);
        Ok(entry)
    }

    fn check_index(&self, found: u64) -> Result<(), DamageKind> {
        let expected = self.tree.size();
        if found == expected { Ok(()) } else { Err(DamageKind::IndexGap { expected, found }) }
    }

    fn check_details(&mut self, entry: &EntryView<'_>, details: StoredDetails<'_>) -> Result<(), DamageKind> {
        let fault = match (entry.details_sha256, details) {
            (None, StoredDetails::Absent) => return Ok(()),
            (None, StoredDetails::Present { .. }) => DetailsFault::Unnamed,
            (Some(_), StoredDetails::Absent) if self.redactions == Redactions::Explained => {
                self.absences.note(entry.index);
                return Ok(());
            }
            (Some(_), StoredDetails::Absent) => DetailsFault::Missing,
            (Some(named), StoredDetails::Present { salt, body }) if commitment(salt, body) == named => {
                return Ok(());
            }
            (Some(_), StoredDetails::Present { .. }) => DetailsFault::Mismatch,
        };
        Err(DamageKind::Details(fault))
    }
}
