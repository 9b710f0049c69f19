//! The log and its witnesses: who cosigns is believed, who does not is named, and nobody waits for either.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use countersign_core::digest::Digest;
use countersign_core::incident::Cause;
use countersign_core::time::Time;
use countersign_core::{Command, Fact, permit};
use countersign_ledger::checkpoint::Cosigned;
use countersign_ledger::witness::{Policy, Quorum, Witness};
use countersign_server::clock::{Clock, ClockJumped};
use countersign_server::config::{WitnessEndpoint, Witnesses};
use countersign_server::engine::{Engine, Options, StartError, codec};
use countersign_server::http;
use countersign_server::search::{Place, Search};
use countersign_server::store::sqlite::SqliteStore;
use countersign_server::store::{Reader, Store, StoredCheckpoint};
use countersign_server::witnessing::{Board, Pace, Witnessing};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::peer::{Mood, Peer};
use crate::engine::fixture::{self, ANA};

mod peer;

/// Everything at once, and a call that hangs is soon given up.
const PACE: Pace = Pace {
    call: Duration::from_millis(300),
    between: Duration::from_millis(1),
    first: Duration::from_millis(1),
    longest: Duration::from_millis(5),
    refresh: Duration::from_millis(20),
};

/// A clock that stands still unless it is told.
#[derive(Debug)]
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Result<Time, ClockJumped> {
        Ok(Time::from_millis(self.0.load(Ordering::SeqCst)))
    }
}

/// A log on a disk, and whoever asks its witnesses.
struct Stage {
    folder: tempfile::TempDir,
    clock: Arc<Hand>,
    engine: Engine,
    board: Arc<Board>,
    asking: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

fn config(peers: &[&Peer], threshold: usize) -> Witnesses {
    let each: Vec<WitnessEndpoint> = peers.iter().map(|peer| peer.endpoint()).collect();
    let witness =
        |one: &WitnessEndpoint| Witness { name: one.name.to_string(), key: one.key.clone(), url: None };
    let members = (0..each.len()).map(Quorum::Witness).collect();
    let quorum = Quorum::Group { threshold, members };
    let policy = Policy { logs: Vec::new(), witnesses: each.iter().map(witness).collect(), quorum };
    let words = format!("{threshold} of {}", each.len());
    Witnesses { each, words, policy, lost_after: Duration::from_secs(300) }
}

fn options(folder: &Path, clock: &Arc<Hand>) -> Options {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    Options { clock, anchor: Some(folder.join("checkpoint")), ..fixture::options() }
}

fn store(folder: &Path) -> Box<dyn Store> {
    Box::new(SqliteStore::open(folder.join("ledger.db")).expect("a store"))
}

impl Stage {
    async fn begin(witnesses: &Witnesses) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(Hand(AtomicI64::new(1_800_000_000_000)));
        let engine = Engine::start(store(folder.path()), options(folder.path(), &clock)).expect("it starts");
        fixture::genesis(&engine).await;
        Self::with(witnesses, folder, clock, engine)
    }

    fn with(witnesses: &Witnesses, folder: tempfile::TempDir, clock: Arc<Hand>, engine: Engine) -> Self {
        let kept = Some(folder.path().join("checkpoint.witnessed"));
        let witnessing = Witnessing::new(engine.clone(), witnesses, (kept, PACE)).expect("it can ask");
        let board = witnessing.board();
        let (stop, stopped) = oneshot::channel();
        let asking = tokio::spawn(witnessing.run(async move { drop(stopped.await) }));
        Self { folder, clock, engine, board, asking: Some((stop, asking)) }
    }

    /// Stops everything; the folder remains.
    async fn stop(mut self) -> (tempfile::TempDir, Arc<Hand>) {
        if let Some((stop, asking)) = self.asking.take() {
            drop(stop);
            asking.await.expect("no panic");
        }
        self.engine.stop().await;
        (self.folder, self.clock)
    }

    async fn restart(self, witnesses: &Witnesses) -> Self {
        let (folder, clock) = self.stop().await;
        let engine = Engine::start(store(folder.path()), options(folder.path(), &clock)).expect("it starts");
        Self::with(witnesses, folder, clock, engine)
    }

    /// Appends one entry; it must not wait for anybody.
    async fn append(&self) -> u64 {
        let parameters_sha256 = Digest::of(b"parameters");
        let reserve = permit::Reserve {
            action: fixture::ping(),
            parameters_sha256,
            approval: None,
            exceptions: Vec::new(),
        };
        let append = fixture::by(&self.engine, ANA, Command::ReservePermit(reserve));
        let committed =
            tokio::time::timeout(Duration::from_secs(20), append).await.expect("nobody is waited for");
        committed.expect("it is reserved").first + 1
    }

    async fn witnessed(&self, size: u64) -> Arc<StoredCheckpoint> {
        until(|| self.board.witnessed().is_some_and(|checkpoint| checkpoint.size >= size)).await;
        self.board.witnessed().expect("it is witnessed")
    }

    async fn error(&self, place: usize, words: &str) {
        let told = || self.board.progress(place).and_then(|progress| progress.last_error).unwrap_or_default();
        let wait = until(|| told().contains(words));
        if tokio::time::timeout(Duration::from_secs(10), wait).await.is_err() {
            panic!("`{words}` is not told, but `{}`", told());
        }
    }

    /// The facts of the log that are about its witnesses.
    async fn on_record(&self) -> Vec<Fact> {
        let decode = |reader: &mut dyn Reader| {
            let entries = reader.entries(0, usize::MAX)?;
            entries
                .iter()
                .map(|entry| Ok(codec::decode(entry.index, &entry.leaf, reader)?.event.fact))
                .collect()
        };
        let facts: Vec<Fact> = self.engine.read(decode).await.expect("a log");
        let about = |fact: &Fact| match fact {
            Fact::IncidentOpened(_, opened) => opened.cause == Cause::WitnessLost,
            fact => fact.kind().starts_with("log.witness"),
        };
        facts.into_iter().filter(about).collect()
    }
}

/// Waits until it holds.
async fn until(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("it comes to hold");
}

/// Who has cosigned the note; all signatures of these peers hold.
fn cosigners(note: &str, peers: &[&Peer]) -> Vec<String> {
    let keys: Vec<_> = peers.iter().map(|peer| peer.key()).collect();
    let cosigned = Cosigned::open(note, &[fixture::signer().verifier()], &keys).expect("the log signed it");
    cosigned.cosigned_by.into_iter().map(|by| by.name).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checkpoints_are_cosigned_kept_and_shown() {
    let (one, two, three) = (Peer::start("one").await, Peer::start("two").await, Peer::start("three").await);
    let peers = [&one, &two, &three];
    let stage = Stage::begin(&config(&peers, 3)).await;
    for _ in 0..3 {
        let size = stage.append().await;
        let witnessed = stage.witnessed(size).await;
        assert_eq!(cosigners(&witnessed.note, &peers).len(), 3);
        let file = std::fs::read_to_string(stage.folder.path().join("checkpoint.witnessed")).expect("a file");
        assert!(file.starts_with(&format!("{}\n", fixture::ORIGIN)), "{file}");
        until(|| stage.engine.checkpoint().is_some_and(|latest| cosigners(&latest.note, &peers).len() == 3))
            .await;
        let after = witnessed.size - 1;
        let stored = stage.engine.read(move |reader| reader.checkpoints(after, 1)).await.expect("a store");
        assert_eq!(cosigners(&stored[0].note, &peers).len(), 3);
        fixture::verify(
            SqliteStore::open_read_only(stage.folder.path().join("ledger.db")).expect("a reader").as_mut(),
        );
    }
    assert_eq!(stage.on_record().await, []);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_that_is_asked_again_and_again_signs_once_in_the_note() {
    let one = Peer::start("one").await;
    let stage = Stage::begin(&config(&[&one], 1)).await;
    let size = stage.append().await;
    stage.witnessed(size).await;
    let before = one.asked();
    until(|| one.asked() > before + 5).await;
    let note = stage.engine.checkpoint().expect("a checkpoint").note.clone();
    assert_eq!(note.matches("witness.test/one").count(), 1, "{note}");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_one_witness_does_the_others_and_the_log_go_on() {
    let (good, bad) = (Peer::start("good").await, Peer::start("bad").await);
    let peers = [&good, &bad];
    let stage = Stage::begin(&config(&peers, 1)).await;
    for (mood, told) in [
        (Mood::Hangs, "it does not answer"),
        (Mood::Status(500), "it answers 500 Internal Server Error: `no`"),
        (Mood::Status(404), "it answers 404"),
        (Mood::Status(403), "it answers 403"),
        (Mood::Status(422), "it answers 422"),
        (Mood::Status(409), "it answers 409"),
        (Mood::OtherKey, "no cosignature of its own on this checkpoint: no trusted key"),
        (Mood::OtherText, "the signature of `witness.test/bad` does not hold"),
        (Mood::MoreThanAsked, "no cosignature of its own on this checkpoint"),
        (Mood::Garbage, "no cosignature of its own on this checkpoint: malformed"),
        (Mood::Flood, "no cosignature of its own on this checkpoint"),
        (Mood::Size(1_000_000), "is this an old copy of the log?"),
        (Mood::Size(1), "another history of 1 entries"),
        (Mood::Redirects, "it answers 307"),
    ] {
        bad.mood(mood);
        let mut size = 0;
        for _ in 0..5 {
            size = stage.append().await;
        }
        let witnessed = stage.witnessed(size).await;
        stage.error(1, told).await;
        let all = stage.engine.checkpoint().expect("a checkpoint");
        assert!(!all.note.contains("stranger") && !all.note.contains("more"), "{mood:?}: {}", all.note);
        assert!(cosigners(&witnessed.note, &peers).contains(&"witness.test/good".to_owned()), "{mood:?}");
        let progress = stage.board.progress(1).expect("a witness");
        assert!(progress.failing_since.is_some(), "{mood:?}");
    }
    bad.mood(Mood::Well);
    until(|| stage.board.progress(1).is_some_and(|progress| progress.failing_since.is_none())).await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_few_cosignatures_do_not_make_a_witnessed_checkpoint() {
    let (good, bad) = (Peer::start("good").await, Peer::start("bad").await);
    bad.mood(Mood::OtherKey);
    let stage = Stage::begin(&config(&[&good, &bad], 2)).await;
    let size = stage.append().await;
    until(|| {
        let progress = stage.board.progress(0).unwrap_or_default();
        progress.cosigned.is_some_and(|(cosigned, _)| cosigned >= size)
    })
    .await;
    stage.error(1, "no cosignature").await;
    assert_eq!(stage.board.witnessed(), None);
    bad.mood(Mood::Well);
    stage.witnessed(size).await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_that_is_lost_for_long_is_on_record_once_and_so_is_its_return() {
    let (good, bad) = (Peer::start("good").await, Peer::start("bad").await);
    let stage = Stage::begin(&config(&[&good, &bad], 1)).await;
    let cosigned = stage.append().await;
    until(|| {
        stage
            .board
            .progress(1)
            .and_then(|progress| progress.cosigned)
            .is_some_and(|(size, _)| size >= cosigned)
    })
    .await;
    bad.mood(Mood::Hangs);
    stage.append().await;
    until(|| stage.board.progress(1).is_some_and(|progress| progress.failing_since.is_some())).await;
    stage.clock.0.fetch_add(299_000, Ordering::SeqCst);
    let asked = bad.asked();
    until(|| bad.asked() > asked + 1).await;
    assert_eq!(stage.on_record().await, [], "not yet");
    stage.clock.0.fetch_add(1_000, Ordering::SeqCst);
    until(|| stage.engine.state().log().is_some_and(|log| !log.lost_witnesses.is_empty())).await;
    let asked = bad.asked();
    until(|| bad.asked() > asked + 2).await;
    let record = stage.on_record().await;
    let [Fact::LogWitnessLost(_, lost), Fact::IncidentOpened(..)] = record.as_slice() else {
        panic!("{record:?}")
    };
    assert_eq!((lost.witness.as_str(), lost.since), ("bad", Time::from_millis(1_800_000_000_000)));
    assert!(lost.cosigned >= cosigned);

    // It is still lost after a restart, and still once.
    let stage = stage.restart(&config(&[&good, &bad], 1)).await;
    stage.error(1, "it does not answer").await;
    assert_eq!(stage.on_record().await.len(), 2);
    bad.mood(Mood::Well);
    until(|| stage.engine.state().log().is_some_and(|log| log.lost_witnesses.is_empty())).await;
    let record = stage.on_record().await;
    assert!(
        matches!(&record[2..], [Fact::LogWitnessRegained(_, back)] if back.witness.as_str() == "bad"),
        "{record:?}"
    );
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_witnessed_survives_and_is_held_against_the_log() {
    let one = Peer::start("one").await;
    let witnesses = config(&[&one], 1);
    let stage = Stage::begin(&witnesses).await;
    let old = stage.folder.path().join("old.db");
    SqliteStore::copy(stage.folder.path().join("ledger.db"), &old).expect("a copy");
    let size = stage.append().await;
    let witnessed = stage.witnessed(size).await;
    let stage = stage.restart(&witnesses).await;
    let known = stage.board.witnessed().expect("known from the start");
    assert!(known.size >= witnessed.size);
    assert_eq!(
        cosigners(&stage.engine.checkpoint().expect("a checkpoint").note, &[&one]),
        ["witness.test/one"]
    );
    let (folder, clock) = stage.stop().await;

    // An old copy of the log, and nobody kept what was signed: what was witnessed still tells.
    for ending in ["", "-wal", "-shm"] {
        let path = folder.path().join(format!("ledger.db{ending}"));
        drop(std::fs::remove_file(path));
    }
    std::fs::rename(&old, folder.path().join("ledger.db")).expect("it is restored");
    std::fs::remove_file(folder.path().join("checkpoint")).expect("it is lost");
    let refused =
        Engine::start(store(folder.path()), options(folder.path(), &clock)).expect_err("an old copy");
    assert!(
        matches!(&refused, StartError::Anchor(why) if why.contains("old copy") && why.contains("witnessed")),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_that_knows_more_or_less_than_we_remember_is_met_where_it_is() {
    let one = Peer::start("one").await;
    let witnesses = config(&[&one], 1);
    let stage = Stage::begin(&witnesses).await;
    let size = stage.append().await;
    stage.witnessed(size).await;
    // Without its file nothing is remembered here; the witness remembers.
    let (folder, clock) = stage.stop().await;
    std::fs::remove_file(folder.path().join("checkpoint.witnessed")).expect("it was there");
    let engine = Engine::start(store(folder.path()), options(folder.path(), &clock)).expect("it starts");
    let stage = Stage::with(&witnesses, folder, clock, engine);
    let size = stage.append().await;
    stage.witnessed(size).await;
    // And the other way round: the witness has lost its memory.
    one.mood(Mood::Status(500));
    stage.error(0, "it answers 500").await;
    for file in std::fs::read_dir(one.folder()).expect("a folder") {
        let path = file.expect("a file").path();
        if path.extension().is_some_and(|ending| ending == "checkpoint") {
            std::fs::remove_file(path).expect("it is forgotten");
        }
    }
    one.mood(Mood::Well);
    let size = stage.append().await;
    stage.witnessed(size).await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_witnesses_fare_is_shown_to_readers_and_what_they_saw_to_everybody() {
    use tower::ServiceExt as _;
    let (good, bad) = (Peer::start("good").await, Peer::start("bad").await);
    bad.mood(Mood::Status(500));
    let stage = Stage::begin(&config(&[&good, &bad], 1)).await;
    let search = Search::start(&stage.engine, Place::memory());
    let over = (stage.engine.clone(), search);
    let router = http::router_with(
        over,
        http::recorder(),
        http::Outside { witnesses: Arc::clone(&stage.board), ..http::Outside::default() },
    );
    let get = async |path: &str, who: &str| {
        let request = axum::http::Request::get(path).header("authorization", format!("Bearer {who}"));
        let request = request.body(axum::body::Body::empty()).expect("a request");
        let answer = router.clone().oneshot(request).await.expect("an answer");
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.expect("a body");
        (status, String::from_utf8(body.to_vec()).expect("text"))
    };
    let size = stage.append().await;
    stage.witnessed(size).await;
    stage.error(1, "it answers 500").await;
    let (status, shown) = get("/admin/witnesses", "Aud").await;
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!((status, &shown["policy"]), (200, &"1 of 2".into()));
    assert!(shown["witnessed_size"].as_u64() >= Some(size), "{shown}");
    assert_eq!(
        (&shown["witnesses"][0]["name"], &shown["witnesses"][0]["last_error"]),
        (&"good".into(), &serde_json::Value::Null)
    );
    assert_eq!(
        (&shown["witnesses"][1]["name"], &shown["witnesses"][1]["lag"]),
        (&"bad".into(), &shown["signed_size"])
    );
    assert!(shown["witnesses"][1]["failing_since"].is_string(), "{shown}");
    assert_eq!(get("/admin/witnesses", "nobody").await.0, 401);
    let (status, note) = get("/ledger/checkpoint/witnessed", "nobody").await;
    assert_eq!((status, cosigners(&note, &[&good])), (200, vec!["witness.test/good".to_owned()]));
    let (_, proof) = get("/ledger/proof/0", "nobody").await;
    assert!(proof.contains("\u{2014} witness.test/good "), "{proof}");
    assert!(
        get("/metrics", "nobody")
            .await
            .1
            .contains("countersign_witness_asked_total{witness=\"bad\",outcome=\"in_vain\"}")
    );
    stage.stop().await;
}
