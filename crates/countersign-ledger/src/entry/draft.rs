//! Writes leaves. The request knows the draft; the writer, who alone knows the place, makes the leaf of it.

use alloc::vec::Vec;

use super::rules::{check_name, check_time};
use super::{EntryError, FIRST_SUBJECT_SEQ, MAX_INDEX, MAX_LEAF};
use crate::hash::Hash;
use crate::json::canonical;
use crate::json::text::{write_string, write_unsigned};

/// Everything about an entry that is known before it has a place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draft<'a> {
    /// Who acted, an id.
    pub actor: &'a str,
    /// What ties this entry to others of the same cause, an id.
    pub correlation: &'a str,
    /// A canonical strict JSON object: all that replay needs, and nothing secret or personal.
    pub data: &'a [u8],
    /// The [commitment](crate::details::commitment) to the details, if there are any.
    pub details_sha256: Option<Hash>,
    /// The environment acted in, if one was.
    pub environment: Option<&'a str>,
    /// What happened, such as `approval.granted`.
    pub kind: &'a str,
    /// What it happened to, an id.
    pub subject: &'a str,
}

/// Where an entry stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The leaf index, from 0.
    pub index: u64,
    /// The count of entries of this subject, this one included; the first is [`FIRST_SUBJECT_SEQ`].
    pub subject_seq: u32,
    /// RFC 3339 in UTC with exactly milliseconds, never before the entry at the index below.
    pub time: &'a str,
}

impl Draft<'_> {
    /// The exact bytes to store and hash.
    ///
    /// Data is checked here although the request has canonicalised it: this is the last gate, and a leaf that is
    /// not canonical could never be verified.
    ///
    /// # Errors
    /// A member violates its rule, or the leaf would exceed [`MAX_LEAF`].
    pub fn leaf(&self, place: Place<'_>) -> Result<Vec<u8>, EntryError> {
        self.check(place)?;
        let mut out = Vec::with_capacity(512 + self.data.len());
        write_text(&mut out, "{\"actor\":", Some(self.actor));
        write_text(&mut out, ",\"correlation\":", Some(self.correlation));
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(self.data);
        match self.details_sha256 {
            Some(hash) => hash.with_hex(|hex| write_text(&mut out, ",\"details_sha256\":", Some(hex))),
            None => write_text(&mut out, ",\"details_sha256\":", None),
        }
        write_text(&mut out, ",\"environment\":", self.environment);
        write_number(&mut out, ",\"index\":", place.index);
        write_text(&mut out, ",\"kind\":", Some(self.kind));
        write_text(&mut out, ",\"subject\":", Some(self.subject));
        write_number(&mut out, ",\"subject_seq\":", place.subject_seq.into());
        write_text(&mut out, ",\"time\":", Some(place.time));
        out.extend_from_slice(b",\"v\":1}");
        if out.len() > MAX_LEAF { Err(EntryError::TooLarge { bytes: out.len() }) } else { Ok(out) }
    }

    fn check(&self, place: Place<'_>) -> Result<(), EntryError> {
        check_name("actor", self.actor)?;
        check_name("correlation", self.correlation)?;
        self.environment.map_or(Ok(()), |environment| check_name("environment", environment))?;
        check_name("kind", self.kind)?;
        check_name("subject", self.subject)?;
        check_time(place.time)?;
        if place.index > MAX_INDEX {
            return Err(EntryError::Index);
        }
        if place.subject_seq < FIRST_SUBJECT_SEQ {
            return Err(EntryError::SubjectSeq);
        }
        if self.data.first() != Some(&b'{') {
            return Err(EntryError::DataNotObject);
        }
        canonical::embedded(self.data, 1).map_err(EntryError::Data)
    }
}

fn write_text(out: &mut Vec<u8>, name: &str, value: Option<&str>) {
    out.extend_from_slice(name.as_bytes());
    match value {
        Some(value) => write_string(out, value),
        None => out.extend_from_slice(b"null"),
    }
}

fn write_number(out: &mut Vec<u8>, name: &str, value: u64) {
    out.extend_from_slice(name.as_bytes());
    write_unsigned(out, value);
}
