//! What strict JSON refuses, with kind and place.

use countersign_ledger::json::{
    JsonErrorKind as Kind, MAX_DEPTH, canonicalize, parse, to_canonical, validate, validate_canonical,
};

/// All readers refuse the text with this kind at this byte.
fn refused(text: impl AsRef<[u8]>, kind: &Kind, offset: usize) {
    let text = text.as_ref();
    let shown = String::from_utf8_lossy(text);
    for (reader, result) in [
        ("parse", parse(text).map(|_| ())),
        ("validate", validate(text)),
        ("canonicalize", canonicalize(text).map(|_| ())),
        ("validate_canonical", validate_canonical(text)),
    ] {
        let error = result.expect_err(&format!("{reader} accepts {shown}"));
        assert_eq!((&error.kind, error.offset), (kind, offset), "{reader} of {shown}");
    }
}

#[test]
fn duplicate_keys() {
    let twice = |key: &str| Kind::DuplicateKey(key.into());
    refused(r#"{"a":1,"a":2}"#, &twice("a"), 7);
    refused(r#"{"b":{"a":1,"c":2,"a":3}}"#, &twice("a"), 18);
    refused(r#"{"a":1,"\u0061":2}"#, &twice("a"), 7);
    refused(r#"{"b":1,"a":1,"b":2,"a":2}"#, &twice("b"), 13);
    assert_eq!(parse(br#"{"a":1,"a":2}"#).unwrap_err().to_string(), "duplicate key `a` at byte 7");
}

#[test]
fn a_hostile_duplicate_key_is_shortened_and_escaped() {
    let key = "\u{202e}".repeat(1000);
    let message = parse(format!(r#"{{"{key}":1,"{key}":2}}"#).as_bytes()).unwrap_err().to_string();
    assert!(message.len() < 1000 && !message.contains('\u{202e}'), "{message}");
}

#[test]
fn numbers_that_are_not_small_integers() {
    for float in ["1.0", "1e3", "1E3", "-0.0", "0.5", "1e400"] {
        refused(float, &Kind::Float, 0);
    }
    for large in ["9007199254740992", "-9007199254740992", "99999999999999999999999999"] {
        refused(large, &Kind::IntegerRange, 0);
    }
    refused("[-0]", &Kind::NegativeZero, 1);
    refused("01", &Kind::MalformedNumber, 0);
    refused("-", &Kind::UnexpectedEnd, 1);
    refused("+1", &Kind::UnexpectedCharacter('+'), 0);
    refused("NaN", &Kind::UnexpectedCharacter('N'), 0);
    for good in ["9007199254740991", "-9007199254740991", "0", "10"] {
        assert_eq!(canonicalize(good.as_bytes()).unwrap(), good.as_bytes());
    }
}

#[test]
fn lone_surrogates() {
    for lone in [
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800\ud800""#,
        r#""\ud800\n""#,
        r#""\ud800x""#,
        r#""\udfff\ud800""#,
    ] {
        refused(lone, &Kind::LoneSurrogate, 1);
    }
    assert_eq!(parse(br#""\ud83d\ude02""#).unwrap().as_str(), Some("😂"));
    // A surrogate written in UTF-8 is not UTF-8.
    refused(b"\"\xed\xa0\x80\"", &Kind::InvalidUtf8, 1);
}

#[test]
fn depth_is_bounded_for_arrays_objects_and_written_values() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(validate(nested(MAX_DEPTH).as_bytes()).is_ok());
    assert!(validate_canonical(nested(MAX_DEPTH).as_bytes()).is_ok());
    refused(nested(MAX_DEPTH + 1), &Kind::TooDeep, MAX_DEPTH);
    refused("[".repeat(1_000_000), &Kind::TooDeep, MAX_DEPTH);
    refused(r#"{"a":"#.repeat(100_000), &Kind::TooDeep, MAX_DEPTH * 5);
    let value: serde_json::Value = serde_json::from_str(&nested(MAX_DEPTH + 1)).unwrap();
    assert_eq!(to_canonical(&value).unwrap_err().kind, Kind::TooDeep);
}

/// Ten mebibytes are read in one pass: no recursion and no search that grows with their square.
#[test]
fn ten_mebibytes() {
    const SIZE: usize = 10 << 20;
    let text = format!("\"{}\"", "x".repeat(SIZE - 2));
    assert_eq!(canonicalize(text.as_bytes()).unwrap(), text.as_bytes());
    refused(text.replace("x\"", "\n\""), &Kind::ControlCharacter, SIZE - 2);
    let array = format!("[1{}]", ",1".repeat(SIZE / 2 - 2));
    validate_canonical(array.as_bytes()).unwrap();
    refused(array.replace("1]", "1,]"), &Kind::UnexpectedCharacter(']'), array.len());
    let members: Vec<String> = (1_000_000..1_100_000).map(|key| format!("\"{key}\":{key}")).collect();
    let object = format!("{{{}}}", members.join(","));
    validate_canonical(object.as_bytes()).unwrap();
    let twice = object.replace("1099999\":", "1000000\":");
    let second = twice.rfind("\"1000000").unwrap();
    refused(twice, &Kind::DuplicateKey("1000000".into()), second);
}

#[test]
fn malformed_texts() {
    refused("", &Kind::UnexpectedEnd, 0);
    refused("\u{feff}{}", &Kind::ByteOrderMark, 0);
    refused(b"\"\xff\"", &Kind::InvalidUtf8, 1);
    refused("{} {}", &Kind::TrailingText, 3);
    refused("{\"a\":1,}", &Kind::UnexpectedCharacter('}'), 7);
    refused("[1,]", &Kind::UnexpectedCharacter(']'), 3);
    refused("{a:1}", &Kind::UnexpectedCharacter('a'), 1);
    refused("'a'", &Kind::UnexpectedCharacter('\''), 0);
    refused("\"a\nb\"", &Kind::ControlCharacter, 2);
    refused("\"a", &Kind::UnexpectedEnd, 2);
    refused(r#""\x41""#, &Kind::InvalidEscape, 1);
    refused(r#""\u00g1""#, &Kind::InvalidEscape, 1);
    refused("nul", &Kind::UnexpectedCharacter('n'), 0);
    refused("[1 2]", &Kind::UnexpectedCharacter('2'), 3);
}

#[test]
fn other_forms_are_strict_but_not_canonical() {
    for (text, offset) in [
        ("{\"a\": 1}", 5),
        (" 1", 0),
        ("1\n", 1),
        (r#"{"b":1,"a":2}"#, 7),
        (r#"["\u0061"]"#, 1),
        (r#"["\/"]"#, 1),
        (r#"["\u000a"]"#, 1),
        (r#"["\u001F"]"#, 1),
        // U+10000 sorts before U+E000 in UTF-16, after it in UTF-8.
        ("{\"\u{e000}\":1,\"\u{10000}\":2}", 9),
    ] {
        assert!(validate(text.as_bytes()).is_ok(), "{text}");
        let error = validate_canonical(text.as_bytes()).unwrap_err();
        assert_eq!((error.kind, error.offset), (Kind::NotCanonical, offset), "{text}");
        validate_canonical(&canonicalize(text.as_bytes()).unwrap()).unwrap();
    }
}
