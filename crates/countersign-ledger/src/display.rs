//! How what is signed is shown: every field of the exact bytes, on lines of its own, with nothing that hides, reorders or imitates.
//!
//! Terminal and page use the same functions, so that two people can compare what they see: the lines, and [`short_digest`], which says
//! in 24 digits which bytes these are.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::hash::sha256;
use crate::json::{self, JsonError, Value};

/// Digits of a group of the short digest, and how many groups: 96 bits, so that nobody finds two texts with the same one.
const GROUP: usize = 4;
const GROUPS: usize = 6;

/// Letters and signs that are nothing to the eye although they count as such (Unicode 17, categories Lo and So).
const BLANK: [char; 5] = ['\u{115F}', '\u{1160}', '\u{2800}', '\u{3164}', '\u{FFA0}'];

/// Text as it may be shown: what cannot be seen, or moves what stands beside it, is written as `\u{202e}`.
///
/// That is everything which Rust's `escape_debug` escapes (control and format characters, white space other than the space, unassigned and
/// private characters, combining marks, backslash and quotes), letters that look like nothing, and scripts that run from right to left: a
/// terminal reorders digits beside them. All other letters stay; that a text is not plain ASCII is said by [`fields`].
#[must_use]
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if BLANK.contains(&letter) || runs_right_to_left(letter) {
            shown.extend(letter.escape_unicode());
        } else if letter == '\'' {
            shown.push(letter);
        } else {
            shown.extend(letter.escape_debug());
        }
    }
    shown
}

/// Whether the letter is in a block of scripts that are written from right to left (Unicode 17, Bidi_Class R and AL by default).
fn runs_right_to_left(letter: char) -> bool {
    matches!(letter,
        '\u{0590}'..='\u{08FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFF}'
        | '\u{10800}'..='\u{10FFF}' | '\u{1E800}'..='\u{1EFFF}')
}

/// One field of a text: where it stands, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its path: `parameters.amount_cents`, `rules[0]`.
    pub path: String,
    /// Its value: text in quotation marks, numbers and words without.
    pub value: String,
}

/// Every field of a strict JSON text, in the order of the text.
///
/// # Errors
/// The text is not strict JSON.
pub fn fields(bytes: &[u8]) -> Result<Vec<Field>, JsonError> {
    let mut found = Vec::new();
    collect(&mut found, "", &json::parse(bytes)?);
    Ok(found)
}

fn collect(found: &mut Vec<Field>, path: &str, value: &Value) {
    match value {
        Value::Object(object) if !object.is_empty() => {
            for (key, value) in object.iter() {
                let step = step(key);
                let path = if path.is_empty() { step } else { format!("{path}.{step}") };
                collect(found, &path, value);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (position, value) in items.iter().enumerate() {
                collect(found, &format!("{path}[{position}]"), value);
            }
        }
        plain => found.push(Field { path: path.to_string(), value: shown(plain) }),
    }
}

/// A key as part of a path: in quotation marks, unless it is a plain word, so that no key looks like two.
fn step(key: &str) -> String {
    let plain = !key.is_empty()
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if plain { key.to_string() } else { quoted(key) }
}

fn quoted(text: &str) -> String {
    let note = if text.is_ascii() { "" } else { " (not plain ASCII)" };
    format!("\"{}\"{note}", visible(text))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(_) => "[]".to_string(),
        Value::Object(_) => "{}".to_string(),
    }
}

/// Which bytes these are, short enough to compare by eye or on the telephone: the first 96 bits of their SHA-256.
#[must_use]
pub fn short_digest(bytes: &[u8]) -> String {
    let digits = sha256(bytes).to_string();
    let groups = digits.as_bytes().chunks(GROUP).take(GROUPS);
    let groups: Vec<&str> = groups.filter_map(|group| core::str::from_utf8(group).ok()).collect();
    groups.join("-")
}

/// The whole text: the fields, one a line, and the short digest.
///
/// # Errors
/// The text is not strict JSON.
pub fn text(bytes: &[u8]) -> Result<String, JsonError> {
    let fields = fields(bytes)?;
    let width = fields.iter().map(|field| field.path.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Field { path, value } in fields {
        text.push_str(&format!("{path:width$}  {value}\n"));
    }
    text.push_str(&format!("\nshort digest  {}\n", short_digest(bytes)));
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Flaw "Display spoofing": direction, zero width, look-alikes of nothing, in values, in keys and in what is nested.
    #[test]
    fn display_spoofing() {
        for (hidden, shown) in [
            ("100\u{202e}00.1", "100\\u{202e}00.1"),
            ("a\u{200b}b\u{feff}", "a\\u{200b}b\\u{feff}"),
            ("a\u{2066}b\u{2069}\u{061c}\u{200f}", "a\\u{2066}b\\u{2069}\\u{61c}\\u{200f}"),
            ("a\u{3164}\u{115f}\u{2800}b", "a\\u{3164}\\u{115f}\\u{2800}b"),
            ("a\u{a0}b\u{2003}c\u{3000}", "a\\u{a0}b\\u{2003}c\\u{3000}"),
            ("x\u{e0041}\u{fe0f}\u{34f}\u{ad}", "x\\u{e0041}\\u{fe0f}\\u{34f}\\u{ad}"),
            ("\u{1b}[2J\r\n\t\0", "\\u{1b}[2J\\r\\n\\t\\0"),
            ("\u{5d0} 100", "\\u{5d0} 100"),
            ("\\u{202e}", "\\\\u{202e}"),
            ("say \"yes\"", "say \\\"yes\\\""),
            ("e\u{301}", "e\\u{301}"),
            ("Zoë's", "Zoë's"),
        ] {
            assert_eq!(visible(hidden), shown);
        }
        let spoofed = "{\"a\\u202eb\":{\"to\":\"p\\u0430ypal\"},\"a.b\":[1,\"1\",{},[]],\"n\":null}";
        let shown: Vec<String> = fields(spoofed.as_bytes())
            .unwrap()
            .iter()
            .map(|it| format!("{}={}", it.path, it.value))
            .collect();
        assert_eq!(
            shown,
            [
                "\"a.b\"[0]=1",
                "\"a.b\"[1]=\"1\"",
                "\"a.b\"[2]={}",
                "\"a.b\"[3]=[]",
                "\"a\\u{202e}b\" (not plain ASCII).to=\"pаypal\" (not plain ASCII)",
                "n=null"
            ]
        );
    }

    #[test]
    fn the_short_digest_is_the_beginning_of_the_sha_256() {
        assert_eq!(short_digest(b"abc"), "ba78-16bf-8f01-cfea-4141-40de");
        let shown = text(b"{\"a\":1,\"bcd\":\"x\"}").unwrap();
        assert!(shown.starts_with("a    1\nbcd  \"x\"\n\nshort digest  "), "{shown}");
        assert!(text(b"{\"a\":1,\"a\":2}").is_err());
    }
}
