//! Rotations: stage after stage, no task before its time or unless it was attempted, and back only while there is a way back.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::owed::{Owed, Versions};
use super::stage::{Rest, Row, With, dwells, row};
use super::violation::Breach;
use super::{Auditor, Verdict, by_node, by_person, is_of, is_part_of, must};
use crate::action::Action;
use crate::domain::{Event, Fact};
use crate::id::{CorrelationId, PersonId, RotationId};
use crate::incident::Cause;
use crate::permit::Outcome;
use crate::rotation::{
    FailureCode, Stage, Started, Step, TaskAttempted, TaskFailed, TaskKey, TaskSucceeded, TurnCause,
    TurnedBack,
};
use crate::secret::SecretKey;
use crate::state::Subject;
use crate::time::Time;

/// How long an attempt is waited for, milliseconds.
const WAITED_MS: i64 = 20_000;

/// The first pause after a failure and the longest, milliseconds.
const PAUSES_MS: [i64; 2] = [250, 60_000];

/// A rotation under way.
#[derive(Clone, Debug)]
pub(super) struct Rotation {
    terms: Started,
    by: PersonId,
    correlation: CorrelationId,
    stage: Stage,
    since: Time,
    turned_back: bool,
    /// Somebody may sign with the new key.
    signed: bool,
    /// Somebody may have dropped the old key.
    dropped: bool,
    /// Of the stage it is in.
    tasks: BTreeMap<TaskKey, Task>,
}

#[derive(Clone, Debug)]
struct Task {
    attempts: u32,
    /// The last attempt that is on record as failed.
    failed: u32,
    done: bool,
    /// When it may be attempted (again).
    not_before: Time,
}

impl Rotation {
    fn row(&self) -> Verdict<&'static Row> {
        row(self.stage).ok_or(Breach::WrongStage)
    }

    fn rested(&self) -> Verdict<Time> {
        Ok(match self.row()?.rest {
            Rest::Not => self.since,
            Rest::Dwell => self.since.plus_millis(i64::from(self.terms.dwell_ms)),
            Rest::Overlap => self.since.plus_seconds(self.terms.overlap_seconds),
        })
    }

    fn enter(&mut self, stage: Stage, at: Time) -> Verdict {
        (self.stage, self.since) = (stage, at);
        let not_before = self.rested()?;
        self.tasks.clear();
        for (step, with) in self.row()?.owes {
            let targets: Vec<_> = match with {
                With::EachConsumer => self.terms.consumers.iter().cloned().map(Some).collect(),
                With::TheSigner => Vec::from([Some(self.terms.signer.clone())]),
                With::TheStore => Vec::from([None]),
            };
            let task = Task { attempts: 0, failed: 0, done: false, not_before };
            let key = |target| TaskKey { step: *step, target };
            self.tasks.extend(targets.into_iter().map(|target| (key(target), task.clone())));
        }
        Ok(())
    }

    /// A task that is owed and not done.
    fn undone(&mut self, key: &TaskKey) -> Verdict<&mut Task> {
        let task = self.tasks.get_mut(key).ok_or(Breach::TaskNotOwed)?;
        must(!task.done, Breach::TaskDone)?;
        Ok(task)
    }

    /// Where the way back begins. What *may* have happened decides, not what was confirmed.
    fn way_back(&self) -> Option<Stage> {
        let to = if self.signed { Stage::SwappingBack } else { Stage::Aborting };
        (!self.turned_back && !self.dropped).then_some(to)
    }

    fn attempted(&mut self, event: &Event, attempted: &TaskAttempted) -> Verdict {
        let limit = self.terms.attempts;
        let task = self.undone(&attempted.task)?;
        must(Some(attempted.attempt) == task.attempts.checked_add(1), Breach::WrongAttempt)?;
        must(attempted.attempt <= limit || task.failed >= limit, Breach::Exhausted)?;
        must(event.at >= task.not_before, Breach::TooEarly)?;
        (task.attempts, task.not_before) = (attempted.attempt, event.at.plus_millis(WAITED_MS));
        self.signed |= matches!(attempted.task.step, Step::Switch | Step::Promote);
        self.dropped |= attempted.task.step == Step::RevokeOld;
        Ok(())
    }

    /// Whether that was the last task of the stage.
    fn succeeded(&mut self, succeeded: &TaskSucceeded) -> Verdict<bool> {
        let task = self.undone(&succeeded.task)?;
        must((1..=task.attempts).contains(&succeeded.attempt), Breach::WrongAttempt)?;
        task.done = true;
        Ok(self.tasks.values().all(|task| task.done))
    }

    /// The incident it gives, if it is one too many.
    fn failed(&mut self, event: &Event, failed: &TaskFailed) -> Verdict<Option<Cause>> {
        let limit = self.terms.attempts;
        let way_back = self.way_back();
        let task = self.undone(&failed.task)?;
        must(failed.attempt == task.attempts && failed.attempt > task.failed, Breach::WrongAttempt)?;
        if failed.failure.code == FailureCode::Unreported {
            let last = failed.attempt >= limit && failed.failure.status.is_none();
            must(last && event.at >= task.not_before, Breach::NotLost)?;
        }
        let [first, longest] = PAUSES_MS;
        let doublings = failed.attempt.saturating_sub(1).min(16);
        let pause = first.saturating_mul(1 << doublings).min(longest);
        must(failed.retry_at == event.at.plus_millis(pause), Breach::WrongDeadline)?;
        let known = task.failed >= limit;
        (task.failed, task.not_before) = (failed.attempt, failed.retry_at);
        Ok(match way_back {
            _ if failed.attempt < limit => None,
            Some(_) => Some(Cause::RotationTurnedBack),
            None => (!known).then_some(Cause::RotationStuck),
        })
    }

    fn turn_back(&mut self, event: &Event, turned: &TurnedBack) -> Verdict {
        let stage = self.way_back().ok_or(Breach::NoWayBack)?;
        must(turned.stage == stage, Breach::WrongStage)?;
        self.turned_back = true;
        self.enter(stage, event.at)
    }
}

impl Auditor {
    pub(super) fn rotation(&mut self, event: &Event, owed: Option<&Owed>) -> Verdict {
        let Subject::Rotation(id) = event.fact.subject() else { return Err(Breach::Unknown) };
        if let Fact::RotationStarted(_, started) = &event.fact {
            return self.rotation_started(event, owed, (id, started));
        }
        let rotation = self.rotations.get_mut(&id).ok_or(Breach::Unknown)?;
        is_part_of(event, rotation.correlation)?;
        is_of(event, &rotation.terms.secret.environment)?;
        match &event.fact {
            Fact::RotationTaskAttempted(_, attempted) => {
                by_node(event)?;
                rotation.attempted(event, attempted)
            }
            Fact::RotationTaskSucceeded(_, succeeded) => {
                by_node(event)?;
                if rotation.succeeded(succeeded)? {
                    self.owed.push(Owed::Advanced(id));
                }
                Ok(())
            }
            Fact::RotationTaskFailed(_, failed) => {
                by_node(event)?;
                if let Some(cause) = rotation.failed(event, failed)? {
                    let environment = rotation.terms.secret.environment.clone();
                    self.owed.push(Owed::Incident {
                        cause,
                        about: id.into(),
                        environment: Some(environment),
                    });
                    if cause == Cause::RotationTurnedBack {
                        self.owed.push(Owed::TurnedBack { rotation: id, task: failed.task.clone() });
                    }
                }
                Ok(())
            }
            Fact::RotationAdvanced(_, advanced) => {
                by_node(event)?;
                self.advanced(event, owed, (id, advanced.stage))
            }
            Fact::RotationTurnedBack(_, turned) => self.turned_back(event, owed, (id, turned)),
            _ => Err(Breach::Unknown),
        }
    }

    fn rotation_started(
        &mut self,
        event: &Event,
        owed: Option<&Owed>,
        (id, started): (RotationId, &Started),
    ) -> Verdict {
        let Some(Owed::Rotation { secret, permit, .. }) = owed else { return Err(Breach::Unprompted) };
        is_of(event, &secret.environment)?;
        must(started.secret == *secret, Breach::OtherSecret)?;
        must(started.permit == *permit, Breach::OtherPermit)?;
        must(started.policy_sha256 == self.in_force()?.sha256, Breach::OtherPolicy)?;
        let permit = self.permits.get(permit).ok_or(Breach::Unknown)?;
        let held = self.secrets.get(secret).ok_or(Breach::Unknown)?;
        let versions = (started.from_version, started.to_version);
        must(versions == (held.current, held.highest), Breach::WrongVersion)?;
        let governed = self.governed(&permit.action)?.ok_or(Breach::NotGoverned)?;
        let same = started.consumers == governed.consumers
            && started.signer == governed.signer
            && started.dwell_ms == governed.dwell_ms
            && started.attempts == governed.attempts.get();
        must(same, Breach::OtherTerms)?;
        must(started.overlap_seconds >= governed.min_overlap_seconds.get(), Breach::OverlapTooShort)?;
        let rests_ms = i64::from(started.dwell_ms) * dwells() + i64::from(started.overlap_seconds) * 1000;
        must(rests_ms < i64::from(permit.work_seconds) * 1000, Breach::OverlapTooLong)?;
        let mut rotation = Rotation {
            terms: started.clone(),
            by: permit.executor,
            correlation: event.correlation,
            stage: Stage::Started,
            since: event.at,
            turned_back: false,
            signed: false,
            dropped: false,
            tasks: BTreeMap::new(),
        };
        rotation.enter(Stage::Started, event.at)?;
        must(self.rotations.insert(id, rotation).is_none(), Breach::BegunTwice)
    }

    fn advanced(&mut self, event: &Event, owed: Option<&Owed>, (id, stage): (RotationId, Stage)) -> Verdict {
        let rotation = self.rotations.get_mut(&id).ok_or(Breach::Unknown)?;
        must(stage == rotation.row()?.next, Breach::WrongStage)?;
        must(rotation.tasks.values().all(|task| task.done), Breach::TasksUndone)?;
        // Where tasks are owed the last of them advances; a stage that only rests is left when it has.
        must(owed.is_some() || rotation.tasks.is_empty(), Breach::Unprompted)?;
        must(event.at >= rotation.rested()?, Breach::TooEarly)?;
        let Started { secret, permit, from_version: old, to_version: new, .. } = rotation.terms.clone();
        let promoted = |version| Owed::Promoted { secret: secret.clone(), rotation: id, version };
        let outcome = match stage {
            Stage::Promoted => {
                self.owed.push(promoted(new));
                return rotation.enter(stage, event.at);
            }
            Stage::SwitchedBack => {
                self.owed.push(promoted(old));
                return rotation.enter(stage, event.at);
            }
            Stage::Closed => Outcome::Succeeded,
            Stage::Aborted | Stage::SwappedBack => Outcome::Failed,
            _ => return rotation.enter(stage, event.at),
        };
        let versions = match outcome {
            Outcome::Succeeded => Versions { current: new, destroyed: old },
            Outcome::Failed => Versions { current: old, destroyed: new },
        };
        self.rotations.remove(&id);
        self.owed.push(Owed::Concluded { permit, outcome });
        self.owed.push(Owed::Settled { secret, rotation: id, versions });
        Ok(())
    }

    fn turned_back(
        &mut self,
        event: &Event,
        owed: Option<&Owed>,
        (id, turned): (RotationId, &TurnedBack),
    ) -> Verdict {
        let rotation = self.rotations.get(&id).ok_or(Breach::Unknown)?;
        match &turned.cause {
            TurnCause::Exhausted { .. } => must(owed.is_some(), Breach::Unprompted)?,
            TurnCause::Ordered => {
                let person = by_person(event)?;
                let may = person == rotation.by || self.may_rotate(person, &rotation.terms.secret)?;
                must(may, Breach::NotAnExecutor)?;
            }
        }
        let rotation = self.rotations.get_mut(&id).ok_or(Breach::Unknown)?;
        rotation.turn_back(event, turned)
    }

    fn may_rotate(&self, person: PersonId, secret: &SecretKey) -> Verdict<bool> {
        let SecretKey { resource, environment } = secret.clone();
        let verb = "rotate".parse().map_err(|_| Breach::NoRule)?;
        let demand = self.demand(&Action { verb, resource, environment });
        Ok(demand.is_ok_and(|demand| demand.may_execute(person)))
    }
}
