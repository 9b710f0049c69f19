//! A witness of our own: what it cosigns, what it refuses, that it forgets nothing, and that two forks never both get a cosignature.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use countersign_ledger::checkpoint::Cosigned;
use countersign_ledger::note::{Cosigner, add};
use countersign_ledger::witness::checkpoint_path;
use countersign_server::clock::SystemClock;
use countersign_server::witness::{Folder, MAX_BODY, Memory, MemoryError, Watched, Witness, router};
use tower::ServiceExt as _;

use self::log::{Log, ORIGIN, signer};
use crate::child::{Child, say};

pub(crate) mod log;

const NAME: &str = "witness.example/harbour";

fn cosigner() -> Cosigner {
    Cosigner::from_seed(NAME, [9; 32]).expect("a cosigner")
}

/// A witness of the test's log that remembers there.
pub(crate) fn witness(memory: impl Memory + 'static) -> Witness {
    let watched = Watched { origin: ORIGIN.into(), keys: vec![signer().verifier()] };
    Witness::new(cosigner(), vec![watched], (Box::new(memory), Arc::new(SystemClock::new())))
}

fn opened(folder: &Path) -> Router {
    router(Arc::new(witness(Folder::take(folder).expect("a folder"))))
}

struct Answer {
    status: u16,
    kind: String,
    body: String,
}

impl Answer {
    /// Status and body, as a 409 gives them.
    fn told(&self) -> (u16, &str) {
        (self.status, &self.body)
    }
}

async fn call(router: &Router, request: Request<Body>) -> Answer {
    let answer = router.clone().oneshot(request).await.expect("an answer");
    let (parts, body) = answer.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.expect("a body");
    let kind = parts.headers.get("content-type").map(|kind| kind.to_str().expect("text").to_owned());
    let body = String::from_utf8(body.to_vec()).expect("text");
    Answer { status: parts.status.as_u16(), kind: kind.unwrap_or_default(), body }
}

async fn ask(router: &Router, body: impl ToString) -> Answer {
    let request = Request::post("/add-checkpoint").body(Body::from(body.to_string())).expect("a request");
    call(router, request).await
}

async fn latest(router: &Router) -> Answer {
    let path = format!("/{}", checkpoint_path(ORIGIN));
    call(router, Request::get(path).body(Body::empty()).expect("a request")).await
}

/// The note with the witness' line, opened by both keys.
fn cosigned(note: &str, line: &str) -> Cosigned {
    let note = add(note, line, &[cosigner().verifier()]).expect("it holds");
    let cosigned = Cosigned::open(&note, &[signer().verifier()], &[cosigner().verifier()]);
    let cosigned = cosigned.expect("both signed");
    assert_eq!(cosigned.cosigned_by.len(), 1);
    cosigned
}

#[tokio::test]
async fn a_log_that_goes_on_is_cosigned_and_remembered() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut old = 0;
    for size in [1, 2, 7, 7, 300] {
        // A new process each time: nothing is remembered but what is in the folder.
        let router = opened(folder.path());
        let log = Log::default().grow(size, "entry");
        let answer = ask(&router, log.request(old)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let cosigned = cosigned(&log.note(), &answer.body);
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time").as_secs();
        assert!(cosigned.cosigned_by[0].cosigned_at.is_some_and(|time| now - time < 60));
        let shown = latest(&router).await;
        assert_eq!(shown.status, 200);
        let shown = Cosigned::open(&shown.body, &[signer().verifier()], &[cosigner().verifier()]);
        assert_eq!(shown.expect("cosigned").checkpoint, cosigned.checkpoint);
        old = log.size();
    }
}

#[tokio::test]
async fn what_does_not_continue_is_refused_as_the_specification_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let router = opened(folder.path());
    assert_eq!(latest(&router).await.status, 404);
    let log = Log::default().grow(5, "entry");
    assert_eq!(ask(&router, log.request(0)).await.status, 200);
    let next = log.clone().grow(9, "entry");
    let other = Log::default().grow(9, "another");

    for old in [0, 4, 6, 9] {
        let answer = ask(&router, next.request(old)).await;
        assert_eq!((answer.told(), answer.kind.as_str()), ((409, "5\n"), "text/x.tlog.size"), "old {old}");
    }
    assert_eq!(
        ask(&router, Log::default().grow(5, "another").request(5)).await.told(),
        (409, "5\n"),
        "a fork"
    );
    assert_eq!(ask(&router, other.request(5)).await.status, 422, "a fork");
    assert_eq!(ask(&router, Log::default().grow(4, "entry").request(5)).await.status, 400, "back");
    let mut stranger = next.request(5);
    stranger.checkpoint = stranger.checkpoint.replace(ORIGIN, "example.com/unknown");
    assert_eq!(ask(&router, &stranger).await.status, 404);
    let mut forged = next.request(5);
    forged.checkpoint = forged.checkpoint.replacen("\n9\n", "\n10\n", 1);
    assert_eq!(ask(&router, &forged).await.status, 403);
    for odd in ["", "old 5", "old 05\n\n", "new 5\n\nx"] {
        assert_eq!(ask(&router, odd).await.status, 400, "{odd:?}");
    }
    assert_eq!(ask(&router, "x".repeat(MAX_BODY + 1)).await.status, 413);
    let get = Request::get("/add-checkpoint").body(Body::empty()).expect("a request");
    assert_eq!(call(&router, get).await.status, 405);

    // After all that, the log goes on from where it was; and the fork left its proof.
    assert_eq!(ask(&router, next.request(5)).await.status, 200);
    let proofs = std::fs::read_dir(folder.path()).expect("a folder");
    let proofs = proofs.filter(|file| {
        let name = file.as_ref().expect("a file").file_name();
        name.to_string_lossy().ends_with(".fork")
    });
    assert_eq!(proofs.count(), 1);
}

#[tokio::test]
async fn signatures_of_strangers_do_not_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let router = opened(folder.path());
    let mut request = Log::default().grow(5, "entry").request(0);
    let stranger = Cosigner::from_seed("stranger.example", [8; 32]).expect("a cosigner");
    let text = request.checkpoint.split_once("\n\n").expect("a note").0.to_owned() + "\n";
    let line =
        countersign_ledger::note::signature_line(&text, &stranger.at(1).expect("a time")).expect("a line");
    request.checkpoint.push_str(&line);
    assert_eq!(ask(&router, &request).await.status, 200);
    let shown = latest(&router).await.body;
    assert!(shown.contains("— example.com/log ") && !shown.contains("stranger"), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_forks_that_race_one_is_cosigned() {
    let folder = tempfile::tempdir().expect("a folder");
    let router = opened(folder.path());
    let mut agreed = Log::default().grow(1, "entry");
    assert_eq!(ask(&router, agreed.request(0)).await.status, 200);
    for round in 0..40 {
        let old = agreed.size();
        let size = usize::try_from(old).expect("small") + 1 + round % 3;
        let forks: Vec<Log> =
            (0..4).map(|fork| agreed.clone().grow(size, &format!("{round} {fork}"))).collect();
        let racing = forks.iter().map(|fork| {
            let (router, request) = (router.clone(), fork.request(old));
            tokio::spawn(async move { ask(&router, request).await })
        });
        let racing: Vec<_> = racing.collect();
        let mut winners = Vec::new();
        for (fork, answer) in forks.iter().zip(racing) {
            let answer = answer.await.expect("no panic");
            if answer.status == 200 {
                cosigned(&fork.note(), &answer.body);
                winners.push(fork.clone());
            } else {
                assert_eq!(answer.told(), (409, format!("{}\n", fork.size()).as_str()));
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        agreed = winners.remove(0);
    }
}

/// The child: two forks in a row, and how many of them were cosigned.
pub(crate) fn play_forks() {
    #[cfg(feature = "sabotage")]
    countersign_core::sabotage::activate(countersign_core::sabotage::Sabotage::ForgetfulWitness);
    let folder = tempfile::tempdir().expect("a folder");
    let witness = witness(Folder::take(folder.path()).expect("a folder"));
    let forks = ["one", "another"].map(|word| Log::default().grow(5, word).request(0).to_string());
    let cosigned = forks.iter().filter(|fork| witness.add_checkpoint(fork).is_ok()).count();
    say(&format!("{cosigned} cosigned"));
}

/// A witness that answers without having remembered is noticed by the very test of the race.
#[cfg(feature = "sabotage")]
#[test]
fn a_witness_that_forgets_would_be_noticed() {
    let mut child = Child::start(std::process::Command::new("env"), "forks");
    assert_eq!(child.line().as_deref(), Some("2 cosigned"));
}

/// Remembers, says so, and never comes back: the witness hangs between remembering and answering.
struct Stuck(Folder);

impl Memory for Stuck {
    fn recall(&self, origin: &str) -> Result<Option<String>, MemoryError> {
        self.0.recall(origin)
    }

    fn remember(&self, origin: &str, note: &str) -> Result<(), MemoryError> {
        self.0.remember(origin, note)?;
        say("remembered");
        loop {
            std::thread::park_timeout(Duration::from_secs(3_600));
        }
    }

    fn keep_proof(&self, origin: &str, proof: &str) -> Result<(), MemoryError> {
        self.0.keep_proof(origin, proof)
    }
}

/// The child: is asked for a cosignature and never gives it.
pub(crate) fn play() {
    let folder = std::env::var("COUNTERSIGN_TEST_FOLDER").expect("a folder");
    let witness = witness(Stuck(Folder::take(Path::new(&folder)).expect("a folder")));
    let answer = witness.add_checkpoint(&Log::default().grow(9, "entry").request(5).to_string());
    say(&format!("answered {answer:?}"));
}

#[tokio::test]
async fn a_witness_killed_before_it_answers_cosigns_no_fork_afterwards() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = Log::default().grow(5, "entry");
    assert_eq!(ask(&opened(folder.path()), log.request(0)).await.status, 200);
    let mut env = std::process::Command::new("env");
    env.env("COUNTERSIGN_TEST_FOLDER", folder.path());
    let mut child = Child::start(env, "witness");
    assert_eq!(child.line().as_deref(), Some("remembered"));
    assert_eq!(child.kill(), [] as [&str; 0], "it answered nobody");

    let router = opened(folder.path());
    let fork = log.clone().grow(9, "another");
    assert_eq!(ask(&router, fork.request(5)).await.told(), (409, "9\n"));
    assert_eq!(ask(&router, fork.request(9)).await.told(), (409, "9\n"));
    let truth = log.grow(9, "entry");
    assert_eq!(
        ask(&router, truth.request(5)).await.told(),
        (409, "9\n"),
        "the log is told where the witness is"
    );
    assert_eq!(ask(&router, truth.request(9)).await.status, 200, "and gets its cosignature");
}

#[tokio::test]
async fn without_its_memory_a_witness_cosigns_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = Log::default().grow(5, "entry");
    let router = opened(folder.path());
    assert!(Folder::take(folder.path()).is_err(), "one witness at a time");
    assert_eq!(ask(&router, log.request(0)).await.status, 200);
    let name = checkpoint_path(ORIGIN).replace("/checkpoint", ".checkpoint");
    let file = folder.path().join(name);
    let kept = std::fs::read_to_string(&file).expect("a memory");
    let next = log.clone().grow(9, "entry");
    for damaged in ["", "example.com/log\n", &kept.replacen("\n5\n", "\n4\n", 1), &log.note()] {
        std::fs::write(&file, damaged).expect("it is written");
        for old in [0, 4, 5] {
            assert_eq!(ask(&router, next.request(old)).await.status, 503, "{damaged:?}");
        }
    }
    std::fs::write(&file, kept).expect("it is written");
    assert_eq!(ask(&router, next.request(5)).await.status, StatusCode::OK.as_u16());
}
