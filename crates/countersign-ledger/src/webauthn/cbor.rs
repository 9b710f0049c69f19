//! CBOR (RFC 8949) in the one form that CTAP2 allows, and nothing else.
//!
//! "CTAP2 canonical CBOR" (CTAP 2.1, 8): lengths are definite and numbers in their shortest form, the keys of a map are unique and in
//! order, no more than four levels, no tags. Floats, `undefined` and other simple values appear in nothing that is read here. One meaning
//! has one byte string, so [`Cbor::to_bytes`] gives back exactly what [`parse`] took.

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;

/// How many maps and arrays may enclose each other (CTAP 2.1, 8).
pub const MAX_DEPTH: usize = 4;

/// The longest text, bytes. An attestation with a chain of certificates is a quarter of it.
pub const MAX_BYTES: usize = 16 * 1024;

/// One data item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cbor<'a> {
    /// A number from 0 on.
    Unsigned(u64),
    /// A number below 0: `-1 - n`.
    Negative(u64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Text.
    Text(&'a str),
    /// An ordered list.
    Array(Vec<Self>),
    /// Keys and values, in the order of the keys.
    Map(Vec<(Self, Self)>),
    /// `false` or `true`.
    Bool(bool),
    /// `null`.
    Null,
}

/// Why bytes are not CBOR of this form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CborError {
    /// It is longer than [`MAX_BYTES`].
    TooLarge,
    /// It ends too early.
    Truncated,
    /// Bytes follow after the end.
    TrailingBytes,
    /// More than [`MAX_DEPTH`] maps and arrays enclose each other.
    TooDeep,
    /// A number or a length is not in its shortest form, or a length is not definite.
    NotShortest,
    /// A text is not UTF-8.
    Utf8,
    /// A key of a map is neither a number nor a text.
    Key,
    /// The keys of a map are not in order, or one is there twice.
    Order,
    /// A tag, a float, or a simple value other than `false`, `true` and `null`.
    Unsupported,
}

impl fmt::Display for CborError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "it is too long",
            Self::Truncated => "it ends too early",
            Self::TrailingBytes => "bytes follow after the end",
            Self::TooDeep => "maps and arrays enclose each other too deeply",
            Self::NotShortest => "a number or a length is not in its shortest form",
            Self::Utf8 => "a text is not UTF-8",
            Self::Key => "a key of a map is neither a number nor a text",
            Self::Order => "the keys of a map are not unique and in order",
            Self::Unsupported => "it holds a tag, a float or an unknown simple value",
        })
    }
}

impl core::error::Error for CborError {}

/// Reads one item that is all there is.
///
/// # Errors
/// The bytes have another form, or go on after the item.
pub fn parse(bytes: &[u8]) -> Result<Cbor<'_>, CborError> {
    match prefix(bytes)? {
        (item, []) => Ok(item),
        _ => Err(CborError::TrailingBytes),
    }
}

/// Reads one item, and says what follows it.
pub(super) fn prefix(bytes: &[u8]) -> Result<(Cbor<'_>, &[u8]), CborError> {
    if bytes.len() > MAX_BYTES {
        return Err(CborError::TooLarge);
    }
    let mut reader = Reader { rest: bytes };
    let item = reader.item(0)?;
    Ok((item, reader.rest))
}

impl<'a> Cbor<'a> {
    /// The bytes, if it is bytes.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&'a str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The number, if it is one that fits.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Unsigned(number) => i64::try_from(*number).ok(),
            Self::Negative(number) => i64::try_from(*number).ok().map(|number| -1 - number),
            _ => None,
        }
    }

    /// Keys and values, if it is a map.
    #[must_use]
    pub fn as_map(&self) -> Option<&[(Self, Self)]> {
        if let Self::Map(members) = self { Some(members) } else { None }
    }

    /// The value of a text key, if it is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        let found = self.as_map()?.iter().find(|member| member.0.as_text() == Some(key));
        found.map(|member| &member.1)
    }

    /// The one encoding. A value made by hand may have keys out of order, which [`parse`] then refuses.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Unsigned(number) => head(out, 0, *number),
            Self::Negative(number) => head(out, 1, *number),
            Self::Bytes(bytes) => {
                head(out, 2, bytes.len() as u64);
                out.extend_from_slice(bytes);
            }
            Self::Text(text) => {
                head(out, 3, text.len() as u64);
                out.extend_from_slice(text.as_bytes());
            }
            Self::Array(items) => {
                head(out, 4, items.len() as u64);
                items.iter().for_each(|item| item.write(out));
            }
            Self::Map(members) => {
                head(out, 5, members.len() as u64);
                members.iter().for_each(|(key, value)| {
                    key.write(out);
                    value.write(out);
                });
            }
            Self::Bool(truth) => out.push(if *truth { TRUE } else { FALSE }),
            Self::Null => out.push(NULL),
        }
    }
}

const FALSE: u8 = 0xF4;
const TRUE: u8 = 0xF5;
const NULL: u8 = 0xF6;

/// Writes a major type with its number in the shortest form.
fn head(out: &mut Vec<u8>, major: u8, number: u64) {
    let major = major << 5;
    let bytes = number.to_be_bytes();
    let [_, _, _, _, e, f, g, h] = bytes;
    match number {
        0..=23 => out.push(major | h),
        24..=0xFF => out.extend_from_slice(&[major | 24, h]),
        0x100..=0xFFFF => out.extend_from_slice(&[major | 25, g, h]),
        0x1_0000..=0xFFFF_FFFF => out.extend_from_slice(&[major | 26, e, f, g, h]),
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&bytes);
        }
    }
}

#[derive(Debug)]
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], CborError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(CborError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A number of so many bytes, which must need them all.
    fn number(&mut self, count: usize, least: u64) -> Result<u64, CborError> {
        let number = self.take(count)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        if number < least { Err(CborError::NotShortest) } else { Ok(number) }
    }

    /// Major type and number.
    fn head(&mut self) -> Result<(u8, u64), CborError> {
        let first = self.take(1)?.first().copied().ok_or(CborError::Truncated)?;
        let (major, short) = (first >> 5, first & 0x1F);
        // Of simple values the short number is the value itself; what is longer is a float or unknown.
        if major == 7 && short > 23 {
            return Err(CborError::Unsupported);
        }
        let number = match short {
            0..=23 => u64::from(short),
            24 => self.number(1, 24)?,
            25 => self.number(2, 0x100)?,
            26 => self.number(4, 0x1_0000)?,
            27 => self.number(8, 0x1_0000_0000)?,
            _ => return Err(CborError::NotShortest),
        };
        Ok((major, number))
    }

    fn string(&mut self, length: u64) -> Result<&'a [u8], CborError> {
        self.take(usize::try_from(length).map_err(|_| CborError::Truncated)?)
    }

    /// One item inside so many maps and arrays. The depth bounds the recursion, and every item takes a byte at least, so the input's
    /// length bounds the memory.
    fn item(&mut self, depth: usize) -> Result<Cbor<'a>, CborError> {
        let (major, number) = self.head()?;
        Ok(match major {
            0 => Cbor::Unsigned(number),
            1 => Cbor::Negative(number),
            2 => Cbor::Bytes(self.string(number)?),
            3 => {
                let text = core::str::from_utf8(self.string(number)?);
                Cbor::Text(text.map_err(|_| CborError::Utf8)?)
            }
            4 => {
                let depth = deeper(depth)?;
                let mut items = Vec::new();
                for _ in 0..number {
                    items.push(self.item(depth)?);
                }
                Cbor::Array(items)
            }
            5 => Cbor::Map(self.members(number, deeper(depth)?)?),
            7 => match number {
                20 => Cbor::Bool(false),
                21 => Cbor::Bool(true),
                22 => Cbor::Null,
                _ => return Err(CborError::Unsupported),
            },
            _ => return Err(CborError::Unsupported),
        })
    }

    fn members(&mut self, count: u64, depth: usize) -> Result<Vec<(Cbor<'a>, Cbor<'a>)>, CborError> {
        let mut members = Vec::new();
        let mut last: Option<&[u8]> = None;
        for _ in 0..count {
            let before = self.rest;
            let key = self.item(depth)?;
            if !matches!(key, Cbor::Unsigned(_) | Cbor::Negative(_) | Cbor::Text(_)) {
                return Err(CborError::Key);
            }
            let length = before.len() - self.rest.len();
            let encoded = before.get(..length).ok_or(CborError::Truncated)?;
            if last.is_some_and(|last| order(last, encoded) != Ordering::Less) {
                return Err(CborError::Order);
            }
            last = Some(encoded);
            members.push((key, self.item(depth)?));
        }
        Ok(members)
    }
}

fn deeper(depth: usize) -> Result<usize, CborError> {
    if depth == MAX_DEPTH { Err(CborError::TooDeep) } else { Ok(depth + 1) }
}

/// The order of encoded keys (CTAP 2.1, 8): by major type, then the shorter first, then byte by byte.
fn order(left: &[u8], right: &[u8]) -> Ordering {
    let major = |key: &[u8]| key.first().map(|first| first >> 5);
    major(left).cmp(&major(right)).then(left.len().cmp(&right.len())).then_with(|| left.cmp(right))
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::{Cbor, CborError, MAX_BYTES, parse};

    #[test]
    fn what_is_read_is_written_the_same() {
        let numbers = [0, 23, 24, 255, 256, 65_535, 65_536, u64::from(u32::MAX), 1 << 32, u64::MAX];
        let numbers = numbers.map(|number| (Cbor::Unsigned(number), Cbor::Negative(number)));
        let (texts, bytes) = ("x".repeat(300), [7; 70]);
        let others = [
            Cbor::Text(&texts),
            Cbor::Text("é"),
            Cbor::Bytes(&bytes),
            Cbor::Bool(true),
            Cbor::Bool(false),
            Cbor::Null,
            Cbor::Array(vec![Cbor::Array(vec![]), Cbor::Map(vec![])]),
            Cbor::Map(vec![
                (Cbor::Unsigned(24), Cbor::Null),
                (Cbor::Negative(0), Cbor::Null),
                (Cbor::Text("z"), Cbor::Null),
                (Cbor::Text("aa"), Cbor::Null),
            ]),
        ];
        for item in numbers.into_iter().flat_map(|(above, below)| [above, below]).chain(others) {
            assert_eq!(parse(&item.to_bytes()), Ok(item));
        }
        assert_eq!(parse(&[0x38, 0x63]).unwrap().as_integer(), Some(-100));
        assert_eq!(
            parse(&[0x3B, 0x7F, 255, 255, 255, 255, 255, 255, 255]).unwrap().as_integer(),
            Some(i64::MIN)
        );
        assert_eq!(parse(&[0x3B, 0x80, 0, 0, 0, 0, 0, 0, 0]).unwrap().as_integer(), None);
    }

    #[test]
    fn every_second_form_is_refused_by_name() {
        let cases: [(&[u8], CborError); 26] = [
            (&[], CborError::Truncated),
            (&[0x18], CborError::Truncated),
            (&[0x42, 1], CborError::Truncated),
            (&[0x5B, 255, 255, 255, 255, 255, 255, 255, 255], CborError::Truncated),
            (&[0x9B, 255, 255, 255, 255, 255, 255, 255, 255], CborError::Truncated),
            (&[0xA1, 0], CborError::Truncated),
            (&[0, 0], CborError::TrailingBytes),
            (&[0x18, 23], CborError::NotShortest),
            (&[0x19, 0, 255], CborError::NotShortest),
            (&[0x1A, 0, 0, 255, 255], CborError::NotShortest),
            (&[0x1B, 0, 0, 0, 0, 255, 255, 255, 255], CborError::NotShortest),
            (&[0x58, 1, 7], CborError::NotShortest),
            // Of indefinite length: bytes, an array, a map.
            (&[0x5F, 0x41, 7, 0xFF], CborError::NotShortest),
            (&[0x9F, 0xFF], CborError::NotShortest),
            (&[0xBF, 0xFF], CborError::NotShortest),
            (&[0x62, 0xC3, 0x28], CborError::Utf8),
            (&[0xA1, 0x41, 7, 0], CborError::Key),
            (&[0xA1, 0xF5, 0], CborError::Key),
            // Twice; a text before a number; a longer one before a shorter.
            (&[0xA2, 1, 0, 1, 0], CborError::Order),
            (&[0xA2, 0x61, 0x61, 0, 1, 0], CborError::Order),
            (&[0xA2, 0x62, 0x61, 0x61, 0, 0x61, 0x7A, 0], CborError::Order),
            (&[0x81, 0x81, 0x81, 0x81, 0x80], CborError::TooDeep),
            // A tag, half a float, `undefined`, a simple value.
            (&[0xC0, 0], CborError::Unsupported),
            (&[0xF9, 0, 0], CborError::Unsupported),
            (&[0xF7], CborError::Unsupported),
            (&[0xF8, 32], CborError::Unsupported),
        ];
        for (bytes, error) in cases {
            assert_eq!(parse(bytes), Err(error), "{bytes:02x?}");
        }
        assert!(parse(&[0x81, 0x81, 0x81, 0x80]).is_ok());
        assert_eq!(parse(&vec![0; MAX_BYTES + 1]), Err(CborError::TooLarge));
    }
}
