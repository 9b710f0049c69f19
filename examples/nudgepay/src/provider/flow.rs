//! The genuine webhooks: a steady stream of payments, signed and sent by several workers.
//!
//! Payments of links that an application really created go to every endpoint, as a real account's events do;
//! the synthetic ones between them go round-robin. Nothing is retried: the first answer is the delivery's
//! outcome.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

use super::{
    Provider,
    lag::{Switch, Worker, version_for},
    sender::{self, Letter, Signer},
};
use crate::{Version, hook::Published};

/// Letters waiting per worker; when all are taken the stream slows down and loses nothing.
const WAITING: usize = 16;

/// Starts the workers and what feeds them. Everything ends when the set is dropped.
pub(super) fn start(provider: &Arc<Provider>, rate_per_second: u32, run_for: Duration) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let Some(period) = Duration::from_secs(1).checked_div(rate_per_second) else {
        return tasks;
    };
    let mut queues = Vec::new();
    for number in 0..provider.workers {
        let (queue, letters) = mpsc::channel(WAITING);
        queues.push(queue);
        let worker = Worker { number, of: provider.workers };
        tasks.spawn(work(Arc::clone(provider), worker, letters));
    }
    let provider = Arc::clone(provider);
    tasks.spawn(async move {
        // Running out of time is how the stream is meant to end.
        let _ = tokio::time::timeout(run_for, feed(provider, queues, period)).await;
    });
    tasks
}

/// Hands letters to the workers in turn, at the asked pace.
async fn feed(provider: Arc<Provider>, queues: Vec<mpsc::Sender<Letter>>, period: Duration) {
    let mut pace = interval(period);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut round = 0_usize;
    let mut workers = queues.iter().cycle();
    loop {
        pace.tick().await;
        for letter in next_letters(&provider, round) {
            let Some(queue) = workers.next() else { return };
            if queue.send(letter).await.is_err() {
                return;
            }
        }
        round = round.wrapping_add(1);
        // Each time the endpoints begin again, one worker is passed over; otherwise a worker would serve one
        // endpoint only.
        if round.is_multiple_of(provider.account.endpoints().len().max(1)) {
            workers.next();
        }
    }
}

/// The letters of one round: a real link's payment for everyone, or a synthetic one for the endpoint whose
/// turn it is.
fn next_letters(provider: &Provider, round: usize) -> Vec<Letter> {
    let account = &provider.account;
    let endpoints = account.endpoints();
    let Some(turn) = round.checked_rem(endpoints.len()) else {
        return Vec::new();
    };
    let (link, receivers) = match account.next_unpaid() {
        Some(link) => (link, endpoints),
        None => (account.fresh("plink"), endpoints.into_iter().skip(turn).take(1).collect()),
    };
    let event = account.fresh("evt");
    receivers
        .into_iter()
        .map(|endpoint| Letter { event: event.clone(), link: link.clone(), endpoint })
        .collect()
}

/// One signing worker: signs each letter with the key it has picked up by then.
async fn work(provider: Arc<Provider>, worker: Worker, mut letters: mpsc::Receiver<Letter>) {
    while let Some(letter) = letters.recv().await {
        let Some(version) = version_of(&provider, worker, &provider.keys.published()) else { continue };
        let signer = Signer { version, worker: worker.number };
        if let Some(delivery) = sender::send(&provider, letter, signer).await {
            provider.deliveries.record(delivery);
        }
    }
}

/// The version this worker signs with now.
pub(super) fn version_of(provider: &Provider, worker: Worker, published: &Published) -> Option<Version> {
    let switch = published.switched.map(|(before, at)| Switch { before, at });
    let clock = (Instant::now(), provider.switch_lag);
    published.ring.signing.map(|current| version_for(worker, current, switch, clock))
}
