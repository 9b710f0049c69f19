//! HMAC-SHA256 with a key that is prepared once.
//!
//! Both signature schemes use it. Comparing tags is left to the schemes, which know how many candidates there
//! are and compare all of them in constant time.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::{SecretText, Version};

/// The block size of SHA-256 in bytes, which is the width RFC 2104 brings every key to.
const BLOCK: usize = 64;

/// A key for HMAC-SHA256 (RFC 2104) of any length.
#[derive(Clone)]
pub struct MacKey(Hmac<Sha256>);

impl MacKey {
    /// Prepares a key: longer ones are hashed and shorter ones padded with zeros, as RFC 2104 says.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        let hashed = Sha256::digest(key);
        let key = if key.len() > BLOCK { hashed.as_slice() } else { key };
        let mut block = [0_u8; BLOCK];
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        Self(Hmac::new(&block.into()))
    }

    /// The tag over the concatenation of the parts.
    #[must_use]
    pub fn tag(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(redacted)")
    }
}

/// One version of a secret, prepared for signing and verifying in Stripe's scheme.
#[derive(Debug, Clone)]
pub struct VersionedKey {
    /// Which version of the secret this is.
    pub version: Version,
    /// The prepared key: the whole secret text, prefix included.
    pub key: MacKey,
}

impl VersionedKey {
    /// Prepares one version of the secret.
    #[must_use]
    pub fn new(version: Version, secret: &SecretText) -> Self {
        Self { version, key: MacKey::new(secret.reveal().as_bytes()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test cases 2 (short key) and 6 (key longer than a block).
    #[test]
    fn agrees_with_rfc_4231() {
        let hex = |tag: [u8; 32]| tag.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(
            hex(MacKey::new(b"Jefe").tag(&[b"what do ya want ", b"for nothing?"])),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex(MacKey::new(&[0xaa; 131]).tag(&[b"Test Using Larger Than Block-Size Key - Hash Key First"])),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }
}
