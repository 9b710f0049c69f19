//! Parameters of an action, as typed: `--param key=value`, or a whole JSON object with `--params`.
//!
//! What is bound to an approval is exact, so nothing is guessed: a value that reads as JSON is that, anything else is text.

use countersign_ledger::json;
use serde_json::{Map, Value};

use crate::failure::{Failure, Kind};

/// How parameters are given.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Parameters {
    /// One parameter; whole numbers, `true`, `false` and other JSON are read as such, anything else as text.
    #[arg(long = "param", value_name = "KEY=VALUE", conflicts_with = "params")]
    param: Vec<String>,
    /// All parameters as a JSON object, or `@FILE` to read it from a file.
    #[arg(long, value_name = "JSON")]
    params: Option<String>,
}

impl Parameters {
    /// The parameters as one JSON object.
    pub(crate) fn read(&self) -> anyhow::Result<Value> {
        match &self.params {
            Some(text) => whole(text),
            None => pairs(&self.param),
        }
    }
}

fn malformed(what: String) -> anyhow::Error {
    Failure::new(Kind::Malformed, what).hint("amounts are whole numbers in the smallest unit, or text").into()
}

fn whole(text: &str) -> anyhow::Result<Value> {
    let text = match text.strip_prefix('@') {
        Some(path) => {
            std::fs::read_to_string(path).map_err(|error| malformed(format!("`{path}`: {error}")))?
        }
        None => text.to_owned(),
    };
    // Strict: of two equal keys, one would be bound and the other shown.
    json::validate(text.as_bytes()).map_err(|error| malformed(format!("`--params`: {error}")))?;
    let value: Value = serde_json::from_str(&text)?;
    if value.is_object() { Ok(value) } else { Err(malformed("`--params` is not a JSON object".to_owned())) }
}

fn pairs(pairs: &[String]) -> anyhow::Result<Value> {
    let mut object = Map::new();
    for pair in pairs {
        let (key, text) = pair
            .split_once('=')
            .filter(|(key, _)| !key.is_empty())
            .ok_or_else(|| malformed(format!("`--param {pair}` is not of the form KEY=VALUE")))?;
        if object.insert(key.to_owned(), value(key, text)?).is_some() {
            return Err(malformed(format!("`--param {key}` is given twice")));
        }
    }
    Ok(Value::Object(object))
}

fn value(key: &str, text: &str) -> anyhow::Result<Value> {
    let Ok(value) = serde_json::from_str::<Value>(text) else { return Ok(Value::String(text.to_owned())) };
    json::validate(text.trim().as_bytes()).map_err(|error| malformed(format!("`--param {key}`: {error}")))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(pairs: &[&str]) -> anyhow::Result<Value> {
        super::pairs(&pairs.iter().map(|pair| (*pair).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn values_are_json_where_they_read_as_json_and_text_otherwise() {
        let given =
            read(&["a=1", "b=true", "c=two words", "d=\"1\"", "e=", "f={\"g\":[1]}", "h=a=b"]).unwrap();
        let expected =
            json!({ "a": 1, "b": true, "c": "two words", "d": "1", "e": "", "f": {"g": [1]}, "h": "a=b" });
        assert_eq!(given, expected);
    }

    #[test]
    fn what_could_be_bound_differently_from_how_it_looks_is_rejected() {
        for bad in [
            &["a=1.5"][..],
            &["a=1", "a=2"],
            &["=1"],
            &["a"],
            &["a={\"b\":1,\"b\":2}"],
            &["a=9007199254740992"],
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        for bad in ["[1]", "{\"a\":1,\"a\":2}", "{\"a\":1.0}", "{", "@/nonexistent"] {
            assert!(whole(bad).is_err(), "{bad}");
        }
    }
}
