//! A log as a witness sees it: leaves, signed checkpoints and proofs, kept in memory and computed without the code under test's help.

use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::hash::{Hash, leaf_hash, node_hash};
use countersign_ledger::note::Ed25519Signer;
use countersign_ledger::proof::consistency_proof;
use countersign_ledger::tree::{CompactRange, Nodes};
use countersign_ledger::witness::AddCheckpoint;

pub(crate) const ORIGIN: &str = "example.com/log";

pub(crate) fn signer() -> Ed25519Signer {
    Ed25519Signer::from_seed(ORIGIN, [3; 32]).expect("a signer")
}

/// One history of the log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Vec<Hash>);

impl Log {
    /// So many entries, told apart from those of other histories by `word`.
    pub(crate) fn grow(mut self, size: usize, word: &str) -> Self {
        for index in self.0.len()..size {
            self.0.push(leaf_hash(format!("{word} {index}").as_bytes()));
        }
        self
    }

    pub(crate) fn size(&self) -> u64 {
        self.0.len().try_into().expect("a size")
    }

    pub(crate) fn note(&self) -> String {
        let mut tree = CompactRange::new();
        self.0.iter().for_each(|hash| tree.push(*hash));
        let root = tree.root();
        let checkpoint =
            Checkpoint { origin: ORIGIN.into(), size: self.size(), root, extensions: Vec::new() };
        checkpoint.sign(&[&signer()]).expect("a note")
    }

    /// What to ask a witness that cosigned `old` entries last.
    pub(crate) fn request(&self, old: u64) -> AddCheckpoint {
        let proof = if (1..self.size()).contains(&old) {
            consistency_proof(self, old, self.size()).expect("a proof")
        } else {
            Vec::new()
        };
        AddCheckpoint { old_size: old, proof, checkpoint: self.note() }
    }
}

impl Nodes for Log {
    type Error = String;

    fn node(&self, level: u8, index: u64) -> Result<Hash, String> {
        let (width, index) = (1_usize << level, usize::try_from(index).expect("small"));
        let mut hashes = self.0[index * width..(index + 1) * width].to_vec();
        while hashes.len() > 1 {
            hashes = hashes.chunks(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
        }
        Ok(hashes[0])
    }
}
