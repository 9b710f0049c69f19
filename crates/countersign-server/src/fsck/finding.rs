//! What is wrong with a store: where, what had to be there, what is, and whether it can be made again.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

/// Findings of one kind that are told one by one; more are only counted, so that a flood of one kind hides no other.
const TOLD: usize = 20;

macro_rules! kinds {
    ($($kind:ident = $code:literal, $nature:ident, $meaning:literal;)*) => {
        /// The kinds of findings, in the order in which they are told.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $(#[doc = $meaning] $kind,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// A stable word for machines.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Self::$kind => $code,)* }
            }

            /// Whether it is about evidence or about what is derived from it.
            #[must_use]
            pub fn nature(self) -> Nature {
                match self { $(Self::$kind => Nature::$nature,)* }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$kind => $meaning,)* }
            }
        }
    };
}

kinds! {
    Database = "database", Evidence, "SQLite itself finds the file damaged";
    Unreadable = "unreadable", Evidence, "a table cannot be read to its end";
    Head = "head", Evidence, "the stored head is not the tree of the entries";
    OutsideCheckpoint = "outside_checkpoint", Evidence, "the checkpoint kept outside the database is of more entries, or of another log";
    Truncated = "truncated", Evidence, "the log ends before the size of a signed checkpoint";
    Root = "root", Evidence, "the entries do not have the root that was signed";
    Checkpoint = "checkpoint", Evidence, "a stored checkpoint is malformed, of another log, or not signed by a trusted key";
    IndexGap = "index_gap", Evidence, "entries are missing";
    Index = "index", Evidence, "an entry is at another place than its leaf says";
    StrayEntry = "stray_entry", Evidence, "there is an entry outside the log";
    LeafBytes = "leaf_bytes", Evidence, "a leaf does not have the hash stored beside it";
    Entry = "entry", Evidence, "a leaf is not an entry this version can read";
    Time = "time", Evidence, "an entry is older than the one before it";
    SubjectColumn = "subject_column", Evidence, "an entry is found under another subject or number than its leaf says";
    SubjectGap = "subject_gap", Evidence, "an entry of a subject is missing, or its entries are out of order";
    Details = "details", Evidence, "details are not the ones the leaf commits to";
    StrayDetails = "stray_details", Evidence, "there are details without an entry";
    Blob = "blob", Evidence, "a blob is missing or is not what its name says";
    StrayBlob = "stray_blob", Evidence, "no entry refers to a blob";
    Key = "log_key", Evidence, "an entry names a key of the log that it may not name, or no pinned key is the log's";
    Census = "census", Evidence, "a census does not count the entries that are there";
    Idempotency = "idempotency", Evidence, "an answered request does not point at its entries";
    Node = "node", Derived, "a node of the tree is missing or is not that of the leaves below it";
    StrayNode = "stray_node", Derived, "there is a node whose leaves do not exist";
    Record = "record", Derived, "a record is missing or is not what the entries come to";
    StrayRecord = "stray_record", Derived, "there is a record without an entry";
    Snapshot = "snapshot", Derived, "the snapshot is not the state at its size";
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Nature {
    /// What happened, as it was written. Nothing here ever repairs it.
    Evidence,
    /// What follows from the evidence and can be made again.
    Derived,
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of thing.
    pub kind: Kind,
    /// Where: `entry 17`, `record approval apr_…`, `node 8/3`.
    pub place: String,
    /// What had to be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

/// Everything that was found, bounded.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    kinds: BTreeMap<Kind, (u64, Vec<Finding>)>,
    notes: Vec<String>,
}

impl Findings {
    #[expect(clippy::needless_pass_by_value, reason = "texts are made for the call")]
    pub(super) fn add(
        &mut self,
        kind: Kind,
        place: impl fmt::Display,
        what: (impl fmt::Display, impl fmt::Display),
    ) {
        let (count, told) = self.kinds.entry(kind).or_default();
        *count += 1;
        if told.len() < TOLD {
            let (expected, found) = (what.0.to_string(), what.1.to_string());
            told.push(Finding { kind, place: place.to_string(), expected, found });
        }
    }

    /// Something to know that is no finding: what was not checked, and why; what a finding turned out to be.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        if self.notes.len() < TOLD {
            self.notes.push(note.into());
        }
    }

    pub(super) fn take(self) -> (Vec<Counted>, Vec<Finding>, Vec<String>) {
        let counts = self.kinds.iter().map(|(kind, (count, _))| Counted {
            kind: *kind,
            nature: kind.nature(),
            meaning: kind.meaning(),
            count: *count,
        });
        let counts = counts.collect();
        let told = self.kinds.into_values().flat_map(|(_, told)| told).collect();
        (counts, told, self.notes)
    }
}

/// How many findings there are of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// The kind.
    pub kind: Kind,
    /// Whether it can be repaired.
    pub nature: Nature,
    /// What it means.
    pub meaning: &'static str,
    /// How many; at least 1.
    pub count: u64,
}
