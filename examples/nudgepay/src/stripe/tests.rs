//! The header grammar as a table, and what verification accepts.
//!
//! The one example with known digits comes from another program; all others are signed here.

use super::*;
use crate::SecretText;

const NOW: u64 = 1_763_892_000;
const BODY: &[u8] = br#"{"id":"evt_1"}"#;

fn key(version: Version) -> VersionedKey {
    VersionedKey::new(version, &SecretText::new(format!("whsec_version_number_{version}")).unwrap())
}

fn check(header: &str, expect: Result<Version, Rejection>) {
    assert_eq!(verify(header, BODY, NOW, &[key(1), key(2)]), expect, "{header}");
}

/// The example was made with OpenSSL:
/// `printf '1763892000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_version_number_1`.
#[test]
fn agrees_with_openssl() {
    assert_eq!(
        sign(&key(1).key, NOW, BODY),
        format!("t={NOW},v1=a9bfc5e046681b809d3cffabd307d66dccf0b3ce40204bb654b32d41cb554355")
    );
}

#[test]
fn tells_which_version_signed() {
    check(&sign(&key(1).key, NOW, BODY), Ok(1));
    check(&sign(&key(2).key, NOW, BODY), Ok(2));
    check(&sign(&key(3).key, NOW, BODY), Err(Rejection::Mismatch));
    assert_eq!(verify(&sign(&key(1).key, NOW, BODY), BODY, NOW, &[]), Err(Rejection::Mismatch));
}

#[test]
fn one_good_signature_among_several_is_enough() {
    let good = sign(&key(2).key, NOW, BODY);
    let other = "0".repeat(64);
    check(&format!("{good},v1={other}"), Ok(2));
    check(&good.replace(",v1=", &format!(",v1={other},v1=")), Ok(2));
    check(&format!("{good},v0=ignored,v2={other}"), Ok(2));
}

#[test]
fn the_signed_time_and_every_byte_of_the_body_are_bound() {
    let good = sign(&key(1).key, NOW, BODY);
    check(&good.replace(&NOW.to_string(), &(NOW + 1).to_string()), Err(Rejection::Mismatch));
    let keys = [key(1)];
    assert_eq!(verify(&good, br#"{"id":"evt_2"}"#, NOW, &keys), Err(Rejection::Mismatch));
    assert_eq!(verify(&good, b"", NOW, &keys), Err(Rejection::Mismatch));
}

#[test]
fn stale_and_future_times_are_rejected_even_when_well_signed() {
    for (signed, expect) in [
        (NOW - 300, Ok(1)),
        (NOW + 300, Ok(1)),
        (NOW - 301, Err(Rejection::OutOfTolerance)),
        (NOW + 301, Err(Rejection::OutOfTolerance)),
    ] {
        check(&sign(&key(1).key, signed, BODY), expect);
    }
}

#[test]
fn every_odd_spelling_is_malformed() {
    let v1 = sign(&key(1).key, NOW, BODY).split_once(",v1=").map(|(_, hex)| hex.to_owned()).unwrap();
    let odd = [
        String::new(),
        ",".to_owned(),
        format!("t={NOW}"),
        format!("v1={v1}"),
        format!("t={NOW},v0={v1}"),
        format!("t=+{NOW},v1={v1}"),
        format!("t=-{NOW},v1={v1}"),
        format!("t=0{NOW},v1={v1}"),
        format!("t=1_763_892_000,v1={v1}"),
        format!("t={NOW}.0,v1={v1}"),
        format!("t= {NOW},v1={v1}"),
        format!("t=,v1={v1}"),
        format!("t={NOW},t={NOW},v1={v1}"),
        format!("T={NOW},v1={v1}"),
        format!("t={NOW}, v1={v1}"),
        format!("t={NOW} ,v1={v1}"),
        format!("t={NOW};v1={v1}"),
        format!("t={NOW},v1={v1},"),
        format!(",t={NOW},v1={v1}"),
        format!("t={NOW},,v1={v1}"),
        format!("t={NOW},V1={v1}"),
        format!("t={NOW},v1="),
        format!("t={NOW},v1={}", v1.to_uppercase()),
        format!("t={NOW},v1=0x{v1}"),
        format!("t={NOW},v1={v1}00"),
        format!("t={NOW},v1={}", v1.split_at(62).0),
        format!("t={NOW},v1={}g", v1.split_at(63).0),
        format!("t={NOW},v1=\"{v1}\""),
        format!("t={NOW},v1={v1},v1=junk"),
        format!("t={NOW},v1={v1},extra"),
        format!("t={NOW},v1={v1},x=1"),
        format!("t={NOW},v1={v1},v2="),
        format!("t={NOW}{}", format!(",v1={v1}").repeat(5)),
        format!("t={NOW},v1={v1}{}", ",v9=a".repeat(15)),
        format!("t={NOW},v1={v1},v2=\u{fc}"),
    ];
    for header in odd {
        let outcome = verify(&header, BODY, NOW, &[key(1)]);
        assert!(matches!(outcome, Err(Rejection::MalformedHeader(_))), "`{header}` gave {outcome:?}");
    }
}
