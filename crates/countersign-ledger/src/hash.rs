//! SHA-256 hashes and the two ways RFC 6962 separates leaves from nodes.
//!
//! A hash is shown, parsed and serialised in one form only: 64 lower-case hexadecimal digits.

use core::fmt;
use core::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde::ser::{Serialize, Serializer};
use sha2::{Digest, Sha256};

/// A SHA-256 hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, core::hash::Hash)]
pub struct Hash(pub [u8; 32]);

/// SHA-256 of the bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Hash {
    sha256_of([bytes])
}

/// SHA-256 of parts one after the other, without joining them first.
pub(crate) fn sha256_of<const N: usize>(parts: [&[u8]; N]) -> Hash {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    Hash(hasher.finalize().into())
}

/// The hash of a leaf: `SHA-256(0x00 || leaf)` (RFC 6962, 2.1).
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    sha256_of([&[0x00], leaf])
}

/// The hash of a node: `SHA-256(0x01 || left || right)` (RFC 6962, 2.1).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256_of([&[0x01], &left.0, &right.0])
}

/// The root of a tree without leaves: SHA-256 of nothing (RFC 6962, 2.1).
#[must_use]
pub fn empty_root() -> Hash {
    sha256(&[])
}

/// A text is not a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashError;

impl fmt::Display for HashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a hash is 64 lower-case hexadecimal digits")
    }
}

impl core::error::Error for HashError {}

impl Hash {
    /// Calls `with` with the 64 digits, without allocating.
    pub(crate) fn with_hex<T>(&self, with: impl FnOnce(&str) -> T) -> T {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [b'0'; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            for (place, nibble) in pair.iter_mut().zip([byte >> 4, byte & 0x0F]) {
                *place = DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
            }
        }
        with(core::str::from_utf8(&hex).unwrap_or_default())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_hex(|hex| f.write_str(hex))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_hex(|hex| f.write_str(hex))
    }
}

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        if text.len() != 64 {
            return Err(HashError);
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            for digit in pair {
                let nibble = match digit {
                    b'0'..=b'9' => digit - b'0',
                    b'a'..=b'f' => digit - b'a' + 10,
                    _ => return Err(HashError),
                };
                *byte = (*byte << 4) | nibble;
            }
        }
        Ok(Self(hash))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.with_hex(|hex| serializer.serialize_str(hex))
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HexVisitor;

        impl Visitor<'_> for HexVisitor {
            type Value = Hash;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&HashError, f)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Hash, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(HexVisitor).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{Hash, HashError, empty_root, leaf_hash};
    use alloc::string::ToString;

    #[test]
    fn known_hashes() {
        // RFC 6962 public vectors: the empty tree and the leaf without bytes.
        assert_eq!(
            empty_root().to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            leaf_hash(&[]).to_string(),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
    }

    #[test]
    fn only_one_text_form_is_accepted() {
        let text = empty_root().to_string();
        assert_eq!(text.parse(), Ok(empty_root()));
        assert_eq!(text.to_uppercase().parse::<Hash>(), Err(HashError));
        assert_eq!(text.get(1..).unwrap_or_default().parse::<Hash>(), Err(HashError));
        assert_eq!(text.replacen('e', "+", 1).parse::<Hash>(), Err(HashError));
    }

    #[test]
    fn serde_uses_the_text_form() {
        let json = serde_json::to_string(&empty_root()).unwrap();
        assert_eq!(json, alloc::format!("\"{}\"", empty_root()));
        assert_eq!(serde_json::from_str::<Hash>(&json).unwrap(), empty_root());
        assert!(serde_json::from_str::<Hash>("\"ABC\"").is_err());
    }
}
