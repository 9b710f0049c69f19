//! Finding entries: an index over the log, derived from it, in a file of its own.
//!
//! The log does not know that it is indexed: appending costs what it did before. The index follows at a distance of some
//! milliseconds, and says how far it has come; whoever asks waits until it covers the log as it was when they asked, for a
//! moment at most, and is then told that it does not answer yet. An answer never leaves out an entry in silence.
//!
//! # Layout
//! - `criteria`: what is asked for, read strictly
//! - `terms` `about`: what the index keeps of an entry
//! - `index`: the database that holds it
//! - `follow`: from the log into the index
//! - `scan`: the same filters over a log that has no index

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinHandle;

use crate::engine::{Engine, EngineError};
use crate::store::{Reader, StoreError, StoredEntry};

mod about;
mod criteria;
mod follow;
mod index;
mod scan;
mod terms;
#[cfg(test)]
mod tests;

pub use criteria::{Criteria, CriteriaError, Direction};
pub use index::{IndexError, Place};
pub use scan::Scan;

use follow::{FollowError, Follower};
use index::{IndexReader, Wanted};

/// How long a question waits for the index to catch up.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long the index lets entries gather while nobody asks: a transaction for each would cost the append path its processor.
const LULL: Duration = Duration::from_millis(200);

/// How long the index rests after something went wrong, unless somebody asks.
const REST: Duration = Duration::from_secs(5);

/// How many questions are looked up at once.
const READERS: usize = 4;

/// Why a question has no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SearchError {
    /// The index does not cover the log yet.
    #[error("the search index covers {covered} of {size} entries{}", why(.trouble.as_deref()))]
    Behind {
        /// Entries it covers.
        covered: u64,
        /// Entries there were when the question was asked.
        size: u64,
        /// What keeps it from going on, if something does.
        trouble: Option<Arc<str>>,
    },
    /// The engine's readers do not answer.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

fn why(trouble: Option<&str>) -> String {
    trouble.map(|trouble| format!(": {trouble}")).unwrap_or_default()
}

/// Which part of what fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Begin here, inclusive.
    pub from: Option<u64>,
    /// Go on in this direction.
    pub direction: Direction,
    /// For at most this many.
    pub limit: usize,
}

impl Part {
    fn of(self, span: Range<u64>) -> Wanted {
        let Self { from, direction, limit } = self;
        let span = match (direction, from) {
            (_, None) => span,
            (Direction::Oldest, Some(from)) => span.start.max(from)..span.end,
            (Direction::Newest, Some(from)) => span.start..span.end.min(from.saturating_add(1)),
        };
        Wanted { span, direction, limit }
    }
}

/// How far the index has come.
#[derive(Clone, Debug, Default)]
struct Coverage {
    /// Counts the databases that were the index; answers of a former one do not count.
    generation: u64,
    size: u64,
    trouble: Option<Arc<str>>,
}

struct Shared {
    place: Place,
    engine: Engine,
    coverage: watch::Sender<Coverage>,
    /// Somebody waits.
    wanted: Notify,
    /// A question met damage.
    doubted: AtomicBool,
    free: Mutex<Vec<(u64, IndexReader)>>,
    permits: Semaphore,
}

/// A handle to the index; clones are cheap.
#[derive(Clone)]
pub struct Search {
    shared: Arc<Shared>,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Search").field("place", &self.shared.place).finish_non_exhaustive()
    }
}

impl Search {
    /// Begins to follow the engine's log, on the current runtime. Nothing waits for it: an index that must be made again answers
    /// later.
    #[must_use]
    pub fn start(engine: &Engine, place: Place) -> Self {
        let shared = Arc::new(Shared {
            place: place.clone(),
            engine: engine.clone(),
            coverage: watch::Sender::default(),
            wanted: Notify::new(),
            doubted: AtomicBool::new(false),
            free: Mutex::default(),
            permits: Semaphore::new(READERS),
        });
        let task = tokio::spawn(run(Arc::clone(&shared), Follower::new(place)));
        Self { shared, task: Arc::new(Mutex::new(Some(task))) }
    }

    /// Stops following. What was under way ends by itself and is written whole or not at all.
    pub async fn stop(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
            // Cancelled is what it should be.
            drop(task.await);
        }
    }

    /// The entries that fit, in order, as of now.
    ///
    /// # Errors
    /// The index does not cover the log soon enough, or the log cannot be read.
    pub async fn find(&self, criteria: Criteria, part: Part) -> Result<Vec<StoredEntry>, SearchError> {
        let size = self.shared.engine.size();
        let engine = &self.shared.engine;
        let (criteria, span) = engine
            .read(move |reader| {
                let span = criteria.span(reader, size)?;
                Ok((criteria, span))
            })
            .await?;
        let wanted = part.of(span);
        if wanted.span.is_empty() {
            return Ok(Vec::new());
        }
        match criteria.expression() {
            None => Ok(engine.read(move |reader| stretch(reader, &wanted)).await?),
            Some(expression) => {
                let found = self.look_up((expression.to_owned(), wanted), size).await?;
                Ok(engine.read(move |reader| one_by_one(reader, &found)).await?)
            }
        }
    }

    /// Asks the index as soon as it covers `size` entries.
    async fn look_up(&self, question: (String, Wanted), size: u64) -> Result<Vec<u64>, SearchError> {
        let Shared { coverage, wanted, permits, .. } = &*self.shared;
        let mut coverage = coverage.subscribe();
        wanted.notify_one();
        let covers = coverage.wait_for(|coverage| coverage.size >= size);
        let generation = match tokio::time::timeout(PATIENCE, covers).await {
            Ok(Ok(coverage)) => coverage.generation,
            _ => return Err(self.behind(size, None)),
        };
        let _permit = permits.acquire().await.map_err(|_| EngineError::Stopped)?;
        let shared = Arc::clone(&self.shared);
        let look = move || shared.ask(generation, &question);
        let answer = tokio::task::spawn_blocking(look).await.map_err(|_| EngineError::Stopped)?;
        // A database that was replaced meanwhile is not to be believed.
        match answer {
            Ok(found) if self.shared.coverage.borrow().generation == generation => Ok(found),
            Ok(_) => Err(self.behind(size, None)),
            Err(error) => {
                if matches!(error, IndexError::Damaged(_)) {
                    self.shared.doubted.store(true, Ordering::Relaxed);
                    self.shared.wanted.notify_one();
                }
                Err(self.behind(size, Some(error.to_string().into())))
            }
        }
    }

    fn behind(&self, size: u64, trouble: Option<Arc<str>>) -> SearchError {
        let coverage = self.shared.coverage.borrow();
        SearchError::Behind {
            covered: coverage.size,
            size,
            trouble: trouble.or_else(|| coverage.trouble.clone()),
        }
    }
}

impl Shared {
    fn ask(&self, generation: u64, (expression, wanted): &(String, Wanted)) -> Result<Vec<u64>, IndexError> {
        let free = || self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let known = free().pop().filter(|(of, _)| *of == generation);
        let reader = match known {
            Some((_, reader)) => reader,
            None => IndexReader::open(&self.place)?,
        };
        let found = reader.find(expression, wanted)?;
        free().push((generation, reader));
        Ok(found)
    }

    /// Tells those who wait how far the index is.
    fn tell(&self, follower: &Follower, anew: bool) {
        self.coverage.send_modify(|coverage| {
            coverage.generation += u64::from(anew);
            coverage.size = follower.covered();
            coverage.trouble = None;
        });
    }
}

/// Follows the log until the task is stopped or the engine no longer reads.
async fn run(shared: Arc<Shared>, mut follower: Follower) {
    let mut commits = shared.engine.commits();
    loop {
        commits.mark_unchanged();
        let outcome;
        (follower, outcome) = catch_up(&shared, follower).await;
        match outcome {
            Ok(()) => {
                tokio::select! {
                    () = shared.wanted.notified() => {}
                    changed = commits.changed() => {
                        if changed.is_err() { return }
                        drop(tokio::time::timeout(LULL, shared.wanted.notified()).await);
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "the search index cannot go on");
                let trouble: Arc<str> = error.to_string().into();
                shared.coverage.send_modify(|coverage| coverage.trouble = Some(trouble));
                drop(tokio::time::timeout(REST, shared.wanted.notified()).await);
            }
        }
    }
}

/// Takes in everything there is. Each step is a read of its own, so that a long way does not keep a reader from others.
async fn catch_up(shared: &Arc<Shared>, mut follower: Follower) -> (Follower, Result<(), FollowError>) {
    loop {
        let told = Arc::clone(shared);
        let step = move |reader: &mut dyn Reader| {
            let went_on = step(&told, &mut follower, reader);
            Ok((follower, went_on))
        };
        match shared.engine.read(step).await {
            Ok((back, Ok(true))) => follower = back,
            Ok((back, outcome)) => return (back, outcome.map(drop)),
            // The read took the follower with it; what it wrote is there.
            Err(error) => return (Follower::new(shared.place.clone()), Err(error.into())),
        }
    }
}

fn step(shared: &Shared, follower: &mut Follower, reader: &mut dyn Reader) -> Result<bool, FollowError> {
    let stepped = if shared.doubted.swap(false, Ordering::Relaxed) {
        Err(IndexError::Damaged("a question could not be answered".to_owned()).into())
    } else {
        follower.open(reader).and_then(|anew| {
            let went_on = follower.step(reader)?;
            shared.tell(follower, anew);
            Ok(went_on)
        })
    };
    match stepped {
        Err(FollowError::Index(IndexError::Damaged(why))) => {
            tracing::warn!(why, "the search index is made again");
            shared.coverage.send_modify(|coverage| {
                coverage.generation += 1;
                coverage.size = 0;
            });
            follower.discard()?;
            Ok(true)
        }
        other => other,
    }
}

/// Entries that follow one another.
fn stretch(reader: &mut dyn Reader, wanted: &Wanted) -> Result<Vec<StoredEntry>, StoreError> {
    let Wanted { span, direction, limit } = wanted;
    let most = u64::try_from(*limit).unwrap_or(u64::MAX).min(span.end - span.start);
    let count = usize::try_from(most).unwrap_or(usize::MAX);
    match direction {
        Direction::Oldest => reader.entries(span.start, count),
        Direction::Newest => {
            let mut entries = reader.entries(span.end - most, count)?;
            entries.reverse();
            Ok(entries)
        }
    }
}

fn one_by_one(reader: &mut dyn Reader, found: &[u64]) -> Result<Vec<StoredEntry>, StoreError> {
    let missing = |index: &u64| StoreError::Corrupt(format!("entry {index} is missing"));
    found.iter().map(|index| reader.entries(*index, 1)?.pop().ok_or_else(|| missing(index))).collect()
}
