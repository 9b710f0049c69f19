//! Cosignatures of witnesses, key types, and what strict Ed25519 does not accept.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_ledger::checkpoint::{Checkpoint, CheckpointError, Cosigned};
use countersign_ledger::hash::sha256;
use countersign_ledger::note::{
    Cosigner, Ed25519Signer, NoteError, NoteSigner, SignatureType, VerifierKey, add, open, sign,
    signature_line,
};
use ed25519_dalek::{Signer as _, SigningKey};

const ORIGIN: &str = "example.com/behind-the-sofa";
const TIME: u64 = 1_679_315_147;

fn log() -> Ed25519Signer {
    Ed25519Signer::from_seed(ORIGIN, [1; 32]).unwrap()
}

fn witness(number: u8) -> Cosigner {
    Cosigner::from_seed(&format!("witness.example/w{number}"), [100 + number; 32]).unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint { origin: ORIGIN.into(), size: 20_852_163, root: sha256(b"root"), extensions: Vec::new() }
}

/// A verifier key with any type byte and the right id.
fn vkey(name: &str, type_byte: u8, key: &[u8]) -> String {
    let typed = [&[type_byte], key].concat();
    let id = sha256(&[name.as_bytes(), b"\n", &typed].concat());
    format!("{name}+{}+{}", &id.to_string()[..8], STANDARD.encode(typed))
}

#[test]
fn a_cosignature_is_what_the_specification_says_to_the_byte() {
    let text = checkpoint().to_text();
    let line = signature_line(&text, &witness(1).at(TIME).unwrap()).unwrap();
    // Built by hand from c2sp.org/tlog-cosignature.
    let key = SigningKey::from_bytes(&[101; 32]);
    let message = format!("cosignature/v1\ntime 1679315147\n{text}");
    let id = sha256(&[b"witness.example/w1\n\x04", key.verifying_key().as_bytes().as_slice()].concat());
    let signature = key.sign(message.as_bytes()).to_bytes();
    let bytes = [&id.0[..4], &[0, 0, 0, 0, 0x64, 0x18, 0x50, 0xCB], &signature].concat();
    assert_eq!(line, format!("\u{2014} witness.example/w1 {}\n", STANDARD.encode(bytes)));
    let by_hand = vkey("witness.example/w1", 0x04, key.verifying_key().as_bytes());
    assert_eq!(witness(1).verifier().to_string(), by_hand);
    assert_eq!(VerifierKey::parse(&by_hand), Ok(witness(1).verifier()));
    assert_eq!(witness(1).verifier().signature_type(), SignatureType::CosignatureV1);
}

#[test]
fn an_opened_checkpoint_tells_who_cosigned_and_when() {
    let note = checkpoint()
        .sign(&[&log(), &witness(1).at(TIME).unwrap(), &witness(2).at(TIME + 5).unwrap()])
        .unwrap();
    let witnesses = [witness(1).verifier(), witness(2).verifier(), witness(3).verifier()];
    let cosigned = Cosigned::open(&note, &[log().verifier()], &witnesses).unwrap();
    assert_eq!(cosigned.checkpoint, checkpoint());
    assert!(cosigned.signed_by[0].is(&log().verifier()) && cosigned.signed_by.len() == 1);
    let times: Vec<_> = cosigned.cosigned_by.iter().map(|by| (by.name.as_str(), by.cosigned_at)).collect();
    assert_eq!(times, [("witness.example/w1", Some(TIME)), ("witness.example/w2", Some(TIME + 5))]);
    assert_eq!(Checkpoint::open(&note, &[log().verifier()]), Ok(checkpoint()));
    // A later cosignature of the same witness counts once, with its later time.
    let later = signature_line(&checkpoint().to_text(), &witness(1).at(TIME + 9).unwrap()).unwrap();
    let cosigned = Cosigned::open(&format!("{note}{later}"), &[log().verifier()], &witnesses).unwrap();
    assert_eq!((cosigned.cosigned_by.len(), cosigned.cosigned_by[0].cosigned_at), (2, Some(TIME + 9)));
}

#[test]
fn a_witness_cannot_speak_for_the_log() {
    let note = checkpoint().sign(&[&witness(1).at(TIME).unwrap()]).unwrap();
    let witnesses = [witness(1).verifier()];
    let unsigned = Err(CheckpointError::Note(NoteError::Unsigned));
    assert_eq!(Cosigned::open(&note, &[log().verifier()], &witnesses).map(drop), unsigned);
    assert_eq!(Checkpoint::open(&note, &witnesses).map(drop), unsigned);
    // Nor may a log's key among the witnesses make the log of somebody else.
    let note = checkpoint().sign(&[&log()]).unwrap();
    assert_eq!(Cosigned::open(&note, &[], &[log().verifier()]).map(drop), unsigned);
}

#[test]
fn a_cosignature_with_another_time_text_or_key_does_not_hold() {
    let text = checkpoint().to_text();
    let line = signature_line(&text, &witness(1).at(TIME).unwrap()).unwrap();
    let (prefix, encoded) = line.trim_end().rsplit_once(' ').unwrap();
    let good = STANDARD.decode(encoded).unwrap();
    let rejects = |bytes: &[u8]| {
        let note = format!("{text}\n{prefix} {}\n", STANDARD.encode(bytes));
        let expected = Err(NoteError::InvalidSignature("witness.example/w1".into()));
        assert_eq!(open(&note, &[witness(1).verifier()]).map(drop), expected);
    };
    for flipped in [4, 11, 12, 43, 44, 75] {
        let mut changed = good.clone();
        changed[flipped] ^= 1;
        rejects(&changed);
    }
    rejects(&good[..good.len() - 1]);
    rejects(&good[..8]);
    rejects(&[&good[..], &[0]].concat());
    // Validly signed, but with a time no specification allows.
    let beyond = 1_u64 << 63;
    let message = format!("cosignature/v1\ntime {beyond}\n{text}");
    let signature = SigningKey::from_bytes(&[101; 32]).sign(message.as_bytes()).to_bytes();
    rejects(&[&good[..4], &beyond.to_be_bytes(), &signature].concat());
    assert_eq!(witness(1).at(beyond).unwrap_err(), NoteError::CosignatureTime);
    // A plain signature of the same key material is no cosignature and the other way round.
    let plain = Ed25519Signer::from_seed("witness.example/w1", [101; 32]).unwrap();
    rejects(&[&good[..4], &plain.sign(text.as_bytes()).unwrap()].concat());
    assert_ne!(plain.key_id(), witness(1).verifier().key_id());
    let note = format!("{text}\n{line}");
    assert_eq!(open(&note, &[plain.verifier()]), Err(NoteError::Unsigned));
    let longer = format!("{text}more\n\n{line}");
    let invalid = Err(NoteError::InvalidSignature("witness.example/w1".into()));
    assert_eq!(open(&longer, &[witness(1).verifier()]), invalid);
}

#[test]
fn two_cosigners_with_one_key_are_refused() {
    let twin = Cosigner::from_seed("witness.example/twin", [101; 32]).unwrap();
    assert!(twin.verifier().is_same_key(&witness(1).verifier()));
    let note = checkpoint().sign(&[&log(), &witness(1).at(TIME).unwrap()]).unwrap();
    let shared = Err(CheckpointError::Note(NoteError::SharedKey("witness.example/w1".into())));
    let witnesses = [witness(1).verifier(), twin.verifier()];
    assert_eq!(Cosigned::open(&note, &[log().verifier()], &witnesses).map(drop), shared);
    // The same witness listed twice is only redundant.
    let repeated = [witness(1).verifier(), witness(1).verifier()];
    assert_eq!(Cosigned::open(&note, &[log().verifier()], &repeated).unwrap().cosigned_by.len(), 1);
}

#[test]
fn unsupported_types_are_ignored_unless_trusted() {
    let ml_dsa = vkey("witness.example/pq", 0x06, &[7; 1312]);
    let error = VerifierKey::parse(&ml_dsa).unwrap_err();
    assert_eq!(error, NoteError::UnsupportedType(0x06));
    assert!(error.to_string().contains("0x06 is not supported"), "{error}");
    for type_byte in [0x00, 0x02, 0x03, 0x05, 0xFF] {
        let unsupported = VerifierKey::parse(&vkey("a", type_byte, &[7; 32]));
        assert_eq!(unsupported, Err(NoteError::UnsupportedType(type_byte)));
    }
    let note = checkpoint().sign(&[&log()]).unwrap();
    let long = STANDARD.encode([7; 4 + 8 + 2420]);
    let note = format!("{note}\u{2014} witness.example/pq {long}\n");
    assert_eq!(Checkpoint::open(&note, &[log().verifier()]), Ok(checkpoint()));
}

#[test]
fn sixteen_signatures_are_accepted() {
    let witnesses: Vec<Cosigner> = (0..15).map(witness).collect();
    let at: Vec<_> = witnesses.iter().map(|witness| witness.at(TIME).unwrap()).collect();
    let mut signers: Vec<&dyn NoteSigner> = vec![];
    let log = log();
    signers.push(&log);
    signers.extend(at.iter().map(|witness| -> &dyn NoteSigner { witness }));
    let note = checkpoint().sign(&signers).unwrap();
    let keys: Vec<VerifierKey> = witnesses.iter().map(Cosigner::verifier).collect();
    assert_eq!(Cosigned::open(&note, &[log.verifier()], &keys).unwrap().cosigned_by.len(), 15);
}

#[test]
fn only_what_holds_is_taken_over_from_an_answer() {
    let text = checkpoint().to_text();
    let note = checkpoint().sign(&[&log()]).unwrap();
    let keys = [witness(1).verifier()];
    let line = |number: u8| signature_line(&text, &witness(number).at(TIME).unwrap()).unwrap();
    let answer = format!("{}{}", line(2), line(1));
    let added = add(&note, &answer, &keys).unwrap();
    assert_eq!(added, format!("{note}{}", line(1)));
    assert_eq!(add(&added, &answer, &keys), Ok(added.clone()));
    let elsewhere = signature_line("another\n", &witness(1).at(TIME).unwrap()).unwrap();
    assert_eq!(add(&note, &elsewhere, &keys), Err(NoteError::InvalidSignature("witness.example/w1".into())));
    assert_eq!(add(&note, &line(2), &keys), Err(NoteError::Unsigned));
    for malformed in ["", "\n", "nonsense\n", line(1).trim_end()] {
        assert!(matches!(add(&note, malformed, &keys), Err(NoteError::Malformed(_))), "{malformed:?}");
    }
    assert!(add(&note, &format!("{}\n{}", line(2), line(1)), &keys).is_err());
    // A text smuggled in front of an own empty line is not the text the witness was asked about.
    let smuggled_text = format!("{text}\n{}", line(2));
    let smuggled = signature_line(&smuggled_text, &witness(1).at(TIME).unwrap()).unwrap();
    let answer = format!("{}\n{smuggled}", line(2));
    assert!(matches!(add(&note, &answer, &keys), Err(NoteError::Malformed(_))));
}

#[test]
fn weak_keys_are_refused() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut minus_one = SECOND_ENCODINGS_FROM;
    minus_one[0] -= 1;
    for weak in [[0; 32], identity, minus_one] {
        for type_byte in [0x01, 0x04] {
            assert_eq!(VerifierKey::parse(&vkey("a", type_byte, &weak)), Err(NoteError::WeakKey), "{weak:?}");
        }
    }
    // Every y at or above the field's prime is a second encoding of a small y.
    for extra in 0..19 {
        let mut second = SECOND_ENCODINGS_FROM;
        second[0] += extra;
        let refused = VerifierKey::parse(&vkey("a", 0x01, &second)).unwrap_err();
        assert!(matches!(refused, NoteError::WeakKey | NoteError::VerifierKey), "{extra}: {refused}");
    }
}

/// The prime 2^255-19 in little-endian: the first y that is not canonical.
const SECOND_ENCODINGS_FROM: [u8; 32] = {
    let mut bytes = [0xFF; 32];
    bytes[0] = 0xED;
    bytes[31] = 0x7F;
    bytes
};

/// The order of the base point, 2^252 + 27742317777372353535851937790883648493, in little-endian.
const ORDER: [u8; 32] = [
    0xED, 0xD3, 0xF5, 0x5C, 0x1A, 0x63, 0x12, 0x58, 0xD6, 0x9C, 0xF7, 0xA2, 0xDE, 0xF9, 0xDE, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[test]
fn a_malleable_signature_does_not_hold() {
    let text = checkpoint().to_text();
    let mut signature = log().sign(text.as_bytes()).unwrap();
    let mut carry = 0;
    for (byte, order) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = u8::try_from(sum & 0xFF).unwrap();
        carry = sum >> 8;
    }
    // The same point equation, another S: a lax verifier takes both.
    let id = log().key_id().to_be_bytes();
    let forged = format!("{text}\n\u{2014} {ORIGIN} {}\n", STANDARD.encode([&id[..], &signature].concat()));
    assert_eq!(open(&forged, &[log().verifier()]), Err(NoteError::InvalidSignature(ORIGIN.into())));
    assert!(open(&sign(&text, &[&log()]).unwrap(), &[log().verifier()]).is_ok());
}
