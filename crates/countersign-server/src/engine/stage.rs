//! Decides a batch of commands on a staged copy of the state and builds what one commit writes. Changes nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use countersign_core::id::CorrelationId;
use countersign_core::sabotage::{self, Sabotage};
use countersign_core::time::Time;
use countersign_core::token::NoteUse;
use countersign_core::{Actor, Command, Context, Event, Fact, State, Subject};
use countersign_ledger::hash::{Hash, leaf_hash, sha256};
use countersign_ledger::keys::KeyHistory;
use countersign_ledger::{details, json};

use super::codec::{self, Position};
use super::entropy::Entropy;
use super::keys;
use super::refusals::Kind;
use super::uses::{Noted, Uses};
use super::{Committed, DetailsOf, EngineError, Request, Submission, standing};
use crate::store::{
    Batch, Details, Head, Idempotency, NewEntry, Reader, Redaction, Store, StoreError, StoredNode,
};

/// Nodes at these heights are stored, so that a proof reads at most 256 hashes per level.
const STORED_LEVELS: u8 = 8;

pub(super) type Answer = Result<Committed, EngineError>;

/// A batch decided and ready to be appended.
pub(super) struct Staged {
    pub state: State,
    /// The log's keys after it.
    pub keys: KeyHistory,
    pub batch: Batch,
    /// One answer per request, to be given after the commit; none for one that must wait for the next batch.
    pub answers: Vec<Option<Answer>>,
    /// What people were refused.
    pub refused: Vec<Kind>,
    /// Uses of tokens that were written down because the tokens end.
    pub noted: Vec<NoteUse>,
}

impl Staged {
    /// Whether nothing is to be appended and somebody is to be refused.
    pub(super) fn only_refuses(&self) -> bool {
        let refused = |answer: &Option<Answer>| matches!(answer, Some(Err(EngineError::Refused(_))));
        self.batch.entries.is_empty() && self.answers.iter().any(refused)
    }
}

/// What deciding needs from outside.
pub(super) struct World<'a> {
    pub store: &'a mut dyn Store,
    pub entropy: &'a mut Entropy,
    /// The log's keys before the batch.
    pub keys: &'a KeyHistory,
    pub uses: &'a Uses,
    pub now: Time,
}

/// Decides commands one after another.
pub(super) struct Stage<'a> {
    store: &'a mut dyn Store,
    entropy: &'a mut Entropy,
    base: &'a State,
    now: Time,
    state: State,
    keys: KeyHistory,
    batch: Batch,
    touched: BTreeSet<Subject>,
    hydrated: BTreeSet<Subject>,
    /// Idempotency keys used in this batch; a repetition waits for the next one.
    answered: BTreeSet<(String, String)>,
    refused: Vec<Kind>,
    uses: &'a Uses,
    noted: Vec<NoteUse>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(world: World<'a>, (base, head): (&'a State, &Head)) -> Self {
        let World { store, entropy, keys: before, uses, now } = world;
        let batch = Batch::beside(head);
        let (touched, hydrated, answered) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let (state, keys, refused, noted) = (base.clone(), before.clone(), Vec::new(), Vec::new());
        Self {
            store,
            entropy,
            base,
            now,
            state,
            keys,
            batch,
            touched,
            hydrated,
            answered,
            refused,
            uses,
            noted,
        }
    }

    /// Decides all requests and closes the batch.
    pub(super) fn decide(mut self, requests: &[Request]) -> Result<Staged, StoreError> {
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            answers.push(self.one(&request.submission)?);
        }
        for subject in &self.touched {
            if let Some(item) = self.state.item(subject) {
                self.batch.records.push(codec::record(subject, &item, self.state.entries_of(subject))?);
            }
        }
        for subject in &self.touched {
            self.state.retire(subject);
        }
        for subject in &self.hydrated {
            self.state.forget(subject);
        }
        let Self { state, keys, batch, refused, noted, .. } = self;
        Ok(Staged { state, keys, batch, answers, refused, noted })
    }

    fn one(&mut self, submission: &Submission) -> Result<Option<Answer>, StoreError> {
        if let Some(idempotency) = &submission.idempotency {
            let key = (submission.actor.to_string(), idempotency.key.clone());
            if self.answered.contains(&key) {
                return Ok(None);
            }
            let known = self.store.idempotency(&key.0, &key.1)?;
            if let Some(known) = known.filter(|_| !sabotage::is_active(Sabotage::ForgottenKey)) {
                let range = known.first..known.first.saturating_add(u64::from(known.count));
                let details = self.store.details_in(range)?;
                let salts = details.iter().map(|(_, details)| &details.salt);
                let same = known.body_sha256 == salted(idempotency.body_sha256, salts);
                return if same {
                    self.replay(&known).map(Some)
                } else {
                    Ok(Some(Err(EngineError::IdempotencyMismatch)))
                };
            }
        }
        if self.is_ahead(&submission.command) {
            let why = "a census of more entries than the log has".to_owned();
            return Ok(Some(Err(EngineError::Unavailable(why))));
        }
        let command = standing::looked_up(as_reader(self.store), &self.batch, &submission.command)?;
        self.hydrate(&command)?;
        let cx = self.context(submission)?;
        let overlay = if sabotage::is_active(Sabotage::NoOverlay) { self.base } else { &self.state };
        let events = match countersign_core::decide(overlay, &cx, &command) {
            Ok(events) => events,
            Err(refusal) => {
                self.refused.extend(overlay.principal(submission.actor).map(|person| Kind {
                    person,
                    action: countersign_core::action_of(overlay, &command),
                    code: refusal.code(),
                }));
                return Ok(Some(Err(EngineError::Refused(refusal))));
            }
        };
        if let Err(why) = self.follow_keys(&events)? {
            return Ok(Some(Err(EngineError::Unverified(why))));
        }
        self.note_uses(&events)?;
        let (first, before) = (self.batch.head.size(), self.batch.entries.len());
        let principal = Command::principal(&events).map(|event| event.fact.subject());
        for event in &events {
            self.push(event, details_of(submission, (&events, event)))?;
        }
        if let (Some(idempotency), false) = (&submission.idempotency, events.is_empty()) {
            let new = self.batch.entries.iter().skip(before);
            let salts = new.filter_map(|entry| entry.details.as_ref()).map(|details| &details.salt);
            let body_sha256 = salted(idempotency.body_sha256, salts);
            let actor = submission.actor.to_string();
            self.answered.insert((actor.clone(), idempotency.key.clone()));
            self.batch.idempotency.push(Idempotency {
                actor,
                key: idempotency.key.clone(),
                body_sha256,
                first,
                count: u32::try_from(events.len()).unwrap_or(u32::MAX),
                time_ms: self.now.as_millis(),
            });
        }
        let item = principal.and_then(|subject| self.state.item(&subject));
        Ok(Some(Ok(Committed { first, events: events.into(), item, replayed: false })))
    }

    /// Before a token ends, what is known of its use is written down; afterwards nothing is.
    fn note_uses(&mut self, events: &[Event]) -> Result<(), StoreError> {
        for event in events {
            let (Fact::TokenRevoked(token, _) | Fact::TokenExpired(token, _)) = &event.fact else { continue };
            let Some(Noted { note, details }) = self.uses.of(*token) else { continue };
            let cx = self.context(&Submission::new(Actor::Node, Command::NoteUse(note)))?;
            let used = countersign_core::decide(&self.state, &cx, &Command::NoteUse(note));
            for event in used.into_iter().flatten() {
                self.push(&event, details.clone())?;
            }
            self.noted.push(note);
        }
        Ok(())
    }

    /// Learns the keys that events name, each verified before anything is appended: the core cannot know whether signatures hold.
    fn follow_keys(&mut self, events: &[Event]) -> Result<Result<(), String>, StoreError> {
        let mut followed = self.keys.clone();
        for (index, event) in (self.batch.head.size()..).zip(events) {
            if !matches!(event.fact, Fact::LogCreated(..) | Fact::LogKeyRotated(..)) {
                continue;
            }
            let subject_seq = self.state.entries_of(&Subject::Log) + 1;
            let leaf = codec::leaf(event, Position { index, subject_seq }, None)?;
            if let Err(error) = keys::follow(&mut followed, index, &leaf) {
                return Ok(Err(error.to_string()));
            }
        }
        self.keys = followed;
        Ok(Ok(()))
    }

    fn context(&mut self, submission: &Submission) -> Result<Context, StoreError> {
        let mut fresh = || self.entropy.draw().map(|random| fresh_id(self.now, random));
        let (correlation, fresh) = (CorrelationId(fresh()?), [fresh()?, fresh()?]);
        let Submission { actor, session, .. } = *submission;
        Ok(Context { now: self.now, actor, session, correlation, fresh })
    }

    /// Whether the command counts entries that are not committed. The core cannot know: it has no size.
    fn is_ahead(&self, command: &Command) -> bool {
        matches!(command, Command::TakeCensus(take) if take.size > self.batch.expected_size)
    }

    /// Fetches what the command names and memory does not hold, until nothing is missing or nothing more is found.
    fn hydrate(&mut self, command: &Command) -> Result<(), StoreError> {
        loop {
            let mut found = false;
            for subject in countersign_core::missing(&self.state, command) {
                let record = self.store.record(codec::record_kind(&subject), &subject.to_string())?;
                if let Some(record) = record {
                    self.state.hydrate(&subject, codec::item(&record)?, record.seq);
                    self.hydrated.insert(subject);
                    found = true;
                }
            }
            if !found {
                return Ok(());
            }
        }
    }

    /// Applies an event and puts its entry into the batch.
    fn push(&mut self, event: &Event, details: Option<Vec<u8>>) -> Result<(), StoreError> {
        countersign_core::apply(&mut self.state, event);
        let subject = event.fact.subject();
        let subject_seq = self.state.entries_of(&subject);
        let details = match details {
            Some(body) => Some(Details { salt: self.entropy.draw()?, body }),
            None => None,
        };
        let commitment = details.as_ref().map(|details| details::commitment(&details.salt, &details.body));
        let index = self.batch.head.size();
        let leaf = codec::leaf(event, Position { index, subject_seq }, commitment)?;
        let leaf_hash = leaf_hash(&leaf);
        let nodes = &mut self.batch.nodes;
        self.batch.head.tree.push_with(leaf_hash, |level, index, hash| {
            if level > 0 && level % STORED_LEVELS == 0 {
                nodes.push(StoredNode { level, index, hash });
            }
        });
        self.batch.head.time_ms = event.at.as_millis();
        self.batch.blobs.extend(blob(event)?);
        self.batch.redactions.extend(redactions(event, index));
        self.batch.entries.push(NewEntry {
            leaf,
            leaf_hash,
            subject: subject.to_string(),
            subject_seq,
            details,
        });
        self.touched.insert(subject);
        Ok(())
    }

    /// The answer to a repeated request, rebuilt from what the first one appended.
    fn replay(&mut self, known: &Idempotency) -> Result<Answer, StoreError> {
        let count = usize::try_from(known.count).unwrap_or(usize::MAX);
        let entries = self.store.entries(known.first, count)?;
        let mut events = Vec::with_capacity(entries.len());
        for entry in &entries {
            events.push(codec::decode(entry.index, &entry.leaf, as_reader(self.store))?.event);
        }
        let principal = Command::principal(&events).map(|event| event.fact.subject());
        let item = match principal {
            Some(subject) => match self.store.record(codec::record_kind(&subject), &subject.to_string())? {
                Some(record) => Some(codec::item(&record)?),
                None => None,
            },
            None => None,
        };
        Ok(Ok(Committed { first: known.first, events: Arc::from(events), item, replayed: true }))
    }
}

/// A store seen as a reader.
fn as_reader(store: &mut dyn Store) -> &mut dyn Reader {
    store
}

fn details_of(submission: &Submission, (events, event): (&[Event], &Event)) -> Option<Vec<u8>> {
    match &submission.details {
        DetailsOf::None => None,
        DetailsOf::Principal(bytes) => {
            let principal = Command::principal(events)?;
            std::ptr::eq(principal, event).then(|| bytes.clone())
        }
        DetailsOf::Each(each) => each(&event.fact),
    }
}

/// What is kept of a request beside its key: bound by the salts of the details it led to, so that it confirms no guess once they
/// are redacted.
fn salted<'a>(body_sha256: Hash, salts: impl Iterator<Item = &'a details::Salt>) -> Hash {
    salts.fold(body_sha256, |bound, salt| details::commitment(salt, &bound.0))
}

/// The details that go away with the entry of an event.
fn redactions(event: &Event, by: u64) -> Vec<Redaction> {
    match &event.fact {
        Fact::LogDetailsRedacted(_, redacted) => {
            redacted.entries.iter().map(|index| Redaction { index, by }).collect()
        }
        _ => Vec::new(),
    }
}

/// The blob an event refers to: the policy's canonical bytes.
fn blob(event: &Event) -> Result<Option<(Hash, Vec<u8>)>, StoreError> {
    let Fact::PolicyActivated(_, activated) = &event.fact else { return Ok(None) };
    let Some(policy) = &activated.policy else { return Ok(None) };
    let bytes =
        json::to_canonical(policy).map_err(|error| StoreError::Corrupt(format!("policy: {error}")))?;
    let hash = sha256(&bytes);
    if hash.0 == activated.policy_sha256.0 {
        Ok(Some((hash, bytes)))
    } else {
        Err(StoreError::Corrupt("the policy is not the one its digest names".into()))
    }
}

/// A `UUIDv7` (RFC 9562, 5.7) of the given time and randomness.
fn fresh_id(now: Time, random: [u8; 10]) -> u128 {
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().as_u128()
}
