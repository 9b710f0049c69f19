//! Envelopes: the encoding that is signed, the strict form, and who has signed what.

use countersign_ledger::dsse::{DsseError, Envelope, MAX_SIGNATURES, Signature, keyid, pae};
use countersign_ledger::note::{Ed25519Signer, NoteSigner as _};

const KIND: &str = "http://example.com/HelloWorld";

fn signer(number: u8) -> Ed25519Signer {
    Ed25519Signer::from_seed(&format!("ledger.example/permit-{number}"), [number; 32]).unwrap()
}

fn signed() -> Envelope {
    Envelope::sign(KIND, b"hello world".to_vec(), &[&signer(1), &signer(2)]).unwrap()
}

/// The example of the specification (protocol.md).
#[test]
fn what_is_signed_is_what_the_specification_says() {
    let expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world";
    assert_eq!(pae(KIND, b"hello world"), expected);
    assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
}

#[test]
fn it_opens_by_whoever_signed_it_and_says_who_did() {
    let (one, two, other) = (signer(1).verifier(), signer(2).verifier(), signer(3).verifier());
    let envelope = signed();
    let both = [two.clone(), one.clone()];
    let (payload, by) = envelope.open(KIND, &both).unwrap();
    assert_eq!((payload, by), (b"hello world".as_slice(), vec![&one, &two]));
    let (_, by) = envelope.open(KIND, std::slice::from_ref(&two)).unwrap();
    assert_eq!(by, [&two]);
    assert_eq!(envelope.open(KIND, &[other]), Err(DsseError::Unsigned));
    assert_eq!(envelope.open(KIND, &[]), Err(DsseError::Unsigned));
    assert_eq!(envelope.open("text/plain", &both), Err(DsseError::Type(KIND.into())));
    let altered = Envelope { payload: b"hello World".to_vec(), ..envelope.clone() };
    assert_eq!(altered.open(KIND, &both), Err(DsseError::Invalid(keyid(&one))));
    // One key is one signer, however often it signed.
    let twice = Envelope::sign(KIND, b"hello world".to_vec(), &[&signer(1), &signer(1)]).unwrap();
    assert_eq!(twice.open(KIND, &both).unwrap().1.len(), 1);
    // The name of a key is a hint: without it the keys are tried, and a wrong one does not help.
    let mut anonymous = envelope.clone();
    anonymous.signatures[0].keyid.clear();
    assert_eq!(anonymous.open(KIND, std::slice::from_ref(&one)).unwrap().1, [&one]);
    let mut swapped = envelope;
    swapped.signatures.swap_remove(1);
    swapped.signatures[0].keyid = keyid(&two);
    assert_eq!(swapped.open(KIND, &both), Err(DsseError::Invalid(keyid(&two))));
}

#[test]
fn the_form_is_fixed_and_nothing_beside_it_is_read() {
    let envelope = signed();
    let text = String::from_utf8(envelope.to_json()).unwrap();
    assert!(text.starts_with(r#"{"payload":"aGVsbG8gd29ybGQ=","payloadType":"http://example.com/HelloWorld","signatures":[{"keyid":"ledger.example/permit-1+"#), "{text}");
    assert_eq!(Envelope::parse(text.as_bytes()), Ok(envelope));
    for (from, to) in [
        ("{\"payload\"", "{\"crit\":[\"exp\"],\"payload\""),
        ("{\"keyid\"", "{\"cert\":\"x\",\"keyid\""),
        ("\"aGVsbG8gd29ybGQ=\"", "\"aGVsbG8gd29ybGQ\""),
        ("\"aGVsbG8gd29ybGQ=\"", "null"),
        ("\"payloadType\"", "\"payload\""),
        ("\"signatures\":[", "\"signatures\":[7,"),
        ("\"keyid\":\"ledger.example/permit-1", "\"keyid\":7,\"x\":\"ledger.example/permit-1"),
    ] {
        let odd = text.replacen(from, to, 1);
        assert_ne!(odd, text);
        assert!(matches!(Envelope::parse(odd.as_bytes()), Err(DsseError::Malformed(_))), "{odd}");
    }
    let (none, many) =
        (Vec::new(), vec![Signature { keyid: String::new(), sig: vec![1] }; MAX_SIGNATURES + 1]);
    for signatures in [none, many] {
        let odd = Envelope { signatures, ..signed() };
        assert!(Envelope::parse(&odd.to_json()).is_err());
    }
    assert!(Envelope::sign(KIND, Vec::new(), &[]).is_err());
    assert_eq!(signer(1).name(), "ledger.example/permit-1");
}
