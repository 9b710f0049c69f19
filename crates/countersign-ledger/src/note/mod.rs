//! C2SP signed notes v1.0.0 (c2sp.org/signed-note): a text that people can read, signed by named keys.
//!
//! `key` holds signers and verifiers, `seal` writes and opens notes. Ed25519 (type 0x01) only; other types, such as
//! witness cosignatures, are ignored like every unknown key, as the specification demands.

mod error;
mod key;
mod seal;

pub use error::NoteError;
pub use key::{Ed25519Signer, NoteSigner, VerifierKey};
pub use seal::{Opened, SignedBy, open, sign};

/// The largest note in bytes. Room for a checkpoint with [`MAX_SIGNATURES`] signatures of the largest types.
pub const MAX_NOTE: usize = 1 << 20;

/// The most signatures a note may carry; the specification demands at least 16.
pub const MAX_SIGNATURES: usize = 100;
