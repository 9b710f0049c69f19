//! The statement of who breaks the glass, made again from an entry and its details: from any details the canonical bytes that say exactly
//! what they say, or none.

use countersign_ledger::break_glass::{Statement, of_opening};
use countersign_ledger::details::commitment;
use countersign_ledger::entry::{Draft, Place};
use countersign_ledger::hash::Hash;
use countersign_ledger::json::{self, Value};

use crate::ground::ORIGIN;

const PERSON: &str = "per_00000000000000000000000000000001";
const TIME: &str = "2026-11-25T03:00:00.000Z";

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let salt = Hash([7; 32]);
    let details = |parameters: &str, reason: &str| {
        format!(r#"{{"parameters":{parameters},"parameters_salt":"{salt}","reason":"{reason}"}}"#)
            .into_bytes()
    };
    vec![details(r#"{"to":"eu-west"}"#, "the primary is gone"), details("{}", "\\u202e\\n")]
}

pub(crate) fn check(input: &[u8]) {
    // Nobody guesses a digest, so it is worked out for whatever parameters the input has.
    let parsed = json::parse(input).ok();
    let object = parsed.as_ref().and_then(Value::as_object);
    let parameters = object.and_then(|details| details.get("parameters"));
    let salt = object.and_then(|details| details.get("parameters_salt")).and_then(Value::as_str);
    let salt = salt.and_then(|salt| salt.parse::<Hash>().ok());
    let digest =
        parameters.zip(salt).map(|(parameters, salt)| commitment(&salt.0, &parameters.to_canonical()));
    let made = of_opening(&leaf(digest.unwrap_or(Hash([0; 32]))), input, ORIGIN);
    assert!(of_opening(&leaf(Hash([0; 32])), input, ORIGIN).is_err());
    let Ok(bytes) = made else { return };
    json::validate_canonical(&bytes).unwrap();
    let reason = object.and_then(|details| details.get("reason")).and_then(Value::as_str).unwrap();
    let statement = Statement {
        action: ["failover", "region/eu", "production"].map(String::from),
        log: ORIGIN.into(),
        parameters: parameters.unwrap().clone(),
        parameters_salt: salt.unwrap(),
        person: PERSON.into(),
        reason: reason.into(),
        time: TIME.into(),
    };
    assert_eq!(bytes, statement.to_bytes());
    let read = json::parse(&bytes).unwrap();
    let read = read.as_object().unwrap();
    assert_eq!(read.get("reason").and_then(Value::as_str), Some(reason));
    assert_eq!(read.get("parameters"), parameters);
    assert_ne!(of_opening(&leaf(digest.unwrap()), input, "elsewhere.example").as_ref(), Ok(&bytes));
}

fn leaf(digest: Hash) -> Vec<u8> {
    let action = r#"{"environment":"production","resource":"region/eu","verb":"failover"}"#;
    let data = format!(r#"{{"action":{action},"parameters_sha256":"{digest}","signed_at":"{TIME}"}}"#);
    let draft = Draft {
        actor: PERSON,
        correlation: "cor_00000000000000000000000000000001",
        data: data.as_bytes(),
        details_sha256: None,
        environment: Some("production"),
        kind: "break_glass.opened",
        subject: "bgl_00000000000000000000000000000001",
    };
    draft.leaf(Place { index: 1, subject_seq: 1, time: "2026-11-25T03:00:00.100Z" }).unwrap()
}
