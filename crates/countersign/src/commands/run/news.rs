//! When to look at a request again: as soon as its events say that something happened, or, where they cannot be had, after a while.
//!
//! News says that it is worth looking, never what there is to be seen: that is in the request's record.

use std::time::Duration;

use countersign_client::{Client, Watch};

/// The first wait where there are no events; each further one is longer, up to the longest.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(5);

/// How long the first event may take. The server sends the last one at once: what takes longer is kept back by something in between.
const FIRST_WORD: Duration = Duration::from_secs(5);

/// News of one request.
#[derive(Debug)]
pub(super) struct News<'c> {
    client: &'c Client,
    id: &'c str,
    /// The events, and whether the first of them came; none while it has not begun.
    watch: Option<(Watch<'c>, bool)>,
    wait: Duration,
}

impl<'c> News<'c> {
    pub(super) fn of(client: &'c Client, id: &'c str) -> Self {
        Self { client, id, watch: None, wait: FIRST }
    }

    /// Returns when it is worth looking again.
    pub(super) async fn next(&mut self) {
        let (watch, heard) = self.watch.get_or_insert_with(|| (self.client.watch_approval(self.id), false));
        let event = if *heard {
            watch.next().await
        } else {
            tokio::time::timeout(FIRST_WORD, watch.next()).await.unwrap_or(Ok(None))
        };
        if let Ok(Some(_)) = event {
            *heard = true;
            self.wait = FIRST;
            return;
        }
        // The next look is taken all the same, and the events are begun anew after it.
        self.watch = None;
        tokio::time::sleep(self.wait).await;
        self.wait = self.wait.saturating_mul(2).min(LONGEST);
    }
}
