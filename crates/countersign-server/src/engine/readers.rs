//! Small pools of readers, so that looking never waits for writing and never opens files in a hurry.
//!
//! The public has a pool of its own with a bounded queue: whatever strangers ask, people find their readers free.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::EngineError;
use crate::store::{Reader, Store, StoreError};

/// How many reads of people and of the node's own tasks may run at once.
const READERS: usize = 8;

/// How many reads of the public may run at once. A proof is a few milliseconds of one core, so more would only take turns.
const PUBLIC_READERS: usize = 4;

/// How many reads of the public may wait for their turn; the next is told to come back later.
const PUBLIC_QUEUE: usize = 256;

pub(super) struct Readers {
    people: Arc<Pool>,
    public: Arc<Pool>,
    /// Places in the public's queue, those whose turn it is included.
    places: Semaphore,
}

impl Readers {
    pub(super) fn open(store: &dyn Store) -> Result<Self, StoreError> {
        Ok(Self {
            people: Arc::new(Pool::open(store, READERS)?),
            public: Arc::new(Pool::open(store, PUBLIC_READERS)?),
            places: Semaphore::new(PUBLIC_QUEUE + PUBLIC_READERS),
        })
    }

    pub(super) async fn read<T, F>(&self, read: F) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Reader) -> Result<T, StoreError> + Send + 'static,
    {
        Pool::read(&self.people, read).await
    }

    pub(super) async fn read_public<T, F>(&self, read: F) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Reader) -> Result<T, StoreError> + Send + 'static,
    {
        let Ok(_place) = self.places.try_acquire() else {
            return Err(EngineError::Unavailable("too many public reads are waiting".into()));
        };
        Pool::read(&self.public, read).await
    }
}

struct Pool {
    // INVARIANT: at least as many free readers as there are free permits.
    free: Mutex<Vec<Box<dyn Reader>>>,
    permits: Arc<Semaphore>,
}

impl Pool {
    fn open(store: &dyn Store, count: usize) -> Result<Self, StoreError> {
        let free = (0..count).map(|_| store.reader()).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { free: Mutex::new(free), permits: Arc::new(Semaphore::new(count)) })
    }

    async fn read<T, F>(pool: &Arc<Self>, read: F) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Reader) -> Result<T, StoreError> + Send + 'static,
    {
        let permit = Arc::clone(&pool.permits).acquire_owned().await.map_err(|_| EngineError::Stopped)?;
        let pool = Arc::clone(pool);
        let task = tokio::task::spawn_blocking(move || {
            let reader = pool.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut reader = reader.ok_or_else(|| StoreError::Unavailable("all readers are busy".into()))?;
            let result = read(reader.as_mut());
            pool.free.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            // Kept by the reading itself: whoever asked may have gone, and the reader was not free before now.
            drop(permit);
            result
        });
        task.await.map_err(|_| EngineError::Stopped)?.map_err(EngineError::from)
    }
}
