//! Collects evidence bundles from a stored log. What a bundle is and how it is checked is in `countersign_evidence`; nothing is appended.
//!
//! Everything comes from one reader and lies below one signed checkpoint, so a log that grows meanwhile makes no difference.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::id::CorrelationId;
use countersign_core::{Event, Fact, Subject};
use countersign_evidence::bundle::{self, Bundle, Completeness};
use countersign_evidence::closure::Closure;
use countersign_evidence::report;
use countersign_evidence::scope::{Resources, Scope};
use countersign_ledger::hash::Hash;
use countersign_ledger::proof::{ProofError, batch_proof};

use crate::engine::{census, codec};
use crate::store::{Reader, StoreError, StoredCheckpoint, StoredEntry, Tree};

/// Entries read at once.
const CHUNK: usize = 2_048;

/// Most entries a scope may ask for: beyond it the file would be too large to open anywhere.
pub const MOST: usize = 100_000;

/// How many leaves are added to show that nothing was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Up to this size of the log all of its leaves: then nobody needs to believe anything.
    pub whole: u64,
    /// In a larger log at most this many since its last census.
    pub since_census: u64,
}

/// About 7 MiB of leaves in a log too small for a census, and at most 28 MiB in any other.
impl Default for Limits {
    fn default() -> Self {
        Self { whole: 10_000, since_census: 40_000 }
    }
}

/// Entries before the latest checkpoint among which one that witnesses cosigned is looked for; they are asked all the time.
const RECENT: u64 = 5_000;

/// Entries after a permit's or rotation's in which an incident about it stands, if there is one: it is of the same decision.
const DECISION: usize = 8;

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Nothing matches: an empty bundle would prove nothing.
    #[error("no entry below the checkpoint matches: {0}")]
    Nothing(String),
    /// Too much matches.
    #[error("more than {MOST} entries match: narrow the scope, for instance by time")]
    TooMuch,
    /// Nothing was signed yet, or not yet the redaction of some of the details.
    #[error("the log has no signed checkpoint of this yet")]
    Unsigned,
    /// The store does not answer or contradicts itself.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The correlation of a subject's first entry: what `case` means.
///
/// # Errors
/// The store does not answer or contradicts itself.
pub fn correlation_of(
    reader: &mut dyn Reader,
    subject: &Subject,
) -> Result<Option<CorrelationId>, StoreError> {
    let first = reader.entries_of(&subject.to_string(), 0, 1)?;
    let decoded = first.first().map(|entry| codec::decode(entry.index, &entry.leaf, reader)).transpose()?;
    Ok(decoded.map(|decoded| decoded.event.correlation))
}

/// Collects the bundle of a scope, against the newest checkpoint that witnesses cosigned, or else the latest one.
///
/// # Errors
/// Nothing or too much matches, nothing was signed, or the store fails.
pub fn collect(reader: &mut dyn Reader, scope: &Scope, limits: Limits) -> Result<Bundle, ExportError> {
    let latest = reader.latest_checkpoint()?.ok_or(ExportError::Unsigned)?;
    let (selected, last) = Collection::new(&mut *reader, latest.size).select(scope)?;
    if selected.is_empty() {
        return Err(ExportError::Nothing(scope.to_string()));
    }
    let cosigned = cosigned_after(reader, (last, latest.size))?;
    for signed in cosigned.into_iter().chain([latest]) {
        let mut collection = Collection::new(&mut *reader, signed.size);
        collection.follow(selected.clone())?;
        // A redaction that this checkpoint does not vouch for would look like lost details.
        if collection.redacted_by.is_none_or(|by| by < signed.size) {
            return collection.bundle((scope, limits), signed.note);
        }
    }
    Err(ExportError::Unsigned)
}

/// A bundle in the making.
struct Collection<'a> {
    reader: &'a mut dyn Reader,
    /// The checkpoint's size: nothing from there on is looked at.
    size: u64,
    /// The subjects of the scope and all they rest on.
    subjects: BTreeSet<Subject>,
    chosen: BTreeMap<u64, bundle::Entry>,
    policies: BTreeMap<Hash, String>,
    /// The last entry that redacted details of what was chosen.
    redacted_by: Option<u64>,
}

impl<'a> Collection<'a> {
    fn new(reader: &'a mut dyn Reader, size: u64) -> Self {
        let (subjects, chosen, policies) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
        Self { reader, size, subjects, chosen, policies, redacted_by: None }
    }

    /// Adds what shows completeness, and the proof of everything.
    fn bundle(
        mut self,
        (scope, limits): (&Scope, Limits),
        checkpoint: String,
    ) -> Result<Bundle, ExportError> {
        let completeness = self.complete(limits)?;
        let Self { reader, size, chosen, policies, .. } = self;
        let indices: Vec<u64> = chosen.keys().copied().collect();
        let proof = batch_proof(&Tree::over(reader), &indices, size).map_err(|error| match error {
            ProofError::Nodes(error) => error,
            impossible => StoreError::Corrupt(impossible.to_string()),
        })?;
        Ok(Bundle {
            countersign_evidence: bundle::VERSION,
            generator: report::generator(),
            scope: scope.clone(),
            checkpoint,
            completeness,
            policies,
            entries: chosen.into_values().collect(),
            proof,
        })
    }

    /// The subjects of the entries that the scope asks for, and the index of the last of them.
    fn select(&mut self, scope: &Scope) -> Result<(BTreeSet<Subject>, u64), ExportError> {
        let mut resources = Resources::default();
        let (mut subjects, mut count, mut last) = (BTreeSet::new(), 0, 0);
        let mut one = |index: u64, event: &Event| {
            resources.see(event);
            if scope.holds(event, &resources) {
                subjects.insert(event.fact.subject());
                count += 1;
                last = index;
            }
            if count > MOST { Err(ExportError::TooMuch) } else { Ok(()) }
        };
        if let Some(subject) = &scope.subject {
            self.about(subject, &mut |entry, event| one(entry.index, event))?;
        } else {
            let mut entries = self.below(0)?;
            while let Some(last) = entries.last() {
                let next = last.index + 1;
                for entry in &entries {
                    one(entry.index, &codec::decode(entry.index, &entry.leaf, self.reader)?.event)?;
                }
                entries = self.below(next)?;
            }
        }
        Ok((subjects, last))
    }

    /// Chooses all entries of these subjects and of all they rest on.
    fn follow(&mut self, subjects: BTreeSet<Subject>) -> Result<(), ExportError> {
        let mut closure = Closure::of(subjects);
        while let Some(subject) = closure.take() {
            let mut found = Vec::new();
            self.about(&subject, &mut |entry, event| {
                closure.see(event);
                found.push((entry, event.clone()));
                Ok(())
            })?;
            for (entry, event) in found {
                if may_open_an_incident(&event.fact) {
                    self.incidents(entry.index, &subject)?;
                }
                self.keep_policy(&event)?;
                self.choose_whole(&entry)?;
            }
        }
        self.subjects.append(&mut closure.subjects());
        Ok(())
    }

    /// Chooses the incidents about a subject that were opened in one decision with this entry.
    fn incidents(&mut self, index: u64, about: &Subject) -> Result<(), ExportError> {
        for entry in self.reader.entries(index + 1, DECISION)? {
            if entry.index >= self.size {
                break;
            }
            let event = codec::decode(entry.index, &entry.leaf, self.reader)?.event;
            if matches!(&event.fact, Fact::IncidentOpened(_, opened) if opened.about == *about) {
                self.subjects.insert(event.fact.subject());
                self.choose_whole(&entry)?;
            }
        }
        Ok(())
    }

    /// Adds the leaves that show that nothing was left out: all of them, or those since a census.
    fn complete(&mut self, limits: Limits) -> Result<Completeness, ExportError> {
        if self.size <= limits.whole {
            self.choose_from(0)?;
            return Ok(Completeness::EveryLeaf);
        }
        let Some(size) = self.last_census()?.filter(|size| self.size - size <= limits.since_census) else {
            let why = format!(
                "The log has {} entries and no census of nearly as many; showing that nothing was left out would take more than {} further leaves.",
                self.size, limits.since_census
            );
            return Ok(Completeness::NotShown { why });
        };
        self.choose_from(size)?;
        let subjects = self.subjects.iter().map(Subject::to_string).collect();
        let (_, answers) = census::proofs(self.reader, size, subjects)?;
        Ok(Completeness::Census { size, answers })
    }

    /// The size of the last census that the checkpoint vouches for.
    fn last_census(&mut self) -> Result<Option<u64>, ExportError> {
        let mut last = None;
        self.about(&Subject::Log, &mut |_, event| {
            if let Fact::LogCensusTaken(_, taken) = &event.fact {
                last = Some(taken.size);
            }
            Ok(())
        })?;
        Ok(last)
    }

    /// Chooses every leaf from an index on; details only where they were chosen before.
    fn choose_from(&mut self, start: u64) -> Result<(), ExportError> {
        let mut entries = self.below(start)?;
        while let Some(last) = entries.last() {
            let next = last.index + 1;
            for entry in &entries {
                if !self.chosen.contains_key(&entry.index) {
                    let event = codec::decode(entry.index, &entry.leaf, self.reader)?.event;
                    self.keep_policy(&event)?;
                    match &event.fact {
                        Fact::IncidentOpened(_, opened) if self.subjects.contains(&opened.about) => {
                            self.subjects.insert(event.fact.subject());
                            self.choose_whole(entry)?;
                        }
                        _ => self.choose(entry, None)?,
                    }
                }
            }
            entries = self.below(next)?;
        }
        Ok(())
    }

    /// The next entries from an index on, below the checkpoint.
    fn below(&mut self, from: u64) -> Result<Vec<StoredEntry>, StoreError> {
        let left = usize::try_from(self.size.saturating_sub(from)).unwrap_or(CHUNK);
        self.reader.entries(from, left.min(CHUNK))
    }

    /// Every entry about a subject below the checkpoint, in order.
    fn about(
        &mut self,
        subject: &Subject,
        one: &mut dyn FnMut(StoredEntry, &Event) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        let (name, mut after) = (subject.to_string(), 0);
        loop {
            let entries = self.reader.entries_of(&name, after, CHUNK)?;
            if entries.is_empty() {
                return Ok(());
            }
            for entry in entries {
                if entry.index >= self.size {
                    return Ok(());
                }
                let decoded = codec::decode(entry.index, &entry.leaf, self.reader)?;
                after = decoded.subject_seq;
                one(entry, &decoded.event)?;
            }
        }
    }

    /// Chooses an entry with its details, unless they were redacted.
    fn choose_whole(&mut self, entry: &StoredEntry) -> Result<(), StoreError> {
        let details = self.reader.details(entry.index)?;
        if details.is_none() {
            let redactions = self.reader.redactions_in(entry.index..entry.index.saturating_add(1))?;
            let by = redactions.first().map(|redaction| redaction.by);
            self.redacted_by = self.redacted_by.max(by);
        }
        let details = details.map(|details| details_of(entry, details)).transpose()?;
        self.choose(entry, details)
    }

    fn choose(&mut self, entry: &StoredEntry, details: Option<bundle::Details>) -> Result<(), StoreError> {
        let leaf = text(entry.index, entry.leaf.clone())?;
        self.chosen.insert(entry.index, bundle::Entry { leaf, leaf_hash: entry.leaf_hash, details });
        Ok(())
    }

    fn keep_policy(&mut self, event: &Event) -> Result<(), StoreError> {
        let Fact::PolicyActivated(_, activated) = &event.fact else { return Ok(()) };
        let digest = Hash(activated.policy_sha256.0);
        // It was resolved a moment ago.
        let blob = self.reader.blob(&digest)?.unwrap_or_default();
        let blob = String::from_utf8(blob)
            .map_err(|_| StoreError::Corrupt(format!("the policy `{digest}` is not text")))?;
        self.policies.insert(digest, blob);
        Ok(())
    }
}

/// The newest checkpoint that vouches for the entry and was cosigned: it says more than a newer one that only the log signed.
fn cosigned_after(
    reader: &mut dyn Reader,
    (index, size): (u64, u64),
) -> Result<Option<StoredCheckpoint>, StoreError> {
    let recent = reader.checkpoints(index.max(size.saturating_sub(RECENT)), usize::MAX)?;
    Ok(recent.into_iter().rev().find(|checkpoint| checkpoint.size <= size && is_cosigned(&checkpoint.note)))
}

/// Whether somebody besides the log signed.
fn is_cosigned(note: &str) -> bool {
    note.rsplit_once("\n\n").is_some_and(|(_, signatures)| signatures.lines().count() > 1)
}

/// Whether an incident about the subject may stand right after the entry.
fn may_open_an_incident(fact: &Fact) -> bool {
    matches!(fact, Fact::PermitUnknown(..) | Fact::RotationTaskFailed(..) | Fact::RotationTurnedBack(..))
}

fn details_of(entry: &StoredEntry, details: crate::store::Details) -> Result<bundle::Details, StoreError> {
    Ok(bundle::Details { salt: Hash(details.salt), body: text(entry.index, details.body)? })
}

fn text(index: u64, bytes: Vec<u8>) -> Result<String, StoreError> {
    String::from_utf8(bytes).map_err(|_| StoreError::Corrupt(format!("entry {index} is not text")))
}
