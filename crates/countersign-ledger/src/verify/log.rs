//! The streaming verifier: rows in, the first damage or the proven head out.

use alloc::collections::VecDeque;
use alloc::string::String;

use super::subjects::Subjects;
use super::{Damage, DamageKind, DetailsFault, LeafFault};
use crate::checkpoint::Checkpoint;
use crate::details::{Salt, commitment};
use crate::entry::EntryView;
use crate::hash::{Hash, leaf_hash};
use crate::note::VerifierKey;
use crate::tree::CompactRange;

/// What the verification may take for granted; it has to come from outside the log.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    /// The log's origin line.
    pub origin: &'a str,
    /// The keys that sign its checkpoints.
    pub keys: &'a [VerifierKey],
    /// Whether missing details can be legitimate.
    pub redactions: Redactions,
}

/// Whether details a leaf commits to may be absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redactions {
    /// Nothing was ever redacted: absent details are damage.
    None,
    /// Absent details are accepted; the caller checks that a redaction entry explains each.
    MayExist,
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
    /// How many of them a signed checkpoint vouches for; entries from here on could still be replaced.
    pub signed_size: u64,
    /// The number of subjects.
    pub subjects: usize,
    /// The time of the last entry, if there is one.
    pub last_time: Option<String>,
}

/// Verifies one log. Rows are pushed in the order in which they are stored.
#[derive(Debug)]
pub struct LogVerifier {
    /// Not reached yet, smallest first.
    pending: VecDeque<Checkpoint>,
    redactions: Redactions,
    tree: CompactRange,
    signed_size: u64,
    subjects: Subjects,
    last_time: String,
    /// Once damaged, always damaged: whatever follows the first damage proves nothing.
    damage: Option<Damage>,
}

impl LogVerifier {
    /// Opens the signed checkpoints, in any order, against which the log will be checked as it grows.
    ///
    /// Without a checkpoint the verification only shows that the log is consistent in itself.
    ///
    /// # Errors
    /// A checkpoint is not validly signed by a trusted key, is of another log, or contradicts the empty tree.
    pub fn new(trust: &Trust<'_>, checkpoints: &[&str]) -> Result<Self, Damage> {
        let mut pending = VecDeque::new();
        for note in checkpoints {
            let checkpoint = Checkpoint::open(note, trust.keys).map_err(|error| Damage {
                index: claimed_size(note),
                what: DamageKind::CheckpointSignature(error),
            })?;
            if checkpoint.origin != trust.origin {
                return Err(Damage { index: checkpoint.size, what: DamageKind::CheckpointOrigin });
            }
            pending.push_back(checkpoint);
        }
        pending.make_contiguous().sort_by_key(|checkpoint| checkpoint.size);
        let mut verifier = Self {
            pending,
            redactions: trust.redactions,
            tree: CompactRange::new(),
            signed_size: 0,
            subjects: Subjects::default(),
            last_time: String::new(),
            damage: None,
        };
        verifier.check_root().map_err(|what| Damage { index: 0, what })?;
        Ok(verifier)
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
        self.check_row(row).map_err(|what| {
            // A wrong root accuses every entry since the last checkpoint that held.
            let index = if matches!(what, DamageKind::Root { .. }) { self.signed_size } else { index };
            self.damage.insert(Damage { index, what }).clone()
        })
    }

    /// Ends the verification.
    ///
    /// # Errors
    /// The damage found before, or the log is shorter than a signed checkpoint says.
    pub fn finish(self) -> Result<Verified, Damage> {
        if let Some(damage) = self.damage {
            return Err(damage);
        }
        if let Some(checkpoint) = self.pending.back() {
            let what = DamageKind::Truncated { size: checkpoint.size };
            return Err(Damage { index: self.tree.size(), what });
        }
        Ok(Verified {
            size: self.tree.size(),
            root: self.tree.root(),
            signed_size: self.signed_size,
            subjects: self.subjects.count(),
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
        self.tree.push(hash);
        self.check_root()?;
        Ok(entry)
    }

    fn check_index(&self, found: u64) -> Result<(), DamageKind> {
        let expected = self.tree.size();
        if found == expected { Ok(()) } else { Err(DamageKind::IndexGap { expected, found }) }
    }

    fn check_details(&self, entry: &EntryView<'_>, details: StoredDetails<'_>) -> Result<(), DamageKind> {
        let fault = match (entry.details_sha256, details) {
            (None, StoredDetails::Absent) => return Ok(()),
            (None, StoredDetails::Present { .. }) => DetailsFault::Unnamed,
            (Some(_), StoredDetails::Absent) if self.redactions == Redactions::MayExist => return Ok(()),
            (Some(_), StoredDetails::Absent) => DetailsFault::Missing,
            (Some(named), StoredDetails::Present { salt, body }) if commitment(salt, body) == named => {
                return Ok(());
            }
            (Some(_), StoredDetails::Present { .. }) => DetailsFault::Mismatch,
        };
        Err(DamageKind::Details(fault))
    }

    /// Compares the root with every checkpoint of the present size.
    fn check_root(&mut self) -> Result<(), DamageKind> {
        let size = self.tree.size();
        while let Some(checkpoint) = self.pending.pop_front_if(|checkpoint| checkpoint.size == size) {
            if checkpoint.root != self.tree.root() {
                return Err(DamageKind::Root { size });
            }
            self.signed_size = size;
        }
        Ok(())
    }
}

/// The size a note claims on its second line, believed only for saying where the damage is.
fn claimed_size(note: &str) -> u64 {
    note.lines().nth(1).and_then(|line| line.parse().ok()).unwrap_or(0)
}
