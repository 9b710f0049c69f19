//! Leaves: the exact bytes, the round trip, and what neither writer nor reader accepts.

use countersign_ledger::entry::{Draft, EntryError, EntryView, MAX_INDEX, MAX_LEAF, Place};
use countersign_ledger::hash::sha256;
use countersign_ledger::json::validate_canonical;
use proptest::prelude::*;

const LEAF: &str = "{\"actor\":\"per_ana\",\"correlation\":\"cor_1\",\"data\":{\"count\":3},\"details_sha256\":null,\
    \"environment\":\"production\",\"index\":17,\"kind\":\"approval.granted\",\"subject\":\"apr_1\",\"subject_seq\":3,\
    \"time\":\"2026-11-23T10:00:00.123Z\",\"v\":1}";

const PLACE: Place<'_> = Place { index: 17, subject_seq: 3, time: "2026-11-23T10:00:00.123Z" };

fn draft(data: &[u8]) -> Draft<'_> {
    Draft {
        actor: "per_ana",
        correlation: "cor_1",
        data,
        details_sha256: None,
        environment: Some("production"),
        kind: "approval.granted",
        subject: "apr_1",
    }
}

#[test]
fn the_leaf_of_version_one_is_fixed_to_the_byte() {
    let leaf = draft(br#"{"count":3}"#).leaf(PLACE).unwrap();
    assert_eq!(String::from_utf8(leaf).unwrap(), LEAF);
}

#[test]
fn other_forms_of_a_leaf_are_refused() {
    for (from, to) in [
        ("\"v\":1", "\"v\":1 "),
        ("\"v\":1", "\"v\":1,\"w\":1"),
        ("{\"actor\"", " {\"actor\""),
        ("\"actor\":\"per_ana\",", ""),
        ("\"environment\":\"production\",", ""),
        ("per_ana", "per\\u005fana"),
        ("per_ana", ""),
        ("per_ana", "per ana"),
        ("\"index\":17", "\"index\":17.0"),
        ("\"index\":17", "\"index\":-17"),
        ("\"index\":17", "\"index\":9007199254740992"),
        ("\"subject_seq\":3", "\"subject_seq\":0"),
        ("\"subject_seq\":3", "\"subject_seq\":4294967296"),
        ("{\"count\":3}", "[3]"),
        ("{\"count\":3}", "{\"count\":3.5}"),
        ("{\"count\":3}", "{\"count\":3,\"count\":3}"),
        ("\"details_sha256\":null", "\"details_sha256\":\"00\""),
        (".123Z", ".123+00:00"),
        ("2026-11-23", "2026-02-30"),
    ] {
        assert!(LEAF.contains(from), "{from}");
        let changed = LEAF.replace(from, to);
        assert!(EntryView::parse(changed.as_bytes()).is_err(), "{changed}");
    }
    assert!(EntryView::parse(LEAF.as_bytes()).is_ok());
    let later = LEAF.replace("\"v\":1", "\"v\":2");
    assert_eq!(EntryView::parse(later.as_bytes()), Err(EntryError::Version));
}

#[test]
fn what_cannot_be_read_is_not_written() {
    let error = |draft: Draft<'_>, place| draft.leaf(place).unwrap_err();
    let good = draft(b"{}");
    assert_eq!(error(Draft { actor: "a\"b", ..good }, PLACE), EntryError::Name { member: "actor" });
    assert_eq!(
        error(Draft { environment: Some(""), ..good }, PLACE),
        EntryError::Name { member: "environment" }
    );
    assert_eq!(error(draft(b"[]"), PLACE), EntryError::DataNotObject);
    assert!(matches!(error(draft(br#"{"b":1,"a":2}"#), PLACE), EntryError::Data(_)));
    assert!(matches!(error(draft(br#"{"a":1.5}"#), PLACE), EntryError::Data(_)));
    assert_eq!(error(good, Place { index: MAX_INDEX + 1, ..PLACE }), EntryError::Index);
    assert_eq!(error(good, Place { subject_seq: 0, ..PLACE }), EntryError::SubjectSeq);
    assert_eq!(error(good, Place { time: "now", ..PLACE }), EntryError::Time);
}

#[test]
fn the_size_limit_is_exact() {
    let padded = |length: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(length));
    let frame = draft(padded(0).as_bytes()).leaf(PLACE).unwrap().len();
    let largest = draft(padded(MAX_LEAF - frame).as_bytes()).leaf(PLACE).unwrap();
    assert_eq!(largest.len(), MAX_LEAF);
    assert!(EntryView::parse(&largest).is_ok());
    let above = draft(padded(MAX_LEAF - frame + 1).as_bytes()).leaf(PLACE);
    assert_eq!(above, Err(EntryError::TooLarge { bytes: MAX_LEAF + 1 }));
}

#[test]
fn data_counts_its_depth_inside_the_leaf() {
    let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    let leaf = draft(nested(31).as_bytes()).leaf(PLACE).unwrap();
    validate_canonical(&leaf).unwrap();
    assert!(matches!(draft(nested(32).as_bytes()).leaf(PLACE), Err(EntryError::Data(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn leaves_round_trip_and_are_canonical(
        names in prop::collection::vec("[!#-\\[\\]-~]{1,30}", 5),
        number in -1000..1000_i64,
        (index, seq) in (0..=MAX_INDEX, 1..=u32::MAX),
        (with_details, with_environment) in any::<(bool, bool)>(),
    ) {
        let data = format!(r#"{{"n":{number}}}"#);
        let draft = Draft {
            actor: &names[0],
            correlation: &names[1],
            data: data.as_bytes(),
            details_sha256: with_details.then(|| sha256(b"details")),
            environment: with_environment.then_some(names[2].as_str()),
            kind: &names[3],
            subject: &names[4],
        };
        let place = Place { index, subject_seq: seq, ..PLACE };
        let leaf = draft.leaf(place).unwrap();
        validate_canonical(&leaf).unwrap();
        let view = EntryView::parse(&leaf).unwrap();
        let again = Draft {
            actor: view.actor,
            correlation: view.correlation,
            data: view.data.as_bytes(),
            details_sha256: view.details_sha256,
            environment: view.environment,
            kind: view.kind,
            subject: view.subject,
        };
        prop_assert_eq!(again, draft);
        prop_assert_eq!(Place { index: view.index, subject_seq: view.subject_seq, time: view.time }, place);
    }

    #[test]
    fn any_changed_byte_gives_another_entry_or_an_error(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut leaf = LEAF.as_bytes().to_vec();
        let at = at.index(leaf.len());
        prop_assume!(leaf[at] != byte);
        leaf[at] = byte;
        if let Ok(view) = EntryView::parse(&leaf) {
            prop_assert_ne!(view, EntryView::parse(LEAF.as_bytes()).unwrap());
            validate_canonical(&leaf).unwrap();
        }
    }
}
