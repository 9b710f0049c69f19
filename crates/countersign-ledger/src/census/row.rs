//! One line of a census. Its three values have exactly one encoding, so it can be carried as values and hashed as bytes.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::CensusError;
use crate::entry::{MAX_INDEX, check_name};
use crate::json::scan::Cursor;

/// How many entries a subject has, and which is the last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// How many entries: the `subject_seq` of the last one. At least 1.
    pub count: u32,
    /// The log index of the last one.
    pub last: u64,
    /// The subject.
    pub subject: String,
}

impl Row {
    /// The canonical strict JSON that is hashed.
    ///
    /// # Errors
    /// No census has such a row.
    pub fn leaf(&self) -> Result<Vec<u8>, CensusError> {
        self.check()?;
        let Self { count, last, subject } = self;
        // A name that was checked needs no escapes.
        Ok(alloc::format!(r#"{{"count":{count},"last":{last},"subject":"{subject}"}}"#).into_bytes())
    }

    /// Reads a leaf. Success implies that the leaf is canonical.
    ///
    /// # Errors
    /// The first deviation from the form, or no census has such a row.
    pub fn parse(leaf: &[u8]) -> Result<Self, CensusError> {
        let mut cursor = Cursor::new(leaf).map_err(CensusError::Form)?;
        let mut number = |introduction| {
            cursor.expect_text(introduction)?;
            cursor.integer()
        };
        let count = number("{\"count\":").map_err(CensusError::Form)?;
        let last = number(",\"last\":").map_err(CensusError::Form)?;
        cursor.expect_text(",\"subject\":").map_err(CensusError::Form)?;
        let subject = cursor.string().map_err(CensusError::Form)?.inner().to_string();
        cursor.expect_text("}").map_err(CensusError::Form)?;
        cursor.end().map_err(CensusError::Form)?;
        let number = |_| CensusError::Count;
        let row = Self {
            count: count.try_into().map_err(number)?,
            last: last.try_into().map_err(number)?,
            subject,
        };
        row.check().map(|()| row)
    }

    fn check(&self) -> Result<(), CensusError> {
        check_name("subject", &self.subject).map_err(|_| CensusError::Subject)?;
        // A subject with n entries has its last one at index n-1 at the earliest.
        let possible = self.last <= MAX_INDEX && (1..=self.last + 1).contains(&u64::from(self.count));
        if possible { Ok(()) } else { Err(CensusError::Count) }
    }
}

#[cfg(test)]
mod tests {
    use super::Row;
    use crate::census::CensusError;
    use crate::json;

    fn row(count: u32, last: u64, subject: &str) -> Row {
        Row { count, last, subject: subject.into() }
    }

    #[test]
    fn one_encoding_in_both_directions() {
        let row = row(3, 17, "apr_1");
        let leaf = row.leaf().unwrap();
        assert_eq!(leaf, br#"{"count":3,"last":17,"subject":"apr_1"}"#);
        assert_eq!(json::to_canonical(&row).unwrap(), leaf);
        assert_eq!(Row::parse(&leaf), Ok(row));
    }

    #[test]
    fn other_forms_are_not_rows() {
        for bad in [
            r#"{"count":3,"last":17,"subject":"apr_1"} "#,
            r#"{"count":3, "last":17,"subject":"apr_1"}"#,
            r#"{"last":17,"count":3,"subject":"apr_1"}"#,
            r#"{"count":3,"last":17,"subject":"apr_1","more":1}"#,
            r#"{"count":03,"last":17,"subject":"apr_1"}"#,
            r#"{"count":3,"last":17,"subject":null}"#,
            "",
        ] {
            assert!(matches!(Row::parse(bad.as_bytes()), Err(CensusError::Form(_))), "{bad}");
        }
        for (bad, expected) in [
            (row(0, 17, "apr_1"), CensusError::Count),
            (row(19, 17, "apr_1"), CensusError::Count),
            (row(1, 1 << 53, "apr_1"), CensusError::Count),
            (row(1, 0, ""), CensusError::Subject),
            (row(1, 0, "apr \"1"), CensusError::Subject),
        ] {
            assert_eq!(bad.leaf(), Err(expected.clone()), "{bad:?}");
            let text = json::to_canonical(&bad);
            assert!(text.is_err() || Row::parse(&text.unwrap()).is_err(), "{bad:?}");
        }
        assert_eq!(Row::parse(br#"{"count":-1,"last":17,"subject":"a"}"#), Err(CensusError::Count));
        assert!(row(18, 17, "apr_1").leaf().is_ok());
    }
}
