//! Reads leaves without copying. One pass checks the exact form, so a leaf that parses is canonical strict JSON.
//!
//! It is written by hand because the form is fixed: a general reader would have to be told to refuse other orders,
//! other white space, unknown and missing members, and would still be slower.

use super::rules::{check_name, check_time};
use super::{EntryError, FIRST_SUBJECT_SEQ, MAX_LEAF};
use crate::hash::Hash;
use crate::json::JsonError;
use crate::json::canonical;
use crate::json::scan::Cursor;

/// An entry as its leaf tells it, borrowing from the leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryView<'a> {
    /// Who acted.
    pub actor: &'a str,
    /// What ties this entry to others of the same cause.
    pub correlation: &'a str,
    /// The data, a canonical strict JSON object.
    pub data: &'a str,
    /// The commitment to the details, if there were any when the entry was written.
    pub details_sha256: Option<Hash>,
    /// The environment acted in.
    pub environment: Option<&'a str>,
    /// The leaf index, from 0.
    pub index: u64,
    /// What happened.
    pub kind: &'a str,
    /// What it happened to.
    pub subject: &'a str,
    /// The count of entries of this subject, this one included.
    pub subject_seq: u32,
    /// RFC 3339 in UTC with exactly milliseconds; comparing texts compares times.
    pub time: &'a str,
}

impl<'a> EntryView<'a> {
    /// Reads a leaf of version 1. Success implies that the leaf is canonical.
    ///
    /// # Errors
    /// The first deviation from the form, with its byte offset where there is one.
    pub fn parse(leaf: &'a [u8]) -> Result<Self, EntryError> {
        if leaf.len() > MAX_LEAF {
            return Err(EntryError::TooLarge { bytes: leaf.len() });
        }
        // Judged first, because every other error about a leaf of a later version would mislead.
        if leaf.ends_with(b"}") && !leaf.ends_with(b",\"v\":1}") {
            return Err(EntryError::Version);
        }
        let mut members = Members(Cursor::new(leaf).map_err(EntryError::Json)?);
        // The members of a struct expression are read in the order in which they are written: the canonical one.
        let entry = Self {
            actor: members.name("{\"actor\":", "actor")?,
            correlation: members.name(",\"correlation\":", "correlation")?,
            data: members.object(",\"data\":")?,
            details_sha256: members.hash(",\"details_sha256\":")?,
            environment: members.name_or_null(",\"environment\":", "environment")?,
            index: members.number(",\"index\":")?.try_into().map_err(|_| EntryError::Index)?,
            kind: members.name(",\"kind\":", "kind")?,
            subject: members.name(",\"subject\":", "subject")?,
            subject_seq: members
                .number(",\"subject_seq\":")?
                .try_into()
                .map_err(|_| EntryError::SubjectSeq)?,
            time: members.text(",\"time\":")?,
        };
        members.expect(",\"v\":1}")?;
        members.0.end().map_err(EntryError::Json)?;
        check_time(entry.time)?;
        if entry.subject_seq < FIRST_SUBJECT_SEQ {
            return Err(EntryError::SubjectSeq);
        }
        Ok(entry)
    }
}

/// Reads one member after the other; each call names the exact text that must introduce the value.
struct Members<'a>(Cursor<'a>);

impl<'a> Members<'a> {
    fn expect(&mut self, text: &str) -> Result<(), EntryError> {
        self.0.expect_text(text).map_err(EntryError::Json)
    }

    /// A string without escapes, since no member but the data has anything to escape.
    fn text(&mut self, introduction: &str) -> Result<&'a str, EntryError> {
        self.expect(introduction)?;
        let raw = self.0.string().map_err(EntryError::Json)?;
        Ok(raw.inner())
    }

    fn name(&mut self, introduction: &str, member: &'static str) -> Result<&'a str, EntryError> {
        let name = self.text(introduction)?;
        // An escaped name contains a backslash and is refused here.
        check_name(member, name)?;
        Ok(name)
    }

    fn name_or_null(
        &mut self,
        introduction: &str,
        member: &'static str,
    ) -> Result<Option<&'a str>, EntryError> {
        self.expect(introduction)?;
        if self.0.eat_text("null") { Ok(None) } else { self.name("", member).map(Some) }
    }

    fn hash(&mut self, introduction: &str) -> Result<Option<Hash>, EntryError> {
        self.expect(introduction)?;
        if self.0.eat_text("null") {
            return Ok(None);
        }
        self.text("")?.parse().map(Some).map_err(|_| EntryError::DetailsHash)
    }

    fn number(&mut self, introduction: &str) -> Result<i64, EntryError> {
        self.expect(introduction)?;
        self.0.integer().map_err(EntryError::Json)
    }

    fn object(&mut self, introduction: &str) -> Result<&'a str, EntryError> {
        self.expect(introduction)?;
        let start = self.0.at();
        if self.0.peek() != Some(b'{') {
            return Err(EntryError::DataNotObject);
        }
        canonical::value(&mut self.0, 1).map_err(|error: JsonError| EntryError::Data(error))?;
        Ok(self.0.since(start))
    }
}
