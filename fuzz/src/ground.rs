//! The ground the targets stand on: one log with its key, a few witnesses, and everything that was ever signed.

use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::hash::{Hash, leaf_hash};
use countersign_ledger::note::{Cosigner, Ed25519Signer, VerifierKey};
use countersign_ledger::tree::{CompactRange, Nodes};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The log's origin and the name of its key.
pub(crate) const ORIGIN: &str = "example.com/log";

/// When the witnesses cosigned.
const TIME: u64 = 1_700_000_000;

/// The log's key.
pub(crate) fn log() -> Ed25519Signer {
    Ed25519Signer::from_seed(ORIGIN, [1; 32]).unwrap()
}

/// A witness.
pub(crate) fn witness(number: u8) -> Cosigner {
    Cosigner::from_seed(&format!("witness.example/w{number}"), [100 + number; 32]).unwrap()
}

/// The keys everybody here trusts.
pub(crate) static LOG_KEYS: LazyLock<[VerifierKey; 1]> = LazyLock::new(|| [log().verifier()]);
pub(crate) static WITNESS_KEYS: LazyLock<[VerifierKey; 2]> =
    LazyLock::new(|| [witness(1).verifier(), witness(2).verifier()]);

/// The one tree whose checkpoints the log signs.
pub(crate) struct Tree {
    nodes: BTreeMap<(u8, u64), Hash>,
    roots: Vec<Hash>,
}

/// How many leaves it has.
pub(crate) const SIZE: u64 = 70;

pub(crate) static TREE: LazyLock<Tree> = LazyLock::new(|| {
    let mut range = CompactRange::new();
    let (mut nodes, mut roots) = (BTreeMap::new(), vec![range.root()]);
    for number in 0..SIZE {
        range.push_with(leaf_hash(&leaf(number)), |level, index, hash| {
            nodes.insert((level, index), hash);
        });
        roots.push(range.root());
    }
    Tree { nodes, roots }
});

/// The bytes of a leaf of the tree.
pub(crate) fn leaf(number: u64) -> Vec<u8> {
    number.to_le_bytes().to_vec()
}

impl Tree {
    /// The root over the first leaves, as long as there are so many.
    pub(crate) fn root(&self, size: u64) -> Option<Hash> {
        self.roots.get(usize::try_from(size).ok()?).copied()
    }
}

impl Nodes for Tree {
    type Error = &'static str;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error> {
        self.nodes.get(&(level, index)).copied().ok_or("not a perfect subtree")
    }
}

/// The tree's checkpoint, as the log signs it.
pub(crate) fn checkpoint(size: u64) -> Checkpoint {
    let root = TREE.root(size).unwrap();
    Checkpoint { origin: ORIGIN.into(), size, root, extensions: Vec::new() }
}

/// The tree's checkpoint, signed by the log and cosigned by its witnesses.
pub(crate) fn note(size: u64) -> String {
    let (first, second) = (witness(1), witness(2));
    checkpoint(size).sign(&[&log(), &first.at(TIME).unwrap(), &second.at(TIME).unwrap()]).unwrap()
}

/// One of these, for the targets that need no other.
pub(crate) static NOTE: LazyLock<String> = LazyLock::new(|| note(17));

/// Whether this is something the log signed. Whatever opens by its key and is not, was forged.
pub(crate) fn was_signed(checkpoint: &Checkpoint) -> bool {
    checkpoint.origin == ORIGIN
        && checkpoint.extensions.is_empty()
        && TREE.root(checkpoint.size) == Some(checkpoint.root)
}

/// Bytes as text; targets of text formats have nothing to say about other bytes.
pub(crate) fn text(input: &[u8]) -> Option<&str> {
    std::str::from_utf8(input).ok()
}

/// Documents as seeds.
pub(crate) fn bytes<const N: usize>(documents: [String; N]) -> Vec<Vec<u8>> {
    documents.map(String::into_bytes).to_vec()
}

/// Bytes of hexadecimal digits.
pub(crate) fn unhex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}
