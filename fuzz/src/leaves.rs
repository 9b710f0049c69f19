//! Leaves of the log and of a census: what parses is canonical, is written again to the same bytes, and decodes without a panic.

use countersign_evidence::decode;
use countersign_ledger::census::Row;
use countersign_ledger::entry::{Draft, EntryView, Place};
use countersign_ledger::hash::sha256;
use countersign_ledger::json;
use serde_json::Value;

/// A history of every kind of event, one per line.
const HISTORY: &str = include_str!("../../crates/countersign-core/golden/history-1.jsonl");

/// The state it leads to, with the policy in force at the end.
const STATE: &str = include_str!("../../crates/countersign-core/golden/history-1.state.json");

/// The policy that is in force in all of [`history`].
pub(crate) fn policy() -> String {
    let state: Value = serde_json::from_str(STATE).unwrap();
    String::from_utf8(json::to_canonical(&state["policy"]["policy"]).unwrap()).unwrap()
}

/// The leaves of the first entries of that history.
pub(crate) fn history(entries: usize) -> Vec<String> {
    let named = "\"policy_sha256\":\"";
    let first = HISTORY.split_once(named).unwrap().1.get(..64).unwrap();
    let history = HISTORY.replace(first, &sha256(policy().as_bytes()).to_string());
    let leaf = |(index, line): (u64, &str)| {
        let mut event: Value = serde_json::from_str(line).unwrap();
        let members = event.as_object_mut().unwrap();
        members.insert("index".into(), index.into());
        members.insert("v".into(), 1.into());
        for absent in ["details_sha256", "environment"] {
            members.entry(absent).or_insert(Value::Null);
        }
        String::from_utf8(json::to_canonical(&event).unwrap()).unwrap()
    };
    (0..).zip(history.lines().take(entries)).map(leaf).collect()
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    history(usize::MAX).into_iter().map(String::into_bytes).collect()
}

pub(crate) fn check(input: &[u8]) {
    let Ok(view) = EntryView::parse(input) else { return };
    assert_eq!(json::validate_canonical(input), Ok(()));
    let draft = Draft {
        actor: view.actor,
        correlation: view.correlation,
        data: view.data.as_bytes(),
        details_sha256: view.details_sha256,
        environment: view.environment,
        kind: view.kind,
        subject: view.subject,
    };
    let place = Place { index: view.index, subject_seq: view.subject_seq, time: view.time };
    assert_eq!(draft.leaf(place).as_deref(), Ok(input));
    drop(decode::event(&view));
}

pub(crate) fn row_seeds() -> Vec<Vec<u8>> {
    [
        Row { count: 3, last: 17, subject: "apr_1".into() },
        Row { count: u32::MAX, last: (1 << 53) - 1, subject: "~".repeat(255) },
    ]
    .map(|row| row.leaf().unwrap())
    .to_vec()
}

pub(crate) fn check_row(input: &[u8]) {
    let Ok(row) = Row::parse(input) else { return };
    assert_eq!(row.leaf().as_deref(), Ok(input));
    assert_eq!(json::validate_canonical(input), Ok(()));
}
