//! Verifies a stored log as a whole: every row through the ledger's verifier, then what the store says beside the rows.
//!
//! It only reads, and its memory does not grow with the number of entries or checkpoints (it does with that of subjects and redactions).
//! What it shows and what it does not is said at [`countersign_ledger::verify`]. Beyond that, the columns by which entries are found by subject are
//! compared with the leaves, and every census is counted again from those columns. The counting reads the database's index of them; that
//! the index agrees with its table is what `ledger fsck` checks. Every event is read and followed by the core's auditor, so what must never
//! be on record does not pass because it was hashed and signed.

use std::borrow::Cow;

use countersign_core::log::census::Taken;
use countersign_core::redaction::DetailsRedacted;
use countersign_core::{Auditor, Fact, Violation};
use countersign_evidence::votes::{self, VoteError};
use countersign_ledger::entry::EntryView;
use countersign_ledger::keys::KeyHistory;
use countersign_ledger::verify::{Damage, LogVerifier, Row, StoredDetails, Trust, Verified};

use crate::engine::{census, codec};
use crate::store::{Details, Reader, StoreError, StoredEntry};

/// Rows read at once.
const CHUNK: u64 = 2_048;

/// Checkpoints read at once.
const PAGE: usize = 1_024;

/// Kinds of events that say something about what is stored beside the leaves: the policy's blob, details that were deleted, and all
/// entries before a census.
const READ_HERE: [&str; 3] = ["policy.activated", "log.details_redacted", "log.census_taken"];

/// Why a log is not verified.
#[derive(Debug, thiserror::Error)]
pub enum VerificationError {
    /// An entry or a checkpoint is not what it should be.
    #[error(transparent)]
    Damage(#[from] Damage),
    /// The policy an entry puts in force is missing or altered, or the entry cannot be read by this version.
    #[error("entry {index}: {what}")]
    Entry {
        /// The entry.
        index: u64,
        /// What is wrong with it.
        what: String,
    },
    /// An entry is found under another subject or number than its leaf says.
    #[error("entry {index}: it is stored as entry {stored_seq} of `{stored}`, but the leaf says another")]
    Subject {
        /// The entry.
        index: u64,
        /// The subject beside the leaf.
        stored: String,
        /// The number beside the leaf.
        stored_seq: u32,
    },
    /// A vote's signature does not hold, or a voting key is not what is said of it.
    #[error("entry {index}: {vote}")]
    Vote {
        /// The entry.
        index: u64,
        /// What is wrong with it.
        vote: VoteError,
    },
    /// A census does not count the entries that are there.
    #[error("entry {index}: the census is wrong: {what}")]
    Census {
        /// The census's entry.
        index: u64,
        /// How it is wrong.
        what: String,
    },
    /// An entry is genuine, but must never be on record.
    #[error("entry {index}: {violation}")]
    Meaning {
        /// The entry at which it is noticed.
        index: u64,
        /// What is wrong.
        violation: Violation,
    },
    /// The store's own head contradicts the entries.
    #[error("the stored head has {stored} entries, the log has {found}, or another root")]
    Head {
        /// Entries according to the head.
        stored: u64,
        /// Entries found.
        found: u64,
    },
    /// There is no entry: nothing was shown.
    #[error("the log is empty")]
    Empty,
    /// Nothing in the log was ever signed: nothing was shown.
    #[error("the log has no signed checkpoint")]
    Unsigned,
    /// The trusted key is one of the log's, but nothing was signed by it or by a key it handed over to: nothing was shown.
    #[error("the trusted key has not signed a checkpoint of this log yet, nor has a key that followed it")]
    NotYetSigned,
    /// The store does not answer or contradicts itself.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl VerificationError {
    /// The first bad entry, where there is one.
    #[must_use]
    pub fn index(&self) -> Option<u64> {
        match self {
            Self::Damage(damage) => Some(damage.index),
            Self::Entry { index, .. }
            | Self::Subject { index, .. }
            | Self::Vote { index, .. }
            | Self::Census { index, .. }
            | Self::Meaning { index, .. } => Some(*index),
            _ => None,
        }
    }

    /// What is wrong, as a stable word; that of the meaning is `meaning_` and the violation's.
    #[must_use]
    pub fn code(&self) -> Cow<'static, str> {
        if let Self::Meaning { violation, .. } = self {
            return format!("meaning_{}", violation.code()).into();
        }
        Cow::Borrowed(self.word())
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Meaning { .. } => "meaning",
            Self::Damage(damage) => damage.what.code(),
            Self::Entry { .. } => "entry",
            Self::Subject { .. } => "subject_column",
            Self::Vote { .. } => "vote",
            Self::Census { .. } => "census",
            Self::Head { .. } => "head",
            Self::Empty => "empty",
            Self::Unsigned | Self::NotYetSigned => "unsigned",
            Self::Store(StoreError::Corrupt(_)) => "store_corrupt",
            Self::Store(_) => "store_unavailable",
        }
    }
}

/// Verifies the whole log, bytes and meaning; `progress` is told how many entries are done.
///
/// # Errors
/// The first damage or violation, or that nothing could be shown.
pub fn verify(
    reader: &mut dyn Reader,
    trust: &Trust<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<Verified, VerificationError> {
    walk(reader, (trust, Some(Auditor::default())), progress)
}

/// Verifies the whole log but for what it means: that nothing was changed, not that it was allowed. For comparison, and to look at a log
/// whose meaning is known to be wrong.
///
/// # Errors
/// The first damage, or that nothing could be shown.
pub fn verify_bytes(
    reader: &mut dyn Reader,
    trust: &Trust<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<Verified, VerificationError> {
    walk(reader, (trust, None), progress)
}

fn walk(
    reader: &mut dyn Reader,
    (trust, auditor): (&Trust<'_>, Option<Auditor>),
    progress: &mut dyn FnMut(u64),
) -> Result<Verified, VerificationError> {
    // Checkpoints before the head: on a log that grows meanwhile, none then vouches for more than the head holds, and one that
    // does shows that the end was cut off.
    let newest = reader.latest_checkpoint()?;
    let mut head = reader.head()?;
    if head.size() == 0 {
        return Err(VerificationError::Empty);
    }
    let newest = newest.ok_or(VerificationError::Unsigned)?.size;
    let checkpoints = Checkpoints { after: None, newest };
    let verifier = LogVerifier::new(trust, &[])?;
    let mut walk =
        Walk { reader, verifier, checkpoints, auditor, next: 0, begun_at: head.size(), counted: 0 };
    walk.to(head.size(), progress)?;
    // A running server appends meanwhile. What came after the head was read is left for another time, unless details were deleted
    // before we came to them: then the entry that says so is there by now, and must be before the next head.
    let mut settled = 0;
    while walk.verifier.unexplained().is_some_and(|index| index >= settled) {
        settled = head.size();
        head = walk.reader.head()?;
        walk.to(head.size(), progress)?;
    }
    if let Some(auditor) = &walk.auditor {
        let meaning =
            |violation| VerificationError::Meaning { index: walk.next.saturating_sub(1), violation };
        auditor.finish().map_err(meaning)?;
    }
    walk.checkpoints.expect(walk.reader, &mut walk.verifier, u64::MAX)?;
    let verified = walk.verifier.finish()?;
    if verified.signed_size == 0 && !trust.keys.is_empty() {
        return Err(VerificationError::NotYetSigned);
    }
    if verified.size != head.size() || verified.root != head.tree.root() {
        return Err(VerificationError::Head { stored: head.size(), found: verified.size });
    }
    Ok(verified)
}

/// The keys of a stored log, each link verified from the entries that name it.
///
/// # Errors
/// The store does not answer, or an entry claims to name a key and may not.
pub fn key_history(reader: &mut dyn Reader) -> Result<KeyHistory, StoreError> {
    let (mut keys, mut after) = (KeyHistory::new(), 0);
    loop {
        let page = reader.entries_of("log", after, PAGE)?;
        let Some(last) = page.last() else { return Ok(keys) };
        after = last.subject_seq;
        for entry in &page {
            crate::engine::follow_keys(&mut keys, entry.index, &entry.leaf)?;
        }
    }
}

/// The stored checkpoints, read as the log is, so that memory need not hold all of them.
struct Checkpoints {
    /// The size of the last one handed over.
    after: Option<u64>,
    /// The size of the newest when the verification began; later ones are left for another time.
    newest: u64,
}

impl Checkpoints {
    /// Hands over what is signed up to this size, and the first one beyond it, if any.
    fn expect(
        &mut self,
        reader: &mut dyn Reader,
        verifier: &mut LogVerifier,
        size: u64,
    ) -> Result<(), VerificationError> {
        while self.after.is_none_or(|after| after < size.min(self.newest)) {
            let page = reader.checkpoints(self.after.unwrap_or(0), PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            self.after = Some(last.size);
            for checkpoint in page.iter().filter(|checkpoint| checkpoint.size <= self.newest) {
                verifier.expect(&checkpoint.note)?;
            }
        }
        Ok(())
    }
}

/// A log on its way through the verifier.
struct Walk<'r> {
    reader: &'r mut dyn Reader,
    verifier: LogVerifier,
    checkpoints: Checkpoints,
    /// Follows what the entries mean, unless that is left out.
    auditor: Option<Auditor>,
    next: u64,
    /// The log's size when the walk began.
    begun_at: u64,
    /// The size of the last census.
    counted: u64,
}

impl Walk<'_> {
    /// Goes on to where the log has this size.
    fn to(&mut self, size: u64, progress: &mut dyn FnMut(u64)) -> Result<(), VerificationError> {
        loop {
            let limit = CHUNK.min(size.saturating_sub(self.next));
            self.checkpoints.expect(self.reader, &mut self.verifier, self.next + limit)?;
            let entries = self.reader.entries(self.next, usize::try_from(limit).unwrap_or(usize::MAX))?;
            if entries.is_empty() {
                return Ok(());
            }
            self.chunk(&entries)?;
            self.next += u64::try_from(entries.len()).unwrap_or(u64::MAX);
            progress(self.next);
        }
    }

    fn chunk(&mut self, entries: &[StoredEntry]) -> Result<(), VerificationError> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(()) };
        let details = self.reader.details_in(first.index..last.index.saturating_add(1))?;
        let mut details = details.iter().peekable();
        for entry in entries {
            while details.next_if(|(index, _)| *index < entry.index).is_some() {}
            let beside = details.next_if(|(index, _)| *index == entry.index);
            let beside = beside.map_or(StoredDetails::Absent, |(_, Details { salt, body })| {
                StoredDetails::Present { salt, body }
            });
            let row = Row {
                stored_index: entry.index,
                leaf: &entry.leaf,
                stored_leaf_hash: Some(entry.leaf_hash),
                details: beside,
            };
            let view = self.verifier.push(&row)?;
            self.entry(entry, &view)?;
        }
        Ok(())
    }

    /// What the store says beside a leaf that was found good, and what the leaf says beyond itself.
    fn entry(&mut self, entry: &StoredEntry, view: &EntryView<'_>) -> Result<(), VerificationError> {
        let index = entry.index;
        if entry.subject != view.subject || entry.subject_seq != view.subject_seq {
            let (stored, stored_seq) = (entry.subject.clone(), entry.subject_seq);
            return Err(VerificationError::Subject { index, stored, stored_seq });
        }
        if self.auditor.is_none() && !READ_HERE.contains(&view.kind) {
            return Ok(());
        }
        let event = codec::event(view, self.reader);
        let event = event.map_err(|error| match error {
            StoreError::Corrupt(_) => VerificationError::Entry { index, what: error.to_string() },
            other => other.into(),
        })?;
        match &event.fact {
            Fact::LogCensusTaken(_, taken) => self.census(index, taken)?,
            Fact::LogDetailsRedacted(_, redacted) => self.redacted(redacted)?,
            _ => {}
        }
        votes::check(&event).map_err(|vote| VerificationError::Vote { index, vote })?;
        let followed = self.auditor.as_mut().map(|auditor| auditor.follow_numbered(&event, view.subject_seq));
        followed.unwrap_or(Ok(())).map_err(|violation| VerificationError::Meaning { index, violation })
    }

    /// Tells the verifier whose details an entry says were deleted.
    fn redacted(&mut self, redacted: &DetailsRedacted) -> Result<(), Damage> {
        // What was deleted since we began may have been there when we came to it.
        let since = self.verifier.size() > self.begun_at;
        let named = redacted.entries.iter().filter(|index| !since || self.verifier.lacks_details(*index));
        let named: Vec<u64> = named.collect();
        self.verifier.redacted(named)
    }

    /// Counts again.
    fn census(&mut self, index: u64, taken: &Taken) -> Result<(), VerificationError> {
        let fault = census_fault(self.reader, (index, self.counted), taken)?;
        self.counted = taken.size;
        fault.map_or(Ok(()), |what| Err(VerificationError::Census { index, what }))
    }
}

/// What is wrong with the census at `index`, the one before it being of `counted` entries. It counts again; all entries counted come before
/// the census itself.
pub(crate) fn census_fault(
    reader: &mut dyn Reader,
    (index, counted): (u64, u64),
    taken: &Taken,
) -> Result<Option<String>, StoreError> {
    let Taken { size, subjects, root_sha256 } = taken;
    if *size > index {
        return Ok(Some(format!("it counts {size} entries, but only {index} are before it")));
    }
    if *size <= counted {
        return Ok(Some(format!("it counts {size} entries, no more than the one before it")));
    }
    let found = census::count(reader, *size)?;
    if found.subjects == *subjects && found.root_sha256.0 == root_sha256.0 {
        return Ok(None);
    }
    let found = match found.subjects {
        same if same == *subjects => "they have other counts".to_owned(),
        others => format!("there are {others}"),
    };
    Ok(Some(format!("it says that the first {size} entries are about {subjects} subjects, but {found}")))
}
