//! The keys of one log, one after another: the handover that replaces a key, and the history that says which key may sign
//! a checkpoint of which size.
//!
//! Rule: **a checkpoint of size n is signed by the key that its own first n entries name.** `log.created` names the first
//! key; a `log.key_rotated` entry at index i names the next one, which signs from size i + 1 on. So the log itself says who
//! speaks for it, and the new key signs the entry that introduces it.
//!
//! A rotation rests on a [`Handover`], a text that both keys sign: the old one, so that whoever pinned it can follow forward;
//! the new one, so that nobody can name a key they do not hold. It names the last checkpoint before it, so what the old key
//! has vouched for stays vouched for: the new key takes over *that* history, not a log of the same name.
//!
//! What it does not show: that people agreed to the rotation (that is `countersign-core`'s audit), nor that a key was not
//! stolen. Whoever holds a retired key can still deceive those who pin nothing newer (`docs/concepts/keys.md`).
//!
//! Layout: `handover` the statement and its two signatures, `history` the keys in order, `entry` reads both kinds of entry.

mod entry;
mod error;
mod handover;
mod history;

pub use error::{CheckpointFault, KeyError, Side};
pub use handover::{CrossSigned, Handover, LogSigner};
pub use history::{KeyHistory, Tenure, claimed_size};

use crate::note::VerifierKey;
use alloc::string::ToString as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The most keys one log may have had. A new one each month lasts for eighty years, and a hostile log cannot fill memory.
pub const MAX_KEYS: usize = 1_000;

/// Reads the vkey of a log: plain Ed25519 (type 0x01), whatever else the note format may know. A cosigner's key is no log key.
///
/// # Errors
/// The text is no verifier key, or one of another type.
pub fn parse_log_key(vkey: &str) -> Result<VerifierKey, KeyError> {
    let key = VerifierKey::parse(vkey).map_err(|_| KeyError::Key(vkey.into()))?;
    // The encoded key may itself contain a plus, so only the first two separate.
    let typed = vkey.splitn(3, '+').nth(2).and_then(|encoded| STANDARD.decode(encoded).ok());
    let is_plain = typed.is_some_and(|typed| typed.first() == Some(&0x01) && typed.len() == 33);
    if is_plain && key.to_string() == vkey { Ok(key) } else { Err(KeyError::Key(vkey.into())) }
}
