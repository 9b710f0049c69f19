//! Signs of life: where the rules ask for them, whoever works under a permit says again and again that the work goes on.
//!
//! They are given for exactly as long as the work is polled. Work that is dropped falls silent, and its permit becomes unknown.

use std::future::Future;
use std::time::Duration;

use countersign_api::Reason;
use countersign_api::permit::Permit;

use crate::{Client, Patience};

/// A sign of life that does not get through soon is better replaced by the next.
const SOON: Patience =
    Patience { attempts: 2, first: Duration::from_millis(100), longest: Duration::from_millis(100) };

impl Client {
    /// Does the work, and meanwhile says that it goes on, twice as often as the started permit asks for; not at all where it does not ask.
    ///
    /// A sign of life that is refused or does not get through does not end the work: what it comes to is for the report to say.
    pub async fn while_alive<T>(&self, permit: &Permit, work: impl Future<Output = T>) -> T {
        let Some(seconds) = permit.heartbeat_seconds else { return work.await };
        let every = Duration::from_secs(u64::from(seconds)) / 2;
        let client = self.clone().with_patience(SOON);
        let beating = async {
            loop {
                tokio::time::sleep(every).await;
                drop(client.keep_permit_alive(&permit.id, &Reason::default()).await);
            }
        };
        tokio::select! {
            done = work => done,
            never = beating => never,
        }
    }
}
