//! An engine without threads: its writer works when it is told to, with randomness it is given, so that the same seed leads to the same
//! log. Only the simulation has it; everything between a command and its answer is what ships.

use std::fmt;
use std::sync::mpsc::Receiver;

use super::entropy::Entropy;
use super::writer::{BATCH, Hands, Writer};
use super::{Engine, Options, Order, StartError};
use crate::store::Store;

/// Fills bytes with what shall pass for randomness.
pub type Randomness = Box<dyn FnMut(&mut [u8]) + Send>;

/// The writer of an engine. Dropping it is a crash: nothing in memory is written down.
pub struct Steps {
    writer: Writer,
    orders: Receiver<Order>,
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Steps")
    }
}

/// The store contradicts itself; the engine has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store is corrupt, the engine has stopped")]
pub struct Stopped;

impl Steps {
    /// Recovers the state as [`Engine::start`] does, and waits.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub fn begin(
        store: Box<dyn Store>,
        options: Options,
        mut randomness: Randomness,
    ) -> Result<(Engine, Self), StartError> {
        let fill = Box::new(move |page: &mut [u8]| {
            randomness(page);
            Ok(())
        });
        let (engine, writer, orders) = Engine::assemble(store, options, Hands::Own(Entropy::from(fill)))?;
        Ok((engine, Self { writer, orders }))
    }

    /// Does what the writer's thread does each time it wakes, with at most so many of the commands that wait.
    ///
    /// # Errors
    /// The store contradicts itself.
    pub fn step(&mut self, at_most: usize) -> Result<(), Stopped> {
        let orders = self.orders.try_iter().take(at_most.min(BATCH)).collect();
        self.writer.round(orders).map_err(|_| Stopped)
    }

    /// Ends in good order: writes down what is only in memory, signs, saves a snapshot.
    pub fn finish(self) {
        self.writer.finish();
    }
}
