//! An entry in the words of others: a CloudEvents 1.0 event, a row of CSV, or the API's own JSON.
//!
//! Each keeps the exact leaf or all that makes it up, so that whoever receives it can hash it and ask for a proof.

use clap::ValueEnum;
use countersign_api::ledger::Entry;
use countersign_ledger::entry::EntryView;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The form of what is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// CloudEvents 1.0 as JSON: one event per line, or a batch per request.
    #[value(name = "cloudevents")]
    CloudEvents,
    /// One row per entry, with a header (RFC 4180).
    Csv,
    /// Entries as the API shows them, one per line.
    Jsonl,
}

/// The columns, in order.
const COLUMNS: [&str; 13] = [
    "index",
    "time",
    "kind",
    "subject",
    "subject_seq",
    "actor",
    "environment",
    "correlation",
    "details_sha256",
    "leaf_hash",
    "data",
    "details",
    "redacted_by",
];

impl Format {
    /// What stands before everything else.
    pub(crate) fn header(self) -> Option<String> {
        matches!(self, Self::Csv).then(|| COLUMNS.join(",") + self.ending())
    }

    /// What stands after each entry in a stream.
    pub(crate) fn ending(self) -> &'static str {
        match self {
            Self::Csv => "\r\n",
            Self::CloudEvents | Self::Jsonl => "\n",
        }
    }

    /// One entry, without its ending.
    pub(crate) fn encode(
        self,
        origin: &str,
        (entry, view): (&Entry, &EntryView<'_>),
    ) -> Result<String, serde_json::Error> {
        match self {
            Self::CloudEvents => cloud_event(origin, (entry, view)),
            Self::Csv => Ok(row(entry, view)),
            Self::Jsonl => serde_json::to_string(entry),
        }
    }
}

/// CloudEvents 1.0, JSON event format. Numbers among the attributes are text: a CloudEvents Integer has 32 bits, an index 53.
#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: &'a str,
    subject: &'a str,
    time: &'a str,
    datacontenttype: &'static str,
    index: String,
    leafhash: &'a str,
    subjectseq: String,
    actor: &'a str,
    correlation: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detailssha256: Option<String>,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    /// The data of the entry.
    event: &'a RawValue,
    /// What is kept beside it; null if there is nothing or it was redacted.
    details: Option<&'a serde_json::Value>,
    /// The entry that says that they were deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    redacted_by: Option<u64>,
    /// The exact text whose hash is `leafhash`.
    leaf: &'a str,
}

fn cloud_event(origin: &str, (entry, view): (&Entry, &EntryView<'_>)) -> Result<String, serde_json::Error> {
    serde_json::to_string(&CloudEvent {
        specversion: "1.0",
        id: format!("{origin}/{}", view.index),
        source: source(origin),
        kind: view.kind,
        subject: view.subject,
        time: view.time,
        datacontenttype: "application/json",
        index: view.index.to_string(),
        leafhash: &entry.leaf_hash,
        subjectseq: view.subject_seq.to_string(),
        actor: view.actor,
        correlation: view.correlation,
        environment: view.environment,
        detailssha256: view.details_sha256.map(|hash| hash.to_string()),
        data: Data {
            event: serde_json::from_str(view.data)?,
            details: entry.details.as_ref(),
            redacted_by: entry.redacted_by,
            leaf: &entry.leaf_text,
        },
    })
}

/// The log as a URI: its origin has no scheme of its own, and may hold what a URI may not.
fn source(origin: &str) -> String {
    let mut uri = "urn:countersign:log:".to_owned();
    for byte in origin.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/:@".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

fn row(entry: &Entry, view: &EntryView<'_>) -> String {
    let fields = [
        view.index.to_string(),
        view.time.to_owned(),
        view.kind.to_owned(),
        view.subject.to_owned(),
        view.subject_seq.to_string(),
        view.actor.to_owned(),
        view.environment.unwrap_or_default().to_owned(),
        view.correlation.to_owned(),
        view.details_sha256.map(|hash| hash.to_string()).unwrap_or_default(),
        entry.leaf_hash.clone(),
        view.data.to_owned(),
        entry.details.as_ref().map(ToString::to_string).unwrap_or_default(),
        entry.redacted_by.map(|by| by.to_string()).unwrap_or_default(),
    ];
    fields.map(|field| quoted(&defused(&field))).join(",")
}

/// A field that a spreadsheet would take for a formula gets an apostrophe before it, and so does one that begins with an apostrophe:
/// whoever takes one away where there is one has the field again.
pub(crate) fn defused(field: &str) -> String {
    match field.bytes().next() {
        Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r' | b'\'') => format!("'{field}"),
        _ => field.to_owned(),
    }
}

/// RFC 4180, section 2, rules 5 to 7.
pub(crate) fn quoted(field: &str) -> String {
    if field.bytes().any(|byte| matches!(byte, b'"' | b',' | b'\r' | b'\n')) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_field_is_read_back(fields in prop::collection::vec(any::<String>(), 2..5)) {
            let row = fields.iter().map(|field| quoted(&defused(field))).collect::<Vec<_>>().join(",") + "\r\n";
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(row.as_bytes());
            let read = reader.records().next().unwrap().unwrap();
            let read: Vec<&str> = read.iter().map(|field| field.strip_prefix('\'').unwrap_or(field)).collect();
            prop_assert_eq!(read, fields);
        }
    }

    #[test]
    fn formulas_are_defused_and_can_be_had_again() {
        for field in ["", "a", "=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "'quoted", "''", "{\"a\":1}"] {
            let safe = defused(field);
            assert!(!safe.starts_with(['=', '+', '-', '@', '\t', '\r']), "{safe}");
            assert_eq!(safe.strip_prefix('\'').unwrap_or(&safe), field);
        }
    }

    #[test]
    fn an_origin_becomes_a_uri() {
        assert_eq!(source("ledger.example/pay"), "urn:countersign:log:ledger.example/pay");
        assert_eq!(source("a b%ü"), "urn:countersign:log:a%20b%25%C3%BC");
    }
}
