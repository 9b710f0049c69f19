//! Why a text is not strict JSON: a kind to match on, a byte offset, and one sentence for people.

use alloc::string::{String, ToString};
use core::fmt;

/// A violation of strict JSON and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    /// What is wrong.
    pub kind: JsonErrorKind,
    /// Bytes before the violation: of the text when reading, of the output when writing.
    pub offset: usize,
}

/// What can be wrong with a text or a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonErrorKind {
    /// The text starts with U+FEFF.
    ByteOrderMark,
    /// A character below U+0020 stands unescaped in a string.
    ControlCharacter,
    /// The value's own serialisation failed with this message.
    Custom(String),
    /// An object has this key (shortened to 64 characters) twice.
    DuplicateKey(String),
    /// A number has a fraction or an exponent, or a float was to be written.
    Float,
    /// An integer lies outside ±(2^53-1).
    IntegerRange,
    /// A backslash is not followed by a known escape.
    InvalidEscape,
    /// The bytes are not UTF-8.
    InvalidUtf8,
    /// Half of a surrogate pair stands alone.
    LoneSurrogate,
    /// A number has leading zeros.
    MalformedNumber,
    /// The number `-0`, which RFC 8785 would silently rewrite.
    NegativeZero,
    /// Strict JSON, but not in the canonical form.
    NotCanonical,
    /// More than [`super::MAX_DEPTH`] arrays and objects enclose each other.
    TooDeep,
    /// Text follows the value.
    TrailingText,
    /// This character cannot stand here.
    UnexpectedCharacter(char),
    /// The text ends inside a value.
    UnexpectedEnd,
    /// This cannot be written as strict JSON.
    Unsupported(&'static str),
}

/// How many characters of a duplicate key an error repeats, so that hostile input cannot fill a log line.
const SHOWN_KEY: usize = 64;

impl JsonError {
    pub(crate) fn new(kind: JsonErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    pub(crate) fn duplicate(key: &str, offset: usize) -> Self {
        Self::new(JsonErrorKind::DuplicateKey(key.chars().take(SHOWN_KEY).collect()), offset)
    }
}

impl fmt::Display for JsonErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByteOrderMark => f.write_str("byte order mark"),
            Self::ControlCharacter => f.write_str("unescaped control character"),
            Self::Custom(message) => f.write_str(message),
            Self::DuplicateKey(key) => write!(f, "duplicate key `{}`", key.escape_debug()),
            Self::Float => f.write_str("number with a fraction or exponent, only integers are allowed"),
            Self::IntegerRange => f.write_str("integer outside ±9007199254740991 (2^53-1)"),
            Self::InvalidEscape => f.write_str("invalid escape"),
            Self::InvalidUtf8 => f.write_str("invalid utf-8"),
            Self::LoneSurrogate => f.write_str("lone surrogate"),
            Self::MalformedNumber => f.write_str("number with leading zeros"),
            Self::NegativeZero => f.write_str("negative zero"),
            Self::NotCanonical => f.write_str("not in canonical form (RFC 8785)"),
            Self::TooDeep => write!(f, "nesting deeper than {} levels", super::MAX_DEPTH),
            Self::TrailingText => f.write_str("text after the value"),
            Self::UnexpectedCharacter(character) => {
                write!(f, "unexpected character `{}`", character.escape_debug())
            }
            Self::UnexpectedEnd => f.write_str("unexpected end"),
            Self::Unsupported(what) => write!(f, "{what} cannot be written as strict JSON"),
        }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind, self.offset)
    }
}

impl core::error::Error for JsonError {}

impl serde::ser::Error for JsonError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(JsonErrorKind::Custom(message.to_string()), 0)
    }
}
