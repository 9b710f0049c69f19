//! Where verifiers are kept, and the work of checking: bounded, away from the threads that answer, and as much for nobody as for somebody.
//!
//! A verifier is sealed under the SHA-256 by which the ledger names it, before the entry that names it is written. So what the ledger names is always
//! there; what was sealed and came to be named by nothing (the entry was refused, or power was lost in between) is found at the next start by its
//! name and taken away. One that another node sealed a moment ago, and whose entry is about to be written, is left alone for an hour.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use countersign_core::State;
use countersign_core::digest::Digest;
use countersign_core::id::PersonId;
use countersign_core::secret::SecretKey;
use countersign_core::session::Method;
use countersign_core::text::Name;
use countersign_core::time::Time;
use tokio::sync::Semaphore;

use super::SignInError;
use super::password::Password;
use super::recovery::RecoveryCode;
use super::totp::Seed;
use super::verifier::Verifier;
use crate::secrets::{SecretError, SecretStore, SecretValue};

/// The type of secret that verifiers are.
const KIND: &str = "sign-in";

/// Where they belong, as everything does by which Countersign itself is run.
const ENVIRONMENT: &str = "control";

/// A verifier has one version: another password has another name.
const VERSION: u32 = 1;

/// For how long one may be sealed before its entry is written, seconds. Hours longer than it takes, so that clocks may differ.
const YOUNG_SECONDS: u64 = 3_600;

/// How many may wait for each that is looked at.
const QUEUED: usize = 8;

/// How many are looked at at once, at most: each takes 64 MiB.
const MOST_AT_ONCE: usize = 4;

/// Why a password was neither kept nor checked.
#[derive(Debug, thiserror::Error)]
pub enum VerifierError {
    /// As many wait already as may.
    #[error("too many passwords are being looked at")]
    Busy,
    /// The machine could not.
    #[error(transparent)]
    SignIn(#[from] SignInError),
    /// What is kept cannot be reached.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The work was cut off.
    #[error("the work was cut off")]
    Stopped,
}

/// What somebody typed.
#[derive(Debug)]
pub struct Typed {
    /// The password.
    pub password: Password,
    /// Six digits, or a recovery code.
    pub code: String,
}

/// What somebody is checked against.
#[derive(Clone, Debug)]
pub struct Account {
    person: PersonId,
    verifier_sha256: Digest,
    last_step: Option<u64>,
    recovery: BTreeSet<Digest>,
}

impl Account {
    /// The person's, if they could sign in by a password at all.
    #[must_use]
    pub fn of(state: &State, person: PersonId) -> Option<Self> {
        let found = state.person(person).filter(|person| person.is_active())?;
        let codes = state.codes(person).cloned().unwrap_or_default();
        Some(Self {
            person,
            verifier_sha256: found.password.as_ref()?.verifier_sha256,
            last_step: codes.last_step.map(u64::from),
            recovery: codes.recovery,
        })
    }

    /// What verifies it, by name.
    #[must_use]
    pub fn verifier_sha256(&self) -> Digest {
        self.verifier_sha256
    }

    /// Whose it is.
    #[must_use]
    pub fn person(&self) -> PersonId {
        self.person
    }
}

/// Keeps verifiers and checks passwords.
pub struct Verifiers {
    store: Arc<dyn SecretStore>,
    /// Whoever has no verifier is checked against this one.
    decoy: Arc<Verifier>,
    /// Those that are looked at.
    places: Arc<Semaphore>,
    /// Those, and those that wait.
    queue: Arc<Semaphore>,
    hashed: Arc<AtomicU64>,
}

impl std::fmt::Debug for Verifiers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifiers").field("hashed", &self.hashed).finish_non_exhaustive()
    }
}

impl Verifiers {
    /// Those in this store; as many passwords are looked at at once as there are processors, four at most.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn new(store: Arc<dyn SecretStore>) -> Result<Self, SignInError> {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let places = processors.min(MOST_AT_ONCE);
        Self::with_places(store, (places, places * QUEUED))
    }

    /// With so many that are looked at at once, and so many that may wait.
    ///
    /// # Errors
    /// The machine gives no randomness.
    pub fn with_places(
        store: Arc<dyn SecretStore>,
        (at_once, waiting): (usize, usize),
    ) -> Result<Self, SignInError> {
        Ok(Self {
            store,
            decoy: Arc::new(Verifier::of_nobody()?),
            places: Arc::new(Semaphore::new(at_once)),
            queue: Arc::new(Semaphore::new(at_once + waiting)),
            hashed: Arc::default(),
        })
    }

    /// How many passwords were hashed so far, for whomever.
    #[must_use]
    pub fn hashed(&self) -> u64 {
        self.hashed.load(Ordering::Relaxed)
    }

    /// Seals what verifies this password and the codes of this seed; its name is what the ledger is to be told. The entry comes afterwards.
    ///
    /// # Errors
    /// Too many passwords are looked at, or it cannot be hashed or kept now.
    pub async fn keep(&self, password: Password, totp: (Seed, u64)) -> Result<Digest, VerifierError> {
        let (store, hashed) = (Arc::clone(&self.store), Arc::clone(&self.hashed));
        self.work(move || {
            let verifier = Verifier::new(&password, totp)?;
            hashed.fetch_add(1, Ordering::Relaxed);
            let value = verifier.value()?;
            let sha256 = Verifier::sha256(&value);
            store.adopt(&key(&sha256)?, VERSION, &value)?;
            Ok(sha256)
        })
        .await
    }

    /// By what somebody signs in who typed this; nothing if they do not. The same is done for an account that there is not.
    ///
    /// # Errors
    /// Too many passwords are looked at, or this one cannot be looked at now.
    pub async fn check(
        &self,
        account: Option<Account>,
        Typed { password, code }: Typed,
        now: Time,
    ) -> Result<Option<Method>, VerifierError> {
        let (store, hashed, decoy) =
            (Arc::clone(&self.store), Arc::clone(&self.hashed), Arc::clone(&self.decoy));
        self.work(move || {
            let nobody = Digest([0; 32]);
            let name = account.as_ref().map_or(&nobody, |account| &account.verifier_sha256);
            let kept = read(store.as_ref(), name)?;
            let verifier = kept.as_ref().unwrap_or(&decoy);
            let knows = verifier.knows(&password)?;
            hashed.fetch_add(1, Ordering::Relaxed);
            let shown = account.and_then(|account| shown(verifier, (&account, &code), now));
            Ok(shown.filter(|_| knows && kept.is_some()))
        })
        .await
    }

    /// Takes away what the ledger names no more.
    ///
    /// # Errors
    /// It cannot be reached now; the next start takes it away.
    pub async fn forget(&self, sha256: Digest) -> Result<(), VerifierError> {
        let store = Arc::clone(&self.store);
        let forgotten = tokio::task::spawn_blocking(move || Ok(store.forget(&key(&sha256)?)?));
        forgotten.await.map_err(|_| VerifierError::Stopped)?
    }

    /// Takes away every verifier that nobody's entry names and that is no longer young, and those of people who were deactivated. How many.
    /// Blocks.
    ///
    /// # Errors
    /// They cannot be reached now.
    pub fn sweep(&self, state: &State, now: Time) -> Result<usize, VerifierError> {
        let there = state.people().filter(|(_, person)| person.deactivated_at.is_none());
        let named: BTreeSet<Digest> =
            there.filter_map(|(_, person)| Some(person.password.as_ref()?.verifier_sha256)).collect();
        let mut gone = 0;
        for key in self.store.of_type(&word(KIND)?, &word(ENVIRONMENT)?)? {
            let sha256 = key.resource.as_str().split_once('/').and_then(|(_, name)| name.parse().ok());
            let Some(sha256) = sha256.filter(|sha256| !named.contains(sha256)) else { continue };
            // What is not called by its own digest is none of ours, whatever type of secret it is.
            let Some(verifier) = read(self.store.as_ref(), &sha256)? else { continue };
            let young = verifier.made_at_seconds().saturating_add(YOUNG_SECONDS) > seconds(now);
            if !young {
                self.store.forget(&key)?;
                gone += 1;
            }
        }
        Ok(gone)
    }

    /// Does it on a thread that may block, once there is a place. Whoever goes away in the meantime does not free the place that is in use.
    async fn work<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> Result<T, VerifierError> + Send + 'static,
    ) -> Result<T, VerifierError> {
        let queued = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| VerifierError::Busy)?;
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| VerifierError::Stopped)?;
        let worked = tokio::task::spawn_blocking(move || {
            let worked = job();
            drop((place, queued));
            worked
        });
        worked.await.map_err(|_| VerifierError::Stopped)?
    }
}

/// Which of the two codes it is, if it is one.
fn shown(verifier: &Verifier, (account, code): (&Account, &str), now: Time) -> Option<Method> {
    let step = verifier.step_of(code, seconds(now), account.last_step);
    let step = step.and_then(|step| u32::try_from(step).ok());
    let recovery = RecoveryCode::parse(code).map(|code| code.sha256(account.person));
    let recovery = recovery.filter(|sha256| account.recovery.contains(sha256));
    let by_code = recovery.map(|code_sha256| Method::RecoveryCode { code_sha256 });
    step.map(|totp_step| Method::Password { totp_step }).or(by_code)
}

/// The verifier of this name. One that is missing, or that is not what its name says, verifies nobody; that is the log's to tell.
fn read(store: &dyn SecretStore, sha256: &Digest) -> Result<Option<Verifier>, VerifierError> {
    let read: Result<Option<SecretValue>, SecretError> = store.read(&key(sha256)?, VERSION);
    let value = match read {
        Ok(value) => value.filter(|value| Verifier::sha256(value) == *sha256),
        Err(error @ SecretError::Sealed { .. }) => {
            tracing::error!(%error, "a password cannot be checked any more: set another one");
            None
        }
        Err(error) => return Err(error.into()),
    };
    Ok(value.and_then(|value| Verifier::read(&value).ok()))
}

fn seconds(time: Time) -> u64 {
    u64::try_from(time.as_millis() / 1_000).unwrap_or_default()
}

fn word(word: &str) -> Result<Name, SecretError> {
    word.parse().map_err(|_| SecretError::Corrupt(format!("`{word}` is no name")))
}

fn key(sha256: &Digest) -> Result<SecretKey, SecretError> {
    let resource = format!("{KIND}/{sha256}").parse();
    let resource = resource.map_err(|_| SecretError::Corrupt(format!("`{sha256}` names no secret")))?;
    Ok(SecretKey { resource, environment: word(ENVIRONMENT)? })
}
