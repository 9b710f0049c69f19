//! What must not pass for proof, what must not be followed, and what a crash leaves behind.

use countersign_core::rotation::{FailureCode, Rotation, Stage, Step, TaskState};

use super::fixture::{LIMIT, World, tasks, write_private};
use super::receiver::{At, Fault};

/// Lets a rotation arrive at its proof with one consumer misbehaving, and gives back why the proof fails.
async fn blocked_by(fault: Fault) -> (FailureCode, Option<u16>) {
    let mut world = World::new().await;
    let id = world.rotate().await;
    world.until(id, |rotation| rotation.stage == Stage::Overlap).await;
    world.consumers[0].always(At::Probe, Some(fault));
    let failed_twice = |rotation: &Rotation| {
        tasks(rotation, Step::ProveRefused).iter().any(|task| task.attempts >= 2 && task.failure.is_some())
    };
    let blocked = world.until(id, failed_twice).await;
    assert_eq!(blocked.stage, Stage::OldRevoked, "nothing closes without proof");
    assert_eq!(world.sealed().len(), 2, "the old value is kept until it is proved refused");
    let failure = tasks(&blocked, Step::ProveRefused)[0].failure.expect("a failure");
    world.consumers[0].always(At::Probe, None);
    world.ends_at(id, Stage::Closed).await;
    world.stop().await;
    (failure.code, failure.status)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_key_that_is_still_accepted_blocks_closing() {
    assert_eq!(blocked_by(Fault::Yes).await, (FailureCode::OldAccepted, Some(200)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_server_proves_nothing() {
    assert_eq!(blocked_by(Fault::Status(500)).await, (FailureCode::Inconclusive, Some(500)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_page_proves_nothing() {
    assert_eq!(blocked_by(Fault::Status(404)).await, (FailureCode::Inconclusive, Some(404)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_proves_nothing() {
    assert_eq!(blocked_by(Fault::Hang).await, (FailureCode::Unreachable, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_refuses_everything_proves_nothing() {
    assert_eq!(blocked_by(Fault::No).await, (FailureCode::NewRefused, Some(400)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_not_followed_and_no_acknowledgement() {
    let mut world = World::new().await;
    world.consumers[0].next(At::Hook, &[Fault::Redirect]);
    let id = world.rotate().await;
    let distributed = world.until(id, |rotation| rotation.stage == Stage::Distributed).await;
    let task = tasks(&distributed, Step::Distribute)[0];
    let failure = task.failure.map(|failure| (failure.code, failure.status));
    assert_eq!((task.attempts, failure), (2, Some((FailureCode::Inconclusive, Some(307)))));
    assert_eq!(world.consumers[0].sent_elsewhere(), 0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_after_the_intent_is_made_good_at_the_next_start() {
    // Whoever hangs is still waited for when the crash comes, however slow the machine.
    let mut world = World::with_patience(LIMIT).await;
    world.consumers[0].next(At::Hook, &[Fault::Hang]);
    let id = world.rotate().await;
    let only_a_is_under_way = |rotation: &Rotation| match tasks(rotation, Step::Distribute)[..] {
        [a, b] => matches!(a.state, TaskState::InFlight { .. }) && matches!(b.state, TaskState::Done { .. }),
        _ => false,
    };
    world.until(id, only_a_is_under_way).await;
    // The intent is on record before anybody is called: the call that hangs is the one before the crash, not the one after.
    world.consumers[0].met(At::Hook).await;
    world.crash().await;
    world.start();
    let closed = world.ends_at(id, Stage::Closed).await;
    let attempts: Vec<u32> = tasks(&closed, Step::Distribute).iter().map(|task| task.attempts).collect();
    assert_eq!(attempts, [2, 1]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_read_when_it_is_needed() {
    let mut world = World::new().await;
    let file = world.key_file();
    let key = std::fs::read_to_string(&file).expect("the key");
    std::fs::remove_file(&file).expect("it is removed");
    let id = world.rotate().await;
    let failed = world
        .until(id, |rotation| tasks(rotation, Step::Distribute).iter().any(|task| task.failure.is_some()))
        .await;
    let task = tasks(&failed, Step::Distribute).into_iter().find(|task| task.failure.is_some());
    assert_eq!(
        task.and_then(|task| task.failure).map(|failure| failure.code),
        Some(FailureCode::NotConfigured)
    );
    assert!(world.consumers[0].orders().is_empty());
    write_private(&file, &key);
    world.ends_at(id, Stage::Closed).await;
    world.stop().await;
}
