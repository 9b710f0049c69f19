//! Checks that bytes are exactly the canonical form. It runs on every leaf of a whole-log verification, so it
//! reads each byte once and allocates only for strings with escapes.

use alloc::vec::Vec;
use core::cmp::Ordering;

use super::order::key_order;
use super::parse::document_within;
use super::scan::{Cursor, RawString};
use super::text::write_string;
use super::{JsonError, JsonErrorKind, MAX_DEPTH};

pub(super) fn document(bytes: &[u8]) -> Result<(), JsonError> {
    embedded(bytes, 0)
}

/// Checks a document that stands inside `depth` arrays and objects.
pub(crate) fn embedded(bytes: &[u8], depth: usize) -> Result<(), JsonError> {
    let check = || {
        let mut cursor = Cursor::new(bytes)?;
        value(&mut cursor, depth)?;
        cursor.end()
    };
    check().map_err(|found: JsonError| match document_within::<()>(bytes, depth) {
        // Strict, but in another form: the offset is where the forms part.
        Ok(()) => JsonError::new(JsonErrorKind::NotCanonical, found.offset),
        Err(violation) => violation,
    })
}

/// Steps over one canonical value that `depth` arrays and objects enclose.
pub(crate) fn value(cursor: &mut Cursor<'_>, depth: usize) -> Result<(), JsonError> {
    match cursor.peek() {
        Some(b'{' | b'[') if depth == MAX_DEPTH => Err(cursor.error(JsonErrorKind::TooDeep)),
        Some(b'{') => object(cursor, depth + 1),
        Some(b'[') => array(cursor, depth + 1),
        Some(b'"') => string(cursor).map(|_| ()),
        Some(b'-' | b'0'..=b'9') => cursor.integer().map(|_| ()),
        _ if cursor.eat_text("null") || cursor.eat_text("true") || cursor.eat_text("false") => Ok(()),
        _ => Err(cursor.unexpected()),
    }
}

fn array(cursor: &mut Cursor<'_>, depth: usize) -> Result<(), JsonError> {
    cursor.expect(b'[')?;
    if cursor.eat(b']') {
        return Ok(());
    }
    loop {
        value(cursor, depth)?;
        if !cursor.eat(b',') {
            return cursor.expect(b']');
        }
    }
}

fn object(cursor: &mut Cursor<'_>, depth: usize) -> Result<(), JsonError> {
    cursor.expect(b'{')?;
    if cursor.eat(b'}') {
        return Ok(());
    }
    let mut previous: Option<RawString<'_>> = None;
    loop {
        let offset = cursor.at();
        let key = string(cursor)?;
        if let Some(previous) = previous
            && order(previous, key)? != Ordering::Less
        {
            return Err(JsonError::new(JsonErrorKind::NotCanonical, offset));
        }
        previous = Some(key);
        cursor.expect(b':')?;
        value(cursor, depth)?;
        if !cursor.eat(b',') {
            return cursor.expect(b'}');
        }
    }
}

/// Compares two keys; almost none has escapes, and then nothing needs decoding.
fn order(left: RawString<'_>, right: RawString<'_>) -> Result<Ordering, JsonError> {
    if left.is_escaped() || right.is_escaped() {
        return Ok(key_order(&left.decode()?, &right.decode()?));
    }
    Ok(key_order(left.inner(), right.inner()))
}

/// A string whose escapes are the ones RFC 8785 would write.
fn string<'a>(cursor: &mut Cursor<'a>) -> Result<RawString<'a>, JsonError> {
    let start = cursor.at();
    let raw = cursor.string()?;
    if raw.is_escaped() {
        let mut rewritten = Vec::with_capacity(raw.inner().len() + 2);
        write_string(&mut rewritten, &raw.decode()?);
        if rewritten != cursor.since(start).as_bytes() {
            return Err(JsonError::new(JsonErrorKind::NotCanonical, start));
        }
    }
    Ok(raw)
}
