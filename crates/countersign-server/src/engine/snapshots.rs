//! When a snapshot is due, and its encoding on a thread of its own: the writer only hands over a clone of the state and stores bytes.

use std::thread::{self, JoinHandle};

use countersign_core::State;

use crate::store::{Head, Snapshot, Store};

/// Entries after which the next snapshot is due, or as many as items are alive if those are more: so encoding them costs each entry
/// one item at most, however large the state.
const EVERY: u64 = 100_000;

/// Who encodes.
#[derive(Clone, Copy)]
pub(super) enum By {
    /// A thread for each snapshot.
    Thread,
    /// The writer itself, at once.
    #[cfg(feature = "simulation")]
    Writer,
}

/// A snapshot, or why there is none.
type Encoded = Result<Snapshot, String>;

/// A snapshot being encoded.
enum Encoding {
    UnderWay(JoinHandle<Encoded>),
    #[cfg(feature = "simulation")]
    Done(Encoded),
}

impl Encoding {
    fn is_finished(&self) -> bool {
        match self {
            Self::UnderWay(thread) => thread.is_finished(),
            #[cfg(feature = "simulation")]
            Self::Done(_) => true,
        }
    }

    fn wait(self) -> Encoded {
        match self {
            Self::UnderWay(thread) => thread.join().unwrap_or_else(|_| Err("encoding it panicked".into())),
            #[cfg(feature = "simulation")]
            Self::Done(encoded) => encoded,
        }
    }
}

/// The snapshots of one log.
pub(super) struct Snapshots {
    /// Size of the log at the last snapshot that was saved or is being encoded.
    size: u64,
    by: By,
    encoding: Option<Encoding>,
}

impl Snapshots {
    /// `size` is that of the snapshot in the store, 0 if none.
    pub(super) fn new(size: u64, by: By) -> Self {
        Self { size, by, encoding: None }
    }

    /// Saves a snapshot that is ready and begins the next if it is due; never waits for an encoding.
    pub(super) fn step(&mut self, store: &mut dyn Store, (state, head): (&State, &Head)) {
        if let Some(ready) = self.encoding.take_if(|encoding| encoding.is_finished()) {
            save(store, ready);
        }
        let alive: usize = state.live().iter().map(|(_, count)| count).sum();
        let due = self.size + EVERY.max(u64::try_from(alive).unwrap_or(u64::MAX));
        if self.encoding.is_none() && head.size() >= due {
            self.begin(state, head);
        }
    }

    /// Saves a snapshot of the final state.
    pub(super) fn finish(mut self, store: &mut dyn Store, (state, head): (&State, &Head)) {
        if head.size() > self.size {
            self.begin(state, head);
        }
        if let Some(last) = self.encoding {
            save(store, last);
        }
    }

    /// One snapshot at a time: a former encoding that nobody waited for is left to end by itself.
    fn begin(&mut self, state: &State, head: &Head) {
        let (state, size, root) = (state.clone(), head.size(), head.tree.root());
        let encode = move || {
            let state = serde_json::to_vec(&state).map_err(|error| error.to_string())?;
            Ok(Snapshot { size, root, state })
        };
        let encoding = match self.by {
            By::Thread => {
                thread::Builder::new().name("snapshot".into()).spawn(encode).map(Encoding::UnderWay)
            }
            #[cfg(feature = "simulation")]
            By::Writer => Ok(Encoding::Done(encode())),
        };
        match encoding {
            Ok(encoding) => (self.size, self.encoding) = (size, Some(encoding)),
            Err(error) => tracing::warn!(%error, "no snapshot; the next start takes longer"),
        }
    }
}

fn save(store: &mut dyn Store, encoding: Encoding) {
    let saved = encoding
        .wait()
        .and_then(|snapshot| store.save_snapshot(&snapshot).map_err(|error| error.to_string()));
    if let Err(why) = saved {
        tracing::warn!(%why, "the snapshot could not be saved; the next start takes longer");
    }
}
