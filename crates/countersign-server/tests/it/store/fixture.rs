//! Batches as the engine would write them, without an engine: right sizes, right tree, right sequences.

use std::collections::BTreeMap;

use countersign_ledger::hash::{Hash, leaf_hash, node_hash, sha256};
use countersign_server::store::{Batch, Details, Head, NewEntry, Reader, Redaction, StoredNode};

/// Writes batches that follow one another.
#[derive(Clone)]
pub(crate) struct Author {
    pub(crate) head: Head,
    last: BTreeMap<String, u32>,
}

impl Author {
    pub(crate) fn new() -> Self {
        Self { head: Head::empty(), last: BTreeMap::new() }
    }

    /// One entry of a subject of which there are `before`, on a log that stands at `head`.
    pub(crate) fn at(head: Head, subject: &str, before: u32) -> Batch {
        let last = BTreeMap::from([(subject.to_owned(), before)]);
        Self { head, last }.batch(&[subject])
    }

    /// One entry per named subject. The author believes it is appended.
    pub(crate) fn batch(&mut self, subjects: &[&str]) -> Batch {
        let expected_size = self.head.size();
        let mut nodes = Vec::new();
        let mut entries = Vec::new();
        for subject in subjects {
            let index = self.head.size();
            let subject_seq = self.next(subject);
            let leaf = format!(r#"{{"index":{index},"subject":"{subject}","subject_seq":{subject_seq}}}"#)
                .into_bytes();
            let hash = leaf_hash(&leaf);
            self.head.tree.push_with(hash, |level, index, hash| {
                if level > 0 && level % 8 == 0 {
                    nodes.push(StoredNode { level, index, hash });
                }
            });
            let details = index.is_multiple_of(2).then(|| details_of(index));
            entries.push(NewEntry {
                leaf,
                leaf_hash: hash,
                subject: (*subject).to_owned(),
                subject_seq,
                details,
            });
        }
        self.head.time_ms += 1;
        Batch {
            expected_size,
            entries,
            redactions: Vec::new(),
            nodes,
            head: self.head.clone(),
            records: Vec::new(),
            blobs: Vec::new(),
            idempotency: Vec::new(),
        }
    }

    /// One entry that deletes the details of others.
    pub(crate) fn redacting(&mut self, indices: &[u64]) -> Batch {
        let by = self.head.size();
        let redactions = indices.iter().map(|index| Redaction { index: *index, by }).collect();
        Batch { redactions, ..self.batch(&["log"]) }
    }

    fn next(&mut self, subject: &str) -> u32 {
        let last = self.last.entry(subject.to_owned()).or_default();
        *last += 1;
        *last
    }
}

/// Every entry with an even index has these.
pub(crate) fn details_of(index: u64) -> Details {
    Details {
        salt: sha256(&index.to_be_bytes()).0,
        body: format!(r#"{{"reason":"entry {index}"}}"#).into_bytes(),
    }
}

/// RFC 6962 by its definition: the root of a perfect subtree over these leaf hashes.
pub(crate) fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len() / 2);
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// Reads the whole log and checks that leaves, hashes, tree and head agree. Returns its size.
pub(crate) fn check_log(reader: &mut dyn Reader) -> Result<u64, String> {
    let head = reader.head().map_err(|error| error.to_string())?;
    let mut tree = Head::empty().tree;
    while tree.size() < head.size() {
        let page = reader.entries(tree.size(), 100).map_err(|error| error.to_string())?;
        if page.is_empty() {
            return Err(format!("the head says {}, the entries end at {}", head.size(), tree.size()));
        }
        for entry in page {
            if entry.index != tree.size() {
                return Err(format!("entry {} follows entry {}", entry.index, tree.size()));
            }
            if leaf_hash(&entry.leaf) != entry.leaf_hash {
                return Err(format!("entry {} does not have its hash", entry.index));
            }
            tree.push(entry.leaf_hash);
        }
    }
    let beyond = reader.entries(head.size(), 1).map_err(|error| error.to_string())?;
    if !beyond.is_empty() {
        return Err(format!("there are entries beyond the head at {}", head.size()));
    }
    if tree == head.tree {
        Ok(head.size())
    } else {
        Err("the head is not the tree of the entries".to_owned())
    }
}
