//! Details: what is kept beside a leaf and can be redacted without breaking a proof.
//!
//! The leaf holds only a commitment. The salt makes it useless for guessing short details (a reason, an address) once
//! they and the salt are gone.

use crate::hash::{Hash, sha256_of};

/// Thirty-two random bytes, fresh for each entry and deleted together with the details.
pub type Salt = [u8; 32];

/// What the leaf says about its details: `SHA-256(salt || details)`.
///
/// The salt has a fixed length, so salt and details cannot be shifted into each other.
#[must_use]
pub fn commitment(salt: &Salt, details: &[u8]) -> Hash {
    sha256_of([salt, details])
}

#[cfg(test)]
mod tests {
    use super::commitment;

    #[test]
    fn binds_salt_and_details() {
        let committed = commitment(&[7; 32], b"{}");
        assert_eq!(commitment(&[7; 32], b"{}"), committed);
        assert_ne!(commitment(&[8; 32], b"{}"), committed);
        assert_ne!(commitment(&[7; 32], b"[]"), committed);
    }
}
