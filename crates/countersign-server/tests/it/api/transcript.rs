//! What was asked and answered, in order, with everything that differs from run to run replaced: what a snapshot shows.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::harness::{Answer, Api, Call};

/// Calls and their answers.
#[derive(Default)]
pub(super) struct Transcript {
    steps: Vec<Value>,
    ids: BTreeMap<String, String>,
}

impl Transcript {
    /// Calls and keeps what came of it.
    pub(super) async fn step(&mut self, api: &Api, call: Call) -> Answer {
        let who = call.who.unwrap_or("anonymous");
        let asked = self.text(&format!("{who}: {} {}", call.method, call.path));
        let answer = api.call(call).await;
        if !answer.status.is_success() {
            answer.code();
        }
        let body = self.value(&answer.json);
        self.steps.push(json!({ "asked": asked, "status": answer.status.as_u16(), "answer": body }));
        answer
    }

    pub(super) fn steps(self) -> Value {
        Value::Array(self.steps)
    }

    /// Everything in it, to look for what must not be there.
    pub(super) fn steps_text(&self) -> String {
        self.steps.iter().map(Value::to_string).collect()
    }

    fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(members) => {
                let shown = members.iter().map(|(key, value)| match key.as_str() {
                    "duration_ms" => (key.clone(), json!("<ms>")),
                    _ => (key.clone(), self.value(value)),
                });
                Value::Object(shown.collect())
            }
            other => other.clone(),
        }
    }

    /// Ids become numbers in the order in which they appear; digests, times and salts become words.
    fn text(&mut self, text: &str) -> String {
        if text.len() == 24 && text.ends_with('Z') && text.starts_with("20") {
            return "<time>".to_owned();
        }
        let word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let mut shown = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            let length = rest.find(|letter| !word(letter)).unwrap_or(rest.len());
            let (token, after) = rest.split_at(length);
            shown.push_str(&self.token(token));
            let gap = after.find(word).unwrap_or(after.len());
            shown.push_str(&after[..gap]);
            rest = &after[gap..];
        }
        shown
    }

    fn token(&mut self, token: &str) -> String {
        let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match token.split_once('_') {
            Some(("req", _)) => "<request>".to_owned(),
            Some((prefix, digits)) if digits.len() == 32 && hex(digits) => {
                let count = self.ids.keys().filter(|id| id.starts_with(prefix)).count();
                let known = self.ids.entry(token.to_owned());
                known.or_insert_with(|| format!("{prefix}#{}", count + 1)).clone()
            }
            None if token.len() == 64 && hex(token) => "<sha256>".to_owned(),
            None if token.len() == 13 && hex(token) => "<ms>".to_owned(),
            _ => token.to_owned(),
        }
    }
}
