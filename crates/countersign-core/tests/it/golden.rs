//! Golden events: every kind of event ever written still decodes, applies, and is written with the same bytes.
//!
//! `golden/history-N.jsonl` are whole histories and what state they lead to; `golden/events/` has one file per kind and variant.
//! With `COUNTERSIGN_GOLDEN=write` the test writes them anew from the script. Once a version is released, its history is
//! never written again: the next one gets the next number.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use countersign_core::policy::Policy;
use countersign_core::{Event, Fact, State, apply};
use serde_json::Value;

use crate::book::{entry, read};
use crate::{script, stage};

/// The history that the script of this version writes.
const CURRENT: &str = "history-1";

/// Says that the files are to be written, not compared.
const VARIABLE: &str = "COUNTERSIGN_GOLDEN";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn load(path: &Path) -> String {
    let again = format!("`{VARIABLE}=write cargo test -p countersign-core golden` writes it");
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}; {again}", path.display()))
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    found.sort();
    found
}

/// An event with its policy, which golden histories draw from the stage.
fn resolved(mut event: Event) -> Event {
    let known =
        |digest| stage::known_policies().into_iter().find(|policy| stage::policy_digest(policy) == digest);
    if let Some(digest) = event.unresolved() {
        let policy: Policy =
            known(digest).unwrap_or_else(|| panic!("no policy on the stage has the digest {digest}"));
        event.resolve(policy);
    }
    event
}

/// What tells one variant of an event from another: its choices, not its ids, times and numbers.
fn variant(data: &Value) -> String {
    const CHOICES: [&str; 11] = [
        "how",
        "algorithm",
        "bootstrap",
        "cause",
        "code",
        "outcome",
        "reopened",
        "why",
        "target",
        "verdict",
        "timeliness",
    ];
    let of = |(key, value): (&String, &Value)| match value {
        Value::Null => format!("{key}=null "),
        Value::Object(signature) if key == "signature" && signature.contains_key("webauthn") => {
            "signed by passkey ".to_owned()
        }
        Value::Object(_) if key == "signature" => "signed ".to_owned(),
        Value::Object(_) if key == "fresh" => "fresh ".to_owned(),
        Value::Object(about) if key == "about" => format!("about {} ", about["kind"]),
        Value::Object(method) if key == "method" => format!("by {} ", method["kind"]),
        Value::Object(_) => variant(value),
        _ if key == "target" || !CHOICES.contains(&key.as_str()) => String::new(),
        _ => format!("{key}={value} "),
    };
    data.as_object().into_iter().flatten().map(of).collect()
}

/// One file per kind and variant, by name.
fn events_of(history: &str) -> BTreeMap<String, Value> {
    let mut seen: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut files = BTreeMap::new();
    for line in history.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let kind = entry["kind"].as_str().unwrap().to_owned();
        let variants = seen.entry(kind.clone()).or_default();
        if variants.insert(variant(&entry["data"])) {
            files.insert(format!("{kind}-{}.json", variants.len()), entry);
        }
    }
    files
}

fn pretty(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

/// The state a history leads to; nothing is let go of.
fn state_of(history: &str) -> State {
    let mut state = State::default();
    for line in history.lines() {
        let (event, subject_seq) = read(&serde_json::from_str(line).unwrap());
        let event = resolved(event);
        apply(&mut state, &event);
        assert_eq!(state.entries_of(&event.fact.subject()), subject_seq);
    }
    state
}

/// Writes the golden files anew, if the environment says so.
fn write_if_told(history: &str) {
    if std::env::var(VARIABLE).as_deref() != Ok("write") {
        return;
    }
    let events = folder().join("events");
    if events.exists() {
        fs::remove_dir_all(&events).unwrap();
    }
    fs::create_dir_all(&events).unwrap();
    fs::write(folder().join(format!("{CURRENT}.jsonl")), history).unwrap();
    fs::write(folder().join(format!("{CURRENT}.state.json")), pretty(&state_of(history))).unwrap();
    for (name, entry) in events_of(history) {
        fs::write(events.join(name), pretty(&entry)).unwrap();
    }
}

#[test]
fn this_version_writes_the_current_history_byte_by_byte() {
    let written = script::everything().written();
    write_if_told(&written);
    let golden = load(&folder().join(format!("{CURRENT}.jsonl")));
    for (number, (written, golden)) in written.lines().zip(golden.lines()).enumerate() {
        assert_eq!(written, golden, "line {}", number + 1);
    }
    assert_eq!(written.lines().count(), golden.lines().count());
    let names: BTreeSet<String> = files(&folder().join("events"), ".json")
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(names, events_of(&golden).into_keys().collect());
}

#[test]
fn every_history_ever_written_leads_to_the_same_state() {
    let histories = files(&folder(), ".jsonl");
    assert!(!histories.is_empty(), "there is no golden history");
    for path in histories {
        let state = state_of(&load(&path));
        let golden = load(&path.with_extension("state.json"));
        assert_eq!(pretty(&state), golden, "{}", path.display());
        let again: State = serde_json::from_str(&golden).unwrap();
        assert_eq!(again, state, "a snapshot of it reads as another state");
    }
}

#[test]
fn every_kind_of_event_has_a_golden_file_that_reads_and_writes_the_same() {
    let mut kinds = BTreeSet::new();
    for path in files(&folder().join("events"), ".json") {
        let golden: Value = serde_json::from_str(&load(&path)).unwrap();
        let (event, subject_seq) = read(&golden);
        assert_eq!(entry(&event, subject_seq), golden, "{}", path.display());
        kinds.insert(event.fact.kind());
    }
    assert_eq!(kinds, Fact::KINDS.iter().copied().collect());
}

#[test]
fn an_unknown_kind_and_data_that_do_not_fit_are_errors() {
    let data = Value::Object(serde_json::Map::new());
    let complaint = |kind: &str, subject: &str| Fact::decode(kind, subject, &data).unwrap_err().to_string();
    assert_eq!(complaint("approval.teleported", "policy"), "unknown kind of event `approval.teleported`");
    assert_eq!(complaint("approval.granted", "policy"), "`policy` is not what this kind of event is about");
    let id = "apr_00000000000000000000000000000001";
    assert_eq!(complaint("approval.granted", id), "the data do not fit: missing field `parameters_sha256`");
}
