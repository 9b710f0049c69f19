//! That sessions are used, noted now and then: what is used lives on, and is not written down each time.
//!
//! A request appends nothing for this and waits for nothing. When the core says that a use is worth an entry, the node is told of it apart, once at a
//! time for each session. If it does not come to be written, the session ends earlier; it never lives longer than is on record.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_core::id::SessionId;
use countersign_core::session::{Extend, Session};
use countersign_core::{Actor, Command};

use crate::engine::{Engine, Submission};

/// Sessions whose use is about to be written down.
#[derive(Clone, Debug, Default)]
pub(super) struct Uses {
    under_way: Arc<Mutex<BTreeSet<SessionId>>>,
}

impl Uses {
    /// The session was used just now.
    pub(super) fn note(&self, engine: &Engine, session: &Session) {
        let id = session.id;
        let is_worth_it = session.extended(engine.now()).is_some();
        if !is_worth_it || !self.under_way().insert(id) {
            return;
        }
        let (uses, engine) = (self.clone(), engine.clone());
        tokio::spawn(async move {
            let extend = Submission::new(Actor::Node, Command::ExtendSession(Extend { session: id }));
            if let Err(error) = engine.submit(extend).await {
                tracing::debug!(session = %id, %error, "the use of a session was not written down");
            }
            uses.under_way().remove(&id);
        });
    }

    fn under_way(&self) -> std::sync::MutexGuard<'_, BTreeSet<SessionId>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
