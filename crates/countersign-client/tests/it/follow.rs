//! A log is followed over real HTTP while it grows, is out of order, drops old tiles, goes back, forks, and lies.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use countersign_client::follow::{Contradiction, Depth, FollowError, Follower, Memory, Seen, Step};
use countersign_client::{ClientError, Patience};
use countersign_ledger::checkpoint::Checkpoint;
use countersign_ledger::hash::leaf_hash;
use countersign_ledger::note::Ed25519Signer;
use countersign_ledger::tile::{Content, Tile, write_entries, write_hashes};
use countersign_ledger::tree::CompactRange;

use crate::scripted::hasty;

const ORIGIN: &str = "example.com/log";

/// How the log misbehaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mood {
    #[default]
    Well,
    /// Serves tiles with one bit flipped.
    DamagedTiles,
    /// Serves bundles in which one entry is another.
    OtherEntries,
    /// Has dropped the partial tiles that are full now.
    DroppedPartials,
    /// Its tiles cannot be had.
    NoTiles,
    /// Signs with another key.
    OtherKey,
    /// Shows another log's checkpoint.
    OtherOrigin,
}

#[derive(Default)]
struct Contents {
    leaves: Vec<Vec<u8>>,
    /// How many of them are shown in the checkpoint.
    shown: usize,
    mood: Mood,
    asked: BTreeSet<String>,
}

/// A log that does as it is told.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Contents>>);

impl Log {
    async fn start() -> (Self, Follower) {
        let log = Self::default();
        let router = Router::new().fallback(answer).with_state(log.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let prefix = format!("http://{}/some/log", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let keys = [signer(7, ORIGIN).verifier()];
        (log, Follower::new(&prefix, (ORIGIN, &keys)).unwrap().with_patience(hasty()))
    }

    fn grow(&self, size: usize) {
        let mut contents = self.0.lock().unwrap();
        for index in contents.leaves.len()..size {
            contents.leaves.push(format!("entry {index}").into_bytes());
        }
        contents.shown = size;
    }

    /// Another history from this entry on.
    fn rewrite(&self, index: usize) {
        self.0.lock().unwrap().leaves[index] = b"what really happened".to_vec();
    }

    fn mood(&self, mood: Mood) {
        self.0.lock().unwrap().mood = mood;
    }

    fn asked(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }
}

fn signer(seed: u8, name: &str) -> Ed25519Signer {
    Ed25519Signer::from_seed(name, [seed; 32]).unwrap()
}

impl Contents {
    fn checkpoint(&self) -> String {
        let mut tree = CompactRange::new();
        self.leaves.iter().take(self.shown).for_each(|leaf| tree.push(leaf_hash(leaf)));
        let origin = if self.mood == Mood::OtherOrigin { "example.com/other" } else { ORIGIN };
        let seed = if self.mood == Mood::OtherKey { 8 } else { 7 };
        let size = u64::try_from(self.shown).unwrap();
        let checkpoint =
            Checkpoint { origin: origin.into(), size, root: tree.root(), extensions: Vec::new() };
        checkpoint.sign(&[&signer(seed, ORIGIN)]).unwrap()
    }

    fn tile(&self, tile: &Tile) -> Option<Vec<u8>> {
        let size = u64::try_from(self.shown).unwrap();
        let full = Tile::in_tree(tile.content(), tile.index(), size).is_some_and(|now| now.is_full());
        let dropped = self.mood == Mood::DroppedPartials && full && !tile.is_full();
        if self.mood == Mood::NoTiles || dropped || !tile.is_within(size) {
            return None;
        }
        let mut bytes = match tile.content() {
            Content::Entries => {
                let range = tile.places();
                let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
                let mut entries: Vec<&[u8]> = self.leaves[range].iter().map(Vec::as_slice).collect();
                if self.mood == Mood::OtherEntries {
                    *entries.last_mut().unwrap() = b"another";
                }
                return write_entries(entries).ok();
            }
            Content::Hashes { level } => {
                // Each hash by itself, without any of the code that is tested.
                let span = 256_usize.pow(level.into());
                let hash = |place: u64| {
                    let place = usize::try_from(place).unwrap();
                    let mut tree = CompactRange::new();
                    let leaves = &self.leaves[place * span..(place + 1) * span];
                    leaves.iter().for_each(|leaf| tree.push(leaf_hash(leaf)));
                    tree.root()
                };
                write_hashes(&tile.places().map(hash).collect::<Vec<_>>())
            }
        };
        if self.mood == Mood::DamagedTiles {
            bytes[3] ^= 1;
        }
        Some(bytes)
    }
}

async fn answer(State(log): State<Log>, uri: Uri) -> Response {
    let mut contents = log.0.lock().unwrap();
    let path = uri.path().strip_prefix("/some/log/").unwrap().to_owned();
    let found = match path.as_str() {
        "checkpoint" => Some(contents.checkpoint().into_bytes()),
        // A log of somebody else's making names no keys.
        "keys" => None,
        tile => contents.tile(&tile.parse().unwrap()),
    };
    contents.asked.insert(path);
    found.map_or(StatusCode::NOT_FOUND.into_response(), IntoResponse::into_response)
}

fn seen(step: Result<Step, FollowError>) -> Seen {
    match step {
        Ok(Step::First(seen) | Step::Grown(seen)) => seen,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_log_that_grows_is_followed_by_few_tiles_or_with_every_entry() {
    for depth in [Depth::Proofs, Depth::Entries] {
        let (log, follower) = Log::start().await;
        log.grow(3);
        let mut last = seen(follower.look(None, depth).await);
        assert_eq!(last.checkpoint.size, 3);
        assert_eq!(follower.look(Some(&last), depth).await.unwrap(), Step::Unchanged);
        for size in [4, 200, 256, 257, 511, 512, 700] {
            log.grow(size);
            log.asked();
            let step = follower.look(Some(&last), depth).await;
            assert!(matches!(step, Ok(Step::Grown(_))), "{size}: {step:?}");
            last = seen(step);
            let asked = log.asked();
            let bundles = asked.iter().filter(|path| path.contains("entries")).count();
            assert_eq!(bundles > 0, depth == Depth::Entries, "{asked:?}");
            assert!(asked.len() <= 8, "{asked:?}");
        }
        assert_eq!(usize::try_from(last.checkpoint.size), Ok(700));
    }
}

#[tokio::test]
async fn partial_tiles_may_be_gone_once_they_are_full() {
    let (log, follower) = Log::start().await;
    log.grow(100);
    let last = seen(follower.look(None, Depth::Entries).await);
    // The checkpoint that is shown needs a partial tile, which is full when it is asked for.
    log.grow(300);
    let note = log.0.lock().unwrap().checkpoint();
    let shown = follower.read(note).unwrap();
    log.grow(600);
    log.mood(Mood::DroppedPartials);
    let step = follower.look(Some(&last), Depth::Entries).await;
    assert_eq!(seen(step).checkpoint.size, 600);
    assert!(matches!(follower.look(Some(&shown), Depth::Entries).await, Ok(Step::Grown(_))));
    assert!(log.asked().contains("tile/0/000"));
}

#[tokio::test]
async fn a_fork_is_proved_by_two_signed_checkpoints() {
    // Changed before, at and after tile edges; shown at the same size or a larger one.
    for (first, changed, second) in [(3, 0, 4), (3, 2, 3), (256, 255, 256), (256, 0, 600), (300, 270, 700)] {
        let (log, follower) = Log::start().await;
        log.grow(first);
        let last = seen(follower.look(None, Depth::Proofs).await);
        log.rewrite(changed);
        log.grow(second);
        let Err(FollowError::Fork(fork)) = follower.look(Some(&last), Depth::Proofs).await else {
            panic!("{first} {changed} {second}");
        };
        assert_eq!(fork.contradiction, Contradiction::Forked);
        let notes = [fork.seen.clone(), fork.shown.clone()].map(|note| follower.read(note).unwrap());
        assert_eq!(notes[0], last);
        assert_ne!(notes[0].checkpoint.root, notes[1].checkpoint.root);
        assert!(!FollowError::Fork(fork).may_pass());
    }
}

#[tokio::test]
async fn a_log_that_went_back_is_refused() {
    let (log, follower) = Log::start().await;
    log.grow(300);
    let last = seen(follower.look(None, Depth::Proofs).await);
    log.grow(299);
    let error = follower.look(Some(&last), Depth::Proofs).await.unwrap_err();
    assert!(
        matches!(&error, FollowError::Fork(fork) if fork.contradiction == Contradiction::WentBack),
        "{error}"
    );
}

#[tokio::test]
async fn trouble_is_not_a_fork() {
    let (log, follower) = Log::start().await;
    log.grow(300);
    let last = seen(follower.look(None, Depth::Proofs).await);
    log.grow(600);
    for (mood, depth) in [
        (Mood::DamagedTiles, Depth::Proofs),
        (Mood::OtherEntries, Depth::Entries),
        (Mood::NoTiles, Depth::Proofs),
    ] {
        log.mood(mood);
        let error = follower.look(Some(&last), depth).await.unwrap_err();
        assert!(error.may_pass() && !matches!(error, FollowError::Fork(_)), "{mood:?}: {error}");
        log.mood(Mood::Well);
        assert!(matches!(follower.look(Some(&last), depth).await, Ok(Step::Grown(_))), "{mood:?}");
    }
    let nobody = Follower::new("http://127.0.0.1:1", (ORIGIN, &[signer(7, ORIGIN).verifier()])).unwrap();
    let error = nobody.with_patience(Patience { attempts: 1, ..hasty() }).look(None, Depth::Proofs).await;
    assert!(matches!(error, Err(FollowError::Client(ClientError::Unreachable { .. }))));
}

#[tokio::test]
async fn only_the_logs_own_word_counts() {
    let (log, follower) = Log::start().await;
    log.grow(3);
    log.mood(Mood::OtherKey);
    assert!(matches!(follower.look(None, Depth::Proofs).await, Err(FollowError::Untrusted(_))));
    log.mood(Mood::OtherOrigin);
    let error = follower.look(None, Depth::Proofs).await.unwrap_err();
    assert!(matches!(error, FollowError::Origin { .. }) && !error.may_pass());
}

#[tokio::test]
async fn what_was_seen_is_remembered_and_proofs_are_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let memory = Memory::at(&folder.path().join("log.checkpoint"));
    assert_eq!(memory.recall().unwrap(), None);
    let (log, follower) = Log::start().await;
    log.grow(3);
    let last = seen(follower.look(None, Depth::Proofs).await);
    memory.remember(&last.note).unwrap();
    assert_eq!(memory.recall().unwrap().as_deref(), Some(last.note.as_str()));
    let mut files = BTreeSet::new();
    for changed in [0, 1, 1] {
        log.rewrite(changed);
        log.grow(5);
        let Err(FollowError::Fork(fork)) = follower.look(Some(&last), Depth::Proofs).await else { panic!() };
        let file = memory.keep(&fork).unwrap();
        let kept: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!((&kept["contradiction"], &kept["seen"]), (&"forked".into(), &last.note.clone().into()));
        files.insert(file);
    }
    assert_eq!(files.len(), 2, "the same proof is kept once");
    assert_eq!(memory.recall().unwrap(), Some(last.note), "what was remembered stays");
}
