//! Reading typed values from text: one serde visitor for everything that implements `FromStr`, and the grammar of names.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use core::borrow::Borrow;
use core::fmt;
use core::marker::PhantomData;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Writes 16 or 32 bytes as lower-case hexadecimal digits in one go: every leaf and record holds dozens of ids and digests, and the
/// formatting machinery costs more per byte than hashing.
pub(crate) fn write_hex<const N: usize>(f: &mut fmt::Formatter<'_>, bytes: [u8; N]) -> fmt::Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [[b'0'; 2]; N];
    for (pair, byte) in text.iter_mut().zip(bytes) {
        *pair =
            [byte >> 4, byte & 0x0F].map(|nibble| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0'));
    }
    f.write_str(core::str::from_utf8(text.as_flattened()).map_err(|_| fmt::Error)?)
}

/// Parses a string into `T`, borrowed or owned, whatever the format offers.
pub(crate) struct FromStrVisitor<T>(PhantomData<T>);

impl<T> FromStrVisitor<T> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T: FromStr<Err: fmt::Display>> de::Visitor<'_> for FromStrVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

/// The name of a group, rule, endpoint, verb or environment: 1 to 64 of `a-z`, `0-9` and `-`, beginning with a letter or digit.
///
/// There is one spelling of each name: nothing is folded or trimmed, other spellings are rejected. A clone shares the text: one command
/// puts the same few names into events, items, records and requirements.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// A text is not a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError(pub String);

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a name: 1 to 64 of a-z, 0-9 and `-`, beginning with a letter or digit",
            self.0.escape_debug()
        )
    }
}

impl core::error::Error for NameError {}

impl Name {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let letters = text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if letters && (1..=64).contains(&text.len()) && !text.starts_with('-') {
            Ok(Self(text.into()))
        } else {
            Err(NameError(text.to_string()))
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(FromStrVisitor::new())
    }
}
