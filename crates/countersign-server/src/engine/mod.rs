//! The only write path: load → decide → append → apply → publish.
//!
//! One thread owns the store. It takes whatever commands wait, decides them one after another on a staged copy of the state (each sees
//! the events of those before it), appends all their entries in one commit, and only then publishes the state and answers.
//!
//! # Layout
//! - `clocks`: the node's clock, held against that of the database
//! - `codec`: events to leaves and back, items to records and back
//! - `doubt`: appends of which nobody said whether they were kept
//! - `freshness`: how old the proof is that the state shown is the log's
//! - `standing`: what stands where details are to be deleted
//! - `stage`: decides a batch and builds what one commit writes
//! - `writer`: the thread: batches, commits, conflicts
//! - `cosignatures`: what witnesses say, merged into the note it is about
//! - `signing`: the thread that signs checkpoints, however slow the signer
//! - `keys`: the keys at hand, and the keys the log had
//! - `snapshots`: when one is due, and its encoding on a thread of its own
//! - `entropy`: randomness for ids and salts
//! - `failures`: sign-ins that failed, counted until there were enough to be written down
//! - `refusals`: what people were refused, counted until it is written down
//! - `uses`: how often tokens were used, counted until it is written down
//! - `recover`: start-up: snapshot, tail, and the checkpoint kept outside the database
//! - `census`: entries counted per subject, from time to time
//! - `steps`: an engine whose writer works when it is told to, for simulations
//! - `readers`: a small pool of readers for people, and one for the public

use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use countersign_core::id::{PersonId, TokenId};
use countersign_core::time::Time;
use countersign_core::token::NoteUse;
use countersign_core::{Actor, Command, Event, Fact, Item, Refusal, State, Via};
use countersign_ledger::hash::Hash;
use countersign_ledger::keys::{KeyHistory, LogSigner};
use tokio::sync::{Semaphore, oneshot, watch};

use crate::clock::{Clock, Moment};
use crate::store::{Reader, Store, StoreError, StoredCheckpoint};

pub mod census;
mod clocks;
pub mod codec;
mod cosignatures;
mod doubt;
mod entropy;
mod evaluation;
mod failures;
mod freshness;
mod keys;
mod readers;
mod recover;
mod refusals;
mod signing;
mod snapshots;
mod stage;
mod standing;
#[cfg(feature = "simulation")]
pub mod steps;
mod uses;
mod writer;

use failures::Failures;
use keys::Signers;
use readers::Readers;
use uses::Uses;
use writer::{Hands, Writer};

pub use cosignatures::Cosignature;
pub(crate) use cosignatures::witnessed_beside;
pub use failures::Shown;
use freshness::Freshness;
pub use freshness::REVOCATION_BOUND;
pub use keys::CrossSignError;
pub(crate) use keys::follow as follow_keys;
pub use signing::SigningTrouble;

/// Commands that may wait at once; more wait outside the queue.
const QUEUE: usize = 4_096;

/// What a node needs to run an engine.
pub struct Options {
    /// Signs checkpoints.
    pub signer: Arc<dyn LogSigner>,
    /// The key that is to follow, if one is at hand. Which of the two is in force is what the log says.
    pub next_signer: Option<Arc<dyn LogSigner>>,
    /// The file beside the key that keeps the last signed checkpoint; none in tests without a disk.
    pub anchor: Option<PathBuf>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").field("anchor", &self.anchor).finish_non_exhaustive()
    }
}

/// Says what is kept beside the entry of a fact.
pub type DetailsFn = dyn Fn(&Fact) -> Option<Vec<u8>> + Send;

/// What is kept beside an entry, and beside which.
pub enum DetailsOf {
    /// Nothing.
    None,
    /// Canonical JSON beside the entry the command is mainly about.
    Principal(Vec<u8>),
    /// Whatever the function says for each.
    Each(Box<DetailsFn>),
}

impl fmt::Debug for DetailsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Principal(_) => "Principal(…)",
            Self::Each(_) => "Each(…)",
        })
    }
}

/// Makes a repeated request harmless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key the client chose.
    pub key: String,
    /// SHA-256 of the request, which steps up may be bound to: of `countersign-request-v1`, its method, path and body.
    pub body_sha256: Hash,
}

/// A command on its way in.
#[derive(Debug)]
pub struct Submission {
    /// Who.
    pub actor: Actor,
    /// By which session, if by one, and with which request.
    pub session: Option<Via>,
    /// What.
    pub command: Command,
    /// With which text beside the entries.
    pub details: DetailsOf,
    /// Under which idempotency key.
    pub idempotency: Option<IdempotencyKey>,
}

impl Submission {
    /// A command without details and without an idempotency key.
    #[must_use]
    pub fn new(actor: Actor, command: Command) -> Self {
        Self { actor, session: None, command, details: DetailsOf::None, idempotency: None }
    }

    /// By a session, if by one.
    #[must_use]
    pub fn via(self, session: Option<Via>) -> Self {
        Self { session, ..self }
    }

    /// Puts canonical JSON beside the entry the command is mainly about.
    #[must_use]
    pub fn with_details(self, canonical_json: Vec<u8>) -> Self {
        Self { details: DetailsOf::Principal(canonical_json), ..self }
    }

    /// The same, if there is something to say.
    #[must_use]
    pub fn with_optional_details(self, canonical_json: Option<Vec<u8>>) -> Self {
        match canonical_json {
            Some(details) => self.with_details(details),
            None => self,
        }
    }

    /// Makes a repetition harmless.
    #[must_use]
    pub fn with_idempotency(self, key: IdempotencyKey) -> Self {
        Self { idempotency: Some(key), ..self }
    }
}

/// A command that happened, durably.
#[derive(Clone, Debug)]
pub struct Committed {
    /// Index of its first entry; 0 if it caused none.
    pub first: u64,
    /// What it caused.
    pub events: Arc<[Event]>,
    /// The state of what it is mainly about, after it.
    pub item: Option<Item>,
    /// Whether this is the answer to an earlier request with the same idempotency key.
    pub replayed: bool,
}

/// Why a command did not happen.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    /// The rules refuse it.
    #[error("{0}")]
    Refused(Refusal),
    /// The idempotency key was used for another request, or for one of which nobody can tell any more.
    #[error("this idempotency key was used for another request, or the details of what it did were redacted")]
    IdempotencyMismatch,
    /// Not now: nothing was changed, trying again later is safe.
    #[error("{0}")]
    Unavailable(String),
    /// The rules allow it, but a signature in it does not hold.
    #[error("{0}")]
    Unverified(String),
    /// Whether it happened could not be found out in time: the connection was lost in the middle. It is never said to have failed.
    #[error("{0}")]
    Unknown(String),
    /// The node cannot show that it knows who was revoked, so it lets nobody do anything.
    #[error("{0}")]
    Stale(String),
    /// The engine has stopped.
    #[error("the engine has stopped")]
    Stopped,
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        match error {
            // What exactly contradicts itself is for those who run the node.
            StoreError::Corrupt(why) => {
                tracing::error!(%why, "the store is corrupt");
                Self::Unavailable("what is stored contradicts itself; the node's log says where".into())
            }
            error => Self::Unavailable(error.to_string()),
        }
    }
}

/// Why an engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store does not answer, or contradicts itself.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The checkpoint kept outside the database speaks of another log, or of a longer one.
    #[error("{0}")]
    Anchor(String),
    /// The key that signs the log is not at hand.
    #[error("the log is signed by `{log}`, the configured key is `{}`", configured.join("` or `"))]
    OtherKey {
        /// As configured, as vkeys.
        configured: Vec<String>,
        /// As the log says, as a vkey.
        log: String,
    },
    /// The thread could not be started.
    #[error("the engine's thread could not be started: {0}")]
    Thread(#[from] std::io::Error),
}

struct Request {
    submission: Submission,
    /// When it was handed in.
    arrived: Moment,
    reply: oneshot::Sender<Result<Committed, EngineError>>,
}

/// What the writer is told to do.
enum Order {
    /// Decide a command.
    Decide(Box<Request>),
    /// Keep what a witness said.
    Keep(Box<Cosignature>, oneshot::Sender<Result<Arc<StoredCheckpoint>, EngineError>>),
    /// Follow the log: somebody appended, and it has this size.
    Look(u64),
}

/// The way to the writer, until the engine stops.
type Queue = Mutex<Option<mpsc::Sender<Order>>>;

/// What the writer shows to everybody else.
struct Shared {
    state: ArcSwap<State>,
    /// The same, with the number of entries it comes from.
    shown: ArcSwap<(u64, Arc<State>)>,
    freshness: Freshness,
    uses: Uses,
    failures: Failures,
    /// Time of the last entry, milliseconds since the Unix epoch.
    head_ms: AtomicI64,
    /// By how much the node's clock is ahead of that of the place where the log is kept, if by too much; milliseconds, else 0.
    ahead_ms: AtomicI64,
    checkpoint: ArcSwapOption<StoredCheckpoint>,
    size: watch::Sender<u64>,
    signed: watch::Sender<u64>,
    keys: ArcSwap<KeyHistory>,
    trouble: ArcSwapOption<SigningTrouble>,
    clock: Arc<dyn Clock>,
}

impl Shared {
    /// Whether the node's clock, which shows `now`, can be decided by.
    fn trusts(&self, now: Time) -> Result<(), String> {
        clocks::trusted(now, (self.ahead_ms.load(Ordering::Acquire), self.head_ms.load(Ordering::Acquire)))
    }
}

/// A handle to the engine; clones are cheap. The engine stops when the last one is gone or [`Engine::stop`] is called.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    readers: Arc<Readers>,
    signers: Signers,
    permit_signer: Option<Arc<dyn LogSigner>>,
    queue: Arc<Queue>,
    places: Arc<Semaphore>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("size", &*self.shared.size.borrow()).finish_non_exhaustive()
    }
}

impl Engine {
    /// Recovers the state and starts the writer.
    ///
    /// # Errors
    /// The store fails or is damaged, its log is not the one that was last signed, or is signed by a key that is not at hand.
    pub fn start(store: Box<dyn Store>, options: Options) -> Result<Self, StartError> {
        let (engine, writer, orders) = Self::assemble(store, options, Hands::Threads)?;
        let thread = std::thread::Builder::new().name("engine".into()).spawn(move || writer.run(&orders))?;
        *engine.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(engine)
    }

    /// Recovers the state and makes a writer that waits to be run.
    fn assemble(
        mut store: Box<dyn Store>,
        options: Options,
        hands: Hands,
    ) -> Result<(Self, Writer, mpsc::Receiver<Order>), StartError> {
        let as_of = options.clock.moment();
        let recovered = recover::recover(store.as_mut(), &options)?;
        let signers = Signers { signer: Arc::clone(&options.signer), next: options.next_signer.clone() };
        signers.check(&recovered.keys)?;
        let readers = Arc::new(Readers::open(store.as_ref())?);
        let shared = Arc::new(Shared {
            state: ArcSwap::from_pointee(recovered.state.clone()),
            shown: ArcSwap::from_pointee((recovered.head.size(), Arc::new(recovered.state.clone()))),
            freshness: Freshness::new(as_of),
            uses: Uses::default(),
            failures: Failures::default(),
            head_ms: AtomicI64::new(recovered.head.time_ms),
            ahead_ms: AtomicI64::new(0),
            checkpoint: ArcSwapOption::from(recovered.checkpoint.clone().map(Arc::new)),
            size: watch::Sender::new(recovered.head.size()),
            signed: watch::Sender::new(recovered.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size)),
            keys: ArcSwap::from_pointee(recovered.keys.clone()),
            trouble: ArcSwapOption::empty(),
            clock: Arc::clone(&options.clock),
        });
        let (sender, receiver) = mpsc::channel();
        let queue = Arc::new(Mutex::new(Some(sender)));
        listen(store.as_ref(), &queue)?;
        let writer = Writer::new((store, options), (recovered, Arc::clone(&shared)), (&signers, hands))?;
        let engine = Self {
            shared,
            readers,
            signers,
            permit_signer: None,
            queue,
            places: Arc::new(Semaphore::new(QUEUE)),
            thread: Arc::new(Mutex::new(None)),
        };
        Ok((engine, writer, receiver))
    }

    /// The same engine with a key at hand for permit documents.
    #[must_use]
    pub fn with_permit_signer(self, signer: Arc<dyn LogSigner>) -> Self {
        Self { permit_signer: Some(signer), ..self }
    }

    /// The key for permit documents, if the node has one.
    #[must_use]
    pub fn permit_signer(&self) -> Option<&Arc<dyn LogSigner>> {
        self.permit_signer.as_ref()
    }

    /// Hands a command in and waits until it is durable or refused.
    ///
    /// # Errors
    /// The command did not happen, and why.
    pub async fn submit(&self, submission: Submission) -> Result<Committed, EngineError> {
        let arrived = self.shared.clock.moment();
        let _place = self.places.acquire().await.map_err(|_| EngineError::Stopped)?;
        let (reply, answer) = oneshot::channel();
        self.order(Order::Decide(Box::new(Request { submission, arrived, reply })))?;
        answer.await.map_err(|_| EngineError::Stopped)?
    }

    /// Adds a cosignature to the checkpoint it is about, where it is kept and, if it is the latest, where it is shown; gives back the
    /// note as it is then.
    ///
    /// # Errors
    /// The cosignature does not hold, its checkpoint is not kept, or the store does not take it.
    pub async fn keep(&self, cosignature: Cosignature) -> Result<Arc<StoredCheckpoint>, EngineError> {
        let (reply, answer) = oneshot::channel();
        self.order(Order::Keep(Box::new(cosignature), reply))?;
        answer.await.map_err(|_| EngineError::Stopped)?
    }

    fn order(&self, order: Order) -> Result<(), EngineError> {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone();
        queue.ok_or(EngineError::Stopped)?.send(order).map_err(|_| EngineError::Stopped)
    }

    /// The latest committed state.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        self.shared.state.load_full()
    }

    /// The same for whoever looks something up and lets go at once: it costs no count that all processors share. Not to be kept.
    #[must_use]
    pub fn glimpse(&self) -> impl Deref<Target = Arc<State>> + use<> {
        self.shared.state.load()
    }

    /// The latest committed state, with the number of entries it comes from.
    #[must_use]
    pub fn state_with_size(&self) -> (u64, Arc<State>) {
        let shown = self.shared.shown.load();
        (shown.0, Arc::clone(&shown.1))
    }

    /// Number of committed entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        *self.shared.size.borrow()
    }

    /// The node's clock, for reading; a clock that jumped shows the start of time, which has nothing due.
    #[must_use]
    pub fn now(&self) -> Time {
        self.shared.clock.now().unwrap_or_default()
    }

    /// Whether the node can decide now: it knows who may do something, and its writer runs.
    ///
    /// # Errors
    /// Why not.
    pub fn ready(&self) -> Result<(), EngineError> {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            self.fresh()
        } else {
            Err(EngineError::Stopped)
        }
    }

    /// Whether the state can be relied on for who belongs and which token is worth something: it was the log's within
    /// [`REVOCATION_BOUND`], and the clock is trusted.
    ///
    /// # Errors
    /// Why not; then nobody is let do anything.
    pub fn fresh(&self) -> Result<(), EngineError> {
        let now = self.shared.clock.glance().map_err(|jumped| EngineError::Stale(jumped.to_string()))?;
        self.shared.trusts(now).map_err(EngineError::Stale)?;
        if self.shared.freshness.holds(self.shared.clock.moment()) {
            return Ok(());
        }
        let (age, bound) = (self.state_age().as_millis(), REVOCATION_BOUND.as_millis());
        Err(EngineError::Stale(format!(
            "the node last knew {age} ms ago that it shows the log's state, and relies on that for {bound} ms"
        )))
    }

    /// Counts one use of a token, now and from this address.
    pub fn count_use(&self, token: TokenId, when_and_whence: (Time, Option<IpAddr>)) {
        self.shared.uses.count(token, when_and_whence, self.shared.clock.moment());
    }

    /// Counts a sign-in that failed: for the account of somebody there is, if it named one, and for the network it came from.
    pub fn count_failure(&self, shown: Shown, (person, network): (Option<PersonId>, &str)) {
        let person = person.filter(|person| self.state().person(*person).is_some());
        self.shared.failures.count(shown, (person, network), self.now());
    }

    /// Notes that somebody signed in from a network: that matters where many had failed before.
    pub fn count_success(&self, person: PersonId, network: &str) {
        self.shared.failures.succeeded((person, network), self.now());
    }

    /// How often a token was used and when last, as far as it is not written down yet.
    #[must_use]
    pub fn uses_of(&self, token: TokenId) -> Option<NoteUse> {
        self.shared.uses.counted(token)
    }

    /// How old the proof is that the state shown is the log's.
    #[must_use]
    pub fn state_age(&self) -> Duration {
        self.shared.freshness.age(self.shared.clock.moment())
    }

    /// Reads committed data on a blocking thread.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn read<T, F>(&self, read: F) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Reader) -> Result<T, StoreError> + Send + 'static,
    {
        self.readers.read(read).await
    }

    /// Reads committed data for somebody unknown, on readers that nobody else waits for.
    ///
    /// # Errors
    /// The store does not answer, or too many of the public are waiting already.
    pub async fn read_public<T, F>(&self, read: F) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Reader) -> Result<T, StoreError> + Send + 'static,
    {
        self.readers.read_public(read).await
    }

    /// The last checkpoint that was signed and kept.
    #[must_use]
    pub fn checkpoint(&self) -> Option<Arc<StoredCheckpoint>> {
        self.shared.checkpoint.load_full()
    }

    /// Tells of every new checkpoint: the size it signs.
    #[must_use]
    pub fn signatures(&self) -> watch::Receiver<u64> {
        self.shared.signed.subscribe()
    }

    /// Why checkpoints are not signed at present, if they are not. Commands are decided all the same.
    #[must_use]
    pub fn signing_trouble(&self) -> Option<Arc<SigningTrouble>> {
        self.shared.trouble.load_full()
    }

    /// Tells of every commit: the log's size after it.
    #[must_use]
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.shared.size.subscribe()
    }

    /// Resolves after the next commit.
    pub async fn changed(&self) {
        // The sender lives as long as this handle, so the only outcome is a change.
        let _ = self.commits().changed().await;
    }

    /// Stops taking commands, lets the writer finish, sign and save a snapshot.
    pub async fn stop(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let joined = tokio::task::spawn_blocking(move || thread.join().is_ok()).await;
            if !matches!(joined, Ok(true)) {
                tracing::error!("the engine's thread ended with a panic");
            }
        }
    }
}

/// Has the writer look whenever the store says that somebody appended. It holds no handle: an engine that nobody uses any more ends.
fn listen(store: &dyn Store, queue: &Arc<Queue>) -> Result<(), StoreError> {
    let queue = Arc::downgrade(queue);
    store.watch(Box::new(move |size| {
        let Some(queue) = queue.upgrade() else { return };
        let queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queue.as_ref() {
            // A writer that is gone has nothing to follow.
            drop(queue.send(Order::Look(size)));
        }
    }))
}
