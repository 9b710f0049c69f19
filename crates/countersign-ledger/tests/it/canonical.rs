//! Canonical form: round trips, agreement of all readers and writers, and of an independent implementation.

use std::collections::BTreeMap;

use countersign_ledger::json::{
    JsonErrorKind, MAX_INTEGER, Object, Value, canonicalize, parse, to_canonical, validate,
    validate_canonical,
};
use proptest::prelude::*;
use serde::Serialize;
use serde_json::value::RawValue;

/// Any strict value, with keys and texts chosen to trip escapes and the UTF-16 order.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-MAX_INTEGER..=MAX_INTEGER).prop_map(Value::Integer),
        any_text().prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let members = prop::collection::btree_map(any_text(), inner.clone(), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Value::Array),
            members.prop_map(|members| Value::Object(Object::new(members.into_iter().collect()).unwrap())),
        ]
    })
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c\"\\\\\u{0}-\u{1f}/]{0,6}", "[\u{d7ff}\u{e000}\u{ffff}\u{10000}😂é]{0,4}", "\\PC{0,40}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_reader_and_writer_agrees(value in any_value()) {
        let bytes = value.to_canonical();
        prop_assert_eq!(parse(&bytes).unwrap(), value.clone());
        prop_assert_eq!(validate(&bytes), Ok(()));
        prop_assert_eq!(validate_canonical(&bytes), Ok(()));
        prop_assert_eq!(&canonicalize(&bytes).unwrap(), &bytes);
        prop_assert_eq!(&to_canonical(&value).unwrap(), &bytes);
    }

    #[test]
    fn form_does_not_matter_and_the_independent_crate_agrees(value in any_value()) {
        // `serde_json` sorts by UTF-8 and, pretty, adds white space: another form of the same value.
        let other: serde_json::Value = serde_json::from_slice(&value.to_canonical()).unwrap();
        let pretty = serde_json::to_vec_pretty(&other).unwrap();
        let bytes = canonicalize(&pretty).unwrap();
        prop_assert_eq!(&bytes, &value.to_canonical());
        prop_assert_eq!(&to_canonical(&other).unwrap(), &bytes);
        prop_assert_eq!(serde_json_canonicalizer::to_vec(&other).unwrap(), bytes);
    }

    #[test]
    fn readers_agree_on_damaged_texts(value in any_value(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = value.to_canonical();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let parsed = parse(&bytes);
        prop_assert_eq!(validate(&bytes), parsed.clone().map(|_| ()));
        let canonical = parsed.as_ref().is_ok_and(|value| value.to_canonical() == bytes);
        prop_assert_eq!(validate_canonical(&bytes).is_ok(), canonical);
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        prop_assert_eq!(validate(&bytes).is_ok(), parse(&bytes).is_ok());
    }
}

#[test]
fn rfc_8785_examples() {
    // Sections 3.2.3 (order) and 3.2.2.2 (escapes).
    let order = "{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\",\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\",\
        \"1\":\"One\",\"\\ud83d\\ude00\":\"Emoji: Grinning Face\",\"\\u0080\":\"Control\",\
        \"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}";
    let parsed = parse(order.as_bytes()).unwrap();
    let names: Vec<_> = parsed.as_object().unwrap().iter().filter_map(|(_, name)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "Carriage Return",
            "One",
            "Control",
            "Latin Small Letter O With Diaeresis",
            "Euro Sign",
            "Emoji: Grinning Face",
            "Hebrew Letter Dalet With Dagesh"
        ]
    );
    let escapes = br#""\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/""#;
    let expected = "\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"";
    assert_eq!(canonicalize(escapes).unwrap(), expected.as_bytes());
}

#[derive(Serialize)]
struct Record {
    zebra: u64,
    apple: Option<String>,
    kind: Kind,
    #[serde(flatten)]
    more: BTreeMap<String, Kind>,
    map: BTreeMap<i32, char>,
    tuple: (u8, bool, ()),
}

#[derive(Serialize)]
enum Kind {
    Unit,
    Newtype(i64),
    Tuple(u8, String),
    Struct { z: u8, a: u8 },
}

#[test]
fn structs_and_enums_equal_the_canonical_form_of_what_serde_json_writes() {
    let record = Record {
        zebra: 7,
        apple: None,
        kind: Kind::Struct { z: 1, a: 2 },
        more: BTreeMap::from([
            ("unit".into(), Kind::Unit),
            ("newtype".into(), Kind::Newtype(-5)),
            ("pair".into(), Kind::Tuple(1, "a\"b".into())),
        ]),
        map: BTreeMap::from([(-2, 'x'), (10, 'ä'), (9, '\n')]),
        tuple: (1, true, ()),
    };
    let bytes = to_canonical(&record).unwrap();
    assert_eq!(bytes, canonicalize(&serde_json::to_vec(&record).unwrap()).unwrap());
    assert!(bytes.starts_with(br#"{"apple":null,"kind":{"Struct":{"a":2,"z":1}},"map":{"-2":"x","10":"#));
}

#[test]
fn raw_values_are_embedded_in_canonical_form_and_checked() {
    #[derive(Serialize)]
    struct Holder<'a> {
        raw: &'a RawValue,
    }
    let embed = |json: &str| {
        let raw = RawValue::from_string(json.into()).unwrap();
        to_canonical(&Holder { raw: &raw })
    };
    assert_eq!(embed(r#"{"b": 1, "a": [2]}"#).unwrap(), br#"{"raw":{"a":[2],"b":1}}"#);
    assert_eq!(embed("1.5").unwrap_err().kind, JsonErrorKind::Float);
    assert!(matches!(embed(r#"{"a":1,"a":2}"#).unwrap_err().kind, JsonErrorKind::DuplicateKey(_)));
}

#[test]
fn what_has_no_strict_form_is_not_written() {
    let kind = |error: Result<Vec<u8>, countersign_ledger::json::JsonError>| error.unwrap_err().kind;
    assert_eq!(kind(to_canonical(&1.0_f64)), JsonErrorKind::Float);
    assert_eq!(kind(to_canonical(&(MAX_INTEGER + 1))), JsonErrorKind::IntegerRange);
    assert_eq!(kind(to_canonical(&i64::MIN)), JsonErrorKind::IntegerRange);
    assert_eq!(kind(to_canonical(&u128::MAX)), JsonErrorKind::IntegerRange);
    assert!(matches!(kind(to_canonical(&BTreeMap::from([((1, 2), 3)]))), JsonErrorKind::Unsupported(_)));
    #[derive(Serialize)]
    struct Clash {
        a: u8,
        #[serde(flatten)]
        more: BTreeMap<String, u8>,
    }
    let clash = Clash { a: 1, more: BTreeMap::from([("A".into(), 2), ("a".into(), 3)]) };
    assert_eq!(kind(to_canonical(&clash)), JsonErrorKind::DuplicateKey("a".into()));
    let object = Object::new(vec![("a".into(), Value::Null), ("a".into(), Value::Null)]);
    assert_eq!(object.unwrap_err().kind, JsonErrorKind::DuplicateKey("a".into()));
}
