//! Rotations: the whole way forward, both ways back, failures, crashes, and silence.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Attempt, Due, Failure, FailureCode, Report, Stage, Step, TASK_TIMEOUT_MS};
use crate::Actor;
use crate::domain::{Command, Effect};
use crate::id::RotationId;
use crate::permit::Status;
use crate::testing::{ANA, BEN, World, secret};

const FAILED: Failure = Failure { code: FailureCode::Unreachable, status: None };

fn attempt(due: &Due) -> Command {
    Command::AttemptTask(Attempt { rotation: due.rotation, task: due.task.clone(), attempt: due.attempt })
}

fn report(due: &Due, outcome: Result<(), Failure>) -> Command {
    let (rotation, task, attempt) = (due.rotation, due.task.clone(), due.attempt);
    Command::ReportTask(Report { rotation, task, attempt, latency_us: 700, outcome })
}

/// Performs whatever is due, failing the tasks of one step; the stages reached.
fn perform(world: &mut World, fails: Option<Step>) {
    for effect in world.due() {
        match effect {
            Effect::Elapse(subject) => {
                world.says(Actor::Node, &Command::Elapse(subject));
            }
            Effect::Task(due) => {
                world.says(Actor::Node, &attempt(&due));
                let outcome = if fails == Some(due.task.step) { Err(FAILED) } else { Ok(()) };
                world.says(Actor::Node, &report(&due, outcome));
            }
        }
    }
}

/// Lets time pass and performs what is due until nothing is left to do, or the stage is reached.
fn run_until(world: &mut World, (id, stage): (RotationId, Stage), fails: Option<Step>) {
    for _ in 0..200 {
        if world.state.rotation(id).is_some_and(|rotation| rotation.stage == stage) {
            return;
        }
        perform(world, fails);
        world.later(250);
    }
    panic!("{:?} was not reached: {:?}", stage, world.state.rotation(id));
}

fn stages(world: &World, id: RotationId) -> Vec<&'static str> {
    let rotation = world.state.rotation(id).unwrap();
    rotation.reached.iter().map(|reached| reached.stage.as_str()).collect()
}

fn permit_status(world: &World, id: RotationId) -> Status {
    let rotation = world.state.rotation(id).unwrap();
    world.state.permit(rotation.permit).unwrap().status
}

#[test]
fn the_whole_way_forward() {
    let mut world = World::new();
    let id = world.rotating();
    run_until(&mut world, (id, Stage::Closed), None);
    let expected =
        "started pending-created distributed tested promoted overlap old-revoked old-proved-refused closed";
    assert_eq!(stages(&world, id).join(" "), expected);
    assert_eq!(permit_status(&world, id), Status::Succeeded);
    let settled = world.state.secret(&secret()).unwrap();
    assert_eq!((settled.current, settled.highest, settled.rotation), (2, 2, None));
    let rotation = world.state.rotation(id).unwrap();
    let at = |stage| rotation.reached.iter().find(|reached| reached.stage == stage).unwrap().at;
    assert!(
        at(Stage::OldRevoked) >= at(Stage::Overlap).plus_seconds(5),
        "the overlap lasts as long as approved"
    );
    world.assert_replays();
}

#[test]
fn an_abort_before_promotion_withdraws_the_new_key() {
    let mut world = World::new();
    let id = world.rotating();
    run_until(&mut world, (id, Stage::Distributed), None);
    assert_eq!(world.says(BEN, &Command::AbortRotation(id)), "not_an_executor");
    assert_eq!(world.says(ANA, &Command::AbortRotation(id)), "rotation.turned_back");
    assert_eq!(world.says(ANA, &Command::AbortRotation(id)), "rotation_turned_back");
    run_until(&mut world, (id, Stage::Aborted), None);
    assert_eq!(permit_status(&world, id), Status::Failed);
    let settled = world.state.secret(&secret()).unwrap();
    assert_eq!((settled.current, settled.highest, settled.rotation), (1, 2, None));
    assert_eq!(world.says(ANA, &Command::AbortRotation(id)), "rotation_finished");
    world.assert_replays();
}

#[test]
fn an_abort_after_promotion_switches_back_first() {
    let mut world = World::new();
    let id = world.rotating();
    run_until(&mut world, (id, Stage::Overlap), None);
    world.says(ANA, &Command::AbortRotation(id));
    run_until(&mut world, (id, Stage::SwappedBack), None);
    let back = "overlap swapping-back switched-back new-withdrawn swapped-back";
    assert!(stages(&world, id).join(" ").ends_with(back));
    assert_eq!(world.state.secret(&secret()).unwrap().current, 1);
    world.assert_replays();
}

#[test]
fn when_the_signer_may_have_been_told_going_back_means_switching_back() {
    let mut world = World::new();
    let id = world.rotating();
    run_until(&mut world, (id, Stage::Tested), None);
    world.later(1_000);
    let due = world.due().into_iter().find_map(|effect| match effect {
        Effect::Task(due) if due.task.step == Step::Switch => Some(due),
        _ => None,
    });
    world.says(Actor::Node, &attempt(&due.unwrap()));
    world.says(ANA, &Command::AbortRotation(id));
    assert_eq!(world.state.rotation(id).unwrap().stage, Stage::SwappingBack);
}

#[test]
fn once_the_old_key_is_being_revoked_there_is_only_the_way_forward() {
    let mut world = World::new();
    let id = world.rotating();
    run_until(&mut world, (id, Stage::OldRevoked), None);
    assert_eq!(world.says(ANA, &Command::AbortRotation(id)), "rotation_past_revocation");
}

#[test]
fn a_task_that_fails_too_often_turns_the_rotation_back_and_opens_an_incident() {
    let mut world = World::new();
    let id = world.rotating();
    run_until(&mut world, (id, Stage::Aborted), Some(Step::Test));
    let kinds: Vec<&str> = world.events.iter().map(|event| event.fact.kind()).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "incident.opened").count(), 1);
    assert_eq!(kinds.iter().filter(|kind| **kind == "rotation.turned_back").count(), 1);
    world.assert_replays();
}

#[test]
fn an_old_key_that_is_not_proved_refused_keeps_the_rotation_open_and_tells_somebody_once() {
    let mut world = World::new();
    let id = world.rotating();
    run_until(&mut world, (id, Stage::OldRevoked), None);
    for _ in 0..100 {
        perform(&mut world, Some(Step::ProveRefused));
        world.later(250);
    }
    assert_eq!(world.state.rotation(id).unwrap().stage, Stage::OldRevoked);
    let incidents = world.events.iter().filter(|event| event.fact.kind() == "incident.opened").count();
    assert_eq!(incidents, 2, "one per consumer that cannot be proved");
    run_until(&mut world, (id, Stage::Closed), None);
}

#[test]
fn a_crash_between_intent_and_outcome_is_tried_again_and_an_old_success_still_counts() {
    let mut world = World::new();
    let id = world.rotating();
    let due = |world: &World| match world.due().into_iter().next() {
        Some(Effect::Task(due)) => due,
        other => panic!("{other:?}"),
    };
    let first = due(&world);
    assert_eq!(world.says(Actor::Node, &attempt(&first)), "rotation.task_attempted");
    assert_eq!(world.says(Actor::Node, &attempt(&first)), "task_not_due");
    assert!(world.due().is_empty(), "nothing is due while it is under way");
    world.later(TASK_TIMEOUT_MS);
    let second = due(&world);
    assert_eq!((first.effect(), second.attempt), (second.effect(), 2));
    world.says(Actor::Node, &attempt(&second));
    assert_eq!(world.says(Actor::Node, &report(&first, Err(FAILED))), "task_not_due");
    let advanced = "rotation.task_succeeded rotation.advanced";
    assert_eq!(world.says(Actor::Node, &report(&first, Ok(()))), advanced);
    assert_eq!(world.says(Actor::Node, &report(&second, Ok(()))), "task_not_due");
    assert_eq!(stages(&world, id), ["started", "pending-created"]);
}

#[test]
fn a_rotation_that_outlives_its_permit_is_unknown_for_ever() {
    let mut world = World::new();
    let id = world.rotating();
    world.later(600_000);
    run_until(&mut world, (id, Stage::Closed), None);
    assert_eq!(permit_status(&world, id), Status::Unknown);
    let kinds: Vec<String> = world.events.iter().map(|event| event.fact.kind().to_string()).collect();
    assert!(kinds.contains(&"permit.reported_late".to_string()), "{kinds:?}");
}

#[test]
fn one_rotation_at_a_time() {
    let mut world = World::new();
    world.rotating();
    let permit = world.reserved(crate::testing::rotate());
    let start = super::Start {
        permit,
        parameters_sha256: crate::testing::parameters(),
        parameters: super::Parameters { overlap_seconds: 5 },
    };
    assert_eq!(world.says(ANA, &Command::StartRotation(start)), "secret_busy");
}

#[test]
fn people_cannot_invent_outcomes() {
    let mut world = World::new();
    world.rotating();
    let Some(Effect::Task(due)) = world.due().into_iter().next() else { panic!("nothing is due") };
    assert_eq!(world.says(ANA, &attempt(&due)), "not_the_runner");
    assert_eq!(world.says(ANA, &report(&due, Ok(()))), "not_the_runner");
}

/// Attempts the first task that is due and never reports, as often as it is due.
fn lose(world: &mut World, times: u32) {
    for _ in 0..times {
        let due = world.due().into_iter().find_map(|effect| match effect {
            Effect::Task(due) => Some(due),
            Effect::Elapse(_) => None,
        });
        world.says(Actor::Node, &attempt(&due.unwrap()));
        world.later(TASK_TIMEOUT_MS);
    }
}

#[test]
fn attempts_that_end_in_silence_count_like_failures() {
    let mut world = World::new();
    let id = world.rotating();
    lose(&mut world, 3);
    assert_eq!(world.due(), [Effect::Elapse(id.into())]);
    let turned = "rotation.task_failed rotation.turned_back incident.opened";
    assert_eq!(world.says(Actor::Node, &Command::Elapse(id.into())), turned);
    run_until(&mut world, (id, Stage::Aborted), None);
    world.assert_replays();
}

#[test]
fn silence_where_there_is_no_way_back_tells_somebody_once_and_goes_on() {
    let mut world = World::new();
    let id = world.rotating();
    run_until(&mut world, (id, Stage::OldProvedRefused), None);
    world.later(1_000);
    lose(&mut world, 3);
    let stuck = "rotation.task_failed incident.opened";
    assert_eq!(world.says(Actor::Node, &Command::Elapse(id.into())), stuck);
    world.later(60_000);
    lose(&mut world, 2);
    perform(&mut world, Some(Step::DestroyOld));
    let incidents = world.events.iter().filter(|event| event.fact.kind() == "incident.opened").count();
    assert_eq!(incidents, 1);
    world.later(60_000);
    run_until(&mut world, (id, Stage::Closed), None);
}

#[test]
fn an_incident_is_opened_although_the_decisive_attempt_was_lost() {
    let mut world = World::new();
    let id = world.rotating();
    run_until(&mut world, (id, Stage::OldProvedRefused), None);
    world.later(1_000);
    for _ in 0..2 {
        perform(&mut world, Some(Step::DestroyOld));
        world.later(60_000);
    }
    lose(&mut world, 1);
    perform(&mut world, None);
    assert!(world.events.iter().any(|event| event.fact.kind() == "incident.opened"));
}

#[test]
fn an_attempt_fails_once() {
    let mut world = World::new();
    world.rotating();
    let Some(Effect::Task(due)) = world.due().into_iter().next() else { panic!("nothing is due") };
    world.says(Actor::Node, &attempt(&due));
    assert_eq!(world.says(Actor::Node, &report(&due, Err(FAILED))), "rotation.task_failed");
    assert_eq!(world.says(Actor::Node, &report(&due, Err(FAILED))), "task_not_due");
    assert_eq!(world.says(Actor::Node, &report(&due, Ok(()))), "rotation.task_succeeded rotation.advanced");
}
