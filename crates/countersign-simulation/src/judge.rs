//! The judge: follows nothing but what is kept and what was answered, and knows the rules by the design alone.
//!
//! Who may do what is judged by the core's auditor, which shares nothing with the core's decisions. Here is what only somebody sees who looks
//! at the whole: that what was acknowledged is kept, that nothing happens twice, that all nodes show what the log says, that whoever was
//! put out is let in by nobody, and that a rotation that ended left the world as it says.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use countersign_core::id::{RotationId, SessionId};
use countersign_core::rotation::Stage;
use countersign_core::session::How;
use countersign_core::time::Time;
use countersign_core::{Actor, Auditor, Event, Fact, Item, State, Subject, apply};
use countersign_ledger::hash::leaf_hash;
use countersign_ledger::tree::CompactRange;
use countersign_server::engine::{Committed, REVOCATION_BOUND, codec};
use countersign_server::store::Reader;
use serde_json::Value;

use crate::call::{Acting, Call, KEY};
use crate::outside::Outside;

/// Entries read at once.
const CHUNK: usize = 4_096;

/// What is judged, in words.
pub(crate) type Verdict<T = ()> = Result<T, String>;

/// The judge.
#[derive(Default)]
pub(crate) struct Judge {
    auditor: Auditor,
    state: State,
    tree: CompactRange,
    events: Vec<Event>,
    /// Which entry each request led to.
    keys: BTreeMap<String, u64>,
    /// How many times each request is under way, as far as nobody was told that it changed nothing.
    underway: BTreeMap<String, u32>,
    /// Since when somebody is out, microseconds since the beginning.
    out: BTreeMap<Actor, u64>,
    out_sessions: BTreeMap<SessionId, u64>,
    /// Everything that has begun.
    begun: BTreeSet<Subject>,
    /// From which version to which each rotation leads.
    rotations: BTreeMap<RotationId, (u32, u32)>,
    /// Those that are under way.
    rotating: BTreeSet<RotationId>,
    /// The version that everybody uses after the last one that ended, and the one that nobody does.
    used: Option<(u32, u32)>,
}

impl Judge {
    /// The state that the log gives.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// How many entries were judged.
    pub(crate) fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Root of the tree over them, in hexadecimal.
    pub(crate) fn root(&self) -> String {
        self.tree.root().to_string()
    }

    /// Judges what was kept since the last time, and gives it.
    ///
    /// # Errors
    /// What must never be.
    pub(crate) fn follow(&mut self, kept: &mut dyn Reader, now: u64) -> Verdict<Range<usize>> {
        let read =
            |error: countersign_server::store::StoreError| format!("what is kept cannot be read: {error}");
        let before = self.events.len();
        let head = kept.head().map_err(read)?;
        while self.tree.size() < head.size() {
            let from = self.tree.size();
            let entries = kept.entries(from, CHUNK).map_err(read)?;
            if entries.is_empty() {
                return Err(format!("entry {from} is missing"));
            }
            for entry in entries {
                if entry.index != self.tree.size() || entry.leaf_hash != leaf_hash(&entry.leaf) {
                    return Err(format!("entry {} is not what stands there", entry.index));
                }
                self.tree.push(entry.leaf_hash);
                let decoded = codec::decode(entry.index, &entry.leaf, kept).map_err(read)?;
                self.happened(&decoded.event, decoded.subject_seq)?;
                self.note(&decoded.event, now);
                self.events.push(decoded.event);
            }
            for (index, details) in kept.details_in(from..self.tree.size()).map_err(read)? {
                self.once(index, &details.body)?;
            }
        }
        if self.tree.root() != head.tree.root() || self.tree.size() != head.size() {
            return Err("the entries do not give the root that is kept".into());
        }
        if before < self.events.len() {
            self.auditor.finish().map_err(|violation| format!("{}: {violation}", violation.code()))?;
        }
        Ok(before..self.events.len())
    }

    /// What happened in these entries.
    pub(crate) fn events(&self, range: Range<usize>) -> &[Event] {
        self.events.get(range).unwrap_or_default()
    }

    fn happened(&mut self, event: &Event, subject_seq: u32) -> Verdict {
        let verdict = self.auditor.follow_numbered(event, subject_seq);
        verdict.map_err(|violation| format!("{}: {violation}", violation.code()))?;
        let subject = event.fact.subject();
        if subject_seq > 1 && self.state.entries_of(&subject) == 0 {
            // Of something that is over and only records know: nothing alive depends on it.
            return Ok(());
        }
        apply(&mut self.state, event);
        self.begun.insert(subject.clone());
        if self.state.entries_of(&subject) != subject_seq {
            return Err(format!("a gap in the entries of `{subject}`"));
        }
        self.state.retire(&subject);
        Ok(())
    }

    /// A request leads to something once, however often it was sent.
    fn once(&mut self, index: u64, details: &[u8]) -> Verdict {
        let details: Value =
            serde_json::from_slice(details).map_err(|error| format!("entry {index}: {error}"))?;
        let Some(key) = details.get(KEY).and_then(Value::as_str) else { return Ok(()) };
        if self.underway.get(key) == Some(&0) {
            return Err(format!(
                "the request `{key}` led to entry {index}, after everybody was told that it changed nothing"
            ));
        }
        match self.keys.insert(key.to_owned(), index) {
            Some(before) => Err(format!("the request `{key}` led to entry {before} and again to {index}")),
            None => Ok(()),
        }
    }

    fn note(&mut self, event: &Event, now: u64) {
        match &event.fact {
            Fact::TokenRevoked(token, _) => drop(self.out.insert(Actor::Token(*token), now)),
            Fact::PersonDeactivated(person, _) => drop(self.out.insert(Actor::Person(*person), now)),
            Fact::SessionEnded(session, ended) if ended.how == How::Revoked => {
                self.out_sessions.insert(*session, now);
            }
            Fact::RotationStarted(id, started) => {
                self.rotations.insert(*id, (started.from_version, started.to_version));
                self.rotating.insert(*id);
            }
            _ => {}
        }
    }

    /// A request is handed in.
    pub(crate) fn handed_in(&mut self, call: &Call) {
        *self.underway.entry(call.key.clone()).or_default() += 1;
    }

    /// Whoever sent a request was told what became of it, or that nothing did; not that nobody knows.
    pub(crate) fn told(&mut self, call: &Call) {
        if let Some(underway) = self.underway.get_mut(&call.key) {
            *underway = underway.saturating_sub(1);
        }
    }

    /// What somebody was answered is kept, exactly so.
    ///
    /// # Errors
    /// It is not.
    pub(crate) fn acknowledged(&self, call: &Call, committed: &Committed) -> Verdict {
        let first = usize::try_from(committed.first).unwrap_or(usize::MAX);
        let kept = self.events.get(first..first.saturating_add(committed.events.len()));
        if committed.events.is_empty() || kept == Some(&*committed.events) {
            return Ok(());
        }
        Err(format!("`{}` was acknowledged as entry {first}, which is not kept", call.key))
    }

    /// Whoever was put out is let in by nobody once the bound is over.
    ///
    /// # Errors
    /// They were let in all the same.
    pub(crate) fn let_in(&self, acting: Acting, now: u64) -> Verdict {
        let bound = u64::try_from(REVOCATION_BOUND.as_micros()).unwrap_or(u64::MAX);
        let session = acting.session.and_then(|session| self.out_sessions.get(&session));
        let since = [self.out.get(&acting.actor), session].into_iter().flatten().min();
        match since {
            Some(since) if now.saturating_sub(*since) > bound => {
                let millis = (now - since) / 1_000;
                Err(format!("{} was let in {millis} ms after they were put out", acting.actor))
            }
            _ => Ok(()),
        }
    }

    /// A node shows what the log says.
    ///
    /// # Errors
    /// It shows something else.
    pub(crate) fn shown(&self, node: usize, (size, state): (u64, &State)) -> Verdict {
        if size > self.size() {
            return Err(format!("node {node} shows {size} entries of {}", self.size()));
        }
        if size == self.size() && *state != self.state {
            return Err(format!("node {node} shows another state than the log gives at {size}"));
        }
        Ok(())
    }

    /// Something whose own deadline passed before then, and nobody wrote it down.
    pub(crate) fn forgotten(&self, since: Time) -> Option<&Subject> {
        self.begun.iter().find(|subject| {
            let deadline = match self.state.item(subject) {
                Some(Item::Approval(it)) => it.next_deadline(),
                Some(Item::Permit(it)) => it.deadline(),
                Some(Item::Rotation(it)) => it.deadline(),
                Some(Item::Token(it)) => it.deadline(),
                Some(Item::Session(it)) => it.deadline(),
                Some(Item::BreakGlass(it)) => it.deadline(),
                Some(Item::Person(it)) => it.deadline(),
                _ => None,
            };
            deadline.is_some_and(|deadline| deadline <= since)
        })
    }

    /// A rotation that ended left the world as it says.
    ///
    /// # Errors
    /// It did not.
    pub(crate) fn ended(&mut self, event: &Event, outside: &Outside) -> Verdict {
        let Fact::RotationAdvanced(id, advanced) = &event.fact else { return Ok(()) };
        let Some((from, to)) = self.rotations.get(id).copied() else { return Ok(()) };
        let used = match advanced.stage {
            Stage::Closed => (to, from),
            Stage::Aborted | Stage::SwappedBack => (from, to),
            _ => return Ok(()),
        };
        self.used = Some(used);
        self.rotating.remove(id);
        let left = outside.all_use(used);
        left.map_err(|why| format!("{id} is over ({:?}), but {why}", advanced.stage))
    }

    /// Long after the last rotation ended, and whatever arrived late, the world is as it left it.
    ///
    /// # Errors
    /// It is not.
    pub(crate) fn lasts(&self, outside: &Outside) -> Verdict {
        match self.used {
            Some(used) if self.rotating.is_empty() => outside.all_use(used),
            _ => Ok(()),
        }
    }
}
