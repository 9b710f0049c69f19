//! Signatures by SSH keys (SSHSIG, OpenSSH's PROTOCOL.sshsig): what `ssh-keygen -Y sign` makes and `ssh-keygen -Y verify` accepts.
//!
//! Keys are Ed25519 and ECDSA on P-256, in files and agents or in FIDO authenticators (`sk-` keys, OpenSSH's PROTOCOL.u2f). The reading
//! is stricter than OpenSSH's: whatever a signature does not need is refused, so that there is little to disagree about, and so is the
//! signature of an authenticator that nobody touched, which `ssh-keygen -Y verify` accepts. RSA, DSA, other
//! curves, certificates and WebAuthn signatures are not read. Nothing here signs: private keys stay with `ssh-keygen` and agents.
//!
//! A signature is over the hash of the message, so it can be verified when the message itself is gone: see [`SshSignature::verify_hash`].
//!
//! ECDSA signatures are malleable: from one anybody can make a second for the same message and key. A signature is therefore never an
//! identity; what counts is the key and what it signed.
//!
//! Layout: `wire` reads the encoding of RFC 4251, `key` public keys, `signature` the blob, its armor and its verification, `error` says
//! what is wrong.

mod error;
mod key;
mod signature;
mod wire;

pub use error::SshError;
pub use key::{KeyAlgorithm, PublicKey, fingerprint, parse_fingerprint};
pub use signature::{HashAlgorithm, MessageHash, Presence, SshSignature};
