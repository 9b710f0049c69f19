//! Strict JSON: RFC 8785 (JCS) over I-JSON (RFC 7493) without floats.
//!
//! One meaning has exactly one byte string, so a hash identifies a meaning. Everything that lets two different texts
//! share one reading is refused: duplicate keys, fractions and exponents, integers beyond ±(2^53-1), negative zero,
//! lone surrogates, byte order marks, trailing text. This is not a general JSON library: amounts travel as integers
//! with the unit in the name, or as strings.
//!
//! Layout: `scan` reads tokens, `parse` reads values in any order, `canonical` checks the one right form, `text` writes
//! tokens, `write`, `members` and `key` are the serde serializer, `order` compares keys.

pub(crate) mod canonical;
mod error;
mod key;
mod members;
mod order;
mod parse;
pub(crate) mod scan;
pub(crate) mod text;
mod value;
mod write;

use alloc::vec::Vec;

use serde::Serialize;

pub use error::{JsonError, JsonErrorKind};
pub use value::{Object, Value};

/// How many arrays and objects may enclose each other.
///
/// It bounds the recursion of every reader here, and leaves room for any document a person can still follow.
pub const MAX_DEPTH: usize = 32;

/// The largest integer, 2^53-1; the smallest is its negative. Beyond it JavaScript and many others lose digits (RFC 7493, 2.2).
pub const MAX_INTEGER: i64 = (1 << 53) - 1;

/// Reads one strict value. Members may come in any order and white space is allowed; nothing else is lenient.
///
/// # Errors
/// The first violation, with its kind and byte offset.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    parse::document(bytes)
}

/// Says whether [`parse`] would accept these bytes, without building the value.
///
/// It is the same walk as `parse`, so the two cannot disagree. It allocates one list of keys per object and
/// decodes only keys that contain escapes.
///
/// # Errors
/// The same as [`parse`].
pub fn validate(bytes: &[u8]) -> Result<(), JsonError> {
    parse::document(bytes)
}

/// Says whether the bytes are exactly the canonical form of a strict value (RFC 8785): no white space, members in
/// the order of their keys' UTF-16 code units, shortest escapes.
///
/// # Errors
/// [`JsonErrorKind::NotCanonical`] for a strict value in another form, otherwise the same as [`parse`].
pub fn validate_canonical(bytes: &[u8]) -> Result<(), JsonError> {
    canonical::document(bytes)
}

/// The canonical form (RFC 8785) of a strict value.
///
/// # Errors
/// The same as [`parse`].
pub fn canonicalize(bytes: &[u8]) -> Result<Vec<u8>, JsonError> {
    parse(bytes).map(|value| value.to_canonical())
}

/// Writes any serialisable value directly in canonical form.
///
/// Struct fields and map keys are sorted, enums take serde's externally tagged form, map keys may be text, characters,
/// integers, booleans or unit variants, and `serde_json`'s `RawValue` is embedded in its canonical form.
///
/// # Errors
/// Floats, byte strings, integers beyond [`MAX_INTEGER`], duplicate keys, nesting beyond [`MAX_DEPTH`], other map keys,
/// and whatever the value's own `Serialize` reports. The offset is the number of bytes written before the error.
pub fn to_canonical<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, JsonError> {
    write::document(value)
}
