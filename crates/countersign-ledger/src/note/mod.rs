//! C2SP signed notes v1.0.0 (c2sp.org/signed-note): a text that people can read, signed by named keys.
//!
//! `key` holds signers and verifiers, `cosigner` the witnesses' kind of signature, `seal` writes and opens notes.
//! Supported are Ed25519 (type 0x01) and `cosignature/v1` (type 0x04). A signature of any other type is ignored like
//! every unknown key's, as the specification demands; a *trusted* key of another type is an error.

mod cosigner;
mod error;
mod key;
mod seal;

pub use cosigner::{Cosigner, CosignerAt};
pub use error::{NoteError, SignError};
pub use key::{Ed25519Signer, NoteSigner, SignatureType, VerifierKey};
pub use seal::{Opened, SignedBy, add, open, sign, signature_line, unverified_text};

/// The largest note in bytes. Room for a checkpoint with [`MAX_SIGNATURES`] signatures of the largest types.
pub const MAX_NOTE: usize = 1 << 20;

/// The most signatures a note may carry; the specification demands at least 16.
pub const MAX_SIGNATURES: usize = 100;
