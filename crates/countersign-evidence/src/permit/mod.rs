//! The permit document: what an executor keeps of a permit, and can check without asking anybody.
//!
//! It is an in-toto statement in a DSSE envelope, signed by the node's permit key. Its predicate holds the permit, its entry as the log
//! has it with the proof that it is there, and the approval with every vote and its signature. The node's signature says that the node
//! gave this leave, the proof that the log says so too; neither shows that people agreed. The signatures of the votes do, held against a
//! roster that whoever checks has pinned: that much nobody can forge who holds all of the server's keys.
//!
//! What the rules do not ask to be signed is the server's word, and the verification says so.
//!
//! # Layout
//! - `document`: the form, and the strict reading of it
//! - `roster`: policy and voting keys, as pinned
//! - `verify`: what is checked, in which order
//! - `quorum`: who signed, and whether that is enough

mod document;
mod quorum;
mod roster;
#[cfg(test)]
mod tests;
mod verify;

pub use document::{
    Agreement, Entry, FormError, Leave, PAYLOAD_TYPE, PREDICATE_TYPE, STATEMENT_TYPE, Statement,
};
pub use roster::{ROSTER_TYPE, Roster, RosterError};
pub use verify::{Pins, Quorum, Untrusted, Verified, Wanted, verify};
