//! Passkeys: what authenticators sign holds, and every step of the two procedures refuses what it is there for.

mod enrolled;
mod flaws;
mod token;
mod vectors;

use sha2::{Digest as _, Sha256};

fn from_hex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2));
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn origins(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

/// What an authenticator signs.
fn signed_bytes(authenticator_data: &[u8], client_data: &[u8]) -> Vec<u8> {
    [authenticator_data, Sha256::digest(client_data).as_slice()].concat()
}
