//! What an issuer says of itself, its keys above all, in memory, and for how long it is believed.
//!
//! INVARIANT: the issuer is asked by one at a time, and not more often than every half minute, whatever tokens arrive. Whoever has a token
//! of a key that is in memory waits for nobody.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use countersign_core::time::Time;
use tokio::sync::{Mutex, MutexGuard};

use super::Unbelieved;
use super::source::{Published, Source};

/// After so many seconds the issuer is asked again, though nothing is missing: it may have withdrawn a key.
pub(super) const FRESH_SECONDS: u32 = 15 * 60;

/// After so many seconds without an answer its keys are not believed any more.
pub(super) const BELIEVED_SECONDS: u32 = 60 * 60;

/// For so many seconds after it was asked it is not asked again.
pub(super) const PAUSE_SECONDS: u32 = 30;

/// What it says of itself, and when that was fetched.
#[derive(Debug)]
struct Held {
    at: Time,
    published: Arc<Published>,
}

impl Held {
    /// Whether the key is among its keys, if one is wanted.
    fn has(&self, key_id: Option<&str>) -> bool {
        key_id.is_none_or(|key_id| self.published.keys.get(key_id).is_some())
    }
}

/// What came of asking last.
#[derive(Debug, Default)]
struct Asked {
    at: Option<Time>,
    failed: Option<String>,
}

#[derive(Debug)]
pub(super) struct Cache {
    source: Source,
    held: ArcSwapOption<Held>,
    asked: Mutex<Asked>,
}

/// Whether two times are less than so many seconds apart. A clock that was put back makes nothing younger.
fn within(one: Time, other: Time, seconds: u32) -> bool {
    one.as_millis().abs_diff(other.as_millis()) < u64::from(seconds) * 1_000
}

impl Cache {
    pub(super) fn new(source: Source) -> Self {
        Self { source, held: ArcSwapOption::empty(), asked: Mutex::default() }
    }

    /// What the issuer says of itself; this key, if one is wanted, should be among its keys.
    pub(super) async fn published(
        &self,
        key_id: Option<&str>,
        now: Time,
    ) -> Result<Arc<Published>, Unbelieved> {
        if let Some(held) = self.believed(now).filter(|held| held.has(key_id)) {
            if !within(held.at, now, FRESH_SECONDS)
                && let Ok(asked) = self.asked.try_lock()
            {
                self.renew(asked, now).await;
                // What was believed until now may just have been withdrawn.
                return self.believed(now).map(|held| Arc::clone(&held.published)).ok_or_else(unavailable);
            }
            return Ok(Arc::clone(&held.published));
        }
        let asked = self.asked.lock().await;
        // Somebody may have asked meanwhile.
        if let Some(held) = self.believed(now).filter(|held| held.has(key_id)) {
            return Ok(Arc::clone(&held.published));
        }
        let failed = self.renew(asked, now).await;
        match self.believed(now) {
            Some(held) => Ok(Arc::clone(&held.published)),
            None => Err(failed.map_or_else(unavailable, Unbelieved::Unavailable)),
        }
    }

    fn believed(&self, now: Time) -> Option<Arc<Held>> {
        self.held.load_full().filter(|held| within(held.at, now, BELIEVED_SECONDS))
    }

    /// Asks the issuer, unless that was done just now; and says why there was no answer.
    async fn renew(&self, mut asked: MutexGuard<'_, Asked>, now: Time) -> Option<String> {
        if asked.at.is_some_and(|at| within(at, now, PAUSE_SECONDS)) {
            return asked.failed.clone();
        }
        asked.at = Some(now);
        // Whoever asks may go away before there is an answer.
        asked.failed = Some("it did not answer".to_owned());
        asked.failed = match self.source.fetch().await {
            Ok(published) => {
                self.held.store(Some(Arc::new(Held { at: now, published: Arc::new(published) })));
                None
            }
            Err(why) => {
                tracing::warn!(why, "an issuer's keys could not be fetched");
                Some(why)
            }
        };
        asked.failed.clone()
    }
}

fn unavailable() -> Unbelieved {
    Unbelieved::Unavailable("they are too old".to_owned())
}
