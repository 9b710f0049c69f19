//! Reads tokens of strict JSON from one text: white space, literals, integers, strings and escapes.
//!
//! It knows nothing of arrays and objects; `parse` and `canonical` do. It never copies: strings come out as slices
//! and are decoded only when somebody needs their meaning.

use alloc::borrow::Cow;
use alloc::string::String;

use super::text::plain_run;
use super::{JsonError, JsonErrorKind, MAX_INTEGER};

/// A place in a text that is known to be UTF-8.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

/// A string between its quotes, checked but not decoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawString<'a> {
    inner: &'a str,
    /// A count and not a flag: results with padding bytes are copied in overlapping pieces, which stalls the
    /// processor for longer than a short string takes to read.
    escapes: usize,
}

impl<'a> RawString<'a> {
    /// The meaning of the string; allocates only if it contains escapes.
    pub(crate) fn decode(self) -> Result<Cow<'a, str>, JsonError> {
        if self.escapes == 0 { Ok(Cow::Borrowed(self.inner)) } else { self.replace_escapes().map(Cow::Owned) }
    }

    fn replace_escapes(self) -> Result<String, JsonError> {
        let mut cursor = Cursor { text: self.inner, at: 0 };
        let mut decoded = String::with_capacity(self.inner.len());
        loop {
            decoded.push_str(cursor.plain());
            if cursor.peek().is_none() {
                return Ok(decoded);
            }
            decoded.push(cursor.escape()?);
        }
    }

    /// The text between the quotes as it stands.
    pub(crate) fn inner(self) -> &'a str {
        self.inner
    }

    /// Whether the text contains escapes.
    pub(crate) fn is_escaped(self) -> bool {
        self.escapes > 0
    }
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self, JsonError> {
        let text = core::str::from_utf8(bytes)
            .map_err(|error| JsonError::new(JsonErrorKind::InvalidUtf8, error.valid_up_to()))?;
        if text.starts_with('\u{feff}') {
            return Err(JsonError::new(JsonErrorKind::ByteOrderMark, 0));
        }
        Ok(Self { text, at: 0 })
    }

    /// Bytes read so far.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// What was read since `from`, which must be an earlier [`Self::at`].
    pub(crate) fn since(&self, from: usize) -> &'a str {
        self.text.get(from..self.at).unwrap_or_default()
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(crate) fn error(&self, kind: JsonErrorKind) -> JsonError {
        JsonError::new(kind, self.at)
    }

    /// The error for whatever stands here.
    pub(crate) fn unexpected(&self) -> JsonError {
        match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(character) => self.error(JsonErrorKind::UnexpectedCharacter(character)),
            None => self.error(JsonErrorKind::UnexpectedEnd),
        }
    }

    /// Steps over `byte` if it stands here.
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Steps over `text` if it stands here.
    pub(crate) fn eat_text(&mut self, text: &str) -> bool {
        let found = self.text.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(text.as_bytes()));
        if found {
            self.at += text.len();
        }
        found
    }

    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.eat(byte) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(crate) fn expect_text(&mut self, text: &str) -> Result<(), JsonError> {
        if self.eat_text(text) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Refuses anything after the value.
    pub(crate) fn end(&self) -> Result<(), JsonError> {
        if self.at == self.text.len() { Ok(()) } else { Err(self.error(JsonErrorKind::TrailingText)) }
    }

    pub(crate) fn skip_white_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// An integer within ±[`MAX_INTEGER`]. Its strict form is already its canonical form.
    pub(crate) fn integer(&mut self) -> Result<i64, JsonError> {
        let start = self.at;
        let negative = self.eat(b'-');
        let first_digit = self.at;
        let leading_zero = self.peek() == Some(b'0');
        let mut magnitude = 0_i64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            magnitude = magnitude.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
            self.at += 1;
        }
        let digits = self.at - first_digit;
        let kind = match self.peek() {
            _ if digits == 0 => return Err(self.unexpected()),
            _ if leading_zero && digits > 1 => JsonErrorKind::MalformedNumber,
            Some(b'.' | b'e' | b'E') => JsonErrorKind::Float,
            _ if negative && magnitude == 0 => JsonErrorKind::NegativeZero,
            _ if magnitude > MAX_INTEGER => JsonErrorKind::IntegerRange,
            _ => return Ok(if negative { -magnitude } else { magnitude }),
        };
        Err(JsonError::new(kind, start))
    }

    /// A string with every escape checked.
    pub(crate) fn string(&mut self) -> Result<RawString<'a>, JsonError> {
        self.expect(b'"')?;
        let start = self.at;
        let mut escapes = 0;
        loop {
            self.plain();
            match self.peek() {
                Some(b'"') => {
                    let inner = self.since(start);
                    self.at += 1;
                    return Ok(RawString { inner, escapes });
                }
                Some(b'\\') => {
                    escapes += 1;
                    self.escape()?;
                }
                Some(_) => return Err(self.error(JsonErrorKind::ControlCharacter)),
                None => return Err(self.error(JsonErrorKind::UnexpectedEnd)),
            }
        }
    }

    /// Steps over characters that need no escape.
    fn plain(&mut self) -> &'a str {
        let start = self.at;
        self.at += plain_run(self.text.as_bytes().get(start..).unwrap_or_default());
        self.since(start)
    }

    /// One escape, beginning at its backslash.
    fn escape(&mut self) -> Result<char, JsonError> {
        let start = self.at;
        self.expect(b'\\')?;
        let letter = self.peek().ok_or_else(|| self.unexpected())?;
        let character = match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(start),
            _ => return Err(JsonError::new(JsonErrorKind::InvalidEscape, start)),
        };
        self.at += 1;
        Ok(character)
    }

    /// `\uXXXX`, or two of them as a surrogate pair, with the cursor on the first `u`.
    fn unicode_escape(&mut self, start: usize) -> Result<char, JsonError> {
        let lone = || JsonError::new(JsonErrorKind::LoneSurrogate, start);
        let high = self.code_unit(start)?;
        if !(0xD800..0xE000).contains(&high) {
            return char::from_u32(high).ok_or_else(lone);
        }
        if high >= 0xDC00 || !self.eat(b'\\') || self.peek() != Some(b'u') {
            return Err(lone());
        }
        let low = self.code_unit(start)?;
        if !(0xDC00..0xE000).contains(&low) {
            return Err(lone());
        }
        char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00)).ok_or_else(lone)
    }

    /// `uXXXX`: four hexadecimal digits of either case.
    fn code_unit(&mut self, start: usize) -> Result<u32, JsonError> {
        self.expect(b'u')?;
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            unit = unit * 16 + digit.ok_or_else(|| JsonError::new(JsonErrorKind::InvalidEscape, start))?;
            self.at += 1;
        }
        Ok(unit)
    }
}
