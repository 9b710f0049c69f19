//! The serde serializer that writes canonical bytes directly, without building a value first.
//!
//! Every element and member is written with a comma behind it, so that members are interchangeable segments: an
//! object whose fields came out of order is put right by copying segments, and closing replaces the last comma.
//! Containers live in `members`; this file holds the scalars and the choice of container.

use alloc::vec::Vec;

use serde::ser::{Serialize, Serializer};

use super::members::{Fields, Members, Sequence};
use super::text::{write_integer, write_string};
use super::{JsonError, JsonErrorKind, MAX_DEPTH, MAX_INTEGER};

/// The name under which `serde_json`'s `RawValue` hands over text that is already JSON.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

pub(super) fn document<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, JsonError> {
    let mut writer = Writer { out: Vec::with_capacity(512), spare: Vec::new(), depth: 0 };
    match value.serialize(&mut writer) {
        Ok(()) => Ok(writer.out),
        // An error raised by the value itself does not know where it happened; the writer does.
        Err(error) => Err(JsonError::new(error.kind, error.offset.max(writer.out.len()))),
    }
}

/// The output and how many containers are open.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) out: Vec<u8>,
    /// Room for reordering, kept so that nested objects share one allocation.
    pub(super) spare: Vec<u8>,
    pub(super) depth: usize,
}

impl Writer {
    pub(super) fn error(&self, kind: JsonErrorKind) -> JsonError {
        JsonError::new(kind, self.out.len())
    }

    pub(super) fn open(&mut self, bracket: u8) -> Result<(), JsonError> {
        if self.depth == MAX_DEPTH {
            return Err(self.error(JsonErrorKind::TooDeep));
        }
        self.depth += 1;
        self.out.push(bracket);
        Ok(())
    }

    pub(super) fn close(&mut self, bracket: u8) {
        // The last byte is a comma exactly if the container has an element: brackets and scalars never end in one.
        if self.out.last() == Some(&b',') {
            self.out.pop();
        }
        self.depth -= 1;
        self.out.push(bracket);
    }

    /// Opens the object of an externally tagged variant, up to the colon.
    fn open_variant(&mut self, variant: &str) -> Result<(), JsonError> {
        self.open(b'{')?;
        write_string(&mut self.out, variant);
        self.out.push(b':');
        Ok(())
    }

    fn integer(&mut self, number: Option<i64>) -> Result<(), JsonError> {
        let Some(number) = number.filter(|number| (-MAX_INTEGER..=MAX_INTEGER).contains(number)) else {
            return Err(self.error(JsonErrorKind::IntegerRange));
        };
        write_integer(&mut self.out, number);
        Ok(())
    }

    fn literal(&mut self, literal: &[u8]) -> Result<(), JsonError> {
        self.out.extend_from_slice(literal);
        Ok(())
    }
}

/// Methods for the integer types; a number that does not even fit `i64` is out of range like any other.
macro_rules! integers {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, number: $type) -> Result<(), JsonError> { self.integer(i64::try_from(number).ok()) })*
    };
}

impl<'w> Serializer for &'w mut Writer {
    type Ok = ();
    type Error = JsonError;
    type SerializeSeq = Sequence<'w>;
    type SerializeTuple = Sequence<'w>;
    type SerializeTupleStruct = Sequence<'w>;
    type SerializeTupleVariant = Sequence<'w>;
    type SerializeMap = Members<'w>;
    type SerializeStruct = Fields<'w>;
    type SerializeStructVariant = Members<'w>;

    integers!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128);

    fn serialize_bool(self, truth: bool) -> Result<(), JsonError> {
        self.literal(if truth { b"true" } else { b"false" })
    }

    fn serialize_f32(self, _: f32) -> Result<(), JsonError> {
        Err(self.error(JsonErrorKind::Float))
    }

    fn serialize_f64(self, _: f64) -> Result<(), JsonError> {
        Err(self.error(JsonErrorKind::Float))
    }

    fn serialize_char(self, character: char) -> Result<(), JsonError> {
        self.serialize_str(character.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<(), JsonError> {
        write_string(&mut self.out, text);
        Ok(())
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), JsonError> {
        Err(self.error(JsonErrorKind::Unsupported("a byte string")))
    }

    fn serialize_none(self) -> Result<(), JsonError> {
        self.literal(b"null")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), JsonError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), JsonError> {
        self.literal(b"null")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), JsonError> {
        self.literal(b"null")
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), JsonError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), JsonError> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), JsonError> {
        self.open_variant(variant)?;
        value.serialize(&mut *self)?;
        self.close(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Sequence<'w>, JsonError> {
        Sequence::open(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Sequence<'w>, JsonError> {
        Sequence::open(self)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Sequence<'w>, JsonError> {
        Sequence::open(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Sequence<'w>, JsonError> {
        self.open_variant(variant)?;
        Sequence::open(self).map(Sequence::of_variant)
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Members<'w>, JsonError> {
        Members::open(self, length.unwrap_or(0))
    }

    fn serialize_struct(self, name: &'static str, length: usize) -> Result<Fields<'w>, JsonError> {
        if name == RAW_VALUE {
            return Ok(Fields::Raw(self));
        }
        Members::open(self, length).map(Fields::Members)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Members<'w>, JsonError> {
        self.open_variant(variant)?;
        Members::open(self, length).map(Members::of_variant)
    }
}
