//! Evidence bundles: no bytes make the verifier panic, and what parses is printed to a file that parses to the same.

use std::sync::LazyLock;

use countersign_evidence::bundle::{self, Bundle, Completeness, Entry};
use countersign_evidence::scope::Scope;
use countersign_evidence::verify::{Trust, verify};
use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::hash::{leaf_hash, sha256};
use countersign_ledger::tree::CompactRange;

use crate::ground::{self, LOG_KEYS, ORIGIN, text};
use crate::leaves::{history, policy};

/// As many entries as bring the policy and the first people.
const SHORT: usize = 9;

/// What the log signs, whatever it is: these entries and no others.
fn signed(bundle: Bundle) -> Bundle {
    let mut tree = CompactRange::new();
    let entries: Vec<Entry> = bundle
        .entries
        .into_iter()
        .map(|entry| {
            let leaf_hash = leaf_hash(entry.leaf.as_bytes());
            tree.push(leaf_hash);
            Entry { leaf_hash, ..entry }
        })
        .collect();
    let checkpoint =
        Checkpoint { origin: ORIGIN.into(), size: tree.size(), root: tree.root(), extensions: Vec::new() };
    let checkpoint = checkpoint.sign(&[&ground::log()]).unwrap();
    Bundle { entries, checkpoint, proof: Vec::new(), ..bundle }
}

fn of_history(entries: usize, completeness: Completeness) -> Bundle {
    let leaf = |leaf: String| Entry { leaf_hash: leaf_hash(leaf.as_bytes()), leaf, details: None };
    signed(Bundle {
        countersign_evidence: bundle::VERSION,
        generator: countersign_evidence::report::generator(),
        scope: Scope::default(),
        checkpoint: String::new(),
        completeness,
        policies: [(sha256(policy().as_bytes()), policy())].into(),
        entries: history(entries).into_iter().map(leaf).collect(),
        proof: Vec::new(),
    })
}

/// What stands around the data in a file.
static FRAME: LazyLock<(String, String)> = LazyLock::new(|| {
    let bundle = of_history(SHORT, Completeness::EveryLeaf);
    let page = bundle::print(&bundle).unwrap();
    let data = serde_json::to_string(&bundle).unwrap().replace('<', "\\u003c");
    let (before, after) = page.split_once(&data).unwrap();
    (before.to_owned(), after.to_owned())
});

/// The data alone: a page of several kilobytes around them would only be in the way.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let not_shown = || Completeness::NotShown { why: "it is a test".into() };
    [of_history(SHORT, Completeness::EveryLeaf), of_history(SHORT, not_shown()), of_history(40, not_shown())]
        .map(|bundle| serde_json::to_vec(&bundle).unwrap())
        .to_vec()
}

fn framed(data: &str) -> String {
    let (before, after) = &*FRAME;
    [before, data, after].concat()
}

fn trust() -> Trust<'static> {
    Trust { origin: ORIGIN, keys: &*LOG_KEYS, witnesses: None }
}

pub(crate) fn check(input: &[u8]) {
    drop(verify(input, &trust()));
    let Some(data) = text(input) else { return };
    let file = framed(data);
    drop(verify(file.as_bytes(), &trust()));
    let Ok(bundle) = bundle::parse(file.as_bytes()) else { return };
    let Ok(printed) = bundle::print(&bundle) else { return };
    assert_eq!(bundle::parse(printed.as_bytes()).as_ref(), Ok(&bundle));
}

/// The same with a log that signs whatever it is given: what was signed by mistake or by a thief must not harm an auditor either.
pub(crate) fn check_signed(input: &[u8]) {
    let Some(data) = text(input) else { return };
    let Ok(bundle) = bundle::parse(framed(data).as_bytes()) else { return };
    let Ok(printed) = bundle::print(&signed(bundle)) else { return };
    drop(verify(printed.as_bytes(), &trust()));
}
