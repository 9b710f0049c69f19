//! The thread that drives a store's sockets, and waiting for it from threads that know nothing of it.
//!
//! The store's traits block, and they are called from threads of every kind, also from those of a runtime, on which another runtime
//! cannot be entered: so a store has a small runtime on a thread of its own, shared by its readers, and whoever asks parks until the
//! answer is there. What is asked may borrow, which a task handed over could not.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::store::StoreError;

/// Runs sockets until it is dropped.
#[derive(Debug)]
pub(super) struct Driver {
    handle: Handle,
    /// Dropped with this: then the thread ends.
    _running: oneshot::Sender<()>,
}

impl Driver {
    pub(super) fn start() -> Result<Arc<Self>, StoreError> {
        let failed = |error: std::io::Error| {
            StoreError::Unavailable(format!("no thread for the database's connections: {error}"))
        };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (running, ended) = oneshot::channel::<()>();
        let handle = runtime.handle().clone();
        let body = move || {
            // Nothing is ever sent: it ends when the other side is gone.
            drop(runtime.block_on(ended));
        };
        thread::Builder::new().name("postgres".into()).spawn(body).map_err(failed)?;
        Ok(Arc::new(Self { handle, _running: running }))
    }

    /// Where tasks run that outlive a question.
    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }
}

/// Wakes a parked thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for the outcome, at most this long; `None` if it takes longer.
pub(super) fn wait<F: Future>(patience: Duration, future: F) -> Option<F::Output> {
    let until = Instant::now() + patience;
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(outcome) = future.as_mut().poll(&mut context) {
            return Some(outcome);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_comes_is_given_up_and_what_comes_late_is_waited_for() {
        assert_eq!(wait(Duration::from_millis(1), std::future::pending::<()>()), None);
        let (sender, receiver) = oneshot::channel();
        let later = thread::spawn(move || sender.send(7));
        assert_eq!(wait(Duration::from_secs(60), receiver), Some(Ok(7)));
        later.join().unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_thread_of_another_runtime_may_wait() {
        let driver = Driver::start().unwrap();
        let task = driver.handle().spawn(async { tokio::task::yield_now().await });
        assert!(matches!(wait(Duration::from_secs(60), task), Some(Ok(()))));
    }
}
