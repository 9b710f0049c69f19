//! The rules of Countersign, and nothing else.
//!
//! [`decide`] says whether a command may happen and what happens then, [`apply`] makes it so, [`due`] says what the world still owes
//! us, and an [`Auditor`] says whether what is on record may be. There is no clock, no randomness, no file, no network and no thread here: everything of that kind comes in
//! through [`Context`]. The same events always give the same state.
//!
//! # Layout
//! - `text` `id` `time` `digest` `action` `signature`: the words everything speaks in
//! - `calendar`: when a cron expression fires in a time zone
//! - `policy`: groups, rules, freezes, and what several rules demand together
//! - `context` `domain` `state`: commands, events, effects, and the fold
//! - `once`: what may be used once
//! - `catalogue`: what all refusals have in common
//! - `audit`: what must hold of what is on record, written apart from all of these
//! - `trial`: what people would be told under a policy, for vectors and cases
//! - `log` `person` `passkey` `password` `identity` `session` `token` `voting_key` `delegation` `approval` `permit` `break_glass` `freeze` `secret` `rotation` `incident` `redaction`: one capability each
#![no_std]
#![deny(missing_docs)]

extern crate alloc;

pub mod action;
pub mod approval;
pub mod audit;
pub mod break_glass;
pub mod calendar;
mod catalogue;
pub mod context;
pub mod delegation;
pub mod digest;
pub mod domain;
pub mod freeze;
pub mod id;
pub mod identity;
pub mod incident;
pub mod log;
pub mod once;
pub mod passkey;
pub mod password;
pub mod permit;
pub mod person;
pub mod policy;
pub mod redaction;
pub mod rotation;
pub mod sabotage;
pub mod secret;
pub mod session;
pub mod signature;
pub mod state;
#[cfg(test)]
mod testing;
pub mod text;
pub mod time;
pub mod token;
pub mod trial;
pub mod voting_key;

pub use audit::{Auditor, Violation};
pub use context::{Actor, Context, Via};
pub use domain::{Command, Effect, Event, Fact, Refusal, action_of, apply, decide, due, missing};
pub use state::{Item, State, Subject};
