//! What the index holds of an entry, as words: one term per envelope field, and the words of its details.
//!
//! The tokenizer keeps runs of letters and digits together, folds case and drops the rest. A term is therefore a letter that
//! names the field and the value with everything else escaped: `approval.granted` is looked up as `kapprovalz2egranted`. The
//! escape is injective, so a term stands for exactly one value. The family of a kind (`approval.*`) is a term of its own: asking for a
//! range of terms would merge all their lists for every question.

use std::fmt::Write as _;

use countersign_ledger::entry::EntryView;
use serde_json::Value;

/// Begins an escape: no value of ours needs to be without it, and it is a letter to the tokenizer.
const ESCAPE: char = 'z';

/// What an entry is about beyond its envelope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct About {
    /// The resource of the action or secret.
    pub(super) resource: Option<String>,
    /// The verb of the action.
    pub(super) verb: Option<String>,
}

/// A field that can be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Actor,
    Correlation,
    Environment,
    Family,
    Kind,
    Resource,
    Subject,
    Verb,
}

impl Field {
    fn letter(self) -> char {
        match self {
            Self::Actor => 'a',
            Self::Correlation => 'c',
            Self::Environment => 'e',
            Self::Family => 'f',
            Self::Kind => 'k',
            Self::Resource => 'r',
            Self::Subject => 's',
            Self::Verb => 'v',
        }
    }

    /// The one token that stands for a value of this field.
    pub(super) fn term(self, value: &str) -> String {
        let mut term = String::with_capacity(value.len() + 8);
        term.push(self.letter());
        for byte in value.bytes() {
            match byte {
                b'a'..=b'y' | b'0'..=b'9' => term.push(char::from(byte)),
                other => {
                    // Writing to a string cannot fail.
                    let _ = write!(term, "{ESCAPE}{other:02x}");
                }
            }
        }
        term
    }
}

/// What stands before the dot of a kind: the capability.
pub(super) fn family(kind: &str) -> Option<&str> {
    kind.split_once('.').map(|(family, _)| family)
}

/// All terms of an entry, separated by spaces.
pub(super) fn of_entry(view: &EntryView<'_>, about: &About) -> String {
    let fields = [
        (Field::Actor, Some(view.actor)),
        (Field::Correlation, Some(view.correlation)),
        (Field::Environment, view.environment),
        (Field::Family, family(view.kind)),
        (Field::Kind, Some(view.kind)),
        (Field::Subject, Some(view.subject)),
        (Field::Resource, about.resource.as_deref()),
        (Field::Verb, about.verb.as_deref()),
    ];
    let given = fields.into_iter().filter_map(|(field, value)| value.map(|value| field.term(value)));
    given.collect::<Vec<_>>().join(" ")
}

/// The values in details, without the names of their members: what somebody wrote, not what it was written into.
///
/// # Errors
/// The details are not JSON.
pub(super) fn of_details(details: &[u8]) -> Result<String, serde_json::Error> {
    let mut words = String::new();
    collect(&serde_json::from_slice(details)?, &mut words);
    Ok(words)
}

/// Details are strict JSON, at most 32 levels deep.
fn collect(value: &Value, words: &mut String) {
    match value {
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) => {
            // Writing to a string cannot fail.
            let _ = writeln!(words, "{value}");
        }
        Value::String(text) => {
            words.push_str(text);
            words.push('\n');
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, words)),
        Value::Object(members) => members.values().for_each(|member| collect(member, words)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_is_one_token_and_stands_for_one_value() {
        assert_eq!(Field::Kind.term("approval.granted"), "kapprovalz2egranted");
        assert_eq!(Field::Subject.term("zz"), "sz7az7a");
        let values = ["a", "A", "a.b", "az2eb", "a_b", "", "z"];
        for (place, one) in values.iter().enumerate() {
            let term = Field::Actor.term(one);
            assert!(term.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
            assert!(values.iter().skip(place + 1).all(|other| Field::Actor.term(other) != term), "{one}");
        }
        assert_eq!(family("approval.denied"), Some("approval"));
    }

    #[test]
    fn values_are_words_and_names_of_members_are_not() {
        let details = br#"{"limit_cents":5000,"note":null,"reason":"Quarter end","tags":["a",true]}"#;
        assert_eq!(of_details(details).unwrap(), "5000\nQuarter end\na\ntrue\n");
        assert!(of_details(b"{").is_err());
    }
}
