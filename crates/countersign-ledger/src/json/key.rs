//! Turns a map key into text, as JSON demands: a serde serializer that accepts text and what prints like it.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};

use serde::ser::{Impossible, Serialize, Serializer};

use super::{JsonError, JsonErrorKind};

/// Serialises to the text of a key and refuses everything that has none.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyText;

type Never = Impossible<Cow<'static, str>, JsonError>;

fn refused<T>() -> Result<T, JsonError> {
    Err(JsonError::new(JsonErrorKind::Unsupported("a map key that is not text"), 0))
}

/// Methods for keys that print as themselves.
macro_rules! printed {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, key: $type) -> Result<Cow<'static, str>, JsonError> { Ok(Cow::Owned(key.to_string())) })*
    };
}

/// Methods for keys that have no text.
macro_rules! refused {
    ($($method:ident($($argument:ty),*) -> $ok:ty),*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<$ok, JsonError> { refused() })*
    };
}

impl Serializer for KeyText {
    type Ok = Cow<'static, str>;
    type Error = JsonError;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    printed!(serialize_bool: bool, serialize_char: char, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_i128: i128, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32,
        serialize_u64: u64, serialize_u128: u128);

    refused!(serialize_f32(f32) -> Self::Ok, serialize_f64(f64) -> Self::Ok, serialize_bytes(&[u8]) -> Self::Ok,
        serialize_none() -> Self::Ok, serialize_unit() -> Self::Ok, serialize_unit_struct(&'static str) -> Self::Ok,
        serialize_seq(Option<usize>) -> Never, serialize_tuple(usize) -> Never,
        serialize_tuple_struct(&'static str, usize) -> Never, serialize_map(Option<usize>) -> Never,
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never,
        serialize_struct(&'static str, usize) -> Never,
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never);

    fn serialize_str(self, key: &str) -> Result<Self::Ok, JsonError> {
        Ok(Cow::Owned(String::from(key)))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, key: &T) -> Result<Self::Ok, JsonError> {
        key.serialize(self)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Self::Ok, JsonError> {
        Ok(Cow::Borrowed(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        key: &T,
    ) -> Result<Self::Ok, JsonError> {
        key.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Self::Ok, JsonError> {
        refused()
    }
}
