//! `countersign ledger follow`: looks at a log again and again, from outside, and remembers what it saw.
//!
//! It needs no credential: only the log's public routes and its key. Trouble with the network is told and waited out; a log that
//! contradicts itself ends the program, with both signed checkpoints in a file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use countersign_client::follow::{Depth, FollowError, Follower, Fork, Memory, Seen, Step};
use serde_json::{Value, json};

use super::Session;
use super::ledger::Pinned;
use crate::failure::{Failure, Kind};
use crate::output::{line, visible};

/// The first wait after trouble; each further one is twice as long, up to the interval.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// Where the proof of a fork goes when nothing else is remembered.
const UNREMEMBERED: &str = "countersign";

#[derive(Debug, Args)]
pub(crate) struct Follow {
    /// Where the log is: the server's link with `/ledger`, or the prefix of any other C2SP tlog-tiles log.
    url: String,
    #[command(flatten)]
    pinned: Pinned,
    /// The file that remembers the last checkpoint from run to run.
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Seconds between two looks.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    interval: u64,
    /// Look once and end.
    #[arg(long)]
    once: bool,
    /// Also fetch every new entry and check that it is in the tree.
    #[arg(long)]
    entries: bool,
}

/// A run under way.
struct Following<'s> {
    session: &'s Session,
    follower: Follower,
    memory: Option<Memory>,
    last: Option<Seen>,
    depth: Depth,
}

pub(crate) async fn run(session: &Session, follow: &Follow) -> anyhow::Result<()> {
    let key = follow.pinned.key()?;
    let origin = follow.pinned.origin(&key).to_owned();
    let follower = Follower::new(&follow.url, (&origin, std::slice::from_ref(&key)))?;
    let memory = follow.state.as_deref().map(Memory::at);
    let last = match &memory {
        Some(memory) => recalled(memory, &follower).await?,
        None => None,
    };
    let depth = if follow.entries { Depth::Entries } else { Depth::Proofs };
    let mut following = Following { session, follower, memory, last, depth };
    let interval = Duration::from_secs(follow.interval);
    let mut wait = FIRST_WAIT;
    loop {
        let pause = match following.look().await {
            Ok(()) => {
                wait = FIRST_WAIT;
                interval
            }
            Err(error) if follow.once || !error.may_pass() => return following.end(error),
            Err(error) => {
                following.tell_trouble(&error)?;
                let pause = wait.min(interval);
                wait = wait.saturating_mul(2);
                pause
            }
        };
        if follow.once {
            return Ok(());
        }
        tokio::time::sleep(pause).await;
    }
}

/// What an earlier run saw, if it is of this log: another log's memory is a mistake, not a fork.
async fn recalled(memory: &Memory, follower: &Follower) -> anyhow::Result<Option<Seen>> {
    let place = || format!("`{}`", memory.path().display());
    let Some(note) = memory.recall().with_context(place)? else { return Ok(None) };
    let wrong = |error: FollowError| {
        Failure::new(Kind::Malformed, format!("{}: {error}", place()))
            .hint("give each log a file of its own; a file that was damaged can only be replaced by another copy of it")
    };
    match follower.believe(note).await {
        Err(FollowError::Client(error)) => Err(error.into()),
        read => Ok(Some(read.map_err(wrong)?)),
    }
}

impl Following<'_> {
    async fn look(&mut self) -> Result<(), Ended> {
        let before = self.last.as_ref().map(|seen| seen.checkpoint.size);
        let seen = match self.follower.look(self.last.as_ref(), self.depth).await? {
            Step::Unchanged => {
                let size = before.unwrap_or_default();
                let event = json!({ "event": "unchanged", "size": size });
                return Ok(self.tell(&event, &format!("unchanged: {size} entries"))?);
            }
            Step::First(seen) | Step::Grown(seen) => seen,
        };
        // Remembered before it is told, so that nobody relies on what a crash could forget.
        if let Some(memory) = &self.memory {
            memory.remember(&seen.note).with_context(|| format!("`{}`", memory.path().display()))?;
        }
        self.tell_seen(&seen, before)?;
        self.last = Some(seen);
        Ok(())
    }

    fn tell_seen(&self, seen: &Seen, before: Option<u64>) -> anyhow::Result<()> {
        let (size, root) = (seen.checkpoint.size, seen.checkpoint.root.to_string());
        let entries = self.depth == Depth::Entries;
        let checked = if entries { ", every new entry is in the tree" } else { "" };
        let Some(from) = before else {
            let event = json!({ "event": "first", "size": size, "root": root, "entries_checked": entries });
            let kept = self.memory.as_ref().map_or_else(
                || "until this program ends; `--state FILE` would remember it for the next one".to_owned(),
                |memory| format!("in `{}`", memory.path().display()),
            );
            let words = format!(
                "first: {size} entries, root {root}{checked}\nNothing was seen of this log before, so whether it was changed until now is not shown.\n\
                 From here on it cannot change unnoticed: this checkpoint is remembered {kept}."
            );
            return self.tell(&event, &words);
        };
        let event =
            json!({ "event": "grown", "from": from, "size": size, "root": root, "entries_checked": entries });
        self.tell(&event, &format!("grown: {from} to {size} entries, root {root}, consistent{checked}"))
    }

    fn tell(&self, event: &Value, words: &str) -> anyhow::Result<()> {
        line(&if self.session.output.is_json() { event.to_string() } else { words.to_owned() })
    }

    fn tell_trouble(&self, error: &Ended) -> anyhow::Result<()> {
        let why = format!("{:#}", error.cause);
        let words = format!("trouble, no verdict: {}", visible(&why));
        self.tell(&json!({ "event": "trouble", "detail": why }), &words)
    }

    /// Ends the run: a fork leaves its proof, everything else its cause.
    fn end(&self, ended: Ended) -> anyhow::Result<()> {
        match ended.cause.downcast::<FollowError>() {
            Ok(FollowError::Fork(fork)) => Err(self.forked(&fork)?.into()),
            Ok(FollowError::Client(error)) => Err(error.into()),
            Ok(error) => Err(Failure::new(Kind::Unverified, error.to_string()).into()),
            Err(other) => Err(other),
        }
    }

    fn forked(&self, fork: &Fork) -> anyhow::Result<Failure> {
        let unremembered = Memory::at(Path::new(UNREMEMBERED));
        let file = self
            .memory
            .as_ref()
            .unwrap_or(&unremembered)
            .keep(fork)
            .context("keeping the proof of the fork")?;
        let what = FollowError::Fork(Box::new(fork.clone())).to_string();
        let hint = format!(
            "both signed checkpoints are in `{}`: keep it, show it to others who follow the log, and trust nothing that rests on this log \
             until it is explained",
            file.display()
        );
        Ok(Failure::new(Kind::Unverified, what).hint(hint))
    }
}

/// Why a look ended without a verdict, or the run with one.
struct Ended {
    cause: anyhow::Error,
}

impl Ended {
    fn may_pass(&self) -> bool {
        self.cause.downcast_ref().is_some_and(FollowError::may_pass)
    }
}

impl From<FollowError> for Ended {
    fn from(error: FollowError) -> Self {
        Self { cause: error.into() }
    }
}

impl From<anyhow::Error> for Ended {
    fn from(cause: anyhow::Error) -> Self {
        Self { cause }
    }
}
