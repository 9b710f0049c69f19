//! Rotations of secrets: from a pending version to the proof that the old one is refused, or back to what was before.
//!
//! A rotation is a row of stages; in each stage it owes the world some tasks, and when all are done it advances. The rows are a table
//! in `stage`. A task's intent is written before it is performed and its outcome after, so a crash loses neither. This is the recorded
//! form the field calls a secret rotation runbook.
//!
//! # Layout
//! - `stage`: stages, steps, and which step leads from which stage to which
//! - `decide`: start, abort, attempt, report, elapse
//! - `fold`: what events do to a rotation, and what it owes

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{ApprovalId, CorrelationId, PermitId, PersonId, RotationId};
use crate::policy::Scheme;
use crate::secret::SecretKey;
use crate::text::Name;
use crate::time::Time;

mod decide;
mod fold;
mod refusal;
mod stage;
#[cfg(test)]
mod tests;

pub(crate) use decide::{abort, attempt, elapse, report, start};
pub(crate) use fold::{apply, due};
pub use refusal::Refusal;
pub use stage::{Stage, Step};

/// How long a task may be under way before it counts as lost, milliseconds. The runner gives up earlier by itself.
pub const TASK_TIMEOUT_MS: i64 = 20_000;

/// First pause between two attempts, milliseconds; it doubles each time.
pub const FIRST_RETRY_MS: i64 = 250;

/// Longest pause between two attempts, milliseconds.
pub const LONGEST_RETRY_MS: i64 = 60_000;

/// Begins a rotation under a reserved permit.
#[derive(Clone, Debug)]
pub struct Start {
    /// The permit.
    pub permit: PermitId,
    /// SHA-256 of the canonical parameters under the permit's salt.
    pub parameters_sha256: Digest,
    /// The parameters, as hashed.
    pub parameters: Parameters,
}

/// The parameters of `rotate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// How long old and new are both accepted, seconds.
    pub overlap_seconds: u32,
}

/// Names a task within its rotation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskKey {
    /// What is done.
    pub step: Step,
    /// The endpoint it is done with; none for the secret store.
    pub target: Option<Name>,
}

impl fmt::Display for TaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Some(target) => write!(f, "{}/{target}", self.step.as_str()),
            None => f.write_str(self.step.as_str()),
        }
    }
}

/// The runner is about to perform a task.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Of which rotation.
    pub rotation: RotationId,
    /// Which task.
    pub task: TaskKey,
    /// The attempt's number, from 1.
    pub attempt: u32,
}

/// The runner says how a task went.
#[derive(Clone, Debug)]
pub struct Report {
    /// Of which rotation.
    pub rotation: RotationId,
    /// Which task.
    pub task: TaskKey,
    /// The attempt's number.
    pub attempt: u32,
    /// How long it took, microseconds.
    pub latency_us: u64,
    /// How it went.
    pub outcome: Result<(), Failure>,
}

/// Why a task failed: a word and, where there was an answer, its HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What went wrong.
    pub code: FailureCode,
    /// The HTTP status of the answer.
    pub status: Option<u16>,
}

/// What can go wrong with a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureCode {
    /// No connection or no answer in time.
    Unreachable,
    /// The receiver refused the instruction.
    Refused,
    /// The receiver failed, or answered something that is neither yes nor no.
    Inconclusive,
    /// A probe signed with the new key was refused.
    NewRefused,
    /// A probe signed with the old key was accepted.
    OldAccepted,
    /// The secret store failed.
    Store,
    /// The node has no such endpoint configured.
    NotConfigured,
    /// Nobody said in time how the attempt went: the runner died with it.
    Unreported,
}

impl FailureCode {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Inconclusive => "inconclusive",
            Self::NewRefused => "new-refused",
            Self::OldAccepted => "old-accepted",
            Self::Store => "store",
            Self::NotConfigured => "not-configured",
            Self::Unreported => "unreported",
        }
    }
}

/// `rotation.started`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The secret.
    pub secret: SecretKey,
    /// The permit it runs under.
    pub permit: PermitId,
    /// The policy in force, which says what follows.
    pub policy_sha256: Digest,
    /// The version it replaces.
    pub from_version: u32,
    /// The version it makes.
    pub to_version: u32,
    /// Endpoints that verify with the secret.
    pub consumers: BTreeSet<Name>,
    /// The endpoint that signs with it.
    pub signer: Name,
    /// How long old and new are both accepted, seconds.
    pub overlap_seconds: u32,
    /// How long each stage rests before the next begins, milliseconds.
    pub dwell_ms: u32,
    /// How often a task is tried before the rotation turns back or an incident is opened.
    pub attempts: u32,
}

/// `rotation.task_attempted`: the intent, before anything is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskAttempted {
    /// The task.
    pub task: TaskKey,
    /// From 1.
    pub attempt: u32,
}

/// `rotation.task_succeeded`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSucceeded {
    /// The task.
    pub task: TaskKey,
    /// The attempt that succeeded.
    pub attempt: u32,
    /// How long it took, microseconds.
    pub latency_us: u64,
}

/// `rotation.task_failed`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskFailed {
    /// The task.
    pub task: TaskKey,
    /// The attempt that failed.
    pub attempt: u32,
    /// How long it took, microseconds.
    pub latency_us: u64,
    /// Why.
    pub failure: Failure,
    /// When it is tried again, unless the rotation turns back.
    pub retry_at: Time,
}

/// `rotation.advanced`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advanced {
    /// The stage that was reached.
    pub stage: Stage,
}

/// `rotation.turned_back`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnedBack {
    /// The stage in which the way back begins.
    pub stage: Stage,
    /// Why.
    pub cause: TurnCause,
}

/// Why a rotation turned back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum TurnCause {
    /// A person said so: the actor of the entry.
    Ordered,
    /// A task failed as often as the policy allows.
    Exhausted {
        /// The task.
        task: TaskKey,
    },
}

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum TaskState {
    /// To be done, not before a time.
    Waiting {
        /// The time.
        not_before: Time,
    },
    /// Under way.
    InFlight {
        /// Since when.
        since: Time,
    },
    /// Done.
    Done {
        /// When.
        at: Time,
        /// How long the successful attempt took, microseconds.
        latency_us: u64,
    },
}

/// Something a rotation owes the world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Which.
    pub key: TaskKey,
    /// The stage that owes it.
    pub stage: Stage,
    /// Attempts begun.
    pub attempts: u32,
    /// How far it is.
    pub state: TaskState,
    /// Why the last attempt failed.
    pub failure: Option<Failure>,
    /// The last attempt that is on record as failed; 0 if none is.
    #[serde(default)]
    pub failed_attempt: u32,
}

/// A stage and when it was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// The stage.
    pub stage: Stage,
    /// When.
    pub at: Time,
}

/// A rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// The id.
    pub id: RotationId,
    /// The secret.
    pub secret: SecretKey,
    /// The permit it runs under.
    pub permit: PermitId,
    /// The approval the permit consumed.
    pub approval: Option<ApprovalId>,
    /// The policy that was in force when it started.
    pub policy_sha256: Digest,
    /// Who started it.
    pub started_by: PersonId,
    /// What it belongs to.
    pub correlation: CorrelationId,
    /// The version it replaces.
    pub from_version: u32,
    /// The version it makes.
    pub to_version: u32,
    /// Endpoints that verify with the secret.
    pub consumers: BTreeSet<Name>,
    /// The endpoint that signs with it.
    pub signer: Name,
    /// How requests are signed.
    pub scheme: Scheme,
    /// How long old and new are both accepted, seconds.
    pub overlap_seconds: u32,
    /// How long each stage rests, milliseconds.
    pub dwell_ms: u32,
    /// How often a task is tried.
    pub attempts: u32,
    /// Template of the link to the runbook, as it was then.
    pub runbook: String,
    /// Template of the link to the dashboard, as it was then.
    pub dashboard: String,
    /// Where it is.
    pub stage: Stage,
    /// All stages reached, in order.
    pub reached: Vec<Reached>,
    /// All tasks owed so far, in order.
    pub tasks: Vec<Task>,
    /// Why it turned back, if it did.
    pub turned_back: Option<TurnCause>,
}

/// A task that is to be performed now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Of which rotation.
    pub rotation: RotationId,
    /// Of which secret.
    pub secret: SecretKey,
    /// Which task.
    pub task: TaskKey,
    /// The number of the attempt to make.
    pub attempt: u32,
    /// The version being replaced.
    pub from_version: u32,
    /// The version being made.
    pub to_version: u32,
    /// How requests are signed.
    pub scheme: Scheme,
    /// Grows with every stage of every rotation of the secret; receivers refuse instructions from the past.
    pub fence: u64,
}

impl Due {
    /// The stable id of the effect, the same for every attempt: receivers do it once.
    #[must_use]
    pub fn effect(&self) -> String {
        alloc::format!("{}/{}", self.rotation, self.task)
    }
}

impl Rotation {
    /// Tasks of the stage it is in.
    pub fn open_tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter().filter(|task| task.stage == self.stage)
    }

    /// When it reached the stage it is in.
    #[must_use]
    pub fn since(&self) -> Time {
        self.reached.last().map_or(Time::default(), |reached| reached.at)
    }

    /// When it has something to do next.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        if self.is_finished() {
            return None;
        }
        let rest = self.since().plus_millis(i64::from(self.dwell_ms));
        let mut tasks = self.open_tasks().peekable();
        if tasks.peek().is_none() { Some(rest) } else { tasks.filter_map(Task::next).min() }
    }

    /// A task whose last attempt ended in silence, when that was the last attempt the policy allows and no failure says so yet.
    fn lost(&self, now: Time) -> Option<&Task> {
        let lost = |task: &&Task| {
            let under_way = matches!(task.state, TaskState::InFlight { .. });
            let exhausted = task.attempts >= self.attempts && task.failed_attempt < self.attempts;
            under_way && exhausted && task.next().is_some_and(|next| now >= next)
        };
        self.open_tasks().find(lost)
    }

    /// Whether nothing more will happen to it.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.stage.is_last()
    }
}

impl Task {
    /// When it may be attempted (again); none once it is done.
    fn next(&self) -> Option<Time> {
        match self.state {
            TaskState::Waiting { not_before } => Some(not_before),
            TaskState::InFlight { since } => Some(since.plus_millis(TASK_TIMEOUT_MS)),
            TaskState::Done { .. } => None,
        }
    }

    fn is_done(&self) -> bool {
        matches!(self.state, TaskState::Done { .. })
    }
}
