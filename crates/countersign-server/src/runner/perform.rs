//! One effect: the intent is committed, the step is taken, the outcome is reported. Which step calls whom is a table here.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_core::rotation::{self, Attempt, Due, Failure, FailureCode, Report, Step};
use countersign_core::text::Name;
use countersign_core::{Actor, Command, Effect};

use super::calls::Calls;
use super::hooks::{self, Kind, Order};
use super::probes;
use super::values::Values;
use crate::config::Endpoint;
use crate::engine::{Committed, Engine, EngineError, Submission};

/// The pause after an effect that changed nothing, so that a full disk is not asked without end.
const PAUSE: Duration = Duration::from_millis(250);

/// The longest pause between two attempts to report an outcome.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// What a step may take as a whole, a pair of calls and the store included; below [`rotation::TASK_TIMEOUT_MS`].
const PATIENCE: Duration = Duration::from_secs(15);

/// How long a report is repeated; afterwards the task counts as lost and is attempted again.
const REPORTING: Duration = Duration::from_millis(rotation::TASK_TIMEOUT_MS.unsigned_abs());

/// What performing needs.
pub(super) struct Work {
    pub engine: Engine,
    pub values: Values,
    pub endpoints: BTreeMap<Name, Endpoint>,
    pub calls: Calls,
}

impl Work {
    /// The node's time in seconds since 1970, as signatures carry it.
    pub(super) fn seconds(&self) -> String {
        (self.engine.now().as_millis() / 1_000).to_string()
    }

    async fn submit(&self, command: Command) -> Result<Committed, EngineError> {
        self.engine.submit(Submission::new(Actor::Node, command)).await
    }
}

/// Performs an effect from beginning to end.
pub(super) async fn perform(work: Arc<Work>, effect: Effect) {
    let changed = match effect {
        Effect::Elapse(subject) => {
            let elapsed = work.submit(Command::Elapse(subject)).await;
            elapsed.is_ok_and(|committed| !committed.events.is_empty())
        }
        Effect::Task(due) => task(&work, &due).await,
    };
    if !changed {
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether anything changed.
async fn task(work: &Work, due: &Due) -> bool {
    let intent = Attempt { rotation: due.rotation, task: due.task.clone(), attempt: due.attempt };
    if let Err(error) = work.submit(Command::AttemptTask(intent)).await {
        // Turned back or attempted by somebody else meanwhile; or the store does not take it, and then nothing may be done.
        tracing::debug!(rotation = %due.rotation, task = %due.task, %error, "the task is not attempted");
        return false;
    }
    let begun = Instant::now();
    let outcome = tokio::time::timeout(PATIENCE, step(work, due)).await;
    let outcome = outcome.unwrap_or(Err(Failure { code: FailureCode::Unreachable, status: None }));
    let latency = begun.elapsed();
    note(due, latency, outcome);
    let report = Report {
        rotation: due.rotation,
        task: due.task.clone(),
        attempt: due.attempt,
        latency_us: u64::try_from(latency.as_micros()).unwrap_or(u64::MAX),
        outcome,
    };
    tell(work, &report).await
}

/// Takes the step. The steps of the secret store have no target, all others have one.
async fn step(work: &Work, due: &Due) -> Result<(), Failure> {
    match (due.task.step, &due.task.target) {
        (Step::CreatePending, _) => work.values.create_pending(due).await,
        (Step::Promote, _) => work.values.promote(due).await,
        (Step::Demote, _) => work.values.demote(due).await,
        (Step::DestroyOld, _) => work.values.destroy_old(due).await,
        (Step::DeleteNew, _) => work.values.delete_new(due).await,
        (Step::Distribute, Some(target)) => {
            hand_over(work, due, (target, Kind::Distribute, due.to_version)).await
        }
        (Step::Switch, Some(target)) => hand_over(work, due, (target, Kind::Promote, due.to_version)).await,
        (Step::SwitchBack, Some(target)) => {
            hand_over(work, due, (target, Kind::Promote, due.from_version)).await
        }
        (Step::RevokeOld, Some(target)) => hooks::give(work, due, target, drop_order(due.from_version)).await,
        (Step::WithdrawNew, Some(target)) => hooks::give(work, due, target, drop_order(due.to_version)).await,
        (Step::Test, Some(target)) => probes::new_accepted(work, due, target).await,
        (Step::ProveRefused, Some(target)) => probes::old_refused(work, due, target).await,
        (_, None) => Err(Failure { code: FailureCode::NotConfigured, status: None }),
    }
}

/// Gives an order that carries the version's value.
async fn hand_over(
    work: &Work,
    due: &Due,
    (target, kind, version): (&Name, Kind, u32),
) -> Result<(), Failure> {
    let value = work.values.read(due, version).await?;
    hooks::give(work, due, target, Order { kind, version, value: Some(value) }).await
}

fn drop_order(version: u32) -> Order {
    Order { kind: Kind::Drop, version, value: None }
}

/// Reports the outcome, again and again while the store does not take it.
async fn tell(work: &Work, report: &Report) -> bool {
    let begun = Instant::now();
    let mut pause = PAUSE;
    loop {
        match work.submit(Command::ReportTask(report.clone())).await {
            Ok(_) => return true,
            Err(error @ (EngineError::Unavailable(_) | EngineError::Unknown(_)))
                if begun.elapsed() < REPORTING =>
            {
                tracing::warn!(rotation = %report.rotation, task = %report.task, %error, "the outcome is not on record yet");
            }
            Err(error) => {
                tracing::info!(rotation = %report.rotation, task = %report.task, %error, "the outcome is not recorded");
                return false;
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Counts and logs an outcome: ids and codes only.
fn note(due: &Due, latency: Duration, outcome: Result<(), Failure>) {
    let step = due.task.step.as_str();
    let word = outcome.map_or_else(|failure| failure.code.as_str(), |()| "ok");
    metrics::counter!("countersign_rotation_tasks_total", "step" => step, "outcome" => word).increment(1);
    if let Some(target) = &due.task.target {
        metrics::histogram!("countersign_hook_seconds", "endpoint" => target.to_string(), "step" => step)
            .record(latency.as_secs_f64());
    }
    let (attempt, status) = (due.attempt, outcome.err().and_then(|failure| failure.status));
    tracing::info!(rotation = %due.rotation, task = %due.task, attempt, outcome = word, status, "task performed");
}

/// The failure of an endpoint that cannot be called, with the reason in the log.
pub(super) fn not_configured(target: &Name, why: impl fmt::Display) -> Failure {
    tracing::warn!(endpoint = %target, %why, "the endpoint cannot be called");
    Failure { code: FailureCode::NotConfigured, status: None }
}
