//! The content of an evidence bundle, version 1, and its form as a file.
//!
//! Nothing in it is to be believed before it is [verified](crate::verify): every claim of the exporter (which entries matter, whether
//! anything was left out) is worked out anew from the leaves.

use std::collections::BTreeMap;

use countersign_ledger::census::Answer;
use countersign_ledger::hash::Hash;
use serde::{Deserialize, Serialize};

use crate::scope::Scope;

mod file;

pub(crate) use file::{BEGIN, END, print_case};
pub use file::{BundleError, MAX_BUNDLE, parse, print};

/// The version of the format that is written here.
pub const VERSION: u32 = 1;

/// One self-contained file of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    /// The version of the format.
    pub countersign_evidence: u32,
    /// What wrote it, for people.
    pub generator: String,
    /// Which entries it is about.
    pub scope: Scope,
    /// The signed checkpoint of the tree that all entries are in, a C2SP signed note, with whatever cosignatures it has.
    pub checkpoint: String,
    /// Whether something could have been left out.
    pub completeness: Completeness,
    /// The policies that entries refer to, by their SHA-256.
    pub policies: BTreeMap<Hash, String>,
    /// Entries in the order of the log: those in the scope, those they rest on, and those that show that nothing was left out.
    pub entries: Vec<Entry>,
    /// Proves that all entries are in the tree ([`countersign_ledger::proof::verify_batch`]).
    pub proof: Vec<Hash>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The leaf, exactly as it was hashed.
    pub leaf: String,
    /// Its leaf hash: it pins damage to an entry; the proof does not need it.
    pub leaf_hash: Hash,
    /// What is kept beside the leaf, if it is part of the bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
}

/// What is kept beside a leaf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Details {
    /// The salt of the commitment, 32 bytes.
    pub salt: Hash,
    /// The exact text.
    pub body: String,
}

/// What the exporter says about completeness; [`crate::verify`] checks it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "claim", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Completeness {
    /// Every leaf of the log is here.
    EveryLeaf,
    /// Every leaf from a census on is here, and the census counts the entries before it.
    Census {
        /// The size the census was taken at.
        size: u64,
        /// What it says of each subject that matters, with proof.
        answers: BTreeMap<String, Answer>,
    },
    /// Nothing is claimed.
    NotShown {
        /// Why.
        why: String,
    },
}
