//! Arrays and objects of the serializer: each element is a segment that ends in a comma, and an object sorts its
//! segments when it closes. Most structs declare their fields in order, so most objects never sort.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::cmp::Ordering;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::key::KeyText;
use super::order::key_order;
use super::parse::document_within;
use super::text::write_string;
use super::write::Writer;
use super::{JsonError, JsonErrorKind, Value};

/// What stands around a container: nothing, or the object of an externally tagged variant that closes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Around {
    Nothing,
    Variant,
}

fn close_around(writer: &mut Writer, around: Around) {
    if around == Around::Variant {
        writer.close(b'}');
    }
}

/// An open array.
#[derive(Debug)]
pub(super) struct Sequence<'w> {
    writer: &'w mut Writer,
    around: Around,
}

impl<'w> Sequence<'w> {
    pub(super) fn open(writer: &'w mut Writer) -> Result<Self, JsonError> {
        writer.open(b'[')?;
        Ok(Self { writer, around: Around::Nothing })
    }

    pub(super) fn of_variant(self) -> Self {
        Self { around: Around::Variant, ..self }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
        value.serialize(&mut *self.writer)?;
        self.writer.out.push(b',');
        Ok(())
    }

    fn close(self) {
        self.writer.close(b']');
        close_around(self.writer, self.around);
    }
}

/// An open object.
#[derive(Debug)]
pub(super) struct Members<'w> {
    writer: &'w mut Writer,
    around: Around,
    /// Each key and where its segment starts in the output.
    starts: Vec<(Cow<'static, str>, usize)>,
    order: Ordering,
}

impl<'w> Members<'w> {
    pub(super) fn open(writer: &'w mut Writer, length: usize) -> Result<Self, JsonError> {
        writer.open(b'{')?;
        // The length is a hint of the value's own code, so it is not trusted beyond a sane size.
        let starts = Vec::with_capacity(length.min(64));
        Ok(Self { writer, around: Around::Nothing, starts, order: Ordering::Less })
    }

    pub(super) fn of_variant(self) -> Self {
        Self { around: Around::Variant, ..self }
    }

    fn key(&mut self, key: Cow<'static, str>) -> Result<(), JsonError> {
        if let Some((previous, _)) = self.starts.last() {
            self.order = self.order.max(key_order(previous, &key));
        }
        let start = self.writer.out.len();
        write_string(&mut self.writer.out, &key);
        self.writer.out.push(b':');
        self.starts.push((key, start));
        Ok(())
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
        value.serialize(&mut *self.writer)?;
        self.writer.out.push(b',');
        Ok(())
    }

    fn close(self) -> Result<(), JsonError> {
        let Self { writer, around, starts, order } = self;
        if order != Ordering::Less {
            sort_segments(writer, starts)?;
        }
        writer.close(b'}');
        close_around(writer, around);
        Ok(())
    }
}

/// Puts the segments of the object that ends the output in the order of their keys.
fn sort_segments(writer: &mut Writer, starts: Vec<(Cow<'static, str>, usize)>) -> Result<(), JsonError> {
    let first = starts.first().map_or(writer.out.len(), |(_, start)| *start);
    let ends: Vec<usize> = starts.iter().skip(1).map(|(_, start)| *start).chain([writer.out.len()]).collect();
    let mut segments: Vec<_> =
        starts.into_iter().zip(ends).map(|((key, start), end)| (key, start..end)).collect();
    segments.sort_by(|left, right| key_order(&left.0, &right.0));
    for (left, right) in segments.iter().zip(segments.iter().skip(1)) {
        if left.0 == right.0 {
            return Err(JsonError::duplicate(&right.0, right.1.start.max(left.1.start)));
        }
    }
    writer.spare.clear();
    for (_, range) in segments {
        writer.spare.extend_from_slice(writer.out.get(range).unwrap_or_default());
    }
    writer.out.truncate(first);
    writer.out.extend_from_slice(&writer.spare);
    Ok(())
}

/// The fields of a struct, or the single field by which a raw value hands over its text.
#[derive(Debug)]
pub(super) enum Fields<'w> {
    Members(Members<'w>),
    Raw(&'w mut Writer),
}

fn embed(writer: &mut Writer, json: &str) -> Result<(), JsonError> {
    let value: Value = document_within(json.as_bytes(), writer.depth)
        .map_err(|error| JsonError::new(error.kind, writer.out.len() + error.offset))?;
    value.write(&mut writer.out);
    Ok(())
}

impl SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = JsonError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), JsonError> {
        match self {
            Self::Members(members) => {
                members.key(Cow::Borrowed(key))?;
                members.value(value)
            }
            Self::Raw(writer) => embed(writer, &value.serialize(KeyText)?),
        }
    }

    fn end(self) -> Result<(), JsonError> {
        match self {
            Self::Members(members) => members.close(),
            Self::Raw(_) => Ok(()),
        }
    }
}

impl SerializeStructVariant for Members<'_> {
    type Ok = ();
    type Error = JsonError;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), JsonError> {
        self.key(Cow::Borrowed(key))?;
        self.value(value)
    }

    fn end(self) -> Result<(), JsonError> {
        self.close()
    }
}

impl SerializeMap for Members<'_> {
    type Ok = ();
    type Error = JsonError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), JsonError> {
        let key = key.serialize(KeyText)?;
        self.key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
        if self.writer.out.last() != Some(&b':') {
            return Err(self.writer.error(JsonErrorKind::Unsupported("a map value without a key")));
        }
        self.value(value)
    }

    fn end(self) -> Result<(), JsonError> {
        self.close()
    }
}

/// The four kinds of array differ only in the name of the method serde calls.
macro_rules! sequence {
    ($($name:ident::$method:ident),*) => {
        $(impl $name for Sequence<'_> {
            type Ok = ();
            type Error = JsonError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), JsonError> {
                self.element(value)
            }

            fn end(self) -> Result<(), JsonError> {
                self.close();
                Ok(())
            }
        })*
    };
}

sequence!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);
