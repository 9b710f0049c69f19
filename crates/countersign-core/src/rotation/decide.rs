//! Starting, aborting, and what follows from tasks and time.

use alloc::vec::Vec;

use super::stage::{Stage, Step};
use super::{
    Advanced, Attempt, FIRST_RETRY_MS, Failure, FailureCode, LONGEST_RETRY_MS, Refusal, Report, Rotation,
    Start, Started, TASK_TIMEOUT_MS, Task, TaskAttempted, TaskFailed, TaskKey, TaskSucceeded, TurnCause,
    TurnedBack,
};
use crate::action::Action;
use crate::context::{Actor, Context};
use crate::domain::{self, Event, Fact};
use crate::id::{PersonId, RotationId};
use crate::incident::{self, Cause, Setting};
use crate::permit::{self, Outcome};
use crate::secret::{self, SecretKey};
use crate::state::{State, Subject};

/// How long an attempt of which nobody reported took, microseconds.
const LOST_AFTER_US: u64 = TASK_TIMEOUT_MS.unsigned_abs() * 1000;

impl Rotation {
    fn event(&self, cx: &Context, fact: Fact) -> Event {
        Event::new(cx, self.correlation, Some(&self.secret.environment), fact)
    }

    /// The open task of this name.
    fn open_task(&self, key: &TaskKey) -> Option<&Task> {
        self.open_tasks().find(|task| &task.key == key)
    }

    /// Where the way back begins, if there is one.
    ///
    /// Once the signer may have been told (the intent is on record), it may sign with the new key already; once a consumer
    /// may have been told to drop the old key, switching back would break it.
    fn way_back(&self) -> Option<Stage> {
        let attempted = |step: Step| self.tasks.iter().any(|task| task.key.step == step && task.attempts > 0);
        match self.stage {
            Stage::Started | Stage::PendingCreated | Stage::Distributed => Some(Stage::Aborting),
            Stage::Tested if !attempted(Step::Switch) && !attempted(Step::Promote) => Some(Stage::Aborting),
            Stage::Tested | Stage::Promoted => Some(Stage::SwappingBack),
            Stage::Overlap if !attempted(Step::RevokeOld) => Some(Stage::SwappingBack),
            _ => None,
        }
    }

    fn is_turned_back(&self) -> bool {
        self.turned_back.is_some()
    }

    fn incident(&self, cx: &Context, cause: Cause) -> Event {
        let setting = Setting { correlation: self.correlation, environment: Some(&self.secret.environment) };
        incident::open(cx, &setting, cause, Subject::Rotation(self.id))
    }
}

pub(crate) fn start(state: &State, cx: &Context, command: &Start) -> Result<Vec<Event>, domain::Refusal> {
    let permit = permit::startable(state, cx, command.permit)?;
    let action = &permit.action;
    let in_force = state.policy().ok_or(Refusal::NotGoverned)?;
    let governed = in_force.policy.secret(&action.resource, &action.environment);
    let governed = governed.filter(|_| action.verb.as_str() == "rotate").ok_or(Refusal::NotGoverned)?;
    let key = SecretKey { resource: action.resource.clone(), environment: action.environment.clone() };
    let secret = state.secret(&key).ok_or(Refusal::NotAdopted)?;
    if secret.rotation.is_some() {
        return Err(Refusal::SecretBusy.into());
    }
    if permit.parameters_sha256 != command.parameters_sha256 {
        return Err(Refusal::ParametersMismatch.into());
    }
    let min_seconds = governed.min_overlap_seconds.get();
    if command.parameters.overlap_seconds < min_seconds {
        return Err(Refusal::OverlapTooShort { min_seconds }.into());
    }
    let rests_ms =
        i64::from(governed.dwell_ms) * Stage::dwells() + i64::from(command.parameters.overlap_seconds) * 1000;
    if rests_ms >= i64::from(permit.work_seconds) * 1000 {
        return Err(Refusal::OverlapTooLong { work_seconds: permit.work_seconds }.into());
    }
    let freezes = crate::freeze::start(state, cx, permit)?;
    let (rotation, to_version) = (RotationId(cx.first()), secret.highest + 1);
    let started = Started {
        secret: key.clone(),
        permit: permit.id,
        policy_sha256: in_force.sha256,
        from_version: secret.current,
        to_version,
        consumers: governed.consumers.clone(),
        signer: governed.signer.clone(),
        overlap_seconds: command.parameters.overlap_seconds,
        dwell_ms: governed.dwell_ms,
        attempts: governed.attempts.get(),
    };
    Ok(Vec::from([
        permit::started(permit, cx, (Some(rotation), freezes)),
        permit.event(cx, Fact::SecretReserved(key, secret::Reserved { rotation, version: to_version })),
        permit.event(cx, Fact::RotationStarted(rotation, started)),
    ]))
}

pub(crate) fn abort(state: &State, cx: &Context, id: RotationId) -> Result<Vec<Event>, Refusal> {
    let rotation = state.rotation(id).ok_or(Refusal::NotFound)?;
    let person = cx.actor.person().ok_or(Refusal::NotAPerson)?;
    if person != rotation.started_by && !may_execute(state, rotation, person) {
        return Err(Refusal::NotAnExecutor);
    }
    if rotation.is_finished() {
        return Err(Refusal::Finished);
    }
    if rotation.is_turned_back() {
        return Err(Refusal::AlreadyTurnedBack);
    }
    let stage = rotation.way_back().ok_or(Refusal::PastRevocation)?;
    let turned = TurnedBack { stage, cause: TurnCause::Ordered };
    Ok(Vec::from([rotation.event(cx, Fact::RotationTurnedBack(id, turned))]))
}

fn may_execute(state: &State, rotation: &Rotation, person: PersonId) -> bool {
    let Ok(verb) = "rotate".parse() else { return false };
    let SecretKey { resource, environment } = rotation.secret.clone();
    state.policy().is_some_and(|in_force| {
        let requirement = in_force.policy.requirement(&Action { verb, resource, environment });
        requirement.is_some_and(|requirement| requirement.may_execute(&in_force.policy, person))
    })
}

fn runner_only(cx: &Context) -> Result<(), Refusal> {
    if cx.actor == Actor::Node { Ok(()) } else { Err(Refusal::NotTheRunner) }
}

pub(crate) fn attempt(state: &State, cx: &Context, command: &Attempt) -> Result<Vec<Event>, Refusal> {
    let rotation = state.rotation(command.rotation).ok_or(Refusal::NotFound)?;
    runner_only(cx)?;
    let task = rotation.open_task(&command.task).ok_or(Refusal::TaskNotDue)?;
    let due = task.next().is_some_and(|next| cx.now >= next) && command.attempt == task.attempts + 1;
    if !due {
        return Err(Refusal::TaskNotDue);
    }
    let attempted = TaskAttempted { task: command.task.clone(), attempt: command.attempt };
    Ok(Vec::from([rotation.event(cx, Fact::RotationTaskAttempted(rotation.id, attempted))]))
}

pub(crate) fn report(state: &State, cx: &Context, command: &Report) -> Result<Vec<Event>, Refusal> {
    let rotation = state.rotation(command.rotation).ok_or(Refusal::NotFound)?;
    runner_only(cx)?;
    let open = rotation.open_task(&command.task).filter(|task| !task.is_done());
    let task =
        open.filter(|task| (1..=task.attempts).contains(&command.attempt)).ok_or(Refusal::TaskNotDue)?;
    match command.outcome {
        Ok(()) => Ok(succeeded(state, cx, (rotation, command))),
        // An old attempt's failure says nothing about the one under way, and an attempt fails once.
        Err(_) if command.attempt != task.attempts || command.attempt == task.failed_attempt => {
            Err(Refusal::TaskNotDue)
        }
        Err(failure) => Ok(failed(cx, (rotation, command), failure)),
    }
}

fn succeeded(state: &State, cx: &Context, (rotation, report): (&Rotation, &Report)) -> Vec<Event> {
    let (task, attempt, latency_us) = (report.task.clone(), report.attempt, report.latency_us);
    let fact = Fact::RotationTaskSucceeded(rotation.id, TaskSucceeded { task, attempt, latency_us });
    let mut events = Vec::from([rotation.event(cx, fact)]);
    if rotation.open_tasks().all(|task| task.is_done() || task.key == report.task) {
        events.extend(advance(state, cx, rotation));
    }
    events
}

fn failed(cx: &Context, (rotation, report): (&Rotation, &Report), failure: Failure) -> Vec<Event> {
    let (task, attempt, latency_us) = (report.task.clone(), report.attempt, report.latency_us);
    let pause = FIRST_RETRY_MS.saturating_mul(1 << (attempt - 1).min(16)).min(LONGEST_RETRY_MS);
    let retry_at = cx.now.plus_millis(pause);
    let told = rotation.open_task(&task).is_some_and(|task| task.failed_attempt >= rotation.attempts);
    let fact = TaskFailed { task: task.clone(), attempt, latency_us, failure, retry_at };
    let mut events = Vec::from([rotation.event(cx, Fact::RotationTaskFailed(rotation.id, fact))]);
    match rotation.way_back() {
        Some(stage) if attempt >= rotation.attempts => {
            let turned = TurnedBack { stage, cause: TurnCause::Exhausted { task } };
            events.push(rotation.event(cx, Fact::RotationTurnedBack(rotation.id, turned)));
            events.push(rotation.incident(cx, Cause::RotationTurnedBack));
        }
        // There is no way back, so it is tried for ever; somebody must know, once.
        None if attempt >= rotation.attempts && !told => {
            events.push(rotation.incident(cx, Cause::RotationStuck));
        }
        _ => {}
    }
    events
}

/// The next stage and what comes with it.
fn advance(state: &State, cx: &Context, rotation: &Rotation) -> Vec<Event> {
    let Some(row) = rotation.stage.row() else { return Vec::new() };
    let stage = row.next;
    let mut events = Vec::from([rotation.event(cx, Fact::RotationAdvanced(rotation.id, Advanced { stage }))]);
    let promoted = |version| {
        let promoted = secret::Promoted { rotation: rotation.id, version };
        rotation.event(cx, Fact::SecretPromoted(rotation.secret.clone(), promoted))
    };
    let (old, new) = (rotation.from_version, rotation.to_version);
    match stage {
        Stage::Promoted => events.push(promoted(new)),
        Stage::SwitchedBack => events.push(promoted(old)),
        Stage::Closed => events.extend(settle(state, cx, (rotation, Outcome::Succeeded))),
        Stage::Aborted | Stage::SwappedBack => events.extend(settle(state, cx, (rotation, Outcome::Failed))),
        _ => {}
    }
    events
}

/// The secret is let go, and the permit gets its outcome.
fn settle(state: &State, cx: &Context, (rotation, outcome): (&Rotation, Outcome)) -> Vec<Event> {
    let (version, destroyed) = match outcome {
        Outcome::Succeeded => (rotation.to_version, rotation.from_version),
        Outcome::Failed => (rotation.from_version, rotation.to_version),
    };
    let settled = secret::Settled { rotation: rotation.id, version, destroyed };
    let mut events = Vec::from([rotation.event(cx, Fact::SecretSettled(rotation.secret.clone(), settled))]);
    let concluded = state.permit(rotation.permit).map(|permit| permit::conclude(permit, cx, outcome));
    events.extend(concluded.and_then(Result::ok).unwrap_or_default());
    events
}

pub(crate) fn elapse(state: &State, cx: &Context, id: RotationId) -> Vec<Event> {
    let Some(rotation) = state.rotation(id) else { return Vec::new() };
    if let Some(task) = rotation.lost(cx.now) {
        let (task, attempt, latency_us) = (task.key.clone(), task.attempts, LOST_AFTER_US);
        let failure = Failure { code: FailureCode::Unreported, status: None };
        let report = Report { rotation: id, task, attempt, latency_us, outcome: Err(failure) };
        return failed(cx, (rotation, &report), failure);
    }
    let rested = rotation.deadline().is_some_and(|deadline| cx.now >= deadline);
    if rested && rotation.open_tasks().next().is_none() { advance(state, cx, rotation) } else { Vec::new() }
}
