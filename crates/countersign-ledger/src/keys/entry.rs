//! Reads the two kinds of entry that say who signs the log: `log.created` and `log.key_rotated`. Every other kind passes.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{CrossSigned, Handover, KeyError, parse_log_key};
use crate::entry::EntryView;
use crate::hash::Hash;
use crate::json::{self, Object, Value};
use crate::note::VerifierKey;

/// The kind of the entry that names the first key.
const CREATED: &str = "log.created";

/// The kind of the entry that names the next one.
const ROTATED: &str = "log.key_rotated";

/// What an entry says about keys.
pub(super) enum Told {
    /// The log begins, with its first key.
    Created { origin: String, key: Box<VerifierKey> },
    /// A key hands over to the next.
    Rotated(Box<CrossSigned>),
}

/// What the entry says about keys, if it is of a kind that does.
pub(super) fn read(entry: &EntryView<'_>) -> Result<Option<Told>, KeyError> {
    match entry.kind {
        CREATED => created(&Members::of(entry.data)?).map(Some),
        ROTATED => rotated(&Members::of(entry.data)?).map(Some),
        _ => Ok(None),
    }
}

fn created(data: &Members) -> Result<Told, KeyError> {
    Ok(Told::Created { origin: data.text("origin")?.into(), key: Box::new(data.key("log_key")?) })
}

fn rotated(data: &Members) -> Result<Told, KeyError> {
    let handover = Handover {
        origin: data.text("origin")?.into(),
        size: data.size("size")?,
        root: data.root("root")?,
        old: data.key("old_key")?,
        new: data.key("new_key")?,
    };
    let (old_signature, new_signature) = (data.signature("old_signature")?, data.signature("new_signature")?);
    Ok(Told::Rotated(Box::new(CrossSigned { handover, old_signature, new_signature })))
}

/// The data of an entry, by member.
struct Members(Object);

impl Members {
    fn of(data: &str) -> Result<Self, KeyError> {
        match json::parse(data.as_bytes()) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            _ => Err(KeyError::Form("data")),
        }
    }

    fn text(&self, member: &'static str) -> Result<&str, KeyError> {
        match self.0.get(member) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(KeyError::Form(member)),
        }
    }

    fn key(&self, member: &'static str) -> Result<VerifierKey, KeyError> {
        parse_log_key(self.text(member)?)
    }

    fn size(&self, member: &'static str) -> Result<u64, KeyError> {
        match self.0.get(member) {
            Some(Value::Integer(size)) => u64::try_from(*size).map_err(|_| KeyError::Form(member)),
            _ => Err(KeyError::Form(member)),
        }
    }

    fn root(&self, member: &'static str) -> Result<Hash, KeyError> {
        self.text(member)?.parse().map_err(|_| KeyError::Form(member))
    }

    fn signature(&self, member: &'static str) -> Result<Vec<u8>, KeyError> {
        STANDARD.decode(self.text(member)?).map_err(|_| KeyError::Form(member))
    }
}
