//! Asking whether a command would be refused, without its happening: the same rules on the same state, and nothing is appended.

use countersign_core::id::CorrelationId;
use countersign_core::{Actor, Command, Context, State};

use super::{Engine, EngineError, codec};
use crate::store::{Record, StoreError};

impl Engine {
    /// Decides a command on the latest committed state and lets go of what it would cause.
    ///
    /// The answer can be out of date the moment it is given: whoever relies on it has still to do the thing itself.
    ///
    /// # Errors
    /// The rules refuse it, or the node cannot decide now.
    pub async fn evaluate(&self, actor: Actor, command: &Command) -> Result<(), EngineError> {
        let now = self.shared.clock.now();
        let now = now.map_err(|jumped| EngineError::Stale(jumped.to_string()))?;
        let mut state = State::clone(&self.state());
        self.hydrate(&mut state, command).await?;
        // What the command would create gets no name, because it is not created.
        let cx = Context { now, actor, session: None, correlation: CorrelationId(0), fresh: [0; 2] };
        countersign_core::decide(&state, &cx, command).map(drop).map_err(EngineError::Refused)
    }

    /// Fetches what the command names and memory does not hold, as the writer does.
    async fn hydrate(&self, state: &mut State, command: &Command) -> Result<(), EngineError> {
        loop {
            let mut found = false;
            for subject in countersign_core::missing(state, command) {
                let (kind, id) = (codec::record_kind(&subject), subject.to_string());
                let record: Option<Record> = self.read(move |reader| reader.record(kind, &id)).await?;
                if let Some(record) = record {
                    let item = codec::item(&record).map_err(|error: StoreError| EngineError::from(error))?;
                    state.hydrate(&subject, item, record.seq);
                    found = true;
                }
            }
            if !found {
                return Ok(());
            }
        }
    }
}
