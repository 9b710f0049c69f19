//! Years of faults in minutes: the real core and the real engine over a simulated store, network and clock, on one thread, in time that
//! passes when it is told to. The same seed leads to the same log, to the last byte.
//!
//! # Layout
//! - `dice`: randomness by seed
//! - `time`: time, and what the nodes' clocks make of it
//! - `disk`: the store that all nodes share, and everything that goes wrong with it
//! - `node`: the real engine, in steps
//! - `call`: requests on their way, sent again until they are answered
//! - `policy` `people`: the workload: what is governed, and who wants what
//! - `runner` `outside`: effects, and the world in which they are performed
//! - `judge`: follows nothing but what is kept and what was answered
//! - `world`: all of it together, step by step
//! - `faults`: what happens to nodes
//! - `defects`: rules broken on purpose, to show that the judge bites

mod call;
pub mod defects;
mod dice;
mod disk;
mod faults;
mod judge;
mod node;
mod outside;
mod people;
mod policy;
mod runner;
mod time;
mod world;

pub use world::{Failure, Run, simulate};
