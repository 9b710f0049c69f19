//! The live state: everything that can still change, and nothing that cannot.
//!
//! The maps are persistent (structure-sharing), so a clone costs nothing: the engine's staged overlay and every reader's view are
//! clones. What is finished is retired to its record and comes back by [`State::hydrate`] when a command names it.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::approval::Approval;
use crate::break_glass::BreakGlass;
use crate::digest::Digest;
use crate::id::{ApprovalId, BreakGlassId, IncidentId, PermitId, PersonId, RotationId, SessionId, TokenId};
use crate::incident::Incident;
use crate::log::{Log, PolicyInForce};
use crate::once::{Register, Spent};
use crate::password::Codes;
use crate::permit::Permit;
use crate::person::Person;
use crate::rotation::Rotation;
use crate::secret::{Secret, SecretKey};
use crate::session::Session;
use crate::text::FromStrVisitor;
use crate::time::Time;
use crate::token::Token;

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The log itself.
    Log,
    /// The policy in force.
    Policy,
    /// A person.
    Person(PersonId),
    /// Somebody who is signed in.
    Session(SessionId),
    /// A service token.
    Token(TokenId),
    /// A request for approval.
    Approval(ApprovalId),
    /// A permit.
    Permit(PermitId),
    /// One breaking of the glass.
    BreakGlass(BreakGlassId),
    /// A governed secret.
    Secret(SecretKey),
    /// A rotation.
    Rotation(RotationId),
    /// An incident.
    Incident(IncidentId),
}

/// The subject of what happens to the log itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSubject;

/// The subject of what happens to the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicySubject;

/// A text is not a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectError(String);

impl fmt::Display for SubjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a subject", self.0.escape_debug())
    }
}

impl core::error::Error for SubjectError {}

macro_rules! only {
    ($name:ident = $text:literal) => {
        impl FromStr for $name {
            type Err = SubjectError;
            fn from_str(text: &str) -> Result<Self, SubjectError> {
                if text == $text { Ok(Self) } else { Err(SubjectError(text.to_string())) }
            }
        }
    };
}

only! { LogSubject = "log" }
only! { PolicySubject = "policy" }

impl From<LogSubject> for Subject {
    fn from(_: LogSubject) -> Self {
        Self::Log
    }
}

impl From<PolicySubject> for Subject {
    fn from(_: PolicySubject) -> Self {
        Self::Policy
    }
}

macro_rules! identified {
    ($($variant:ident($id:ty),)*) => {$(
        impl From<$id> for Subject {
            fn from(id: $id) -> Self {
                Self::$variant(id)
            }
        }
    )*};
}

identified! {
    Person(PersonId), Session(SessionId), Token(TokenId), Approval(ApprovalId), Permit(PermitId), BreakGlass(BreakGlassId), Secret(SecretKey), Rotation(RotationId), Incident(IncidentId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log => f.write_str("log"),
            Self::Policy => f.write_str("policy"),
            Self::Person(id) => fmt::Display::fmt(id, f),
            Self::Session(id) => fmt::Display::fmt(id, f),
            Self::Token(id) => fmt::Display::fmt(id, f),
            Self::Approval(id) => fmt::Display::fmt(id, f),
            Self::Permit(id) => fmt::Display::fmt(id, f),
            Self::BreakGlass(id) => fmt::Display::fmt(id, f),
            Self::Secret(key) => fmt::Display::fmt(key, f),
            Self::Rotation(id) => fmt::Display::fmt(id, f),
            Self::Incident(id) => fmt::Display::fmt(id, f),
        }
    }
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        let parsed = match text.split(['_', ':']).next() {
            Some("log") => text.parse().ok().map(|LogSubject| Self::Log),
            Some("policy") => text.parse().ok().map(|PolicySubject| Self::Policy),
            Some("ses") => text.parse().ok().map(Self::Session),
            Some("tok") => text.parse().ok().map(Self::Token),
            Some("per") => text.parse().ok().map(Self::Person),
            Some("apr") => text.parse().ok().map(Self::Approval),
            Some("prm") => text.parse().ok().map(Self::Permit),
            Some("bgl") => text.parse().ok().map(Self::BreakGlass),
            Some("secret") => text.parse().ok().map(Self::Secret),
            Some("rot") => text.parse().ok().map(Self::Rotation),
            Some("inc") => text.parse().ok().map(Self::Incident),
            _ => None,
        };
        parsed.ok_or_else(|| SubjectError(text.to_string()))
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(FromStrVisitor::new())
    }
}

/// The state of one subject: what its record holds and what a snapshot is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// The log.
    Log(Log),
    /// The policy in force.
    Policy(PolicyInForce),
    /// A person.
    Person(Person),
    /// Somebody who is signed in.
    Session(Session),
    /// A service token.
    Token(Token),
    /// A request for approval.
    Approval(Approval),
    /// A permit.
    Permit(Permit),
    /// One breaking of the glass.
    BreakGlass(BreakGlass),
    /// A governed secret.
    Secret(Secret),
    /// A rotation.
    Rotation(Rotation),
    /// An incident.
    Incident(Incident),
}

impl Item {
    /// The capability, as records name it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Log(_) => "log",
            Self::Policy(_) => "policy",
            Self::Person(_) => "person",
            Self::Session(_) => "session",
            Self::Token(_) => "token",
            Self::Approval(_) => "approval",
            Self::Permit(_) => "permit",
            Self::BreakGlass(_) => "break-glass",
            Self::Secret(_) => "secret",
            Self::Rotation(_) => "rotation",
            Self::Incident(_) => "incident",
        }
    }

    /// The stored state, in one word.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match self {
            Self::Log(_) | Self::Policy(_) => "in-force",
            Self::Person(person) => person.status(),
            Self::Session(session) => session.status(),
            Self::Token(token) => token.status(),
            Self::Approval(approval) => approval.status().as_str(),
            Self::Permit(permit) => permit.status().as_str(),
            Self::BreakGlass(it) => it.status().as_str(),
            Self::Secret(secret) => secret.status(),
            Self::Rotation(rotation) => rotation.stage.as_str(),
            Self::Incident(_) => "open",
        }
    }
}

type Map<K, V> = RedBlackTreeMapSync<K, V>;

/// What is shared is written as if it were not. A policy can be large, and every batch of commands begins with a clone of the state.
mod shared {
    use super::{Arc, Deserialize, Deserializer, PolicyInForce, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        policy: &Option<Arc<PolicyInForce>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        policy.as_deref().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Arc<PolicyInForce>>, D::Error> {
        Option::deserialize(deserializer).map(|policy| policy.map(Arc::new))
    }
}

/// Everything that can still change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    log: Option<Log>,
    #[serde(default, with = "shared")]
    policy: Option<Arc<PolicyInForce>>,
    people: Map<PersonId, Person>,
    credentials: Map<Digest, PersonId>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    sessions: Map<SessionId, Session>,
    /// Which session has this SHA-256, as long as none has ended.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    session_holders: Map<Digest, SessionId>,
    /// What of people's one-time codes was used.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    codes: Map<PersonId, Codes>,
    /// What was used and may be used once.
    #[serde(default, skip_serializing_if = "Register::is_empty")]
    spent: Register,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    tokens: Map<TokenId, Token>,
    /// Which token has this SHA-256, as long as none has ended.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    token_holders: Map<Digest, TokenId>,
    approvals: Map<ApprovalId, Approval>,
    permits: Map<PermitId, Permit>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    break_glasses: Map<BreakGlassId, BreakGlass>,
    /// The time in the last statement with which each person broke the glass: the next must be newer.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    last_statements: Map<PersonId, Time>,
    secrets: Map<SecretKey, Secret>,
    rotations: Map<RotationId, Rotation>,
    incidents: Map<IncidentId, Incident>,
    /// Entries so far of each live subject.
    counts: Map<Subject, u32>,
    /// When time alone will next change something, and of what.
    deadlines: RedBlackTreeSetSync<(Time, Subject)>,
}

/// A kind of item the state holds many of.
pub(crate) trait Kept: Sized {
    type Id: Ord + Clone + Into<Subject>;
    /// When time alone will next change it.
    fn deadline(&self) -> Option<Time>;
    /// Whether nothing can change it any more, except evidence that comes late.
    fn is_finished(&self) -> bool;
    fn of(state: &State) -> &Map<Self::Id, Self>;
    fn of_mut(state: &mut State) -> &mut Map<Self::Id, Self>;
}

macro_rules! kept {
    ($($item:ident $id:ty = $field:ident until $deadline:ident;)*) => {$(
        impl Kept for $item {
            type Id = $id;
            fn deadline(&self) -> Option<Time> {
                $item::$deadline(self)
            }
            fn is_finished(&self) -> bool {
                $item::is_finished(self)
            }
            fn of(state: &State) -> &Map<$id, Self> {
                &state.$field
            }
            fn of_mut(state: &mut State) -> &mut Map<$id, Self> {
                &mut state.$field
            }
        }
    )*};
}

kept! {
    Person PersonId = people until deadline;
    Session SessionId = sessions until deadline;
    Token TokenId = tokens until deadline;
    Approval ApprovalId = approvals until next_deadline;
    Permit PermitId = permits until deadline;
    BreakGlass BreakGlassId = break_glasses until deadline;
    Secret SecretKey = secrets until deadline;
    Rotation RotationId = rotations until deadline;
    Incident IncidentId = incidents until deadline;
}

impl State {
    /// The log's own facts, once genesis is written.
    #[must_use]
    pub fn log(&self) -> Option<&Log> {
        self.log.as_ref()
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> Option<&PolicyInForce> {
        self.policy.as_deref()
    }

    /// A person.
    #[must_use]
    pub fn person(&self, id: PersonId) -> Option<&Person> {
        self.people.get(&id)
    }

    /// Everybody, in order of enrolment.
    pub fn people(&self) -> impl Iterator<Item = (&PersonId, &Person)> {
        self.people.iter()
    }

    /// Whose credential has this SHA-256.
    #[must_use]
    pub fn holder(&self, credential_sha256: &Digest) -> Option<PersonId> {
        self.credentials.get(credential_sha256).copied()
    }

    /// A session that has not ended, as far as that is written down: whether it is worth something, [`State::live_session`] says.
    #[must_use]
    pub fn session(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(&id)
    }

    /// The session that has this SHA-256.
    #[must_use]
    pub fn session_holder(&self, session_sha256: &Digest) -> Option<SessionId> {
        self.session_holders.get(session_sha256).copied()
    }

    /// A person's sessions that have not ended, as far as that is written down, the oldest first.
    pub fn sessions_of(&self, person: PersonId) -> impl Iterator<Item = &Session> {
        self.sessions.values().filter(move |session| session.person == person)
    }

    /// What of the person's one-time codes was used.
    #[must_use]
    pub fn codes(&self, person: PersonId) -> Option<&Codes> {
        self.codes.get(&person)
    }

    pub(crate) fn change_codes(&mut self, person: PersonId, change: impl FnOnce(&mut Codes)) {
        let mut codes = self.codes.get(&person).cloned().unwrap_or_default();
        change(&mut codes);
        self.codes.insert_mut(person, codes);
    }

    /// Whether a credential, a session or a token has this SHA-256.
    pub(crate) fn is_held(&self, sha256: &Digest) -> bool {
        self.credentials.contains_key(sha256)
            || self.session_holders.contains_key(sha256)
            || self.token_holders.contains_key(sha256)
    }

    /// A token that has not ended.
    #[must_use]
    pub fn token(&self, id: TokenId) -> Option<&Token> {
        self.tokens.get(&id)
    }

    /// Tokens that have not ended on record, in order of issue.
    pub fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.tokens.values()
    }

    /// The token that has this SHA-256.
    #[must_use]
    pub fn token_holder(&self, token_sha256: &Digest) -> Option<TokenId> {
        self.token_holders.get(token_sha256).copied()
    }

    /// Whether something that may be used once was used, as far as that is remembered.
    #[must_use]
    pub fn is_spent(&self, sha256: &Digest) -> bool {
        self.spent.contains(sha256)
    }

    /// A live request for approval.
    #[must_use]
    pub fn approval(&self, id: ApprovalId) -> Option<&Approval> {
        self.approvals.get(&id)
    }

    /// Requests for approval that are live, the newest first.
    pub fn approvals_newest_first(&self) -> impl Iterator<Item = &Approval> {
        self.approvals.values().rev()
    }

    /// A live permit.
    #[must_use]
    pub fn permit(&self, id: PermitId) -> Option<&Permit> {
        self.permits.get(&id)
    }

    /// One breaking of the glass whose review is not done.
    #[must_use]
    pub fn break_glass(&self, id: BreakGlassId) -> Option<&BreakGlass> {
        self.break_glasses.get(&id)
    }

    /// Every breaking of the glass whose review is not done, the oldest first.
    pub fn break_glasses(&self) -> impl Iterator<Item = &BreakGlass> {
        self.break_glasses.values().filter(|it| it.settled.is_none())
    }

    /// The time in the last statement with which the person broke the glass.
    pub(crate) fn last_statement(&self, person: PersonId) -> Option<Time> {
        self.last_statements.get(&person).copied()
    }

    /// A governed secret.
    #[must_use]
    pub fn secret(&self, key: &SecretKey) -> Option<&Secret> {
        self.secrets.get(key)
    }

    /// A live rotation.
    #[must_use]
    pub fn rotation(&self, id: RotationId) -> Option<&Rotation> {
        self.rotations.get(&id)
    }

    /// How many entries a live subject has; 0 for one that is new or not in memory.
    #[must_use]
    pub fn entries_of(&self, subject: &Subject) -> u32 {
        self.counts.get(subject).copied().unwrap_or(0)
    }

    /// When time alone will next change something.
    #[must_use]
    pub fn next_due(&self) -> Option<Time> {
        self.deadlines.first().map(|(time, _)| *time)
    }

    /// How many of each are live: for metrics.
    #[must_use]
    pub fn live(&self) -> [(&'static str, usize); 6] {
        [
            ("approval", self.approvals.size()),
            ("permit", self.permits.size()),
            ("rotation", self.rotations.size()),
            ("person", self.people.size()),
            ("token", self.tokens.size()),
            ("session", self.sessions.size()),
        ]
    }

    /// The state of one live subject.
    #[must_use]
    pub fn item(&self, subject: &Subject) -> Option<Item> {
        match subject {
            Subject::Log => self.log.clone().map(Item::Log),
            Subject::Policy => self.policy().cloned().map(Item::Policy),
            Subject::Person(id) => self.people.get(id).cloned().map(Item::Person),
            Subject::Session(id) => self.sessions.get(id).cloned().map(Item::Session),
            Subject::Token(id) => self.tokens.get(id).cloned().map(Item::Token),
            Subject::Approval(id) => self.approvals.get(id).cloned().map(Item::Approval),
            Subject::Permit(id) => self.permits.get(id).cloned().map(Item::Permit),
            Subject::BreakGlass(id) => self.break_glasses.get(id).cloned().map(Item::BreakGlass),
            Subject::Secret(key) => self.secrets.get(key).cloned().map(Item::Secret),
            Subject::Rotation(id) => self.rotations.get(id).cloned().map(Item::Rotation),
            Subject::Incident(id) => self.incidents.get(id).cloned().map(Item::Incident),
        }
    }

    /// Brings a retired subject back from its record, with the number of entries it has.
    pub fn hydrate(&mut self, subject: &Subject, item: Item, entries: u32) {
        match (subject, item) {
            (Subject::Session(id), Item::Session(session)) => self.put(*id, session),
            (Subject::Token(id), Item::Token(token)) => self.put(*id, token),
            (Subject::Approval(id), Item::Approval(approval)) => self.put(*id, approval),
            (Subject::Permit(id), Item::Permit(permit)) => self.put(*id, permit),
            (Subject::BreakGlass(id), Item::BreakGlass(it)) => self.put(*id, it),
            (Subject::Rotation(id), Item::Rotation(rotation)) => self.put(*id, rotation),
            (Subject::Incident(id), Item::Incident(incident)) => self.put(*id, incident),
            _ => return,
        }
        self.counts.insert_mut(subject.clone(), entries);
    }

    /// Lets go of a subject, and of the approvals behind a permit, where they are finished; their records remain.
    pub fn retire(&mut self, subject: &Subject) {
        match subject {
            Subject::Session(id) => self.retire_kept::<Session>(id),
            Subject::Token(id) => self.retire_kept::<Token>(id),
            Subject::Approval(id) => self.retire_kept::<Approval>(id),
            Subject::Permit(id) => {
                let approvals = self.permits.get(id).map(Permit::used_up).unwrap_or_default();
                self.retire_kept::<Permit>(id);
                for approval in approvals {
                    self.retire_kept::<Approval>(&approval);
                }
            }
            Subject::BreakGlass(id) => self.retire_kept::<BreakGlass>(id),
            Subject::Rotation(id) => self.retire_kept::<Rotation>(id),
            Subject::Incident(id) => self.retire_kept::<Incident>(id),
            Subject::Log | Subject::Policy | Subject::Person(_) | Subject::Secret(_) => {}
        }
    }

    fn retire_kept<T: Kept>(&mut self, id: &T::Id) {
        if T::of(self).get(id).is_some_and(Kept::is_finished) {
            T::of_mut(self).remove_mut(id);
            self.counts.remove_mut(&id.clone().into());
        }
    }

    /// Lets go of a subject that was hydrated for a command, whatever its state: its record is the truth.
    pub fn forget(&mut self, subject: &Subject) {
        match subject {
            Subject::Session(id) => self.forget_kept::<Session>(id),
            Subject::Token(id) => self.forget_kept::<Token>(id),
            Subject::Approval(id) => self.forget_kept::<Approval>(id),
            Subject::Permit(id) => self.forget_kept::<Permit>(id),
            Subject::BreakGlass(id) => self.forget_kept::<BreakGlass>(id),
            Subject::Rotation(id) => self.forget_kept::<Rotation>(id),
            Subject::Incident(id) => self.forget_kept::<Incident>(id),
            Subject::Log | Subject::Policy | Subject::Person(_) | Subject::Secret(_) => {}
        }
    }

    fn forget_kept<T: Kept>(&mut self, id: &T::Id) {
        let subject: Subject = id.clone().into();
        if let Some(time) = T::of(self).get(id).and_then(Kept::deadline) {
            self.deadlines.remove_mut(&(time, subject.clone()));
        }
        T::of_mut(self).remove_mut(id);
        self.counts.remove_mut(&subject);
    }

    /// Of the subject and what it leads to, whatever is not in memory.
    pub(crate) fn absent(&self, subject: Subject) -> Vec<Subject> {
        let follow = |approvals: Vec<ApprovalId>| {
            let absent = approvals.into_iter().filter(|id| !self.approvals.contains_key(id));
            absent.map(Subject::Approval).collect()
        };
        match &subject {
            Subject::Session(id) if !self.sessions.contains_key(id) => Vec::from([subject]),
            Subject::Token(id) if !self.tokens.contains_key(id) => Vec::from([subject]),
            Subject::Approval(id) if !self.approvals.contains_key(id) => Vec::from([subject]),
            Subject::BreakGlass(id) if !self.break_glasses.contains_key(id) => Vec::from([subject]),
            Subject::Permit(id) => match self.permits.get(id) {
                Some(permit) => follow(permit.used_up()),
                None => Vec::from([subject]),
            },
            Subject::Rotation(id) => match self.rotations.get(id) {
                Some(rotation) => self.absent(Subject::Permit(rotation.permit)),
                None => Vec::from([subject]),
            },
            _ => Vec::new(),
        }
    }

    pub(crate) fn overdue(&self, now: Time) -> impl Iterator<Item = &Subject> {
        self.deadlines.iter().take_while(move |(time, _)| *time <= now).map(|(_, subject)| subject)
    }

    pub(crate) fn count(&mut self, subject: &Subject) {
        self.counts.insert_mut(subject.clone(), self.entries_of(subject) + 1);
    }

    pub(crate) fn set_log(&mut self, log: Log) {
        self.log = Some(log);
    }

    pub(crate) fn set_policy(&mut self, policy: PolicyInForce) {
        self.policy = Some(Arc::new(policy));
    }

    pub(crate) fn set_last_statement(&mut self, person: PersonId, signed_at: Time) {
        self.last_statements.insert_mut(person, signed_at);
    }

    pub(crate) fn set_holder(&mut self, credential_sha256: Digest, person: PersonId) {
        self.credentials.insert_mut(credential_sha256, person);
    }

    pub(crate) fn remove_holder(&mut self, credential_sha256: &Digest) {
        self.credentials.remove_mut(credential_sha256);
    }

    pub(crate) fn set_session_holder(&mut self, session_sha256: Digest, session: SessionId) {
        self.session_holders.insert_mut(session_sha256, session);
    }

    pub(crate) fn remove_session_holder(&mut self, session_sha256: &Digest) {
        self.session_holders.remove_mut(session_sha256);
    }

    pub(crate) fn set_token_holder(&mut self, token_sha256: Digest, token: TokenId) {
        self.token_holders.insert_mut(token_sha256, token);
    }

    pub(crate) fn remove_token_holder(&mut self, token_sha256: &Digest) {
        self.token_holders.remove_mut(token_sha256);
    }

    pub(crate) fn spend(&mut self, spent: Spent, now: Time) {
        self.spent.spend(spent, now);
    }

    /// Inserts or replaces an item and keeps the deadline index true.
    pub(crate) fn put<T: Kept>(&mut self, id: T::Id, item: T) {
        let before = T::of(self).get(&id).and_then(Kept::deadline);
        let after = item.deadline();
        if before != after {
            let subject: Subject = id.clone().into();
            if let Some(time) = before {
                self.deadlines.remove_mut(&(time, subject.clone()));
            }
            if let Some(time) = after {
                self.deadlines.insert_mut((time, subject));
            }
        }
        T::of_mut(self).insert_mut(id, item);
    }

    /// Changes an item in place. INVARIANT: events are only about what exists; anything else leaves the state as it is.
    pub(crate) fn change<T: Kept + Clone>(&mut self, id: &T::Id, change: impl FnOnce(&mut T)) {
        if let Some(item) = T::of(self).get(id) {
            let mut item = item.clone();
            change(&mut item);
            self.put(id.clone(), item);
        }
    }
}
