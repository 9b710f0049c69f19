//! A node: the real engine on its way to the disk, with a clock of its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use countersign_core::id::PersonId;
use countersign_core::person::Person;
use countersign_core::{Actor, State};
use countersign_ledger::note::Ed25519Signer;
use countersign_server::clock::Clock as _;
use countersign_server::engine::steps::Steps;
use countersign_server::engine::{Committed, Engine, EngineError, Options, StartError, Submission};

use crate::call::Acting;
use crate::dice::Dice;
use crate::disk::Handle;
use crate::time::NodeClock;

/// An answer, or that there is none yet.
pub(crate) type Reply = Result<Committed, EngineError>;

type Pending = Pin<Box<dyn Future<Output = Reply>>>;

/// What a node needs each time it starts.
#[derive(Clone)]
pub(crate) struct Outfit {
    /// Signs the log, as on every node.
    pub signer: Arc<Ed25519Signer>,
    /// Its way to the disk.
    pub disk: Handle,
}

/// A node that runs.
pub(crate) struct Running<T> {
    engine: Engine,
    steps: Steps,
    clock: Arc<NodeClock>,
    /// Commands under way, and who waits for them.
    pending: Vec<(T, Pending)>,
}

impl<T> Running<T> {
    /// Starts.
    ///
    /// # Errors
    /// As [`Steps::begin`].
    pub(crate) fn start(outfit: &Outfit, clock: NodeClock, dice: &mut Dice) -> Result<Self, StartError> {
        let clock = Arc::new(clock);
        let options = Options {
            signer: Arc::clone(&outfit.signer) as _,
            next_signer: None,
            anchor: None,
            clock: Arc::clone(&clock) as _,
        };
        let mut dice = dice.split();
        let randomness = Box::new(move |page: &mut [u8]| dice.fill(page));
        let (engine, steps) = Steps::begin(Box::new(outfit.disk.clone()), options, randomness)?;
        Ok(Self { engine, steps, clock, pending: Vec::new() })
    }

    /// What it shows.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Its clock.
    pub(crate) fn clock(&self) -> &NodeClock {
        &self.clock
    }

    /// Whether its clock jumped, so that it decides nothing any more.
    pub(crate) fn has_jumped(&self) -> bool {
        self.clock.now().is_err()
    }

    /// Whether whoever acts would be let do anything, as the door of the HTTP API decides it.
    ///
    /// # Errors
    /// The node does not know.
    pub(crate) fn lets_in(&self, acting: Acting) -> Result<bool, EngineError> {
        self.engine.fresh()?;
        let (state, now) = (self.engine.state(), self.engine.now());
        Ok(match (acting.actor, acting.session) {
            (Actor::Token(token), _) => state.live_token(token, now).is_ok(),
            (Actor::Person(_), Some(session)) => state.live_session(session, now).is_ok(),
            (Actor::Person(person), None) => belongs(&state, person),
            (Actor::Node, _) => true,
        })
    }

    /// Takes a command in.
    pub(crate) fn take(&mut self, whose: T, submission: Submission) {
        let engine = self.engine.clone();
        self.pending.push((whose, Box::pin(async move { engine.submit(submission).await })));
        // What is not polled is not handed in.
        self.answered_into(&mut Vec::new());
    }

    /// Works once, with at most so many of the commands that wait; gives what was answered.
    ///
    /// # Errors
    /// The store contradicts itself.
    pub(crate) fn step(&mut self, at_most: usize) -> Result<Vec<(T, Reply)>, String> {
        self.steps.step(at_most).map_err(|stopped| stopped.to_string())?;
        let mut answered = Vec::new();
        self.answered_into(&mut answered);
        Ok(answered)
    }

    fn answered_into(&mut self, answered: &mut Vec<(T, Reply)>) {
        let mut context = Context::from_waker(Waker::noop());
        for (whose, mut pending) in std::mem::take(&mut self.pending) {
            match pending.as_mut().poll(&mut context) {
                Poll::Ready(reply) => answered.push((whose, reply)),
                Poll::Pending => self.pending.push((whose, pending)),
            }
        }
    }

    /// Ends in good order; whoever waits hears nothing.
    pub(crate) fn finish(self) {
        self.steps.finish();
    }
}

fn belongs(state: &State, person: PersonId) -> bool {
    state.person(person).is_some_and(Person::is_active)
}
