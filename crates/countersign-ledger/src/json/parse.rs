//! Reads whole values, members in any order and white space allowed, strict in everything else.
//!
//! One walk serves both readers: `Value` keeps everything, `()` keeps nothing, so they accept the same texts by
//! construction. Recursion is bounded by `MAX_DEPTH`.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::order::key_order;
use super::scan::{Cursor, RawString};
use super::{JsonError, JsonErrorKind, MAX_DEPTH};

/// What a reader makes of a node whose children it has already made.
pub(super) trait Keep<'a>: Sized {
    fn keep(node: Node<'a, Self>) -> Result<Self, JsonError>;
}

/// A checked node. Members are sorted by [`key_order`] and unique.
pub(super) enum Node<'a, T> {
    Null,
    Bool(bool),
    Integer(i64),
    String(RawString<'a>),
    Array(Vec<T>),
    Object(Vec<Member<'a, T>>),
}

/// One member of an object; the offset is that of its key.
pub(super) struct Member<'a, T> {
    pub(super) key: Cow<'a, str>,
    pub(super) value: T,
    offset: usize,
}

impl<'a> Keep<'a> for () {
    fn keep(_: Node<'a, Self>) -> Result<Self, JsonError> {
        Ok(())
    }
}

pub(super) fn document<'a, T: Keep<'a>>(bytes: &'a [u8]) -> Result<T, JsonError> {
    document_within(bytes, 0)
}

/// Reads a document that will be embedded inside `depth` arrays and objects.
pub(super) fn document_within<'a, T: Keep<'a>>(bytes: &'a [u8], depth: usize) -> Result<T, JsonError> {
    let mut cursor = Cursor::new(bytes)?;
    let kept = value(&mut cursor, depth)?;
    cursor.skip_white_space();
    cursor.end()?;
    Ok(kept)
}

fn value<'a, T: Keep<'a>>(cursor: &mut Cursor<'a>, depth: usize) -> Result<T, JsonError> {
    cursor.skip_white_space();
    let node = match cursor.peek() {
        Some(b'{' | b'[') if depth == MAX_DEPTH => return Err(cursor.error(JsonErrorKind::TooDeep)),
        Some(b'{') => Node::Object(object(cursor, depth + 1)?),
        Some(b'[') => Node::Array(array(cursor, depth + 1)?),
        Some(b'"') => Node::String(cursor.string()?),
        Some(b'-' | b'0'..=b'9') => Node::Integer(cursor.integer()?),
        _ if cursor.eat_text("null") => Node::Null,
        _ if cursor.eat_text("true") => Node::Bool(true),
        _ if cursor.eat_text("false") => Node::Bool(false),
        _ => return Err(cursor.unexpected()),
    };
    T::keep(node)
}

fn array<'a, T: Keep<'a>>(cursor: &mut Cursor<'a>, depth: usize) -> Result<Vec<T>, JsonError> {
    cursor.expect(b'[')?;
    let mut items = Vec::new();
    cursor.skip_white_space();
    if cursor.eat(b']') {
        return Ok(items);
    }
    loop {
        items.push(value(cursor, depth)?);
        cursor.skip_white_space();
        if !cursor.eat(b',') {
            break;
        }
    }
    cursor.expect(b']')?;
    Ok(items)
}

fn object<'a, T: Keep<'a>>(cursor: &mut Cursor<'a>, depth: usize) -> Result<Vec<Member<'a, T>>, JsonError> {
    cursor.expect(b'{')?;
    let mut members = Vec::new();
    cursor.skip_white_space();
    if cursor.eat(b'}') {
        return Ok(members);
    }
    loop {
        cursor.skip_white_space();
        let offset = cursor.at();
        let key = cursor.string()?.decode()?;
        cursor.skip_white_space();
        cursor.expect(b':')?;
        members.push(Member { key, value: value(cursor, depth)?, offset });
        cursor.skip_white_space();
        if !cursor.eat(b',') {
            break;
        }
    }
    cursor.expect(b'}')?;
    sort_unique(&mut members)?;
    Ok(members)
}

fn sort_unique<T>(members: &mut [Member<'_, T>]) -> Result<(), JsonError> {
    // The sort is stable, so of two equal keys the later one in the text comes second and is the one reported.
    members.sort_by(|left, right| key_order(&left.key, &right.key));
    let repeated = members.iter().zip(members.iter().skip(1)).filter(|(left, right)| left.key == right.key);
    match repeated.map(|(_, second)| second).min_by_key(|second| second.offset) {
        Some(second) => Err(JsonError::duplicate(&second.key, second.offset)),
        None => Ok(()),
    }
}
