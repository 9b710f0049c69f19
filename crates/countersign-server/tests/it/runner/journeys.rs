//! The way to the end and the ways back.

use countersign_core::Fact;
use countersign_core::rotation::{FailureCode, Stage, Step, TurnCause};
use countersign_server::secrets::Stage as Kept;

use super::fixture::{ATTEMPTS, OLD, World, is_done, tasks};
use super::receiver::{At, Fault};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_closes_and_the_old_key_is_proved_refused_and_gone() {
    let mut world = World::new().await;
    let id = world.rotate().await;
    world.until(id, |rotation| rotation.stage == Stage::Overlap).await;
    for consumer in &world.consumers {
        assert_eq!(consumer.versions(), [1, 2], "both are accepted during the overlap");
    }
    assert_eq!(world.sealed(), [(1, Kept::Previous), (2, Kept::Current)]);
    let closed = world.ends_at(id, Stage::Closed).await;

    assert_eq!(world.sealed(), [(2, Kept::Current)], "the old value is destroyed");
    let new = world.value(2).expect("the new value");
    assert_ne!(new, OLD);
    assert_eq!((world.signer.signing(), world.signer.key(2)), (2, Some(new.clone())));
    for consumer in &world.consumers {
        assert_eq!((consumer.versions(), consumer.key(2)), (vec![2], Some(new.clone())));
        let orders: Vec<String> = consumer.orders().into_iter().map(|order| order.kind).collect();
        assert_eq!(orders, ["secret.distribute", "secret.drop"]);
        // One probe for the test, a pair that shares its event for the proof.
        let probes = consumer.probes();
        assert_eq!((probes.len(), &probes[1]), (3, &probes[2]));
        assert_ne!(probes[0], probes[1]);
    }
    let fences: Vec<u64> = world.consumers[0].orders().iter().map(|order| order.fence).collect();
    assert!(fences.is_sorted_by(|a, b| a < b), "{fences:?}");
    assert!(closed.tasks.iter().all(|task| is_done(task) && task.attempts == 1), "{closed:#?}");
    assert_eq!(tasks(&closed, Step::Distribute).len(), 2);
    assert!(world.engine().state().permit(closed.permit).is_none(), "the permit is concluded");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_says_what_the_receiver_must_know() {
    let mut world = World::new().await;
    let id = world.rotate().await;
    world.until(id, |rotation| rotation.stage == Stage::Distributed).await;
    let order = world.consumers[0].orders().remove(0);
    let names = (order.secret.as_str(), order.environment.as_str(), order.rotation, order.version);
    assert_eq!(names, ("webhook-signing/stripe", "production", id.to_string(), 2));
    assert_eq!(order.effect, format!("{id}/distribute/app-a"));
    assert_eq!(order.value, world.value(2));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_value_reaches_the_ledger_or_the_files() {
    let mut world = World::new().await;
    let id = world.rotate().await;
    world.until(id, |rotation| rotation.stage == Stage::Overlap).await;
    let new = world.value(2).expect("the new value");
    world.ends_at(id, Stage::Closed).await;
    let seen = world.ledger_bytes().await;
    // What is searched for would be found: the rotation's own id is.
    let holds = |needle: &str| {
        seen.iter().any(|bytes| bytes.windows(needle.len()).any(|window| window == needle.as_bytes()))
    };
    assert!(holds(&id.to_string()));
    for value in [OLD, &new] {
        assert!(!holds(value.trim_start_matches("whsec_")), "a value is in the ledger");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abort_before_promotion_withdraws_and_deletes_the_new_key() {
    let mut world = World::new().await;
    // The test never passes, so that there is time to think better of it.
    world.consumers[1].always(At::Probe, Some(Fault::Hang));
    let id = world.rotate().await;
    world.until(id, |rotation| rotation.stage == Stage::Distributed).await;
    world.abort(id).await;
    let aborted = world.ends_at(id, Stage::Aborted).await;
    assert_eq!(aborted.turned_back, Some(TurnCause::Ordered));
    assert_before(&world);
    assert!(world.signer.orders().is_empty(), "the signer never knew");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_that_keeps_failing_turns_the_rotation_back() {
    let mut world = World::new().await;
    world.consumers[0].always(At::Probe, Some(Fault::No));
    let id = world.rotate().await;
    let aborted = world.ends_at(id, Stage::Aborted).await;
    let failed = tasks(&aborted, Step::Test)[0];
    assert_eq!(aborted.turned_back, Some(TurnCause::Exhausted { task: failed.key.clone() }));
    assert_eq!(failed.attempts, ATTEMPTS);
    assert_eq!(
        failed.failure.map(|failure| (failure.code, failure.status)),
        Some((FailureCode::NewRefused, Some(400)))
    );
    assert_before(&world);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_after_the_signer_was_told_switches_back_first() {
    let mut world = World::new().await;
    world.signer.next(At::Hook, &[Fault::Status(500); ATTEMPTS as usize]);
    let id = world.rotate().await;
    let back = world.ends_at(id, Stage::SwappedBack).await;
    let stages: Vec<Stage> = back.reached.iter().map(|reached| reached.stage).collect();
    let way = [Stage::SwappingBack, Stage::SwitchedBack, Stage::NewWithdrawn, Stage::SwappedBack];
    assert!(stages.ends_with(&way), "{stages:?}");
    let last = world.signer.orders().pop().expect("an order");
    assert_eq!((last.kind.as_str(), last.version, last.value.as_deref()), ("secret.promote", 1, Some(OLD)));
    assert_before(&world);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_that_fails_twice_is_given_again_after_growing_pauses() {
    let mut world = World::new().await;
    world.consumers[0].next(At::Hook, &[Fault::Status(503), Fault::Status(429)]);
    let id = world.rotate().await;
    let distributed = world.until(id, |rotation| rotation.stage == Stage::Distributed).await;
    let attempts: Vec<u32> = tasks(&distributed, Step::Distribute).iter().map(|task| task.attempts).collect();
    assert_eq!(attempts, [3, 1], "the other consumer does not wait for it");
    let pauses: Vec<(i64, Option<u16>)> = world
        .events(id)
        .await
        .iter()
        .filter_map(|event| match &event.fact {
            Fact::RotationTaskFailed(_, failed) => {
                Some((failed.retry_at.as_millis() - event.at.as_millis(), failed.failure.status))
            }
            _ => None,
        })
        .collect();
    assert_eq!(pauses, [(250, Some(503)), (500, Some(429))]);
    let effects: Vec<String> = world.consumers[0].orders().into_iter().map(|order| order.effect).collect();
    assert_eq!(effects, vec![format!("{id}/distribute/app-a"); 3], "one effect, however often it is tried");
    world.stop().await;
}

/// Everything is as before the rotation.
fn assert_before(world: &World) {
    assert_eq!(world.sealed(), [(1, Kept::Current)]);
    assert_eq!(world.value(1).as_deref(), Some(OLD));
    assert_eq!(world.signer.signing(), 1);
    for consumer in &world.consumers {
        assert_eq!(consumer.versions(), [1]);
    }
}
