//! One session with the database: made when it is needed, made again when it was lost, and set up the same each time.
//!
//! A question that only looks, or that does the same twice, is asked again on a new session if its session was lost meanwhile. Nothing
//! else is: whether an append was kept is for its caller to find out.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Error, NoTls, Row, SimpleQueryMessage, Socket, Statement};

use super::address::Address;
use super::driver::{self, Driver};
use super::errors;
use crate::store::StoreError;

/// The oldest PostgreSQL that will do, as `server_version_num` counts.
const OLDEST: u32 = 150_000;

/// How long an answer is waited for. Statements are ended by the server before that; what it cannot end is a commit.
const ANSWER: Duration = Duration::from_secs(12);

/// How long signing in may take, per host.
const SIGN_IN: Duration = Duration::from_secs(4);

/// The longest pause between two attempts to reach a server that did not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What every session begins with. Isolation: see the ADR. A plan that reads a whole table is always wrong here, and compiling one takes
/// longer than running it. A node that hangs in the middle of an append must not hold up the others.
const SETUP: &str = "SET search_path = countersign; \
     SET default_transaction_isolation = 'read committed'; \
     SET statement_timeout = '10s'; \
     SET lock_timeout = '3s'; \
     SET idle_in_transaction_session_timeout = '5s'; \
     SET enable_seqscan = off; \
     SET jit = off; \
     SELECT current_setting('server_version_num'), current_setting('server_encoding'), current_setting('fsync'), \
     current_setting('synchronous_commit')";

/// What a question is asked with.
pub(crate) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing was sent: there is no session.
    NotSent(StoreError),
    /// The server refused, and the session goes on.
    Said(StoreError),
    /// The session was lost while the answer was waited for.
    Lost(StoreError),
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotSent(error) | Failure::Said(error) | Failure::Lost(error) => error,
        }
    }
}

/// A session, or the means to make one.
pub(super) struct Connection {
    driver: Arc<Driver>,
    address: Arc<Address>,
    live: Option<Live>,
    failures: u32,
    not_before: Option<Instant>,
    /// Whether a transaction is open: then nothing is done on another session in its place.
    claimed: bool,
}

struct Live {
    client: Client,
    task: AbortHandle,
    statements: HashMap<&'static str, Statement>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("address", &self.address)
            .field("live", &self.live.is_some())
            .finish_non_exhaustive()
    }
}

impl Connection {
    /// None yet.
    pub(super) fn new(driver: Arc<Driver>, address: Arc<Address>) -> Self {
        Self { driver, address, live: None, failures: 0, not_before: None, claimed: false }
    }

    /// Another one to the same place, none yet.
    pub(super) fn another(&self) -> Self {
        Self::new(Arc::clone(&self.driver), Arc::clone(&self.address))
    }

    pub(super) fn driver(&self) -> &Driver {
        &self.driver
    }

    pub(super) fn address(&self) -> &Arc<Address> {
        &self.address
    }

    /// Asks a question that may be asked twice.
    pub(super) fn rows(&mut self, sql: &'static str, values: Values<'_>) -> Result<Vec<Row>, StoreError> {
        let claimed = self.claimed;
        match self.once(sql, values) {
            Err(Failure::Lost(_)) if !claimed => Ok(self.once(sql, values)?),
            outcome => Ok(outcome?),
        }
    }

    /// Asks a question once.
    pub(super) fn once(&mut self, sql: &'static str, values: Values<'_>) -> Result<Vec<Row>, Failure> {
        let statement = self.prepared(sql)?;
        let live = self.live()?;
        let answer = driver::wait(ANSWER, live.client.query(&statement, values));
        self.heard(answer)
    }

    /// Runs statements without values, once.
    pub(super) fn run(&mut self, sql: &str) -> Result<(), Failure> {
        let live = self.live()?;
        let answer = driver::wait(ANSWER, live.client.batch_execute(sql));
        self.heard(answer)
    }

    /// Begins a transaction with these statements, until [`Connection::commit`] or [`Connection::release`].
    pub(super) fn begin(&mut self, sql: &str) -> Result<(), Failure> {
        let begun = self.run(sql);
        if begun.is_err() {
            // Whatever of it was done goes with the session.
            self.cut();
        }
        self.claimed = begun.is_ok();
        begun
    }

    /// Begins a transaction that holds the head.
    pub(super) fn claim(&mut self, hold: &'static str) -> Result<(), StoreError> {
        if !self.claimed {
            self.begin("BEGIN")?;
            if let Err(failure) = self.once(hold, &[]) {
                self.release();
                return Err(failure.into());
            }
        }
        Ok(())
    }

    pub(super) fn is_claimed(&self) -> bool {
        self.claimed
    }

    /// Ends the transaction and keeps what it wrote.
    pub(super) fn commit(&mut self) -> Result<(), Failure> {
        self.claimed = false;
        self.run("COMMIT")
    }

    /// Ends the transaction, if there is one, and keeps nothing.
    pub(super) fn release(&mut self) {
        if std::mem::take(&mut self.claimed) && self.run("ROLLBACK").is_err() {
            self.cut();
        }
    }

    /// Ends the session at once; the server undoes what was not committed.
    pub(super) fn cut(&mut self) {
        self.claimed = false;
        if let Some(live) = self.live.take() {
            live.task.abort();
        }
    }

    fn prepared(&mut self, sql: &'static str) -> Result<Statement, Failure> {
        let live = self.live()?;
        if let Some(statement) = live.statements.get(sql) {
            return Ok(statement.clone());
        }
        let answer = driver::wait(ANSWER, live.client.prepare(sql));
        // Preparing changes nothing, so whoever is not answered may ask again.
        let statement = self.heard(answer)?;
        self.live()?.statements.insert(sql, statement.clone());
        Ok(statement)
    }

    /// Sorts what came back. A session that is of no use any more is ended.
    fn heard<T>(&mut self, answer: Option<Result<T, Error>>) -> Result<T, Failure> {
        let late =
            || StoreError::Unavailable(format!("no answer from PostgreSQL for {} s", ANSWER.as_secs()));
        match answer {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) if !errors::ends_session(&error) => Err(Failure::Said(errors::sorted(&error))),
            Some(Err(error)) => {
                self.cut();
                Err(Failure::Lost(errors::sorted(&error)))
            }
            None => {
                self.cut();
                Err(Failure::Lost(late()))
            }
        }
    }

    fn live(&mut self) -> Result<&mut Live, Failure> {
        if self.live.as_ref().is_some_and(|live| live.client.is_closed()) {
            let claimed = self.claimed;
            self.cut();
            if claimed {
                let why = "the connection to PostgreSQL was lost in the middle of an append".to_owned();
                return Err(Failure::NotSent(StoreError::Unavailable(why)));
            }
        }
        if self.live.is_none() {
            let made = self.connect();
            self.note(made.is_ok());
            self.live = Some(made.map_err(Failure::NotSent)?);
        }
        let gone = || Failure::NotSent(StoreError::Unavailable("there is no session".to_owned()));
        self.live.as_mut().ok_or_else(gone)
    }

    /// A server that does not answer is asked ever more slowly, so that whoever needs it is refused at once meanwhile.
    fn note(&mut self, reached: bool) {
        if reached {
            (self.failures, self.not_before) = (0, None);
        } else if self.not_before.is_none_or(|not_before| not_before <= Instant::now()) {
            self.failures = self.failures.saturating_add(1);
            let pause = Duration::from_millis(25).saturating_mul(2_u32.saturating_pow(self.failures.min(16)));
            self.not_before = Some(Instant::now() + pause.min(LONGEST_PAUSE));
        }
    }

    fn connect(&self) -> Result<Live, StoreError> {
        if self.not_before.is_some_and(|not_before| not_before > Instant::now()) {
            let why = format!("`{}` was not reached a moment ago", self.address);
            return Err(StoreError::Unavailable(why));
        }
        let (config, tls) = (self.address.config.clone(), self.address.tls.clone());
        let hosts = u32::try_from(config.get_hosts().len()).unwrap_or(1);
        let mut meeting = self.driver.handle().spawn(async move {
            match tls {
                Some(tls) => meet(config, tls).await,
                None => meet(config, NoTls).await,
            }
        });
        let named = |error: StoreError| match error {
            StoreError::Unavailable(why) => StoreError::Unavailable(format!("`{}`: {why}", self.address)),
            StoreError::Corrupt(why) => StoreError::Corrupt(format!("`{}`: {why}", self.address)),
            error => error,
        };
        match driver::wait(SIGN_IN.saturating_mul(hosts), &mut meeting) {
            Some(Ok(Ok((client, task, said)))) => {
                check(&said).map_err(|why| named(StoreError::Unavailable(why)))?;
                Ok(Live { client, task, statements: HashMap::new() })
            }
            Some(Ok(Err(error))) => Err(named(errors::sorted(&error))),
            Some(Err(_)) | None => {
                meeting.abort();
                Err(named(StoreError::Unavailable("nobody answers".to_owned())))
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // An open transaction ends with its session; without one the session ends by itself, and politely.
        if self.claimed {
            self.cut();
        }
    }
}

/// Connects, signs in, sets the session up, and gives back what the server says of itself.
async fn meet<T>(config: Config, tls: T) -> Result<(Client, AbortHandle, Vec<SimpleQueryMessage>), Error>
where
    T: MakeTlsConnect<Socket> + Send + 'static,
    T::Stream: Send + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as tokio_postgres::tls::TlsConnect<Socket>>::Future: Send,
{
    let (client, connection) = config.connect(tls).await?;
    let task = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection to PostgreSQL ended");
        }
    });
    let said = client.simple_query(SETUP).await?;
    Ok((client, task.abort_handle(), said))
}

/// Refuses a server that would forget what it acknowledged, or that is too old.
fn check(said: &[SimpleQueryMessage]) -> Result<(), String> {
    let row = said.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let setting = |place: usize| row.and_then(|row| row.get(place)).unwrap_or_default();
    let version: u32 = setting(0).parse().unwrap_or_default();
    if version < OLDEST {
        return Err(format!("PostgreSQL {} is too old: 15 or later is needed", version / 10_000));
    }
    if setting(1) != "UTF8" {
        return Err(format!("the database's encoding is {}: create it with UTF8", setting(1)));
    }
    if setting(2) != "on" {
        return Err(
            "the server runs with `fsync = off` and would lose what it acknowledged: set it on".into()
        );
    }
    if setting(3) == "off" {
        let why = "`synchronous_commit` is off for this role or database: what is acknowledged could be lost; set it on";
        return Err(why.into());
    }
    Ok(())
}
