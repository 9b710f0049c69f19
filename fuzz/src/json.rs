//! Strict JSON: the readers agree with each other and with the independent crates, and the canonical form is one.

use countersign_ledger::json;

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    [
        r#"{"a":1,"b":[true,false,null],"c":{"d":"e"}}"#,
        r#" { "b" : -9007199254740991 , "a" : "\u20ac\ud83d\ude00\n\"\\" } "#,
        "{\"\u{e000}\":1,\"\u{10000}\":2,\"\u{7f}\":[[[[]]]]}",
        "9007199254740991",
        "\"\\b\\f\\r\\t\\/\"",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

pub(crate) fn check(input: &[u8]) {
    let parsed = json::parse(input);
    assert_eq!(json::validate(input).err(), parsed.as_ref().err().cloned());
    let Ok(value) = parsed else {
        assert!(json::validate_canonical(input).is_err());
        return;
    };
    let canonical = value.to_canonical();
    assert_eq!(json::validate_canonical(&canonical), Ok(()));
    assert_eq!(json::parse(&canonical).as_ref(), Ok(&value));
    assert_eq!(json::validate_canonical(input).is_ok(), input == canonical);
    // What is strict here is JSON there, with the same canonical form.
    let theirs: serde_json::Value = serde_json::from_slice(input).unwrap();
    assert_eq!(serde_json_canonicalizer::to_vec(&theirs).unwrap(), canonical);
}
