//! Proving who somebody is with what they know and have: a password and a code of their authenticator app, or a recovery code.
//!
//! Nothing here decides who may sign in: the core does, and remembers which codes were used. Secrets stay in this folder and in the
//! sealed store; the ledger learns digests only.
//!
//! # Layout
//! - `password`: what a password must be, and Argon2id
//! - `totp`: codes by time (RFC 6238)
//! - `recovery`: codes for whoever lost the authenticator
//! - `verifier`: what is kept, sealed, to check a password and its codes against
//! - `verifiers`: where they are kept, and the work of checking, of which there is never too much at once

pub mod password;
pub mod recovery;
pub mod totp;
pub mod verifier;
pub mod verifiers;

/// Why the machine could not do it. What was typed is never repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// The machine gives no randomness.
    #[error("no randomness: {0}")]
    NoRandomness(String),
    /// There is not enough memory to hash with.
    #[error("a password cannot be hashed now: {0}")]
    Hashing(String),
    /// What is kept is not what this version writes.
    #[error("the verifier that is kept is unreadable")]
    Unreadable,
}

/// Fresh random bytes.
fn drawn<const N: usize>() -> Result<zeroize::Zeroizing<[u8; N]>, SignInError> {
    let mut bytes = zeroize::Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| SignInError::NoRandomness(error.to_string()))?;
    Ok(bytes)
}
