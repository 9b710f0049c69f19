//! A small pool of readers, so that looking never waits for writing and never opens files in a hurry.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::EngineError;
use crate::store::{Reader, Store, StoreError};

/// How many reads may run at once.
const READERS: usize = 8;

pub(super) struct Readers {
    // INVARIANT: as many free readers as there are permits.
    free: Mutex<Vec<Box<dyn Reader>>>,
    permits: Semaphore,
}

impl Readers {
    pub(super) fn open(store: &dyn Store) -> Result<Self, StoreError> {
        let free = (0..READERS).map(|_| store.reader()).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { free: Mutex::new(free), permits: Semaphore::new(READERS) })
    }

    pub(super) async fn read<T, F>(self: &std::sync::Arc<Self>, read: F) -> Result<T, EngineError>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Reader) -> Result<T, StoreError> + Send + 'static,
    {
        let _permit = self.permits.acquire().await.map_err(|_| EngineError::Stopped)?;
        let pool = std::sync::Arc::clone(self);
        let task = tokio::task::spawn_blocking(move || {
            let reader = pool.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut reader = reader.ok_or_else(|| StoreError::Unavailable("all readers are busy".into()))?;
            let result = read(reader.as_mut());
            pool.free.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            result
        });
        task.await.map_err(|_| EngineError::Stopped)?.map_err(EngineError::from)
    }
}
