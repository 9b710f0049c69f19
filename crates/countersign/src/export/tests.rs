//! Exports that fail at every place, receivers that lie about what they took, and logs that are not what they were.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use countersign_api::ledger::EntryListing;
use countersign_client::Client;
use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::details::commitment;
use countersign_ledger::entry::{Draft, Place};
use countersign_ledger::hash::leaf_hash;
use countersign_ledger::note::{Ed25519Signer, VerifierKey};
use countersign_server::runner::HookKey;
use countersign_server::search::{Criteria, Scan};
use countersign_server::secrets::SecretValue;
use countersign_server::store::memory::MemoryStore;
use countersign_server::store::{
    Batch as Appended, Details, Head, NewEntry, Store, StoredCheckpoint, StoredNode,
};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::cursor::{Cursor, Keeper};
use super::format::Format;
use super::http::{Endpoint, Patience, Proof};
use super::sink::{Batch, Durable, Growing, Sink};
use super::source::{Database, Source};
use super::{Asked, Export, Trust};
use crate::failure::{Kind, kind};

const ORIGIN: &str = "ledger.test/export";

fn signer() -> Ed25519Signer {
    Ed25519Signer::from_seed(ORIGIN, [3; 32]).unwrap()
}

/// A signed log in memory; clones of the store are the same log.
struct Log {
    store: MemoryStore,
    head: Head,
    flavour: &'static str,
    sequence: BTreeMap<String, u32>,
}

impl Log {
    fn new(flavour: &'static str) -> Self {
        Self { store: MemoryStore::new(), head: Head::empty(), flavour, sequence: BTreeMap::new() }
    }

    fn of(flavour: &'static str, entries: u64) -> Self {
        let mut log = Self::new(flavour);
        (0..entries).for_each(|_| log.grow());
        log.sign(ORIGIN);
        log
    }

    fn grow(&mut self) {
        let index = self.head.size();
        let subject = format!("per_{:032x}", index % 3);
        let sequence = self.sequence.entry(subject.clone()).or_default();
        *sequence += 1;
        let body = json!({ "reason": format!("=cmd, \"{}\"\nentry {index}", self.flavour) });
        let details =
            index.is_multiple_of(2).then(|| Details { salt: [9; 32], body: body.to_string().into_bytes() });
        let draft = Draft {
            actor: "node",
            correlation: "cor_00000000000000000000000000000001",
            data: br#"{"credential_sha256":"00"}"#,
            details_sha256: details.as_ref().map(|details| commitment(&details.salt, &details.body)),
            environment: index.is_multiple_of(4).then_some("production"),
            kind: if index.is_multiple_of(2) { "person.claimed" } else { "person.enrolled" },
            subject: &subject,
        };
        let place = Place { index, subject_seq: *sequence, time: "2026-11-23T10:00:00.123Z" };
        let leaf = draft.leaf(place).unwrap();
        let leaf_hash = leaf_hash(&leaf);
        let mut nodes = Vec::new();
        self.head.tree.push_with(leaf_hash, |level, index, hash| {
            if level > 0 && level % 8 == 0 {
                nodes.push(StoredNode { level, index, hash });
            }
        });
        let entry = NewEntry { leaf, leaf_hash, subject, subject_seq: *sequence, details };
        let batch = Appended {
            expected_size: index,
            entries: vec![entry],
            redactions: Vec::new(),
            nodes,
            head: self.head.clone(),
            records: Vec::new(),
            blobs: Vec::new(),
            idempotency: Vec::new(),
        };
        self.store.append(&batch).unwrap();
    }

    fn sign(&mut self, origin: &str) {
        let (size, root) = (self.head.size(), self.head.tree.root());
        let note =
            Checkpoint { origin: origin.into(), size, root, extensions: Vec::new() }.sign(&[&signer()]);
        self.store.save_checkpoint(&StoredCheckpoint { size, note: note.unwrap() }).unwrap();
    }

    fn source(&self, filters: &EntryListing) -> Source {
        let scan = Scan::new(Criteria::parse(filters).unwrap()).unwrap();
        Source::Database(Box::new(Database { reader: self.store.reader().unwrap(), scan }))
    }
}

fn everything(format: Format) -> Asked {
    Asked { format, filters: EntryListing::default() }
}

fn export<S: Sink>(log: &Log, asked: &Asked, (sink, keeper, kept): (S, Keeper, Option<Cursor>)) -> Export<S> {
    Export {
        source: log.source(&asked.filters),
        sink,
        keeper,
        cursor: kept.unwrap_or_else(|| Cursor::new(asked.clone(), 0)),
        trust: Some(Trust { key: VerifierKey::parse(&signer().vkey()).unwrap(), origin: None }),
        bar: ProgressBar::hidden(),
        begun: false,
    }
}

/// A sink that gets little at once, so that the cursor moves often.
struct Small<S>(S);

impl<S: Sink> Sink for Small<S> {
    fn begin(&mut self, header: String) -> anyhow::Result<()> {
        self.0.begin(header)
    }

    async fn deliver(&mut self, batch: &Batch<'_>) -> anyhow::Result<()> {
        self.0.deliver(batch).await
    }

    fn position(&self) -> Option<u64> {
        self.0.position()
    }

    fn most(&self) -> usize {
        3
    }
}

/// A file whose process is killed after so many bytes, the last of them torn off in the middle of a write.
struct Torn {
    file: File,
    left: usize,
}

impl Write for Torn {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.left);
        self.left -= taken;
        self.file.write_all(&bytes[..taken])?;
        if taken < bytes.len() && taken == 0 { Err(io::Error::other("killed")) } else { Ok(taken) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Durable for Torn {
    /// All was written, and nobody was told.
    fn keep(&mut self) -> io::Result<()> {
        if self.left == 0 { Err(io::Error::other("killed")) } else { self.file.sync_data() }
    }
}

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn keeper(&self) -> (Keeper, Option<Cursor>) {
        Keeper::open(&self.folder.path().join("cursor")).unwrap()
    }

    /// Exports to the file until it is through.
    async fn run(&self, log: &Log, asked: &Asked) -> anyhow::Result<Cursor> {
        let (keeper, kept) = self.keeper();
        let sink = Small(Growing::open(&self.out(), kept.as_ref().and_then(|cursor| cursor.bytes))?);
        let mut export = export(log, asked, (sink, keeper, kept));
        export.round().await?;
        Ok(export.cursor)
    }

    /// The same by a process that is killed after so many bytes; true if it lived.
    async fn run_torn(&self, log: &Log, asked: &Asked, left: usize) -> bool {
        let (keeper, kept) = self.keeper();
        let arrived = kept.as_ref().and_then(|cursor| cursor.bytes);
        drop(Growing::open(&self.out(), arrived).unwrap());
        let file = File::options().append(true).open(self.out()).unwrap();
        let sink = Small(Growing::over(Torn { file, left }, arrived.unwrap_or(0)));
        export(log, asked, (sink, keeper, kept)).round().await.is_ok()
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.out()).unwrap()
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn killed_at_any_byte_a_file_is_finished_as_if_nothing_had_been() {
    let log = Log::of("one", 20);
    for format in [Format::CloudEvents, Format::Csv, Format::Jsonl] {
        let whole = Files::new();
        whole.run(&log, &everything(format)).await.unwrap();
        let expected = whole.text();
        let mut left = 0;
        loop {
            let files = Files::new();
            let lived = files.run_torn(&log, &everything(format), left).await;
            // Killed a second time, early, before it is let finish.
            files.run_torn(&log, &everything(format), 40).await;
            files.run(&log, &everything(format)).await.unwrap();
            assert_eq!(files.text(), expected, "{format:?} killed after {left} bytes");
            if lived {
                break;
            }
            left += 127;
        }
        assert!(left >= expected.len(), "it was killed at every place");
    }
}

#[tokio::test]
async fn a_cursor_that_cannot_be_written_repeats_and_never_skips() {
    let (mut log, files) = (Log::of("one", 7), Files::new());
    files.run(&log, &everything(Format::Jsonl)).await.unwrap();
    (0..5).for_each(|_| log.grow());
    log.sign(ORIGIN);
    let blocked = files.folder.path().join("cursor.next");
    std::fs::create_dir(&blocked).unwrap();
    assert!(files.run(&log, &everything(Format::Jsonl)).await.unwrap_err().to_string().contains("cursor"));
    assert!(lines(&files.text()).len() > 7, "it was written before the cursor was");
    std::fs::remove_dir(&blocked).unwrap();
    files.run(&log, &everything(Format::Jsonl)).await.unwrap();
    let indexes: Vec<u64> =
        lines(&files.text()).iter().map(|entry| entry["index"].as_u64().unwrap()).collect();
    assert_eq!(indexes, (0..12).collect::<Vec<_>>());
}

#[tokio::test]
async fn only_what_is_signed_goes_out_and_filters_leave_their_gaps() {
    let (mut log, files) = (Log::of("one", 10), Files::new());
    (0..4).for_each(|_| log.grow());
    let filters = EntryListing { kind: Some("person.enrolled".into()), ..EntryListing::default() };
    let asked = Asked { format: Format::Jsonl, filters };
    assert_eq!(files.run(&log, &asked).await.unwrap().next, 10);
    log.sign(ORIGIN);
    let cursor = files.run(&log, &asked).await.unwrap();
    assert_eq!((cursor.next, cursor.exported), (14, 7));
    let indexes: Vec<u64> =
        lines(&files.text()).iter().map(|entry| entry["index"].as_u64().unwrap()).collect();
    assert_eq!(indexes, [1, 3, 5, 7, 9, 11, 13]);
}

#[tokio::test]
async fn a_log_that_went_back_or_forked_is_refused_and_nothing_is_written() {
    let filters = EntryListing { kind: Some("person.*".into()), ..EntryListing::default() };
    for asked in [everything(Format::Jsonl), Asked { format: Format::Jsonl, filters }] {
        let mut of_other_origin = Log::of("one", 12);
        of_other_origin.sign("ledger.test/other");
        for (other, told) in [
            (Log::of("one", 6), "the log went back: it had 8 entries and is signed for 6"),
            (Log::of("two", 8), "the log forked"),
            (Log::of("two", 30), "the log forked"),
            (of_other_origin, "it is of the log `ledger.test/other`"),
        ] {
            let files = Files::new();
            files.run(&Log::of("one", 8), &asked).await.unwrap();
            let before = files.text();
            let error = files.run(&other, &asked).await.unwrap_err();
            assert!(error.to_string().contains(told), "{error:#}");
            assert_eq!(kind(&error), Kind::Unverified);
            assert_eq!(files.text(), before);
        }
    }
}

#[tokio::test]
async fn a_file_that_is_not_the_cursors_is_refused() {
    let log = Log::of("one", 5);
    let files = Files::new();
    files.run(&log, &everything(Format::Jsonl)).await.unwrap();
    let text = files.text();
    for (found, told) in
        [("", "has 0 bytes"), (&text[..40], "has 40 bytes"), (&"x".repeat(9_999), "not the file")]
    {
        std::fs::write(files.out(), found).unwrap();
        let error = format!("{:#}", files.run(&log, &everything(Format::Jsonl)).await.unwrap_err());
        assert!(error.contains(told), "{error}");
        assert_eq!(files.text(), found, "nothing is cut from another file");
    }
    let strange = Files::new();
    std::fs::write(strange.out(), "somebody's").unwrap();
    assert!(Growing::open(&strange.out(), None).unwrap_err().to_string().contains("holds something"));
    std::fs::write(strange.folder.path().join("cursor"), "{\"v\":2}").unwrap();
    assert!(
        Keeper::open(&strange.folder.path().join("cursor"))
            .unwrap_err()
            .to_string()
            .contains("is not a cursor")
    );
    let (_held, _) = files.keeper();
    let error = Keeper::open(&files.folder.path().join("cursor")).unwrap_err();
    assert!(error.to_string().contains("another export"), "{error}");
}

#[tokio::test]
async fn events_are_cloud_events_that_their_receiver_can_verify() {
    let (log, files) = (Log::of("one", 9), Files::new());
    files.run(&log, &everything(Format::CloudEvents)).await.unwrap();
    let events = lines(&files.text());
    for (index, event) in events.iter().enumerate() {
        let event = event.as_object().unwrap();
        // CloudEvents 1.0, section 3.1: names; 3.1.1: required attributes, none of them empty.
        for (name, value) in event.iter().filter(|(name, _)| *name != "data") {
            assert!(
                name.len() <= 20
                    && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()),
                "{name}"
            );
            assert!(value.as_str().is_some_and(|text| !text.is_empty()), "{name}");
        }
        assert_eq!(event["specversion"], "1.0");
        assert_eq!(event["id"], format!("{ORIGIN}/{index}"));
        assert_eq!(event["source"], format!("urn:countersign:log:{ORIGIN}"));
        assert_eq!(event["type"], if index % 2 == 0 { "person.claimed" } else { "person.enrolled" });
        assert_eq!(
            (&event["time"], &event["datacontenttype"]),
            (&json!("2026-11-23T10:00:00.123Z"), &json!("application/json"))
        );
        assert_eq!(event.contains_key("environment"), index % 4 == 0);
        let leaf = event["data"]["leaf"].as_str().unwrap();
        assert_eq!(event["leafhash"], leaf_hash(leaf.as_bytes()).to_string());
        let parsed: Value = serde_json::from_str(leaf).unwrap();
        assert_eq!((&parsed["index"], &parsed["data"]), (&json!(index), &event["data"]["event"]));
        assert_eq!(event["data"]["details"].is_null(), index % 2 == 1);
    }
    assert_eq!(events.len(), 9);
}

#[tokio::test]
async fn csv_is_read_back_as_it_was() {
    let (log, files, as_json) = (Log::of("one", 9), Files::new(), Files::new());
    files.run(&log, &everything(Format::Csv)).await.unwrap();
    as_json.run(&log, &everything(Format::Jsonl)).await.unwrap();
    let text = files.text();
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let header = rows.headers().unwrap().clone();
    let entries = lines(&as_json.text());
    let mut seen = 0;
    for (row, entry) in rows.records().zip(&entries) {
        let row = row.unwrap();
        for (name, field) in header.iter().zip(&row) {
            let field = field.strip_prefix('\'').unwrap_or(field);
            match name {
                "details" if entry["details"].is_null() => assert_eq!(field, ""),
                "details" => assert_eq!(serde_json::from_str::<Value>(field).unwrap(), entry["details"]),
                "data" => assert_eq!(serde_json::from_str::<Value>(field).unwrap(), entry["leaf"]["data"]),
                "leaf_hash" => assert_eq!(field, entry["leaf_hash"]),
                "redacted_by" if entry["redacted_by"].is_null() => assert_eq!(field, ""),
                "redacted_by" => assert_eq!(field, entry["redacted_by"].to_string()),
                name => match &entry["leaf"][name] {
                    Value::Null => assert_eq!(field, ""),
                    Value::String(expected) => assert_eq!(field, expected),
                    other => assert_eq!(field, other.to_string()),
                },
            }
        }
        seen += 1;
    }
    assert_eq!((seen, entries.len()), (9, 9));
    assert!(text.ends_with("\r\n") && text.lines().count() == 10, "one row per entry, whatever is in it");
}

/// How an endpoint treats one request.
#[derive(Clone, Copy, Debug)]
enum Treat {
    Take,
    /// It has the batch, and says that it has not.
    TakeAndDeny(u16),
    Deny(u16),
}

#[derive(Clone, Default)]
struct Received {
    script: Arc<Mutex<Vec<Treat>>>,
    batches: Arc<Mutex<Vec<(HeaderMap, String)>>>,
    tried: Arc<Mutex<Vec<String>>>,
}

impl Received {
    async fn start(script: &[Treat]) -> (Self, reqwest::Url) {
        let received = Self::default();
        received.script.lock().unwrap().extend(script.iter().rev());
        let router = Router::new().route("/events", post(receive)).with_state(received.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/events?token=hidden", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        (received, url)
    }

    fn events(&self) -> Vec<String> {
        let batches = self.batches.lock().unwrap();
        let events = batches.iter().flat_map(|(_, body)| serde_json::from_str::<Vec<Value>>(body).unwrap());
        events.map(|event| event["index"].as_str().unwrap().to_owned()).collect()
    }
}

async fn receive(State(received): State<Received>, headers: HeaderMap, body: String) -> impl IntoResponse {
    let treat = received.script.lock().unwrap().pop().unwrap_or(Treat::Take);
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    received.tried.lock().unwrap().push(id);
    let status = match treat {
        Treat::Take => 202,
        Treat::TakeAndDeny(status) | Treat::Deny(status) => status,
    };
    if !matches!(treat, Treat::Deny(_)) {
        received.batches.lock().unwrap().push((headers, body));
    }
    (StatusCode::from_u16(status).unwrap(), "no \u{1b}[2J events today")
}

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn to(url: &reqwest::Url, attempts: u32) -> Small<Endpoint> {
    let proof = Proof {
        bearer: Some(SecretValue::new("letmein".to_owned())),
        signing_key: HookKey::parse(&SecretValue::new(KEY.to_owned())),
    };
    let patience = Patience {
        attempts: Some(attempts),
        first: Duration::from_millis(1),
        longest: Duration::from_millis(4),
    };
    Small(Endpoint::new(url.clone(), proof, patience).unwrap())
}

#[tokio::test]
async fn an_endpoint_that_fails_and_forgets_gets_everything_at_least_once_in_order() {
    use Treat::{Deny, Take, TakeAndDeny};
    let script = [Deny(503), Take, TakeAndDeny(500), TakeAndDeny(429), Take, Deny(429), Deny(502), Take];
    let (received, url) = Received::start(&script).await;
    let (log, files) = (Log::of("one", 20), Files::new());
    let asked = everything(Format::CloudEvents);
    let mut export = export(&log, &asked, (to(&url, 5), files.keeper().0, None));
    export.round().await.unwrap();
    let events = received.events();
    let mut once = events.clone();
    once.dedup();
    assert!(events.len() > 20, "what was denied after it was taken comes again");
    let mut sorted: Vec<u64> = once.iter().map(|index| index.parse().unwrap()).collect();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted, (0..20).collect::<Vec<_>>());
    let tried = received.tried.lock().unwrap().clone();
    assert_eq!(tried[0], tried[1], "a repeated batch has the id of the first attempt");
    let batches = received.batches.lock().unwrap();
    let key = HookKey::parse(&SecretValue::new(KEY.to_owned())).unwrap();
    for (headers, body) in batches.iter() {
        let header = |name: &str| headers[name].to_str().unwrap();
        assert_eq!(header("content-type"), "application/cloudevents-batch+json; charset=utf-8");
        assert_eq!(header("authorization"), "Bearer letmein");
        let signed = key.sign((header("webhook-id"), header("webhook-timestamp")), body.as_bytes());
        assert_eq!(header("webhook-signature"), signed);
    }
}

#[tokio::test]
async fn an_endpoint_that_refuses_stops_the_export_and_the_next_one_goes_on_there() {
    use Treat::{Deny, Take};
    for status in [400, 401, 404, 413, 302] {
        let (received, url) = Received::start(&[Take, Take, Deny(status)]).await;
        let (log, files) = (Log::of("one", 20), Files::new());
        let asked = everything(Format::CloudEvents);
        let error = {
            let mut stopped = export(&log, &asked, (to(&url, 5), files.keeper().0, None));
            stopped.round().await.unwrap_err()
        };
        let told = format!("{error:#}");
        assert!(told.contains("entries 6 to 8") && told.contains(&status.to_string()), "{told}");
        assert!(!told.contains("hidden"), "a token in a link is not told: {told}");
        assert_eq!(kind(&error), Kind::Refused);
        assert_eq!(received.tried.lock().unwrap().len(), 3, "it is not tried again");
        let (keeper, kept) = files.keeper();
        assert_eq!(kept.as_ref().map(|cursor| cursor.next), Some(6));
        export(&log, &asked, (to(&url, 5), keeper, kept)).round().await.unwrap();
        assert_eq!(received.events(), (0..20).map(|index| index.to_string()).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_given_up_and_nothing_is_lost() {
    let (received, url) = Received::start(&[Treat::Deny(503); 4]).await;
    let (log, files) = (Log::of("one", 4), Files::new());
    let asked = everything(Format::CloudEvents);
    let error = export(&log, &asked, (to(&url, 4), files.keeper().0, None)).round().await.unwrap_err();
    assert!(format!("{error:#}").contains("answers 503 Service Unavailable, 4 times"), "{error:#}");
    assert_eq!(kind(&error), Kind::Unavailable);
    let nobody = "http://127.0.0.1:9/".parse().unwrap();
    let (keeper, kept) = files.keeper();
    let error = export(&log, &asked, (to(&nobody, 2), keeper, kept)).round().await.unwrap_err();
    assert!(format!("{error:#}").contains("does not answer"), "{error:#}");
    let (keeper, kept) = files.keeper();
    export(&log, &asked, (to(&url, 1), keeper, kept)).round().await.unwrap();
    assert_eq!(received.events(), ["0", "1", "2", "3"]);
}

/// A server that leaves out the entry with this index, or changes it.
async fn lying(log: &Log, lie: impl Fn(&mut Vec<Value>) + Clone + Send + Sync + 'static) -> Source {
    let folder = Files::new();
    folder.run(log, &everything(Format::Jsonl)).await.unwrap();
    let entries = lines(&folder.text());
    let note = log.store.reader().unwrap().latest_checkpoint().unwrap().unwrap().note;
    let page = move || {
        let mut items = entries.clone();
        lie(&mut items);
        async move { axum::Json(json!({ "items": items })) }
    };
    let router = Router::new()
        .route("/ledger/checkpoint", get(move || async move { note }))
        .route("/ledger/keys", get(|| async { axum::Json(json!({ "origin": "", "keys": [] })) }))
        .route("/admin/entries", get(page));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Source::Server(Client::new(&url, None).unwrap())
}

#[tokio::test]
async fn a_server_that_leaves_out_or_changes_an_entry_is_caught() {
    let log = Log::of("one", 8);
    let asked = everything(Format::Jsonl);
    type Lie = fn(&mut Vec<Value>);
    let lies: [(Lie, &str); 5] = [
        (|_| (), "none"),
        (|items| drop(items.remove(3)), "entry 4 came where entry 3 was due"),
        (|items| items.truncate(5), "entries from 5 on are missing"),
        (|items| items[2]["leaf_hash"] = items[1]["leaf_hash"].clone(), "entry 2: its leaf does not have"),
        (
            |items| {
                let leaf = items[2]["leaf_text"]
                    .as_str()
                    .unwrap()
                    .replace("production", "staging")
                    .replace("node", "per_1");
                items[2]["leaf_hash"] = json!(leaf_hash(leaf.as_bytes()).to_string());
                items[2]["leaf_text"] = json!(leaf);
            },
            "the 8 entries exported are not the ones that were signed",
        ),
    ];
    for (lie, told) in lies {
        let files = Files::new();
        let sink = Growing::open(&files.out(), None).unwrap();
        let mut export = export(&log, &asked, (sink, files.keeper().0, None));
        export.source = lying(&log, lie).await;
        let outcome = export.round().await.map_or_else(|error| format!("{error:#}"), |()| "none".to_owned());
        assert!(outcome.contains(told), "{outcome}");
        assert_eq!(files.text().is_empty(), told != "none", "nothing false is written");
    }
}

#[test]
fn a_cursor_survives_being_written() {
    let folder = tempfile::tempdir().unwrap();
    let path: &Path = &folder.path().join("cursor");
    let cursor = Cursor::new(everything(Format::Csv), 0);
    let (keeper, none) = Keeper::open(path).unwrap();
    assert!(none.is_none());
    keeper.save(&cursor).unwrap();
    drop(keeper);
    assert_eq!(Keeper::open(path).unwrap().1, Some(cursor));
}
