//! What a node performs of what the state owes: intent on record, then the call, then the report, as the product's runner does it. That one
//! needs sockets; the rules about effects are the core's, and those are real.

use countersign_core::rotation::{Attempt, Due, Report};
use countersign_core::{Command, Effect, due};
use countersign_server::engine::{Engine, EngineError, Submission};
use countersign_server::runner::excludes;

use crate::node::Reply;
use crate::outside::Outside;

/// Most effects under way at once.
const MOST: usize = 16;

/// How long a report is repeated, microseconds; afterwards the attempt counts as lost.
const REPORTING: u64 = 20_000_000;

/// The pause before a report is repeated, microseconds.
const PAUSE: u64 = 250_000;

/// Where an effect is.
#[derive(Clone, Debug)]
enum Phase {
    /// The node is asked to put something on record.
    Asking,
    /// Whoever is called takes until then; what the report will say.
    Calling(u64, Report),
    /// The report was not taken and is repeated then.
    Waiting(u64, Report),
}

#[derive(Clone, Debug)]
struct Task {
    effect: Effect,
    phase: Phase,
    begun: u64,
}

/// Who waits for a command that the runner hands in.
#[derive(Clone, Debug)]
pub(crate) struct Errand {
    effect: Effect,
    report: Option<Report>,
}

/// The effects that a node performs. They die with it.
#[derive(Debug, Default)]
pub(crate) struct Runner {
    underway: Vec<Task>,
}

impl Runner {
    /// What is to be handed in now: what is due and not under way, and reports that are ready.
    pub(crate) fn hand_in(&mut self, engine: &Engine, now: u64) -> Vec<(Errand, Submission)> {
        let mut all = self.reports(now);
        for effect in due(&engine.state(), engine.now(), MOST) {
            let busy = self.underway.iter().any(|task| excludes(&task.effect, &effect));
            if busy || self.underway.len() >= MOST {
                continue;
            }
            let command = match &effect {
                Effect::Elapse(subject) => Command::Elapse(subject.clone()),
                Effect::Task(due) => Command::AttemptTask(Attempt {
                    rotation: due.rotation,
                    task: due.task.clone(),
                    attempt: due.attempt,
                }),
            };
            self.underway.push(Task { effect: effect.clone(), phase: Phase::Asking, begun: now });
            all.push((Errand { effect, report: None }, submission(command)));
        }
        all
    }

    fn reports(&mut self, now: u64) -> Vec<(Errand, Submission)> {
        let mut all = Vec::new();
        for task in &mut self.underway {
            let (Phase::Calling(at, report) | Phase::Waiting(at, report)) = &task.phase else { continue };
            if *at <= now {
                let errand = Errand { effect: task.effect.clone(), report: Some(report.clone()) };
                all.push((errand, submission(Command::ReportTask(report.clone()))));
                task.phase = Phase::Asking;
            }
        }
        all
    }

    /// Goes on with an effect once the node has answered.
    pub(crate) fn answered(&mut self, errand: Errand, reply: &Reply, (outside, now): (&mut Outside, u64)) {
        let Some(place) = self.underway.iter().position(|task| task.effect == errand.effect) else { return };
        let next = match (&errand.effect, errand.report) {
            (Effect::Task(due), None) if reply.is_ok() => Some(called(due, (outside, now))),
            (_, Some(report))
                if matches!(reply, Err(EngineError::Unavailable(_) | EngineError::Unknown(_))) =>
            {
                Some(Phase::Waiting(now + PAUSE, report))
            }
            _ => None,
        };
        let gives_up = self.underway.get(place).is_none_or(|task| now - task.begun > REPORTING * 2);
        match (next, self.underway.get_mut(place)) {
            (Some(next), Some(task)) if !gives_up => task.phase = next,
            _ => drop(self.underway.swap_remove(place)),
        }
    }
}

fn called(due: &Due, (outside, now): (&mut Outside, u64)) -> Phase {
    let outcome = outside.call(due, now);
    let report = Report {
        rotation: due.rotation,
        task: due.task.clone(),
        attempt: due.attempt,
        latency_us: outcome.took,
        outcome: outcome.result,
    };
    Phase::Calling(now + outcome.took, report)
}

fn submission(command: Command) -> Submission {
    Submission::new(countersign_core::Actor::Node, command)
}
