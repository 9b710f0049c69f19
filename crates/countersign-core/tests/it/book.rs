//! Keeps a history the way the engine does, and checks after every step what must hold of it.
//!
//! Three states are kept side by side: the live one, which lets go of what is finished and fetches it back from its record; the
//! whole one, which never lets go; and one replayed from the entries as they are written. All must agree, always.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::digest::Digest;
use countersign_core::id::{ApprovalId, CorrelationId};
use countersign_core::log::Bootstrap;
use countersign_core::policy::Policy;
use countersign_core::redaction::{RedactDetails, Standing};
use countersign_core::time::Time;
use countersign_core::{
    Actor, Auditor, Command, Context, Effect, Event, Fact, Item, Refusal, State, Subject, Via, Violation,
    apply, approval, decide, due, missing,
};
use serde_json::{Value, json};

use crate::stage;

/// A history under way.
#[derive(Clone)]
pub(crate) struct Book {
    pub now: Time,
    /// Nothing is ever let go of here.
    pub whole: State,
    pub events: Vec<Event>,
    live: State,
    replayed: State,
    entries: Vec<String>,
    /// By index: what each entry is about, and the redaction that deleted its details. Whatever people do has details.
    details: BTreeMap<u64, (Subject, u32, Option<u64>)>,
    /// Entries whose details went around the product.
    lost: BTreeSet<u64>,
    blobs: BTreeMap<Digest, Policy>,
    records: BTreeMap<Subject, (String, u32)>,
    touched: BTreeSet<Subject>,
    hydrated: BTreeSet<Subject>,
    pub auditor: Auditor,
    /// The highest fence of any instruction so far; there is one secret on this stage.
    fence: u64,
    fresh: u128,
}

impl Book {
    /// Nothing is written yet.
    pub(crate) fn empty() -> Self {
        Self {
            now: stage::BEGINNING,
            whole: State::default(),
            events: Vec::new(),
            live: State::default(),
            replayed: State::default(),
            entries: Vec::new(),
            details: BTreeMap::new(),
            lost: BTreeSet::new(),
            blobs: stage::known_policies()
                .into_iter()
                .map(|policy| (stage::policy_digest(&policy), policy))
                .collect(),
            records: BTreeMap::new(),
            touched: BTreeSet::new(),
            hydrated: BTreeSet::new(),
            auditor: Auditor::default(),
            fence: 0,
            fresh: 1_000,
        }
    }

    /// Genesis is written, and everybody but Eve has claimed.
    pub(crate) fn begun() -> Self {
        Self::begun_with(stage::genesis())
    }

    /// This genesis is written, and everybody but Eve has claimed.
    pub(crate) fn begun_with(genesis: Bootstrap) -> Self {
        let mut book = Self::empty();
        book.blobs.insert(genesis.policy_sha256, genesis.policy.clone());
        book.begin(genesis);
        book
    }

    fn begin(&mut self, genesis: Bootstrap) {
        self.must(Actor::Node, &Command::Bootstrap(genesis));
        for person in [stage::ANA, stage::BEN, stage::CHLOE, stage::AUD, stage::DAN] {
            self.must(Actor::Node, &stage::claiming(person));
        }
        self.commit();
    }

    /// Genesis is written with another policy, and everybody but Eve has claimed.
    pub(crate) fn begun_with_policy(policy: Policy) -> Self {
        let mut book = Self::empty();
        let policy_sha256 = book.know(&policy);
        book.begin(Bootstrap { policy, policy_sha256, ..stage::genesis() });
        book
    }

    /// A policy that is not of the stage can be put in force too.
    pub(crate) fn know(&mut self, policy: &Policy) -> Digest {
        let digest = stage::policy_digest(policy);
        self.blobs.insert(digest, policy.clone());
        digest
    }

    /// Submits a command that is not refused.
    pub(crate) fn must(&mut self, actor: impl Into<Actor>, command: &Command) -> Vec<Event> {
        self.submit(actor, command).unwrap_or_else(|refusal| panic!("{command:?} is refused: {refusal}"))
    }

    /// Submits a command as part of the batch that [`Book::commit`] ends.
    pub(crate) fn submit(
        &mut self,
        actor: impl Into<Actor>,
        command: &Command,
    ) -> Result<Vec<Event>, Refusal> {
        self.submit_via((actor, None), command)
    }

    /// The same, by a session if by one.
    pub(crate) fn submit_via(
        &mut self,
        (actor, session): (impl Into<Actor>, Option<Via>),
        command: &Command,
    ) -> Result<Vec<Event>, Refusal> {
        let command = &self.looked_up(command);
        self.hydrate(command);
        self.fresh += 3;
        let fresh = [self.fresh, self.fresh + 1];
        let cx = Context {
            now: self.now,
            actor: actor.into(),
            session,
            correlation: CorrelationId(self.fresh + 2),
            fresh,
        };
        let decision = decide(&self.live, &cx, command);
        assert_eq!(decision, decide(&self.whole, &cx, command), "letting go of subjects changes {command:?}");
        let events = decision?;
        for event in &events {
            self.push(event);
            let number = self.whole.entries_of(&event.fact.subject());
            let verdict = self.auditor.follow_numbered(event, number);
            content(verdict);
        }
        // Nothing is owed beyond a decision.
        content(self.auditor.finish());
        self.events.extend(events.iter().cloned());
        Ok(events)
    }

    /// The command with what stands where it wants to delete details, as the engine finds it.
    fn looked_up(&self, command: &Command) -> Command {
        let Command::RedactDetails(redact) = command else { return command.clone() };
        let found = redact.entries.iter().map(|index| (index, self.standing(index))).collect();
        Command::RedactDetails(RedactDetails { found, ..redact.clone() })
    }

    fn standing(&self, index: u64) -> Standing {
        match self.details.get(&index) {
            Some(_) if self.lost.contains(&index) => Standing::Missing,
            Some((_, _, Some(by))) => Standing::Redacted { by: *by },
            Some((subject, subject_seq, None)) => {
                Standing::Present { subject: subject.clone(), subject_seq: *subject_seq }
            }
            None if index < self.size() => Standing::NoDetails,
            None => Standing::NoEntry,
        }
    }

    /// Somebody deletes details where they are stored.
    pub(crate) fn lose_details(&mut self, index: u64) {
        self.lost.insert(index);
    }

    /// Entries so far.
    pub(crate) fn size(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap()
    }

    /// The first entry about the subject.
    pub(crate) fn first_of(&self, subject: &Subject) -> u64 {
        let opens = |entry: &&String| {
            let entry: Value = serde_json::from_str(entry).unwrap();
            entry["subject"] == subject.to_string()
        };
        u64::try_from(self.entries.iter().take_while(|entry| !opens(entry)).count()).unwrap()
    }

    fn keep_details(&mut self, event: &Event, subject_seq: u32) {
        let index = self.size();
        if event.actor.person().is_some() {
            self.details.insert(index, (event.fact.subject(), subject_seq, None));
        }
        if let Fact::LogDetailsRedacted(_, redacted) = &event.fact {
            for gone in redacted.entries.iter() {
                let (_, _, by) = self.details.get_mut(&gone).unwrap();
                assert_eq!(by.replace(index), None, "the details of entry {gone} are deleted twice");
            }
        }
    }

    fn hydrate(&mut self, command: &Command) {
        loop {
            let mut found = false;
            for subject in missing(&self.live, command) {
                if let Some((record, entries)) = self.records.get(&subject) {
                    let item: Item = serde_json::from_str(record).unwrap();
                    self.live.hydrate(&subject, item, *entries);
                    self.hydrated.insert(subject);
                    found = true;
                }
            }
            if !found {
                return;
            }
        }
    }

    fn push(&mut self, event: &Event) {
        apply(&mut self.live, event);
        apply(&mut self.whole, event);
        let subject = event.fact.subject();
        let entry = entry(event, self.live.entries_of(&subject)).to_string();
        let (read, subject_seq) = self.read(&entry);
        assert_eq!(&read, event, "an entry does not read as it was written");
        replay(&mut self.replayed, &read, subject_seq);
        self.keep_details(event, subject_seq);
        self.entries.push(entry);
        self.touched.insert(subject);
    }

    /// An entry read back, with its policy resolved.
    fn read(&self, text: &str) -> (Event, u32) {
        let (mut event, subject_seq) = read(&serde_json::from_str(text).unwrap());
        if let Some(digest) = event.unresolved() {
            event.resolve(self.blobs[&digest].clone());
        }
        (event, subject_seq)
    }

    /// Ends the batch, as the engine does: writes records, lets go, and compares.
    pub(crate) fn commit(&mut self) {
        for subject in &self.touched {
            let item = self.live.item(subject).unwrap();
            let record = serde_json::to_string(&item).unwrap();
            self.records.insert(subject.clone(), (record, self.live.entries_of(subject)));
        }
        for subject in std::mem::take(&mut self.touched) {
            self.live.retire(&subject);
        }
        for subject in std::mem::take(&mut self.hydrated) {
            self.live.forget(&subject);
        }
        assert_eq!(self.live, self.replayed, "replay does not give the live state");
        self.assert_nothing_overdue_is_lost();
        self.assert_fences_grow();
        self.assert_what_can_be_used_can_be_read();
    }

    /// Nobody is asked to vote on, or holds a permit for, parameters that were redacted.
    fn assert_what_can_be_used_can_be_read(&self) {
        for (subject, subject_seq, by) in self.details.values() {
            let usable = match self.whole.item(subject) {
                Some(Item::Approval(approval)) => {
                    approval.status().as_str() != "consumed" && approval.deadline().is_some()
                }
                Some(Item::Permit(permit)) => permit.deadline().is_some(),
                Some(Item::BreakGlass(it)) => it.settled.is_none(),
                _ => false,
            };
            assert!(!usable || by.is_none() || *subject_seq != 1, "`{subject}` can be used but not read");
        }
    }

    /// No instruction is ever owed whose fence a receiver would refuse.
    fn assert_fences_grow(&mut self) {
        for effect in self.due() {
            if let Effect::Task(due) = effect {
                assert!(due.fence >= self.fence, "{due:?} comes after {}", self.fence);
                self.fence = due.fence;
            }
        }
    }

    /// When time alone will next change the subject, as it says itself.
    pub(crate) fn deadline(&self, subject: &Subject) -> Option<Time> {
        match self.whole.item(subject)? {
            Item::Person(person) => person.deadline(),
            Item::Token(token) => token.deadline(),
            Item::Session(session) => session.deadline(),
            Item::Approval(approval) => approval.next_deadline(),
            Item::Permit(permit) => permit.deadline(),
            Item::Rotation(rotation) => rotation.deadline(),
            Item::BreakGlass(it) => it.deadline(),
            _ => None,
        }
    }

    /// What is overdue by its own deadline is owed, and nothing else is.
    fn assert_nothing_overdue_is_lost(&self) {
        let overdue: BTreeSet<&Subject> = self
            .records
            .keys()
            .filter(|subject| self.deadline(subject).is_some_and(|deadline| deadline <= self.now))
            .collect();
        let owed: Vec<Subject> = self
            .due()
            .into_iter()
            .map(|effect| match effect {
                Effect::Elapse(subject) => subject,
                Effect::Task(due) => Subject::Rotation(due.rotation),
            })
            .collect();
        assert_eq!(owed.iter().collect::<BTreeSet<_>>(), overdue);
        assert!(due(&self.live, self.now, 1).len() == owed.len().min(1), "the limit loses the first one");
    }

    pub(crate) fn due(&self) -> Vec<Effect> {
        due(&self.live, self.now, 1_000)
    }

    pub(crate) fn next_due(&self) -> Option<Time> {
        self.live.next_due()
    }

    /// Live requests that the policy in force leaves behind.
    pub(crate) fn stranded(&self) -> Vec<(ApprovalId, approval::Refusal)> {
        approval::stranded(&self.live, self.now)
    }

    /// Time passes up to the next deadline exactly.
    pub(crate) fn wait_for_deadline(&mut self) {
        self.now = self.next_due().map_or(self.now, |due| due.max(self.now));
    }

    /// All entries as written, a line each.
    pub(crate) fn written(&self) -> String {
        self.entries.iter().flat_map(|entry| [entry.as_str(), "\n"]).collect()
    }

    /// Everything again from the first entry, and through a snapshot.
    pub(crate) fn assert_replays(&self) {
        let mut again = State::default();
        for text in &self.entries {
            let (event, subject_seq) = self.read(text);
            replay(&mut again, &event, subject_seq);
            assert_eq!(entry(&event, subject_seq).to_string(), *text);
        }
        assert_eq!(again, self.live);
        let snapshot: State = serde_json::from_str(&serde_json::to_string(&again).unwrap()).unwrap();
        assert_eq!(snapshot, self.live);
    }
}

/// The auditor has nothing to say.
fn content(verdict: Result<(), Violation>) {
    if let Err(violation) = verdict {
        panic!("the auditor objects: {}: {violation}", violation.code());
    }
}

/// Applies one entry, as start-up does.
fn replay(state: &mut State, event: &Event, subject_seq: u32) {
    let subject = event.fact.subject();
    if subject_seq > 1 && state.entries_of(&subject) == 0 {
        return;
    }
    apply(state, event);
    assert_eq!(state.entries_of(&subject), subject_seq, "a gap in the entries of `{subject}`");
    state.retire(&subject);
}

/// The envelope of an event, as far as the core knows it. Keys are sorted and everything is ASCII, so this is the canonical form.
pub(crate) fn entry(event: &Event, subject_seq: u32) -> Value {
    let mut entry = json!({
        "actor": event.actor,
        "correlation": event.correlation,
        "data": event.fact,
        "kind": event.fact.kind(),
        "subject": event.fact.subject(),
        "subject_seq": subject_seq,
        "time": event.at,
    });
    if let Some(environment) = &event.environment {
        entry["environment"] = json!(environment);
    }
    entry
}

/// The event in an envelope, and its number among the subject's entries.
pub(crate) fn read(entry: &Value) -> (Event, u32) {
    let text = |key: &str| entry[key].as_str().unwrap_or_else(|| panic!("no `{key}` in {entry}"));
    let fact = Fact::decode(text("kind"), text("subject"), &entry["data"]).unwrap();
    let event = Event {
        at: text("time").parse().unwrap(),
        actor: text("actor").parse().unwrap(),
        correlation: text("correlation").parse().unwrap(),
        environment: entry.get("environment").map(|name| serde_json::from_value(name.clone()).unwrap()),
        fact,
    };
    (event, u32::try_from(entry["subject_seq"].as_u64().unwrap()).unwrap())
}
