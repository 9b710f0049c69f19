//! Builds a census from its rows, in order, and at the same time proofs about the subjects that are asked for. Memory does not grow with
//! the number of rows.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use super::paths::Paths;
use super::{Answer, Census, CensusError, Placed, Row};
use crate::hash::{Hash, leaf_hash};
use crate::proof::inclusion_proof;
use crate::tree::CompactRange;

/// Builds the tree of a census.
#[derive(Debug, Default)]
pub struct Builder {
    tree: CompactRange,
    last: String,
}

impl Builder {
    /// A census without rows.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next row.
    ///
    /// # Errors
    /// No census has such a row, or not after the one before.
    pub fn push(&mut self, row: &Row) -> Result<(), CensusError> {
        self.push_with(row, |_, _, _| ())
    }

    fn push_with(&mut self, row: &Row, completed: impl FnMut(u8, u64, Hash)) -> Result<(), CensusError> {
        let leaf = row.leaf()?;
        // No name is empty, so every first row stands after the empty text.
        if row.subject <= self.last {
            return Err(CensusError::Order);
        }
        self.last.clone_from(&row.subject);
        self.tree.push_with(leaf_hash(&leaf), completed);
        Ok(())
    }

    /// What is to be signed.
    #[must_use]
    pub fn finish(self) -> Census {
        Census { subjects: self.tree.size(), root_sha256: self.tree.root() }
    }
}

/// A row that was taken, and what stood to its left.
#[derive(Debug)]
struct Taken {
    rank: u64,
    row: Row,
    left: Vec<Hash>,
}

/// Where a subject is, or would be, by ranks.
#[derive(Debug)]
enum Found {
    Present(u64),
    Absent { before: Option<u64>, after: Option<u64> },
}

/// Builds the tree of a census and proofs about the subjects that are asked for, in one pass over the rows.
#[derive(Debug)]
pub struct Prover {
    builder: Builder,
    /// Not reached yet, ascending.
    wanted: VecDeque<String>,
    found: Vec<(String, Found)>,
    /// The rows that proofs are about.
    rows: BTreeMap<u64, Row>,
    paths: Paths,
    before: Option<Taken>,
}

impl Prover {
    /// Will answer for these subjects.
    #[must_use]
    pub fn new(wanted: BTreeSet<String>) -> Self {
        Self {
            builder: Builder::new(),
            wanted: wanted.into_iter().collect(),
            found: Vec::new(),
            rows: BTreeMap::new(),
            paths: Paths::default(),
            before: None,
        }
    }

    /// Takes the next row.
    ///
    /// # Errors
    /// No census has such a row, or not after the one before; the prover is of no more use then.
    pub fn push(&mut self, row: Row) -> Result<(), CensusError> {
        let tree = &self.builder.tree;
        let here = Taken { rank: tree.size(), left: tree.hashes().to_vec(), row };
        while let Some(subject) = self.wanted.pop_front_if(|subject| *subject <= here.row.subject) {
            self.keep(&here);
            let found = if subject == here.row.subject {
                Found::Present(here.rank)
            } else {
                Found::Absent { before: self.keep_before(), after: Some(here.rank) }
            };
            self.found.push((subject, found));
        }
        let paths = &mut self.paths;
        self.builder.push_with(&here.row, |level, index, hash| paths.completed(level, index, hash))?;
        self.before = Some(here);
        Ok(())
    }

    /// The census, and the answer for every subject asked for.
    ///
    /// # Errors
    /// A fault of this program.
    pub fn finish(mut self) -> Result<(Census, BTreeMap<String, Answer>), CensusError> {
        while let Some(subject) = self.wanted.pop_front() {
            let before = self.keep_before();
            self.found.push((subject, Found::Absent { before, after: None }));
        }
        self.paths.finish(&self.builder.tree);
        let mut answers = BTreeMap::new();
        for (subject, found) in core::mem::take(&mut self.found) {
            let answer = match found {
                Found::Present(rank) => Answer::Present(self.placed(rank)?),
                Found::Absent { before, after } => Answer::Absent {
                    before: before.map(|rank| self.placed(rank)).transpose()?,
                    after: after.map(|rank| self.placed(rank)).transpose()?,
                },
            };
            answers.insert(subject, answer);
        }
        Ok((self.builder.finish(), answers))
    }

    /// Proofs will be about this row, which is about to be pushed.
    fn keep(&mut self, here: &Taken) {
        if self.rows.insert(here.rank, here.row.clone()).is_none() {
            self.paths.follow(here.rank, &here.left);
        }
    }

    /// Proofs will be about the row that was pushed last: nothing to its right is complete yet.
    fn keep_before(&mut self) -> Option<u64> {
        let before = self.before.take()?;
        self.keep(&before);
        let rank = before.rank;
        self.before = Some(before);
        Some(rank)
    }

    fn placed(&self, rank: u64) -> Result<Placed, CensusError> {
        let row = self.rows.get(&rank).ok_or(CensusError::Incomplete)?.clone();
        let proof = inclusion_proof(&self.paths, rank, self.builder.tree.size());
        Ok(Placed { rank, row, proof: proof.map_err(|_| CensusError::Incomplete)? })
    }
}
