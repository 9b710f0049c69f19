//! Performs what the state owes the world and reports outcomes as commands. It decides nothing.
//!
//! Driven by deadlines: it sleeps until the state's next deadline or the next commit. Intent is committed before anything is
//! done and the outcome after it, so a crash in between costs a repetition, and every receiver is told which effect it is.
//! Secret values pass through here from the store to a hook's body and nowhere else.
//!
//! # Layout
//! - `perform`: one effect: intent, step, report
//! - `hooks`: orders to endpoints, signed by Standard Webhooks
//! - `probes`: requests signed as the real sender would, to see which keys are accepted
//! - `values`: what is done in the secret store
//! - `calls`: the HTTP client

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use countersign_core::text::Name;
use countersign_core::time::Time;
use countersign_core::{Effect, due};
use tokio::task::{Id, JoinError, JoinSet};

use crate::config::{Endpoint, NodeConfig};
use crate::engine::Engine;
use crate::secrets::SecretStore;

mod calls;
mod hooks;
mod perform;
mod probes;
mod values;

pub use calls::RunnerError;
pub use hooks::HookKey;

use calls::Calls;
use perform::Work;
use values::Values;

/// Most effects under way at once.
const MOST: usize = 32;

/// How long to wait when nothing has a deadline; a commit ends the wait.
const IDLE: Duration = Duration::from_secs(3_600);

/// How long to wait when what is overdue is under way; its commit ends the wait.
const OVERDUE: Duration = Duration::from_secs(1);

/// How long what is under way may go on after the runner was told to stop; then it is owed again.
const GRACE: Duration = Duration::from_secs(5);

/// The world as the runner may call it.
#[derive(Clone, Debug)]
pub struct Outside {
    /// Endpoints by name.
    pub endpoints: BTreeMap<Name, Endpoint>,
    /// How long one call may take as a whole; well below the time after which a task counts as lost.
    pub patience: Duration,
}

impl Outside {
    /// The configured endpoints, with the patience of every day: 10 seconds.
    #[must_use]
    pub fn of(config: &NodeConfig) -> Self {
        Self { endpoints: config.endpoints.clone(), patience: Duration::from_secs(10) }
    }
}

/// Performs effects until it is told to stop.
pub struct Runner {
    work: Arc<Work>,
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Runner")
    }
}

impl Runner {
    /// Prepares a runner.
    ///
    /// # Errors
    /// An endpoint needs TLS and the machine trusts nobody.
    pub fn new(engine: Engine, secrets: Arc<dyn SecretStore>, outside: Outside) -> Result<Self, RunnerError> {
        let calls = Calls::new(&outside)?;
        let endpoints = outside.endpoints;
        Ok(Self { work: Arc::new(Work { engine, values: Values::new(secrets), endpoints, calls }) })
    }

    /// Works until `stop` is ready, and a moment longer for what is under way.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let mut commits = self.work.engine.commits();
        let mut under_way = UnderWay::default();
        tokio::pin!(stop);
        loop {
            // Before looking at the state: a commit that comes while we look is then not missed.
            commits.borrow_and_update();
            let wait = self.begin(&mut under_way);
            tokio::select! {
                () = &mut stop => break,
                _ = commits.changed() => {}
                Some(()) = under_way.next() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        let finished = async { while under_way.next().await.is_some() {} };
        if tokio::time::timeout(GRACE, finished).await.is_err() {
            tracing::warn!("tasks under way are left to the next start");
        }
    }

    /// Begins what is due and is not under way; says how long nothing else will be.
    fn begin(&self, under_way: &mut UnderWay) -> Duration {
        let (state, now) = (self.work.engine.state(), self.work.engine.now());
        for effect in due(&state, now, MOST) {
            under_way.begin(&self.work, effect);
        }
        wait(now, state.next_due())
    }
}

fn wait(now: Time, next: Option<Time>) -> Duration {
    let Some(next) = next else { return IDLE };
    let millis = next.as_millis().saturating_sub(now.as_millis());
    match u64::try_from(millis) {
        Ok(0) | Err(_) => OVERDUE,
        Ok(millis) => Duration::from_millis(millis).min(IDLE),
    }
}

/// Whether an effect under way keeps another from being begun: the same one, or, of the same rotation, anything else in the secret
/// store. A rotation may turn back while its new value is being sealed, and the value must be there before it is deleted.
#[must_use]
pub fn excludes(begun: &Effect, next: &Effect) -> bool {
    match (begun, next) {
        (Effect::Task(begun), Effect::Task(next)) if begun.rotation == next.rotation => {
            begun == next || begun.task.target.is_none() && next.task.target.is_none()
        }
        _ => begun == next,
    }
}

/// Effects under way, so that none is begun twice.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<()>,
    effects: HashMap<Id, Effect>,
}

impl UnderWay {
    fn begin(&mut self, work: &Arc<Work>, effect: Effect) {
        if self.effects.len() >= MOST || self.effects.values().any(|begun| excludes(begun, &effect)) {
            return;
        }
        let task = self.tasks.spawn(perform::perform(Arc::clone(work), effect.clone()));
        self.effects.insert(task.id(), effect);
    }

    /// Waits for one to end; nothing if none is under way.
    async fn next(&mut self) -> Option<()> {
        let ended = self.tasks.join_next_with_id().await?;
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
        if ended.is_err_and(|error| error.is_panic()) {
            tracing::error!("an effect ended with a panic; it is owed again");
        }
        self.effects.remove(&id);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::id::RotationId;
    use countersign_core::policy::Scheme;
    use countersign_core::rotation::{Due, Step, TaskKey};

    use super::*;

    fn task(rotation: u128, step: Step, target: Option<&str>) -> Effect {
        Effect::Task(Due {
            rotation: RotationId(rotation),
            secret: "secret:webhook-signing/stripe@production".parse().unwrap(),
            task: TaskKey { step, target: target.map(|name| name.parse().unwrap()) },
            attempt: 1,
            from_version: 1,
            to_version: 2,
            scheme: Scheme::Stripe,
            fence: 1,
        })
    }

    #[test]
    fn a_rotation_does_one_thing_at_a_time_in_the_secret_store_and_nothing_twice() {
        let sealing = task(1, Step::CreatePending, None);
        assert!(excludes(&sealing, &task(1, Step::DeleteNew, None)));
        assert!(excludes(&sealing, &sealing));
        assert!(!excludes(&sealing, &task(2, Step::CreatePending, None)));
        assert!(!excludes(&sealing, &task(1, Step::WithdrawNew, Some("nudgepay-a"))));
        let telling = task(1, Step::Distribute, Some("nudgepay-a"));
        assert!(!excludes(&telling, &task(1, Step::Distribute, Some("nudgepay-b"))));
    }
}
