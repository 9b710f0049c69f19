//! What entries are asked for: filters over the envelope, the action and the words of the details, all of which must hold.
//!
//! Here text from outside becomes typed or is refused by name. A value that no entry can have is refused rather than answered with
//! an empty page.

use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;

use countersign_api::ledger::EntryListing;
use countersign_core::action::Resource;
use countersign_core::id::CorrelationId;
use countersign_core::text::Name;
use countersign_core::time::Time;
use countersign_core::{Actor, Fact, Subject};
use countersign_ledger::entry::EntryView;

use super::terms::{self, Field};
use crate::store::{Reader, StoreError};

/// The longest text that is looked for, in characters.
const LONGEST_TEXT: usize = 500;

/// The most words that are looked for at once.
const MOST_WORDS: usize = 32;

/// Why a question cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CriteriaError(String);

/// In which direction a page goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// From the first entry up.
    #[default]
    Oldest,
    /// From the last entry down.
    Newest,
}

/// What entries must have in common. The default is: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Criteria {
    /// What the index is asked, as an FTS5 expression; none if only times are asked for.
    expression: Option<String>,
    /// At or after this.
    from_time: Option<Time>,
    /// Before this.
    until_time: Option<Time>,
}

impl Criteria {
    /// Reads the filters of a question.
    ///
    /// # Errors
    /// The first filter that no entry could pass, by name.
    pub fn parse(asked: &EntryListing) -> Result<Self, CriteriaError> {
        let mut terms = Vec::new();
        let mut exactly = |field: Field, value: Option<String>| {
            terms.extend(value.map(|value| format!("terms:\"{}\"", field.term(&value))));
        };
        exactly(Field::Actor, typed::<Actor>("actor", asked.actor.as_ref())?);
        exactly(Field::Correlation, typed::<CorrelationId>("correlation", asked.correlation.as_ref())?);
        exactly(Field::Environment, typed::<Name>("environment", asked.environment.as_ref())?);
        exactly(Field::Subject, typed::<Subject>("subject", asked.subject.as_ref())?);
        exactly(Field::Resource, typed::<Resource>("resource", asked.resource.as_ref())?);
        exactly(Field::Verb, typed::<Name>("verb", asked.verb.as_ref())?);
        terms.extend(asked.kind.as_deref().map(kind).transpose()?);
        if let Some(text) = &asked.text {
            terms.extend(words(text)?.into_iter().map(|word| format!("words:{word}")));
        }
        let criteria = Self {
            expression: (!terms.is_empty()).then(|| terms.join(" ")),
            from_time: asked.from_time.as_deref().map(|text| time("from_time", text)).transpose()?,
            until_time: asked.until_time.as_deref().map(|text| time("until_time", text)).transpose()?,
        };
        match (criteria.from_time, criteria.until_time) {
            (Some(from), Some(until)) if from >= until => {
                Err(CriteriaError(format!("`from_time` {from} is not before `until_time` {until}")))
            }
            _ => Ok(criteria),
        }
    }

    /// Reads a direction.
    ///
    /// # Errors
    /// It is neither of the two.
    pub fn direction(asked: &EntryListing) -> Result<Direction, CriteriaError> {
        match asked.order.as_deref() {
            None | Some("oldest") => Ok(Direction::Oldest),
            Some("newest") => Ok(Direction::Newest),
            Some(odd) => {
                Err(CriteriaError(format!("`order` is oldest or newest, not `{}`", odd.escape_debug())))
            }
        }
    }

    pub(super) fn expression(&self) -> Option<&str> {
        self.expression.as_deref()
    }

    /// The part of a log of `size` entries that the times leave. The time of an entry is never before that of the one before it,
    /// so a time is a place.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn span(&self, reader: &mut dyn Reader, size: u64) -> Result<Range<u64>, StoreError> {
        let from = self.from_time.map_or(Ok(0), |time| first_since(reader, time, size))?;
        let until = self.until_time.map_or(Ok(size), |time| first_since(reader, time, size))?;
        Ok(from..until)
    }
}

/// The first of `size` entries that is not before `time`; `size` if all are.
fn first_since(reader: &mut dyn Reader, time: Time, size: u64) -> Result<u64, StoreError> {
    let time = time.to_string();
    let (mut low, mut high) = (0, size);
    while low < high {
        let middle = low + (high - low) / 2;
        let corrupt = |what: String| StoreError::Corrupt(format!("entry {middle}: {what}"));
        let entries = reader.entries(middle, 1)?;
        let entry = entries.first().ok_or_else(|| corrupt("it is missing".to_owned()))?;
        let view = EntryView::parse(&entry.leaf).map_err(|error| corrupt(error.to_string()))?;
        if *view.time < *time { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}

/// The one spelling of a typed value.
fn typed<T: FromStr<Err: Display> + Display>(
    name: &str,
    text: Option<&String>,
) -> Result<Option<String>, CriteriaError> {
    let parsed = text.map(|text| text.parse::<T>()).transpose();
    let parsed = parsed.map_err(|error| CriteriaError(format!("`{name}`: {error}")))?;
    Ok(parsed.map(|value| value.to_string()))
}

fn time(name: &str, text: &str) -> Result<Time, CriteriaError> {
    Time::parse_rfc3339(text).map_err(|_| {
        let text = text.escape_debug();
        CriteriaError(format!("`{name}` is a time like `2026-11-23T10:00:00Z` (RFC 3339), not `{text}`"))
    })
}

/// A kind of event, or a family of them: `approval.granted`, `approval.*`.
fn kind(text: &str) -> Result<String, CriteriaError> {
    if let Some(family) = text.strip_suffix(".*") {
        if Fact::KINDS.iter().any(|kind| terms::family(kind) == Some(family)) {
            return Ok(format!("terms:\"{}\"", Field::Family.term(family)));
        }
    } else if Fact::KINDS.contains(&text) {
        return Ok(format!("terms:\"{}\"", Field::Kind.term(text)));
    }
    let nearest = Fact::KINDS
        .iter()
        .max_by(|one, other| strsim::jaro_winkler(one, text).total_cmp(&strsim::jaro_winkler(other, text)));
    let nearest = nearest.copied().unwrap_or_default();
    let text = text.escape_debug();
    Err(CriteriaError(format!(
        "`kind` is a kind of event or a family like `approval.*`, not `{text}`; did you mean `{nearest}`?"
    )))
}

/// The words of a text, each quoted, so that nothing in them is syntax. A star at the end of a word stands for any ending.
fn words(text: &str) -> Result<Vec<String>, CriteriaError> {
    let refused = |what: &str| Err(CriteriaError(format!("`text` {what}")));
    if text.chars().count() > LONGEST_TEXT {
        return refused(&format!("is at most {LONGEST_TEXT} characters long"));
    }
    // A control character would end the expression early, and a word without a letter or digit would match nothing or all.
    let separates = |letter: char| letter.is_whitespace() || letter.is_control();
    let words = text.split(separates).filter(|word| word.chars().any(char::is_alphanumeric));
    let quoted = words.map(|word| {
        let (word, star) = word.strip_suffix('*').map_or((word, ""), |stem| (stem, "*"));
        format!("\"{}\"{star}", word.replace('"', "\"\""))
    });
    let quoted: Vec<String> = quoted.collect();
    match quoted.len() {
        0 => refused("has no word in it"),
        count if count > MOST_WORDS => refused(&format!("has more than {MOST_WORDS} words")),
        _ => Ok(quoted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(set: impl FnOnce(&mut EntryListing)) -> Result<Criteria, String> {
        let mut listing = EntryListing::default();
        set(&mut listing);
        Criteria::parse(&listing).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_in_a_text_is_syntax() {
        assert_eq!(words("Quarter end").unwrap(), ["\"Quarter\"", "\"end\""]);
        assert_eq!(
            words("a\" OR words:\"b NOT *").unwrap(),
            ["\"a\"\"\"", "\"OR\"", "\"words:\"\"b\"", "\"NOT\""]
        );
        assert_eq!(words("strip* a\0b").unwrap(), ["\"strip\"*", "\"a\"", "\"b\""]);
        for odd in ["", " \n", "-- \"*\" ()", "*"] {
            assert!(words(odd).unwrap_err().to_string().contains("no word"), "{odd}");
        }
        assert!(words(&"a".repeat(501)).is_err());
        assert!(words(&"a ".repeat(33)).is_err());
    }

    #[test]
    fn what_no_entry_can_have_is_refused_by_name() {
        let told = |set: fn(&mut EntryListing)| asked(set).unwrap_err();
        assert!(told(|asked| asked.actor = Some("ana".into())).starts_with("`actor`: `ana` is not an actor"));
        assert!(told(|asked| asked.resource = Some("stripe".into())).contains("`resource`: "));
        assert!(
            told(|asked| asked.kind = Some("aproval.granted".into()))
                .contains("did you mean `approval.granted`?")
        );
        assert!(told(|asked| asked.kind = Some("nothing.*".into())).contains("`kind` is a kind of event"));
        assert!(told(|asked| asked.kind = Some("app*".into())).contains("`kind` is a kind of event"));
        assert!(
            told(|asked| asked.from_time = Some("yesterday".into())).contains("`from_time` is a time like")
        );
        let reversed = told(|asked| {
            asked.from_time = Some("2026-11-23T10:00:00Z".into());
            asked.until_time = Some("2026-11-23T11:00:00+01:00".into());
        });
        assert!(reversed.contains("is not before"), "{reversed}");
    }

    #[test]
    fn filters_become_one_expression() {
        let both = asked(|asked| {
            asked.kind = Some("approval.*".into());
            asked.text = Some("limit".into());
        });
        assert_eq!(both.unwrap().expression(), Some("terms:\"fapproval\" words:\"limit\""));
        assert_eq!(asked(|_| ()).unwrap().expression(), None);
    }
}
