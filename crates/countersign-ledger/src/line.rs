//! What the lines of all C2SP formats are made of: plain decimal numbers and hashes in base64.
//!
//! Each has one spelling. A second one would give one statement two texts, of which only one is signed.

use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::hash::Hash;

/// Reads a decimal number without sign, white space or leading zeros.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// Reads standard base64 (RFC 4648, 4) with its padding and without stray bits.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Writes what [`base64`] reads.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads a hash in base64; anything but 32 bytes is none.
pub(crate) fn hash(text: &str) -> Option<Hash> {
    base64(text)?.try_into().ok().map(Hash)
}

/// Writes what [`hash`] reads.
pub(crate) fn of_hash(hash: &Hash) -> String {
    to_base64(&hash.0)
}

#[cfg(test)]
mod tests {
    use super::{decimal, hash, of_hash};
    use crate::hash::sha256;

    #[test]
    fn numbers_and_hashes_have_one_spelling() {
        assert_eq!([decimal("0"), decimal("18446744073709551615")], [Some(0), Some(u64::MAX)]);
        for bad in ["", "00", "01", "+1", "-1", " 1", "1 ", "1_0", "٣", "18446744073709551616"] {
            assert_eq!(decimal(bad), None, "{bad:?}");
        }
        let text = of_hash(&sha256(b"a"));
        assert_eq!(hash(&text), Some(sha256(b"a")));
        // Without padding, with stray bits, with white space, and 31 or 33 bytes long.
        let short = super::to_base64(&[7; 31]);
        let long = super::to_base64(&[7; 33]);
        for bad in [
            "",
            text.trim_end_matches('='),
            &text.replace("s=", "t="),
            &alloc::format!("{text} "),
            &short,
            &long,
        ] {
            assert_eq!(hash(bad), None, "{bad:?}");
        }
    }
}
