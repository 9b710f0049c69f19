//! What events do to a rotation, and what it owes the world at a moment.

use alloc::vec::Vec;

use super::stage::{Rest, Stage, With};
use super::{
    Due, Reached, Rotation, Started, Task, TaskAttempted, TaskFailed, TaskKey, TaskState, TaskSucceeded,
    TurnedBack,
};
use crate::domain::{Effect, Event, Fact};
use crate::id::RotationId;
use crate::sabotage::{self, Sabotage};
use crate::state::{State, Subject};
use crate::text::Name;
use crate::time::Time;

pub(crate) fn apply(state: &mut State, event: &Event) {
    match &event.fact {
        Fact::RotationStarted(id, started) => started_by(state, event, (*id, started)),
        Fact::RotationTaskAttempted(id, TaskAttempted { task, attempt }) => {
            change_task(state, (*id, task), |task| {
                task.attempts = *attempt;
                task.state = TaskState::InFlight { since: event.at };
            });
        }
        Fact::RotationTaskSucceeded(id, TaskSucceeded { task, latency_us, .. }) => {
            change_task(state, (*id, task), |task| {
                task.state = TaskState::Done { at: event.at, latency_us: *latency_us };
            });
        }
        Fact::RotationTaskFailed(id, TaskFailed { task, attempt, failure, retry_at, .. }) => {
            change_task(state, (*id, task), |task| {
                task.failure = Some(*failure);
                task.failed_attempt = *attempt;
                task.state = TaskState::Waiting { not_before: *retry_at };
            });
        }
        Fact::RotationAdvanced(id, advanced) => {
            state.change::<Rotation>(id, |rotation| rotation.enter(advanced.stage, event.at));
        }
        Fact::RotationTurnedBack(id, TurnedBack { stage, cause }) => {
            state.change::<Rotation>(id, |rotation| {
                rotation.turned_back = Some(cause.clone());
                rotation.enter(*stage, event.at);
            });
        }
        _ => {}
    }
}

fn change_task(state: &mut State, (rotation, key): (RotationId, &TaskKey), change: impl FnOnce(&mut Task)) {
    state.change::<Rotation>(&rotation, |rotation| {
        let stage = rotation.stage;
        if let Some(task) = rotation.tasks.iter_mut().find(|task| task.stage == stage && &task.key == key) {
            change(task);
        }
    });
}

fn started_by(state: &mut State, event: &Event, (id, started): (RotationId, &Started)) {
    let Some(started_by) = state.permit(started.permit).map(|permit| permit.executor) else { return };
    let policy = state.policy().map(|in_force| &in_force.policy);
    let governed =
        policy.and_then(|policy| policy.secret(&started.secret.resource, &started.secret.environment));
    let Some(governed) = governed.cloned() else { return };
    let mut rotation = Rotation {
        id,
        secret: started.secret.clone(),
        permit: started.permit,
        approval: state.permit(started.permit).and_then(|permit| permit.approval),
        policy_sha256: started.policy_sha256,
        started_by,
        correlation: event.correlation,
        from_version: started.from_version,
        to_version: started.to_version,
        consumers: started.consumers.clone(),
        signer: started.signer.clone(),
        scheme: governed.scheme,
        overlap_seconds: started.overlap_seconds,
        dwell_ms: started.dwell_ms,
        attempts: started.attempts,
        runbook: governed.runbook,
        dashboard: governed.dashboard,
        stage: Stage::Started,
        reached: Vec::new(),
        tasks: Vec::new(),
        turned_back: None,
    };
    rotation.enter(Stage::Started, event.at);
    state.put(id, rotation);
}

impl Rotation {
    /// Reaches a stage and takes on its tasks.
    fn enter(&mut self, stage: Stage, at: Time) {
        self.stage = stage;
        self.reached.push(Reached { stage, at });
        let Some(row) = stage.row() else { return };
        let not_before = match row.rest {
            Rest::None => at,
            Rest::Dwell => at.plus_millis(i64::from(self.dwell_ms)),
            Rest::Overlap if sabotage::is_active(Sabotage::SkipOverlap) => at,
            Rest::Overlap => at.plus_seconds(self.overlap_seconds),
        };
        for &step in row.steps {
            let targets: Vec<Option<Name>> = match step.with() {
                With::Consumers => self.consumers.iter().cloned().map(Some).collect(),
                With::Signer => Vec::from([Some(self.signer.clone())]),
                With::Store => Vec::from([None]),
            };
            self.tasks.extend(targets.into_iter().map(|target| Task {
                key: TaskKey { step, target },
                stage,
                attempts: 0,
                state: TaskState::Waiting { not_before },
                failure: None,
                failed_attempt: 0,
            }));
        }
    }
}

/// Grows with every stage of every rotation of a secret.
fn fence(rotation: &Rotation) -> u64 {
    if sabotage::is_active(Sabotage::FrozenFence) {
        return 1;
    }
    u64::from(rotation.to_version) * 100 + rotation.stage.ordinal()
}

pub(crate) fn due(state: &State, now: Time, id: RotationId) -> Vec<Effect> {
    let Some(rotation) = state.rotation(id) else { return Vec::new() };
    if rotation.open_tasks().next().is_none() || rotation.lost(now).is_some() {
        return Vec::from([Effect::Elapse(Subject::Rotation(id))]);
    }
    let ready = rotation.open_tasks().filter(|task| task.next().is_some_and(|next| now >= next));
    ready
        .map(|task| {
            Effect::Task(Due {
                rotation: id,
                secret: rotation.secret.clone(),
                task: task.key.clone(),
                attempt: task.attempts + 1,
                from_version: rotation.from_version,
                to_version: rotation.to_version,
                scheme: rotation.scheme,
                fence: fence(rotation),
            })
        })
        .collect()
}
