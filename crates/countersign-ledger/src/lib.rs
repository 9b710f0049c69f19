//! The evidence format of Countersign: strict JSON, RFC 6962 Merkle tree, tiles, signed notes and checkpoints, entries
//! and the verification of a whole log.
//!
//! Pure by construction: `no_std` with `alloc`, so no clock, file, environment or thread can be named here. What is
//! stored where is the server's business; what the bytes mean is `countersign-core`'s. Server and auditor use this
//! same crate, so that nothing is verified by other code than wrote it.
//!
//! Reading order: [`json`], [`hash`], [`tree`], [`proof`], [`tile`], [`details`], [`entry`], [`note`], [`checkpoint`], [`keys`], [`witness`], [`census`],
//! [`verify`], [`sshsig`], [`webauthn`], [`statement`], [`break_glass`], [`display`].
#![no_std]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod break_glass;
pub mod census;
pub mod checkpoint;
pub mod details;
pub mod display;
pub mod dsse;
pub mod entry;
pub mod hash;
pub mod json;
pub mod keys;
mod line;
pub mod note;
mod point;
pub mod proof;
pub mod sshsig;
pub mod statement;
pub mod tile;
pub mod tree;
pub mod verify;
pub mod webauthn;
pub mod witness;
