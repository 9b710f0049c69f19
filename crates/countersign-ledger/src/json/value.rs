//! A strict JSON value in memory. Objects keep their members sorted and unique, so writing needs no sorting.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::JsonError;
use super::order::key_order;
use super::parse::{Keep, Node};
use super::text::{write_integer, write_string};

/// Any strict JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer, within ±[`super::MAX_INTEGER`] when it comes from [`super::parse`].
    Integer(i64),
    /// Text.
    String(String),
    /// An ordered list.
    Array(Vec<Value>),
    /// Members with unique keys.
    Object(Object),
}

/// Members sorted by the UTF-16 code units of their keys, each key once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Object {
    // INVARIANT: strictly ascending by `key_order`.
    members: Vec<(String, Value)>,
}

impl Object {
    /// Makes an object of members in any order.
    ///
    /// # Errors
    /// A duplicate key; the offset is the member's position.
    pub fn new(mut members: Vec<(String, Value)>) -> Result<Self, JsonError> {
        members.sort_by(|left, right| key_order(&left.0, &right.0));
        let pairs = members.iter().zip(members.iter().skip(1)).enumerate();
        for (position, (left, right)) in pairs {
            if left.0 == right.0 {
                return Err(JsonError::duplicate(&right.0, position + 1));
            }
        }
        Ok(Self { members })
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        let found = self.members.binary_search_by(|member| key_order(&member.0, key)).ok()?;
        self.members.get(found).map(|member| &member.1)
    }

    /// All members in canonical order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.members.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

impl Value {
    /// The canonical bytes (RFC 8785). A value made by hand may hold integers or nesting that [`super::parse`] refuses;
    /// pass such a value to [`super::to_canonical`], which checks.
    #[must_use]
    pub fn to_canonical(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.write(&mut out);
        out
    }

    /// The text, if this is a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The number, if this is an integer.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        if let Self::Integer(number) = self { Some(*number) } else { None }
    }

    /// The members, if this is an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&Object> {
        if let Self::Object(object) = self { Some(object) } else { None }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Integer(number) => write_integer(out, *number),
            Self::String(text) => write_string(out, text),
            Self::Array(items) => {
                out.push(b'[');
                for (position, item) in items.iter().enumerate() {
                    if position > 0 {
                        out.push(b',');
                    }
                    item.write(out);
                }
                out.push(b']');
            }
            Self::Object(object) => object.write(out),
        }
    }
}

impl Object {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (position, (key, value)) in self.members.iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            write_string(out, key);
            out.push(b':');
            value.write(out);
        }
        out.push(b'}');
    }
}

impl<'a> Keep<'a> for Value {
    fn keep(node: Node<'a, Self>) -> Result<Self, JsonError> {
        Ok(match node {
            Node::Null => Self::Null,
            Node::Bool(truth) => Self::Bool(truth),
            Node::Integer(number) => Self::Integer(number),
            Node::String(raw) => Self::String(raw.decode().map(Cow::into_owned)?),
            Node::Array(items) => Self::Array(items),
            Node::Object(members) => {
                let members =
                    members.into_iter().map(|member| (member.key.into_owned(), member.value)).collect();
                Self::Object(Object { members })
            }
        })
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(truth) => serializer.serialize_bool(*truth),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::String(text) => serializer.serialize_str(text),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(object) => object.serialize(serializer),
        }
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in self.iter() {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}
